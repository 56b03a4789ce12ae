"""A partner gets what proves its own calls, verifies it alone, and learns nothing of anybody else's."""

import asyncio
import json
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from tests.cast import ANNA, KVIK, NORDLYS, PROVIDER, Cast, Part, content_of, enter_agreement
from tests.ecosystem.sealing import seal
from tests.served import Api
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.signing import Keys
from torv.base.trail import Entry
from torv.ecosystem.audit import check_bundle, trusting
from torv_sdk import verify_entry
from torv_sdk.cli import main

OWN = "/api/v1/audit/own"
READING = ("persons", ("read",), ("person",))
GRANT = ("audit", ("read_own",), ("own_trail",))


@pytest.fixture(autouse=True)
async def permitted(database: Database, cast: Cast, keys: Keys, outsider: asyncpg.Connection) -> None:
    """Nordlys and Kvik may read the entries of their own programs."""
    async with database.transaction() as tx:
        for part in (NORDLYS, KVIK):
            new = Part(cvr=part.cvr, name=part.name, module=part.module, grants=(*PROVIDER, READING, GRANT))
            await enter_agreement(tx, cast, content_of(new), keys)


async def bundle(api: Api, entry_id: UUID, by: str = "nordnote") -> list[str]:
    reply = await api.get(f"{OWN}/{entry_id}", by=by)
    assert reply.status == 200, reply.json
    lines: list[str] = reply.json["lines"]
    return lines


async def test_an_entry_of_its_own_is_given_with_all_that_proves_it(
    api: Api, database: Database, cast: Cast, keys: Keys
) -> None:
    one = await called(api, database, cast, keys, by="nordnote")
    lines = await bundle(api, one)
    proved = verify_entry(lines, [keys.heads.current.thumbprint()])
    assert proved.record is not None
    assert (proved.record["id"], proved.record["release_id"]) == (str(one), str(cast.releases["nordnote"]))
    assert check_bundle(lines, trusting(keys.heads.current)).holds  # Torv's own program reads it, too


async def called(api: Api, database: Database, cast: Cast, keys: Keys, *, by: str) -> UUID:
    """A module reads a person; gives the entry of that, sealed."""
    reply = await api.get(f"/api/v1/persons/{cast.bjorn.id}", by=by)
    assert reply.status == 200, reply.json
    await seal(database, keys)
    found = (await api.get(OWN, by=by)).json["items"]
    return UUID(next(each["id"] for each in found if each["operation"] == "persons.read"))


async def test_the_list_names_its_own_calls_alone_and_no_person(
    api: Api, database: Database, cast: Cast, keys: Keys
) -> None:
    await called(api, database, cast, keys, by="nordnote")
    await called(api, database, cast, keys, by="kviknote")
    await api.get(f"/api/v1/persons/{cast.bjorn.id}", by=ANNA)
    for module in ("nordnote", "kviknote"):
        reply = await api.get(OWN, by=module)
        assert {each["release_id"] for each in reply.json["items"]} == {str(cast.releases[module])}
        assert str(cast.bjorn.id).encode() not in reply.body
    pages, cursor = list[str](), ""
    while True:
        page = (await api.get(f"{OWN}?limit=1{cursor}", by="nordnote")).json
        pages += [each["id"] for each in page["items"]]
        if page["next"] is None or len(pages) > 4:
            break
        cursor = f"&cursor={page['next']}"
    assert len(set(pages)) == len(pages) > 2


async def test_anothers_entry_is_as_one_that_is_not_there(
    api: Api, database: Database, cast: Cast, keys: Keys, outsider: asyncpg.Connection
) -> None:
    theirs = await called(api, database, cast, keys, by="kviknote")
    await api.get(f"/api/v1/persons/{cast.bjorn.id}", by=ANNA)
    await seal(database, keys)
    users = await outsider.fetchval("select id from base.trail where operation = 'persons.read' and user_id notnull")
    answers = []
    for each in (theirs, users, new_id(), UUID(int=0), UUID(int=2**128 - 1)):
        reply = await api.get(f"{OWN}/{each}", by="nordnote")
        answers.append((reply.status, {**reply.json, "request_id": "", "instance": ""}, sorted(reply.headers)))
    assert answers[0][0] == 404
    assert all(each == answers[0] for each in answers)
    assert (await api.get(f"{OWN}/{theirs}", by=ANNA)).code in ((403, "denied"), (404, "not_found"))


async def test_a_stranger_gets_nothing(api: Api, database: Database, cast: Cast, keys: Keys) -> None:
    one = await called(api, database, cast, keys, by="nordnote")
    for path in (OWN, f"{OWN}/{one}"):
        assert (await api.get(path)).code == (401, "not_identified")


async def test_reading_one_stands_in_the_log_of_the_person(
    api: Api, database: Database, cast: Cast, keys: Keys, outsider: asyncpg.Connection
) -> None:
    one = await called(api, database, cast, keys, by="nordnote")
    await bundle(api, one)
    row = await outsider.fetchrow("select * from base.trail where operation = 'audit.read_own' and subjects <> '{}'")
    assert (row["subjects"], json.loads(row["detail"])) == ([cast.bjorn.id], {"entry": str(one)})
    assert row["agreement_id"] is not None


@pytest.mark.parametrize(("answered_by", "is_withheld"), [("kviknote", True), ("nordnote", False)])
async def test_who_answered_is_told_to_nobody_but_who_answered(
    api: Api, database: Database, cast: Cast, keys: Keys, answered_by: str, is_withheld: bool
) -> None:
    own, other = cast.releases["nordnote"], cast.releases[answered_by]
    detail = {"status": 200, "release": str(other)}
    one = Entry(kind="outcome", operation="notes.read", release_id=own, detail=detail)
    async with database.transaction() as tx:
        tx.notes.append(one)
    await seal(database, keys)
    [listed] = [each for each in (await api.get(OWN, by="nordnote")).json["items"] if each["id"] == str(one.id)]
    lines = await bundle(api, one.id)
    proved = verify_entry(lines, [keys.heads.current.thumbprint()])
    assert (listed["is_withheld"], proved.record is None) == (is_withheld, is_withheld)
    assert (str(other) in "".join(lines)) is not is_withheld


async def test_that_a_call_was_mirrored_is_not_the_callers_business(
    api: Api, database: Database, cast: Cast, keys: Keys
) -> None:
    one = Entry(kind="intent", operation="notes.read", release_id=cast.releases["nordnote"], result="mirrored")
    async with database.transaction() as tx:
        tx.notes.append(one)
    await seal(database, keys)
    assert str(one.id) not in {each["id"] for each in (await api.get(OWN, by="nordnote")).json["items"]}
    assert (await api.get(f"{OWN}/{one.id}", by="nordnote")).code == (404, "not_found")


async def test_what_no_head_covers_yet_is_to_be_asked_for_again(api: Api, cast: Cast) -> None:
    await api.get(f"/api/v1/persons/{cast.bjorn.id}", by="nordnote")
    [one, *_] = (await api.get(OWN, by="nordnote")).json["items"]
    assert (await api.get(f"{OWN}/{one['id']}", by="nordnote")).code == (409, "not_yet_sealed")


async def test_every_change_to_what_was_given_is_found(api: Api, database: Database, cast: Cast, keys: Keys) -> None:
    opening, line = await bundle(api, await called(api, database, cast, keys, by="nordnote"))
    kid, first, one = keys.heads.current.thumbprint(), json.loads(opening), json.loads(line)
    wrong: tuple[list[str], ...] = (
        [opening, json.dumps(one | {"record": one["record"].replace("persons.read", "persons.seen")})],
        [opening, json.dumps(one | {"salt": "00" * 16})],
        [opening, json.dumps(one | {"salt": one["salt"] + "7b"})],
        [opening, json.dumps(one | {"path": one["path"][:-1]})],
        [opening, json.dumps(one | {"position": one["position"] + 1})],
        [json.dumps(first | {"head": first["head"][:-4] + "AAAA"}), line],
        [json.dumps(first | {"log": str(new_id())}), line],
        [json.dumps(first | {"keys": []}), line],
        [json.dumps(first | {"keys": ["a.b.c -"]}), line],
        [opening], [], ["x", "y"], ["[]", "{}"],
    )  # fmt: skip
    for lines in wrong:
        with pytest.raises(ValueError, match=r"."):
            verify_entry(lines, [kid])
    with pytest.raises(ValueError, match="no key you trust"):
        verify_entry([opening, line], ["x" * 43])
    assert verify_entry([opening, line], [kid]).record is not None


async def test_at_a_terminal_proofs_are_saved_and_verified_with_no_network(
    api: Api, database: Database, cast: Cast, keys: Keys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = await called(api, database, cast, keys, by="nordnote")
    (key := tmp_path / "release.pem").write_bytes(cast.release_keys["nordnote"].as_pem(private=True))
    who = ["--url", api.url, "--key", str(key), "--client-id", str(cast.releases["nordnote"])]
    folder = tmp_path / "proofs"
    assert await asyncio.to_thread(main, ["mine", "entries", *who, "--save", str(folder)]) == 0
    assert "persons.read" in capsys.readouterr().out
    file = folder / f"{one}.jsonl"
    assert file.stat().st_mode & 0o777 == 0o600
    assert main(["verify-entry", str(file), "--fingerprint", keys.heads.current.thumbprint()]) == 0
    assert "Proved: entry" in capsys.readouterr().out
    assert main(["verify-entry", str(file), "--fingerprint", "x"]) == 1
