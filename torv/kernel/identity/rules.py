"""Rules of identity: what roles permit, when signing in waits, and what passwords, names and limits may be."""

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from torv.base.access import ALL, Access, Caller, Demand, Right, Scope
from torv.base.clock import DENMARK
from torv.base.errors import Denied, InvalidInput, TooManyFailures
from torv.kernel.identity.models import Attempts, NewAssignment, RoleContent

OWN = "own"  #: the operation everybody may do: see and end one's own sessions, change one's own password

#: Services where a role with limits is worth something: they filter their rows by the permit, or (persons and
#: classification) have no rows that bear what limits are about. Elsewhere such a role permits nothing.
TAKE_LIMITS = frozenset({"persons", "classification", "organisation", "events"})
TAKE_UNITS = frozenset({"records"})  #: the same for services whose rows bear a unit, and nothing else of it

_MENDER = "Systemadministratoren"
#: check -> English reason, Danish reason; in the order in which they run
CHECKS: dict[str, tuple[str, str]] = {
    "role": ("you have no role that is in force today", "du har ingen rolle, der gælder i dag"),
    "service": ("your role does not include this part of Torv", "din rolle omfatter ikke den del af Torv"),
    "limits": (
        "your role is limited, and this cannot be limited",
        "din rolle er afgrænset, og det kan dette ikke være",
    ),
    "operation": ("your role does not include it", "din rolle omfatter det ikke"),
    "category": ("your role does not include this data category", "din rolle omfatter ikke datakategorien"),
}
_RANK = {check: rank for rank, check in enumerate(CHECKS)}

PASSWORD_LENGTH = 12  #: characters; length beats composition rules (NIST SP 800-63B, section 5.1.1)
PAIR_LIMIT, LOGIN_LIMIT, ADDRESS_LIMIT = 10, 50, 200  #: failures within a quarter of an hour
NAME_LENGTH, DESCRIPTION_LENGTH = 200, 2_000
MOST = 100  #: units or prefixes that stand in one list
MOST_WORDS = 1_000  #: services, operations and categories of one role together

_LOGIN = re.compile(r"[a-z0-9æøå][a-z0-9æøå._@-]{0,99}")
_WORD = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*|\*")
_KLE = re.compile(r"[0-9]{2}(\.[0-9]{2}){0,2}")


def decide(caller: Caller, demand: Demand, now: datetime, request_id: UUID) -> Access:
    """The permit that a user's roles give: the union of them, each with its own limits. Raises Denied.

    Checks run in a fixed order for each role; the role that came furthest speaks.
    """
    if (demand.service, demand.operation) == ("identity", OWN):
        return _permit(caller, demand, (), request_id)
    today, furthest, permitting = now.astimezone(DENMARK).date(), "role", []
    for right in caller.rights:
        failing = _first_failing(right, demand, today)
        if failing is None:
            permitting.append(right)
        else:
            furthest = max(furthest, failing, key=_RANK.__getitem__)
    if not permitting:
        reason, reason_da = CHECKS[furthest]
        raise Denied(check=furthest, reason=reason, reason_da=reason_da, mender=_MENDER)
    return _permit(caller, demand, permitting, request_id)


def _first_failing(right: Right, demand: Demand, today: date) -> str | None:
    if not (right.valid_from <= today and (right.valid_to is None or today < right.valid_to)):
        return "role"
    operations = right.permits.get(demand.service, frozenset()) | right.permits.get(ALL, frozenset())
    if not operations:
        return "service"
    if not can_be_kept(right.scope, demand.service, keeps_units=demand.keeps_units):
        return "limits"
    if operations.isdisjoint((demand.operation, ALL)):
        return "operation"
    is_covered = demand.category is None or not right.scope.categories.isdisjoint((demand.category, ALL))
    return None if is_covered else "category"


def can_be_kept(scope: Scope, service: str, *, keeps_units: bool) -> bool:
    """Whether a service can keep to the rows that a permit reaches, or (`keeps_units`) whoever asks does."""
    is_by_unit = (scope.kle, scope.sensitivity) == (None, None) and (keeps_units or service in TAKE_UNITS)
    return service in TAKE_LIMITS or is_by_unit or not scope.is_limited


def _permit(caller: Caller, demand: Demand, rights: Iterable[Right], request_id: UUID) -> Access:
    scopes = [right.scope for right in rights]
    return Access(
        caller=caller, service=demand.service, operation=demand.operation, category=demand.category,
        categories=frozenset().union(*(scope.categories for scope in scopes)), row_filter=_filter(scopes),
        purpose=f"role:{'+'.join(sorted({right.role for right in rights}))}" if scopes else OWN, request_id=request_id,
    )  # fmt: skip


def _filter(scopes: list[Scope]) -> tuple[Scope, ...] | None:
    """The scopes without those that another one holds; None if nothing is limited."""
    distinct = list(dict.fromkeys(scopes))
    widest = tuple(a for a in distinct if not any(a is not b and a.is_within(b) for b in distinct))
    return widest if any(scope.is_limited for scope in widest) else None


def right_of(stored: dict[str, Any]) -> Right:
    """A role with its limits, as a statement gives it."""
    units, kle, until = stored["units"], stored["kle"], stored["valid_to"]
    return Right(
        role=stored["role"],
        permits={service: frozenset(operations) for service, operations in stored["permits"].items()},
        scope=Scope(
            categories=frozenset(stored["categories"]), sensitivity=stored["sensitivity"],
            units=() if units is None else (frozenset(map(UUID, units)),), kle=None if kle is None else frozenset(kle),
        ),
        valid_from=date.fromisoformat(stored["valid_from"]),
        valid_to=None if until is None else date.fromisoformat(until),
    )  # fmt: skip


def check_attempts(attempts: Attempts) -> None:
    """Raises TooManyFailures where guessing goes on.

    Somebody who signs in from where they usually do is judged by their own failures there: strangers who keep guessing
    under a name cannot lock its owner out.
    """
    is_strange = attempts.of_login >= LOGIN_LIMIT or attempts.of_address >= ADDRESS_LIMIT
    if attempts.of_pair >= PAIR_LIMIT or (is_strange and not attempts.is_known_here):
        raise TooManyFailures


def check_password(password: str) -> None:
    """Raises InvalidInput for a password that is too short or absurdly long."""
    if not PASSWORD_LENGTH <= len(password) <= 1_000:
        raise InvalidInput(reason=f"a password has at least {PASSWORD_LENGTH} characters")


def normal_login(text: str) -> str:
    """The name somebody signs in with; capitals do not count. Raises InvalidInput."""
    login = text.strip().casefold()
    if not _LOGIN.fullmatch(login):
        raise InvalidInput(reason="login")
    return login


def normal_line(text: str, field: str, longest: int = NAME_LENGTH) -> str:
    """A line without surplus spaces. Raises InvalidInput if it is empty, too long or has control characters."""
    line = " ".join(text.split())
    if not 0 < len(line) <= longest or not line.isprintable():
        raise InvalidInput(reason=field)
    return line


def normal_content(content: RoleContent) -> RoleContent:
    """The role in normal form. Raises InvalidInput, naming the field."""
    words = [*content.permits, *content.categories, *(each for some in content.permits.values() for each in some)]
    if len(words) > MOST_WORDS or not all(len(word) <= 100 and _WORD.fullmatch(word) for word in words):
        raise InvalidInput(reason="permits or categories: small letters, digits, _ and . only, or *")
    if not all(content.permits.values()):
        raise InvalidInput(reason="permits: a service without operations")
    return RoleContent(
        name=normal_line(content.name, "name"),
        description=normal_line(content.description, "description", DESCRIPTION_LENGTH) if content.description else "",
        permits={service: sorted(set(some)) for service, some in sorted(content.permits.items())},
        categories=sorted(set(content.categories)),
    )


def normal_kle(prefixes: list[str] | None) -> list[str] | None:
    """Prefixes of whole KLE parts, without the `.*` of the OIO privilege profile. Raises InvalidInput."""
    if prefixes is None:
        return None
    plain = sorted({each.removesuffix(".*") for each in prefixes})
    if not 0 < len(plain) <= MOST or not all(_KLE.fullmatch(each) for each in plain):
        raise InvalidInput(reason="kle: numbers such as 27, 27.15 or 27.15.12")
    return plain


def check_limits(new: NewAssignment, valid_from: date) -> None:
    """Raises InvalidInput for an empty list of units, or a period without a day in it."""
    if new.units is not None and not 0 < len(new.units) <= MOST:
        raise InvalidInput(reason="units: leave it out, or name at least one")
    if new.valid_to is not None and new.valid_to <= valid_from:
        raise InvalidInput(reason="valid_to: must be later than valid_from")
