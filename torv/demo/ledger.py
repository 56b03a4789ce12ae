"""The ledger: what a caller knows it did, kept outside Torv; one line a call, written when the answer is there."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One call and its answer."""

    caller: str
    operation: str  #: write | retry | list | stranger
    key: str | None  #: Idempotency-Key
    person: str
    text: str | None
    status: int  #: 0 when there was no answer
    code: str | None  #: of the problem document
    check: str | None  #: which check of an agreement refused
    note_id: str | None
    call_id: str | None  #: the gateway's name for the call
    started: float  #: Unix seconds
    ended: float
    is_stale: bool  #: a list without what this caller had already been told is written

    @property
    def seconds(self) -> float:
        return self.ended - self.started


class Ledger:
    """A file of lines."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a", encoding="utf-8", buffering=1)

    def add(self, line: Line) -> None:
        self._file.write(json.dumps(asdict(line), ensure_ascii=False) + "\n")


def read_ledger(file: Path) -> list[Line]:
    """Every line of a ledger."""
    return [Line(**json.loads(text)) for text in file.read_text(encoding="utf-8").splitlines()]
