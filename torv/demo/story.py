"""`torv demo --story`: a supplier is switched, back, and again while others work; then all is compared."""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table

from torv.base import logs, signing
from torv.base.db import Database
from torv.base.processes import Supervisor
from torv.base.settings import Settings
from torv.base.signing import load_keys
from torv.demo import judge, town, traffic
from torv.demo.disturbance import disturb_freeze, straggling, work_with_late_commits
from torv.demo.judge import Finding, Suspension, sql
from torv.demo.ledger import Line, read_ledger
from torv.demo.office import Office, Refused
from torv.demo.stage import PROVIDERS, Stage, clear, set_stage
from torv.demo.traffic import Plan
from torv.ecosystem.agreements import STATES_DA
from torv.ecosystem.gateway import ModuleClient
from torv.ecosystem.modules import release_by_id
from torv_sdk.events import SeenEvents

CITIZENS = 24
CALLERS = (("borgerblik", 11), ("borgerblik", 12), ("tvaers", 13))  #: program and seed
PATIENCE = 25.0  #: seconds a move may take

console = Console()


class Broken(Exception):
    """The story cannot go on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Play:
    """What the story is told with, and what it gathers on its way."""

    stage: Stage
    office: Office
    database: Database
    report: Callable[[str], None]
    ledgers: list[Path]
    moves: list[str] = field(default_factory=list)  #: ids, in order
    left: dict[str, float] = field(default_factory=dict)  #: straggler -> when its module was left, in Unix seconds


async def tell_story(settings: Settings) -> int:
    """Tell the story in an installation of its own; gives 0 only if every promise holds."""
    logs.configure("error")
    folder = Path(tempfile.mkdtemp(prefix="torv-story-"))
    settings = replace(settings, port=0, processes=2, state_dir=folder, database_url="")
    began = time.monotonic()
    try:
        with console.status("Starter") as status:
            async with set_stage(settings, folder, citizens=CITIZENS, report=status.update) as stage:
                findings, receipt = await _play(stage, status.update)
    except (Broken, Refused) as broken:
        console.print(f"Fortællingen kunne ikke gennemføres: {broken}", markup=False)
        return 1
    finally:
        clear(folder)
    _show(findings, receipt, time.monotonic() - began)
    return 0 if all(finding.holds for finding in findings) else 1


async def _play(stage: Stage, report: Callable[[str], None]) -> tuple[list[Finding], dict[str, Any]]:
    async with Database.opened(stage.dsn, 6) as database:
        async with Office(stage.settings.issuer) as office, traffic_on(stage) as ledgers:
            play = Play(stage=stage, office=office, database=database, report=report, ledgers=ledgers)
            report("Tre programmer arbejder")
            await _calm(play, 2)
            await _three_moves(play)
            report("En aftale suspenderes")
            suspension = await _suspend(play)
            await asyncio.sleep(1.5)
        report("Sammenligner")
        async with Office(stage.settings.issuer) as office:
            return await _judge(replace(play, office=office), suspension)


async def _three_moves(play: Play) -> None:
    """There, back, and there again."""
    await _move(play, "nordnote", "kviknote")
    await _calm(play, 1)
    play.report("Ruller tilbage")
    back = await play.office.post(f"/api/v1/moves/{play.moves[0]}/rollback")
    await _follow(play, back["id"], "kviknote", "final")
    await _calm(play, 1)
    await _move(play, "nordnote", "kviknote")


async def _calm(play: Play, seconds: float) -> None:
    await work_with_late_commits(play.database, play.stage.town.persons, seconds)


async def _move(play: Play, of: str, to: str) -> None:
    play.report(f"Flytter fra {of} til {to}")
    planned = await play.office.post(
        "/api/v1/moves", {"capability": "notes", "to_release": play.stage.town.releases[to]}
    )
    await _follow(play, planned["id"], of, "watching")


async def _follow(play: Play, move_id: str, in_service: str, goal: str) -> None:
    """Follow a move to its goal, while the module that is left goes on writing past the gateway."""
    straggler = f"{in_service}-{len(play.moves)}"
    play.moves.append(move_id)
    async with straggling(play.stage, in_service, straggler) as ledger:
        play.ledgers.append(ledger)
        await _reach(play, move_id, in_service, goal)
        play.left[straggler] = time.time()


async def _reach(play: Play, move_id: str, in_service: str, goal: str) -> None:
    deadline, is_disturbed = time.monotonic() + PATIENCE, False
    while time.monotonic() < deadline:
        async with play.database.reading() as tx:
            state = await tx.value(sql.move_state, id=move_id)
        if state == goal:
            return
        if state == "aborted":
            raise Broken(json.dumps((await play.office.get(f"/api/v1/moves/{move_id}"))["steps"][-1]))
        if state == "freezing" and not is_disturbed:
            is_disturbed = True
            await disturb_freeze(play.stage, play.database, in_service, move_id)
        await asyncio.sleep(0.004)
    raise Broken(f"the move was still {state} after {PATIENCE:.0f} seconds")


async def _suspend(play: Play) -> Suspension:
    await play.office.post(f"/api/v1/agreements/{play.stage.town.agreements['tvaers']}/suspend")
    return Suspension(caller="tvaers-13", at=time.time())


@asynccontextmanager
async def traffic_on(stage: Stage, *, patience: float = 0.0) -> AsyncIterator[list[Path]]:
    """Three programs that call until the block ends; gives their ledgers. `patience` is that of traffic.Plan."""
    supervisor, ledgers = Supervisor(), []
    for program, seed in CALLERS:
        name = f"{program}-{seed}"
        plan = Plan(
            url=stage.settings.issuer, name=name, client_id=stage.town.releases[program], seed=seed,
            key_file=str(town.key_file(stage.folder, program)), persons=stage.town.persons[:-1],
            ledger=str(stage.folder / f"{name}.jsonl"), patience=patience,
        )  # fmt: skip
        await supervisor.start(traffic.program(plan, stage.folder))
        ledgers.append(Path(plan.ledger))
    try:
        yield ledgers
    finally:
        await supervisor.stop_all()


async def _judge(play: Play, suspension: Suspension) -> tuple[list[Finding], dict[str, Any]]:
    lines = [line for ledger in play.ledgers for line in read_ledger(ledger)]
    told = judge.acknowledged(lines)
    moves = [await play.office.get(f"/api/v1/moves/{move}") for move in play.moves]
    findings = judge.judge_answers(lines, suspension)
    findings += [judge.judge_moves([move["hold_ms"] for move in moves]), judge.judge_stragglers(lines, play.left)]
    for name in ("nordnote", "kviknote"):
        held = await export_of(play.stage, play.database, name, told)
        findings += judge.compare(f"{name}s udtræk", told, held)
    async with play.database.reading() as tx:
        findings += await judge.judge_kernel(tx, lines)
    findings += await _judge_events(play, lines)
    receipt = await _finalise(play)
    state = (await play.office.get(f"/api/v1/agreements/{play.stage.town.agreements['nordnote']}"))["state"]
    findings.append(Finding(promise="forgængerens aftale", measured=STATES_DA[state], holds=state == "exit"))
    findings.append(
        Finding(
            promise="kald, der blev afbrudt", measured=str(len(receipt["cut_calls"])), holds=not receipt["cut_calls"]
        )
    )
    return findings, receipt


async def _judge_events(play: Play, lines: list[Line]) -> list[Finding]:
    """What was told of the notes, when the modules have had ten seconds to hear the rest of it."""
    seen = [SeenEvents(play.stage.folder / name / "events.sqlite") for name in PROVIDERS]  # as each module keeps it
    handled: set[UUID] = set()
    for _ in range(50):
        async with play.database.reading() as tx:
            published = {row["id"]: row["subject"] for row in await tx.all(dict, sql.published, type=town.TOLD)}
        handled |= {each for each in published.keys() - handled for file in seen if await file.has(each)}
        if published.keys() <= handled:
            break
        await asyncio.sleep(0.2)
    return judge.judge_events(lines, published, handled)


async def _finalise(play: Play) -> dict[str, Any]:
    """End the watch; gives the receipt, whose seal is checked."""
    await play.office.post(f"/api/v1/moves/{play.moves[-1]}/finalise")
    seal = await play.office.get(f"/api/v1/moves/{play.moves[-1]}/receipt")
    return signing.verify(seal, load_keys(play.stage.settings.keys_dir).signing)


async def export_of(
    stage: Stage, database: Database, name: str, told: set[tuple[str, str, str]]
) -> set[tuple[str, str, str]]:
    """What a module holds, when it has had five seconds to read the rest of the feed."""
    async with database.reading() as tx:
        release = await release_by_id(tx, stage.town.releases[name])  # type: ignore[arg-type]  # the id as text is one too
    client = ModuleClient(load_keys(stage.settings.keys_dir), stage.settings.issuer, private=True)
    held: set[tuple[str, str, str]] = set()
    try:
        for _ in range(25):
            answer = await client.export(release, "notes", "note", "0-4095")
            held = judge.held_by_module(json.loads(answer.body)["records"])
            if told <= held:
                break
            await asyncio.sleep(0.2)
    finally:
        await client.close()
    return held


def _show(findings: list[Finding], receipt: dict[str, Any], seconds: float) -> None:
    table = Table(title=f"Leverandørskift under fuld drift, {seconds:.0f} s", title_justify="left")
    for heading in ("Løfte", "Målt", "Holder"):
        table.add_column(heading)
    for finding in findings:
        table.add_row(
            finding.promise,
            finding.measured,
            "ja" if finding.holds else "NEJ",
            style=None if finding.holds else "bold red",
        )
    console.print(table)
    console.print_json(data=receipt)
    with suppress(BrokenPipeError):
        console.print("Alle løfter holdt." if all(each.holds for each in findings) else "Et løfte blev brudt.")
