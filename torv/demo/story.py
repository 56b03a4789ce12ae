"""`torv demo --story`: a supplier is switched, back, and again while others work; then all is compared."""

import asyncio
import json
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from torv.base import logs, signing
from torv.base.db import Database
from torv.base.processes import Program, Supervisor, python
from torv.base.settings import Settings
from torv.base.signing import load_keys
from torv.demo import judge, town
from torv.demo.judge import Finding, Suspension, sql
from torv.demo.ledger import Line, read_ledger
from torv.demo.office import Office
from torv.demo.stage import Stage, clear, set_stage
from torv.demo.traffic import Plan
from torv.ecosystem.gateway import ModuleClient
from torv.ecosystem.modules import release_by_id

CITIZENS = 24
CALLERS = (("borgerblik", 11), ("borgerblik", 12), ("tvaers", 13))  #: program and seed
HESITATION = 0.3  #: seconds the module in service stands still when the freeze begins
PATIENCE = 25.0  #: seconds a move may take

console = Console()


class Broken(Exception):
    """The story cannot go on."""


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
    except Broken as broken:
        console.print(f"Fortællingen kunne ikke gennemføres: {broken}", markup=False)
        return 1
    finally:
        clear(folder)
    _show(findings, receipt, time.monotonic() - began)
    return 0 if all(finding.holds for finding in findings) else 1


async def _play(stage: Stage, report: Any) -> tuple[list[Finding], dict[str, Any]]:
    database = await Database.open(stage.dsn, 3)
    try:
        async with Office(stage.settings.issuer) as office, _traffic(stage) as ledgers:
            report("Tre programmer arbejder")
            await asyncio.sleep(2)
            last = await _three_moves(stage, office, database, report)
            report("En aftale suspenderes")
            suspension = await _suspend(stage, office)
            await asyncio.sleep(1.5)
        lines = [line for ledger in ledgers for line in read_ledger(ledger)]
        report("Sammenligner")
        async with Office(stage.settings.issuer) as office:
            return await _judge(stage, office, database, lines, suspension, last)
    finally:
        await database.close()


async def _three_moves(stage: Stage, office: Office, database: Database, report: Any) -> str:
    """There, back, and there again; gives the id of the last move."""
    first = await _move(stage, office, database, "nordnote", "kviknote", report)
    await asyncio.sleep(1)
    report("Ruller tilbage")
    back = await office.post(f"/api/v1/moves/{first}/rollback")
    await _follow(stage, database, back["id"], "kviknote", "final")
    await asyncio.sleep(1)
    return await _move(stage, office, database, "nordnote", "kviknote", report)


async def _move(stage: Stage, office: Office, database: Database, of: str, to: str, report: Any) -> str:
    report(f"Flytter fra {of} til {to}")
    planned = await office.post("/api/v1/moves", {"capability": "notes", "to_release": stage.town.releases[to]})
    await _follow(stage, database, planned["id"], of, "watching")
    return str(planned["id"])


async def _follow(stage: Stage, database: Database, move_id: str, in_service: str, goal: str) -> None:
    """Wait for a state; the module in service hesitates when the freeze begins, as a real one may."""
    deadline, has_hesitated = time.monotonic() + PATIENCE, False
    while time.monotonic() < deadline:
        async with database.reading() as tx:
            state = await tx.value(sql.move_state, id=move_id)
        if state == goal:
            return
        if state == "aborted":
            async with Office(stage.settings.issuer) as office:
                raise Broken(json.dumps((await office.get(f"/api/v1/moves/{move_id}"))["steps"][-1]))
        if state == "freezing" and not has_hesitated:
            has_hesitated = True
            pid = stage.supervisor.pid(in_service)
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(HESITATION)
            os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(0.004)
    raise Broken(f"the move was still {state} after {PATIENCE:.0f} seconds")


async def _suspend(stage: Stage, office: Office) -> Suspension:
    await office.post(f"/api/v1/agreements/{stage.town.agreements['tvaers']}/suspend")
    return Suspension(caller="tvaers-13", at=time.time())


@asynccontextmanager
async def _traffic(stage: Stage) -> AsyncIterator[list[Path]]:
    """Three programs that call until the block ends; gives their ledgers."""
    supervisor, ledgers = Supervisor(), []
    for program, seed in CALLERS:
        name = f"{program}-{seed}"
        plan = Plan(
            url=stage.settings.issuer, name=name, client_id=stage.town.releases[program], seed=seed,
            key_file=str(town.key_file(stage.folder, program)), persons=stage.town.persons,
            ledger=str(stage.folder / f"{name}.jsonl"),
        )  # fmt: skip
        file = stage.folder / f"{name}.plan"
        file.write_text(json.dumps(asdict(plan)), encoding="utf-8")
        await supervisor.start(Program(name=name, argv=python("-m", "torv.demo.traffic", str(file))))
        ledgers.append(Path(plan.ledger))
    try:
        yield ledgers
    finally:
        await supervisor.stop_all()


async def _judge(
    stage: Stage, office: Office, database: Database, lines: list[Line], suspension: Suspension, move_id: str
) -> tuple[list[Finding], dict[str, Any]]:
    told = judge.acknowledged(lines)
    findings = judge.judge_answers(lines, suspension)
    for name in ("nordnote", "kviknote"):
        held = await _export(stage, database, name, len(told))
        findings += judge.compare(f"the export of {name}", told, held)
    async with database.reading() as tx:
        findings += await judge.judge_kernel(tx, lines)
    await office.post(f"/api/v1/moves/{move_id}/finalise")
    seal = await office.get(f"/api/v1/moves/{move_id}/receipt")
    receipt = signing.verify(seal, load_keys(stage.settings.keys_dir).signing)
    state = (await office.get(f"/api/v1/agreements/{stage.town.agreements['nordnote']}"))["state"]
    findings.append(Finding(promise="the predecessor's agreement", measured=state, holds=state == "exit"))
    findings.append(
        Finding(promise="calls that were cut", measured=str(len(receipt["cut_calls"])), holds=not receipt["cut_calls"])
    )
    return findings, receipt


async def _export(stage: Stage, database: Database, name: str, expected: int) -> set[tuple[str, str, str]]:
    """What a module holds, when it has had five seconds to read the rest of the feed."""
    async with database.reading() as tx:
        release = await release_by_id(tx, stage.town.releases[name])  # type: ignore[arg-type]  # the id as text is one too
    client = ModuleClient(load_keys(stage.settings.keys_dir), stage.settings.issuer)
    held: set[tuple[str, str, str]] = set()
    try:
        for _ in range(25):
            answer = await client.export(release, "notes", "note", "0-4095")
            held = judge.held_by_module(json.loads(answer.body)["records"])
            if len(held) >= expected:
                break
            await asyncio.sleep(0.2)
    finally:
        await client.close()
    return held


def _show(findings: list[Finding], receipt: dict[str, Any], seconds: float) -> None:
    table = Table(title=f"Leverandørskift under fuld drift, {seconds:.0f} s", title_justify="left")
    for heading in ("Promise", "Measured", "Holds"):
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
