"""`torv capability`: check a contract's folder, put it into force while Torv runs, and list what is in force.

What is found is told in the installation's language; a contract that cannot be used ends the command with status 1.
"""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from torv.acting import caught, in_database, say
from torv.base.access import Access, Caller, CallerKind
from torv.base.db import Tx
from torv.base.ids import new_id
from torv.base.pages import LARGEST_SIZE, Wanted
from torv.ecosystem.modules import Contract, KeptContract, add_contract, list_contracts, read_contract, read_folder

commands = typer.Typer(no_args_is_help=True, help="Capabilities: their contracts, checked, added and listed.")

OPERATOR = Caller(kind=CallerKind.OPERATOR, id=UUID(int=0), name="operator")

Folder = Annotated[Path, typer.Argument(help="A folder with contract.yaml and the schemas it names.")]


@commands.command()
def check(folder: Folder) -> None:
    """Tell what is wrong with a contract; needs no database and no network."""
    contract = caught(lambda: _contract_in(folder))
    facts = f"{contract.capability} v{contract.major} ({contract.version}), SHA-256 {contract.hash}"
    say(f"Kontrakten kan bruges: {facts}.", f"The contract can be used: {facts}.")


@commands.command()
def add(folder: Folder) -> None:
    """Put a contract, or a newer version of it, into force: at once, in every process, without a restart."""
    contract = caught(lambda: _contract_in(folder))

    async def put(tx: Tx) -> KeptContract:
        return await add_contract(tx, _permit("add_contract", "contract"), contract)

    kept = in_database(put)
    say(f"{kept.title} gælder nu: {kept.capability} v{kept.major}, version {kept.version}.",
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

    for each in in_database(read):
        typer.echo(f"{each.capability} v{each.major}  {each.version}  {each.hash[:16]}  {each.title}")


def _contract_in(folder: Path) -> Contract:
    return read_contract(read_folder(folder))


def _permit(operation: str, category: str) -> Access:
    return Access(caller=OPERATOR, service="modules", operation=operation, category=category, request_id=new_id())
