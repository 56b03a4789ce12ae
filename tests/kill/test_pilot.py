"""A district changes hands and back while two districts work; the worker dies in it: 0 failed, lost or doubled."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import pytest

from tests.kill.scene import PATIENCE, Scene
from torv.demo.office import ANNA, PASSWORDS, Office, Refused
from torv.demo.traffic import PASSING

NOTES = "/c/notes/v1/notes"
HOW_OFTEN = 15  #: answers a district gets between two looks


@dataclass(slots=True)
class Desk:
    """Somebody in a district who writes and reads notes, one call after the other, and remembers what was answered."""

    unit: str
    told: dict[str, str] = field(default_factory=dict)  #: text -> note
    wrong: list[tuple[int, str]] = field(default_factory=list)
    slowest: float = 0.0  #: seconds
    is_patient: bool = False

    async def work(self, http: aiohttp.ClientSession, person: str, until: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while not until.is_set():
            text, begun = f"{self.unit} {uuid4()}", loop.time()
            headers, content = {"Idempotency-Key": text, "Torv-Unit": self.unit}, {"person_id": person, "text": text}
            status, answer = await self._ask(http, "POST", json=content, headers=headers)
            if status in (200, 201):
                self.told[text] = json.loads(answer)["id"]
            else:
                self.wrong.append((status, answer))
            self.slowest = max(self.slowest, loop.time() - begun)
            unit = {"Torv-Unit": self.unit}
            status, answer = await self._ask(http, "GET", params={"person_id": person}, headers=unit)
            if status != 200:
                self.wrong.append((status, answer))
            await asyncio.sleep(0.02)

    async def _ask(self, http: aiohttp.ClientSession, method: str, **call: Any) -> tuple[int, str]:
        """What a call is answered; 0 where it was cut off. Who is patient makes the same call again after that."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                async with http.request(method, NOTES, **call) as answer:
                    status, text = answer.status, await answer.text()
            except aiohttp.ClientError as error:
                status, text = 0, repr(error)
            if not self.is_patient or status not in PASSING or time.monotonic() > deadline:
                return status, text
            await asyncio.sleep(0.1)


@asynccontextmanager
async def working(scene: Scene, *desks: Desk) -> AsyncIterator[None]:
    """All desks work; each has its own citizen."""
    url, done = scene.stage.settings.issuer, asyncio.Event()
    async with aiohttp.ClientSession(url) as http:
        async with http.post("/api/v1/identity/sessions", json={"login": ANNA, "password": PASSWORDS[ANNA]}) as answer:
            http.headers["Authorization"] = f"Bearer {(await answer.json())['token']}"
        citizens = await asyncio.gather(*(_citizen(http) for _ in desks))
        tasks = [asyncio.create_task(each.work(http, who, done)) for each, who in zip(desks, citizens, strict=True)]
        yield
        done.set()
        await asyncio.gather(*tasks)


async def _citizen(http: aiohttp.ClientSession) -> str:
    async with http.post("/api/v1/persons", json={"given_names": "Ida", "family_name": "Prøve"}) as answer:
        return str((await answer.json())["id"])


async def hear(*desks: Desk) -> None:
    """Wait until each desk has been told of so and so many more notes."""
    goals = [len(each.told) + HOW_OFTEN for each in desks]
    async with asyncio.timeout(60):
        while any(len(each.told) < goal for each, goal in zip(desks, goals, strict=True)):
            await asyncio.sleep(0.05)


async def plan(scene: Scene, office: Office, unit: str) -> str:
    new = {"capability": "notes", "to_release": scene.stage.town.releases["kviknote"], "unit_id": unit}
    return str((await office.post("/api/v1/moves", new))["id"])


async def unit(office: Office, name: str) -> str:
    new = {"name": name, "kind": "distrikt", "valid_from": "2026-01-01"}
    return str((await office.post("/api/v1/organisation/units", new))["id"])


async def written(scene: Scene) -> list[dict[str, Any]]:
    """Every note of the kernel's, by whom and for which unit."""
    connection = await asyncpg.connect(scene.stage.dsn)
    rows = await connection.fetch(
        """select v.id::text, v.unit_id::text as unit, v.body ->> 'text' as text, r.module_name as module, v.epoch
           from records.versions v join modules.v_releases r on r.id = v.release_id order by v.seq"""
    )
    await connection.close()
    return [dict(row) for row in rows]


async def test_one_district_is_moved_and_back_under_traffic_and_the_other_notices_nothing(scene: Scene) -> None:
    async with Office(scene.stage.settings.issuer) as office:
        nord, syd = Desk(unit=await unit(office, "Nord")), Desk(unit=await unit(office, "Syd"))
        async with working(scene, nord, syd):
            await hear(nord, syd)
            there = await plan(scene, office, nord.unit)
            await scene.reach(there, "watching")
            await hear(nord, syd)
            back = str((await office.post(f"/api/v1/moves/{there}/rollback"))["id"])
            await scene.reach(back, "final")
            await hear(nord, syd)
    await all_is_well(scene, nord, syd)
    notes = await written(scene)
    assert {each["module"] for each in notes if each["unit"] == syd.unit} == {"nordnote"}
    of_nord = [each["module"] for each in notes if each["unit"] == nord.unit]
    runs = [name for number, name in enumerate(of_nord) if not number or of_nord[number - 1] != name]
    assert runs == ["nordnote", "kviknote", "nordnote"]


async def test_a_worker_that_dies_while_a_district_changes_hands_leaves_it_with_one_of_the_two(scene: Scene) -> None:
    await scene.linger("moved")
    async with Office(scene.stage.settings.issuer) as office:
        nord, syd = Desk(unit=await unit(office, "Nord")), Desk(unit=await unit(office, "Syd"))
        async with working(scene, nord, syd):
            await hear(nord, syd)
            move = await plan(scene, office, nord.unit)
            await scene.lingers(move)
            scene.kill("worker")
            await scene.reach(move, "watching")
            await hear(nord, syd)
    assert all("move_in_progress" in text for _, text in nord.wrong), nord.wrong
    nord.wrong.clear()  # they were told to come again; nothing was done
    await all_is_well(scene, nord, syd)


#: what a district that begins a pilot gets a row in, in the order of the transaction
STEPS = ("organisation.anchors", "records.holders", "modules.bindings", "events.subscriptions", "moves.moves")


@pytest.mark.parametrize("programs", [("api-1", "api-2"), ("worker",)], ids=str)
async def test_whatever_dies_at_any_step_of_a_split_it_is_there_whole_or_not_at_all(
    scene: Scene, programs: tuple[str, ...]
) -> None:
    """Each step of each split takes most of a second, and in it they are killed; who asked asks again."""
    await linger_at_steps(scene)
    async with Office(scene.stage.settings.issuer) as office:
        units = [await unit(office, f"Distrikt {number}") for number in range(len(STEPS))]
        nord = Desk(unit=units[-1], is_patient=True)
        syd = Desk(unit=await unit(office, "Syd"), is_patient=True)
    async with working(scene, nord, syd):
        for table, district in zip(STEPS, units, strict=True):
            await hear(nord, syd)
            await name_step(scene, table, district)
            planning = asyncio.create_task(plan_until_told(scene, district))
            await scene.lingers(district)
            for each in programs:
                scene.kill(each)
            move = await planning
            assert await rows_of(scene, district) == dict.fromkeys(STEPS, 1)
            if district != nord.unit:
                await give_up(scene, move, district)
                assert await rows_of(scene, district) == dict.fromkeys(STEPS[:-1], 0) | {"moves.moves": 1}
        await scene.reach(move, "watching")
        await hear(nord, syd)
    await all_is_well(scene, nord, syd)


async def linger_at_steps(scene: Scene) -> None:
    """Let a step of a split take most of a second, for the district that is named with it; and the first time only."""
    connection = await asyncpg.connect(scene.stage.dsn)
    await connection.execute("""
        create table public.named (step text, unit_id uuid);
        create sequence public.lingered;
        create function public.linger() returns trigger language plpgsql as
        $$ begin
            if exists (select from public.named where step = tg_argv[0] and unit_id = new.unit_id)
               and nextval('public.lingered') = 1 then perform pg_sleep(0.8); end if;
            return new;
        end $$;
    """)
    for step in STEPS:
        await connection.execute(
            f"create trigger linger after insert on {step} for each row execute function public.linger('{step}')"
        )
    await connection.close()


async def name_step(scene: Scene, step: str, district: str) -> None:
    connection = await asyncpg.connect(scene.stage.dsn)
    await connection.execute("delete from public.named")
    await connection.execute("alter sequence public.lingered restart")
    await connection.execute("insert into public.named values ($1, $2)", step, district)
    await connection.close()


async def plan_until_told(scene: Scene, district: str) -> str:
    """Plan a pilot under one key until there is an answer; gives the move."""
    headers = {"Idempotency-Key": f"pilot {district}"}
    new = {"capability": "notes", "to_release": scene.stage.town.releases["kviknote"], "unit_id": district}
    return str((await insist(scene, "/api/v1/moves", new, headers))["id"])


async def give_up(scene: Scene, move: str, district: str) -> None:
    """End a pilot before it has begun: everything as it was."""
    await insist(scene, f"/api/v1/moves/{move}/abort", None, {"Idempotency-Key": f"abort {move}"})
    which = {"capability": "notes", "unit_id": district}
    await insist(scene, "/api/v1/moves/dissolve", which, {"Idempotency-Key": f"dissolve {district}"})


async def insist(scene: Scene, path: str, content: Any, headers: dict[str, str]) -> Any:
    """The answer of whoever is there, however often it takes."""
    deadline, why = time.monotonic() + PATIENCE, ""
    while time.monotonic() < deadline:
        try:
            async with Office(scene.stage.settings.issuer) as office:
                return await office.post(path, content, headers=headers)
        except (aiohttp.ClientError, Refused) as error:
            why = repr(error)
        await asyncio.sleep(0.2)
    raise AssertionError(why)


async def rows_of(scene: Scene, district: str) -> dict[str, int]:
    """How many rows each step has left."""
    connection = await asyncpg.connect(scene.stage.dsn)
    found = {
        step: int(await connection.fetchval(f"select count(*) from {step} where unit_id = $1", district))
        for step in STEPS
    }
    await connection.close()
    return found


async def all_is_well(scene: Scene, *desks: Desk) -> None:
    """0 failed, 0 lost, 0 doubled, 0 that nobody was told of."""
    assert [each.wrong for each in desks] == [[] for _ in desks]
    notes = await written(scene)
    told = {(note, each.unit, text) for each in desks for text, note in each.told.items()}
    assert {(each["id"], each["unit"], each["text"]) for each in notes} >= told
    texts = Counter(each["text"] for each in notes if each["unit"] in {desk.unit for desk in desks})
    assert set(texts) == {text for each in desks for text in each.told}
    assert set(texts.values()) == {1}
