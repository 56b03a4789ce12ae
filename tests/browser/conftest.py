"""What the tests of the pages stand on: the made-up municipality with everything in it, and Debian's browser."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright

from tests.ecosystem.demanding import PROFILE
from torv.base.settings import Settings
from torv.demo.office import ANNA, PASSWORDS, Office
from torv.demo.stage import Stage, clear, set_stage

WIDTHS = (1440, 768)  #: a desk, and a tablet held upright
BROWSERS = ("chromium", "chromium-browser")


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """A page in a browser, and what it complained of: errors of scripts, and whatever the content policy stopped."""

    page: Page
    complaints: list[str] = field(default_factory=list)


class OpenVisit(Protocol):
    def __call__(self, width: int = ..., *, signed_in: bool = ...) -> AbstractAsyncContextManager[Visit]: ...


@pytest.fixture(scope="session")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """An installation with partners and agreements in every state."""
    folder = tmp_path_factory.mktemp("browser")
    settings = replace(Settings(), port=0, processes=1)
    try:
        async with set_stage(settings, folder, citizens=40, report=lambda _: None, whole=True) as stage:
            async with Office(stage.settings.issuer) as office:
                await office.post("/api/v1/requirements/proposals", {"profile": PROFILE, "from_day": "2030-01-01"})
            yield stage
    finally:
        clear(folder)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's chromium."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        missing = "chromium is missing: install the package chromium"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    async with async_playwright() as playwright:
        # Root has no sandbox of chromium's; what is looked at here is our own.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        opened = await playwright.chromium.launch(executable_path=program, args=[*options, "--disable-dev-shm-usage"])
        yield opened
        await opened.close()


async def sign_in(page: Page, login: str) -> None:
    """By keyboard alone: the first field has the focus."""
    await page.goto("/login")
    await page.wait_for_selector("#login:focus")
    await page.keyboard.type(login)
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORDS[login])
    await page.keyboard.press("Enter")
    await page.wait_for_selector("text=Log ud")


@pytest.fixture(scope="session")
async def session(stage: Stage, browser: Browser) -> Any:
    """The cookies of Anna, who has signed in."""
    context = await browser.new_context(base_url=stage.settings.issuer, locale="da-DK")
    await sign_in(await context.new_page(), ANNA)
    state = await context.storage_state()
    await context.close()
    return state


def listen_to(visit: Visit, own: str) -> None:
    """Keep what the page complains of, and whom it asks besides us."""

    def heard(said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            visit.complaints.append(said.text)

    def asked(sent: Request) -> None:
        if not sent.url.startswith((own, "data:")):
            visit.complaints.append(f"asked somebody else: {sent.url}")

    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    visit.page.on("console", heard)
    visit.page.on("request", asked)


@pytest.fixture
def visit(stage: Stage, browser: Browser, session: Any) -> OpenVisit:
    """Opens a browser of the test's own."""

    @asynccontextmanager
    async def opened(width: int = WIDTHS[0], *, signed_in: bool = True) -> AsyncIterator[Visit]:
        context: BrowserContext = await browser.new_context(
            base_url=stage.settings.issuer, locale="da-DK", viewport={"width": width, "height": 900},
            storage_state=session if signed_in else None,
        )  # fmt: skip
        try:
            visit = Visit(page=await context.new_page())
            listen_to(visit, stage.settings.issuer)
            yield visit
        finally:
            await context.close()

    return opened
