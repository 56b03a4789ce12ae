"""The pages as people meet them: nothing that shuts anybody out, nothing from elsewhere, nothing off the edge."""

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from tests.browser.conftest import WIDTHS, OpenVisit, sign_in
from torv.demo.office import BO

pytestmark = pytest.mark.anyio
#: what lov nr. 692 af 8. juni 2018 om tilgængelighed asks of a municipality's pages (EN 301 549: WCAG 2.1 A and AA)
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"], "preload": False}
PATIENCE = 20_000  #: ms


async def look_up(page: Page, name: str = "Lorentzen") -> None:
    await page.goto("/persons")
    await page.fill("#who", name)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("main table a", timeout=PATIENCE)


async def to_citizen(page: Page) -> None:
    await look_up(page)
    await page.locator("main table a").first.click()
    await page.wait_for_selector("text=Hvem har set oplysningerne?", timeout=PATIENCE)


async def to_looks(page: Page) -> None:
    await to_citizen(page)
    await page.locator("a[href*=looks]").click()
    await page.wait_for_selector("text=Anna Holm >> nth=1", timeout=PATIENCE)


async def to_agreement(page: Page) -> None:
    await page.goto("/agreements")
    await page.locator("main table a").first.click()
    await page.wait_for_selector("text=Aftalen kort", timeout=PATIENCE)


async def to_overview(page: Page) -> None:
    await page.goto("/")


async def to_agreements(page: Page) -> None:
    await page.goto("/agreements")


PAGES = {
    "overview": to_overview, "search": look_up, "citizen": to_citizen, "looks": to_looks, "agreements": to_agreements,
    "agreement": to_agreement,
}  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
async def test_a_page_shuts_nobody_out_and_stays_within_its_edges(visit: OpenVisit, name: str, width: int) -> None:
    async with visit(width) as here:
        await PAGES[name](here.page)
        assert here.complaints == []
        assert await violations(here.page) == []
        assert await here.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("width", WIDTHS)
async def test_the_login_page_and_its_refusal_shut_nobody_out(visit: OpenVisit, width: int) -> None:
    async with visit(width, signed_in=False) as here:
        await here.page.goto("/agreements")  # whoever is not signed in lands at the door
        await here.page.wait_for_url("**/login**")
        assert await violations(here.page) == []
        await here.page.fill("#login", "anna.holm")
        await here.page.fill("#password", "forkert")
        await here.page.keyboard.press("Enter")
        await here.page.wait_for_selector("[role=alert], .error, .field-error", timeout=PATIENCE)
        assert await violations(here.page) == []


async def test_the_english_page_says_that_it_is_english(visit: OpenVisit) -> None:
    async with visit() as here:
        await here.page.goto("/")
        await here.page.click("text=In English")
        assert await here.page.get_attribute("html", "lang") == "en"
        assert await violations(here.page) == []


async def test_whoever_uses_the_keyboard_sees_where_they_are(visit: OpenVisit) -> None:
    async with visit() as here:
        await here.page.goto("/")
        seen = []
        for _ in range(6):
            await here.page.keyboard.press("Tab")
            seen.append(
                await here.page.evaluate(
                    "(() => { const s = getComputedStyle(document.activeElement);"
                    " return s.outlineStyle !== 'none' || s.boxShadow !== 'none' })()"
                )
            )
        assert seen == [True] * 6


async def test_after_signing_out_the_way_back_shows_nothing(visit: OpenVisit) -> None:
    async with visit(signed_in=False) as here:
        await sign_in(here.page, BO)  # Anna's session is that of the other tests
        await to_citizen(here.page)
        name = await here.page.inner_text("h1")
        await here.page.click("text=Log ud")
        await here.page.wait_for_url("**/login**")
        await here.page.go_back()
        await here.page.wait_for_load_state()
        assert name not in await here.page.content()


async def test_a_flaw_would_be_found(visit: OpenVisit) -> None:
    async with visit() as here:
        await here.page.set_content("<html><body><img src='data:,'><input></body></html>")
        assert {each.split(":")[0] for each in await violations(here.page)} >= {"image-alt", "label", "html-has-lang"}


async def violations(page: Page) -> list[str]:
    """What axe-core finds: rule, what it means, and where."""
    found = await Axe().run(page, options=RULES)
    return [
        f"{each['id']}: {each['help']} at {[node['target'] for node in each['nodes']]}"
        for each in found.response["violations"]
    ]
