"""The pages about agreements: what there is to do, one agreement in plain words, and the button that stops it."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientSession

from tests.browsing import signed_in
from tests.cast import ANNA, BO, BORGERBLIK, KVIK, NORDLYS, Cast, content_of, enter_agreement
from tests.served import Api, Reply
from torv.base import clock
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.signing import Keys, fingerprint
from torv.ecosystem.agreements import confirm, propose_agreement, sign_by_partner
from torv.kernel.identity import NewAssignment, assign_role, create_role, create_user
from torv.kernel.identity.models import RoleContent
from torv_sdk.canonical import canonical
from torv_sdk.keys import sign_agreement

pytestmark = pytest.mark.anyio
READER = {"login": "ulla.bak", "password": "stille-vand-i-fjorden"}


@pytest.fixture
async def reader(api: Api, database: Database, cast: Cast) -> AsyncIterator[ClientSession]:
    """Somebody who may read agreements, and nothing else."""
    access = cast.user("identity.create_user", "user", "role")
    async with database.transaction() as tx:
        permits = {"agreements": ["read"], "modules": ["read"], "moves": ["read"]}
        content = RoleContent(name="Ser aftaler", permits=permits, categories=["agreement", "module", "move"])
        role = await create_role(tx, access, content=content)
        user = await create_user(tx, access, login=READER["login"], name="Ulla Bak", password=READER["password"])
        await assign_role(tx, access, user.id, new=NewAssignment(role_id=role.id))
    async with signed_in(api.url, READER["login"], READER["password"]) as browser:
        yield browser


async def read(browser: ClientSession, path: str) -> str:
    async with browser.get(path) as page:
        text = await page.text()
        assert page.status == 200, text
        return text


async def propose(database: Database, cast: Cast, **changes: Any) -> UUID:
    """Another agreement with Borgerblik, signed by nobody."""
    content = content_of(BORGERBLIK, id=str(new_id()), **changes)
    async with database.transaction() as tx:
        return (await propose_agreement(tx, cast.user("agreements.propose"), canonical(content))).id


def ending_in(days: int, **changes: Any) -> dict[str, Any]:
    now = clock.now()
    ends = now + timedelta(days=days)
    return {"not_before": (now - timedelta(days=1)).isoformat(), "not_after": ends.isoformat(), **changes}


# ---- the list --------------------------------------------------------------------------------------------------------
async def test_the_list_says_whose_each_is_and_how_it_stands(anna: ClientSession, cast: Cast) -> None:
    text = await read(anna, "/agreements")
    for part in (NORDLYS, KVIK, BORGERBLIK):
        assert f'<a href="/agreements/{cast.agreements[part.module]}">{part.name}: {part.module}</a>' in text
    assert text.count("I kraft</span>") == 3
    assert 'aria-current="page">Aftaler</a>' in text


async def test_what_is_unsigned_and_what_ends_soon_is_said(
    anna: ClientSession, cast: Cast, database: Database, keys: Keys
) -> None:
    await propose(database, cast, title="Ikke underskrevet")
    decided = (clock.now() + timedelta(days=5)).isoformat()
    soon = ending_in(20, options=[{"extend_months": 12, "decide_by": decided}])
    async with database.transaction() as tx:
        await enter_agreement(
            tx, cast, content_of(BORGERBLIK, id=str(new_id()), title="Slutter snart", validity=soon), keys
        )
    text = await read(anna, "/agreements")
    unsigned, ending = row_of(text, "Ikke underskrevet"), row_of(text, "Slutter snart")
    assert "Foreslået" in unsigned
    assert "Mangler underskrift" in unsigned
    assert "om 20 dage" in ending
    assert re.search(r"Option skal besluttes senest [^,]+, om 5 dage", ending)
    assert 'class="is-bad"' in ending


async def test_oversight_that_was_not_carried_out_is_said(
    anna: ClientSession, cast: Cast, database: Database, keys: Keys
) -> None:
    content = content_of(BORGERBLIK, id=str(new_id()), title="Uden tilsyn")
    content["data_processing"]["oversight"]["next_due"] = (clock.today() - timedelta(days=3)).isoformat()
    async with database.transaction() as tx:
        await enter_agreement(tx, cast, content, keys)
    assert re.search(
        r"Tilsyn skulle være ført [^,]+, for 3 dage siden", row_of(await read(anna, "/agreements"), "Uden tilsyn")
    )


async def test_oversight_that_stops_the_access_is_said_to_have_stopped_it(
    anna: ClientSession, api: Api, cast: Cast, database: Database, keys: Keys
) -> None:
    content = content_of(KVIK, id=str(new_id()), title="Stoppet af tilsyn")
    overdue = {"next_due": (clock.today() - timedelta(days=1)).isoformat(), "on_overdue": "deny"}
    content["data_processing"]["oversight"] |= overdue
    async with database.transaction() as tx:
        agreement = await enter_agreement(tx, cast, content, keys)
    row = row_of(await read(anna, "/agreements"), "Stoppet af tilsyn")
    assert "Tillader intet lige nu" in row
    assert "Tilsynet med behandlingen er ikke udført i tide." in row
    looked = {"reason": "Set igennem uden anmærkninger."}
    assert (await api.post(f"/api/v1/agreements/{agreement}/oversight", looked, by=ANNA)).status == 200
    assert "I kraft" in row_of(await read(anna, "/agreements"), "Stoppet af tilsyn")


async def test_the_list_goes_on_over_pages(anna: ClientSession, cast: Cast, database: Database) -> None:
    for number in range(25):
        await propose(database, cast, title=f"Nummer {number}")
    first = await read(anna, "/agreements")
    more = re.search(r'href="(/agreements\?cursor=[^"]+)" rel="next"', first)
    assert more is not None
    second = await read(anna, more[1])
    titles = [set(re.findall(r"<a href=\"/agreements/[^\"]+\">([^<]+)</a>", text)) for text in (first, second)]
    assert (len(titles[0]), len(titles[1]), titles[0] & titles[1]) == (25, 3, set())
    assert 'rel="next"' not in second
    assert "Til den første side" in second


async def test_a_draft_is_shown_with_how_much_it_lacks(api: Api, anna: ClientSession) -> None:
    assert (await api.post("/api/v1/agreements/drafts", {"title": "Et udkast"}, by=ANNA)).status == 201
    row = row_of(await read(anna, "/agreements"), "Et udkast")
    assert re.search(r"Mangler \d+ ting, før den kan foreslås", row)


def row_of(text: str, title: str) -> str:
    """The row of a table with this in it."""
    return next(row for row in text.split("<tr") if title in row).partition("</tr>")[0].join(("<tr", ""))


# ---- one agreement ---------------------------------------------------------------------------------------------------
async def test_an_agreement_is_told_in_plain_danish(anna: ClientSession, cast: Cast, keys: Keys) -> None:
    text = plain(await read(anna, f"/agreements/{cast.agreements['borgerblik']}"))
    assert "Borgerblik ApS må bruge stamdata og notater til: Notater om borgere, der får hjælp." in text
    assert "Modulet borgerblik må skrive notater og se notater" in text
    assert "Modulet borgerblik må læse" in text
    assert "SEL §83" in text
    assert "Brud meldes inden 24 timer" in text
    assert "af Anna Holm og Bo Lind" in text
    for key in (keys.signing, cast.partner_keys["borgerblik"]):
        assert fingerprint(key) in text
    assert "Alle har underskrevet, den er begyndt" in text
    assert "Intet siden underskrifterne." in text


async def test_an_unsigned_agreement_says_who_has_not_signed_and_who_can_mend_it(
    anna: ClientSession, cast: Cast, database: Database
) -> None:
    text = plain(await read(anna, f"/agreements/{await propose(database, cast)}"))
    assert text.count("Har ikke underskrevet") == 2
    assert "Grund: aftalen er ikke underskrevet af alle." in text
    assert "Kan ændres af: Parterne" in text
    assert "Suspendér" not in text


async def test_grants_with_limits_and_hours_are_told(anna: ClientSession, cast: Cast, database: Database) -> None:
    content = content_of(BORGERBLIK)
    content["grants"][0] |= {
        "limits": {"calls_per_day": 10_000}, "reach": {"kle": ["27", "28.03"]},
        "window": {"weekdays": [1, 2], "opens": "07:00", "closes": "17:30"},
    }  # fmt: skip
    text = plain(await read(anna, f"/agreements/{await propose(database, cast, grants=content['grants'])}"))
    for sentence in (
        "Højst 10.000 kald om dagen", "Kun KLE 27 og 28.03", "Kun mandag og tirsdag", "Kun kl. 07:00 til 17:30",
    ):  # fmt: skip
        assert sentence in text


async def test_the_button_stops_the_module_and_the_page_says_so(anna: ClientSession, api: Api, cast: Cast) -> None:
    place = f"/agreements/{cast.agreements['borgerblik']}"
    assert (await api.get(f"/api/v1/persons/{cast.bjorn.id}", by="borgerblik")).status == 200
    async with anna.post(f"{place}/suspend") as page:
        assert (page.status, page.url.path) == (200, place)
        text = plain(await page.text())
    assert "Grund: aftalen er suspenderet." in text
    assert re.search(r"Suspenderet \d+\. \w+ \d{4} kl\. [\d:]+, Anna Holm", text)
    refused = await _answer_of(api, cast, 403)
    assert refused.json["check"] == "suspended"
    async with anna.post(f"{place}/resume") as page:
        assert "I kraft" in await page.text()
    await _answer_of(api, cast, 200)


async def _answer_of(api: Api, cast: Cast, status: int) -> Reply:
    """What Borgerblik is answered, once the process has learned of the change: within a second, and a slow machine."""
    async with asyncio.timeout(5):
        while (reply := await api.get(f"/api/v1/persons/{cast.bjorn.id}", by="borgerblik")).status != status:
            await asyncio.sleep(0.02)
    return reply


async def test_a_button_pressed_twice_says_how_it_stands(anna: ClientSession, cast: Cast) -> None:
    place = f"/agreements/{cast.agreements['borgerblik']}/suspend"
    await anna.post(place)
    async with anna.post(place) as page:
        assert page.status == 409
        assert "Det kan ikke gøres med en aftale, der er suspenderet." in await page.text()


async def test_a_sub_suppliers_agreement_says_what_it_lacks_in_the_chain(
    anna: ClientSession, cast: Cast, database: Database, keys: Keys
) -> None:
    content = content_of(BORGERBLIK, id=str(new_id()), title="Under Nordlys", grants=content_of(NORDLYS)["grants"])
    content |= {"parent": {"agreement": str(cast.agreements["nordnote"]), "partner": NORDLYS.cvr}}
    async with database.transaction() as tx:
        agreement = await propose_agreement(tx, cast.user("agreements.propose"), canonical(content))
        for module, part in (("nordnote", NORDLYS), ("borgerblik", BORGERBLIK)):
            signature = sign_agreement(content, key=cast.partner_keys[module], signer=part.cvr)
            await sign_by_partner(tx, cast.user("agreements.sign"), agreement.id, signature)
        for login in (ANNA, BO):
            await confirm(tx, cast.user("agreements.confirm", login=login), agreement.id, keys.signing)
    row = row_of(await read(anna, "/agreements"), "Under Nordlys")
    assert "Tillader intet lige nu" in row
    assert "Kommunen har ikke godkendt underleverandøren." in row
    await anna.post(f"/agreements/{cast.agreements['nordnote']}/suspend")
    text = plain(await read(anna, f"/agreements/{agreement.id}"))
    assert "Grund: leverandørens aftale, som denne hviler på, gælder ikke." in text


async def test_another_site_cannot_press_the_button(anna: ClientSession, cast: Cast) -> None:
    place = f"/agreements/{cast.agreements['borgerblik']}"
    async with anna.post(f"{place}/suspend", headers={"origin": "https://example.org"}) as answer:
        assert answer.status == 403
    assert "I kraft" in await read(anna, place)


async def test_whoever_may_only_read_has_no_button_and_cannot_press_it(reader: ClientSession, cast: Cast) -> None:
    place = f"/agreements/{cast.agreements['borgerblik']}"
    assert "Suspendér" not in await read(reader, place)
    async with reader.post(f"{place}/suspend") as answer:
        assert answer.status == 403
    assert "I kraft" in await read(reader, place)
    assert "Udkast" not in await read(reader, "/agreements")


async def test_the_pages_read_in_english_too(anna: ClientSession, cast: Cast) -> None:
    text = plain(await read(anna, f"/agreements/{cast.agreements['borgerblik']}?lang=en"))
    assert "The module borgerblik may read" in text
    assert "In force" in text
    assert "Agreements and how they stand" in await read(anna, "/agreements")


async def test_what_partners_wrote_is_text_and_never_markup(
    anna: ClientSession, cast: Cast, database: Database
) -> None:
    bad = '<script>alert("x")</script>'
    agreement = await propose(database, cast, title=bad)
    for path in ("/agreements", f"/agreements/{agreement}"):
        text = await read(anna, path)
        assert bad not in text
        assert "&lt;script&gt;" in text


def plain(text: str) -> str:
    """What somebody reads: no markup, white space as one space."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)).replace(" .", ".").replace(" ,", ",")
