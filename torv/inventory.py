"""`torv inventory`: which releases are made of what, and where which data is."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar
from uuid import UUID

import typer

from torv.acting import act
from torv.base.access import Access, Caller, CallerKind
from torv.base.db import Database, Tx
from torv.base.ids import new_id
from torv.base.pages import LARGEST_SIZE, Wanted
from torv.ecosystem.modules import FoundComponent, FoundLocation, find_components, find_locations

T = TypeVar("T", FoundComponent, FoundLocation)
commands = typer.Typer(no_args_is_help=True, help="What modules are made of, and where they run.")

OPERATOR = Caller(kind=CallerKind.OPERATOR, id=UUID(int=0), name="operator")


@commands.command()
def find(
    component: Annotated[str, typer.Argument(help="A component's name, or how its purl begins.")],
    below: Annotated[str | None, typer.Option(help="Only versions lower than this one.")] = None,
) -> None:
    """Which releases contain a component."""

    async def page(tx: Tx, wanted: Wanted) -> list[FoundComponent]:
        return await find_components(tx, _permit(), component=component, below=below, wanted=wanted)

    for each in _every(page):
        license_ = f"  {each.license}" if each.license else ""
        typer.echo(f"{_release(each)}  {each.name} {each.version}{license_}")


@commands.command()
def where(
    category: Annotated[str | None, typer.Option(help="Only where data of this category is.")] = None,
    country: Annotated[str | None, typer.Option(help="Only in this country (two letters).")] = None,
) -> None:
    """Where releases run, are backed up or are looked into, and which data is there."""

    async def page(tx: Tx, wanted: Wanted) -> list[FoundLocation]:
        return await find_locations(tx, _permit(), country=country, category=category, wanted=wanted)

    for each in _every(page):
        place = ", ".join(filter(None, (each.provider, each.place)))
        typer.echo(f"{_release(each)}  {each.country}  {each.role}  {place}  {', '.join(each.data) or '-'}")


def _release(found: FoundComponent | FoundLocation) -> str:
    service = f" ({', '.join(found.in_service)})" if found.in_service else ""
    return f"{found.module_name} {found.release_version}{service}  {found.partner_name}"


def _every(page: Callable[[Tx, Wanted], Awaitable[list[T]]]) -> list[T]:
    """All pages of a list, one after the other, in one transaction with its entries in the log."""

    async def read(dsn: str) -> list[T]:
        found: list[T] = []
        async with Database.opened(dsn, 1) as database, database.transaction() as tx:
            while True:
                after = [found[-1].release_id, found[-1].number] if found else None
                part = await page(tx, Wanted(size=LARGEST_SIZE, after=after, binding=b""))
                found += part[:LARGEST_SIZE]
                if len(part) <= LARGEST_SIZE:
                    return found

    return act(read)


def _permit() -> Access:
    return Access(caller=OPERATOR, service="modules", operation="read", category="module", request_id=new_id())
