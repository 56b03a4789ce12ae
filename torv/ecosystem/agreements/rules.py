"""Rules of agreements: reading the content, its hash, and how an agreement stands at an instant."""

import hashlib
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any

import rfc8785
from dateutil.relativedelta import relativedelta
from pydantic import ValidationError

from torv.base.clock import DENMARK
from torv.base.errors import InvalidInput
from torv.base.signing import strict_json
from torv.ecosystem.agreements.content import Content
from torv.ecosystem.agreements.errors import AgreementInvalid
from torv.ecosystem.agreements.faults import faults_of
from torv.ecosystem.agreements.models import Event, EventKind, Standing, State, StoredAgreement

LARGEST = 1_000_000  #: bytes of an agreement


def read_content(text: bytes) -> tuple[Content, dict[str, Any]]:
    """The content of an agreement, and the same as plain JSON. Raises AgreementInvalid, naming the term."""
    if len(text) > LARGEST:
        raise AgreementInvalid(reason=f"larger than {LARGEST} bytes", reason_da=f"større end {LARGEST} byte")
    try:
        plain = strict_json(text)
        return Content.model_validate(plain), plain
    except InvalidInput as error:
        reason = error.facts["reason"]
        raise AgreementInvalid(reason=reason, reason_da=f"teksten er ikke entydig JSON ({reason})") from None
    except ValidationError as error:
        first = faults_of(error)[0]
        raise AgreementInvalid(
            reason=f"{first.place}: {first.text}", reason_da=f"{first.place} {first.text_da}"
        ) from None


def canonical(plain: dict[str, Any]) -> bytes:
    """The canonical JSON (RFC 8785). Raises AgreementInvalid for numbers JSON cannot carry."""
    try:
        return rfc8785.dumps(plain)
    except rfc8785.CanonicalizationError as error:
        raise AgreementInvalid(reason=str(error), reason_da="et tal kan ikke stå i JSON") from None


def hash_content(plain: dict[str, Any]) -> str:
    """SHA-256 over the canonical JSON, hex. Raises AgreementInvalid for numbers JSON cannot carry."""
    return hashlib.sha256(canonical(plain)).hexdigest()


def standing_of(content: Content, stored: StoredAgreement, now: datetime, *, is_replaced: bool = False) -> Standing:
    """How an agreement stands: in force from not_before up to, but not including, its end.

    `is_replaced`: a later version has come into force, and no longer matters what happened to this one.
    """
    for cause, state, holds in STANDINGS:
        if holds(content, stored, now, is_replaced):
            return Standing(state=state, cause=cause)
    return Standing(state=State.NOTICE if _has(stored, EventKind.NOTICE) else State.ACTIVE)


def _has(stored: StoredAgreement, kind: EventKind) -> bool:
    return any(event.kind is kind for event in stored.events)


def _is_unsigned(content: Content, stored: StoredAgreement) -> bool:
    return not stored.signed_by.issuperset(content.signatories)


def _is_closed(content: Content, stored: StoredAgreement, now: datetime) -> bool:
    return _has(stored, EventKind.CLOSE) or now >= closed_at(content, stored.events)


def _is_expired(content: Content, stored: StoredAgreement, now: datetime) -> bool:
    return now >= expires_at(content, stored.events)


def _is_noticed_away(content: Content, stored: StoredAgreement, now: datetime) -> bool:
    """Whether notice has ended it, and ended it before it would have expired."""
    ended, check = ended_at(content, stored.events)
    return check == "ended" and now >= ended


def is_suspended(stored: StoredAgreement) -> bool:
    """Whether it was suspended and not resumed since, whatever has happened beside that."""
    last = [event.kind for event in stored.events if event.kind in (EventKind.SUSPEND, EventKind.RESUME)][-1:]
    return last == [EventKind.SUSPEND]


_Holds = Callable[[Content, StoredAgreement, datetime, bool], bool]
#: the check that refuses, the state it comes from, and when it holds; the first that holds is how an agreement stands.
#: What somebody did holds whatever the clock says: clocks of two machines differ, and a revocation must not wait.
STANDINGS: tuple[tuple[str, State, _Holds], ...] = (
    ("rejected", State.REJECTED, lambda _, stored, *__: _has(stored, EventKind.REJECT)),
    ("proposed", State.PROPOSED, lambda content, stored, *_: _is_unsigned(content, stored)),
    ("superseded", State.SUPERSEDED, lambda *given: given[3]),
    ("closed", State.CLOSED, lambda content, stored, now, _: _is_closed(content, stored, now)),
    ("revoked", State.EXIT, lambda _, stored, *__: _has(stored, EventKind.REVOKE)),
    ("exit", State.EXIT, lambda _, stored, *__: _has(stored, EventKind.EXIT)),
    ("ended", State.EXIT, lambda content, stored, now, _: _is_noticed_away(content, stored, now)),
    ("expired", State.EXIT, lambda content, stored, now, _: _is_expired(content, stored, now)),
    ("suspended", State.SUSPENDED, lambda _, stored, *__: is_suspended(stored)),
    ("waiting", State.WAITING, lambda content, _, now, __: now < content.validity.not_before),
)


def ended_at(content: Content, events: Iterable[Event]) -> tuple[datetime, str]:
    """When the agreement shrinks to export, and the check that then refuses: the earliest of its ends."""
    ends = [(expires_at(content, events), "expired")]
    for event in events:
        if event.kind is EventKind.NOTICE:
            ends.append((_notice_ends(content, event.at), "ended"))
        if event.kind in (EventKind.REVOKE, EventKind.EXIT):
            ends.append((event.at, "revoked" if event.kind is EventKind.REVOKE else "exit"))
    return min(ends)


def closed_at(content: Content, events: Iterable[Event]) -> datetime:
    """When even the export ends: the days of handing back are over."""
    return ended_at(content, events)[0] + timedelta(days=content.exit.hand_back_days)


def expires_at(content: Content, events: Iterable[Event]) -> datetime:
    """The end of the agreement with the options that were used."""
    used = sum(event.kind is EventKind.EXTEND for event in events)
    if not used:
        return content.validity.not_after
    return after_months(content.validity.not_after, sum(o.extend_months for o in content.validity.options[:used]))


def _notice_ends(content: Content, given: datetime) -> datetime:
    ends = after_months(given, content.validity.notice_months)
    return max(ends, content.validity.irrevocable_to or ends)


def after_months(instant: datetime, months: int) -> datetime:
    """The same time of day by Denmark's clocks so many months later; from the 31st to the last day of the month."""
    return (instant.astimezone(DENMARK) + relativedelta(months=months)).astimezone(instant.tzinfo)


def oversight_due(content: Content, events: Iterable[Event]) -> date | None:
    """The day by which the municipality must have looked into the processing; None without such terms."""
    if content.data_processing is None:
        return None
    oversight = content.data_processing.oversight
    done = [event.at.astimezone(DENMARK).date() for event in events if event.kind is EventKind.OVERSIGHT]
    return done[-1] + relativedelta(months=oversight.interval_months) if done else oversight.next_due


def day_after(day: date) -> date:
    return day + timedelta(days=1)


def midnight(day: date) -> datetime:
    """The instant at which a day begins in Denmark."""
    return datetime.combine(day, time_of_day(), DENMARK)


def has_come_into_force(content: Content, stored: StoredAgreement, now: datetime) -> bool:
    is_signed = stored.signed_by.issuperset(content.signatories)
    is_rejected = any(event.kind is EventKind.REJECT for event in stored.events)
    return is_signed and not is_rejected and now >= content.validity.not_before
