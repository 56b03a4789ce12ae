"""A short KLE, imported into a database of the test's own, and who reads it."""

from datetime import date

import pytest

from tests.cast import Cast
from torv.base.access import Access
from torv.base.db import Database
from torv.base.pages import Wanted
from torv.kernel.classification import CodeList, Import, Keyword, NewEdition, NewEntry, import_edition

LEVELS = frozenset({"main_group", "group", "subject"})
SPRING, AUTUMN = date(2026, 3, 1), date(2026, 9, 1)

CODES = {
    "05": "Veje og trafik",
    "05.07": "Renholdelse og vintertjeneste",
    "05.07.02": "Snerydning og glatførebekæmpelse",
    "09": "Miljøbeskyttelse",
    "09.13": "Skadedyrsbekæmpelse",
    "09.13.01": "Rottebekæmpelse",
    "09.13.02": "Muldvarpe",
    "27": "Social service",
    "27.36": "Personlig hjælp, omsorg og pleje",
    "27.36.04": "Personlig og praktisk hjælp",
    "27.36.24": "Madservice",
    "27.42": "Plejeboliger og plejehjem",
    "27.42.08": "Plejebolig",
    "27.45": "Ældreboliger",
    "27.45.04": "Åben anvisning til ældrebolig",
}


def entry(code: str, title: str) -> NewEntry:
    level = {2: "main_group", 5: "group", 8: "subject"}[len(code)]
    keywords = (Keyword(text=title, weight=5),) if level == "subject" else None
    return NewEntry(code=code, level=level, title=title, parent=code.rpartition(".")[0] or None, keywords=keywords)


def edition(published: date = SPRING, without: tuple[str, ...] = (), **titles: str) -> NewEdition:
    """The short KLE, with changes: `edition(AUTUMN, without=("09.13.02",), c27_36_24="Mad")`."""
    changed = CODES | {name.removeprefix("c").replace("_", "."): title for name, title in titles.items()}
    entries = tuple(entry(code, title) for code, title in sorted(changed.items()) if code not in without)
    return NewEdition(code_list=CodeList.KLE, published=published, source="kort.txt", levels=LEVELS, entries=entries)


def wanted(size: int = 50, after: list[object] | None = None) -> Wanted:
    return Wanted(size=size, after=after, binding=b"")


@pytest.fixture
def importer(cast: Cast) -> Access:
    return cast.user("classification.import", "classification")


@pytest.fixture
def reader(cast: Cast) -> Access:
    return cast.user("classification.read", "classification")


async def take_in(database: Database, access: Access, new: NewEdition, *, accepts_endings: bool = False) -> Import:
    async with database.transaction() as tx:
        return await import_edition(tx, access, new=new, accepts_endings=accepts_endings)
