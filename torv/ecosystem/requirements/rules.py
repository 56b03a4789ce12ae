"""Rules of requirements: what a profile may say about its contract, what it demands, and how a release stands to it.

Pure. A profile may only add: whatever a contract says already stays as it is, so that a module that keeps the set keeps
the contract too.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import rfc8785
from dateutil.relativedelta import relativedelta

from torv.ecosystem.agreements import ServiceHours, ServiceLevel
from torv.ecosystem.modules import LEVELS, Certification, Contract, Operation, paths_may_meet
from torv.ecosystem.requirements.models import Demand, Judged, Kind, Outcome, Standing

FORMAT = "torv-requirement-set/1"
LEVEL = "certification_level"  #: the name of the demand that every set has
_NAMES = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_PARTS = (
    ("operations", Kind.OPERATION), ("fields", Kind.FIELD), ("service_levels", Kind.SERVICE_LEVEL),
    ("cases", Kind.CASE),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Something a profile cannot say."""

    path: Sequence[str | int]
    reason: str
    reason_da: str


def hash_of(value: Any) -> str:
    """SHA-256 over the canonical JSON, hex."""
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()


def hash_of_set(contract_hash: str, profile: Mapping[str, Any]) -> str:
    """The name of a requirement set; the SDK reckons the same."""
    return hash_of({"format": FORMAT, "contract": contract_hash, "profile": profile})


# ---- what a profile may say ------------------------------------------------------------------------------------------
def faults_of(contract: Contract, profile: Mapping[str, Any]) -> Iterator[Fault]:
    """Where a profile contradicts its contract, or itself."""
    yield from _twins(profile)
    yield from _operations(contract, profile)
    yield from _fields(contract, profile)
    yield from _cases(contract, profile)


def _twins(profile: Mapping[str, Any]) -> Iterator[Fault]:
    seen = {LEVEL}
    for part, _ in _PARTS:
        for number, each in enumerate(profile.get(part, ())):
            if each["id"] in seen:
                yield _fault((part, number, "id"), f"{each['id']} stands twice", f"{each['id']} står to gange")
            seen.add(each["id"])


def _operations(contract: Contract, profile: Mapping[str, Any]) -> Iterator[Fault]:
    categories = {each.category for each in contract.operations} | {each.category for each in contract.records}
    known = [(each.id, each.method, each.path) for each in contract.operations]
    for number, each in enumerate(profile.get("operations", ())):
        place = ("operations", number)
        if each["id"] in [name for name, _, _ in known]:
            yield _fault((*place, "id"), "the contract has it already", "kontrakten har den allerede")
        if any(each["method"] == method and paths_may_meet(each["path"], path) for _, method, path in known):
            yield _fault((*place, "path"), "cannot be told from another", "kan ikke skelnes fra en anden")
        if each["path"].split("/")[1] in ("torv", "."):
            yield _fault((*place, "path"), "/torv belongs to Torv", "/torv tilhører Torv")
        if each["category"] not in categories:
            yield _fault((*place, "category"), "a category the contract lacks", "en kategori, kontrakten ikke har")
        known.append((each["id"], each["method"], each["path"]))


def _fields(contract: Contract, profile: Mapping[str, Any]) -> Iterator[Fault]:
    operations = {each.id for each in contract.operations} | {each["id"] for each in profile.get("operations", ())}
    schemas = {each.name: each.schema for each in contract.records}
    for number, each in enumerate(profile.get("fields", ())):
        place = ("fields", number)
        if "answer" in each and each["answer"] not in operations:
            yield _fault((*place, "answer"), "no such operation", "den handling findes ikke")
        if "record" not in each:
            continue
        schema = schemas.get(each["record"])
        if schema is None:
            yield _fault((*place, "record"), "no such record type", "den posttype findes ikke")
        elif each["name"] in schema.get("properties", {}):
            if "schema" in each:
                reason, reason_da = "the contract says what it is", "kontrakten siger, hvad det er"
                yield _fault((*place, "schema"), reason, reason_da)
        elif schema.get("additionalProperties") is False:
            yield _fault((*place, "name"), "the contract allows no such field", "kontrakten tillader ikke feltet")


def _cases(contract: Contract, profile: Mapping[str, Any]) -> Iterator[Fault]:
    methods = {each.id: (each.method, each.path) for each in contract.operations}
    methods |= {each["id"]: (each["method"], each["path"]) for each in profile.get("operations", ())}
    for number, case in enumerate(profile.get("cases", ())):
        kept = {"person"}
        for index, step in enumerate(case["steps"]):
            place = ("cases", number, "steps", index)
            if step["call"] not in methods:
                yield _fault((*place, "call"), "no such operation", "den handling findes ikke")
                continue
            yield from _step(place, step, *methods[step["call"]])
            for name in sorted(_named(step) - kept):
                yield _fault(place, f"no step before keeps {{{name}}}", f"intet trin før gemmer {{{name}}}")
            kept |= step.get("keep", {}).keys()


def _step(place: Sequence[str | int], step: Mapping[str, Any], method: str, path: str) -> Iterator[Fault]:
    if method == "GET" and "body" in step:
        yield _fault((*place, "body"), "a GET has no body", "en GET har intet indhold")
    if set(_NAMES.findall(path)) != set(step.get("path", {})):
        yield _fault(place, f"path must give the parameters of {path}", f"path skal give parametrene i {path}")


def _named(value: Any) -> set[str]:
    """The names that stand in braces in what a step sends."""
    if isinstance(value, str):
        return set(_NAMES.findall(value))
    if isinstance(value, Mapping):
        parts = [each for name, each in value.items() if name not in ("expect", "keep")]
        return set().union(*map(_named, parts))
    return set().union(*map(_named, value)) if isinstance(value, list) else set()


def _fault(path: Sequence[str | int], reason: str, reason_da: str) -> Fault:
    return Fault(path=path, reason=reason, reason_da=reason_da)


# ---- what it demands -------------------------------------------------------------------------------------------------
def demands_of(profile: Mapping[str, Any]) -> list[Demand]:
    """Everything a set demands, each by its name; the level first."""
    level = wanted_level(profile)
    found = [
        Demand(
            id=LEVEL, kind=Kind.LEVEL, da=f"Versionen er certificeret til {level}",
            en=f"The release is certified to {level}", hash=hash_of({"level": level}), content={"level": level},
        )
    ]  # fmt: skip
    for part, kind in _PARTS:
        for each in profile.get(part, ()):
            content = {**each, "service": profile["capability"]}
            found.append(
                Demand(id=each["id"], kind=kind, da=each["da"], en=each["en"], hash=hash_of(each), content=content)
            )
    return found


def wanted_level(profile: Mapping[str, Any]) -> str:
    """How far a release must be certified."""
    return str(profile.get("certification", {}).get("level", "bronze"))


def expires_at(profile: Mapping[str, Any], certification: Certification) -> datetime:
    """When a certification no longer counts for a set that may want it newer than others do."""
    months = profile.get("certification", {}).get("valid_months")
    if months is None:
        return certification.expires_at
    return min(certification.expires_at, certification.began_at + relativedelta(months=months))


# ---- what it adds ----------------------------------------------------------------------------------------------------
def added_operations(profile: Mapping[str, Any]) -> list[Operation]:
    """The operations beside the contract's."""
    return [
        Operation(
            id=each["id"], method=each["method"], path=each["path"], safe=each["safe"], category=each["category"],
            is_added=True,
        )
        for each in profile.get("operations", ())
    ]  # fmt: skip


def schemas_of_records(profile: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Record type and what its bodies must fit, for each field that records must have."""
    return [
        (
            each["record"],
            {"type": "object", "required": [each["name"]], "properties": {each["name"]: each.get("schema", {})}},
        )
        for each in profile.get("fields", ())
        if "record" in each
    ]


def schemas_of_answers(profile: Mapping[str, Any]) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Operation -> the name of each demand on its answers, with what a successful answer must fit for it."""
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for each in profile.get("fields", ()):
        if "answer" in each:
            name = each["name"]
            part = {"type": "object", "required": [name], "properties": {name: each.get("schema", {})}}
            found.setdefault(each["answer"], []).append((each["id"], _schema_at(each.get("at", ""), part)))
    return found


def _schema_at(place: str, part: dict[str, Any]) -> dict[str, Any]:
    """What a whole fits whose parts at a place fit `part`; a place that is not there demands nothing."""
    for step in reversed(place.split("/")[1:]):
        name = step.replace("~1", "/").replace("~0", "~")
        part = {"properties": {name: part}, **({"items": part} if step == "*" else {})}
    return part


def openapi_with(openapi: Mapping[str, Any] | None, profiles: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """A contract's OpenAPI with the operations that profiles add. A profile says of them what they are for, no more."""
    if openapi is None:
        return None
    paths = {path: dict(methods) for path, methods in openapi["paths"].items()}
    for profile in profiles:
        for each in profile.get("operations", ()):
            names = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                     for name in _NAMES.findall(each["path"])]  # fmt: skip
            described = {
                "operationId": each["id"], "summary": each["en"], "description": each["da"], "parameters": names,
                "responses": {"default": {"description": "As the supplier answers."}},
            }  # fmt: skip
            paths.setdefault(each["path"], {}).setdefault(each["method"].lower(), described)
    return {**openapi, "paths": paths}


def is_kept(profile: Mapping[str, Any], certification: Certification) -> bool:
    """Whether a release was found to meet every demand of a set that can be tried, however long ago."""
    demands = [each for each in demands_of(profile) if each.kind is not Kind.SERVICE_LEVEL]
    return all(each.outcome is Outcome.PASSED for each in judge(demands, certification, ()))


# ---- how a release stands --------------------------------------------------------------------------------------------
def judge(
    demands: Sequence[Demand], certification: Certification | None, promised: Sequence[ServiceLevel]
) -> list[Judged]:
    """What is known of each demand: from the release's certification, and from what its agreement promises."""
    results = {(each["id"], each["hash"]): each for each in certification.demands} if certification else {}
    return [_judged(demand, certification, results, promised) for demand in demands]


def standing(judged: Sequence[Judged], *, is_tried: bool, is_expired: bool) -> Standing:
    """The state that judged demands give: a demand that was not tried is not met."""
    if any(each.outcome is Outcome.FAILED for each in judged):
        return Standing.FAILED
    if not is_tried:
        return Standing.NOT_TRIED
    if any(each.outcome is Outcome.NOT_TRIED for each in judged):
        return Standing.FAILED
    return Standing.EXPIRED if is_expired else Standing.CERTIFIED


def is_promised(demand: Mapping[str, Any], promised: Sequence[ServiceLevel]) -> bool:
    """Whether an agreement promises, always and for all, at least what a line (with its service) demands."""
    target = Decimal(str(demand["target"]))
    for each in promised:
        is_whole = each.operations is None and each.hours == ServiceHours()
        if each.service != demand["service"] or each.metric != demand["metric"] or not is_whole:
            continue
        if demand["metric"] == "availability" and each.target >= target:
            return True
        is_as_often = (each.percentile or 100) >= demand.get("percentile", 100)
        if demand["metric"] == "response_ms" and each.target <= target and is_as_often:
            return True
    return False


def _judged(
    demand: Demand, certification: Certification | None, results: Mapping[Any, Mapping[str, str]],
    promised: Sequence[ServiceLevel],
) -> Judged:  # fmt: skip
    outcome, found = Outcome.NOT_TRIED, ""
    if demand.kind is Kind.SERVICE_LEVEL:
        is_met = is_promised(demand.content, promised)
        outcome, found = (Outcome.PASSED, "") if is_met else (Outcome.FAILED, "the agreement does not promise it")
    elif demand.kind is Kind.LEVEL and certification is not None:
        reached = certification.level
        if reached is not None and LEVELS.index(reached) >= LEVELS.index(demand.content["level"]):
            outcome = Outcome.PASSED
        else:
            outcome, found = Outcome.FAILED, f"reached: {reached or 'none'}"
    elif (result := results.get((demand.id, demand.hash))) is not None:
        found = str(result["found"])
        outcome = {"passed": Outcome.PASSED, "failed": Outcome.FAILED}.get(result["outcome"], Outcome.NOT_TRIED)
    return Judged(id=demand.id, outcome=outcome, da=demand.da, en=demand.en, found=found)
