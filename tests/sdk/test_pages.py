"""Pages of the two modules, asked for as Torv asks: only with a token for a visit, and what people wrote is text."""

import pytest

from tests.sdk.loopback import loopback
from tests.sdk.test_modules import ALICE, FEED, JWKS, RECORDS, record, running, token
from torv_sdk.pages import GoTo, Shown, page_response, problem_page
from torv_sdk.problems import invalid

PAGE = f"/torv/pages/citizen?person_id={ALICE}"


async def visit(module, path=PAGE, form=None, op="page"):
    headers = {
        "Authorization": f"Bearer {token(module.torv, op)}",
        "Torv-Page-Base": "/m/notes/e1",
        "Torv-Page-Key": "k<1",
    }
    if form is not None:
        headers["Idempotency-Key"] = "key-1"
    method = "GET" if form is None else "POST"
    async with module.http.request(
        method, module.address + path, headers=headers, data=form, allow_redirects=False
    ) as answer:
        return answer.status, await answer.text(), answer.headers


@pytest.fixture
async def torv():
    async with loopback() as torv:
        torv.answer("/.well-known/jwks.json", 200, JWKS)
        text = {**record(1, "<script>alert(1)</script>"), "position": 1}
        torv.answer(FEED, 200, {"records": [text], "position": 1, "more": False})
        torv.answer(RECORDS, 201, {**record(2, "Alt vel"), "position": None})
        torv.answer("/api/v1/events", 403, {"title": "Nej.", "status": 403, "code": "denied"})
        yield torv


@pytest.mark.parametrize("name", ["nordnote", "kviknote"])
async def test_what_people_wrote_is_text_on_the_page(torv, tmp_path, name) -> None:
    async with running(name, torv, tmp_path) as module:
        await module.caught_up()
        status, text, headers = await visit(module)
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        assert "<script" not in text
        assert [(await visit(module, op=op))[0] for op in ("call", "export")] == [401, 401]
        assert (await visit(module, "/torv/pages/citizen"))[0] == 422
        assert (await visit(module, "/torv/pages/unknown"))[0] == 404


@pytest.mark.parametrize("name", ["nordnote", "kviknote"])
async def test_a_form_is_written_to_the_kernel_and_leads_back_to_the_page(torv, tmp_path, name) -> None:
    async with running(name, torv, tmp_path) as module:
        await module.caught_up()
        _, page, _ = await visit(module)
        assert '<form method="post" action="/m/notes/e1/citizen">' in page
        assert '<input type="hidden" name="torv_key" value="k&lt;1">' in page
        status, _, headers = await visit(module, PAGE, {"torv_key": "k<1", "person_id": ALICE, "text": "Alt vel"})
        assert (status, headers["location"]) == (303, f"/citizen?person_id={ALICE}")
        [(sent, body)] = torv.seen(RECORDS)
        assert b'"Alt vel"' in body
        assert "Idempotency-Key" in sent
        assert len(torv.seen("/api/v1/events")) == 1  # it asked whether it may tell, and went on without
        status, text, _ = await visit(module, PAGE, {"torv_key": "k", "person_id": ALICE, "text": ""})
        assert (status, "Notatet skal have 1 til 4000 tegn." in text) == (422, True)


def test_a_refusal_is_a_page_and_what_was_written_is_text_in_it() -> None:
    response = problem_page(invalid("<b>"))
    assert (response.status_code, b"&lt;b&gt;" in response.body) == (422, True)


def test_cookies_and_ways_on_leave_as_a_handler_gave_them() -> None:
    shown = page_response(Shown("x", cookies={"a": "1", "b": ""}))
    set_cookies = [value for name, value in shown.raw_headers if name == b"set-cookie"]
    assert set_cookies[0].startswith(b"a=1;")
    assert b"Max-Age=0" in set_cookies[1]
    assert page_response(GoTo("/citizen", {"a": "b c"})).headers["location"] == "/citizen?a=b+c"
