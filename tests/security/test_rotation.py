"""The key that tokens are made with is exchanged while Torv runs, and nobody notices."""

import asyncio
from pathlib import Path

import pytest
from asyncpg import Connection

from tests.cast import Cast
from tests.conftest import ServeApi
from tests.forging import forge
from tests.security.traces import fetch, form_of, good, identity, proof, shown
from torv import operating
from torv.base import keyring, signing
from torv.base.keyring import TokenKeys, rotate_token_key
from torv.ecosystem.gateway import forwarding
from torv.ecosystem.modules import tokens


async def test_tokens_made_before_a_rotation_live_on_and_new_ones_are_made_with_the_new_key(
    serve_api: ServeApi, cast: Cast, tmp_path_factory: pytest.TempPathFactory
) -> None:
    state = tmp_path_factory.mktemp("rotating")
    async with serve_api(state_dir=state) as api:
        key = cast.release_keys["nordnote"]
        before = (await fetch(api, form_of(forge(good(key), proof(api, cast), key)))).json["access_token"]
        new = rotate_token_key(state / "keys").thumbprint()
        published = [each["kid"] for each in (await api.get("/.well-known/jwks.json")).json["keys"]]
        assert published == [new, signing.key_id(before)]
        assert (await shown(api, before)).status == 200
        await asyncio.sleep(1.1)
        after = (await fetch(api, form_of(forge(good(key), proof(api, cast), key)))).json["access_token"]
        assert signing.key_id(after) == new
        assert (await shown(api, after)).status == 200


async def test_a_token_by_a_key_that_another_process_has_just_made_is_known_at_once(
    serve_api: ServeApi, cast: Cast, tmp_path_factory: pytest.TempPathFactory
) -> None:
    state = tmp_path_factory.mktemp("rotating")
    async with serve_api(state_dir=state) as api:
        new = rotate_token_key(state / "keys")
        assert (await shown(api, signing.mint(identity(api, cast), new))).status == 200


def test_a_key_verifies_longer_than_any_token_made_with_it_lives() -> None:
    clocks_apart = 5  # seconds, as reading a token allows
    assert keyring.LOOK + max(tokens.LIFE, forwarding.TOKEN_LIFE) + clocks_apart < keyring.LAST_TOKEN


def test_the_gateways_tokens_live_as_long_as_an_exchange_takes_them() -> None:
    assert forwarding.TOKEN_LIFE == tokens.CALL_LIFE


async def test_a_rotation_is_an_act_in_the_trail(dsn: str, outsider: Connection, tmp_path: Path) -> None:
    kid = await operating.rotate_token_key(dsn, tmp_path)
    assert TokenKeys(tmp_path).current.thumbprint() == kid
    entry = await outsider.fetchrow("select * from base.trail where operation = 'keys.rotate'")
    assert (entry["kind"], entry["user_id"]) == ("write", None)
    assert kid in entry["detail"]
