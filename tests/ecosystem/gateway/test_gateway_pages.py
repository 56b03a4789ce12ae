"""Pages of a module, for people: the same decision, log and move as calls, and nothing of Torv's within their reach."""

import json
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from asyncpg import Connection

from tests.cast import ANNA, Cast
from tests.ecosystem.visiting import PAGE, html, visit
from tests.ecosystem.wiretap import Wiretap, tapping
from tests.served import Api
from torv.base import signing
from torv.base.signing import Keys

FORM = b"torv_key=k1&text=Alt+vel"


@pytest.fixture
async def tap(outsider: Connection, cast: Cast) -> AsyncIterator[Wiretap]:
    async with tapping(outsider, cast, "nordnote") as tap:
        tap.answer = html(b"<p>Hej</p>")
        yield tap


# ---- who sees a page, and what the module is told --------------------------------------------------------------------
async def test_a_visit_begins_where_the_contract_says_and_names_the_epoch(tap: Wiretap, api: Api, cast: Cast) -> None:
    reply = await visit(api, f"/m/notes/?person_id={cast.bjorn.id}")
    assert (reply.status, reply.headers["location"]) == (303, f"{PAGE}?person_id={cast.bjorn.id}")
    assert tap.received == []


async def test_a_module_is_told_who_visits_and_nothing_of_torvs_own(
    tap: Wiretap, api: Api, cast: Cast, keys: Keys
) -> None:
    reply = await visit(api, f"{PAGE}?person_id={cast.bjorn.id}", X_Custom="x", Referer=f"{api.url}/persons")
    assert (reply.status, reply.body) == (200, b"<p>Hej</p>")
    [[line, *fields]] = tap.heads()
    assert line == f"GET /torv/pages/citizen?person_id={cast.bjorn.id} HTTP/1.1".encode()
    told = dict(each.split(b": ", 1) for each in fields)
    assert set(told) == {
        b"Host", b"Authorization", b"Torv-Major", b"Torv-Call", b"X-Request-Id", b"Accept-Language", b"Torv-Page-Base",
        b"Torv-Page-Key",
    }  # fmt: skip
    assert told[b"Torv-Page-Base"] == b"/m/notes/e1"
    token, me = told[b"Authorization"].removeprefix(b"Bearer ").decode(), str(cast.releases["nordnote"])
    claims = signing.read_token(token, keys.tokens, issuer=api.url, audience=me, required=("sub", "op"))
    assert (claims["sub"], claims["op"]) == (f"user:{cast.users[ANNA].id}", "page")
    assert claims["exp"] - claims["iat"] <= 60


async def test_a_visit_is_logged_before_and_after(tap: Wiretap, api: Api, outsider: Connection, cast: Cast) -> None:
    reply = await visit(api)
    rows = await outsider.fetch(
        "select * from base.trail where call_id = $1 order by seq", UUID(reply.headers["torv-call-id"])
    )
    assert [(row["kind"], row["operation"]) for row in rows] == [
        ("intent", "notes.list_notes"),
        ("outcome", "notes.list_notes"),
    ]
    assert {row["user_id"] for row in rows} == {cast.users[ANNA].id}
    assert json.loads(rows[1]["detail"])["page"] is True


async def test_a_stranger_is_sent_to_the_login_page_and_a_program_finds_no_pages(tap: Wiretap, api: Api) -> None:
    reply = await api.get(PAGE, Accept="text/html")
    assert (reply.status, reply.headers["location"]) == (303, "/login")
    assert (await api.get(PAGE)).code == (401, "not_identified")
    assert (await api.get(PAGE, by="borgerblik")).code == (404, "not_found")
    assert tap.received == []


@pytest.mark.parametrize(
    "path", ["/m/notes/x", "/m/notes/e1/../x", "/m/notes/e1//x", "/m/notes/e/x", "/m/notes/e1/%2e%2e/x",
 "/m/magic/e1/x", "/m/notes/e1/a%20b"]
)  # fmt: skip
async def test_what_is_no_page_is_not_there(tap: Wiretap, api: Api, path: str) -> None:
    assert (await visit(api, path)).status in (400, 404)
    assert tap.received == []


# ---- what a page may do in a browser ---------------------------------------------------------------------------------
async def test_a_page_runs_no_script_and_reaches_nothing_but_itself(tap: Wiretap, api: Api) -> None:
    tap.answer = html(
        b"<script>1</script>", b"Content-Security-Policy: default-src *", b"Access-Control-Allow-Origin: *",
        b"Refresh: 0;url=https://evil.example", b"X-Frame-Options: ALLOWALL", b"Link: <https://evil.example>;rel=preload",
    )  # fmt: skip
    reply = await visit(api)
    own = f"{api.url}/m/notes/e1/"
    assert reply.headers["content-security-policy"] == (
        f"sandbox allow-forms allow-same-origin; default-src 'none'; style-src {own}; img-src {own}; font-src {own}; "
        f"form-action {own}; base-uri 'none'; frame-ancestors 'none'"
    )
    assert (reply.headers["x-content-type-options"], reply.headers["cache-control"]) == ("nosniff", "no-store")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    for name in ("access-control-allow-origin", "refresh", "x-frame-options", "link"):
        assert name not in reply.headers


@pytest.mark.parametrize("kind", [b"text/javascript", b"image/svg+xml", b"application/xhtml+xml", b"application/json"])
async def test_what_no_page_is_made_of_is_refused(tap: Wiretap, api: Api, kind: bytes) -> None:
    tap.answer = html(b"x", kind=kind)
    reply = await visit(api, Accept="*/*")
    assert (reply.code, reply.json["fault"]) == ((502, "module_answer_invalid"), "module")


async def test_a_modules_cookie_is_its_own_and_bound_to_its_pages(tap: Wiretap, api: Api) -> None:
    tap.answer = html(b"", b"Set-Cookie: torv_session=x; Domain=example.dk; Path=/; SameSite=None; Max-Age=99999")
    reply = await visit(api)
    assert reply.headers["set-cookie"] == "torv_m_torv_session=x; HttpOnly; Path=/m/notes/e1/; SameSite=strict"
    session = await api.token(ANNA)
    await api.get(PAGE, Cookie=f"torv_session={session}; torv_m_torv_session=x; other=y; torv_m_bad=a\\b")
    cookies = [line for line in tap.heads()[-1] if line.startswith(b"Cookie")]
    assert cookies == [b"Cookie: torv_session=x"]


@pytest.mark.parametrize("cookie", [b"a b=c", b"a=b c", b"=x", b'a="b', b"a" * 50 + b"=x", b"a=" + b"x" * 2_000])
async def test_a_cookie_that_cannot_be_read_in_one_way_is_refused(tap: Wiretap, api: Api, cookie: bytes) -> None:
    tap.answer = html(b"", b"Set-Cookie: " + cookie)
    assert (await visit(api, Accept="*/*")).code == (502, "module_answer_invalid")


@pytest.mark.parametrize(
    "to",
    [
        b"https://evil.example/",
        b"//evil.example", b"/\\evil.example", b"\\\\evil.example", b"/..", b"/../../api/v1/persons",
        b"/%2e%2e/x", b"javascript:alert(1)", b"", b"citizen", b"/a//b", b"/a\tb",
    ],
)  # fmt: skip
async def test_a_page_leads_nowhere_else(tap: Wiretap, api: Api, to: bytes) -> None:
    tap.answer = html(b"", b"Location: " + to, status=b"303 See Other")
    assert (await visit(api, Accept="*/*")).code == (502, "module_answer_invalid")


async def test_a_page_leads_to_another_of_its_own(tap: Wiretap, api: Api) -> None:
    tap.answer = html(b"", b"Location: /citizen?person_id=1", status=b"302 Found")
    reply = await visit(api)
    assert (reply.status, reply.headers["location"]) == (303, "/m/notes/e1/citizen?person_id=1")


# ---- forms -----------------------------------------------------------------------------------------------------------
async def test_a_form_that_is_sent_twice_counts_once(tap: Wiretap, api: Api) -> None:
    tap.answer = html(b"", b"Location: /citizen", status=b"303 See Other")
    replies = [await visit(api, PAGE, FORM) for _ in range(2)]
    assert [(reply.status, reply.headers["location"]) for reply in replies] == [(303, PAGE)] * 2
    [received] = tap.received
    assert received.startswith(b"POST /torv/pages/citizen HTTP/1.1\r\n")
    assert received.endswith(FORM)
    assert b"\r\nIdempotency-Key: " in received


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", ""])
async def test_a_form_from_elsewhere_is_refused(tap: Wiretap, api: Api, site: str) -> None:
    reply = await visit(api, PAGE, FORM, Sec_Fetch_Site=site, Origin="null", Accept="*/*")
    assert reply.code == (403, "cross_site_refused")
    assert tap.received == []


@pytest.mark.parametrize("form", [b"text=x", b"torv_key=&text=x", b"torv_key=1&torv_key=2", b"torv_key=%ff", b""])
async def test_a_form_without_its_key_is_refused(tap: Wiretap, api: Api, form: bytes) -> None:
    assert (await visit(api, PAGE, form, Accept="*/*")).code == (400, "malformed_request")
    assert (await visit(api, PAGE, FORM, Content_Type="text/plain", Accept="*/*")).code == (400, "malformed_request")
    assert tap.received == []


# ---- after a move ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", [None, FORM])
async def test_a_page_of_a_supplier_that_has_gone_says_so_and_writes_nothing(
    tap: Wiretap, api: Api, outsider: Connection, form: bytes | None
) -> None:
    await visit(api)
    await outsider.execute("update modules.bindings set epoch = 2")
    await outsider.execute("update base.generation set number = number + 1")
    while (begun := await visit(api, "/m/notes/")).headers["location"] != "/m/notes/e2/citizen":
        assert begun.status == 303
    seen = len(tap.received)
    reply = await visit(api, PAGE, form)
    assert reply.status == 409
    assert "Ydelsen er flyttet" in reply.body.decode()
    assert 'href="/m/notes/"' in reply.body.decode()
    assert (await visit(api, PAGE, form, Accept="*/*")).code == (409, "page_moved")
    assert len(tap.received) == seen
    assert (await visit(api, "/m/notes/e2/citizen", form)).status == 200


async def test_a_module_that_is_down_is_told_in_words(api: Api) -> None:
    reply = await visit(api)
    assert (reply.status, reply.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert "Modulet svarer ikke." in reply.body.decode()
    assert "Leverandøren kan hjælpe." in reply.body.decode()


async def test_the_citizens_page_leads_to_it_for_whoever_may(tap: Wiretap, api: Api, cast: Cast) -> None:
    page = (await visit(api, f"/persons/{cast.bjorn.id}")).body.decode()
    assert f'<a href="/m/notes/?person_id={cast.bjorn.id}">Notater om borgere</a>' in page
