"""Operating: what whoever runs Torv's commands on its own machine may do, each act with a permit in the trail."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from uuid import UUID

from torv.base.access import Access, Caller, CallerKind
from torv.base.db import Database
from torv.base.ids import new_id
from torv.interfaces.cpr import Imported, Report, import_extract
from torv.interfaces.kle import import_file
from torv.kernel.classification import Import
from torv.kernel.identity import ADMINISTRATOR, NewAssignment, User, assign_role, create_user
from torv.kernel.organisation import ImportSummary, Organisation, export_organisation, import_organisation

OPERATOR = Caller(kind=CallerKind.OPERATOR, id=UUID(int=0), name="operator")


async def add_user(dsn: str, *, login: str, name: str, password: str) -> User:
    """Create an administrator. Raises AlreadyExists or InvalidInput."""
    access = _permit("identity", "create_user", "user")
    async with _opened(dsn) as database, database.transaction() as tx:
        user = await create_user(tx, access, login=login, name=name, password=password)
        await assign_role(tx, access, user.id, new=NewAssignment(role_id=ADMINISTRATOR))
        return user


async def take_in_kle(dsn: str, file: Path, *, published: date | None, accepts_endings: bool) -> Import:
    """Import an edition of KLE. Raises KleFileInvalid."""
    access = _permit("classification", "import", "classification")
    async with _opened(dsn) as database:
        return await import_file(database, access, file, published=published, accepts_endings=accepts_endings)


async def take_in_cpr(dsn: str, file: Path, report: Report) -> Imported:
    """Import an extract from the register of persons. Raises CprFileInvalid, CprFileChanged or CprFileOutdated."""
    async with _opened(dsn) as database:
        return await import_extract(database, _permit("persons", "import", "person", "person.cpr"), file, report)


async def take_in_organisation(dsn: str, organisation: Organisation) -> ImportSummary:
    """Import units, employees and positions: whole, or not at all."""
    async with _opened(dsn) as database, database.transaction() as tx:
        return await import_organisation(tx, _permit("organisation", "import", "organisation"), organisation)


async def give_out_organisation(dsn: str) -> Organisation:
    """All units, employees and positions, past and planned."""
    async with _opened(dsn) as database, database.transaction() as tx:
        return await export_organisation(tx, _permit("organisation", "export", "organisation"))


def _permit(service: str, operation: str, category: str, *more: str) -> Access:
    return Access(
        caller=OPERATOR, service=service, operation=operation, category=category,
        categories=frozenset({category, *more}), request_id=new_id(),
    )  # fmt: skip


@asynccontextmanager
async def _opened(dsn: str) -> AsyncIterator[Database]:
    database = await Database.open(dsn, 2)
    try:
        yield database
    finally:
        await database.close()
