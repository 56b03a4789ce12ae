"""What a module's manifest must be beyond its schema; and whether a contract's version is one that it provides."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

__all__ = ["Fault", "faults_of", "is_provided"]


class Fault(NamedTuple):
    """Something a manifest cannot have."""

    place: str  #: JSON pointer
    reason: str
    reason_da: str


def faults_of(manifest: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with a manifest that follows manifest.schema.json."""
    return [*_faults_of_ranges(manifest["provides"]), *_twins(manifest)]


def is_provided(version: str, provided: Mapping[str, Any]) -> bool:
    """Whether an entry of `provides` covers a version of the contract in that entry's major version."""
    number = _number(version)
    return number >= _number(provided.get("since", "0.0.0")) and (
        "below" not in provided or number < _number(provided["below"])
    )


def _faults_of_ranges(provides: list[dict[str, Any]]) -> Iterator[Fault]:
    for number, each in enumerate(provides):
        place, major = f"/provides/{number}", each["major"]
        if "since" in each and _number(each["since"])[0] != major:
            yield Fault(f"{place}/since", "is of another major version", "hører til en anden hovedversion")
        if "below" in each and _number(each["below"]) <= max(_number(each.get("since", "0.0.0")), (major, 0, 0)):
            yield Fault(f"{place}/below", "leaves no version", "levner ingen version")


def _twins(manifest: Mapping[str, Any]) -> Iterator[Fault]:
    seen: set[tuple[str, int]] = set()
    for number, each in enumerate(manifest["provides"]):
        if (name := (each["capability"], each["major"])) in seen:
            yield Fault(f"/provides/{number}", "stands twice", "står to gange")
        seen.add(name)


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
