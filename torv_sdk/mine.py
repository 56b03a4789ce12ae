"""`torv-sdk mine`: what Torv knows of a supplier's own affairs: agreements, certifications, service, lost and late."""

import argparse
import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from torv_sdk.client import KernelClient
from torv_sdk.entries import verify_entry
from torv_sdk.keys import read_key
from torv_sdk.problems import KernelRefusal

DENMARK = ZoneInfo("Europe/Copenhagen")
PAGE = 200  #: rows asked for at a time
Rows = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Column:
    da: str
    en: str
    of: Callable[[dict[str, Any]], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class _View:
    """A command: what it asks for, and how the rows are shown."""

    help: str
    fetch: Callable[[KernelClient, argparse.Namespace], Awaitable[Rows]]
    shown: Callable[[Rows], Rows]
    columns: Sequence[_Column]


def add_to(commands: Any) -> None:
    """Add the commands to the parser's commands."""
    mine = commands.add_parser("mine", help="your agreements, certifications, service, log, lost and late writes")
    views = mine.add_subparsers(required=True)
    for name, view in _VIEWS.items():
        parser = views.add_parser(name, help=view.help)
        parser.add_argument("--url", required=True, help="Torv's address")
        parser.add_argument("--key", type=Path, required=True, help="the key of one of your releases")
        parser.add_argument("--client-id", required=True, help="that release's id")
        parser.add_argument("--json", action="store_true", help="everything Torv says, for programs")
        parser.add_argument("--language", choices=("da", "en"), default="da", help="of the table (default: da)")
        if name == "levels":
            parser.add_argument("--month", help="such as 2026-10; the last one if left out")
            parser.add_argument("--agreement", help="the id of one agreement; all of them if left out")
        if name == "interface":
            parser.add_argument("--capability", required=True, help="such as notes")
            parser.add_argument("--major", type=int, default=1, help="version of its contract (default: 1)")
            parser.add_argument("--unit", type=UUID, help="the id of a unit; the whole municipality if left out")
        if name == "entries":
            parser.add_argument("--since", help="an instant such as 2026-10-01T00:00:00Z; all of them if left out")
            parser.add_argument("--save", type=Path, help="a folder that gets what proves each entry, a file each")
        parser.set_defaults(run=_run, view=view)
    check = commands.add_parser("verify-entry", help="verify, with no network, an entry of Torv's log that was saved")
    check.add_argument("file", type=Path)
    check.add_argument("--fingerprint", required=True, help="thumbprint of a key of the log, from the municipality")
    check.set_defaults(run=_verify_entry)


def _run(options: argparse.Namespace) -> str:
    rows = asyncio.run(_fetch(options))
    if options.json:
        return json.dumps(rows, ensure_ascii=False, indent=1)
    return _table(options.view.shown(rows), options.view.columns, options.language)


async def _fetch(options: argparse.Namespace) -> Rows:
    url = options.url.rstrip("/")
    async with KernelClient(url, options.client_id, read_key(options.key)) as torv:
        found: Rows = await options.view.fetch(torv, options)
        return found


async def _all(torv: KernelClient, path: str, query: Mapping[str, str] = MappingProxyType({})) -> Rows:
    """Every row of a list, page by page."""
    rows: Rows = []
    after: dict[str, str] = {}
    while True:
        page = await torv.get(path, {"limit": PAGE, **query, **after})
        rows += page["items"]
        if page["next"] is None:
            return rows
        after = {"cursor": page["next"]}


# ---- what is asked for -----------------------------------------------------------------------------------------------
async def _agreements(torv: KernelClient, _: argparse.Namespace) -> Rows:
    return await _all(torv, "/api/v1/agreements")


async def _certifications(torv: KernelClient, _: argparse.Namespace) -> Rows:
    """Of every release of every module that is ours, with the names people know them by."""
    rows: Rows = []
    for module in await _all(torv, "/api/v1/modules"):
        for release in await _all(torv, f"/api/v1/modules/{module['id']}/releases"):
            named = {"module": module["name"], "release_version": release["version"]}
            rows += [named | each for each in await _all(torv, f"/api/v1/releases/{release['id']}/certifications")]
    return rows


async def _levels(torv: KernelClient, options: argparse.Namespace) -> Rows:
    """The statement of each agreement, sealed or so far; none for an agreement that promises nothing then."""
    month = options.month or _last_month(datetime.now(UTC))
    asked = [options.agreement] if options.agreement else [each["id"] for each in await _agreements(torv, options)]
    found = [await _statement(torv, each, month, must=options.agreement is not None) for each in asked]
    return [each for each in found if each is not None]


async def _statement(torv: KernelClient, agreement: str, month: str, *, must: bool) -> dict[str, Any] | None:
    try:
        return dict(await torv.get(f"/api/v1/service-levels/{agreement}/{month}"))
    except KernelRefusal as refusal:
        if refusal.code != "not_found" or must:
            raise
        return None


def _last_month(now: datetime) -> str:
    here = now.astimezone(DENMARK)
    year, month = divmod(here.year * 12 + here.month - 2, 12)
    return f"{year:04}-{month + 1:02}"


async def _interface(torv: KernelClient, options: argparse.Namespace) -> Rows:
    """The operations that may be asked of whoever provides a capability now, in a unit or everywhere."""
    unit = {} if options.unit is None else {"unit_id": str(options.unit)}
    path = f"/api/v1/requirements/interfaces/{options.capability}/v{options.major}"
    found = await torv.get(path, unit)
    return [{"contract": found["contract_version"], **each} for each in found["operations"]]


async def _dead_letters(torv: KernelClient, _: argparse.Namespace) -> Rows:
    return await _all(torv, "/api/v1/dead-letters")


async def _late(torv: KernelClient, _: argparse.Namespace) -> Rows:
    """Records and events, the newest first."""
    records = [{**each, "kind": "record"} for each in await _all(torv, "/api/v1/records/late")]
    events = [{**each, "kind": "event"} for each in await _all(torv, "/api/v1/events/late")]
    return sorted(records + events, key=lambda row: datetime.fromisoformat(row["at"]), reverse=True)


async def _proposals(torv: KernelClient, _: argparse.Namespace) -> Rows:
    return await _all(torv, "/api/v1/requirements/proposals")


async def _entries(torv: KernelClient, options: argparse.Namespace) -> Rows:
    """What the log says your programs did; with what proves it, in a folder that only you can read."""
    rows = await _all(torv, "/api/v1/audit/own", {"since": options.since} if options.since else {})
    if options.save is not None:
        options.save.mkdir(mode=0o700, exist_ok=True)
        for each in rows:
            await _save(torv, each["id"], options.save / f"{each['id']}.jsonl")
    return rows


async def _save(torv: KernelClient, entry: str, file: Path) -> None:
    """Fetch what proves an entry; one that no head covers yet is left for the next time."""
    try:
        lines = (await torv.get(f"/api/v1/audit/own/{entry}"))["lines"]
    except KernelRefusal as refusal:
        if refusal.code != "not_yet_sealed":
            raise
        return
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        stream.writelines(f"{line}\n" for line in lines)


def _verify_entry(options: argparse.Namespace) -> str:
    proved = verify_entry(options.file.read_text(encoding="utf-8").splitlines(), [options.fingerprint])
    under = f"entry {proved.position} of the log {proved.log}, under the head of {proved.head_at.isoformat()}"
    said = "its record was withheld or erased" if proved.record is None else json.dumps(proved.record, indent=1)
    return f"Proved: {under}.\n{said}"


# ---- how it is shown -------------------------------------------------------------------------------------------------
def _lines(statements: Rows) -> Rows:
    """A row for each promise."""
    return [
        {
            **line,
            "title": each["content"]["title"],
            "month": each["content"]["month"],
            "version": each["version"],
            "units": _units(each, line["service"]),
        }
        for each in statements
        for line in each["content"]["lines"]
    ]


def _units(statement: dict[str, Any], service: str) -> str:
    """The units that a service was bound in, `*` being the rest of the municipality; empty where there is no other."""
    names = {each["id"]: each["name"] for each in statement["units"]}
    [found] = [each for each in statement["content"]["services"] if each["service"] == service]
    units = [each["unit"] for each in found.get("units", ())]
    return ", ".join("*" if each is None else names.get(each) or each for each in units)


def _table(rows: Rows, columns: Sequence[_Column], language: str) -> str:
    heads = [getattr(column, language) for column in columns]
    cells = [heads, *([_cell(column.of(row)) for column in columns] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    rule = ["-" * width for width in widths]
    lines = [cells[0], rule, *cells[1:]]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _cell(value: object) -> str:
    """A value in a table; what others have written may hold nothing that a terminal would obey."""
    text = "-" if value is None or value == "" else str(value)
    return "".join(each if each.isprintable() else "?" for each in text)


def _day(instant: str) -> str:
    return f"{_here(instant):%Y-%m-%d}"


def _time(instant: str) -> str:
    return f"{_here(instant):%Y-%m-%d %H:%M}"


def _here(instant: str) -> datetime:
    return datetime.fromisoformat(instant).astimezone(DENMARK)


def _promise(line: dict[str, Any]) -> str:
    """Such as `>= 99.9 %` or `<= 300 ms (95 %)`."""
    unit = {"availability": "%", "error_rate": "%", "response_ms": "ms", "outage_minutes": "min"}[line["metric"]]
    share = f" ({line['percentile']} %)" if line["percentile"] else ""
    return f"{'>=' if line['metric'] == 'availability' else '<='} {line['target']} {unit}{share}"


_KEPT = {True: "✓", False: "✗", None: "-"}

_VIEWS = {
    "agreements": _View(
        help="your agreements, how they stand, and whose signature is missing", fetch=_agreements,
        shown=lambda rows: rows,
        columns=(
            _Column(da="Aftale", en="Agreement", of=lambda row: row["id"]),
            _Column(da="Navn", en="Title", of=lambda row: row["title"]),
            _Column(da="Udgave", en="Version", of=lambda row: row["version"]),
            _Column(da="Tilstand", en="State", of=lambda row: row["state"]),
            _Column(da="Fra", en="From", of=lambda row: _day(row["not_before"])),
            _Column(da="Til", en="To", of=lambda row: _day(row["not_after"])),
            _Column(da="Mangler underskrift", en="Not signed by", of=lambda row: ", ".join(row["missing_signatures"])),
        ),
    ),
    "certifications": _View(
        help="what your releases are certified for, and until when", fetch=_certifications, shown=lambda rows: rows,
        columns=(
            _Column(da="Modul", en="Module", of=lambda row: f"{row['module']} {row['release_version']}"),
            _Column(da="Ydelse", en="Capability", of=lambda row: f"{row['capability']}/{row['major']}"),
            _Column(da="Niveau", en="Level", of=lambda row: row["level"]),
            _Column(da="Kravprofil", en="Requirement set", of=lambda row: (row["requirement_set"] or "")[:12]),
            _Column(da="Prøvet", en="Tried", of=lambda row: _day(row["began_at"])),
            _Column(da="Gælder til", en="Counts until", of=lambda row: _day(row["expires_at"])),
        ),
    ),
    "levels": _View(
        help="what you promised and what was measured in a month", fetch=_levels, shown=_lines,
        columns=(
            _Column(da="Aftale", en="Agreement", of=lambda row: row["title"]),
            _Column(da="Måned", en="Month", of=lambda row: row["month"]),
            _Column(da="Udgave", en="Version", of=lambda row: row["version"]),
            _Column(da="Ydelse", en="Service", of=lambda row: row["service"]),
            _Column(da="Enheder", en="Units", of=lambda row: row["units"]),
            _Column(da="Mål", en="Metric", of=lambda row: row["metric"]),
            _Column(da="Lovet", en="Promised", of=_promise),
            _Column(da="Målt", en="Measured", of=lambda row: row["measured"]),
            _Column(da="Overholdt", en="Kept", of=lambda row: _KEPT[row["is_kept"]]),
            _Column(da="Bod %", en="Remedy %", of=lambda row: row["remedy_percent_of_own_time"]),
        ),
    ),
    "interface": _View(
        help="what may be asked of whoever provides a capability now", fetch=_interface, shown=lambda rows: rows,
        columns=(
            _Column(da="Operation", en="Operation", of=lambda row: row["id"]),
            _Column(da="Metode", en="Method", of=lambda row: row["method"]),
            _Column(da="Sti", en="Path", of=lambda row: row["path"]),
            _Column(da="Kontrakt", en="Contract", of=lambda row: row["contract"]),
            _Column(da="Kravprofil", en="Requirement set", of=lambda row: (row["requirement_set"] or "")[:12]),
        ),
    ),
    "dead-letters": _View(
        help="events that your releases would not take for about a day", fetch=_dead_letters, shown=lambda rows: rows,
        columns=(
            _Column(da="Brev", en="Letter", of=lambda row: row["id"]),
            _Column(da="Ydelse", en="Capability", of=lambda row: row["capability"]),
            _Column(da="Enhed", en="Unit", of=lambda row: row["unit_name"]),
            _Column(da="Hændelse", en="Event", of=lambda row: row["type"]),
            _Column(da="Forsøg", en="Attempts", of=lambda row: row["attempts"]),
            _Column(da="Sidste svar", en="Last answer", of=lambda row: row["last_status"]),
            _Column(da="Opgivet", en="Given up", of=lambda row: _time(row["dead_at"])),
        ),
    ),
    "entries": _View(
        help="what the log says your programs did; --save keeps what proves it", fetch=_entries,
        shown=lambda rows: rows,
        columns=(
            _Column(da="Linje", en="Entry", of=lambda row: row["position"]),
            _Column(da="Tid", en="At", of=lambda row: _time(row["at"])),
            _Column(da="Handling", en="Operation", of=lambda row: row["operation"]),
            _Column(da="Slags", en="Kind", of=lambda row: row["kind"]),
            _Column(da="Resultat", en="Result", of=lambda row: row["result"]),
            _Column(da="Id", en="Id", of=lambda row: row["id"]),
        ),
    ),
    "proposals": _View(
        help="what the municipality demands of you, and from when", fetch=_proposals, shown=lambda rows: rows,
        columns=(
            _Column(da="Kravprofil", en="Requirement set", of=lambda row: row["requirement_set"][:12]),
            _Column(da="Ydelse", en="Capability", of=lambda row: f"{row['capability']}/{row['major']}"),
            _Column(da="Navn", en="Title", of=lambda row: row["title"]),
            _Column(da="Kontrakt", en="Contract", of=lambda row: row["contract_version"]),
            _Column(da="Gælder fra", en="From", of=lambda row: row["from_day"]),
            _Column(da="Sendt", en="Sent", of=lambda row: _day(row["sent_at"])),
        ),
    ),
    "late": _View(
        help="what came after your release was moved away from: kept, shown, never the truth", fetch=_late,
        shown=lambda rows: rows,
        columns=(
            _Column(da="Slags", en="Kind", of=lambda row: row["kind"]),
            _Column(da="Skrivning", en="Write", of=lambda row: row["id"]),
            _Column(da="Ydelse", en="Capability", of=lambda row: row["capability"]),
            _Column(da="Nøgle", en="Key", of=lambda row: row["idempotency_key"]),
            _Column(da="Kom", en="Came", of=lambda row: _time(row["at"])),
        ),
    ),
}  # fmt: skip
