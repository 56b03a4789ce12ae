"""Searching persons: by name with typing errors, birth date and address, in Danish order."""

from dataclasses import dataclass, fields
from uuid import UUID

from torv.base import clock
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import InvalidInput
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.text import search_key
from torv.base.trail import note
from torv.kernel.persons import rules
from torv.kernel.persons.models import Person, Search

sql = load(__file__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found(Person):
    """A person with the key the list is sorted by."""

    name_sort: str

    def person(self) -> Person:
        return Person(**{each.name: getattr(self, each.name) for each in fields(Person)})


def shown(found: Found, access: Access) -> Person:
    """A person found, as the permit lets it be seen."""
    return rules.visible(found.person(), access)


async def search_persons(tx: Tx, access: Access, *, search: Search, wanted: Wanted) -> list[Found]:
    """Persons who fit, in Danish order. Raises InvalidInput if nothing is asked for.

    A protected address or name that the permit does not cover is neither searched nor sorted by: such a person is found
    only by what may be seen of them.
    """
    name, address = search_key(search.name or "") or None, search_key(search.address or "") or None
    after_sort, after_id = wanted.after or (None, None)
    common = {
        "name": name, "sees_names": access.covers(rules.PROTECTED_NAME), "today": clock.today(),
        "after_sort": after_sort, "after_id": UUID(after_id) if after_id else None, "size": wanted.fetch,
    }  # fmt: skip
    if address:
        sees = access.covers(rules.PROTECTED_ADDRESS)
        found = await tx.all(
            Found, sql.search_by_address, address=address, birth_date=search.birth_date, sees_addresses=sees, **common
        )
    elif search.birth_date:
        found = await tx.all(Found, sql.search_by_birth_date, birth_date=search.birth_date, **common)
    elif name:
        found = await tx.all(Found, sql.search_by_name, **common)
    else:
        raise InvalidInput(reason="name, birth_date or address")
    note(tx, access, "read", [each.id for each in found[: wanted.size]], detail={"found": len(found)})
    return found
