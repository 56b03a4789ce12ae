"""The verbs of events that modules use: publish, take, acknowledge."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import jsonschema_rs
import rfc8785

from torv.base import clock
from torv.base.access import ALL, Access
from torv.base.db import Tx
from torv.base.errors import BindingMoved, Denied, IdempotencyKeyReused, InvalidInput, PersonUnknown
from torv.base.ids import new_id
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.events import rules
from torv.ecosystem.events.errors import EventInvalid, EventTypeUnknown, NotReceiver
from torv.ecosystem.events.models import (
    Above,
    Acknowledgement,
    Event,
    EventPage,
    NewEvent,
    PublishedEvent,
    Subscription,
)
from torv.ecosystem.modules import EventType, event_types, release_by_id, release_in_service
from torv.kernel.records import stand_inside

sql = load(__file__)

_validators: dict[tuple[str, int, str], tuple[dict[str, Any], Any]] = {}  #: type -> its schema, and that compiled


# ---- publishing ------------------------------------------------------------------------------------------------------
async def publish(tx: Tx, access: Access, *, new: NewEvent, key: str) -> PublishedEvent | BindingMoved:
    """Publish an event, once per key, if the caller holds the capability at that instant.

    One that does not gets BindingMoved returned (not raised: the late event is kept). Raises EventTypeUnknown,
    EventInvalid, Denied, PersonUnknown or IdempotencyKeyReused.
    """
    release_id = _release_of(access)
    kind = await _kind(tx, release_id, new)
    require(access, kind.category)
    _check(kind, new)
    if new.person_id is not None and not await tx.value(sql.knows_person, id=new.person_id):
        raise PersonUnknown
    request_hash = _hash_of(new)
    held = await stand_inside(tx, new.capability, f"event {key}")
    earlier = await tx.maybe(dict, sql.earlier_event, capability=new.capability, key=key)
    if earlier is not None:
        if earlier["request_hash"] != request_hash:
            raise IdempotencyKeyReused
        note(tx, access, "write", _subjects(new), detail={"event": str(earlier["id"]), "replayed": True})
        return PublishedEvent(id=earlier["id"])
    if held is None or held.release_id != release_id:
        await tx.run(
            sql.insert_late, id=new_id(), capability=new.capability, release_id=release_id, key=key, content=_plain(new)
        )
        note(tx, access, "write", _subjects(new), result=BindingMoved.code)
        return BindingMoved()
    return await _insert(tx, access, new, kind, key=key, request_hash=request_hash, epoch=held.epoch)


async def _insert(
    tx: Tx, access: Access, new: NewEvent, kind: EventType, *, key: str, request_hash: bytes, epoch: int
) -> PublishedEvent:
    event_id = new_id()
    await tx.run(
        sql.insert_event, id=event_id, type=kind.type, capability=new.capability, subject=str(new.subject),
        category=kind.category, person_id=new.person_id, unit_id=new.unit_id, kle=new.kle, sensitivity=new.sensitivity,
        data=new.data, release_id=access.caller.release_id, epoch=epoch, key=key, request_hash=request_hash,
        at=new.time or clock.now(),
    )  # fmt: skip
    note(tx, access, "write", _subjects(new), detail={"event": str(event_id), "type": kind.type, "epoch": epoch})
    return PublishedEvent(id=event_id)


async def _kind(tx: Tx, release_id: UUID, new: NewEvent) -> EventType:
    """The type as the newest major version has it of those that the release provides. Raises EventTypeUnknown."""
    provided = (await release_by_id(tx, release_id)).provides(new.capability)
    found = [each for each in await event_types(tx, new.capability) if each.major in provided and each.name == new.type]
    if not found:
        raise EventTypeUnknown
    return max(found, key=lambda each: each.major)


def _check(kind: EventType, new: NewEvent) -> None:
    """Raises EventInvalid, which names the place and never the content."""
    if new.kle is not None and not rules.is_kle(new.kle):
        raise EventInvalid(reason="kle", reason_da="kle")
    if new.sensitivity is not None and not 0 <= new.sensitivity <= rules.HIGHEST:
        raise EventInvalid(reason="sensitivity: 0 to 3", reason_da="sensitivity: 0 til 3")
    if new.time is not None and (new.time.tzinfo is None or not rules.is_plausible(new.time, clock.now())):
        raise EventInvalid(
            reason="time: with an offset, not in the future", reason_da="time: med zone, ikke i fremtiden"
        )
    error = next(_validator(kind).iter_errors(new.data), None)
    if error is not None:
        place = f"/{'/'.join(map(str, error.instance_path))} ({error.kind.name})"
        raise EventInvalid(reason=place, reason_da=place)
    rules.check_data(new.data)


def _validator(kind: EventType) -> Any:
    name = kind.capability, kind.major, kind.name
    known, validator = _validators.get(name, (None, None))
    if known != kind.schema:  # compared whole: a contract may have replaced it meanwhile
        validator = jsonschema_rs.Draft202012Validator(kind.schema, validate_formats=True)
        _validators[name] = kind.schema, validator
    return validator


def _hash_of(new: NewEvent) -> bytes:
    try:
        return hashlib.sha256(rfc8785.dumps(_plain(new))).digest()
    except rfc8785.CanonicalizationError:
        raise EventInvalid(
            reason="a number JSON cannot carry exactly", reason_da="et tal, JSON ikke kan bære"
        ) from None


def _plain(new: NewEvent) -> dict[str, Any]:
    ids = {name: str(getattr(new, name)) for name in ("subject", "person_id", "unit_id") if getattr(new, name)}
    return asdict(new) | ids | {"time": new.time.isoformat() if new.time else None}


def _subjects(new: NewEvent) -> list[UUID]:
    return [new.person_id] if new.person_id else []


# ---- taking ----------------------------------------------------------------------------------------------------------
async def take(tx: Tx, access: Access, *, capability: str, after: int | None, size: int) -> EventPage:
    """The next events that the permit reaches, beyond a position (None: beyond what was acknowledged).

    Raises NotReceiver, or NotFound where the capability follows nothing.
    """
    subscription = await receiving(tx, access, capability)
    start = subscription.cursor if after is None else after
    until = await last_position(tx)
    found = await tx.all(Event, sql.events_after, after=start, until=until, types=subscription.types, size=size)
    events = await keep_permitted(tx, access, found)
    if events:
        position = {"capability": capability, "events": len(events), "until": events[-1].position}
        note(tx, access, "read", persons_of(events), detail=position)
    is_full = len(found) == size
    position_reached = found[-1].position if is_full else max(start, until)
    return EventPage(events=[rules.cloud_event(each) for each in events], position=position_reached, more=is_full)


async def acknowledge(tx: Tx, access: Access, given: Acknowledgement) -> Acknowledgement:
    """Note that everything up to a position was received; gives how far that is now. It never goes back.

    Raises NotReceiver, NotFound, or InvalidInput for a position that no event has yet.
    """
    subscription = await receiving(tx, access, given.capability)
    if not 0 <= given.position <= await last_position(tx):
        raise InvalidInput(reason="position: no event has come so far")
    locked = await tx.one(Subscription, sql.lock_subscription, id=subscription.id)
    position = max(locked.cursor, given.position)
    await tx.run(sql.advance_cursor, id=locked.id, cursor=position, turn=locked.turn)
    await tx.run(sql.note_received, capability=given.capability, release_id=access.caller.release_id, position=position)
    note(tx, access, "write", detail={"capability": given.capability, "acknowledged": position})
    return Acknowledgement(capability=given.capability, position=position)


async def receiving(tx: Tx, access: Access, capability: str) -> Subscription:
    """The subscription of a capability that the caller provides. Raises NotReceiver, or NotFound if there is none."""
    if await release_in_service(tx, capability) != _release_of(access):
        raise NotReceiver
    return await tx.one(Subscription, sql.subscription_of, capability=capability)


async def last_position(tx: Tx) -> int:
    """The last position given to an event."""
    return int(await tx.value(sql.last_position))


async def keep_permitted(tx: Tx, access: Access, events: Sequence[Event]) -> list[Event]:
    """Those of the events that the permit reaches, in their order."""
    if access.row_filter is None:
        return [each for each in events if access.covers(each.category)]
    units = sorted({each.unit_id for each in events if each.unit_id is not None})
    rows = await tx.all(Above, sql.units_above, units=units, day=clock.today()) if units else []
    above = {row.unit_id: row.above for row in rows}
    return [
        each
        for each in events
        if rules.permitted(each, access, above.get(each.unit_id, ()) if each.unit_id is not None else ())
    ]


def persons_of(events: Iterable[Event]) -> list[UUID]:
    """The persons that events are about, each once."""
    return sorted({each.person_id for each in events if each.person_id is not None})


def categories_of(access: Access) -> list[str] | None:
    """The categories a permit covers, for statements; None: all."""
    return None if ALL in access.categories else sorted(access.categories)


def require(access: Access, category: str) -> None:
    """Raises Denied where the permit does not cover a category."""
    if not access.covers(category):
        raise Denied(
            check="category", mender="Den kontraktansvarlige", reason=f"the category {category} is not granted",
            reason_da=f"kategorien {category} er ikke med",
        )  # fmt: skip


def _release_of(access: Access) -> UUID:
    """The release that calls. Raises Denied for anybody else."""
    if access.caller.release_id is None:
        raise Denied(
            check="caller", reason="events are for modules", reason_da="hændelser er for moduler", mender="Ingen"
        )
    return access.caller.release_id
