"""The town: a made-up municipality with its partners, agreements, modules and citizens, entered over the public API."""

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from torv.base import clock
from torv.demo.office import BO, PASSWORDS, Office, Refused
from torv.demo.terms import add_terms
from torv.ecosystem.agreements import Line, Parties, Why, agreement_about
from torv_sdk.keys import fingerprint, make_key, prove_key, read_key, sign_agreement, thumbprint

MUNICIPALITY = ("50708047", "Fjordby Kommune")
CITY = "Fjordby"
CLAUSES = sha256("Fjordby Kommune: standardvilkår for databehandling, 2026".encode()).hexdigest()
TOLD = "notes.note.written"  #: what whoever provides notes is told of
NOWHERE = "http://127.0.0.1:9"  #: address of a program that only calls: nothing is ever sent there


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A partner of the town, its program, and what its agreement grants."""

    cvr: str
    partner: str
    module: str
    why: Why
    lines: tuple[Line, ...]


_HELP = Why(activity="hjaelp-og-stoette", legal_basis=["SEL §83"], text="Notater om borgere, der får hjælp")
_OVERVIEW = Why(activity="overblik", legal_basis=["SEL §83"], text="Overblik for medarbejdere, der hjælper borgere")
_PROVIDER = (
    Line(service="records", operations=["write", "read", "follow"], categories=["notes"]),
    Line(service="notes", operations=["provide", "export"], categories=["notes"]),
    Line(service="events", operations=["publish", "receive"], categories=["notes"]),
)
_CALLER = (Line(service="notes", operations=["write_note", "list_notes"], categories=["notes"]),)
_READER = (Line(service="persons", operations=["read"], categories=["person"]),)

#: two competitors who provide notes, and two programs that use them
PARTS = (
    Part(cvr="48839355", partner="Nordlys Omsorg ApS", module="nordnote", why=_HELP, lines=_PROVIDER),
    Part(cvr="58351253", partner="Kvik Systemer A/S", module="kviknote", why=_HELP, lines=_PROVIDER),
    Part(cvr="33174640", partner="Borgerblik ApS", module="borgerblik", why=_OVERVIEW, lines=_CALLER + _READER),
    Part(cvr="43195026", partner="Tværs IT ApS", module="tvaers", why=_OVERVIEW, lines=_CALLER),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Town:
    """What was entered: ids that the demo and the story go on with."""

    releases: dict[str, str]  #: module -> release id
    agreements: dict[str, str]  #: module -> agreement id
    persons: list[str]


async def build_town(office: Office, folder: Path, urls: dict[str, str]) -> Town:
    """Enter the town; the keys of its partners and their programs are put into `folder`."""
    await office.post("/api/v1/partners", {"cvr": MUNICIPALITY[0], "name": MUNICIPALITY[1], "kind": "municipality"})
    releases, agreements = {}, {}
    for part in PARTS:
        releases[part.module] = await enter_partner(office, part, folder, urls.get(part.module, NOWHERE))
        agreements[part.module] = await _agree(office, part, folder)
    await office.post("/api/v1/bindings", {"capability": "notes", "release_id": releases["nordnote"]})
    await office.post("/api/v1/subscriptions", {"capability": "notes", "types": [TOLD], "mode": "push"})
    return Town(releases=releases, agreements=agreements, persons=await _citizens(office))


def save(town: Town, file: Path) -> None:
    """Keep what was entered; the file is there whole or not at all."""
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(town)), encoding="utf-8")
    draft.rename(file)


def load(file: Path) -> Town:
    """What was entered before."""
    return Town(**json.loads(file.read_text(encoding="utf-8")))


def key_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.pem"


async def enter_partner(office: Office, part: Part, folder: Path, url: str) -> str:
    """Register a partner with its key, and its program; gives the id of the program's release."""
    partner = await office.post("/api/v1/partners", {"cvr": part.cvr, "name": part.partner})
    await _enrol_key(office, partner["id"], folder, f"{part.module}-partner")
    module = await office.post("/api/v1/modules", {"partner_id": partner["id"], "name": part.module})
    release = await office.post(
        f"/api/v1/modules/{module['id']}/releases",
        {"version": "1.0.0", "url": url, "jwk": _new_key(folder, part.module)},
    )
    return str(release["id"])


async def _enrol_key(office: Office, partner_id: str, folder: Path, name: str) -> None:
    """A code from the municipality, the key from the partner, and the fingerprint as the partner reads it aloud."""
    code = (await office.post(f"/api/v1/partners/{partner_id}/codes"))["code"]
    jwk, key = _new_key(folder, name), read_key(key_file(folder, name))
    sent = {"code": code, "jwk": jwk, "proof": prove_key(key, code)}
    taken = await office.post("/api/v1/partners/enrolments", sent)
    place = f"/api/v1/partners/{partner_id}/keys/{taken['kid']}/confirmation"
    await office.post(place, {"fingerprint": fingerprint(key)})


async def _agree(office: Office, part: Part, folder: Path) -> str:
    """Propose, let the partner sign, and let two users confirm."""
    content = add_terms(content_of(part), part.module, clock.today())
    await office.post("/api/v1/agreements", content)
    agreement = await sign_by_all(office, content, folder, part)
    if agreement["state"] != "active":
        raise Refused(f"the agreement with {part.partner} is {agreement['state']} after {BO} confirmed")
    return str(agreement["id"])


async def sign_by_all(office: Office, content: dict[str, Any], folder: Path, part: Part) -> dict[str, Any]:
    """Let the partner sign what was proposed, and two users confirm it; gives the agreement as it stands then."""
    await sign_by_partner(office, content, folder, part)
    agreement: dict[str, Any] = {}
    for user, password in PASSWORDS.items():
        place = f"/api/v1/agreements/{content['id']}/confirmations"
        agreement = await office.post(place, {"password": password}, user=user)
    return agreement


async def sign_by_partner(office: Office, content: dict[str, Any], folder: Path, part: Part) -> None:
    """A signature as the partner makes it on its own machine."""
    signature = sign_agreement(content, key=read_key(key_file(folder, f"{part.module}-partner")), signer=part.cvr)
    await office.post(f"/api/v1/agreements/{content['id']}/signatures", {"jws": signature})


def content_of(part: Part) -> dict[str, Any]:
    """An agreement about a partner's program, as the template has it."""
    parties = Parties(municipality=MUNICIPALITY[0], partner=part.cvr, partner_name=part.partner, clauses=CLAUSES)
    return agreement_about(parties, part.module, part.why, part.lines, begins=clock.today())


def _new_key(folder: Path, name: str) -> dict[str, Any]:
    key = make_key(key_file(folder, name))
    return {**key.as_dict(private=False), "kid": thumbprint(key)}


async def _citizens(office: Office) -> list[str]:
    """Everybody who lives in the town, found as a caseworker would."""
    found, cursor = [], ""
    while True:
        page = await office.post(f"/api/v1/persons/search?limit=200{cursor}", {"address": CITY})
        found += [person["id"] for person in page["items"]]
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"
