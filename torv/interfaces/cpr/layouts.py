"""The layouts of records: where each field stands in a line. They are data, in layouts.yaml."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import yaml

ENCODING = "iso-8859-1"
FIRST, LAST = "000", "999"  #: the records that frame a file


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """A field of a record."""

    name: str
    position: int  #: of its first character, counted from 1 as in the register's own documentation
    length: int
    format: str  #: digits, text, date, minute, cpr or cpr-or-none; see layouts.yaml

    @property
    def place(self) -> slice:
        """Where it stands in a line."""
        return slice(self.position - 1, self.position - 1 + self.length)


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """What a kind of record looks like."""

    record: str  #: "001"
    length: int  #: of a whole line; what is blank at its end may be left out
    fields: dict[str, Field]

    def taker(self, *names: str) -> Callable[[str], tuple[str, ...]]:
        """A function that takes at least two fields out of a line, as they stand there."""
        return itemgetter(*(self.fields[name].place for name in names))

    def write(self, **values: str) -> str:
        """A line with these fields, the others blank. Raises ValueError if a value is too long, KeyError if unknown."""
        line = self.record.ljust(self.length)
        for name, value in values.items():
            field = self.fields[name]
            if len(value) > field.length:
                raise ValueError(f"{self.record} {name} takes {field.length} characters")
            line = line[: field.place.start] + value.ljust(field.length) + line[field.place.stop :]
        return line.rstrip(" ")

    def read(self, line: str) -> dict[str, str]:
        """Every field of a line by name, without the blanks that follow it."""
        return {name: line[field.place].rstrip(" ") for name, field in self.fields.items()}


@cache
def layouts() -> Mapping[str, Layout]:
    """Every layout we know, by record."""
    return {record: _layout(record, plain["length"], plain["fields"]) for record, plain in data("layouts").items()}


@cache
def countries() -> Mapping[str, str]:
    """What countries are called, by code."""
    return {str(code): str(name) for code, name in data("countries").items()}


def _layout(record: str, length: int, fields: dict[str, tuple[int, int, str]]) -> Layout:
    named = {
        name: Field(name=name, position=position, length=size, format=form)
        for name, (position, size, form) in fields.items()
    }
    return Layout(record=record, length=length, fields=named)


def data(name: str) -> dict[str, Any]:
    """What stands in one of the files of data beside this one."""
    read: dict[str, Any] = yaml.safe_load(Path(__file__).with_name(f"{name}.yaml").read_text(encoding="utf-8"))
    return read
