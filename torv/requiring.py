"""`torv requirement`: check a municipal profile, put it to partners, and see which release meets which demands.

What is found is told in the installation's language; a profile that cannot be used ends the command with status 1.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer

from torv.acting import complain, in_database
from torv.base.access import Access, Caller, CallerKind
from torv.base.db import Tx
from torv.base.ids import new_id
from torv.base.pages import LARGEST_SIZE, Wanted
from torv.base.settings import read_settings
from torv.ecosystem.requirements import (
    NewProposal,
    Outcome,
    ReleaseStanding,
    Standing,
    examine,
    list_matrix,
    list_sets,
    propose,
)

Row = TypeVar("Row")
commands = typer.Typer(no_args_is_help=True, help="Requirements: what is demanded beyond a contract, and who meets it.")

OPERATOR = Caller(kind=CallerKind.OPERATOR, id=UUID(int=0), name="operator")
#: standing -> how it is told, in Danish and English
STATES: dict[Standing, tuple[str, str]] = {
    Standing.CERTIFIED: ("certificeret", "certified"), Standing.FAILED: ("opfylder ikke", "does not meet"),
    Standing.NOT_TRIED: ("ikke prøvet", "not tried"), Standing.EXPIRED: ("udløbet", "expired"),
}  # fmt: skip
MARKS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.NOT_TRIED: "–"}

ProfileFile = Annotated[Path, typer.Argument(help="A profile, YAML.")]
Capability = Annotated[str | None, typer.Argument(help="Only this capability.")]


@commands.command()
def check(file: ProfileFile) -> None:
    """Tell what is wrong with a profile, and which releases meet it today; nothing is kept."""
    text = _text_of(file)

    async def look(tx: Tx) -> Any:
        return await examine(tx, _permit("examine"), text)

    found = in_database(look)
    _say(f"Kravprofilen kan bruges: {found.title}, kravsæt {found.hash}.",
        f"The profile can be used: {found.title}, requirement set {found.hash}.")  # fmt: skip
    _tell_of(found.positions)


@commands.command("propose")
def put_to_partners(
    capability: Annotated[str, typer.Argument(help="The capability it is about.")],
    profile: Annotated[Path, typer.Option(help="The profile, YAML.")],
    from_day: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day on which it is demanded.")
    ] = None,
) -> None:
    """Put a profile to the partners whose releases provide the capability or could, and set the day it is demanded."""
    new = NewProposal(profile=_text_of(profile), from_day=from_day.date() if from_day else None)

    async def put(tx: Tx) -> Any:
        access = _permit("propose")
        if (await examine(tx, access, new.profile)).capability != capability:
            return None
        return await propose(tx, access, new)

    done = in_database(put)
    if done is None:
        complain(f"{profile}: handler ikke om {capability}" if _is_danish() else f"{profile}: not about {capability}")
        raise typer.Exit(1)
    names = ", ".join(done.sent_to) or "–"
    _say(f"Sendt til {names}: {done.requirement_set.title}, kravsæt {done.requirement_set.hash}.",
        f"Put to {names}: {done.requirement_set.title}, requirement set {done.requirement_set.hash}.")  # fmt: skip
    if done.requirement_set.from_day is not None:
        day = done.requirement_set.from_day
        _say(f"Kravene gælder fra {day}.", f"Demanded from {day} on.")
    _tell_of(done.positions)


@commands.command("list")
def show_all(capability: Capability = None) -> None:
    """Every requirement set, and from when it is demanded."""

    async def read(tx: Tx, wanted: Wanted) -> Any:
        return await list_sets(tx, _permit("read"), wanted=wanted, capability=capability)

    for each in _every(read, lambda seq, row: [row.capability, seq]):
        version = f"{each.capability} v{each.major}  {each.contract_version}"
        typer.echo(f"{version}  {_day(each.from_day)}  {each.hash}  {each.title}")


@commands.command("matrix")
def show_matrix(capability: Capability = None) -> None:
    """How each release stands to each requirement set, with the demands it does not meet."""

    async def read(tx: Tx, wanted: Wanted) -> Any:
        return await list_matrix(tx, _permit("read"), wanted=wanted, capability=capability)

    known = ""
    for each in _every(read, lambda seq, row: [row.capability, seq, row.release_id]):
        if each.requirement_set != known:
            known = each.requirement_set
            typer.echo(f"{each.title}  {_day(each.from_day)}  {known}")
        _tell_of([each])


def _every(
    read: Callable[[Tx, Wanted], Awaitable[list[tuple[int, Row]]]], key: Callable[[int, Row], list[Any]]
) -> list[Row]:
    """All pages of a list."""

    async def all_of(tx: Tx) -> list[Row]:
        found: list[tuple[int, Row]] = []
        while True:
            after = key(*found[-1]) if found else None
            part = await read(tx, Wanted(size=LARGEST_SIZE, after=after, binding=b""))
            found += part[:LARGEST_SIZE]
            if len(part) <= LARGEST_SIZE:
                return [each for _, each in found]

    return in_database(all_of)


def _tell_of(positions: Sequence[ReleaseStanding]) -> None:
    is_danish = _is_danish()
    for each in positions:
        state = STATES[each.state][0 if is_danish else 1]
        who = f" ({each.certifier}, {each.expires_at:%Y-%m-%d})" if each.certifier and each.expires_at else ""
        typer.echo(f"  {each.module_name} {each.release_version}, {each.partner_name}: {state}{who}")
        for judged in each.unmet:
            found = f" [{judged.found}]" if judged.found else ""
            typer.echo(f"    {MARKS[judged.outcome]} {judged.id}: {judged.da if is_danish else judged.en}{found}")


def _day(day: date | None) -> str:
    return day.isoformat() if day else "-"


def _say(danish: str, english: str) -> None:
    typer.echo(danish if _is_danish() else english)


def _is_danish() -> bool:
    return read_settings().language == "da"


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        complain(f"{file}: kan ikke læses" if _is_danish() else f"{file}: cannot be read")
        raise typer.Exit(1) from None


def _permit(operation: str) -> Access:
    return Access(
        caller=OPERATOR, service="requirements", operation=operation, category="contract", request_id=new_id()
    )
