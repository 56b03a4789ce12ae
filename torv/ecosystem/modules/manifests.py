"""Manifests: what a release is, what it provides, is made of, and where it runs, as its supplier states it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import rfc8785
import torv_contracts
from torv_contracts import manifests

from torv.ecosystem.modules.component_versions import search_name_of, sort_key_of
from torv.ecosystem.modules.errors import ManifestInvalid

SHOWN = 20  #: faults that a refusal names
_VALIDATOR = jsonschema_rs.Draft202012Validator(torv_contracts.manifest_schema())


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """A manifest that follows its schema."""

    content: dict[str, Any]
    hash: str  #: SHA-256 over the canonical JSON of the content, hex

    @property
    def majors(self) -> dict[str, list[int]]:
        """Capability -> the major versions of its contract that the release provides."""
        found: dict[str, list[int]] = {}
        for each in self.content["provides"]:
            found.setdefault(each["capability"], []).append(each["major"])
        return found

    @property
    def components(self) -> list[dict[str, Any]]:
        """The rows of the software inventory."""
        listed = self.content["software"].get("components", ())
        return [
            {
                "number": number, "name": each["name"], "version": each["version"],
                "search_name": search_name_of(each["name"]), "version_key": sort_key_of(each["version"]),
                "license": each.get("license"), "purl": each.get("purl"),
            }
            for number, each in enumerate(listed)
        ]  # fmt: skip

    @property
    def locations(self) -> list[dict[str, Any]]:
        """The rows of the places where it runs."""
        return [{"number": number, "place": None, **each} for number, each in enumerate(self.content["hosting"])]


def read_manifest(content: Mapping[str, Any]) -> Manifest:
    """A manifest as it is registered. Raises ManifestInvalid with everything that is wrong."""
    plain = dict(content)
    faults = [
        (f"/{'/'.join(map(str, each.instance_path))}", _reason(each), _reason_da(each))
        for each in _VALIDATOR.iter_errors(plain)
    ]
    if not faults:
        faults = [*manifests.faults_of(plain), *_faults_of_files(plain)]
    if faults:
        raise refusal(faults)
    return Manifest(content=plain, hash=hashlib.sha256(rfc8785.dumps(plain)).hexdigest())


def refusal(faults: list[tuple[str, str, str]]) -> ManifestInvalid:
    """The refusal that names each fault by its place."""
    shown = faults[:SHOWN]
    return ManifestInvalid(
        reason="; ".join(f"{place}: {reason}" for place, reason, _ in shown),
        reason_da="; ".join(f"{place}: {reason}" for place, _, reason in shown),
        faults=[{"place": place, "reason": reason, "reason_da": danish} for place, reason, danish in shown],
    )


def _faults_of_files(plain: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What is still to be read on the supplier's own machine."""
    found = [
        (f"/software/{name}", "is a file; torv-sdk reads it", "er en fil; torv-sdk læser den")
        for name in ("sbom", "lock")
        if name in plain["software"]
    ]
    missing = [name for name in ("address", "key") if name not in plain]
    return found + [(f"/{name}", "is missing", "mangler") for name in missing]


def _reason(error: jsonschema_rs.ValidationError) -> str:
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        return f"{kind.property} is missing"
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        return f"unknown: {', '.join(kind.unexpected)[:200]}"
    return f"breaks the rule {kind.name}"


def _reason_da(error: jsonschema_rs.ValidationError) -> str:
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        return f"{kind.property} mangler"
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        return f"ukendt: {', '.join(kind.unexpected)[:200]}"
    return f"bryder reglen {kind.name}"
