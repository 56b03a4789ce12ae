"""What Torv tells, as an AsyncAPI 3 document: the kernel's own events, and those of the contracts in force."""

from collections.abc import Sequence
from typing import Any

from torv.ecosystem.events.kinds import KERNEL_EVENTS
from torv.ecosystem.modules import EventType

_ENVELOPE = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "subject", "time", "sequence", "position", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "format": "uuid", "description": "The same event always has the same id."},
        "source": {"type": "string", "description": "urn:torv:kernel, or urn:torv:<capability>."},
        "subject": {"type": "string", "description": "The id of what it is about."},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "sequence": {"type": "string", "pattern": "^[1-9][0-9]*$", "description": "1, 2, 3 ... of the subject."},
        "position": {"type": "integer", "minimum": 1, "description": "In the feed; what a cursor points at."},
    },
}
_WEBHOOK = {
    "type": "object",
    "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
    "properties": {
        "webhook-id": {"type": "string", "description": "The same for the same events, however often they are sent."},
        "webhook-timestamp": {"type": "string", "pattern": "^[0-9]+$", "description": "Unix seconds."},
        "webhook-signature": {"type": "string", "description": "v1,<HMAC-SHA-256 in Base64>; several with a space."},
    },
}


def describe_events(declared: Sequence[EventType], *, server: str) -> dict[str, Any]:
    """The document. `server` is Torv's own address."""
    kinds = [(each.type, each.category, each.meaning, each.schema) for each in KERNEL_EVENTS]
    kinds += [
        (each.type, each.category, f"Told by {each.capability}, version {each.major}.", each.schema)
        for each in declared
    ]
    messages = {name: _message(name, category, text, schema) for name, category, text, schema in kinds}
    scheme, _, host = server.partition("://")
    references = {name: {"$ref": f"#/components/messages/{name}"} for name in messages}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Torv: events", "version": "1",
            "description": "CloudEvents 1.0, by long poll at /api/v1/events or pushed as a batch (Standard Webhooks).",
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": {"torv": {"host": host, "protocol": scheme}},
        "channels": {"events": {"address": "/api/v1/events", "messages": references}},
        "operations": {
            "receiveEvents": {
                "action": "send", "channel": {"$ref": "#/channels/events"},
                "messages": [{"$ref": f"#/channels/events/messages/{name}"} for name in messages],
            }
        },
        "components": {"messages": messages},
    }  # fmt: skip


def _message(name: str, category: str | None, meaning: str, schema: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {**_ENVELOPE["properties"], "type": {"const": name}, "data": _plain(schema)}  # type: ignore[dict-item]
    about = "the record type's own" if category is None else category
    return {
        "name": name, "title": name, "contentType": "application/cloudevents+json",
        "summary": meaning, "description": f"Data category: {about}.", "headers": _WEBHOOK,
        "payload": {**_ENVELOPE, "properties": properties},
    }  # fmt: skip


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema within another one: without the words that say which it is when it stands alone."""
    return {name: value for name, value in schema.items() if name not in ("$schema", "$id")}
