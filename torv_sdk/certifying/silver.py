"""Silver: the module keeps the municipality's records first, and gives them all back. Needs a real Torv.

Every rule puts the world back as it found it: the door open, the module running and caught up.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from torv_sdk.certifying.bronze import REFUSED_BODY
from torv_sdk.certifying.installation import Installation
from torv_sdk.certifying.rules import Broken, Level, rule
from torv_sdk.certifying.stand import Answered, Stand, essence
from torv_sdk.contracts import Operation
from torv_sdk.records import BUCKETS, bucket

HELD_BACK = 1.5  #: seconds Torv's acknowledgement is held back, to see who waits for it
SETTLE_TIME = 10.0  #: seconds for a retry, or for the feed to reach the module
LATE_TIME = 3.0  #: seconds in which a write that was refused must not turn up after all


def _torv(stand: Stand) -> Installation:
    assert stand.torv is not None
    return stand.torv


async def _records(stand: Stand) -> dict[str, dict[str, Any]]:
    return await _torv(stand).latest(stand.contract.capability)


async def settled(stand: Stand) -> dict[str, dict[str, Any]]:
    """Torv's records, as soon as the feed (which follows writes by moments) gives the same twice."""
    known = await _records(stand)
    while True:
        await asyncio.sleep(0.15)
        if (again := await _records(stand)).keys() == known.keys():
            return again
        known = again


async def accepted(stand: Stand, operation: Operation, *, key: str, body: Any = None) -> Answered:
    """Call until the call is accepted, as a caller does; the same key each time. Raises Broken."""
    deadline = time.monotonic() + SETTLE_TIME
    while True:
        answer = await stand.write(operation, body, key=key)
        if answer.status < 300:
            return answer
        if answer.status not in (409, 503) or time.monotonic() > deadline:
            raise Broken(f"{operation.name} answered {answer.status} to a valid call with Torv there")
        await asyncio.sleep(0.3)


@asynccontextmanager
async def shut(stand: Stand) -> AsyncIterator[None]:
    """Torv cannot be reached."""
    stand.door.is_shut = True
    try:
        yield
    finally:
        stand.door.is_shut = False


@rule(
    "write_once", Level.SILVER,
    danish="Det samme kald to gange giver samme svar og én post.",
    english="The same call twice gives the same answer and one record.",
    advice="Hand the caller's Idempotency-Key to Torv as it is, and answer from what Torv answers.",
)  # fmt: skip
async def write_once(stand: Stand) -> None:
    for operation in stand.writing():
        before, key = await settled(stand), str(uuid4())
        first = await accepted(stand, operation, key=key)
        second = await accepted(stand, operation, key=key)
        if (first.status, first.body) != (second.status, second.body):
            raise Broken(f"{operation.name} answered the same key in two ways")
        written = len(await settled(stand)) - len(before)
        if written != 1:
            raise Broken(f"{operation.name} left {written} records in Torv after the same key twice")
        third = await accepted(stand, operation, key=str(uuid4()))
        if third.body == first.body:
            raise Broken(f"{operation.name} gave a new key the answer of another one")


@rule(
    "kernel_first", Level.SILVER,
    danish="Modulet svarer først, når kommunen har posten.",
    english="The module answers only after the municipality has the record.",
    advice="Write to Torv, wait for its answer, and then answer your caller. Without Torv, answer 503.",
)  # fmt: skip
async def kernel_first(stand: Stand) -> None:
    for operation in stand.writing():
        stand.door.acknowledged.clear()
        stand.door.delay = HELD_BACK
        try:
            answer = await stand.write(operation)
        finally:
            answered, stand.door.delay = time.monotonic(), 0.0
        if answer.status < 300 and (not stand.door.acknowledged or answered < stand.door.acknowledged[0]):
            raise Broken(f"{operation.name} answered {answer.status} before Torv had the record")


@rule(
    "nothing_kept", Level.SILVER,
    danish="Uden forbindelse til Torv svarer modulet 503 og gemmer intet.",
    english="Without a connection to Torv the module answers 503 and keeps nothing.",
    advice="Put nothing into your own store before Torv has acknowledged it; queue nothing to send later.",
)  # fmt: skip
async def nothing_kept(stand: Stand) -> None:
    for operation in stand.writing():
        before, held = await settled(stand), await _held(stand)
        async with shut(stand):
            answer = await stand.write(operation)
            if answer.status != 503:
                raise Broken(f"{operation.name} answered {answer.status} without Torv, not 503")
            if await _held(stand) != held:
                raise Broken(f"{operation.name} answered 503 and kept the record in its own store")
        await asyncio.sleep(LATE_TIME)
        if (await settled(stand)).keys() != before.keys():
            raise Broken(f"{operation.name} answered 503 and wrote the record later")


@rule(
    "answer_lost", Level.SILVER,
    danish="Går Torvs svar tabt, giver et nyt forsøg stadig én post.",
    english="When Torv's answer is lost, trying again still gives one record.",
    advice="Try again with the same Idempotency-Key, or answer 503 and let the caller do it; never make a new key.",
)  # fmt: skip
async def answer_lost(stand: Stand) -> None:
    for operation in stand.writing():
        before, key = await settled(stand), str(uuid4())
        stand.door.to_lose = 1
        try:
            await accepted(stand, operation, key=key)
        finally:
            stand.door.to_lose = 0
        written = len(await settled(stand)) - len(before)
        if written != 1:
            raise Broken(f"{operation.name} left {written} records in Torv after an answer was lost")


@rule(
    "unknown_fields", Level.SILVER,
    danish="Felter, som modulet ikke kender, overlever.",
    english="Fields the module does not know survive.",
    advice="Keep the whole body, not only the fields you know, in the record and in your store.",
)  # fmt: skip
async def unknown_fields(stand: Stand) -> None:
    for operation in stand.writing():
        if (stand.contract.body_schema(operation.name) or {}).get("additionalProperties") is False:
            continue
        before = await settled(stand)
        extra = {"x_certification": {"words": ["æ", "ø", "å"], "number": 1.5}}
        await accepted(stand, operation, key=str(uuid4()), body={**(stand.example(operation) or {}), **extra})
        new = [each for name, each in (await settled(stand)).items() if name not in before]
        if not any(extra.items() <= each["body"].items() for each in new):
            raise Broken(f"{operation.name} dropped a field it did not know")
        held = await _held(stand)
        if lost := [each["id"] for each in new if essence(each) not in held]:
            raise Broken(f"the export lacks fields of the record {lost[0]}")


@rule(
    "answers_described", Level.SILVER,
    danish="Ethvert svar ser ud, som kontrakten beskriver det.",
    english="Every answer is as the contract describes it.",
    advice="Compare status, content type and body with openapi.yaml; a date-time is RFC 3339 with an offset.",
)  # fmt: skip
async def answers_described(stand: Stand) -> None:
    for operation in stand.reading():
        if (answer := await stand.read(operation)).status >= 300:
            raise Broken(f"{operation.name} answered {answer.status} to the contract's own example")
    for operation in stand.changing():
        if (answer := await stand.write(operation)).status >= 300:
            raise Broken(f"{operation.name} answered {answer.status} to the contract's own example")
    for answer in [each for each in stand.answered if each.status < 300]:
        complaint = stand.contract.answer_complaint(answer.operation, answer.status, answer.media_type, answer.body)
        if complaint:
            raise Broken(complaint)


@rule(
    "query_refused", Level.SILVER,
    danish="En forespørgsel, der ikke følger kontrakten, afvises.",
    english="A query that does not follow the contract is refused.",
    advice="Check every parameter by openapi.yaml, and answer 422.",
)  # fmt: skip
async def query_refused(stand: Stand) -> None:
    for operation in stand.reading():
        valid = stand.query(operation)
        for parameter in stand.contract.query_parameters(operation.name):
            for what, query in _wrong_queries(valid, parameter):
                answer = await stand.read(operation, query)
                if answer.status not in REFUSED_BODY:
                    raise Broken(f"{operation.name} answered {answer.status} to {what}, not 422")


def _wrong_queries(valid: dict[str, str], parameter: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
    name, schema = parameter["name"], parameter.get("schema", {})
    found = []
    if parameter.get("required"):
        found.append((f"no {name}", {key: value for key, value in valid.items() if key != name}))
    if schema.get("type") == "integer" or schema.get("format") in ("uuid", "date", "date-time"):
        found.append((f"a word as {name}", {**valid, name: "forenoon"}))
    for bound, beyond in (("maximum", 1), ("minimum", -1)):
        if bound in schema:
            found.append((f"{name} beyond its {bound}", {**valid, name: str(schema[bound] + beyond)}))
    return found


@rule(
    "export_complete", Level.SILVER,
    danish="Udtrækket har hver post præcis som kommunen, fordelt på de rigtige spande, også uden Torv.",
    english="The export has every record exactly as the municipality, in the right buckets, also without Torv.",
    advice="Export the latest version of every record from your own store; a record's bucket is the first 12 bits of "
    "the SHA-256 of its id's 16 bytes.",
)  # fmt: skip
async def export_complete(stand: Stand) -> None:
    await same_as_torv(stand)
    async with shut(stand):
        await same_as_torv(stand)
        for record_type in stand.contract.record_types:
            halves = ((0, BUCKETS // 2 - 1), (BUCKETS // 2, BUCKETS - 1))
            for first, last in halves:
                for each in await stand.export(record_type, f"{first}-{last}"):
                    if not first <= bucket(UUID(each["id"])) <= last:
                        raise Broken(f"the export of the buckets {first}-{last} has a record of another bucket")


@rule(
    "store_lost", Level.SILVER,
    danish="Mister modulet sit lager, bygger det det op igen fra Torv.",
    english="When the module loses its store, it builds it again from Torv.",
    advice="Follow GET /api/v1/records/feed from your store's position, from 0 if it is empty; caught_up when done.",
)  # fmt: skip
async def store_lost(stand: Stand) -> None:
    for operation in stand.writing():
        await accepted(stand, operation, key=str(uuid4()))
    await stand.restart(is_robbed=True)
    await same_as_torv(stand)


async def _held(stand: Stand) -> set[str]:
    """What the module's own store holds, by each record's essence."""
    return {essence(each) for record_type in stand.contract.record_types for each in await stand.export(record_type)}


async def same_as_torv(stand: Stand) -> None:
    """Raises Broken if what the module exports is not what Torv has; the feed gets some time to reach it."""
    deadline = time.monotonic() + SETTLE_TIME
    wanted = {} if stand.door.is_shut else await settled(stand)
    wanted = wanted or await _records(stand)
    while True:
        held, true = await _held(stand), {essence(each) for each in wanted.values()}
        if held == true:
            return
        if time.monotonic() > deadline:
            raise Broken(f"the export lacks {len(true - held)} of Torv's records and has {len(held - true)} others")
        await asyncio.sleep(0.3)
