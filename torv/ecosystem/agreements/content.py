"""The content of an agreement: what the parties sign, term by term. Immutable; a change is a new version.

The terms follow the data protection authority's standard clauses (annexes A to D of the data-processing terms) and the
annexes of the state's standard contracts. A term we do not know makes an agreement impossible to use: what we cannot
read we cannot keep.
"""

from datetime import date, time
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

FORMAT = "torv-agreement/1"
LAST_YEAR = 2100  #: a date beyond is a slip of the pen

#: Data categories that are about nobody; every other one is personal data and needs data-processing terms.
IMPERSONAL = frozenset({"classification", "contract"})

Cvr = Annotated[str, Field(pattern=r"^[0-9]{8}$")]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]  #: ISO 3166-1
Word = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[a-z][a-z0-9_.-]*$")]
Line = Annotated[str, Field(min_length=1, max_length=300)]
Text = Annotated[str, Field(min_length=1, max_length=4_000)]
Kle = Annotated[str, Field(pattern=r"^[0-9]{2}(\.[0-9]{2}){0,2}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Months = Annotated[int, Field(ge=0, le=120)]
Days = Annotated[int, Field(ge=1, le=3_650)]


def _check_hours(opens: time | None, closes: time | None) -> None:
    if (opens is None) != (closes is None) or (opens is not None and opens == closes):
        raise ValueError("opens and closes belong together and differ")
    if any(each is not None and each.tzinfo is not None for each in (opens, closes)):
        raise ValueError("opens and closes are times of day in Denmark, without an offset")
    if any(each is not None and (each.second or each.microsecond) for each in (opens, closes)):
        raise ValueError("opens and closes are whole minutes")  # verdicts are remembered for a minute at most


class Term(BaseModel):
    """A part of an agreement."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Option(Term):
    """The municipality's right to let the agreement run longer, if it says so in time."""

    extend_months: Annotated[int, Field(ge=1, le=60)]
    decide_by: AwareDatetime


class Validity(Term):
    not_before: AwareDatetime
    not_after: AwareDatetime  #: an agreement always ends
    irrevocable_to: AwareDatetime | None = None  #: notice cannot end it earlier
    notice_months: Months = 3
    options: tuple[Option, ...] = Field(default=(), max_length=10)

    @model_validator(mode="after")
    def _makes_sense(self) -> "Validity":
        if self.not_after <= self.not_before:
            raise ValueError("it ends before it begins")
        if self.not_after.year > LAST_YEAR or self.not_before.year < 1990:
            raise ValueError(f"a year outside 1990 to {LAST_YEAR}")
        if self.irrevocable_to is not None and self.irrevocable_to > self.not_after:
            raise ValueError("irrevocable beyond its end")
        ends = [option.decide_by for option in self.options]
        if ends != sorted(ends) or any(end > self.not_after for end in ends[:1]):
            raise ValueError("options must be decided in order, the first before the end")
        return self


class Purpose(Term):
    """Why data are used: a processing activity of the municipality's own register, and the law it rests on."""

    activity: Word  #: code of the processing activity (GDPR, article 30)
    legal_basis: tuple[Line, ...] = Field(min_length=1, max_length=20)  #: such as `SEL §83`
    text: Line  #: as citizens read it


class Reach(Term):
    """Which rows a grant reaches. What is left out does not limit."""

    units: frozenset[UUID] | None = Field(default=None, min_length=1, max_length=100)  #: and what lies below them
    kle: frozenset[Kle] | None = Field(default=None, min_length=1, max_length=100)
    sensitivity: Annotated[int, Field(ge=0, le=3)] | None = None


class Window(Term):
    """When a grant holds, within the agreement's own validity. Weekdays and hours are those of Denmark's clocks."""

    not_before: AwareDatetime | None = None
    not_after: AwareDatetime | None = None
    weekdays: frozenset[Annotated[int, Field(ge=1, le=7)]] | None = Field(default=None, min_length=1)  #: 1 is Monday
    opens: time | None = None
    closes: time | None = None  #: the first minute outside; earlier than `opens` means past midnight

    @model_validator(mode="after")
    def _has_both_ends(self) -> "Window":
        _check_hours(self.opens, self.closes)
        return self


class Limits(Term):
    """How much a grant may be used; what is left out does not limit."""

    calls_per_second: Annotated[int, Field(ge=1, le=100_000)] | None = None
    calls_per_day: Annotated[int, Field(ge=1, le=10**9)] | None = None
    person_views_per_day: Annotated[int, Field(ge=1, le=10**9)] | None = None  #: not different persons


class Grant(Term):
    """One line of permission: a module, a service, its operations, the data categories, the purpose, and the limits."""

    id: Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[a-z0-9-]+$")]
    module: Line
    service: Word  #: a kernel service or a capability
    major: Annotated[int, Field(ge=1, le=999)] = 1
    operations: frozenset[Word] = Field(min_length=1, max_length=100)
    categories: frozenset[Word] = Field(min_length=1, max_length=100)
    purpose: Purpose
    reach: Reach = Reach()
    window: Window = Window()
    limits: Limits = Limits()
    keys: frozenset[str] | None = Field(default=None, min_length=1, max_length=10)  #: thumbprints of releases' keys


class PersonalData(Term):
    """Annex A: a kind of personal data the agreement is about."""

    category: Word
    kind: Literal["ordinary", "sensitive", "criminal", "cpr"]  #: GDPR articles 6, 9 and 10, and the CPR number


class SubProcessor(Term):
    """Annex B: somebody the supplier lets work for it."""

    cvr: Cvr
    country: Country
    task: Line
    categories: frozenset[Word] = Field(min_length=1)
    approved_from: date
    approved_to: date | None = None  #: the first day on which it no longer holds


class Retention(Term):
    """Annex C.4: how long a kind of data is kept, and what then."""

    category: Word
    keep_months: Annotated[int, Field(ge=0, le=1_200)]
    then: Literal["delete", "return", "archive"]


class Transfer(Term):
    """Annex C.6: a country outside the EU and EEA, and the basis for sending data there (GDPR, chapter V)."""

    country: Country
    basis: Literal["adequacy", "standard_clauses", "binding_rules"]


class Oversight(Term):
    """Annex C.7: how the municipality watches over the processing."""

    kind: Literal["written", "report", "visit"]
    interval_months: Annotated[int, Field(ge=1, le=60)]
    next_due: date
    on_overdue: Literal["warn", "deny"] = "warn"


class DataProcessing(Term):
    """The data-processing terms: what is filled in around standard clauses that are named by their hash."""

    clauses: Sha256  #: of the standard clauses that apply
    purpose: Text
    data: tuple[PersonalData, ...] = Field(min_length=1, max_length=200)
    subjects: tuple[Line, ...] = Field(min_length=1, max_length=50)  #: whom the data are about
    approval: Literal["prior_specific", "general_with_notice"] = "prior_specific"  #: of further sub-processors
    notice_days: Annotated[int, Field(ge=0, le=365)] = 30
    sub_processors: tuple[SubProcessor, ...] = Field(default=(), max_length=100)
    security: tuple[Line, ...] = Field(min_length=1, max_length=100)
    breach_hours: Annotated[int, Field(ge=1, le=72)] = 24  #: to tell the municipality; GDPR art. 33 gives it 72 in all
    retention: tuple[Retention, ...] = Field(min_length=1, max_length=200)
    locations: frozenset[Country] = Field(min_length=1)
    transfers: tuple[Transfer, ...] = Field(default=(), max_length=50)
    oversight: Oversight
    other: tuple[Line, ...] = Field(default=(), max_length=50)

    @property
    def categories(self) -> frozenset[str]:
        return frozenset(each.category for each in self.data)


class ServiceHours(Term):
    """When a promise of service holds, by Denmark's clocks; what is left out does not limit.

    Hours past midnight belong to the day on which they began.
    """

    weekdays: frozenset[Annotated[int, Field(ge=1, le=7)]] | None = Field(default=None, min_length=1)  #: 1 is Monday
    opens: time | None = None
    closes: time | None = None  #: the first minute outside; earlier than `opens` means past midnight

    @model_validator(mode="after")
    def _has_both_ends(self) -> "ServiceHours":
        _check_hours(self.opens, self.closes)
        return self


class Maintenance(Term):
    """Planned work that counts neither for nor against the supplier, if it was announced in time."""

    announce_hours: Annotated[int, Field(ge=1, le=8_760)]  #: before it begins
    most_minutes: Annotated[int, Field(ge=1, le=44_640)]  #: in a month; what goes beyond counts like any other time


class Remedy(Term):
    """A step of the scale by which a broken promise costs the supplier a part of the month's fee."""

    beyond: Annotated[Decimal, Field(ge=0, le=1_000_000, max_digits=12)]  #: from this value on, on the wrong side
    percent: Annotated[Decimal, Field(gt=0, le=100, max_digits=7)]  #: of the month's fee


class ServiceLevel(Term):
    """A promise that is measured at the gateway, each calendar month by itself."""

    metric: Literal["availability", "response_ms", "error_rate", "outage_minutes"]
    service: Word
    #: per cent of the minutes, milliseconds, per cent of the calls, minutes of the longest outage
    target: Annotated[Decimal, Field(ge=0, le=1_000_000, max_digits=12)]
    percentile: Annotated[int, Field(ge=1, le=100)] | None = None  #: of the calls, for response_ms; None: every call
    operations: frozenset[Word] | None = Field(default=None, min_length=1, max_length=100)  #: None: all of the service
    hours: ServiceHours = ServiceHours()
    maintenance: Maintenance | None = None  #: None: work that is announced counts like any other time
    remedies: tuple[Remedy, ...] = Field(default=(), max_length=20)
    window: Literal["month"] = "month"  #: a calendar month by Denmark's clocks

    @model_validator(mode="after")
    def _makes_sense(self) -> "ServiceLevel":
        if self.percentile is not None and self.metric != "response_ms":
            raise ValueError("a percentile belongs to response_ms")
        if self.metric in ("availability", "error_rate") and self.target > 100:
            raise ValueError("more than 100 per cent")
        if self.metric in ("availability", "response_ms") and self.target <= 0:
            raise ValueError("a target of nothing")
        _check_remedies(self)
        return self


class Exit(Term):
    """What the partner owes when the agreement ends; export stays open until data are handed back."""

    formats: tuple[Line, ...] = Field(min_length=1)  #: open ones
    plan_due: date | None = None
    trial_export_months: Annotated[int, Field(ge=1, le=24)] = 12
    assist_hours: Annotated[int, Field(ge=0, le=10_000)] = 0
    hand_back_days: Days = 60
    delete_days: Days = 30
    backup_expiry_days: Days = 90


class Parent(Term):
    """The agreement that a sub-supplier's agreement stands under: it grants nothing that the parent does not."""

    agreement: UUID
    partner: Cvr  #: the supplier who signed the parent, and signs this one too


class Document(Term):
    """A signed paper that belongs to the agreement, kept elsewhere."""

    title: Line
    sha256: Sha256
    reference: Line | None = None


class Content(Term):
    """What the parties sign."""

    format: Literal["torv-agreement/1"]
    id: UUID
    version: Annotated[int, Field(ge=1, le=9_999)] = 1
    supersedes: UUID | None = None  #: the version before, which this one replaces when it comes into force
    title: Line
    municipality: Cvr
    partner: Cvr
    parent: Parent | None = None
    validity: Validity
    grants: tuple[Grant, ...] = Field(min_length=1, max_length=500)
    data_processing: DataProcessing | None = None
    service_levels: tuple[ServiceLevel, ...] = Field(default=(), max_length=100)
    remedy_cap: Annotated[Decimal, Field(gt=0, le=100, max_digits=7)] = Decimal(
        100
    )  #: per cent of a month's fee in all
    exit: Exit
    requirement_set: Sha256 | None = None
    signers: Annotated[int, Field(ge=2, le=5)] = 2  #: different users who must confirm before the municipality signs
    documents: tuple[Document, ...] = Field(default=(), max_length=100)

    @model_validator(mode="after")
    def _is_whole(self) -> "Content":
        if len({grant.id for grant in self.grants}) != len(self.grants):
            raise ValueError("two grants have the same id")
        if (self.version == 1) != (self.supersedes is None):
            raise ValueError("version 1 supersedes nothing; every later version supersedes the one before")
        missing = self.unprotected()
        if missing:
            raise ValueError(f"data_processing: no terms for {', '.join(sorted(missing))}")
        for grant in self.grants:
            _check_window(grant, self.validity)
        return self

    def unprotected(self) -> frozenset[str]:
        """The personal data categories that are granted and that the data-processing terms do not name."""
        covered = self.data_processing.categories if self.data_processing else frozenset()
        return frozenset().union(*(grant.categories for grant in self.grants)) - covered - IMPERSONAL

    def provides(self, module: str, service: str, major: int) -> bool:
        """Whether a grant lets a module provide a version of a capability."""
        return any(
            (grant.module, grant.service, grant.major) == (module, service, major) and "provide" in grant.operations
            for grant in self.grants
        )

    @property
    def signatories(self) -> tuple[str, ...]:
        """The CVR numbers of everybody who must sign, the municipality first."""
        above = (self.parent.partner,) if self.parent else ()
        return (self.municipality, self.partner, *above)


def _check_window(grant: Grant, validity: Validity) -> None:
    begins, ends = grant.window.not_before, grant.window.not_after
    if begins is not None and ends is not None and ends <= begins:
        raise ValueError(f"grants: {grant.id} ends before it begins")
    if (begins is not None and begins < validity.not_before) or (ends is not None and ends > validity.not_after):
        raise ValueError(f"grants: {grant.id} reaches beyond the agreement's validity")


def _check_remedies(level: ServiceLevel) -> None:
    """The steps go from the promise on towards the worse, and each costs more than the one before."""
    sign = -1 if level.metric == "availability" else 1
    steps = [sign * level.target, *(sign * each.beyond for each in level.remedies)]
    percents = [each.percent for each in level.remedies]
    if any(a > b for a, b in pairwise(steps)) or len(set(steps[1:])) != len(percents):
        raise ValueError("remedies go from the promise towards the worse")
    if any(a >= b for a, b in pairwise(percents)):
        raise ValueError("each step of the remedies costs more than the one before")
