"""The verbs of events that modules use: publish, take, acknowledge."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import jsonschema_rs
import rfc8785

from torv.base import clock, db
from torv.base.access import ALL, Access
from torv.base.db import Tx
from torv.base.errors import BindingMoved, Denied, IdempotencyKeyReused, InvalidInput, NotFound, PersonUnknown
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
    Owner,
    PublishedEvent,
    Subscription,
)
from torv.ecosystem.modules import EventType, event_types, release_by_id
from torv.kernel.organisation import UnitUnknown
from torv.kernel.records import stand_inside

sql = load(__file__)
db.names_constraint("events_unit_known", UnitUnknown)

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
    unit_id = await _unit_of(tx, new)
    request_hash = _hash_of(new)
    held = await stand_inside(tx, new.capability, f"event {key}", release_id, unit_id)
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
    stamp = {"key": key, "request_hash": request_hash, "epoch": held.epoch, "unit_id": unit_id}
    return await _insert(tx, access, new, kind, stamp)


async def _unit_of(tx: Tx, new: NewEvent) -> UUID | None:
    """The unit an event belongs to: that of the record it is about, else as it says. Raises PersonUnknown."""
    standing = await tx.one(
        dict, sql.standing, person_id=new.person_id, subject=new.subject, capability=new.capability, unit_id=new.unit_id
    )
    if not standing["knows_person"]:
        raise PersonUnknown
    unit_id: UUID | None = standing["unit_id"]
    return unit_id


async def _insert(tx: Tx, access: Access, new: NewEvent, kind: EventType, stamp: dict[str, Any]) -> PublishedEvent:
    event_id = new_id()
    await tx.run(
        sql.insert_event, id=event_id, type=kind.type, capability=new.capability, subject=str(new.subject),
        category=kind.category, person_id=new.person_id, kle=new.kle, sensitivity=new.sensitivity,
        data=new.data, release_id=access.caller.release_id, at=new.time or clock.now(), **stamp,
    )  # fmt: skip
    note(
        tx, access, "write", _subjects(new), detail={"event": str(event_id), "type": kind.type, "epoch": stamp["epoch"]}
    )
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

    They are those of all bindings of the capability that the caller has. Raises NotReceiver, or NotFound where these
    follow nothing.
    """
    own = await receiving(tx, access, capability)
    start = min(each.cursor for each in own) if after is None else after
    until, types = await last_position(tx), sorted({name for each in own for name in each.types})
    found = await tx.all(Event, sql.events_after, after=start, until=until, types=types, size=size)
    events = await keep_permitted(tx, access, await keep_due(tx, own, found, is_anew=after is not None))
    if events:
        position = {"capability": capability, "events": len(events), "until": events[-1].position}
        note(tx, access, "read", persons_of(events), detail=position)
    is_full = len(found) == size
    position_reached = found[-1].position if is_full else max(start, until)
    turns = {str(each.id): each.turn for each in own}
    plain = [rules.cloud_event(each) for each in events]
    return EventPage(events=plain, position=position_reached, more=is_full, turns=turns)


async def acknowledge(tx: Tx, access: Access, given: Acknowledgement) -> Acknowledgement:
    """Note that everything up to a position was received; gives how far that is now. It never goes back.

    It counts for the subscriptions of which the page told, unless their cursors were set from outside since. Raises
    NotReceiver, NotFound, or InvalidInput for a position that no event has yet, or without turns where several are
    meant.
    """
    own = await receiving(tx, access, given.capability)
    if not 0 <= given.position <= await last_position(tx):
        raise InvalidInput(reason="position: no event has come so far")
    if len(own) > 1 and not given.turns:  # which of them was told so far?
        raise InvalidInput(reason="turns: as the page of events gave them")
    reached = [await _advance(tx, access, each, given) for each in own]
    note(tx, access, "write", detail={"capability": given.capability, "acknowledged": min(reached)})
    return Acknowledgement(
        capability=given.capability, position=min(reached), turns={str(each.id): each.turn for each in own}
    )


async def _advance(tx: Tx, access: Access, found: Subscription, given: Acknowledgement) -> int:
    """Move a subscription's cursor on, if it is of the turn that was told; gives where it is."""
    locked = await tx.one(Subscription, sql.lock_subscription, id=found.id)
    if locked.turn != (given.turns.get(str(found.id)) if given.turns else found.turn):
        return locked.cursor
    position = max(locked.cursor, given.position)
    await tx.run(sql.advance_cursor, id=locked.id, cursor=position, turn=locked.turn)
    await tx.run(sql.note_received, key=locked.key, release_id=access.caller.release_id, position=position)
    return position


async def receiving(tx: Tx, access: Access, capability: str) -> list[Subscription]:
    """The subscriptions of the caller's bindings of a capability. Raises NotReceiver, or NotFound if they have none."""
    release_id = _release_of(access)
    own = await tx.all(Subscription, sql.subscriptions_of_release, capability=capability, release_id=release_id)
    if not own and not await tx.value(sql.has_binding, capability=capability, release_id=release_id):
        raise NotReceiver
    if not own:
        raise NotFound
    return own


async def keep_due(
    tx: Tx, subscriptions: Sequence[Subscription], events: Sequence[Event], *, is_anew: bool = False
) -> list[Event]:
    """Those of a capability's events that are for one of some subscriptions of it, and wait for it (or, anew, did).

    An event is for the binding nearest above its unit; without a unit, for every binding.
    """
    first, *others = subscriptions
    if first.is_alone or not events:
        return list(events)
    units = sorted({each.unit_id for each in events if each.unit_id is not None})
    rows = await tx.all(Owner, sql.owners, capability=first.capability, units=units, day=clock.today()) if units else []
    keys: dict[UUID | None, str | None] = {each.unit_id: each.key for each in rows}
    return [
        each for each in events
        if any(
            each.type in some.types and (each.unit_id is None or keys[each.unit_id] == some.key)
            and (is_anew or each.position > some.cursor)
            for some in (first, *others)
        )
    ]  # fmt: skip


async def last_position(tx: Tx) -> int:
    """The last position given to an event."""
    return int(await tx.value(sql.last_position))


async def keep_permitted(tx: Tx, access: Access, events: Sequence[Event]) -> list[Event]:
    """Those of the events that the permit reaches, in their order; of those for one partner alone, only its own."""
    events = [each for each in events if each.partner_id is None or access.party in (None, each.partner_id)]
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
