"""The inventory: what releases are made of and where they run, asked across all of them."""

from torv.base.access import Access
from torv.base.db import Tx
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.modules.catalogue import NOBODY
from torv.ecosystem.modules.component_versions import search_name_of, sort_key_of
from torv.ecosystem.modules.models import FoundComponent, FoundLocation

sql = load(__file__)


async def find_components(
    tx: Tx, access: Access, *, component: str, below: str | None, wanted: Wanted
) -> list[FoundComponent]:
    """The releases, retired ones apart, that contain a component (by name or purl) in a version lower than `below`."""
    after = wanted.after or (NOBODY, -1)
    found = await tx.all(
        FoundComponent, sql.found_components, party=access.party, search_name=search_name_of(component),
        purl=component if component.startswith("pkg:") else None, below=None if below is None else sort_key_of(below),
        after=after[0], after_number=after[1], size=wanted.fetch,
    )  # fmt: skip
    note(tx, access, "read", detail={"components": len(found[: wanted.size])})
    return found


async def find_locations(
    tx: Tx, access: Access, *, country: str | None, category: str | None, wanted: Wanted
) -> list[FoundLocation]:
    """Where releases, retired ones apart, run or are looked into; with a category, where data of it is."""
    after = wanted.after or (NOBODY, -1)
    found = await tx.all(
        FoundLocation, sql.found_locations, party=access.party, country=country, category=category, after=after[0],
        after_number=after[1], size=wanted.fetch,
    )  # fmt: skip
    note(tx, access, "read", detail={"locations": len(found[: wanted.size])})
    return found
