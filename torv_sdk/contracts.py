"""A contract as a program reads it: its operations, what may be sent to each, and what each may answer.

Needs the extra `torv-sdk[contracts]` (jsonschema-rs). Everything here comes from the contract's own files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import jsonschema_rs
import torv_contracts
import yaml

from torv_sdk.canonical import canonical, parse
from torv_sdk.problems import invalid

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One operation of a contract."""

    name: str
    method: str
    path: str
    is_safe: bool
    category: str


class Contract:
    """One major version of a capability."""

    def __init__(self, folder: Path) -> None:
        """Read a contract's folder. Raises OSError, KeyError or ValueError if it is none."""
        read = {name: yaml.safe_load((folder / name).read_text("utf-8")) for name in ("contract.yaml", "openapi.yaml")}
        about, self._openapi = read["contract.yaml"], read["openapi.yaml"]
        self.folder, self._about = folder, about
        self.capability: str = about["capability"]
        self.major: int = about["major"]
        self.version: str = about["version"]
        self.title: Mapping[str, str] = about["title"]
        self.record_types: tuple[str, ...] = tuple(each["type"] for each in about["records"])
        self.categories: tuple[str, ...] = tuple(sorted({each["category"] for each in about["records"]}))
        self.needs: tuple[str, ...] = tuple(about.get("kernel", {}).get("needs", ()))
        found = [
            Operation(name=o["id"], method=o["method"], path=o["path"], is_safe=o["safe"], category=o["category"])
            for o in about["operations"]
        ]
        self.operations = {each.name: each for each in found}

    @classmethod
    def of(cls, capability: str, major: int) -> Self:
        """One of the bundle's contracts. Raises ContractUnknown."""
        return cls(torv_contracts.folder(capability, major))

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) over the canonical JSON of contract.yaml with the schemas in the place of their files' names.

        Torv reckons the same (`torv capability list`), so a report and an agreement mean the same contract.
        """
        filled = {
            part: [{**each, "schema": parse((self.folder / each["schema"]).read_bytes())} for each in self._about[part]]
            for part in ("records", "events")
            if part in self._about
        }
        return sha256(canonical({**self._about, **filled})).hexdigest()

    def summary(self, name: str) -> str:
        """What an operation does, as the contract says it."""
        return str(self._described(name).get("summary", name))

    def query_parameters(self, name: str) -> list[dict[str, Any]]:
        """The parameters of an operation that stand in the query, as OpenAPI describes them."""
        return self._parameters(name, "query")

    def path_parameters(self, name: str) -> list[dict[str, Any]]:
        """The variable parts of an operation's address, as OpenAPI describes them."""
        return self._parameters(name, "path")

    def _parameters(self, name: str, place: str) -> list[dict[str, Any]]:
        of_all = self._openapi["paths"][self.operations[name].path].get("parameters", [])
        found = [self._resolved(each) for each in (*of_all, *self._described(name).get("parameters", []))]
        return list({each["name"]: each for each in found if each["in"] == place}.values())

    def example_body(self, name: str) -> dict[str, Any] | None:
        """The first example of an operation's body; None if it takes no body or has no example."""
        media = self._request_media(name)
        examples = [self._resolved(each).get("value") for each in media.get("examples", {}).values()]
        found = [*examples, media.get("example")]
        return next((each for each in found if isinstance(each, dict)), None)

    def body_schema(self, name: str) -> dict[str, Any] | None:
        """The schema of an operation's body; None if it takes none."""
        schema = self._request_media(name).get("schema")
        return None if schema is None else self._resolved(schema)

    def answer_schema(self, name: str) -> tuple[int, dict[str, Any]]:
        """The status and the schema of an operation's success; an empty schema if the contract gives none."""
        status, described = next(
            (int(code), self._resolved(each))
            for code, each in self._described(name)["responses"].items()
            if str(code).startswith("2")
        )
        media = described.get("content", {}).get("application/json", {})
        return status, self._resolved(media.get("schema", {}))

    def may_mark(self, record_type: str, name: str) -> bool:
        """Whether a record of a type may have `true` under a name."""
        file = next(each["schema"] for each in self._about["records"] if each["type"] == record_type)
        schema = parse((self.folder / file).read_bytes())
        known = schema.get("properties", {}).get(name)
        return schema.get("additionalProperties") is not False if known is None else known.get("type") == "boolean"

    def answer_part(self, name: str, place: str) -> dict[str, Any]:
        """The schema of a part of an operation's success; `*` stands for a list's entries. Empty if none is given."""
        schema = self.answer_schema(name)[1]
        for part in [each.replace("~1", "/").replace("~0", "~") for each in place.split("/")[1:]]:
            inner = schema.get("items", {}) if part == "*" else schema.get("properties", {}).get(part, {})
            schema = self._resolved(inner)
        return schema

    def knows_answer(self, name: str, status: int) -> bool:
        """Whether the contract says that an operation may answer so."""
        return str(status) in {str(code) for code in self._described(name)["responses"]}

    def check_body(self, name: str, body: Any) -> None:
        """Raises Problem (422) for a body the contract does not allow."""
        if complaint := self._complaint(self._request_media(name).get("schema", {}), body):
            raise invalid(complaint)

    def check_query(self, name: str, query: Mapping[str, str]) -> None:
        """Raises Problem (422) for a query the contract does not allow."""
        for parameter in self.query_parameters(name):
            text = query.get(parameter["name"])
            if text is None:
                if parameter.get("required"):
                    raise invalid(f"{parameter['name']} is missing")
                continue
            whole = parameter["schema"].get("type") == "integer" and text.isascii() and text.isdecimal()
            if complaint := self._complaint(parameter["schema"], int(text) if whole else text):
                raise invalid(f"{parameter['name']}: {complaint}")

    def answer_complaint(self, name: str, status: int, media_type: str, body: Any) -> str | None:
        """What an answer has that the contract does not allow, or lacks; None if it is as described."""
        responses = {str(code): each for code, each in self._described(name)["responses"].items()}
        if str(status) not in responses:
            return f"the contract knows no answer {status} of {name}"
        content = self._resolved(responses[str(status)]).get("content", {})
        if status == 204 and not content:
            return None if body is None else f"{name} answered {status} with something in it"
        if media_type not in content:
            return f"{name} answered {status} as {media_type or 'nothing'}, not as {' or '.join(content)}"
        complaint = self._complaint(content[media_type].get("schema", {}), body)
        return complaint and f"{name} answered {status}, but {complaint}"

    def _complaint(self, schema: Any, value: Any) -> str | None:
        """Why a value does not fit; says where, never what stood there."""
        whole = {"$schema": DIALECT, "allOf": [schema], "components": self._openapi.get("components", {})}
        error = next(jsonschema_rs.Draft202012Validator(whole, validate_formats=True).iter_errors(value), None)
        if error is None:
            return None
        place = "/".join(map(str, error.instance_path)) or "the body"
        return f"{place} breaks the rule {'/'.join(map(str, error.schema_path[-2:]))}"

    def _described(self, name: str) -> dict[str, Any]:
        operation = self.operations[name]
        described: dict[str, Any] = self._openapi["paths"][operation.path][operation.method.lower()]
        return described

    def _request_media(self, name: str) -> dict[str, Any]:
        body = self._resolved(self._described(name).get("requestBody", {}))
        media: dict[str, Any] = body.get("content", {}).get("application/json", {})
        return media

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        """What a reference inside the file leads to; a node without one is itself."""
        while "$ref" in node:
            target: Any = self._openapi
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            node = target
        return node
