"""Keys of partners: sent under a one-time code, counting only when the fingerprint is confirmed, and ended for good."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asyncpg import Connection
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, RSAKey

from tests.cast import ANNA, Cast
from tests.served import Api, Reply
from torv.base import signing
from torv.base.db import Database
from torv.base.errors import InvalidInput
from torv.ecosystem.partners import keys_at, partner_keys
from torv.ecosystem.partners.rules import make_code, normal_code, shown
from torv_sdk.client import enrol
from torv_sdk.keys import fingerprint, prove_key
from torv_sdk.problems import KernelRefusal

PARTNERS = "/api/v1/partners"
ENROLMENTS = f"{PARTNERS}/enrolments"


class Nordlys:
    """Nordlys Omsorg, who wants another key into use."""

    def __init__(self, api: Api, cast: Cast) -> None:
        self.api, self.key, self.id = api, ECKey.generate_key("P-256"), cast.partners["nordnote"]
        self.place = f"{PARTNERS}/{self.id}"

    async def code(self) -> str:
        reply = await self.api.post(f"{self.place}/codes", by=ANNA)
        assert reply.status == 201, reply.body
        return str(reply.json["code"])

    async def send(self, code: str, key: ECKey | None = None, **changes: Any) -> Reply:
        key = key or self.key
        content = {"code": code, "jwk": signing.public(key), "proof": prove_key(key, code)}
        return await self.api.post(ENROLMENTS, content | changes)

    async def confirm(self, by: str = ANNA, **more: Any) -> Reply:
        content = {"fingerprint": fingerprint(self.key)} | more
        return await self.api.post(f"{self.place}/keys/{self.key.thumbprint()}/confirmation", content, by=by)

    async def end(self) -> Reply:
        return await self.api.post(f"{self.place}/keys/{self.key.thumbprint()}/end", by=ANNA)

    async def state(self) -> str:
        keys = (await self.api.get(f"{self.place}/keys", by=ANNA)).json
        [found] = [key for key in keys if key["kid"] == self.key.thumbprint()]
        return str(found["state"])


@pytest.fixture
def nordlys(api: Api, cast: Cast) -> Nordlys:
    return Nordlys(api, cast)


async def counting(database: Database, partner_id: Any, at: datetime | None = None) -> set[str]:
    async with database.reading() as tx:
        found = await (partner_keys(tx, partner_id) if at is None else keys_at(tx, partner_id, at))
    return {key.kid for key in found}


# ---- the whole way ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("curve", ["P-256", "P-384"])
async def test_a_key_counts_when_its_fingerprint_is_confirmed_and_not_before(
    nordlys: Nordlys, database: Database, curve: str
) -> None:
    nordlys.key = ECKey.generate_key(curve)
    kid = nordlys.key.thumbprint()
    taken = await nordlys.send(await nordlys.code())
    assert taken.status == 201
    assert taken.json == {
        "partner": "Nordlys Omsorg ApS", "kid": kid, "fingerprint": fingerprint(nordlys.key), "state": "pending",
    }  # fmt: skip
    assert kid not in await counting(database, nordlys.id)
    confirmed = await nordlys.confirm()
    assert (confirmed.status, confirmed.json["state"]) == (200, "active")
    assert kid in await counting(database, nordlys.id)


async def test_the_suppliers_own_program_takes_the_same_way(nordlys: Nordlys) -> None:
    await enrol(nordlys.api.url, nordlys.key, await nordlys.code())
    assert (await nordlys.confirm()).status == 200
    with pytest.raises(KernelRefusal) as refused:
        await enrol(nordlys.api.url, ECKey.generate_key("P-256"), "7K3M-9QXT-4HD2-VB8N-RC5W-1YZE")
    assert refused.value.code == "enrolment_refused"


async def test_each_step_leaves_one_entry(nordlys: Nordlys, outsider: Connection) -> None:
    await nordlys.send(await nordlys.code())
    await nordlys.confirm()
    await nordlys.end()
    entries = await outsider.fetch(
        "select operation, user_id from base.trail where detail->>'partner' = $1 and at > now() - interval '1 minute'"
        " and request_id is not null order by at desc limit 4", str(nordlys.id),
    )  # fmt: skip
    steps = [each["operation"].partition(".")[2] for each in reversed(entries)]
    assert steps == ["issue_code", "take_key", "confirm_key", "end_key"]
    assert [each["user_id"] is None for each in reversed(entries)] == [False, True, False, False]


# ---- the code --------------------------------------------------------------------------------------------------------
async def test_a_code_counts_once_also_at_the_same_moment(nordlys: Nordlys, outsider: Connection) -> None:
    code = await nordlys.code()
    keys = [ECKey.generate_key("P-256") for _ in range(6)]
    replies = await asyncio.gather(*(nordlys.send(code, key) for key in keys))
    assert sorted(reply.status for reply in replies) == [201] + [401] * 5
    assert {reply.json["code"] for reply in replies if reply.status == 401} == {"enrolment_refused"}
    assert await outsider.fetchval("select count(*) from partners.keys where confirmed_at is null") == 1


async def test_a_code_ends_after_48_hours_and_when_another_takes_its_place(
    nordlys: Nordlys, outsider: Connection
) -> None:
    first, second = await nordlys.code(), await nordlys.code()
    assert (await nordlys.send(first)).code == (401, "enrolment_refused")
    left = "select expires_at - now() from partners.codes where ended_at is null and used_at is null"
    assert timedelta(hours=47) < await outsider.fetchval(left) <= timedelta(hours=48)
    await outsider.execute("update partners.codes set expires_at = now() where used_at is null")
    assert (await nordlys.send(second)).code == (401, "enrolment_refused")


async def test_a_code_may_be_typed_as_people_type(nordlys: Nordlys) -> None:
    code = (await nordlys.code()).lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert (await nordlys.send(code)).status == 201


async def test_a_guess_at_the_second_half_ends_the_code_after_five(nordlys: Nordlys) -> None:
    code = await nordlys.code()
    wrong = code[:10] + ("Z" if code[10] != "Z" else "Y") + code[11:]
    for _ in range(5):
        assert (await nordlys.send(wrong)).code == (401, "enrolment_refused")
    assert (await nordlys.send(code)).code == (401, "enrolment_refused")


async def test_who_keeps_guessing_waits_and_the_guesses_do_not_pile_up(nordlys: Nordlys, outsider: Connection) -> None:
    code = await nordlys.code()
    for _ in range(20):
        assert (await nordlys.send(shown(make_code()))).code == (401, "enrolment_refused")
    for _ in range(3):
        reply = await nordlys.send(code)
        assert reply.code == (429, "enrolment_throttled")
        assert reply.headers["retry-after"] == "900"
    assert await outsider.fetchval("select count(*) from partners.attempts") == 20
    await outsider.execute("update partners.attempts set at = at - interval '16 minutes'")
    assert (await nordlys.send(code)).status == 201
    assert await outsider.fetchval("select count(*) from partners.attempts") == 0


async def test_many_guesses_at_once_count_as_many(nordlys: Nordlys) -> None:
    replies = await asyncio.gather(*(nordlys.send(shown(make_code())) for _ in range(30)))
    assert sum(reply.status == 401 for reply in replies) == 20


async def test_a_code_is_kept_nowhere(nordlys: Nordlys, outsider: Connection) -> None:
    reply = await nordlys.api.post(f"{nordlys.place}/codes", by=ANNA, Idempotency_Key="the same")
    code = reply.json["code"]
    secret = code.replace("-", "")[8:]
    tables = await outsider.fetch(
        "select format('%I.%I', table_schema, table_name) as name from information_schema.tables"
        " where table_schema in ('base', 'partners') and table_type = 'BASE TABLE'"
    )
    for table in tables:
        rows = await outsider.fetch(f"select t::text as row from {table['name']} t")
        for row in rows:
            assert secret not in row["row"].replace("-", "")
            assert secret.encode().hex() not in row["row"]


@pytest.mark.parametrize("code", ["", "7K3M", "x" * 24, "æ" * 24, "7K3M-9QXT-4HD2-VB8N-RC5W-1YZE-1", "\x00" * 24])
async def test_what_is_no_code_is_refused(nordlys: Nordlys, code: str) -> None:
    assert (await nordlys.send(code)).code == (401, "enrolment_refused")


@given(st.text(max_size=40))
def test_a_code_is_read_in_one_form_or_not_at_all(text: str) -> None:
    code = normal_code(text)
    assert code is None or normal_code(shown(code)) == code


def test_codes_do_not_repeat() -> None:
    codes = {make_code() for _ in range(500)}
    assert len({code[:8] for code in codes}) == 500
    assert all(normal_code(shown(code)) == code for code in codes)


# ---- the proof and the key -------------------------------------------------------------------------------------------
def _bad_keys() -> dict[str, dict[str, Any]]:
    good = signing.public(ECKey.generate_key("P-256"))
    return {
        "private": ECKey.generate_key("P-256").as_dict(private=True),
        "P-521": ECKey.generate_key("P-521").as_dict(private=False),
        "secp256k1": ECKey.generate_key("secp256k1").as_dict(private=False),
        "RSA": RSAKey.generate_key(2048).as_dict(private=False),
        "symmetric": OctKey.generate_key(256).as_dict(private=True),
        "off the curve": {**good, "x": good["y"], "y": good["x"]},
        "another curve's name": {**good, "crv": "P-384"},
        "no y": {name: value for name, value in good.items() if name != "y"},
        "not base64": {**good, "x": "!!"},
        "numbers": {**good, "x": 7},
        "a list for a curve": {**good, "crv": ["P-256"]},
        "empty": {},
    }


@pytest.mark.parametrize("jwk", [pytest.param(jwk, id=name) for name, jwk in _bad_keys().items()])
async def test_only_public_keys_on_two_curves_are_taken(nordlys: Nordlys, jwk: dict[str, Any]) -> None:
    reply = await nordlys.send(await nordlys.code(), jwk=jwk)
    assert reply.code == (422, "invalid_input")
    assert str(jwk.get("d", "(none)")) not in reply.body.decode()


def proofs_of_something_else(key: ECKey, code: str) -> dict[str, str]:
    right = {"type": "enrol", "code": code, "thumbprint": key.thumbprint()}
    other = ECKey.generate_key("P-256")
    return {
        "another code": signing.sign(right | {"code": "another"}, key),
        "another key's name": signing.sign(right | {"thumbprint": other.thumbprint()}, key),
        "another kind of statement": signing.sign(right | {"type": "accept"}, key),
        "more than asked": signing.sign(right | {"hash": "0"}, key),
        "made with another key": signing.sign(right, other),
        "no proof": "",
        "nonsense": "a.b.c",
    }


@pytest.mark.parametrize("name", proofs_of_something_else(ECKey.generate_key("P-256"), "x"))
async def test_a_key_comes_with_a_proof_of_its_private_half(nordlys: Nordlys, name: str) -> None:
    code = await nordlys.code()
    reply = await nordlys.send(code, proof=proofs_of_something_else(nordlys.key, code)[name])
    assert reply.code == (422, "signature_invalid")
    assert (await nordlys.send(code)).status == 201  # and the code is not used up by it


async def test_a_key_is_known_by_its_thumbprint_whatever_else_it_says(nordlys: Nordlys) -> None:
    jwk = signing.public(nordlys.key) | {"kid": "something else", "use": "enc", "x5c": ["..."]}
    reply = await nordlys.send(await nordlys.code(), jwk=jwk)
    assert reply.json["kid"] == nordlys.key.thumbprint()
    keys = (await nordlys.api.get(f"{nordlys.place}/keys", by=ANNA)).json
    assert all("x5c" not in key["jwk"] for key in keys)


async def test_nobody_signs_with_somebody_elses_key_nor_again_with_one_that_has_ended(
    nordlys: Nordlys, cast: Cast
) -> None:
    code = await nordlys.code()
    assert (await nordlys.send(code, cast.partner_keys["kviknote"])).code == (409, "already_exists")
    assert (await nordlys.send(code)).status == 201
    assert (await nordlys.end()).status == 200
    assert (await nordlys.send(await nordlys.code())).code == (409, "already_exists")


# ---- the fingerprint and the life of a key ---------------------------------------------------------------------------
async def test_another_fingerprint_leaves_the_key_waiting(nordlys: Nordlys, database: Database) -> None:
    await nordlys.send(await nordlys.code())
    for text in (fingerprint(ECKey.generate_key("P-256")), "", fingerprint(nordlys.key)[:-1], "æ"):
        assert (await nordlys.confirm(fingerprint=text)).code == (422, "fingerprint_differs")
    assert await nordlys.state() == "pending"
    assert nordlys.key.thumbprint() not in await counting(database, nordlys.id)


async def test_a_fingerprint_may_be_typed_as_people_type(nordlys: Nordlys) -> None:
    await nordlys.send(await nordlys.code())
    typed = fingerprint(nordlys.key).lower().replace(" ", "-")
    assert (await nordlys.confirm(fingerprint=typed)).status == 200


async def test_a_key_is_confirmed_once_and_never_after_its_end(nordlys: Nordlys) -> None:
    await nordlys.send(await nordlys.code())
    assert (await nordlys.confirm()).status == 200
    assert (await nordlys.confirm()).code == (409, "wrong_state")
    assert (await nordlys.end()).json["state"] == "ended"
    assert (await nordlys.confirm()).code == (409, "wrong_state")
    assert (await nordlys.end()).code == (409, "wrong_state")


async def test_a_pending_key_can_be_refused(nordlys: Nordlys, database: Database) -> None:
    await nordlys.send(await nordlys.code())
    assert (await nordlys.end()).json["state"] == "ended"
    assert (await nordlys.confirm()).code == (409, "wrong_state")
    assert nordlys.key.thumbprint() not in await counting(database, nordlys.id)


async def test_a_key_holds_from_its_first_instant_up_to_its_last(nordlys: Nordlys, database: Database) -> None:
    await nordlys.send(await nordlys.code())
    now = datetime.now(UTC)
    first, last = now + timedelta(days=1), now + timedelta(days=2)
    reply = await nordlys.confirm(valid_from=first.isoformat(), valid_to=last.isoformat())
    assert reply.json["state"] == "waiting"
    instants = {now: False, first: True, last - timedelta(microseconds=1): True, last: False}
    for at, holds in instants.items():
        assert (nordlys.key.thumbprint() in await counting(database, nordlys.id, at)) == holds


async def test_a_key_cannot_be_made_valid_for_the_past(nordlys: Nordlys, database: Database) -> None:
    await nordlys.send(await nordlys.code())
    yesterday = datetime.now(UTC) - timedelta(days=1)
    assert (await nordlys.confirm(valid_from=yesterday.isoformat())).status == 200
    assert nordlys.key.thumbprint() not in await counting(database, nordlys.id, yesterday + timedelta(hours=1))
    assert nordlys.key.thumbprint() in await counting(database, nordlys.id)


async def test_a_period_without_an_instant_in_it_is_refused(nordlys: Nordlys) -> None:
    await nordlys.send(await nordlys.code())
    now = datetime.now(UTC)
    for valid_to in (now - timedelta(days=1), datetime(1900, 1, 1, tzinfo=UTC)):
        assert (await nordlys.confirm(valid_to=valid_to.isoformat())).code == (422, "invalid_input")
    assert (await nordlys.confirm(valid_to="2030-01-01T00:00:00")).code == (422, "invalid_input")  # of which zone?
    assert await nordlys.state() == "pending"


async def test_an_ended_key_stops_counting_at_once_and_still_verifies_what_was_before(
    nordlys: Nordlys, database: Database, outsider: Connection
) -> None:
    await nordlys.send(await nordlys.code())
    await nordlys.confirm()
    while_it_held, generation = (
        await outsider.fetchrow("select clock_timestamp(), number from base.generation")
    ).values()
    await nordlys.end()
    assert nordlys.key.thumbprint() not in await counting(database, nordlys.id)
    assert nordlys.key.thumbprint() in await counting(database, nordlys.id, while_it_held)
    assert await outsider.fetchval("select number from base.generation") == generation + 1


# ---- who may ---------------------------------------------------------------------------------------------------------
async def test_a_program_gives_itself_no_key(nordlys: Nordlys) -> None:
    assert (await nordlys.api.post(f"{nordlys.place}/codes", by="nordnote")).code == (403, "denied")
    await nordlys.send(await nordlys.code())
    assert (await nordlys.confirm(by="nordnote")).code == (403, "denied")


async def test_a_key_is_confirmed_for_its_own_partner_only(nordlys: Nordlys, cast: Cast) -> None:
    await nordlys.send(await nordlys.code())
    nordlys.place = f"{PARTNERS}/{cast.partners['kviknote']}"
    assert (await nordlys.confirm()).code == (404, "not_found")
    assert (await nordlys.end()).code == (404, "not_found")


async def test_an_unknown_partner_gets_no_code_and_has_no_keys(shared_api: Api, cast: Cast) -> None:
    place = f"{PARTNERS}/{cast.alma.id}"
    assert (await shared_api.post(f"{place}/codes", by=ANNA)).code == (404, "not_found")
    assert (await shared_api.get(f"{place}/keys", by=ANNA)).code == (404, "not_found")
    assert (await shared_api.post(f"{place}/keys/nonsense/end", by=ANNA)).code == (422, "invalid_input")


def test_a_readable_key_is_read() -> None:
    for curve in ("P-256", "P-384"):
        key = ECKey.generate_key(curve)
        assert signing.read_public_key(signing.public(key)).thumbprint() == key.thumbprint()
        assert signing.fingerprint(key) == fingerprint(key)
        with pytest.raises(InvalidInput):
            signing.read_public_key(key.as_dict(private=True))
