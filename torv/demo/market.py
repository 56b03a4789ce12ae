"""The market: the rest of the town's partners, and agreements in every state of their life; nobody calls under them."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from dateutil.relativedelta import relativedelta

from torv.base import clock
from torv.demo.office import ANNA, BO, PASSWORDS, Office
from torv.demo.terms import KYSTDRIFT, until, with_oversight
from torv.demo.town import (
    CLAUSES,
    MUNICIPALITY,
    NOWHERE,
    PARTS,
    Part,
    Town,
    content_of,
    enter_partner,
    sign_by_all,
    sign_by_partner,
)
from torv.ecosystem.agreements import Line, Parties, Why, sub_supplier

NORDNOTE, KVIKNOTE, BORGERBLIK, TVAERS = PARTS
_PPR = Why(
    activity="ppr", legal_basis=["Folkeskoleloven §12", "SEL §11"], text="Pædagogisk-psykologisk rådgivning af børn"
)
_PUPILS = (Line(service="persons", operations=["read", "list_relations"], categories=["person"]),)
TRINVIS = Part(cvr="21447552", partner="Trinvis PPR ApS", module="trinvis", why=_PPR, lines=_PUPILS)


async def build_market(office: Office, folder: Path, town: Town) -> None:
    """Enter a sub-supplier, a supplier we talk with, and agreements that are proposed, stopped, ended or drafts."""
    await _sub_supplier(office, folder, town)
    await enter_partner(office, TRINVIS, folder, NOWHERE)
    await _expired(office, folder)
    await _suspended(office, folder)
    await _under_notice(office, folder)
    await _proposed(office, folder)
    await _draft(office)
    await _roles(office)


async def _sub_supplier(office: Office, folder: Path, town: Town) -> None:
    """Kystdrift works for Nordlys: linked by Anna, approved by Bo, and under an agreement that all three sign."""
    above = (await office.get(f"/api/v1/agreements/{town.agreements[NORDNOTE.module]}"))["content"]
    part = Part(cvr=KYSTDRIFT[0], partner=KYSTDRIFT[1], module="kystkopi", why=NORDNOTE.why, lines=())
    await enter_partner(office, part, folder, NOWHERE)
    ids = await _partner_ids(office)
    link = {
        "capability": "notes", "supplier_id": ids[NORDNOTE.cvr], "sub_supplier_id": ids[part.cvr],
        "task": "Drift af servere og sikkerhedskopi", "country": "DK",
    }  # fmt: skip
    registered = await office.post("/api/v1/partners/supply-links", link, user=ANNA)
    approval = {"approved_from": clock.today().isoformat()}
    await office.post(f"/api/v1/partners/supply-links/{registered['id']}/approval", approval, user=BO)
    parties = Parties(municipality=MUNICIPALITY[0], partner=part.cvr, partner_name=part.partner, clauses=CLAUSES)
    content = sub_supplier(above, parties, part.module, grants=["1-records", "2-notes"], begins=clock.today())
    narrow = {"records": ["read", "follow"], "notes": ["export"]}
    content["grants"] = [grant | {"operations": narrow[grant["service"]]} for grant in content["grants"]]
    await office.post("/api/v1/agreements", content)
    await sign_by_partner(office, content, folder, NORDNOTE)
    await sign_by_all(office, content, folder, part)


async def _expired(office: Office, folder: Path) -> None:
    """What Trinvis did for the schools until this month: its data are being handed back."""
    today = clock.today()
    old = replace(TRINVIS, module="trinvis-2024", why=replace(_PPR, text="Test af elever i 2024 til 2026"))
    content = until(content_of(old), today - relativedelta(years=2), today - timedelta(days=12))
    await _in_force(office, folder, content, TRINVIS)


async def _suspended(office: Office, folder: Path) -> None:
    why = Why(activity="statistik", legal_basis=["Databeskyttelsesloven §10"], text="Statistik over hjælp i hjemmet")
    part = replace(BORGERBLIK, module="borgertal", why=why, lines=_PUPILS)
    content = with_oversight(content_of(part), "written", clock.today() - timedelta(days=9))
    await _in_force(office, folder, content, BORGERBLIK)
    await office.post(f"/api/v1/agreements/{content['id']}/suspend", user=BO)


async def _under_notice(office: Office, folder: Path) -> None:
    why = Why(activity="koerselsplan", legal_basis=["SEL §83"], text="Kort over dagens besøg")
    content = content_of(replace(TVAERS, module="tvaers-kort", why=why))
    content["validity"]["notice_months"] = 3
    await _in_force(office, folder, content, TVAERS)
    reason = {"reason": "Kommunen samler kort og ruter i ét system."}
    await office.post(f"/api/v1/agreements/{content['id']}/notice", reason, user=ANNA)


async def _proposed(office: Office, folder: Path) -> None:
    """Trinvis and Anna have signed; Bo has not."""
    content = content_of(TRINVIS)
    content["grants"][0] |= {
        "limits": {"calls_per_second": 5, "person_views_per_day": 300},
        "reach": {"kle": ["17.03"]},
    }
    content["grants"][0] |= {"window": {"weekdays": [1, 2, 3, 4, 5], "opens": "07:00", "closes": "17:00"}}
    await office.post("/api/v1/agreements", content)
    await sign_by_partner(office, content, folder, TRINVIS)
    confirmation = {"password": PASSWORDS[ANNA]}
    await office.post(f"/api/v1/agreements/{content['id']}/confirmations", confirmation, user=ANNA)


async def _draft(office: Office) -> None:
    unfinished = Why(activity="vagtplan", legal_basis=[], text="")
    part = replace(KVIKNOTE, module="kvikvagt", why=unfinished, lines=_PUPILS)
    await office.post("/api/v1/agreements/drafts", content_of(part) | {"title": f"{part.partner}: vagtplan"})


async def _roles(office: Office) -> None:
    """Who is what to whom."""
    ids = await _partner_ids(office)
    for capability, cvr, role in (
        ("notes", NORDNOTE.cvr, "supplier"), ("notes", KVIKNOTE.cvr, "competitor"),
        ("notes", KYSTDRIFT[0], "sub_supplier"), ("ppr", TRINVIS.cvr, "prospect"),
    ):  # fmt: skip
        entry = {"capability": capability, "partner_id": ids[cvr], "role": role}
        await office.post("/api/v1/partners/market", entry)


async def _in_force(office: Office, folder: Path, content: dict[str, Any], signer: Part) -> None:
    await office.post("/api/v1/agreements", content)
    await sign_by_all(office, content, folder, signer)


async def _partner_ids(office: Office) -> dict[str, str]:
    """CVR number -> id."""
    return {each["cvr"]: each["id"] for each in (await office.get("/api/v1/partners?limit=200"))["items"]}
