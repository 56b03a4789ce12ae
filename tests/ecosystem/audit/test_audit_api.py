"""The log as programs and people meet it: heads and proofs by the API, and who looked at a citizen on their page."""

import asyncio
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientSession
from joserfc.jwk import ECKey

from tests.cast import ANNA, BO, Cast
from tests.served import Api
from torv.base import signing
from torv.base.ids import new_id
from torv.ecosystem.audit.tree import is_consistent, is_included

AUDIT = "/api/v1/audit"


async def sealed_head(api: Api, size: int = 1) -> dict[str, Any]:
    """The newest head, once it covers so many entries."""
    async with asyncio.timeout(15):
        while True:
            reply = await api.get(f"{AUDIT}/heads/latest", by=ANNA)
            if reply.status == 200 and reply.json["size"] >= size:
                return reply.json
            await asyncio.sleep(0.1)


async def numbered_entry(api: Api, operation: str, **search: str) -> dict[str, Any]:
    """The entry of an operation that a search finds, once it has its place in the log."""
    async with asyncio.timeout(15):
        while True:
            found = (await api.post(f"{AUDIT}/search", search, by=ANNA)).json["items"]
            entry: dict[str, Any] = next(each for each in found if each["operation"] == operation)
            if entry["position"] is not None:
                return entry
            await asyncio.sleep(0.1)


@pytest.fixture
def quick_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torv.ecosystem.audit.keeping.HEAD_EVERY", 0.3)
    monkeypatch.setattr("torv.ecosystem.audit.keeping.LOOK_EVERY", 0.1)


@pytest.mark.usefixtures("quick_heads", "worker")
async def test_a_stranger_with_the_public_key_alone_verifies_a_head_and_an_entry(api: Api, cast: Cast) -> None:
    await api.get(f"/api/v1/persons/{cast.bjorn.id}", by=ANNA)
    head = await sealed_head(api)
    [jwk] = (await api.get("/.well-known/torv-audit-keys.json")).json["keys"]
    said = signing.verify(head["jws"], ECKey.import_key(jwk))
    assert said == {name: head[name] for name in ("log", "size", "root", "breaks")} | {
        "format": "torv-audit-head/1", "at": said["at"]
    }  # fmt: skip
    entry = await numbered_entry(api, "persons.read", person=str(cast.bjorn.id), user=str(cast.users[ANNA].id))
    head = await sealed_head(api, entry["position"])
    proof = (await api.post(f"{AUDIT}/proofs/inclusion", {"entry": entry["id"], "size": head["size"]}, by=ANNA)).json
    path = [bytes.fromhex(each) for each in proof["path"]]
    leaf, root = bytes.fromhex(proof["leaf"]), bytes.fromhex(head["root"])
    assert proof["position"] == entry["position"]
    assert is_included(leaf, proof["position"] - 1, proof["size"], path, root)


@pytest.mark.usefixtures("quick_heads", "worker")
async def test_between_any_two_heads_there_is_a_proof_of_consistency(api: Api) -> None:
    first = await sealed_head(api)
    second = await sealed_head(api, first["size"] + 1)
    heads = (await api.get(f"{AUDIT}/heads?limit=1", by=ANNA)).json
    assert heads["next"] is not None
    sizes = {"earlier": first["size"], "later": second["size"]}
    proof = (await api.post(f"{AUDIT}/proofs/consistency", sizes, by=ANNA)).json
    earlier, later = (bytes.fromhex(each["root"]) for each in (first, second))
    path = [bytes.fromhex(each) for each in proof["path"]]
    assert is_consistent(first["size"], second["size"], earlier, later, path)


async def test_68_a_proof_of_what_is_not_there_is_refused(api: Api) -> None:
    assert (await api.get(f"{AUDIT}/heads/latest", by=ANNA)).code == (409, "not_yet_sealed")
    for content, code in (
        ({"entry": str(new_id())}, (404, "not_found")),
        ({"position": 5}, (422, "position_unknown")),
        ({"position": 5, "size": 10**9}, (422, "position_unknown")),
        ({}, (422, "invalid_input")),
        ({"position": 1, "entry": str(new_id())}, (422, "invalid_input")),
        ({"position": 0}, (422, "invalid_input")),
    ):
        assert (await api.post(f"{AUDIT}/proofs/inclusion", content, by=ANNA)).code == code
    for earlier, later in ((2, 1), (1, 10**9)):
        sizes = {"earlier": earlier, "later": later}
        assert (await api.post(f"{AUDIT}/proofs/consistency", sizes, by=ANNA)).code == (422, "position_unknown")


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/search", {}), ("/looks", {"person": str(new_id())}), ("/proofs/inclusion", {"position": 1}),
        ("/proofs/consistency", {"earlier": 1, "later": 1}),
    ],
)  # fmt: skip
async def test_the_log_is_closed_to_whom_nothing_permits_it(api: Api, path: str, content: dict[str, Any]) -> None:
    assert (await api.post(AUDIT + path, content, by="borgerblik")).status == 403
    assert (await api.post(AUDIT + path, content)).code == (401, "not_identified")


async def test_the_search_is_paged_by_a_cursor_of_its_own(api: Api, cast: Cast) -> None:
    for _ in range(3):
        await api.get(f"/api/v1/persons/{cast.alma.id}", by=ANNA)
    sought = {"person": str(cast.alma.id), "user": str(cast.users[ANNA].id)}
    first = (await api.post(f"{AUDIT}/search?limit=2", sought, by=ANNA)).json
    second = (await api.post(f"{AUDIT}/search?limit=2&cursor={first['next']}", sought, by=ANNA)).json
    ids = [each["id"] for page in (first, second) for each in page["items"]]
    assert len(ids) == len(set(ids)) >= 3
    other = await api.post(f"{AUDIT}/search?limit=2&cursor={first['next']}", {}, by=ANNA)
    assert other.code == (400, "cursor_invalid")


@pytest.mark.parametrize("purpose", ["a\nb", "\x1b[31mrød", "<script>", "0101010101", "' or 1=1 --", "%"])
async def test_69_what_somebody_writes_reaches_no_entry(
    api: Api, outsider: asyncpg.Connection, cast: Cast, purpose: str
) -> None:
    await api.token(ANNA)
    before = await outsider.fetchval("select max(seq) from base.trail")
    reply = await api.post(f"{AUDIT}/search?x=0101010101", {"purpose": purpose}, by=ANNA, User_Agent="0101010101")
    assert reply.status == 200
    rows = await outsider.fetch("select record from audit.v_records where seq > $1", before)
    assert len(rows) == 1
    assert "0101010101" not in rows[0]["record"]
    assert "purpose" in rows[0]["record"]
    assert purpose not in rows[0]["record"]


# ---- the page --------------------------------------------------------------------------------------------------------
async def test_the_page_tells_in_danish_who_looked_and_why(
    api: Api, anna: ClientSession, outsider: asyncpg.Connection, cast: Cast
) -> None:
    for _ in range(2):
        await api.get(f"/api/v1/persons/{cast.bjorn.id}", by=BO)
    await api.get(f"/api/v1/persons/{cast.bjorn.id}", by="borgerblik")
    async with anna.get(f"/persons/{cast.bjorn.id}") as page:
        text = await page.text()
        assert "Hvem har set oplysningerne?" in text
        assert "Bo Lind" not in text  # only who asks is told, because that is logged by itself
    async with anna.get(f"/persons/{cast.bjorn.id}/looks") as page:
        text = await page.text()
    rows = [" ".join(each.split()) for each in text.split("<tr>")]
    [bo] = [each for each in rows if "Bo Lind" in each]
    assert "så stamoplysninger" in bo
    assert "i rollen" in bo
    assert "<td>2</td>" in bo
    [module] = [each for each in rows if "borgerblik" in each]
    assert "Borgerblik ApS" in module
    purpose = await outsider.fetchval(
        "select purpose from base.trail where release_id is not null and subjects <> '{}'"
    )
    assert f"<td>{purpose}</td>" in module
    looked = await outsider.fetchval(
        "select count(*) from base.trail where operation = 'audit.read_looks' and subjects = $1", [cast.bjorn.id]
    )
    assert looked == 1


async def test_69_what_stands_in_an_entry_is_shown_as_text(
    anna: ClientSession, outsider: asyncpg.Connection, cast: Cast
) -> None:
    await outsider.execute(
        """insert into base.trail (id, at, kind, operation, subjects, result, purpose, user_id)
           values (gen_random_uuid(), now(), 'read', '<b>x', $1, 'permitted', '<script>alert(1)</script>', $2)""",
        [cast.bjorn.id], cast.users[BO].id,
    )  # fmt: skip
    async with anna.get(f"/persons/{cast.bjorn.id}/looks") as page:
        text = await page.text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script>alert" not in text


async def test_who_may_read_a_citizen_and_not_the_log_is_not_shown_it(api: Api, cast: Cast) -> None:
    base, secret = "/api/v1/identity", "det er en god dag i dag"
    user = (await api.post(f"{base}/users", {"login": "clara", "name": "Clara", "password": secret}, by=ANNA)).json
    content = {"name": "Læser", "permits": {"persons": ["read"]}, "categories": ["person"]}
    role = (await api.post(f"{base}/roles", content, by=ANNA)).json
    await api.post(f"{base}/users/{user['id']}/assignments", {"role_id": role["id"]}, by=ANNA)
    token = (await api.post(f"{base}/sessions", {"login": "clara", "password": secret})).json["token"]
    clara = {"Authorization": f"Bearer {token}", "Accept": "text/html"}
    page = await api.get(f"/persons/{cast.bjorn.id}", **clara)
    assert page.status == 200
    assert "Hvem har set oplysningerne" not in page.body.decode()
    assert (await api.get(f"/persons/{cast.bjorn.id}/looks", **clara)).status == 403
