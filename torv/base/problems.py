"""Problem documents (RFC 9457): how every refusal looks on the wire, in the reader's language."""

from typing import Any

from pydantic_core import to_json
from starlette.requests import HTTPConnection
from starlette.responses import Response

from torv.base.errors import TorvError

MEDIA_TYPE = "application/problem+json"


def language_of(connection: HTTPConnection, default: str = "da") -> str:
    """`da` or `en`: what the browser asks for first, or the installation's own."""
    for wish in connection.headers.get("accept-language", "").split(","):
        code = wish.strip()[:2].lower()
        if code in ("da", "en"):
            return code
    return default


def document(error: TorvError, language: str, request_id: object = None) -> dict[str, Any]:
    """The problem as data. `type` names the section of the error reference that explains it."""
    return {
        "type": f"urn:torv:error:{error.code}",
        "title": error.message(language),
        "status": error.status,
        "code": error.code,
        **({"request_id": str(request_id)} if request_id else {}),
        **error.facts,
    }


def response(error: TorvError, language: str, request_id: object = None) -> Response:
    headers = {"cache-control": "no-store", "content-language": language}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    body = to_json(document(error, language, request_id))
    return Response(body, error.status, headers, media_type=MEDIA_TYPE)
