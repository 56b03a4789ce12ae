"""The first pass: a whole file is checked, and where everything stands is noted, before anything of it is imported.

Memory is bounded whatever the order of the lines: the file is read line by line, and of each stretch of lines about one
person only three numbers are kept.
"""

import hashlib
import os
from array import array
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import BinaryIO

from torv.interfaces.cpr import errors
from torv.interfaces.cpr.errors import CprFileInvalid, Flaw
from torv.interfaces.cpr.layouts import FIRST, LAST, Field, layouts
from torv.interfaces.cpr.lines import USED
from torv.interfaces.cpr.models import Extract, Report, Stage
from torv.interfaces.cpr.reading import STATUSES

PART_SIZE = 600_000  #: bytes of a file in a part: about 500 persons
LARGEST_PART = 20 * PART_SIZE  #: more can only be somebody's attempt to fill the memory
LONGEST_LINE = 4_000
REPORT_EVERY = 4_096  #: lines
#: bytes that are printable in ISO-8859-1; UTF-8 is found by what else it uses, or by its way of writing æ, ø and å
_PRINTABLE = bytes(range(0x20, 0x7F)) + bytes(range(0xA0, 0x100))
_DANISH_IN_UTF8 = tuple(letter.encode() for letter in "æøåé")
_LAST, _USED = LAST.encode(), frozenset(record.encode() for record in USED)
_STATUS, _CURRENT = slice(23, 25), slice(13, 23)
_STATUSES = frozenset(status.encode() for status in STATUSES)
_REPLACED = {b"50", b"60"}  #: status of a number that is deleted or changed
_KEPT_VERDICTS = 100_000
_SPREAD = 2_654_435_761  #: Knuth's multiplier: neighbours in number are dealt to different parts

Line = tuple[int, int, bytes]  #: number, first byte, content without its end


def check_file(path: Path, report: Report, parts: int | None = None) -> Extract:
    """Check a file from end to end. Raises CprFileInvalid, OSError.

    `parts` is how many there are to be; None lets the size of the file decide.
    """
    with path.open("rb") as file:
        mark = mark_of(file)
        digest = hashlib.file_digest(file, "sha256").digest()
        file.seek(0)
        survey = _Survey(parts or 1 + mark[1] // PART_SIZE)
        is_fixed = _is_fixed(file)
        for number, start, line in _fixed_lines(file) if is_fixed else _lines(file):
            survey.see(number, start, line)
            if number % REPORT_EVERY == 0:
                report(Stage.CHECK, start, mark[1])
        survey.finish()
        _check_parts(survey, file)
    report(Stage.CHECK, mark[1], mark[1])
    return Extract(
        path=path, sha256=digest, mark=mark, is_fixed=is_fixed, task=survey.task, produced_on=survey.produced_on,
        records=survey.line - 2, persons=survey.counts["001"], stretches=survey.stretches, unknown=survey.unknown,
        superseded=frozenset(survey.superseded), counts=survey.counts,
    )  # fmt: skip


def mark_of(file: BinaryIO) -> tuple[int, int, int]:
    """What changes when somebody touches a file."""
    facts = os.fstat(file.fileno())
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


class _Survey:
    """What is known of a file so far, line by line."""

    def __init__(self, parts: int) -> None:
        self.stretches: list[array[int]] = [array("Q") for _ in range(parts)]
        self.unknown: list[array[int]] = [array("Q") for _ in range(parts)]
        self.superseded: set[int] = set()
        self._counts: Counter[bytes] = Counter()
        self.task, self.produced_on = "", date.min
        self.line = 0  #: number of the last one seen
        self._cpr = b""  #: whom the present stretch is about; empty between stretches
        self._start = self._end = 0
        self._has_person = False
        self._has_ended = False

    @property
    def counts(self) -> Counter[str]:
        """How many there are of each kind of record."""
        return Counter({record.decode(): count for record, count in self._counts.items()})

    def see(self, number: int, start: int, line: bytes) -> None:
        """Check one line and note where it stands. Raises CprFileInvalid."""
        self.line = number
        if line.translate(None, _PRINTABLE) or (b"\xc3" in line and any(each in line for each in _DANISH_IN_UTF8)):
            raise CprFileInvalid(errors.ENCODING, number)
        record = line[:3]
        self._counts[record] += 1
        if number == 1 or record == _LAST or self._has_ended:
            self._frame(number, record.decode("ascii", "replace"), line)
        elif record not in _checks():
            self._note_unknown(number, start, line)
        else:
            check_line(record, line, number)
            if record in _USED:
                self._note(record, line, number, start)

    def finish(self) -> None:
        """Raises CprFileInvalid if the file has no end."""
        if not self._has_ended:
            raise CprFileInvalid(errors.NO_END, self.line or 1)
        self._close()

    def _frame(self, number: int, record: str, line: bytes) -> None:
        """The first and the last record."""
        if self._has_ended:
            raise CprFileInvalid(errors.AFTER_END, number)
        if number == 1 and record != FIRST:
            raise CprFileInvalid(errors.NOT_FIRST, number)
        check_line(line[:3], line, number)
        fields = layouts()[record].fields
        if record == FIRST:
            self.task = line[fields["task"].place].decode()
            self.produced_on = _compact_date(line[fields["produced_on"].place], number, record, fields["produced_on"])
        else:
            self._has_ended = True
            counted = line[fields["records"].place]
            if not counted.strip() or int(counted) != number - 2:
                raise CprFileInvalid(errors.COUNTER, number, record, fields["records"])

    def _note(self, record: bytes, line: bytes, number: int, start: int) -> None:
        cpr = line[3:13]
        if cpr != self._cpr:
            self._close()
            self._cpr, self._start = cpr, start
        self._end = start + len(line)
        if record == b"001":
            if self._has_person:
                raise CprFileInvalid(errors.TWICE, number, "001")
            self._has_person = True
            if line[_STATUS] in _REPLACED and line[_CURRENT].strip(b" 0"):
                self.superseded.add(int(cpr))

    def _close(self) -> None:
        """End a stretch: the CPR number is kept with a bit that says whether record 001 is in it."""
        if self._cpr:
            cpr = int(self._cpr)
            part = cpr * _SPREAD % 4_294_967_291 % len(self.stretches)
            self.stretches[part].extend((cpr << 1 | self._has_person, self._start, self._end))
        self._cpr, self._has_person = b"", False

    def _note_unknown(self, number: int, start: int, line: bytes) -> None:
        if not line[:3].isdigit() or len(line[:3]) < 3:
            raise CprFileInvalid(errors.NOT_A_RECORD, number)
        self.unknown[number % len(self.unknown)].extend((number, start, start + len(line)))


def check_line(record: bytes, line: bytes, number: int) -> None:
    """Raises CprFileInvalid if a line does not fit the layout of its record."""
    length, least, judges = _checks()[record]
    if not least <= len(line) <= length:
        raise CprFileInvalid(errors.TOO_LONG if len(line) > length else errors.TOO_SHORT, number, record.decode())
    for place, verdicts, field in judges:
        if not verdicts[line[place]]:
            flaw = errors.STATUS if field.name == "status" else errors.FLAWS[field.format]
            raise CprFileInvalid(flaw, number, record.decode(), field)


class _Verdicts(dict[bytes, bool]):
    """Whether texts are what a field must be: each is judged once, for they come again and again."""

    def __init__(self, judge: Callable[[bytes], bool]) -> None:
        super().__init__()
        self._judge = judge

    def __missing__(self, text: bytes) -> bool:
        if len(self) >= _KEPT_VERDICTS:
            self.clear()
        verdict = self[text] = self._judge(text)
        return verdict


@cache
def _checks() -> dict[bytes, tuple[int, int, list[tuple[slice, _Verdicts, Field]]]]:
    """Record -> longest and shortest line, and what its fields are judged by."""
    checks = {}
    for record, layout in layouts().items():
        fields = [field for field in layout.fields.values() if field.format != "text"]
        judges = [(field.place, _verdicts(_kind(record, field), field.length), field) for field in fields]
        checks[record.encode()] = layout.length, 13, judges
    return checks


def _kind(record: str, field: Field) -> str:
    return "status" if (record, field.name) == ("001", "status") else field.format


@cache
def _verdicts(kind: str, length: int) -> _Verdicts:
    """One set of verdicts for all fields of a kind."""
    judges: dict[str, Callable[[bytes], bool]] = {
        "status": _STATUSES.__contains__,
        "digits": lambda text: not text.strip() or (len(text) == length and text.isdigit()),
        "date": _is_date, "minute": _is_minute, "cpr": _is_cpr,
        "cpr-or-none": lambda text: not text.strip(b" 0") or _is_cpr(text),
    }  # fmt: skip
    return _Verdicts(judges[kind])


def _is_cpr(text: bytes) -> bool:
    """Ten digits that begin with a day; the day of a replacement number is 60 higher. Modulus 11 does not count."""
    if len(text) != 10 or not text.isdigit():
        return False
    day, month, year = int(text[0:2]), int(text[2:4]), int(text[4:6])
    century = 2000 if text[6:7] in b"456789" and year <= (36 if text[6:7] in b"49" else 57) else 1900
    return _is_day(century + year, month, day - 60 if day > 60 else day) and day % 60 > 0


def _is_date(text: bytes) -> bool:
    """yyyy-mm-dd, or nothing; month and day may be 00 where they are not known."""
    if not text.strip(b" 0-"):
        return True
    return len(text) == 10 and text[4:5] == text[7:8] == b"-" and _is_known_day(text[0:4] + text[5:7] + text[8:10])


def _is_minute(text: bytes) -> bool:
    """yyyymmddhhmm, or nothing; the time may be 99 where it is not known."""
    if not text.strip(b" 0"):
        return True
    is_whole = len(text) == 12 and text.isdigit() and _is_known_day(text[:8])
    return is_whole and (text[8:10] <= b"24" or text[8:10] == b"99") and (text[10:12] <= b"59" or text[10:12] == b"99")


def _is_known_day(digits: bytes) -> bool:
    return digits.isdigit() and _is_day(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))


def _is_day(year: int, month: int, day: int) -> bool:
    if not 1500 <= year < 2500:
        return False
    return day == 0 if month == 0 else month <= 12 and day <= monthrange(year, month)[1]


def _compact_date(text: bytes, number: int, record: str, field: Field) -> date:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        raise CprFileInvalid(errors.NOT_A_DATE, number, record, field) from None


def _is_fixed(file: BinaryIO) -> bool:
    """Whether the first record is followed by the second without a line break."""
    length = layouts()[FIRST].length
    first = file.read(length + 1)
    file.seek(0)
    return len(first) > length and b"\n" not in first and not first.endswith(b"\r")


def _lines(file: BinaryIO) -> Iterator[Line]:
    start = 0
    for number, line in enumerate(iter(partial(file.readline, LONGEST_LINE), b""), 1):
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            raise CprFileInvalid(errors.TOO_LONG, number)
        yield number, start, line.removesuffix(b"\n").removesuffix(b"\r")
        start += len(line)


def _fixed_lines(file: BinaryIO) -> Iterator[Line]:
    start, number = 0, 0
    while record := file.read(3):
        number += 1
        layout = layouts().get(record.decode("ascii", "replace"))
        if layout is None:
            raise CprFileInvalid(errors.NOT_A_RECORD if number > 1 else errors.NOT_FIRST, number)
        yield number, start, record + file.read(layout.length - 3)
        start += layout.length


def _check_parts(survey: _Survey, file: BinaryIO) -> None:
    """Raises CprFileInvalid for a person without record 001, or with two, and for one who fills a part alone."""
    for stretches in survey.stretches:
        seen: dict[int, int] = {}
        size = 0
        for cpr, start, end in zip(*(stretches[i::3] for i in range(3)), strict=True):
            size += end - start
            if size > LARGEST_PART:
                raise _at(errors.TOO_MUCH, file, start)
            if cpr & 1 and seen.get(cpr >> 1, -1) == -2:
                raise _at(errors.TWICE, file, start)
            seen[cpr >> 1] = -2 if cpr & 1 or seen.get(cpr >> 1) == -2 else start
        lonely = min((start for start in seen.values() if start >= 0), default=None)
        if lonely is not None:
            raise _at(errors.NO_PERSON, file, lonely)


def _at(flaw: Flaw, file: BinaryIO, start: int) -> CprFileInvalid:
    """The refusal of the line that begins at a byte."""
    file.seek(0)
    lines = _fixed_lines(file) if _is_fixed(file) else _lines(file)
    return next(CprFileInvalid(flaw, number) for number, begin, _ in lines if begin >= start)
