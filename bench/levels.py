"""`python -m bench levels`: what it costs to gather a month of calls from the log, and to reckon its statement."""

import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from joserfc.jwk import ECKey

from bench.ground import ground
from bench.statements import sql as own
from bench.usage import cpu_seconds
from torv.base import signing
from torv.base.access import Access, Caller, CallerKind
from torv.base.db import Database
from torv.base.feed import sequence
from torv.base.ids import new_id
from torv.base.trail import Entry
from torv.ecosystem.agreements import Content, InForce, Line, Parties, Why, agreement_about
from torv.ecosystem.audit import STREAM
from torv.ecosystem.modules import register_module, register_release
from torv.ecosystem.modules.models import NewModule, NewRelease
from torv.ecosystem.partners import NewPartner, register_partner
from torv.ecosystem.service_levels import Month, gather_all
from torv.ecosystem.service_levels.reading import reckon
from torv.ecosystem.service_levels.reckoning import hash_of

LOT = 50_000  #: entries put in by one statement
MONTH = Month(year=2025, month=10)
#: what -> target
GATHER_MS, RECKON_S, MEMORY_MB = 0.1, 30.0, 150.0

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Everything."""

    calls: int
    gather_app_ms: float  #: CPU, per call
    gather_database_ms: float
    gather_seconds: float
    reckon_app_s: float  #: CPU, of the whole month
    reckon_database_s: float
    reckon_seconds: float
    memory_mb: float  #: by which the process grew at most, from before gathering until the statement
    rows: int  #: that the calls were gathered into
    table_mb: float


async def bench_levels(*, calls: int, report: Report) -> Measured:
    """Measure on a ground of its own."""
    async with ground() as own_ground:
        return await _measure(own_ground.database, own_ground.postmaster, calls, report)


async def _measure(database: Database, postmaster: int, calls: int, report: Report) -> Measured:
    agreement = await _enter(database)
    report(f"Putting in {calls} calls")
    for start in range(0, calls, LOT):
        async with database.transaction() as tx:
            await tx.run(
                own.fill_calls, first=start, count=min(LOT, calls - start), of=calls, begins=MONTH.begins,
                seconds=MONTH.minutes * 60, agreement=str(agreement.id),
            )  # fmt: skip
    async with database.line() as line:
        while await sequence(line, STREAM):
            pass
    report("Gathering them")
    before, mark, began = _peak_mb(), _mark(postmaster), time.perf_counter()
    await gather_all(database)
    gathered, gather_seconds = _since(mark, postmaster), time.perf_counter() - began
    report("Reckoning")
    mark, began = _mark(postmaster), time.perf_counter()
    async with database.reading() as tx:
        content = await reckon(tx, agreement, MONTH, MONTH.ends)
        table = await tx.all(dict, own.size_of_minutes)
    reckoned, reckon_seconds = _since(mark, postmaster), time.perf_counter() - began
    assert content["log"]["calls"] == calls, content["log"]
    report(f"The statement's hash is {hash_of(content)}")
    return Measured(
        calls=calls, gather_app_ms=gathered[0] / calls * 1000, gather_database_ms=gathered[1] / calls * 1000,
        gather_seconds=gather_seconds, reckon_app_s=reckoned[0], reckon_database_s=reckoned[1],
        reckon_seconds=reckon_seconds, memory_mb=_peak_mb() - before, rows=table[0]["rows"],
        table_mb=table[0]["bytes"] / 1_048_576,
    )  # fmt: skip


async def _enter(database: Database) -> InForce:
    """A supplier whose module was bound all month, and an agreement with six promises."""
    access = _permit()
    async with database.transaction() as tx:
        partner = await register_partner(tx, access, new=NewPartner(cvr="48839355", name="Nordlys Omsorg ApS"))
        module = await register_module(tx, access, new=NewModule(partner_id=partner.id, name="nordnote"))
        key = signing.public(ECKey.generate_key("P-256"))
        new = NewRelease(version="1.0.0", url="http://127.0.0.1:9", jwk=key)
        release = await register_release(tx, access, module.id, new=new, private=True)
        detail = {"capability": "notes", "release": str(release.id), "epoch": 1}
        at = datetime(2025, 1, 1, tzinfo=UTC)
        tx.notes.append(Entry(kind="system", operation="modules.bound", detail=detail, at=at))
    content = _content()
    return InForce(
        id=content.id, partner_id=partner.id, hash="0" * 64, content=content, begins=content.validity.not_before,
        ends=content.validity.not_after, pauses=(),
    )  # fmt: skip


def _content() -> Content:
    parties = Parties(municipality="50708047", partner="48839355", partner_name="Nordlys Omsorg ApS", clauses="a" * 64)
    why = Why(activity="hjaelp-og-stoette", legal_basis=["SEL \u00a7 83"], text="Notater")
    lines = [Line(service="notes", operations=["provide"], categories=["notes"])]
    office = {"weekdays": [1, 2, 3, 4, 5], "opens": "07:00", "closes": "17:00"}
    promises = [
        {"metric": "availability", "service": "notes", "target": 99.9},
        {"metric": "availability", "service": "notes", "target": 99.5, "hours": office},
        {"metric": "outage_minutes", "service": "notes", "target": 60},
        {"metric": "response_ms", "service": "notes", "target": 300, "percentile": 95},
        {"metric": "response_ms", "service": "notes", "target": 900, "percentile": 99, "operations": ["list_notes"]},
        {"metric": "error_rate", "service": "notes", "target": 1},
    ]
    plain = agreement_about(parties, "nordnote", why, lines, begins=datetime(2025, 1, 1, tzinfo=UTC).date())
    return Content.model_validate(plain | {"service_levels": promises})


def _permit() -> Access:
    caller = Caller(kind=CallerKind.OPERATOR, id=UUID(int=0), name="bench")
    return Access(caller=caller, service="modules", operation="register", category="module", request_id=new_id())


def _mark(postmaster: int) -> tuple[float, float]:
    return time.process_time(), cpu_seconds(postmaster)


def _since(mark: tuple[float, float], postmaster: int) -> tuple[float, float]:
    """CPU seconds of this process and of the database."""
    app, database = (end - start for start, end in zip(mark, _mark(postmaster), strict=True))
    return app, database


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report_of(measured: Measured, facts: dict[str, Any]) -> str:
    """The numbers beside the targets, as Markdown."""
    gathering = measured.gather_app_ms + measured.gather_database_ms
    reckoning = measured.reckon_app_s + measured.reckon_database_s
    lines = "\n".join([
        _line("CPU ms to gather a call", GATHER_MS, gathering), _line("CPU s to reckon the month", RECKON_S, reckoning),
        _line("memory it takes, MB", MEMORY_MB, measured.memory_mb),
    ])  # fmt: skip
    about = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
    gathered = (
        f"- {measured.calls:,} calls in one month, six promises. Gathered into {measured.rows:,} rows "
        f"({measured.table_mb:.0f} MB) in {measured.gather_seconds:.1f} s: Python {measured.gather_app_ms:.4f}, "
        f"PostgreSQL {measured.gather_database_ms:.4f} ms a call."
    )
    reckoned = (
        f"- Reckoned in {measured.reckon_seconds:.1f} s: Python {measured.reckon_app_s:.1f}, PostgreSQL "
        f"{measured.reckon_database_s:.1f} s of CPU."
    )
    head = "| what | target | measured | met |\n| --- | ---: | ---: | --- |"
    return f"{head}\n{lines}\n\n{gathered}\n{reckoned}\n- Measured with: {about}.\n"


def _line(what: str, target: float, value: float) -> str:
    return f"| {what} | <= {target:g} | {value:.3f} | {'yes' if value <= target else 'no'} |"


def document(measured: Measured, facts: dict[str, Any]) -> dict[str, Any]:
    """Everything, as JSON takes it."""
    return {"machine": facts, **asdict(measured)}
