"""`torv-sdk mine` as a supplier at a terminal has it: by a release's own key, and nothing of anybody else's."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from asyncpg import Connection

from tests.cast import ANNA, KVIK, NORDLYS, Cast, Part, content_of, enter_agreement
from tests.ecosystem.demanding import ADDING, PROFILE, profile, report, signed
from tests.ecosystem.districts import enter_districts
from tests.ecosystem.following import permit_events, tell
from tests.ecosystem.measuring import so_far
from tests.served import Api
from torv.base import clock
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.signing import Keys
from torv.ecosystem.agreements import propose_agreement
from torv.ecosystem.agreements.rules import canonical
from torv.ecosystem.modules import move_binding, split_binding
from torv.ecosystem.service_levels import Month
from torv_sdk.cli import main

Mine = Callable[..., Awaitable[tuple[int, str, str]]]
LEVELS = [{"metric": "availability", "service": "notes", "target": 99.9}]


@pytest.fixture
def mine(api: Api, cast: Cast, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Mine:
    """Runs the command as a module's release; gives its status and what it prints."""

    async def run(what: str, *more: str, by: str = "kviknote") -> tuple[int, str, str]:
        key = tmp_path / f"{by}.pem"
        key.write_bytes(cast.release_keys[by].as_pem(private=True))
        identity = ["--url", api.url, "--key", str(key), "--client-id", str(cast.releases[by])]
        status = await asyncio.to_thread(main, ["mine", what, *identity, *more])
        return status, *capsys.readouterr()

    return run


async def propose(database: Database, cast: Cast, **changes: Any) -> dict[str, Any]:
    """An agreement with Kvik that nobody has signed."""
    content = content_of(KVIK, **changes)
    async with database.transaction() as tx:
        await propose_agreement(tx, cast.user("agreements.propose"), canonical(content))
    return content


async def test_a_supplier_sees_its_agreements_and_what_is_to_be_signed(
    mine: Mine, database: Database, cast: Cast
) -> None:
    proposed = await propose(database, cast, title="Kvik: ny\x1b[2J aftale")
    status, told, _ = await mine("agreements", "--json")
    listed = {each["id"]: each for each in json.loads(told)}
    assert (status, set(listed)) == (0, {proposed["id"], str(cast.agreements["kviknote"])})
    assert listed[proposed["id"]]["missing_signatures"] == [proposed["municipality"], KVIK.cvr]
    status, told, _ = await mine("agreements")
    assert [line for line in told.splitlines() if proposed["id"] in line and "proposed" in line and KVIK.cvr in line]
    assert "Mangler underskrift" in told
    assert "\x1b" not in told  # what a rival or a jester wrote moves nobody's cursor
    assert "Not signed by" in (await mine("agreements", "--language", "en"))[1]


async def test_even_who_has_nothing_in_force_sees_what_it_is_asked_to_sign(
    mine: Mine, database: Database, cast: Cast, outsider: Connection, api: Api
) -> None:
    proposed = await propose(database, cast)
    await outsider.execute("delete from agreements.signatures where agreement_id = $1", cast.agreements["kviknote"])
    await outsider.execute("update base.generation set number = number + 1")
    await asyncio.sleep(0.5)
    _, told, _ = await mine("agreements", "--json")
    assert {each["state"] for each in json.loads(told)} == {"proposed"}
    assert (await api.get(f"/api/v1/agreements/{proposed['id']}", by="kviknote")).json["content"] == proposed


async def test_nobody_sees_a_rivals_agreement(api: Api, cast: Cast) -> None:
    theirs = f"/api/v1/agreements/{cast.agreements['nordnote']}"
    for address in (theirs, f"{theirs}/file"):
        assert (await api.get(address, by="kviknote")).code == (404, "not_found")
        assert (await api.get(address, by="nordnote")).status == 200
    listed = (await api.get(f"/api/v1/agreements?partner={cast.partners['nordnote']}", by="kviknote")).json
    assert listed == {"items": [], "next": None}
    assert (await api.get(f"{theirs}/events", by="nordnote")).code == (403, "denied")  # names the municipality's people


async def test_the_levels_of_a_month_are_shown_line_by_line(
    mine: Mine, database: Database, cast: Cast, outsider: Connection, api: Api
) -> None:
    month = Month.of(clock.now())
    content = await propose(database, cast, service_levels=LEVELS)
    status, _, why = await mine("levels", "--month", str(month), "--agreement", content["id"])
    assert (status, why) == (1, "torv-sdk: Det findes ikke.\n")  # not signed: it promises nothing yet
    _, told, _ = await mine("levels", "--month", str(month))
    assert told.splitlines()[0].split() == [
        "Aftale", "Måned", "Udgave", "Ydelse", "Enheder", "Mål", "Lovet", "Målt", "Overholdt", "Bod", "%",
    ]  # fmt: skip
    for signer in (content["municipality"], KVIK.cvr):
        await outsider.execute(
            "insert into agreements.signatures (agreement_id, signer, jws, at) values ($1, $2, 'x', $3)", content["id"],
            signer, month.begins,
        )  # fmt: skip
    _, told, _ = await mine("levels", "--month", str(month))
    assert ">= 99.9 %" in told
    assert "Distrikt Nord" not in told
    nord = (await enter_districts(database, cast)).nord
    async with database.transaction() as tx:
        await split_binding(tx, "notes", nord)
        await move_binding(tx, "notes", cast.releases["kviknote"], unit_id=nord)
        tx.notes[-1] = replace(tx.notes[-1], at=month.begins)
    await so_far(database, UUID(content["id"]))
    _, told, _ = await mine("levels", "--month", str(month))
    assert "Distrikt Nord" in told
    _, told, _ = await mine("levels", "--month", str(month), "--json")
    assert [each["agreement_id"] for each in json.loads(told)] == [content["id"]]


async def test_a_release_sees_what_it_wrote_too_late_and_no_other(mine: Mine, api: Api, cast: Cast) -> None:
    await api.post(api.RECORDS, api.note(), by="kviknote", Idempotency_Key="for sent")
    _, told, _ = await mine("late")
    assert "for sent" in told
    _, told, _ = await mine("late", "--json")
    assert [each["release_id"] for each in json.loads(told)] == [str(cast.releases["kviknote"])]
    assert json.loads((await mine("late", "--json", by="nordnote"))[1]) == []


async def test_certifications_are_those_of_ones_own_releases(mine: Mine, cast: Cast, outsider: Connection) -> None:
    for module in ("kviknote", "nordnote"):
        await certify(outsider, cast, module)
    _, told, _ = await mine("certifications", "--json")
    assert [(each["module"], each["level"]) for each in json.loads(told)] == [("kviknote", "silver")]
    assert "kviknote 1.0.0" in (await mine("certifications"))[1]


async def certify(outsider: Connection, cast: Cast, module: str) -> None:
    """A certification, as the route keeps it."""
    await outsider.execute(
        "insert into modules.certifications (id, release_id, capability, major, contract_hash, level, certifier, kid,"
        " began_at, expires_at, demands, report, signature, hash) values ($1, $2, 'notes', 1, 'c', 'silver',"
        " 'supplier', 'k', now(), now() + interval '1 year', '[]', '{}', 's', $3)",
        new_id(), cast.releases[module], module,
    )  # fmt: skip


async def test_dead_letters_are_shown_to_whoever_the_events_were_for(
    mine: Mine, database: Database, cast: Cast, keys: Keys, outsider: Connection
) -> None:
    await bury_letter(outsider)
    for by in (
        "nordnote",
        "kviknote",
        "borgerblik",
    ):  # without a permit for events they are told of none, alive or dead
        assert json.loads((await mine("dead-letters", "--json", by=by))[1]) == []
    receiving = (*NORDLYS.grants, ("events", ("receive",), ("notes",)))  # and no grant to read dead letters
    for part in (NORDLYS, KVIK):
        new = Part(cvr=part.cvr, name=part.name, module=part.module, grants=receiving)
        async with database.transaction() as tx:
            await enter_agreement(tx, cast, content_of(new), keys)
    async with asyncio.timeout(20):
        while not (found := json.loads((await mine("dead-letters", "--json", by="nordnote"))[1])):
            await asyncio.sleep(0.05)
    assert [(each["type"], each["last_status"]) for each in found] == [("notes.note.written", 422)]
    assert json.loads((await mine("dead-letters", "--json"))[1]) == []  # Kvik provides nothing
    logged = "select grant_id from base.trail where (detail ->> 'dead_letters')::int = 1 order by seq desc limit 1"
    assert "events" in await outsider.fetchval(logged)


async def bury_letter(outsider: Connection) -> None:
    """A dead letter of the notes' subscription."""
    await outsider.execute(
        "insert into events.events (position, sequence, id, type, capability, subject, category, data) "
        "values (1, 1, gen_random_uuid(), 'notes.note.written', 'notes', 'x', 'notes', '{}')"
    )
    await outsider.execute(
        "insert into events.subscriptions (id, key, capability, types, mode, path, cursor, secret_changed_at) "
        "values (gen_random_uuid(), 'notes', 'notes', array['notes.note.written'], 'push', '/torv/events', 1, now())"
    )
    await outsider.execute(
        "insert into events.parked (id, subscription_id, position, subject, attempts, next_at, last_status, dead_at) "
        "select gen_random_uuid(), id, 1, 'x', 9, now(), 422, now() from events.subscriptions"
    )


async def test_a_partner_sees_the_events_it_published_too_late(
    mine: Mine, api: Api, database: Database, cast: Cast, keys: Keys
) -> None:
    await permit_events(database, cast, keys, part=KVIK)
    async with asyncio.timeout(20):
        while (reply := await tell(api, 1, by="kviknote")).status == 403:
            await asyncio.sleep(0.05)
    assert reply.code == (409, "binding_moved")
    await api.post(api.RECORDS, api.note(), by="kviknote", Idempotency_Key="for sent")
    found = json.loads((await mine("late", "--json"))[1])
    assert [each["kind"] for each in found] == ["record", "event"]  # the newest first
    assert "event" in (await mine("late"))[1]
    assert json.loads((await mine("late", "--json", by="nordnote"))[1]) == []
    listed = (await api.get("/api/v1/events/late?capability=notes", by=ANNA)).json["items"]
    assert [each["type"] for each in listed] == ["note.written"]
    whole = f"/api/v1/events/late/{listed[0]['id']}"
    assert (await api.get(whole, by=ANNA)).json["content"]["data"]["version"] == 1
    assert (await api.get(whole, by="kviknote")).code == (403, "denied")  # to look into it takes a grant
    assert (await api.get("/api/v1/events/late")).status == 401


async def test_a_supplier_sees_what_is_demanded_of_it(mine: Mine, api: Api, cast: Cast) -> None:
    wanted = {"profile": PROFILE, "from_day": "2026-12-24"}
    assert (await api.post("/api/v1/requirements/proposals", wanted, by=ANNA)).status == 201
    _, told, _ = await mine("proposals")
    assert "Fjordbys krav til notater" in told
    assert "2026-12-24" in told
    [found] = json.loads((await mine("proposals", "--json"))[1])
    assert (found["partner_name"], found["profile"]["fields"][0]["id"]) == ("Kvik Systemer A/S", "author_shown")
    assert json.loads((await mine("proposals", "--json", by="borgerblik"))[1]) == []


async def test_a_stranger_is_told_in_one_sentence(mine: Mine, cast: Cast) -> None:
    status, told, why = await mine("agreements", "--client-id", str(new_id()))
    assert (status, told) == (1, "")
    assert why.startswith("torv-sdk: ")
    assert why.count("\n") == 1


async def test_what_may_be_asked_is_shown_for_the_district_that_is_named(
    mine: Mine, api: Api, database: Database, cast: Cast, keys: Keys
) -> None:
    """Kvik keeps and promises a set, and serves one district; nobody asks Nordnote for what the set adds."""
    units = await enter_districts(database, cast)
    await api.post("/api/v1/requirements/proposals", {"profile": ADDING}, by=ANNA)
    content = signed(report(cast, "kviknote", text=ADDING), cast.partner_keys["kviknote"])
    sent = await api.post(f"/api/v1/releases/{cast.releases['kviknote']}/certifications", content)
    assert sent.status == 201, sent.body
    async with database.transaction() as tx:
        promised = content_of(KVIK, requirement_set=profile(ADDING).requirement_set)
        await enter_agreement(tx, cast, promised, keys)
        await split_binding(tx, "notes", units.nord)
        await move_binding(tx, "notes", cast.releases["kviknote"], unit_id=units.nord)
    shown = {
        unit: (await mine("interface", "--capability", "notes", *(["--unit", str(unit)] if unit else [])))[1]
        for unit in (None, units.syd, units.nord, units.school)
    }
    assert {unit: "count_notes" in text for unit, text in shown.items()} == {
        None: False, units.syd: False, units.nord: True, units.school: True,
    }  # fmt: skip
    assert all("write_note" in text for text in shown.values())
