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
    await page.locator("section[aria-labelledby=all] table a").first.click()
    await page.wait_for_selector("text=Aftalen kort", timeout=PATIENCE)


async def to_draft(page: Page) -> None:
    await page.goto("/agreements")
    await page.locator("section[aria-labelledby=drafts] table a").first.click()
    await page.wait_for_selector("text=Før det kan blive en aftale", timeout=PATIENCE)


async def to_module(page: Page) -> None:
    await page.goto("/modules")
    await page.click("section[aria-labelledby=all] >> text=nordnote")
    await page.wait_for_selector("text=Udgaven kort", timeout=PATIENCE)


async def to_statement(page: Page) -> None:
    await page.goto("/service-levels")
    await page.locator("section[aria-labelledby=now] a").first.click()
    await page.wait_for_selector("text=Lovet og målt", timeout=PATIENCE)


async def to_modules(page: Page) -> None:
    await page.goto("/modules")


async def to_requirements(page: Page) -> None:
    await page.goto("/requirements")


async def to_service_levels(page: Page) -> None:
    await page.goto("/service-levels")


async def to_overview(page: Page) -> None:
    await page.goto("/")


async def to_agreements(page: Page) -> None:
    await page.goto("/agreements")


PAGES = {
    "overview": to_overview, "search": look_up, "citizen": to_citizen, "looks": to_looks, "agreements": to_agreements,
    "agreement": to_agreement, "draft": to_draft, "modules": to_modules, "module": to_module,
    "requirements": to_requirements, "service_levels": to_service_levels, "statement": to_statement,
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


LISTS = {
    "modules": (to_modules, "section[aria-labelledby=all] table a", "Udgaven kort"),
    "requirements": (to_requirements, "main .t-scroll", None),
    "service_levels": (to_service_levels, "section[aria-labelledby=now] a", "Lovet og målt"),
    "drafts": (to_agreements, "section[aria-labelledby=drafts] table a", "Før det kan blive en aftale"),
    "module": (to_module, "main details summary, nav.breadcrumbs a", None),
}  # fmt: skip
SHOWS_FOCUS = """element => {
    const style = getComputedStyle(element)
    return element === document.activeElement && (style.outlineStyle !== 'none' || style.boxShadow !== 'none')
}"""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", LISTS)
async def test_a_list_and_what_it_leads_to_are_reached_by_keyboard(visit: OpenVisit, name: str, width: int) -> None:
    """From the first stop of the page on, Tab comes to what the list leads to and shows it; Enter opens it."""
    go, wanted, leads_to = LISTS[name]
    async with visit(width) as here:
        await go(here.page)
        target = here.page.locator(wanted).first
        for _ in range(60):
            await here.page.keyboard.press("Tab")
            if await target.evaluate("element => element === document.activeElement"):
                break
        assert await target.evaluate(SHOWS_FOCUS)
        if leads_to is not None:
            await here.page.keyboard.press("Enter")
            await here.page.wait_for_selector(f"text={leads_to}", timeout=PATIENCE)
        assert here.complaints == []


@pytest.mark.parametrize("width", WIDTHS)
async def test_every_stop_of_the_keyboard_is_seen_and_none_is_a_trap(visit: OpenVisit, width: int) -> None:
    """From the first stop of each page for administrators, Tab comes past every link and button and out again."""
    async with visit(width) as here:
        for go in (to_modules, to_module, to_requirements, to_service_levels, to_statement, to_draft):
            await go(here.page)
            stops = await here.page.locator("a[href]:visible, button:visible, summary:visible, [tabindex='0']").count()
            seen = []
            for _ in range(stops):
                await here.page.keyboard.press("Tab")
                seen.append(await here.page.locator(":focus").evaluate(SHOWS_FOCUS))
            assert seen == [True] * stops, here.page.url
            last = here.page.locator("footer a").last
            assert await last.evaluate("element => element === document.activeElement"), here.page.url


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
