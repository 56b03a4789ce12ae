"""Demands: what a municipal profile asks beyond the contract, tried on a module, each by its name."""

import asyncio
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import jsonschema_rs

from torv_sdk.certifying.rules import Broken
from torv_sdk.certifying.stand import Answered, Stand
from torv_sdk.contracts import DIALECT, Operation
from torv_sdk.profiles import Demand, Kind, Profile

PASSING_TIME = 10.0  #: seconds a call is tried again that was answered 409 or 503, as a caller does
_NAME = re.compile(r"\{([a-z][a-z0-9_]*)\}")


class NotTried(Exception):
    """A demand could not be tried here; the message says why."""


async def try_demand(demand: Demand, stand: Stand, profile: Profile) -> None:
    """Try one demand. Raises Broken if it is not met, or NotTried."""
    trial = _Trial(stand=stand, profile=profile)
    if demand.kind is Kind.OPERATION:
        await trial.operation(profile.operations[demand.id])
    elif demand.kind is Kind.CASE:
        await trial.case(demand.content)
    elif "record" in demand.content:
        await trial.record_field(demand.content)
    else:
        await trial.answer_field(demand.content)


@dataclass(kw_only=True, slots=True)
class _Trial:
    """One demand being tried: what its steps have kept, and the keys they share."""

    stand: Stand
    profile: Profile
    kept: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    async def operation(self, operation: Operation) -> None:
        """It must be there: refuse a stranger with 401, and not say to Torv that there is no such thing."""
        answer = await self.stand.knock(operation, None)
        if answer.status != 401:
            raise Broken(f"{operation.method} {operation.path} answered {answer.status} to a stranger")
        await self.stand.check_there(operation)

    async def case(self, case: Mapping[str, Any]) -> None:
        self.kept["person"] = self.stand.person
        for number, step in enumerate(case["steps"], 1):
            operation = self.profile.operations[step["call"]]
            if self.stand.torv is None and not operation.is_safe:
                raise NotTried("it writes, and that needs a real Torv: the command torv, and --start")
            answer, wanted = await self._asked(operation, step), step["expect"]
            if answer.status != wanted["status"]:
                raise Broken(f"step {number}: {operation.name} answered {answer.status}, not {wanted['status']}")
            if complaint := complaint_of(wanted.get("answer", {}), answer.body):
                raise Broken(f"step {number}: {operation.name} answered, but {complaint}")
            for name, place in step.get("keep", {}).items():
                found = next(parts_at(answer.body, place), None)
                if found is None:
                    raise Broken(f"step {number}: {operation.name} answered without {place}")
                self.kept[name] = str(found)

    async def _asked(self, operation: Operation, step: Mapping[str, Any]) -> Answered:
        """Send a step until it is answered for good, the same key each time."""
        key = None if operation.is_safe else self.keys.setdefault(step.get("key") or str(uuid4()), str(uuid4()))
        content = json.dumps(self._filled(step["body"]), ensure_ascii=False).encode() if "body" in step else b""
        query = self._filled(step.get("query", {})) if operation.is_safe else None
        path = _NAME.sub(lambda name: str(self._filled(step.get("path", {}))[name[1]]), operation.path)
        headers = {"Content-Type": "application/json"} if content else {}
        headers |= {"Idempotency-Key": key} if key else {}
        deadline = time.monotonic() + PASSING_TIME
        while True:
            sent = operation.method, path, self.stand.token(), operation.name, content, headers, query
            answer = await self.stand.send(*sent)
            is_passing = answer.status in (409, 503) and answer.status != step["expect"]["status"]
            if not is_passing or time.monotonic() > deadline:
                self.stand.answered.append(answer)
                return answer
            await asyncio.sleep(0.3)

    def _filled(self, value: Any) -> Any:
        """A value with what earlier steps kept in the place of the names in braces. Raises Broken for another name."""
        if isinstance(value, str):
            if unknown := [name for name in _NAME.findall(value) if name not in self.kept]:
                raise Broken(f"the case uses {{{unknown[0]}}}, which no step before keeps")
            return _NAME.sub(lambda name: self.kept[name[1]], value)
        if isinstance(value, Mapping):
            return {name: self._filled(each) for name, each in value.items()}
        return [self._filled(each) for each in value] if isinstance(value, list) else value

    async def answer_field(self, wanted: Mapping[str, Any]) -> None:
        """Every successful answer of the operation must have it, at every place that is meant."""
        operation, place = self.profile.operations[wanted["answer"]], wanted.get("at", "")
        await self._exercise(operation)
        answers = [a for a in self.stand.answered if a.operation == operation.name and a.status < 300]
        parts = [part for answer in answers for part in parts_at(answer.body, place)]
        if not parts:
            raise NotTried(f"no answer of {operation.name} has anything at {place or 'its top'}")
        for part in parts:
            _check_field(f"{operation.name} answered", part, wanted)

    async def _exercise(self, operation: Operation) -> None:
        """Write first where it can be done, so that reading finds something."""
        if self.stand.torv is not None:
            for each in self.stand.writing():
                await self._asked(each, {"body": self.stand.example(each), "expect": {"status": 201}})
        if operation.is_safe and operation in self.stand.reading():
            await self.stand.read(operation)

    async def record_field(self, wanted: Mapping[str, Any]) -> None:
        """Every record that the module writes from now on must have it."""
        torv = self.stand.torv
        if torv is None:
            raise NotTried("it is about records, and that needs a real Torv: the command torv, and --start")
        before = await torv.latest(self.stand.contract.capability)
        await self._exercise(next(iter(self.stand.contract.operations.values())))
        deadline = time.monotonic() + PASSING_TIME
        while not (new := await self._new(before, wanted["record"])):
            if time.monotonic() > deadline:
                raise NotTried(f"no record of the type {wanted['record']} was written")
            await asyncio.sleep(0.2)
        for body in new:
            _check_field(f"a record {wanted['record']}", body, wanted)

    async def _new(self, before: Mapping[str, Any], record_type: str) -> list[Any]:
        assert self.stand.torv is not None
        now = await self.stand.torv.latest(self.stand.contract.capability)
        return [each["body"] for id_, each in now.items() if id_ not in before and each["type"] == record_type]


def _check_field(what: str, part: Any, wanted: Mapping[str, Any]) -> None:
    name = wanted["name"]
    if not isinstance(part, dict) or name not in part:
        raise Broken(f"{what} without {name}")
    if complaint := complaint_of(wanted.get("schema", {}), part[name]):
        raise Broken(f"{what} with {name}, but {complaint}")


def complaint_of(schema: Mapping[str, Any], value: Any) -> str | None:
    """Why a value does not fit; says where, never what stood there."""
    validator = jsonschema_rs.Draft202012Validator({"$schema": DIALECT, **schema}, validate_formats=True)
    error = next(validator.iter_errors(value), None)
    if error is None:
        return None
    place = "/".join(map(str, error.instance_path)) or "it"
    return f"{place} breaks the rule {'/'.join(map(str, error.schema_path[-2:]))}"


def parts_at(value: Any, place: str) -> Iterator[Any]:
    """What stands at a place of an answer; `*` goes into every entry of a list."""
    if not place:
        yield value
        return
    first, _, rest = place[1:].partition("/")
    rest = f"/{rest}" if rest else ""
    if first == "*" and isinstance(value, list):
        for each in value:
            yield from parts_at(each, rest)
    elif isinstance(value, dict) and (name := first.replace("~1", "/").replace("~0", "~")) in value:
        yield from parts_at(value[name], rest)
