"""Torv's own keys: made once, their owner's alone; and the token key is exchanged under processes that run."""

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from torv.base import clock, keyring, signing
from torv.base.keyring import IN_USE, LAST_TOKEN, LOOK, TokenKeys, rotate_token_key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "keys"
    signing.load_keys(place)
    return place


def retire(folder: Path, ago: timedelta) -> ECKey:
    """A key that was retired some time ago."""
    key = ECKey.generate_key("P-256")
    file = folder / f"tokens-{(datetime.now(UTC) - ago).strftime('%Y%m%dT%H%M%S%fZ')}.pem"
    file.write_bytes(key.as_pem(private=True))
    return key


def test_keys_are_made_once_and_their_owners_alone(tmp_path: Path) -> None:
    made: list[signing.Keys] = []
    racers = [threading.Thread(target=lambda: made.append(signing.load_keys(tmp_path / "keys"))) for _ in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len({(each.signing.thumbprint(), each.tokens.thumbprint(), each.call_secret) for each in made}) == 1
    modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "keys").iterdir()}
    assert modes == dict.fromkeys(("calls.secret", "heads.pem", "signing.pem", "tokens.pem"), 0o600)
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0


def test_a_process_that_runs_verifies_the_new_key_at_once_and_signs_with_it_within_a_second(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = signing.load_keys(folder)
    old = running.tokens.thumbprint()
    new = rotate_token_key(folder).thumbprint()
    assert running.token_keys.find(new) is not None
    assert running.token_keys.find(old) is not None
    passed = clock.ticks() + LOOK + 0.1
    monkeypatch.setattr(clock, "ticks", lambda: passed)
    assert running.tokens.thumbprint() == new != old


def test_the_public_set_shows_both_the_one_in_use_first(folder: Path) -> None:
    running = signing.load_keys(folder)
    old = running.tokens.thumbprint()
    new = rotate_token_key(folder).thumbprint()
    published = running.token_jwks()["keys"]
    assert [key["kid"] for key in published] == [new, old]
    assert all("d" not in key and key["alg"] == "ES256" for key in published)


def test_a_process_that_starts_knows_both(folder: Path) -> None:
    old = TokenKeys(folder).current.thumbprint()
    new = rotate_token_key(folder).thumbprint()
    assert [key.thumbprint() for key in TokenKeys(folder).every()] == [new, old]


def test_a_retired_key_verifies_until_its_last_token_is_dead(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dying = retire(folder, timedelta(seconds=LAST_TOKEN - 5)).thumbprint()
    dead = retire(folder, timedelta(seconds=LAST_TOKEN + 1)).thumbprint()
    keys = TokenKeys(folder)
    assert (keys.find(dying) is None, keys.find(dead) is None) == (False, True)
    in_ten_seconds = time.time() + 10
    monkeypatch.setattr(time, "time", lambda: in_ten_seconds)
    assert keys.find(dying) is None
    assert [key.thumbprint() for key in keys.every()] == [keys.current.thumbprint()]


def test_a_rotation_removes_what_is_dead_and_nothing_else(folder: Path) -> None:
    retire(folder, timedelta(seconds=LAST_TOKEN + 1))
    dying = retire(folder, timedelta(seconds=10)).thumbprint()
    (folder / "tokens-mine.pem").write_text("a note of the administrator's")
    rotate_token_key(folder)
    assert (folder / IN_USE).stat().st_mode & 0o077 == 0
    assert len([*folder.glob("tokens-*Z.pem")]) == 2
    assert TokenKeys(folder).find(dying) is not None
    assert (folder / "tokens-mine.pem").exists()


def test_rotations_at_the_same_moment_lose_no_key(folder: Path) -> None:
    first = TokenKeys(folder).current.thumbprint()
    made: list[str] = []
    racers = [threading.Thread(target=lambda: made.append(rotate_token_key(folder).thumbprint())) for _ in range(5)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert {key.thumbprint() for key in TokenKeys(folder).every()} == {first, *made}


def test_what_is_derived_from_secrets_stays_when_the_token_key_goes(folder: Path) -> None:
    before = signing.load_keys(folder)
    rotate_token_key(folder)
    after = signing.load_keys(folder)
    assert after.call_mark("a call") == before.call_mark("a call")
    assert after.cursor_secret == before.cursor_secret
    assert after.signing.thumbprint() == before.signing.thumbprint()
    assert after.tokens.thumbprint() != before.tokens.thumbprint()


@pytest.mark.parametrize(
    "kid", ["", "tokens.pem", "../keys/tokens.pem", "/etc/passwd", "\0", "' or 1=1 --", "x" * 9_000]
)
def test_a_name_is_looked_up_and_never_a_path(folder: Path, kid: str) -> None:
    assert TokenKeys(folder).find(kid) is None


def test_a_folder_that_cannot_be_read_leaves_us_with_what_we_have(folder: Path) -> None:
    keys = TokenKeys(folder)
    kid = keys.current.thumbprint()
    (folder / IN_USE).write_text("half a k")
    os.utime(folder)
    assert keys.find("unknown") is None  # it looks
    assert keys.current.thumbprint() == kid
    folder.rename(folder.with_name("away"))
    assert [key.thumbprint() for key in keys.every()] == [kid]


def test_an_invented_name_costs_a_look_and_no_reading(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = TokenKeys(folder)
    monkeypatch.setattr(keyring, "_read_retired", lambda _: pytest.fail("the folder has not changed"))
    for number in range(50):
        assert keys.find(f"invented-{number}") is None
