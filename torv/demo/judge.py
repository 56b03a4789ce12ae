"""The judge: compares what callers were told with what the kernel, the modules and the trail hold."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import UUID

from torv.base.db import Tx
from torv.base.sql import load
from torv.demo.ledger import Line

sql = load(__file__)

Told = tuple[int, str | None]  #: status, and code of the problem document
_DONE: set[Told] = {(200, None), (201, None)}
#: what a call may be answered, by its operation; a module that writes past its time is told so
EXPECTED: dict[str, set[Told]] = {
    "write": _DONE,
    "retry": _DONE,
    "list": {(200, None)},
    "stranger": {(422, "person_unknown")},
    "direct": {*_DONE, (409, "binding_moved")},
}
HOLD = 1.0  #: seconds a call may be held by a move
EFFECT = 1.0  #: seconds within which a suspension must bite


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One promise, what was measured, and whether it holds."""

    promise: str
    measured: str
    holds: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelRecord:
    id: UUID
    person_id: UUID | None
    text: str
    epoch: int
    position: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspension:
    """When an agreement was suspended, and whose."""

    caller: str
    at: float  #: Unix seconds of the answer to the suspension


def judge_answers(lines: list[Line], suspension: Suspension) -> list[Finding]:
    """Were all calls answered as they should, in time, and was the suspended caller shut out?"""
    cut_off = [line for line in lines if line.caller == suspension.caller and line.check == "suspended"]
    others = [line for line in lines if line.check != "suspended" or line.caller != suspension.caller]
    failed = [line for line in others if (line.status, line.code) not in EXPECTED[line.operation]]
    stale = sum(line.is_stale for line in lines)
    slowest = max((line.seconds for line in lines), default=0.0)
    late = [line.started - suspension.at for line in others if line.caller == suspension.caller]
    effect = max([0.0, *late])
    kinds = Counter(f"{line.operation} {line.status} {line.code or ''}".strip() for line in failed)
    return [
        Finding(
            promise="kald, der slog fejl",
            measured=f"{len(failed)} af {len(lines)} {dict(kinds) or ''}",
            holds=not failed,
        ),
        Finding(promise="lister uden en note, der lige var skrevet", measured=str(stale), holds=stale == 0),
        Finding(promise="længste ventetid for et kald", measured=f"{slowest * 1000:.0f} ms", holds=slowest <= HOLD),
        Finding(
            promise="suspenderet aftale virker efter",
            measured=f"{effect * 1000:.0f} ms",
            holds=bool(cut_off) and effect <= EFFECT,
        ),
    ]


def judge_moves(holds: list[int]) -> Finding:
    """Did no move keep calls waiting for too long, by its own account? `holds` are milliseconds."""
    return Finding(promise="længste stop ved et skift", measured=f"{max(holds)} ms", holds=max(holds) <= HOLD * 1000)


def judge_stragglers(lines: list[Line], left: Mapping[str, float]) -> Finding:
    """Was every new write refused that a module began after it had been left? `left` is Unix seconds by caller."""
    late = [line for line in lines if line.started > left.get(line.caller, float("inf"))]
    accepted = sum(line.status == 201 for line in late)
    everyone_was_late = {line.caller for line in late} == left.keys()
    return Finding(
        promise="sene skrivninger, der blev taget imod",
        measured=f"{accepted} af {len(late)}",
        holds=not accepted and everyone_was_late,
    )


async def judge_kernel(tx: Tx, lines: list[Line]) -> list[Finding]:
    """Is every acknowledged write in the kernel once, nothing else, in the epoch of its time, and all in the trail?"""
    records = await tx.all(KernelRecord, sql.kernel_records)
    calls = {UUID(line.call_id): line for line in lines if line.call_id}
    logged = Counter(row["call_id"] for row in await tx.all(dict, sql.logged_calls))
    unlogged = [call for call in calls if logged[call] < 2]
    written = {row["record"] for row in await tx.all(dict, sql.logged_records)}
    backwards = sum(later.epoch < earlier.epoch for earlier, later in pairwise(records))
    return [
        *compare("kernen", acknowledged(lines), {(str(each.id), str(each.person_id), each.text) for each in records}),
        Finding(
            promise="noter, der blev til to", measured=str(doubled(records, lines)), holds=doubled(records, lines) == 0
        ),
        Finding(promise="poster under en afløst tilkobling", measured=str(backwards), holds=backwards == 0),
        Finding(promise="kald uden begge linjer i loggen", measured=str(len(unlogged)), holds=not unlogged),
        Finding(
            promise="poster uden linje i loggen",
            measured=str(_missing(records, written)),
            holds=_missing(records, written) == 0,
        ),
    ]


def judge_events(lines: list[Line], published: Mapping[UUID, str], handled: set[UUID]) -> list[Finding]:
    """Was an event published of every note that a module was asked to write, and did a module handle each of them?

    `published` says which note each event is about.
    """
    asked = {line.note_id for line in lines if line.note_id and line.operation != "direct"}
    silent, unheard = asked - set(published.values()), published.keys() - handled
    return [
        Finding(promise="noter uden en hændelse", measured=f"{len(silent)} af {len(asked)}", holds=not silent),
        Finding(
            promise="hændelser, som intet modul fik",
            measured=f"{len(unheard)} af {len(published)}",
            holds=not unheard and bool(published),
        ),
    ]


def acknowledged(lines: Iterable[Line]) -> set[tuple[str, str, str]]:
    """What callers were told is written: note, person, text."""
    return {(line.note_id, line.person, line.text or "") for line in lines if line.note_id}


def compare(where: str, told: set[tuple[str, str, str]], held: set[tuple[str, str, str]]) -> list[Finding]:
    """Is what was told exactly what is held?"""
    lost, strange = told - held, held - told
    return [
        Finding(promise=f"mistet i {where}", measured=f"{len(lost)} af {len(told)}", holds=not lost and bool(told)),
        Finding(promise=f"uforklaret i {where}", measured=str(len(strange)), holds=not strange),
    ]


def held_by_module(records: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """The export of a module in the same form."""
    return {(each["id"], each["person_id"], each["body"]["text"]) for each in records}


def doubled(records: list[KernelRecord], lines: list[Line]) -> int:
    """Texts that are there twice, and keys that were answered with more than one note."""
    texts = Counter(each.text for each in records)
    answers: dict[str, set[str]] = {}
    for line in lines:
        if line.note_id and line.key:
            answers.setdefault(line.key, set()).add(line.note_id)
    return sum(count > 1 for count in texts.values()) + sum(len(notes) > 1 for notes in answers.values())


def _missing(records: list[KernelRecord], written: set[str]) -> int:
    return sum(str(each.id) not in written for each in records)
