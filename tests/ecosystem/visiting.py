"""What tests of modules' pages do: visit one as a browser does, and answer as a module."""

from tests.cast import ANNA
from tests.ecosystem.wiretap import json_answer
from tests.served import Api, Reply

PAGE = "/m/notes/e1/citizen"


def html(body: bytes, *headers: bytes, status: bytes = b"200 OK", kind: bytes = b"text/html") -> bytes:
    return json_answer(body, *headers, status=status).replace(b"application/json", kind)


async def visit(api: Api, path: str = PAGE, form: bytes | None = None, *, by: str = ANNA, **more: str) -> Reply:
    """Visit a page as a browser does that is signed in."""
    headers = {"Cookie": f"torv_session={await api.token(by)}; torv_language=da", "Accept": "text/html"} | more
    if form is None:
        return await api.get(path, **headers)
    headers = {"Content_Type": "application/x-www-form-urlencoded", "Sec_Fetch_Site": "same-origin"} | headers
    return await api.post(path, form, **headers)
