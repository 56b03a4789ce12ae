"""Rules of events: what may stand in one, how it is signed, when it is tried again, when to raise the alarm."""

import base64
import hashlib
import hmac
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

from torv.base.access import Access
from torv.base.clock import DENMARK
from torv.base.errors import InvalidInput
from torv.base.signing import Keys
from torv.ecosystem.events.errors import EventInvalid
from torv.ecosystem.events.models import Alert, Event, Lag, Subscription

LONGEST_TEXT = 100  #: characters of an id or a code
HIGHEST = 3  #: sensitivity of an event that does not say
BEHIND = 300  #: seconds after which waiting is an alarm
OVERLAP = timedelta(hours=24)  #: for which the secret before a rotation stays good
KEPT = timedelta(
    days=90
)  #: for which events can be replayed: longer than any outage, shorter than a register of people
MOST_TYPES = 100
#: what a CPR number looks like: a date (replacement numbers: day+60) and four digits, alone among digits
_CPR = re.compile(
    r"(?<![0-9])(0[1-9]|[12][0-9]|3[01]|6[1-9]|[78][0-9]|9[01])(0[1-9]|1[0-2])[0-9]{2}-?[0-9]{4}(?![0-9])"
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+/-]*")
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,62}(\.[a-z][a-z0-9_]{0,62}){1,4}")
_PATH = re.compile(r"(/[a-z0-9][a-z0-9._~-]*){1,5}")


# ---- what may stand in an event --------------------------------------------------------------------------------------
def check_data(data: Any) -> None:
    """Raises EventInvalid for free text or what looks like a CPR number, by its place and never by its content."""
    for place, value in _leaves(data, ""):
        text = _digits(value) if isinstance(value, int | float) else value
        if not isinstance(text, str):
            continue
        if _CPR.search(_UUID.sub("", text)):
            raise EventInvalid(reason=f"{place}: looks like a CPR number", reason_da=f"{place}: ligner et CPR-nummer")
        if text and (len(text) > LONGEST_TEXT or not _CODE.fullmatch(text)):
            raise EventInvalid(reason=f"{place}: not an id or a code", reason_da=f"{place}: hverken id eller kode")


def _digits(number: float) -> str:
    """A number as its ten last digits or more: a CPR number loses the zero it begins with."""
    return f"{abs(int(number)):010}" if math.isfinite(number) else ""


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Every value that holds no others, and every name, with where it stands: by number, as a name may say too much."""
    if isinstance(value, dict):
        for number, (name, each) in enumerate(value.items()):
            yield f"{place}/{number} (name)", name
            yield from _leaves(each, f"{place}/{number}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _leaves(each, f"{place}/{number}")
    else:
        yield place or "/", value


def is_kle(text: str) -> bool:
    """Whether it is spelled as a KLE number: 27, 27.15 or 27.15.12."""
    return re.fullmatch(r"[0-9]{2}(\.[0-9]{2}){0,2}", text) is not None


def is_plausible(at: datetime, now: datetime) -> bool:
    """Whether something may have happened at an instant: not later than a minute from now."""
    return at <= now + timedelta(minutes=1)


def check_subscription(types: Sequence[str], path: str) -> None:
    """Raises InvalidInput."""
    if not 0 < len(types) <= MOST_TYPES or len(set(types)) != len(types) or not all(map(_TYPE.fullmatch, types)):
        raise InvalidInput(reason=f"types: 1 to {MOST_TYPES} different types of events")
    if not _PATH.fullmatch(path):
        raise InvalidInput(reason="path: up to five plain segments, such as /torv/events")


def permitted(event: Event, access: Access, above: Sequence[UUID]) -> bool:
    """Whether a permit reaches an event. What the event does not say of itself keeps it from a permit that is limited.

    `above` are the ids of the event's unit and of those above it.
    """
    sensitivity = HIGHEST if event.sensitivity is None else event.sensitivity
    row = access.for_row(above=above, kle=event.kle or "", sensitivity=sensitivity)
    return row is not None and row.covers(event.category)


# ---- how an event looks ----------------------------------------------------------------------------------------------
def cloud_event(event: Event) -> dict[str, Any]:
    """The event in the structured JSON of CloudEvents 1.0, with the extensions `sequence` and `position`."""
    return {
        "specversion": "1.0", "id": str(event.id), "source": f"urn:torv:{event.capability or 'kernel'}",
        "type": event.type, "subject": event.subject, "time": event.at.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json", "sequence": str(event.sequence), "position": event.position,
        "data": event.data,
    }  # fmt: skip


def body_of(events: Sequence[Event]) -> bytes:
    """A batch as it is sent (`application/cloudevents-batch+json`)."""
    return json.dumps([cloud_event(each) for each in events], ensure_ascii=False, separators=(",", ":")).encode()


# ---- signatures: Standard Webhooks 1.0.0 -----------------------------------------------------------------------------
def secret_of(keys: Keys, capability: str, release: UUID, number: int) -> bytes:
    """The secret between a capability and one release: nobody else's, and nothing that lies in the database."""
    label = f"torv events {capability} {release} {number}"
    return hmac.digest(keys.call_secret, label.encode(), "sha256")


def secrets_in_force(subscription: Subscription, now: datetime) -> list[int]:
    """The numbers of the secrets that are good now, the newest first."""
    number, is_fresh = subscription.secret_number, now - subscription.secret_changed_at < OVERLAP
    return [number, number - 1] if number > 1 and is_fresh else [number]


def shown(secret: bytes) -> str:
    return "whsec_" + base64.b64encode(secret).decode()


def message_id(subscription: UUID, events: Sequence[Event]) -> str:
    """The same for the same events, however often they are sent."""
    text = "\n".join([str(subscription), *(str(each.id) for each in events)])
    return "msg_" + hashlib.sha256(text.encode()).hexdigest()[:40]


def signed_headers(secrets: Sequence[bytes], message: str, seconds: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks, with a signature by each secret."""
    content = f"{message}.{seconds}.".encode() + body
    marks = [base64.b64encode(hmac.digest(each, content, "sha256")).decode() for each in secrets]
    signature = " ".join(f"v1,{each}" for each in marks)
    return {"webhook-id": message, "webhook-timestamp": str(seconds), "webhook-signature": signature}


# ---- when it is tried again ------------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    pauses: tuple[int, ...]  #: seconds before each further try of an event
    breaker: tuple[int, ...]  #: seconds between tries of a receiver that does not answer; the last one stays

    @property
    def patience(self) -> timedelta:
        """How long an event is tried in all."""
        return timedelta(seconds=sum(self.pauses))

    def next_try(self, attempts: int, now: datetime) -> datetime | None:
        """When an event refused so many times is tried again; None when it is given up."""
        return now + timedelta(seconds=self.pauses[attempts - 1]) if attempts <= len(self.pauses) else None

    def next_probe(self, failures: int, now: datetime, asked: float | None) -> datetime:
        """When a receiver that has failed so many times in a row is asked again; later if it asked for that."""
        pause = self.breaker[min(failures, len(self.breaker)) - 1]
        return now + timedelta(seconds=max(pause, min(asked or 0, self.breaker[-1])))


@cache
def _schedules() -> list[tuple[date, Schedule]]:
    rows = yaml.safe_load(Path(__file__).with_name("retries.yaml").read_text(encoding="utf-8"))
    return [
        (
            date.fromisoformat(row["from"]),
            Schedule(pauses=tuple(row["pauses_seconds"]), breaker=tuple(row["breaker_seconds"])),
        )
        for row in rows
    ]


def schedule_at(now: datetime) -> Schedule:
    """The schedule in force."""
    day = now.astimezone(DENMARK).date()
    begun = [(begins, schedule) for begins, schedule in _schedules() if begins <= day]
    return max(begun or _schedules()[:1], key=lambda each: each[0])[1]


# ---- how it is going -------------------------------------------------------------------------------------------------
def lag_seconds(lag: Lag, now: datetime) -> int:
    return 0 if lag.since is None else max(0, int((now - lag.since).total_seconds()))


def alert_of(subscription: Subscription, lag: Lag, now: datetime) -> Alert:
    """The most serious thing there is to say."""
    if subscription.stopped_by is not None:
        return Alert.STOPPED
    if subscription.failures:
        return Alert.FAILING
    if lag_seconds(lag, now) > BEHIND:
        return Alert.BEHIND
    return Alert.DEAD_LETTERS if lag.dead else Alert.OK
