"""`torv levels`: what suppliers promised and what was measured, in plain Danish or as JSON."""

import json
import sys
from typing import Annotated
from uuid import UUID

import typer

from torv.acting import act
from torv.base.access import Access, Caller, CallerKind
from torv.base.db import Database
from torv.base.ids import new_id
from torv.ecosystem.service_levels import LevelStatement, month_of, read_statement, text_of

commands = typer.Typer(no_args_is_help=True, help="Service levels: promised against measured.")

OPERATOR = Caller(kind=CallerKind.OPERATOR, id=UUID(int=0), name="operator")


@commands.callback()
def _of_their_own() -> None:
    """Service levels: promised against measured."""


@commands.command()
def show(
    agreement: Annotated[UUID, typer.Option(help="The agreement's id.")],
    month: Annotated[str, typer.Option(help="Such as 2026-10.")],
    version: Annotated[int | None, typer.Option(min=1, help="Of the sealed statement; the newest if left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The statement as it is sealed.")] = False,
) -> None:
    """Show the statement of a month; before it is sealed, how it stands so far."""
    found = act(lambda dsn: _read(dsn, agreement, month, version))
    plain = {"version": found.version, "reason": found.reason, "hash": found.hash, "content": found.content}
    plain |= {"units": {str(each.id): each.name for each in found.units}} if found.units else {}
    sys.stdout.write(json.dumps(plain, ensure_ascii=False, indent=1) + "\n" if as_json else text_of(found))


async def _read(dsn: str, agreement: UUID, month: str, version: int | None) -> LevelStatement:
    access = Access(
        caller=OPERATOR, service="service_levels", operation="read", category="agreement",
        categories=frozenset({"agreement"}), request_id=new_id(),
    )  # fmt: skip
    async with Database.opened(dsn, 1) as database, database.transaction() as tx:
        return await read_statement(tx, access, agreement, month_of(month), version=version)
