"""Operating: what whoever runs Torv's commands on its own machine may do, each act with a permit in the trail."""

import asyncio
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

from torv.base import keyring
from torv.base.access import Access, Caller, CallerKind
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.pages import Wanted
from torv.base.signing import load_keys
from torv.base.trail import note
from torv.ecosystem.agreements import (
    Agreement,
    Listed,
    export_agreement,
    import_agreement,
    list_agreements,
)
from torv.interfaces.cpr import Imported, Report, import_extract
from torv.interfaces.kle import import_file
from torv.kernel.classification import Import
from torv.kernel.identity import ADMINISTRATOR, NewAssignment, User, assign_role, create_user
from torv.kernel.organisation import ImportSummary, Organisation, export_organisation, import_organisation

PART = 100  #: agreements read at a time
OPERATOR = Caller(kind=CallerKind.OPERATOR, id=UUID(int=0), name="operator")


async def add_user(dsn: str, *, login: str, name: str, password: str) -> User:
    """Create an administrator. Raises AlreadyExists or InvalidInput."""
    access = _permit("identity", "create_user", "user")
    async with Database.opened(dsn, 2) as database, database.transaction() as tx:
        user = await create_user(tx, access, login=login, name=name, password=password)
        await assign_role(tx, access, user.id, new=NewAssignment(role_id=ADMINISTRATOR))
        return user


async def take_in_kle(dsn: str, file: Path, *, published: date | None, accepts_endings: bool) -> Import:
    """Import an edition of KLE. Raises KleFileInvalid."""
    access = _permit("classification", "import", "classification")
    async with Database.opened(dsn, 2) as database:
        return await import_file(database, access, file, published=published, accepts_endings=accepts_endings)


async def take_in_cpr(dsn: str, file: Path, report: Report) -> Imported:
    """Import an extract from the register of persons. Raises CprFileInvalid, CprFileChanged or CprFileOutdated."""
    async with Database.opened(dsn, 2) as database:
        return await import_extract(database, _permit("persons", "import", "person", "person.cpr"), file, report)


async def take_in_organisation(dsn: str, organisation: Organisation) -> ImportSummary:
    """Import units, employees and positions: whole, or not at all."""
    async with Database.opened(dsn, 2) as database, database.transaction() as tx:
        return await import_organisation(tx, _permit("organisation", "import", "organisation"), organisation)


async def give_out_organisation(dsn: str) -> Organisation:
    """All units, employees and positions, past and planned."""
    async with Database.opened(dsn, 2) as database, database.transaction() as tx:
        return await export_organisation(tx, _permit("organisation", "export", "organisation"))


async def give_out_agreement(dsn: str, folder: Path, agreement_id: UUID) -> dict[str, Any]:
    """An agreement with its signatures as an agreement file. Raises NotFound."""
    key = (await asyncio.to_thread(load_keys, folder)).signing
    async with Database.opened(dsn, 2) as database, database.transaction() as tx:
        return await export_agreement(tx, _permit("agreements", "export", "agreement"), agreement_id, key)


async def take_in_agreement(dsn: str, folder: Path, text: bytes) -> Agreement:
    """Take in an agreement file. Raises AgreementInvalid, SignatureInvalid, AlreadyExists or AgreementStateWrong."""
    key = (await asyncio.to_thread(load_keys, folder)).signing
    async with Database.opened(dsn, 2) as database, database.transaction() as tx:
        return await import_agreement(tx, _permit("agreements", "import", "agreement"), text, key)


async def all_agreements(dsn: str) -> list[Listed]:
    """Every agreement and how it stands, the last proposed first."""
    access, found, after = _permit("agreements", "read", "agreement"), [], None
    async with Database.opened(dsn, 2) as database:
        while True:
            async with database.transaction() as tx:
                wanted = Wanted(size=PART, after=after, binding=b"")
                rows = (await list_agreements(tx, access, wanted=wanted))[:PART]
            found += [each for _, each in rows]
            if len(rows) < PART:
                return found
            after = [rows[-1][0]]


async def rotate_token_key(dsn: str, folder: Path) -> str:
    """Make tokens with a new key from now on; gives its thumbprint. Those made with the former end by themselves."""
    async with Database.opened(dsn, 2) as database, database.transaction() as tx:
        kid = (await asyncio.to_thread(keyring.rotate_token_key, folder)).thumbprint()
        note(tx, _permit("keys", "rotate", "key"), "write", detail={"key": "tokens", "kid": kid})
        return kid


def _permit(service: str, operation: str, category: str, *more: str) -> Access:
    return Access(
        caller=OPERATOR, service=service, operation=operation, category=category,
        categories=frozenset({category, *more}), request_id=new_id(),
    )  # fmt: skip
