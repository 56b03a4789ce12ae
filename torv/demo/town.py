"""The town: a made-up municipality with its partners, agreements, modules and citizens, entered over the public API."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from torv.demo.office import BO, PASSWORDS, Office, Refused
from torv_sdk.keys import make_key, read_key, sign_agreement, thumbprint

MUNICIPALITY = ("50708047", "Fjordby Kommune")
CITY = "Fjordby"
NOWHERE = "http://127.0.0.1:9"  #: address of a program that only calls: nothing is ever sent there


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A partner of the town, its program, and what its agreement grants."""

    cvr: str
    partner: str
    module: str
    grants: tuple[tuple[str, tuple[str, ...], tuple[str, ...], str], ...]  #: service, operations, categories, purpose


_PROVIDER = (
    ("records", ("write", "read", "follow"), ("notes",), "SEL §83: notater om borgere, der får hjælp"),
    ("notes", ("provide", "export"), ("notes",), "SEL §83: notater om borgere, der får hjælp"),
)
_CALLER = (("notes", ("write_note", "list_notes"), ("notes",), "SEL §83: overblik for medarbejdere"),)
_READER = (("persons", ("read",), ("person",), "SEL §83: overblik for medarbejdere"),)

#: two competitors who provide notes, and two programs that use them
PARTS = (
    Part(cvr="48839355", partner="Nordlys Omsorg ApS", module="nordnote", grants=_PROVIDER),
    Part(cvr="58351253", partner="Kvik Systemer A/S", module="kviknote", grants=_PROVIDER),
    Part(cvr="33174640", partner="Borgerblik ApS", module="borgerblik", grants=_CALLER + _READER),
    Part(cvr="43195026", partner="Tværs IT ApS", module="tvaers", grants=_CALLER),
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
        releases[part.module] = await _enter_partner(office, part, folder, urls.get(part.module, NOWHERE))
        agreements[part.module] = await _agree(office, part, folder)
    await office.post("/api/v1/bindings", {"capability": "notes", "release_id": releases["nordnote"]})
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


async def _enter_partner(office: Office, part: Part, folder: Path, url: str) -> str:
    partner = await office.post("/api/v1/partners", {"cvr": part.cvr, "name": part.partner})
    await office.post(f"/api/v1/partners/{partner['id']}/keys", {"jwk": _new_key(folder, f"{part.module}-partner")})
    module = await office.post("/api/v1/modules", {"partner_id": partner["id"], "name": part.module})
    release = await office.post(
        f"/api/v1/modules/{module['id']}/releases",
        {"version": "1.0.0", "url": url, "jwk": _new_key(folder, part.module)},
    )
    return str(release["id"])


async def _agree(office: Office, part: Part, folder: Path) -> str:
    """Propose, let the partner sign, and let two users confirm."""
    content = _content(part)
    proposed = await office.post("/api/v1/agreements", content)
    signature = sign_agreement(content, key=read_key(key_file(folder, f"{part.module}-partner")), signer=part.cvr)
    place = f"/api/v1/agreements/{proposed['id']}"
    await office.post(f"{place}/signatures", {"jws": signature})
    for user, password in PASSWORDS.items():
        agreement = await office.post(f"{place}/confirmations", {"password": password}, user=user)
    if agreement["state"] != "active":
        raise Refused(f"the agreement with {part.partner} is {agreement['state']} after {BO} confirmed")
    return str(proposed["id"])


def _content(part: Part) -> dict[str, Any]:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "format": "torv-agreement/1",
        "id": str(uuid4()),
        "title": f"{part.partner}: {part.module}",
        "municipality": MUNICIPALITY[0],
        "partner": part.cvr,
        "validity": {"not_before": today.isoformat(), "not_after": (today + timedelta(days=730)).isoformat()},
        "grants": [
            {
                "id": f"{number}-{service}", "module": part.module, "service": service, "major": 1,
                "operations": list(operations), "categories": list(categories), "purpose": purpose,
            }
            for number, (service, operations, categories, purpose) in enumerate(part.grants, 1)
        ],
    }  # fmt: skip


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
