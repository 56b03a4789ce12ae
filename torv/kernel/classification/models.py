"""Values of classification: code lists in editions, and what changed from one to the next."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID


class CodeList(StrEnum):
    """A list of codes that somebody publishes in editions."""

    KLE = "kle"  #: KL Emnesystematik: subjects and action facets


@dataclass(frozen=True, kw_only=True, slots=True)
class Keyword:
    """A word or phrase that points at an entry."""

    text: str
    weight: int  #: 5 is ordinary


@dataclass(frozen=True, kw_only=True, slots=True)
class NewEntry:
    """A code as a source has it. None: the source does not say, and what is known stays."""

    code: str
    level: str
    title: str
    parent: str | None = None
    has_derived_title: bool = False  #: worked out by us; never replaces a title that was published
    valid_from: date | None = None
    valid_to: date | None = None  #: the first day on which it no longer holds
    official_id: UUID | None = None
    keywords: tuple[Keyword, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewEdition:
    """An edition to be imported: all that it says about the levels it covers; a code it leaves out has ended."""

    code_list: CodeList
    published: date
    source: str  #: the name of the file
    levels: frozenset[str]
    entries: tuple[NewEntry, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Edition:
    """An edition that has been imported."""

    number: int
    published: date
    source: str
    levels: list[str]
    imported_at: datetime


class ChangeKind(StrEnum):
    ADDED = "added"
    RETITLED = "retitled"
    ENDED = "ended"
    UPDATED = "updated"  #: anything else, such as keywords


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryChange:
    """What an edition changed about a code."""

    kind: ChangeKind
    code: str
    title: str
    former_title: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """What an import came to."""

    edition: Edition
    is_new: bool  #: otherwise exactly this was imported before, and nothing was done
    changes: tuple[EntryChange, ...]  #: by code
    unchanged: int  #: codes of the file that say what was known

    def count(self, kind: ChangeKind) -> int:
        return sum(change.kind is kind for change in self.changes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A code, as an edition knew it and as it was on a day."""

    code: str
    level: str
    parent: str | None
    title: str
    has_derived_title: bool  #: worked out by us, because no source with the published title was imported
    valid_from: date | None  #: None: no source says since when
    valid_to: date | None  #: the first day on which it no longer holds; None: in force
    official_id: UUID | None  #: the publisher's own
    edition: int  #: the edition that last changed it


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedEntry(Entry):
    """An entry in a list."""

    place: str  #: what the list is sorted by


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryFilter:
    """What listed entries must match."""

    text: str = ""  #: words of the title, perhaps mistyped
    prefix: str | None = None  #: how the code begins
    parent: str | None = None
    level: str | None = None
    edition: int | None = None  #: as this edition knew them
    valid_at: date | None = None  #: as they were on this day; None: as they are, today


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """An entry that a text may be about."""

    code: str
    title: str
    score: float  #: higher is likelier; comparable within one answer only
    words: tuple[str, ...]  #: the words of the text that point at it
