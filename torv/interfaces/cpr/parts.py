"""Parts: what a file says, part by part, as the kernel takes it in.

Of a large file, a process of its own reads and packs, while this one and the database write what is there already.
"""

import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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

AHEAD = 1_000_000  #: bytes that may wait between the processes: two or three parts
LARGE = 4_000_000  #: bytes of a file that is worth a process


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of a file, ready to be imported."""

    number: int
    persons: PackedPersons
    unknown: list[dict[str, object]]


Said = Part | OSError | None  #: what the other process says; None: somebody has touched the file


@contextmanager
def reader(path: Path) -> Iterator["Reader"]:
    """What reads a file. Raises OSError. A large one's process starts at once, to be ready when it is needed."""
    if path.stat().st_size < LARGE:
        yield Reader()
        return
    command = [sys.executable, "-m", "torv.interfaces.cpr.apart"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=AHEAD, pipesize=AHEAD
    ) as process:
        try:
            yield ApartReader(process)
        finally:
            process.kill()


class Reader:
    """Reads in this process."""

    writers = 1  #: how many parts are worth writing at a time

    def parts(self, extract: Extract, numbers: Sequence[int]) -> Iterator[Part]:
        """The parts with these numbers, in order. Raises CprFileChanged if somebody touches the file meanwhile."""
        with extract.path.open("rb") as file:
            for number in numbers:
                yield read_part(file, extract, number)


class ApartReader(Reader):
    """Has another process read; see apart.py."""

    writers = 2  # one waits for the disk while the other's statements run

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def parts(self, extract: Extract, numbers: Sequence[int]) -> Iterator[Part]:
        """As in Reader. Raises EOFError or BrokenPipeError if the process has been ended."""
        told, given = self._process.stdin, self._process.stdout
        assert told is not None
        assert given is not None
        pickle.dump((extract, numbers), told, pickle.HIGHEST_PROTOCOL)
        told.flush()
        for _ in numbers:
            said: Said = pickle.load(given)  # noqa: S301 from the process that we have started
            if said is None:
                raise CprFileChanged
            if isinstance(said, OSError):
                raise said
            yield said


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
