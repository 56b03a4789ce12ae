"""What a newer version of a contract breaks: a pure comparison of two contents of one major version.

Inside a major version a contract only grows. What we do not understand and that has changed counts as a break.
"""

from collections.abc import Iterator
from typing import Any

from torv.ecosystem.modules.contract_checks import MAIN, Fault

#: words of a schema that say nothing about what is valid
_SAYS_NOTHING = frozenset({"$schema", "$id", "$comment", "$defs", "title", "description", "examples", "default"})
#: words that may change in one direction; here: a larger number is more permissive
_MAY_GROW = frozenset({"maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties"})
_MAY_SHRINK = frozenset({"minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties"})
_WIDER = frozenset({"pattern", "format", "multipleOf", "uniqueItems"})  #: may go, and neither come nor change
_LEVELS = frozenset({"properties", "items", "required", "enum", "additionalProperties"})
_DEEPEST = 50  #: levels of a schema, and references that lead to references

_GONE = ("is gone", "er fjernet")
_CHANGED = ("has changed", "er ændret")
_TIGHTER = ("has become stricter", "er blevet strengere")


def breaks(old: dict[str, Any], new: dict[str, Any]) -> list[Fault]:
    """Everything in the new content that callers, modules or stored records of the old one could stumble over."""
    return [
        *_breaks_of_operations(old, new),
        *_breaks_of_types(old, new, "records"),
        *_breaks_of_types(old, new, "events"),
        *_breaks_of_launch(old, new),
    ]


def breaks_of_schema(old: dict[str, Any], new: dict[str, Any], place: str) -> list[Fault]:
    """The same for one JSON Schema."""
    schemas = _Schemas(old, new)
    found = list(schemas.compare(old, new, place, 0))
    kept = new.get("$defs", {})
    for name, before in old.get("$defs", {}).items():
        if name in kept:  # one that is gone is not referred to: the new schema could not be read otherwise
            found += schemas.compare(before, kept[name], f"{place}/$defs/{name}", 0)
    return found


def _breaks_of_operations(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Fault]:
    kept = {each["id"]: each for each in new["operations"]}
    for before in old["operations"]:
        place, after = f"/operations/{before['id']}", kept.get(before["id"])
        if after is None:
            yield _fault(place, _GONE)
            continue
        for word in ("method", "path", "category"):
            if before[word] != after[word]:
                yield _fault(f"{place}/{word}", _CHANGED)
        if before["safe"] and not after["safe"]:
            yield _fault(f"{place}/safe", ("is safe no more", "er ikke længere uden virkning"))
        if before.get("streams", False) and not after.get("streams", False):
            yield _fault(f"{place}/streams", _TIGHTER)


def _breaks_of_launch(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Fault]:
    before, after = old.get("launch"), new.get("launch")
    if before and not after:
        yield _fault("/launch", _GONE)
    elif before and after:
        yield from (_fault(f"/launch/{word}", _CHANGED) for word in before if before[word] != after.get(word))


def _breaks_of_types(old: dict[str, Any], new: dict[str, Any], part: str) -> Iterator[Fault]:
    kept = {each["type"]: each for each in new.get(part, ())}
    for before in old.get(part, ()):
        place, after = f"/{part}/{before['type']}", kept.get(before["type"])
        if after is None:
            yield _fault(place, _GONE)
            continue
        if before.get("category") != after.get("category"):
            yield _fault(f"{place}/category", _CHANGED)
        for projection in sorted(before.get("projections", {}).keys() - after.get("projections", {}).keys()):
            yield _fault(f"{place}/projections/{projection}", _GONE)
        yield from breaks_of_schema(before["schema"], after["schema"], f"{place}/schema")


class _Schemas:
    """Two schemas, each with the definitions that its references lead to."""

    def __init__(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        self._old, self._new = old, new

    def compare(self, old: Any, new: Any, place: str, depth: int) -> Iterator[Fault]:
        if old == new:
            return  # what it refers to is compared where that stands
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        old, new = {} if old is True else old, {} if new is True else new
        if not isinstance(old, dict) or not isinstance(new, dict) or depth > _DEEPEST:
            if old != new and new != {}:
                yield _fault(place, _CHANGED)
            return
        yield from _breaks_of_words(old, new, place)
        yield from _breaks_of_required(old, new, place)
        yield from _breaks_of_enum(old, new, place)
        yield from self._breaks_of_properties(old, new, place, depth)
        yield from self._breaks_of_openness(old, new, place, depth)
        yield from self._breaks_of_items(old, new, place, depth)

    def _breaks_of_properties(
        self, old: dict[str, Any], new: dict[str, Any], place: str, depth: int
    ) -> Iterator[Fault]:
        kept = new.get("properties", {})
        for name, before in old.get("properties", {}).items():
            if name not in kept:
                yield _fault(f"{place}/properties/{name}", _GONE)
            else:
                yield from self.compare(before, kept[name], f"{place}/properties/{name}", depth + 1)

    def _breaks_of_openness(self, old: dict[str, Any], new: dict[str, Any], place: str, depth: int) -> Iterator[Fault]:
        before, after = old.get("additionalProperties", True), new.get("additionalProperties", True)
        place = f"{place}/additionalProperties"
        if isinstance(before, dict) and isinstance(after, dict):
            yield from self.compare(before, after, place, depth + 1)
        elif before is not False and after not in (True, {}) and before != after:
            yield _fault(place, ("is closed", "er lukket"))

    def _breaks_of_items(self, old: dict[str, Any], new: dict[str, Any], place: str, depth: int) -> Iterator[Fault]:
        before, after = old.get("items", True), new.get("items", True)
        if before != after or isinstance(before, dict):
            yield from self.compare(before, after, f"{place}/items", depth + 1)


def _breaks_of_words(old: dict[str, Any], new: dict[str, Any], place: str) -> Iterator[Fault]:
    for word in sorted((old.keys() | new.keys()) - _SAYS_NOTHING - _LEVELS):
        before, after = old.get(word), new.get(word)
        if before == after and type(before) is type(after):
            continue
        if word in _MAY_GROW | _MAY_SHRINK:
            if after is not None and (before is None or (after < before) == (word in _MAY_GROW)):
                yield _fault(f"{place}/{word}", _TIGHTER)
        elif not (word in _WIDER and word not in new):
            yield _fault(f"{place}/{word}", _CHANGED)


def _breaks_of_required(old: dict[str, Any], new: dict[str, Any], place: str) -> Iterator[Fault]:
    before, after = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(after - before):
        yield _fault(f"{place}/required/{name}", ("is required now", "er nu et krav"))
    for name in sorted(before - after):  # whoever reads records counts on it
        yield _fault(f"{place}/required/{name}", ("may be missing now", "må nu mangle"))


def _breaks_of_enum(old: dict[str, Any], new: dict[str, Any], place: str) -> Iterator[Fault]:
    if "enum" in new and ("enum" not in old or any(each not in new["enum"] for each in old["enum"])):
        yield _fault(f"{place}/enum", ("has fewer values", "har færre værdier"))


def _resolved(document: dict[str, Any], schema: Any) -> Any:
    """The schema that a reference inside the document leads to; one that stands alone."""
    for _ in range(_DEEPEST):
        if not (isinstance(schema, dict) and schema.keys() - _SAYS_NOTHING == {"$ref"}):
            break
        target: Any = document
        for part in schema["$ref"].removeprefix("#").split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, dict) else None
        if target is None:
            break  # by a name or an anchor: then the word itself is compared
        schema = target
    return schema


def _fault(place: str, reasons: tuple[str, str]) -> Fault:
    return Fault(file=MAIN, place=place, reason=reasons[0], reason_da=reasons[1])
