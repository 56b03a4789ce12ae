"""Named SQL: each slice keeps its statements in `queries.sql`, with a name and a sentence, ready to paste into psql."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HEAD = re.compile(r"^-- name: (\w+)\n((?:--.*\n)*)", re.MULTILINE)
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    name: str
    sentence: str  #: what it gives, in words
    text: str  #: as PostgreSQL takes it, with $1, $2 ...
    parameters: tuple[str, ...]  #: parameters[0] is $1

    def arguments(self, values: dict[str, object]) -> list[object]:
        """The values in the order of $1, $2 ... Raises TypeError if they are not exactly those the text names."""
        try:
            arguments = [values[name] for name in self.parameters]
        except KeyError:
            arguments = []
        if not len(arguments) == len(values) == len(self.parameters):
            raise TypeError(f"{self.name} takes {sorted(self.parameters)}, got {sorted(values)}")
        return arguments


class Queries:
    """The statements of one file, as attributes."""

    def __init__(self, queries: dict[str, Query]) -> None:
        self._queries = queries

    def __getattr__(self, name: str) -> Query:
        try:
            return self._queries[name]
        except KeyError:
            raise AttributeError(f"no statement is named {name}") from None

    def __iter__(self) -> Iterator[Query]:
        return iter(self._queries.values())


def parse(text: str) -> dict[str, Query]:
    """The named statements of a text. Raises ValueError when a name stands twice."""
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    queries: dict[str, Query] = {}
    for head, end in zip(heads, ends, strict=True):
        if head[1] in queries:
            raise ValueError(f"the statement {head[1]} stands twice")
        queries[head[1]] = _query(head[1], head[2], text[head.end() : end])
    return queries


def _query(name: str, comment: str, body: str) -> Query:
    parameters = tuple(dict.fromkeys(_PARAMETER.findall(body)))
    numbered = _PARAMETER.sub(lambda found: f"${parameters.index(found[1]) + 1}", body)
    sentence = " ".join(line.removeprefix("--").strip() for line in comment.splitlines())
    return Query(name=name, sentence=sentence, text=numbered.strip().rstrip(";"), parameters=parameters)


def load(beside: str) -> Queries:
    """The statements of the `queries.sql` that stands beside a Python file."""
    return Queries(parse(Path(beside).with_name("queries.sql").read_text(encoding="utf-8")))
