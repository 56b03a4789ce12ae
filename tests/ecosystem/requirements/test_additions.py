"""What a profile adds to a contract is real: it is routed, granted, mirrored and replayed as the contract's own is."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from asyncpg import Connection

from tests.cast import ANNA, BORGERBLIK, KVIK, NORDLYS, Cast, content_of, enter_agreement
from tests.ecosystem.demanding import ADDING, profile, report, signed
from tests.ecosystem.programs import program
from tests.served import Api, run_worker
from torv.base.db import Database
from torv.base.settings import Settings
from torv.base.signing import Keys

SET = profile(ADDING).requirement_set
INTERFACE = "/api/v1/requirements/interfaces/notes/v1"
ADDED = {"count_notes": SET, "strike_note": SET}


@dataclass(kw_only=True, slots=True)
class Town:
    """Notes with Nordnote as it always was, and Kvik's release that has more; both run."""

    api: Api
    cast: Cast
    database: Database
    keys: Keys
    outsider: Connection

    @property
    def count(self) -> str:
        return f"/c/notes/v1/notes/count?person_id={self.cast.bjorn.id}"

    async def agree(self, *contents: dict[str, Any]) -> None:
        async with self.database.transaction() as tx:
            for content in contents:
                await enter_agreement(tx, self.cast, content, self.keys)

    async def propose(self, text: str = ADDING) -> None:
        reply = await self.api.post("/api/v1/requirements/proposals", {"profile": text}, by=ANNA)
        assert reply.status == 201, reply.body

    async def certify(self, module: str, *failing: str, text: str = ADDING) -> None:
        content = signed(report(self.cast, module, text=text, failing=failing), self.cast.partner_keys[module])
        reply = await self.api.post(f"/api/v1/releases/{self.cast.releases[module]}/certifications", content)
        assert reply.status == 201, reply.body

    async def move(self, module: str) -> str:
        """Move notes to a module; gives the move."""
        wanted = {"capability": "notes", "to_release": str(self.cast.releases[module])}
        planned = str((await self.api.post("/api/v1/moves", wanted, by=ANNA)).json["id"])
        await self.reach(planned, "watching")
        return planned

    async def move_back(self, moved: str) -> None:
        assert (await self.api.post(f"/api/v1/moves/{moved}/rollback", by=ANNA)).status == 201
        await self.reach(moved, "rolled_back")

    async def reach(self, planned: str, state: str) -> None:
        """Wait until a move stands so, with somebody reading all along."""
        async with asyncio.timeout(90):
            while (moved := (await self.api.get(f"/api/v1/moves/{planned}", by=ANNA)).json)["state"] != state:
                assert moved["state"] != "aborted", moved["steps"][-1]
                await self.api.get(f"/c/notes/v1/notes?person_id={self.cast.bjorn.id}", by="borgerblik")
                await asyncio.sleep(0.1)

    async def until(self, path: str, code: object, by: str = ANNA) -> None:
        """Wait until a question is answered so: what was decided has come to every process."""
        async with asyncio.timeout(30):
            while (reply := await self.api.get(path, by=by)).status != code and reply.json.get("code") != code:
                await asyncio.sleep(0.05)

    async def added(self) -> dict[str, str]:
        """Operation -> the set that adds it."""
        operations = (await self.api.get(INTERFACE)).json["operations"]
        return {each["id"]: each["requirement_set"] for each in operations if each["requirement_set"]}


@pytest.fixture
async def notes(
    api: Api, cast: Cast, database: Database, keys: Keys, outsider: Connection, settings: Settings, dsn: str,
    tmp_path: Path,
) -> AsyncIterator[Town]:  # fmt: skip
    old, new = (cast.releases[each] for each in ("nordnote", "kviknote"))
    made = Town(api=api, cast=cast, database=database, keys=keys, outsider=outsider)
    async with (
        run_worker(replace(settings, port=int(api.url.rpartition(":")[2])), dsn),
        program(api, old, cast.release_keys["nordnote"], tmp_path, "") as ours,
        program(api, new, cast.release_keys["kviknote"], tmp_path, "counting") as theirs,
    ):
        for url, release in ((ours, old), (theirs, new)):
            await outsider.execute("update modules.releases set url = $1 where id = $2", url, release)
        await outsider.execute("update base.generation set number = number + 1")
        await made.until(f"/c/notes/v1/notes?person_id={cast.bjorn.id}", 200, by="borgerblik")
        yield made


async def test_what_a_profile_adds_is_asked_of_the_release_that_promises_and_keeps_it(notes: Town) -> None:
    api = notes.api
    assert (await api.get(notes.count, by=ANNA)).code == (404, "not_found")
    await notes.propose()
    await notes.until(notes.count, "operation_not_provided")
    assert (await api.get(notes.count, by="borgerblik")).code == (403, "denied")  # no grant names it
    assert (await api.get(notes.count)).code == (401, "not_identified")
    assert await notes.added() == {}

    more = (("notes", ("count_notes", "strike_note"), ("notes",)),)
    await notes.agree(
        content_of(replace(BORGERBLIK, grants=more)), content_of(KVIK, requirement_set=SET),
        content_of(NORDLYS, requirement_set=SET),
    )  # fmt: skip
    await notes.certify("kviknote")
    await notes.until(
        notes.count, "operation_not_provided", by="borgerblik"
    )  # Nordnote has promised, and is not certified
    asked = (
        "select count(*) from base.trail where operation = 'notes.count_notes' and result = 'operation_not_provided'"
    )
    async with asyncio.timeout(10):
        while not await notes.outsider.fetchval(asked):
            await asyncio.sleep(0.05)

    written = (await api.write_note("Alt var vel.", key="first")).json
    moved = await notes.move("kviknote")
    await notes.until(notes.count, 200, by="borgerblik")
    assert (await api.get(notes.count, by="borgerblik")).json == {"count": 1}
    assert await notes.added() == ADDED

    place = f"/c/notes/v1/notes/{written['id']}/strike"
    assert (await api.post(place, {}, by="borgerblik")).code == (400, "idempotency_key_required")
    struck = [await api.post(place, {}, by="borgerblik", Idempotency_Key="once") for _ in range(2)]
    assert [(each.status, each.json["struck"], each.json["version"]) for each in struck] == [(200, True, 2)] * 2

    await notes.move_back(moved)
    await notes.until(notes.count, "operation_not_provided", by="borgerblik")
    assert await notes.added() == {}


async def test_an_operation_is_gone_when_no_agreement_promises_it_any_longer(notes: Town) -> None:
    await notes.propose()
    await notes.certify("kviknote")
    await notes.move("kviknote")
    await notes.until(notes.count, "operation_not_provided")  # certified, and not promised
    assert await notes.added() == {}
    await notes.agree(content_of(KVIK, requirement_set=SET))
    await notes.until(notes.count, 200)
    assert await notes.added() == ADDED
    await mirror_to(notes, "nordnote")
    await notes.certify("kviknote", "count_notes")  # what was certified earlier counts no longer
    await notes.until(notes.count, "operation_not_provided")
    assert await notes.added() == {}


async def mirror_to(notes: Town, module: str) -> None:
    """Let a candidate get copies of safe calls; of an operation that it lacks it gets none."""
    candidate = "update modules.bindings set shadow_release_id = $1 where capability = 'notes'"
    await notes.outsider.execute(candidate, notes.cast.releases[module])
    await notes.outsider.execute("update base.generation set number = number + 1")
    mirrored = "select array_agg(distinct operation) from base.trail where result = 'mirrored' and seq > $1"
    before = await notes.outsider.fetchval("select max(seq) from base.trail")
    async with asyncio.timeout(60):
        while not await notes.outsider.fetchval(mirrored, before):
            assert (await notes.api.get(notes.count, by=ANNA)).status == 200
            await notes.api.get(f"/c/notes/v1/notes?person_id={notes.cast.bjorn.id}", by=ANNA)
            await asyncio.sleep(0.1)
    assert await notes.outsider.fetchval(mirrored, before) == ["notes.list_notes"]


async def test_a_field_that_is_promised_must_stand_in_every_record(notes: Town) -> None:
    await notes.propose()
    await notes.agree(content_of(KVIK, requirement_set=SET), content_of(NORDLYS, requirement_set=SET))
    await notes.certify("kviknote")
    records, bare = "/api/v1/records", notes.api.note()
    before = await notes.api.post(records, bare, by="nordnote", Idempotency_Key="before")
    assert before.status == 201, before.body  # Nordnote was not certified: what served goes on serving
    await notes.move("kviknote")
    late = await notes.api.post(records, notes.api.note("For sent."), by="nordnote", Idempotency_Key="late")
    assert late.code == (409, "binding_moved")
    async with asyncio.timeout(30):
        while (refused := await notes.api.post(records, bare, by="kviknote", Idempotency_Key="bare")).status == 503:
            await asyncio.sleep(0.05)
    assert refused.code == (422, "record_invalid")
    assert "required author" in refused.json["title"]
    for author, status in (("", 422), ("Kirsten", 201)):
        content = bare | {"body": {"text": "Alt var vel.", "author": author}}
        assert (await notes.api.post(records, content, by="kviknote", Idempotency_Key=f"by {author}")).status == status


SHOWING = (
    ADDING[: ADDING.index("operations:")]
    + """\
fields:
  - {id: seen_shown, da: Et notat siger hvornår det blev set, en: A note says whether it was seen, answer: list_notes,
     at: "/notes/*", name: seen, schema: {type: boolean}}
"""
)


async def test_a_field_that_is_promised_must_stand_in_every_answer(notes: Town) -> None:
    """The certification said so; the module in service does otherwise, and each call that shows it fails by name."""
    api, path = notes.api, f"/c/notes/v1/notes?person_id={notes.cast.bjorn.id}&limit=200"
    await notes.propose(SHOWING)
    await notes.agree(content_of(NORDLYS, requirement_set=profile(SHOWING).requirement_set))
    await notes.certify("nordnote", text=SHOWING)
    await notes.until(INTERFACE, 200)
    assert (await api.get(path, by="borgerblik")).json == {"notes": []}  # in no entry there is none missing
    for number in range(80):  # together more than what is passed on as it comes
        await api.write_note("Alt var vel. " * 300, key=str(number))
    await notes.until(path, "module_answer_invalid")
    refused = [await api.get(path, by=ANNA) for _ in range(8)]  # more than a breaker bears
    assert {(each.status, each.json["code"], each.json["fault"]) for each in refused} == {
        (502, "module_answer_invalid", "module")
    }
    assert "kravet seen_shown" in refused[0].json["title"]
    assert refused[0].json["provider"]["module"] == "nordnote"
    assert (await api.write_note("Den svarer stadig.", key="still")).status == 201
    logged = "select count(*), count(detail -> 'agreement') from base.trail where result = 'module_answer_invalid'"
    assert (await notes.outsider.fetchrow(logged))[0] >= 8
    await notes.certify("nordnote", "seen_shown", text=SHOWING)  # found out: it is asked for no more
    await notes.until(path, 200)


async def test_the_interface_is_the_contract_where_nothing_is_added(api: Api, cast: Cast) -> None:
    shown = (await api.get(INTERFACE)).json
    assert [each["id"] for each in shown["operations"]] == ["write_note", "list_notes"]
    assert (shown["requirement_sets"], shown["fields"]) == ([], [])
    assert set(shown["openapi"]["paths"]) == {"/notes"}
    assert (await api.get(INTERFACE.replace("notes", "nothing"))).status == 404
