"""The pages in use: a person signs in, sees the overview, chooses a language and signs out."""

import re

from aiohttp import ClientSession

from tests.cast import ANNA, NAMES, PASSWORDS

RIGHT = {"login": ANNA, "password": PASSWORDS[ANNA]}


async def test_a_stranger_is_sent_to_the_login_page(browser: ClientSession) -> None:
    async with browser.get("/") as page:
        assert page.url.path == "/login"
        text = await page.text()
    assert '<html lang="da">' in text
    assert "Adgangskode" in text


async def test_a_person_signs_in_sees_the_overview_and_signs_out(browser: ClientSession) -> None:
    async with browser.post("/login", data=RIGHT) as page:
        assert (page.status, page.url.path) == (200, "/")
        assert page.headers["cache-control"] == "no-store"
        text = await page.text()
    assert NAMES[ANNA] in text
    assert "Ingen moduler er koblet til" in text
    assert "Ingen ydelser er flyttet endnu" in text
    async with browser.post("/logout") as page:
        assert page.url.path == "/login"
    async with browser.get("/", allow_redirects=False) as page:
        assert (page.status, page.headers["location"]) == (303, "/login")


async def test_a_session_is_ended_on_the_server_and_not_only_forgotten(browser: ClientSession) -> None:
    async with browser.post("/login", data=RIGHT, allow_redirects=False) as page:
        token = page.cookies["torv_session"].value
    await browser.post("/logout")
    async with browser.get("/", headers={"cookie": f"torv_session={token}"}, allow_redirects=False) as page:
        assert page.status == 303


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: ClientSession) -> None:
    async with browser.post("/login", data=RIGHT, allow_redirects=False) as page:
        cookie = page.cookies["torv_session"]
    assert cookie["httponly"]
    assert cookie["samesite"].lower() == "strict"


async def test_a_wrong_password_gives_the_page_again_with_a_sentence(browser: ClientSession) -> None:
    wrong = {"login": '"><script>alert(1)</script>', "password": "forkert"}
    async with browser.post("/login", data=wrong) as page:
        assert page.status == 401
        assert "torv_session" not in page.cookies
        text = await page.text()
    assert re.search(r'role="alert".*Brugernavn eller adgangskode er forkert\.', text)
    assert "<script" not in text
    assert "forkert" not in re.findall(r"<input[^>]*password[^>]*>", text)[0]


async def test_a_form_on_another_site_can_neither_sign_in_nor_out(browser: ClientSession) -> None:
    for path in ("/login", "/logout"):
        async with browser.post(path, data=RIGHT, headers={"origin": "https://example.org"}) as answer:
            assert answer.status == 403
            assert (await answer.json(content_type=None))["code"] == "cross_site_refused"


async def test_every_page_forbids_what_it_does_not_need_and_has_all_it_names(browser: ClientSession) -> None:
    await browser.post("/login", data=RIGHT)
    for path in ("/", "/login"):
        async with browser.get(path) as page:
            assert page.headers["content-security-policy"].startswith("default-src 'none'; ")
            text = await page.text()
        assert not re.search(r"<script|<style|\bon[a-z]+=|style=", text)
        for file in set(re.findall(r'(?:href|src)="(/static/[^"#]+)', text)):
            async with browser.get(file) as served:
                assert served.status == 200, file
                assert "immutable" in served.headers["cache-control"]


async def test_a_language_that_was_chosen_is_remembered(browser: ClientSession) -> None:
    async with browser.get("/login?lang=en") as page:
        assert '<html lang="en">' in await page.text()
    async with browser.get("/login") as page:
        assert "Password" in await page.text()
    async with browser.get("/login?lang=xx") as page:
        assert '<html lang="en">' in await page.text()


async def test_a_program_still_gets_a_problem_document(browser: ClientSession) -> None:
    async with browser.get("/", headers={"accept": "application/json"}, allow_redirects=False) as answer:
        assert (answer.status, answer.content_type) == (401, "application/problem+json")
