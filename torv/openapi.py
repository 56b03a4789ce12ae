"""The API's own description: what FastAPI gathers, with our refusals, our headers, and an example of every body."""

from pathlib import Path
from typing import Any

import yaml
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

PROBLEM = {
    "type": "object",
    "description": "A refusal (RFC 9457).",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "description": "urn:torv:error:<code>"},
        "title": {"type": "string", "description": "A sentence for people, in Danish or English."},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; see docs/reference/errors.md."},
        "request_id": {"type": "string", "format": "uuid", "description": "Finds the request in logs and trail."},
    },
    "examples": [{"type": "urn:torv:error:not_found", "title": "Det findes ikke.", "status": 404, "code": "not_found"}],
}
_REFUSAL = {
    "description": "A refusal; its code says which.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_KEY = {
    "name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    "description": "The same key gives the same answer again for 24 hours.",
}  # fmt: skip


def describe(app: FastAPI) -> dict[str, Any]:
    """The description, made once."""
    if app.openapi_schema is None:
        plain = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = plain["components"]["schemas"]
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        schemas["Problem"] = PROBLEM
        for name, example in read_examples().items():
            if name in schemas:
                schemas[name]["examples"] = [example]
        plain["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        for path in plain["paths"].values():
            for method, operation in path.items():
                _complete(method, operation)
        app.openapi_schema = plain
    return app.openapi_schema


def read_examples() -> dict[str, Any]:
    """The examples, by the name of their schema."""
    text = Path(__file__).with_name("examples.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def _complete(method: str, operation: dict[str, Any]) -> None:
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = _REFUSAL
    operation["security"] = [{"bearer": []}]
    if method != "get":
        operation.setdefault("parameters", []).append(_KEY)
