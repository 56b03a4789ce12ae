"""`torv capability`: check a contract's folder, put it into force while Torv runs, and list what is in force.

What is found is told in the installation's language; a contract that cannot be used ends the command with status 1.
"""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar
from uuid import UUID

import typer

from torv.acting import act, complain, tell
from torv.base.access import Access, Caller, CallerKind
from torv.base.db import Database, Tx
from torv.base.errors import TorvError
from torv.base.ids import new_id
from torv.base.pages import LARGEST_SIZE, Wanted
from torv.base.settings import read_settings
from torv.ecosystem.modules import Contract, KeptContract, add_contract, list_contracts, read_contract, read_folder

T = TypeVar("T")
commands = typer.Typer(no_args_is_help=True, help="Capabilities: their contracts, checked, added and listed.")

OPERATOR = Caller(kind=CallerKind.OPERATOR, id=UUID(int=0), name="operator")

Folder = Annotated[Path, typer.Argument(help="A folder with contract.yaml and the schemas it names.")]


@commands.command()
def check(folder: Folder) -> None:
    """Tell what is wrong with a contract; needs no database and no network."""
    contract = _caught(lambda: _contract_in(folder))
    facts = f"{contract.capability} v{contract.major} ({contract.version}), SHA-256 {contract.hash}"
    _say(f"Kontrakten kan bruges: {facts}.", f"The contract can be used: {facts}.")


@commands.command()
def add(folder: Folder) -> None:
    """Put a contract, or a newer version of it, into force: at once, in every process, without a restart."""
    contract = _caught(lambda: _contract_in(folder))

    async def put(tx: Tx) -> KeptContract:
        return await add_contract(tx, _permit("add_contract", "contract"), contract)

    kept = _in_database(put)
    _say(f"{kept.title} gælder nu: {kept.capability} v{kept.major}, version {kept.version}.",
         f"{kept.title} is in force: {kept.capability} v{kept.major}, version {kept.version}.")  # fmt: skip


@commands.command("list")
def show_all() -> None:
    """Every contract in force."""

    async def read(tx: Tx) -> list[KeptContract]:
        found: list[KeptContract] = []
        while True:
            after = [found[-1].capability, found[-1].major] if found else None
            wanted = Wanted(size=LARGEST_SIZE, after=after, binding=b"")
            part = await list_contracts(tx, _permit("read", "module"), wanted=wanted)
            found += part[:LARGEST_SIZE]
            if len(part) <= LARGEST_SIZE:
                return found

    for each in _in_database(read):
        typer.echo(f"{each.capability} v{each.major}  {each.version}  {each.hash[:16]}  {each.title}")


def _contract_in(folder: Path) -> Contract:
    return read_contract(read_folder(folder))


def _in_database(verb: Callable[[Tx], Awaitable[T]]) -> T:
    """Do something in one transaction; what is refused is told in the installation's language."""

    async def attempt(dsn: str) -> T | TorvError:
        database = await Database.open(dsn, 2)
        try:
            async with database.transaction() as tx:
                return await verb(tx)
        except TorvError as error:
            return error
        finally:
            await database.close()

    done = act(attempt)
    if isinstance(done, TorvError):
        _stop(done)
    return done


def _caught(verb: Callable[[], T]) -> T:
    try:
        return verb()
    except TorvError as error:
        _stop(error)


def _stop(error: TorvError) -> NoReturn:
    """Tell what is wrong, each thing on a line of its own where there are several."""
    language = read_settings().language
    faults = error.facts.get("faults", ())
    for each in faults:
        why = each["reason_da" if language == "da" else "reason"]
        complain(f"{each['file']} {each['place']}: {why}".replace(" :", ":"))
    if not faults:
        complain(error.message(language))
    sys.exit(1)


def _say(danish: str, english: str) -> None:
    tell(danish if read_settings().language == "da" else english)


def _permit(operation: str, category: str) -> Access:
    return Access(caller=OPERATOR, service="modules", operation=operation, category=category, request_id=new_id())
