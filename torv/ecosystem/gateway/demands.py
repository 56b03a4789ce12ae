"""Demands on answers: what requirement sets in force ask of a module's answers is checked at every call."""

import asyncio
from collections.abc import Sequence
from typing import Any

import jsonschema_rs

from torv.base.errors import InvalidInput
from torv.base.signing import strict_json
from torv.ecosystem.gateway.errors import ModuleAnswerInvalid
from torv.ecosystem.gateway.models import ModuleAnswer
from torv.ecosystem.modules import Demanded

LARGE = 65_536  #: bytes; a larger answer is looked through beside the event loop
MOST_KEPT = 1_000  #: sets and operations whose schemas are kept ready
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class AnswerChecks:
    """What is checked of answers. A set never changes, so that its schemas are made ready once for each operation."""

    def __init__(self) -> None:
        self._ready: dict[tuple[str, str], tuple[Any, list[tuple[str, Any]]]] = {}

    async def check(self, answer: ModuleAnswer, operation: str, demanded: Sequence[Demanded]) -> None:
        """Raises ModuleAnswerInvalid, naming the demand, for a successful answer that does not meet every one."""
        if answer.status >= 300 or not demanded:
            return
        if len(answer.body) > LARGE:
            await asyncio.to_thread(self._check, answer.body, operation, demanded)
        else:
            self._check(answer.body, operation, demanded)

    def _check(self, body: bytes, operation: str, demanded: Sequence[Demanded]) -> None:
        value = _content(body)
        for each in demanded:
            whole, parts = self._validators(each, operation)
            if not whole.is_valid(value):
                name = next(name for name, validator in parts if not validator.is_valid(value))
                raise ModuleAnswerInvalid(
                    reason=f"it does not meet the demand {name} of requirement set {each.requirement_set[:12]}",
                    reason_da=f"det opfylder ikke kravet {name} i kravprofil {each.requirement_set[:12]}",
                )

    def _validators(self, demanded: Demanded, operation: str) -> tuple[Any, list[tuple[str, Any]]]:
        """One for all the demands of a set on an operation, and one for each, which tells what is not met."""
        place = demanded.requirement_set, operation
        if place not in self._ready:
            if len(self._ready) >= MOST_KEPT:
                self._ready.clear()
            parts = [(name, _validator(dict(schema))) for name, schema in demanded.fields]
            whole = _validator({"allOf": [dict(schema) for _, schema in demanded.fields]})
            self._ready[place] = whole, parts
        return self._ready[place]


def _validator(schema: dict[str, Any]) -> Any:
    return jsonschema_rs.Draft202012Validator({"$schema": DIALECT, **schema}, validate_formats=True)


def _content(body: bytes) -> Any:
    if not body:  # an answer without content
        return None
    try:
        return strict_json(body)
    except InvalidInput:
        raise ModuleAnswerInvalid(reason="it is no unambiguous JSON", reason_da="det er ikke entydig JSON") from None
