"""Searching persons: by name with typing errors, birth date and address, in Danish order."""

from dataclasses import dataclass
from uuid import UUID

from torv.base import clock
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import InvalidInput
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import note
from torv.kernel.persons import rules, words
from torv.kernel.persons.models import Person, Search

sql = load(__file__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A person, and the key the list is sorted by; that is never shown, for it is made of the name."""

    person: Person
    name_sort: str


def shown(found: Found, access: Access) -> Person:
    """A person found, as the permit lets it be seen."""
    return rules.visible(found.person, access)


async def search_persons(tx: Tx, access: Access, *, search: Search, wanted: Wanted) -> list[Found]:
    """Persons who fit, in Danish order. Raises InvalidInput if nothing is asked for.

    A protected address or name that the permit does not cover is neither searched nor sorted by: such a person is found
    only by what may be seen of them.
    """
    sees_names, sees_addresses = access.covers(rules.PROTECTED_NAME), access.covers(rules.PROTECTED_ADDRESS)
    name = await words.what_is_meant(tx, search.name, words.NAME, sees_hidden=sees_names)
    address = await words.what_is_meant(tx, search.address, words.ADDRESS, sees_hidden=sees_addresses)
    after_sort, after_id = wanted.after or (None, None)
    common = {
        "name": name, "sees_names": sees_names, "today": clock.today(),
        "after_sort": after_sort, "after_id": UUID(after_id) if after_id else None, "size": wanted.fetch,
    }  # fmt: skip
    if address:
        rows = await tx.all(
            dict, sql.search_by_address, address=address, birth_date=search.birth_date,
            sees_addresses=sees_addresses, **common,
        )  # fmt: skip
    elif search.birth_date:
        rows = await tx.all(dict, sql.search_by_birth_date, birth_date=search.birth_date, **common)
    elif name:
        rows = await tx.all(dict, sql.search_by_name, **common)
    else:
        raise InvalidInput(reason="name, birth_date or address")
    found = [Found(name_sort=row.pop("name_sort"), person=Person(**row)) for row in rows]
    note(tx, access, "read", [each.person.id for each in found[: wanted.size]], detail={"found": len(found)})
    return found
