"""The cast: the people, partners and programs every test knows, entered once a session by the verbs themselves.

Anna Holm and Bo Lind work for the municipality. Alma is a child with a protected address, Bjørn a grown man. Nordlys
(Nordnote) and Kvik (Kviknote) compete to provide notes; Borgerblik's program uses them. Nordnote is in service.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from joserfc.jwk import ECKey

from torv.base import clock, signing
from torv.base.access import Access, Caller, CallerKind
from torv.base.db import Database, Tx
from torv.base.ids import new_id
from torv.base.signing import Keys
from torv.ecosystem.agreements import (
    Line,
    Parties,
    Why,
    agreement_about,
    confirm,
    propose_agreement,
    sign_by_partner,
)
from torv.ecosystem.modules import bind, register_module, register_release
from torv.ecosystem.modules.models import NewModule, NewRelease
from torv.ecosystem.partners import (
    EnrolledKey,
    NewKey,
    NewPartner,
    PartnerKind,
    check_proof,
    confirm_key,
    issue_code,
    register_partner,
    take_key,
)
from torv.kernel.identity import ADMINISTRATOR, NewAssignment, User, assign_role, create_user
from torv.kernel.persons import NewPerson, Person, register_person
from torv_sdk.canonical import canonical
from torv_sdk.keys import prove_key, sign_agreement

ANNA, BO = "anna.holm", "bo.lind"
NAMES = {ANNA: "Anna Holm", BO: "Bo Lind"}
PASSWORDS = {ANNA: "solen skinner på torvet", BO: "fjordvind over bakken"}
MUNICIPALITY = "50708047"
ALMA_CPR, BJORN_CPR = "0107153216", "1205761111"
NOTES_PURPOSE = "Notater om borgere, der får hjælp"
WHY = Why(activity="hjaelp-og-stoette", legal_basis=("SEL §83",), text=NOTES_PURPOSE)
CLAUSES = sha256(b"standardvilkaar").hexdigest()
NOWHERE = "http://127.0.0.1:9"  #: nothing answers there

Grant = tuple[str, tuple[str, ...], tuple[str, ...]]  #: service, operations, categories
PROVIDER: tuple[Grant, ...] = (
    ("records", ("write", "read", "follow"), ("notes",)),
    ("notes", ("provide", "export"), ("notes",)),
)
CALLER: tuple[Grant, ...] = (("notes", ("write_note", "list_notes"), ("notes",)), ("persons", ("read",), ("person",)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A partner, its program, and what its agreement grants."""

    cvr: str
    name: str
    module: str
    grants: tuple[Grant, ...]


PARTS = (
    Part(cvr="48839355", name="Nordlys Omsorg ApS", module="nordnote", grants=PROVIDER),
    Part(cvr="58351253", name="Kvik Systemer A/S", module="kviknote", grants=PROVIDER),
    Part(cvr="33174640", name="Borgerblik ApS", module="borgerblik", grants=CALLER),
)
NORDLYS, KVIK, BORGERBLIK = PARTS


@dataclass(frozen=True, kw_only=True, slots=True)
class Cast:
    """Who was entered; dictionaries are by login or by module."""

    users: dict[str, User]
    alma: Person
    bjorn: Person
    partners: dict[str, UUID] = field(default_factory=dict)
    modules: dict[str, UUID] = field(default_factory=dict)
    releases: dict[str, UUID] = field(default_factory=dict)
    agreements: dict[str, UUID] = field(default_factory=dict)
    partner_keys: dict[str, ECKey] = field(default_factory=dict)
    release_keys: dict[str, ECKey] = field(default_factory=dict)

    def user(self, operation: str, *categories: str, login: str = ANNA) -> Access:
        """A permit of Anna's (or another user's) for `service.operation`."""
        user = self.users[login]
        return permit(Caller(kind=CallerKind.USER, id=user.id, name=user.name), operation, categories)

    def program(self, module: str, operation: str, *categories: str) -> Access:
        """A permit of a module's release."""
        caller = Caller(
            kind=CallerKind.RELEASE, id=self.releases[module], name=module,
            partner_id=self.partners[module], module_id=self.modules[module],
        )  # fmt: skip
        return permit(caller, operation, categories)


def permit(caller: Caller, operation: str, categories: tuple[str, ...] = ()) -> Access:
    """A permit as the decider would give it."""
    service, _, name = operation.partition(".")
    return Access(
        caller=caller, service=service, operation=name, category=categories[0] if categories else None,
        categories=frozenset(categories), purpose="test", request_id=new_id(),
    )  # fmt: skip


OPERATOR = Caller(kind=CallerKind.OPERATOR, id=UUID(int=0), name="operator")


async def enter_users(database: Database) -> dict[str, User]:
    """Anna and Bo."""
    users, access = {}, permit(OPERATOR, "identity.create_user", ("user",))
    for login, password in PASSWORDS.items():
        async with database.transaction() as tx:
            user = await create_user(tx, access, login=login, name=NAMES[login], password=password)
            await assign_role(tx, access, user.id, new=NewAssignment(role_id=ADMINISTRATOR))
            users[login] = user
    return users


async def enter_cast(database: Database, users: dict[str, User], keys: Keys) -> Cast:
    """Everybody else, each agreement signed by its partner and confirmed by Anna and Bo."""
    async with database.transaction() as tx:
        cast = Cast(users=users, alma=await _enter_alma(tx), bjorn=await _enter_bjorn(tx))
        ourselves = NewPartner(cvr=MUNICIPALITY, name="Fjordby Kommune", kind=PartnerKind.MUNICIPALITY)
        await register_partner(tx, cast.user("partners.register"), new=ourselves)
        for part in PARTS:
            await enter_part(tx, cast, part)
            cast.agreements[part.module] = await enter_agreement(tx, cast, content_of(part), keys)
        await bind(tx, cast.user("modules.bind"), capability="notes", release_id=cast.releases["nordnote"])
    return cast


async def enter_agreement(tx: Tx, cast: Cast, content: dict[str, Any], keys: Keys) -> UUID:
    """Propose an agreement and let all its parties sign; gives its id."""
    module = content["grants"][0]["module"]
    agreement = await propose_agreement(tx, cast.user("agreements.propose"), canonical(content))
    signature = sign_agreement(content, key=cast.partner_keys[module], signer=content["partner"])
    await sign_by_partner(tx, cast.user("agreements.sign"), agreement.id, signature)
    for login in (ANNA, BO):
        await confirm(tx, cast.user("agreements.confirm", login=login), agreement.id, keys.signing)
    return agreement.id


def content_of(part: Part, **changes: Any) -> dict[str, Any]:
    """The content of an agreement with a partner, valid since yesterday for two years."""
    parties = Parties(municipality=MUNICIPALITY, partner=part.cvr, partner_name=part.name, clauses=CLAUSES)
    lines = [Line(service=service, operations=some, categories=data) for service, some, data in part.grants]
    return agreement_about(parties, part.module, WHY, lines, begins=clock.today() - timedelta(days=1)) | changes


def grant_of(module: str, number: int, grant: Grant, **changes: Any) -> dict[str, Any]:
    service, operations, categories = grant
    return {
        "id": f"{number}-{service}", "module": module, "service": service, "major": 1,
        "operations": sorted(operations), "categories": sorted(categories),
        "purpose": {"activity": WHY.activity, "legal_basis": list(WHY.legal_basis), "text": WHY.text}, **changes,
    }  # fmt: skip


async def enter_part(tx: Tx, cast: Cast, part: Part) -> None:
    access = cast.user("modules.register")
    partner = await register_partner(tx, access, new=NewPartner(cvr=part.cvr, name=part.name))
    module = await register_module(tx, access, new=NewModule(partner_id=partner.id, name=part.module))
    own, runtime = (ECKey.generate_key("P-256") for _ in range(2))
    await enrol_key(tx, access, partner.id, own)
    new = NewRelease(version="1.0.0", url=NOWHERE, jwk=signing.public(runtime))
    release = await register_release(tx, access, module.id, new=new, private=True)
    cast.partners[part.module], cast.modules[part.module] = partner.id, module.id
    cast.releases[part.module] = release.id
    cast.partner_keys[part.module], cast.release_keys[part.module] = own, runtime


async def enrol_key(tx: Tx, access: Access, partner_id: UUID, key: ECKey) -> str:
    """Take a partner's key the whole way into use: code, proof, fingerprint; gives its thumbprint."""
    code = (await issue_code(tx, access, partner_id)).code
    new = NewKey(code=code, jwk=signing.public(key), proof=prove_key(key, code))
    taken = await take_key(tx, code, check_proof(new), address="tests", request_id=new_id())
    assert isinstance(taken, EnrolledKey)
    await confirm_key(tx, access, partner_id, taken.kid, fingerprint=taken.fingerprint)
    return taken.kid


async def _enter_alma(tx: Tx) -> Person:
    new = NewPerson(
        given_names="Alma", family_name="Østergaard", cpr=ALMA_CPR, address="Havnegade 7, 6200 Fjordby",
        has_protected_address=True,
    )  # fmt: skip
    return await register_person(tx, _registrar(), new=new)


async def _enter_bjorn(tx: Tx) -> Person:
    new = NewPerson(given_names="Bjørn", family_name="Aagaard", cpr=BJORN_CPR, address="Skolebakken 12, 6200 Fjordby")
    return await register_person(tx, _registrar(), new=new)


def _registrar() -> Access:
    return permit(OPERATOR, "persons.register", ("person", "person.cpr", "person.protected_address"))
