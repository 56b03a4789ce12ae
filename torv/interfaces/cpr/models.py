"""Values of an import: what a checked file holds, how far the import is, and what came of it."""

from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Extract:
    """A file that has been checked from end to end, and where everything stands in it.

    Persons are dealt out to parts by a hash of the CPR number, so that the lines of one person meet in one part
    wherever they stand in the file. In memory are three numbers for each stretch of lines about one person, no lines.
    """

    path: Path
    sha256: bytes
    mark: tuple[int, int, int]  #: inode, size and time of change, to notice that somebody touches the file
    is_fixed: bool  #: every record has its full length, and nothing stands between them
    task: str  #: the register's number of the task (opgavenummer)
    produced_on: date
    records: int  #: between 000 and 999
    persons: int
    stretches: list["array[int]"]  #: by part: twice the CPR number (plus 1 if 001 is there), first and last byte
    unknown: list["array[int]"]  #: by part: line number, first and last byte of each record we do not know
    superseded: frozenset[int]  #: CPR numbers that the register has replaced by others
    counts: Counter[str]  #: of each kind of record


class Stage(StrEnum):
    CHECK = "check"
    IMPORT = "import"


#: called with the stage, how much is done, and how much there is (bytes of the check, parts of the import)
Report = Callable[[Stage, int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """What came of an import, over all its runs."""

    is_new: bool  #: False if the file was imported before, and nothing was done
    persons: int  #: records 001 in the file
    added: int
    changed: int
    unchanged: int
    superseded: int  #: numbers that the register has replaced by others
    unused: dict[str, int]  #: records we know but keep nothing of
    unknown: dict[str, int]  #: records we do not know; kept as they are
