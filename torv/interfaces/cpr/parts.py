"""Parts: what a file says, part by part, as the kernel takes it in.

Of a large file, processes of their own read and pack, while this one and the database write what is there already.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fcntl import F_SETPIPE_SZ, fcntl
from pathlib import Path
from typing import BinaryIO

from torv.base import clock
from torv.interfaces.cpr.checking import mark_of
from torv.interfaces.cpr.errors import CprFileChanged
from torv.interfaces.cpr.layouts import ENCODING
from torv.interfaces.cpr.lines import split_records
from torv.interfaces.cpr.models import Extract
from torv.interfaces.cpr.reading import read_person
from torv.kernel.persons import ImportedPerson, PackedPersons, pack

AHEAD = 1_000_000  #: bytes that may wait between this process and one that reads: two or three parts
LARGE = 4_000_000  #: bytes of a file that is worth processes
READERS = 2  #: of them; more would read faster than one database writes


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of a file, ready to be imported."""

    number: int
    persons: PackedPersons
    unknown: list[dict[str, object]]


Parts = Generator[Part, None, None]
Said = Part | OSError | None  #: what the other process says; None: somebody has touched the file


@contextmanager
def reader(path: Path) -> Iterator["Reader"]:
    """What reads a file. Raises OSError. A large one's processes start at once, to be ready when they are needed."""
    if path.stat().st_size < LARGE:
        yield Reader()
        return
    with ExitStack() as open_files:
        given, givers = zip(*(_pipe(open_files) for _ in range(READERS)), strict=True)
        numbers = [giver.fileno() for giver in givers]
        command = [sys.executable, "-m", "torv.interfaces.cpr.apart", *map(str, numbers)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=numbers) as process:
            try:
                for giver in givers:
                    giver.close()  # only theirs is left: it ends when they do
                yield ApartReader(process, given)
            finally:
                process.kill()


def _pipe(open_files: ExitStack) -> tuple[BinaryIO, BinaryIO]:
    """Both ends of a pipe in which some parts can wait."""
    taker, giver = os.pipe()
    fcntl(giver, F_SETPIPE_SZ, AHEAD)
    return open_files.enter_context(os.fdopen(taker, "rb", AHEAD)), open_files.enter_context(os.fdopen(giver, "wb"))


class Reader:
    """Reads in this process."""

    writers = 1  #: how many parts are worth writing at a time

    def parts(self, extract: Extract, numbers: Sequence[int]) -> list[Parts]:
        """The parts with these numbers, in iterators that may be asked at the same time.

        They raise CprFileChanged if somebody touches the file meanwhile.
        """
        return [read_parts(extract, numbers)]


class ApartReader(Reader):
    """Has other processes read; see apart.py."""

    writers = 2  # one waits for the disk while the other's statements run

    def __init__(self, process: "subprocess.Popen[bytes]", given: Sequence[BinaryIO]) -> None:
        self._process, self._given = process, given

    def parts(self, extract: Extract, numbers: Sequence[int]) -> list[Parts]:
        """As in Reader. Raises BrokenPipeError, the iterators EOFError, if the processes have been ended."""
        told = self._process.stdin
        assert told is not None
        shares = [numbers[first :: len(self._given)] for first in range(len(self._given))]
        pickle.dump((extract, shares), told, pickle.HIGHEST_PROTOCOL)
        told.flush()
        return [_given_parts(given, len(share)) for given, share in zip(self._given, shares, strict=True)]


def _given_parts(given: BinaryIO, count: int) -> Parts:
    """What one of the processes gives."""
    for _ in range(count):
        said: Said = pickle.load(given)  # noqa: S301 from a process that we have started
        if said is None:
            raise CprFileChanged
        if isinstance(said, OSError):
            raise said
        yield said


def read_parts(extract: Extract, numbers: Sequence[int]) -> Parts:
    """The parts with these numbers, in order. Raises CprFileChanged, OSError."""
    with extract.path.open("rb") as file:
        for number in numbers:
            yield read_part(file, extract, number)


def read_part(file: BinaryIO, extract: Extract, number: int) -> Part:
    """The persons and the unknown records of a part. Raises CprFileChanged."""
    if mark_of(file) != extract.mark:
        raise CprFileChanged
    persons = read_persons(file, extract, number)
    present = [person for cpr, person in persons.items() if cpr not in extract.superseded]
    return Part(number=number, persons=pack(present, clock.today()), unknown=_read_unknown(file, extract, number))


def read_persons(file: BinaryIO, extract: Extract, number: int) -> dict[int, ImportedPerson]:
    """Whom the lines of a part are about, by number."""
    lines: dict[int, list[str]] = {}
    stretches = extract.stretches[number]
    for cpr, start, end in zip(stretches[0::3], stretches[1::3], stretches[2::3], strict=True):
        found = split_records(_text(file, start, end), is_fixed=extract.is_fixed)
        lines.setdefault(cpr >> 1, []).extend(found)
    return {cpr: read_person(found) for cpr, found in lines.items()}


def _read_unknown(file: BinaryIO, extract: Extract, number: int) -> list[dict[str, object]]:
    places = extract.unknown[number]
    found = zip(places[0::3], places[1::3], places[2::3], strict=True)
    texts = [(line, _text(file, start, end)) for line, start, end in found]
    return [{"line": line, "record": text[:3], "content": text} for line, text in texts]


def _text(file: BinaryIO, start: int, end: int) -> str:
    file.seek(start)
    return file.read(end - start).decode(ENCODING)
