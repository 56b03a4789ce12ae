"""Profiles as files: read with suspicion, and refused by line and reason; a profile may only add to its contract."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import rfc8785
import torv_contracts
import yaml

from torv.base.errors import InvalidInput
from torv.base.plain import Lines, read_plain
from torv.base.signing import strict_json
from torv.ecosystem.modules import Contract
from torv.ecosystem.requirements.errors import ProfileInvalid
from torv.ecosystem.requirements.rules import faults_of

LARGEST = 200_000  #: characters of a file
SHOWN = 20  #: faults that a refusal names


@dataclass(frozen=True, slots=True)
class _Told:
    """A fault with the line in which it stands."""

    line: int
    reason: str
    reason_da: str


def read_profile(text: str) -> tuple[dict[str, Any], Lines]:
    """A profile that follows its schema, and where in the file everything stands. Raises ProfileInvalid."""
    if len(text) > LARGEST:
        raise _refusal([_Told(1, f"larger than {LARGEST} characters", f"fylder mere end {LARGEST} tegn")])
    try:
        content, lines = read_plain(text)
        plain = strict_json(json.dumps(content))
        rfc8785.dumps(plain)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, InvalidInput) as error:
        mark = getattr(error, "problem_mark", None)
        raise _refusal([
            _Told(
                mark.line + 1 if mark else 1, "not plain YAML that JSON can say (no aliases, no name twice)",
                "er ikke enkel YAML, som JSON kan sige (uden alias og dubletter)",
            )
        ]) from None  # fmt: skip
    errors = list(jsonschema_rs.Draft202012Validator(torv_contracts.profile_schema()).iter_errors(plain))
    if errors:
        raise _refusal([told for each in errors[:SHOWN] for told in _by_schema(each, lines)])
    return plain, lines


def check_adds_only(contract: Contract, profile: dict[str, Any], lines: Lines) -> None:
    """Raises ProfileInvalid where a profile contradicts its contract, or itself."""
    faults = list(faults_of(contract, profile))
    if faults:
        raise _refusal([_Told(lines.of(each.path), each.reason, each.reason_da) for each in faults])


def _by_schema(error: jsonschema_rs.ValidationError, lines: Lines) -> Iterator[_Told]:
    path, kind = list(error.instance_path), error.kind
    place = "/".join(map(str, path)) or "the file"
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        for name in kind.unexpected:
            yield _Told(lines.of([*path, name]), f"unknown word {name[:80]!r}", f"ukendt ord {name[:80]!r}")
    elif isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        yield _Told(lines.of(path), f"{place}: {kind.property} is missing", f"{place}: {kind.property} mangler")
    else:
        yield _Told(
            lines.of(path), f"{place} is not as it must be ({kind.name})", f"{place} er ikke, som det skal være"
        )


def _refusal(faults: Sequence[_Told]) -> ProfileInvalid:
    shown = sorted(faults[:SHOWN], key=lambda each: each.line)
    return ProfileInvalid(
        reason="; ".join(f"line {each.line}: {each.reason}" for each in shown),
        reason_da="; ".join(f"linje {each.line}: {each.reason_da}" for each in shown),
        faults=[{"line": each.line, "reason": each.reason, "reason_da": each.reason_da} for each in shown],
    )
