"""The static files: kept for ever under an address that changes with them, and none missing."""

import re

import pytest

from torv.base.errors import NotFound
from torv.web.static_files import FILES, answer, read_files


def test_a_file_is_kept_for_ever_under_the_present_edition() -> None:
    served = answer(FILES.edition, "torv.css")
    assert served.body == FILES.contents["torv.css"]
    assert served.media_type == "text/css"
    assert served.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_a_file_of_another_edition_is_served_but_not_kept() -> None:
    assert answer("0123456789abcdef", "torv.css").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["nothing.css", "../pages.py", "vendor/dkfds/../../torv.css", "", "/etc/hostname"])
def test_nothing_but_the_files_is_served(path: str) -> None:
    with pytest.raises(NotFound):
        answer(FILES.edition, path)


def test_a_changed_file_changes_the_edition(tmp_path) -> None:
    (tmp_path / "a.css").write_text("a {}")
    before = read_files(tmp_path).edition
    (tmp_path / "a.css").write_text("b {}")
    assert read_files(tmp_path).edition != before


def test_a_page_cannot_name_a_file_that_does_not_exist() -> None:
    with pytest.raises(KeyError):
        FILES.address("missing.css")


def test_our_stylesheet_names_only_files_that_are_here_and_nothing_elsewhere() -> None:
    named = re.findall(r'url\("([^"]+)"\)', FILES.contents["torv.css"].decode())
    assert named
    assert [name for name in named if name not in FILES.contents] == []
