"""Logs: one JSON object a line, whoever speaks, and nothing in it that could be about a person."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from torv.base import logs
from torv.base.errors import Busy


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def spoken(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_our_lines_and_those_of_libraries_look_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    structlog.get_logger("torv.request").warning("request", status=500, request_id="7")
    logging.getLogger("some.library").info("Listening at %s", "here")
    ours, theirs = spoken(capsys)
    assert (ours["event"], ours["level"], ours["logger"], ours["status"]) == ("request", "warning", "torv.request", 500)
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("Listening at here", "info", "some.library")
    assert str(ours["at"]).endswith("Z")


def test_what_is_less_serious_than_the_level_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    early = structlog.get_logger("torv.early")
    logs.configure("warning")
    early.info("quiet")
    logging.getLogger("library").info("quiet")
    assert spoken(capsys) == []
    logs.configure("info")
    early.info("heard")
    assert [line["event"] for line in spoken(capsys)] == ["heard"]


def test_an_exception_is_told_by_its_kind_and_places_never_by_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    try:
        try:
            raise ValueError("Key (cpr)=(0101010101) already exists")
        except ValueError as error:
            raise Busy from error
    except Busy:
        structlog.get_logger("torv.request").exception("request_failed")
        logging.getLogger("library").exception("failed\nfuture: <exception=ValueError('0101010101')>")
    text = capsys.readouterr().err
    assert "0101010101" not in text
    for line in map(json.loads, text.splitlines()):
        assert [each["kind"] for each in line["exception"]] == ["torv.base.errors.Busy (busy)", "builtins.ValueError"]
        assert all(place.endswith("_never_by_its_words") for each in line["exception"] for place in each["passed"])
