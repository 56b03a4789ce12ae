"""Routes of modules: registration, bindings, and the tokens programs identify themselves with."""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl
from uuid import UUID

import rfc8785
from fastapi import Path, Query

from torv.base.errors import InvalidClient
from torv.base.http import Answer, Call, Routes
from torv.base.pages import DEFAULT_SIZE, Cursor, Page, Size
from torv.ecosystem.modules import catalogue, certifying, contract_keeping, inventory, registering, service, tokens
from torv.ecosystem.modules.contract_files import read_contract
from torv.ecosystem.modules.contracts import KeptContract
from torv.ecosystem.modules.directory import caller_of
from torv.ecosystem.modules.manifests import read_manifest
from torv.ecosystem.modules.models import (
    Binding,
    Certification,
    FoundComponent,
    FoundLocation,
    ListedModule,
    ListedRelease,
    Module,
    NewCertification,
    NewContract,
    NewModule,
    NewRegistration,
    NewRelease,
    RegisteredRelease,
    Release,
)

routes = Routes("", "modules")


@dataclass(frozen=True, kw_only=True, slots=True)
class NewBinding:
    capability: str
    release_id: UUID


@routes.open("/oauth/token", method="POST")
async def fetch_token(call: Call) -> Answer:
    """Exchange a signed assertion for an access token (RFC 7523), or one on behalf of a caller's user (RFC 8693)."""
    try:
        fields = parse_qsl((await call.request.body()).decode("ascii"), strict_parsing=True, max_num_fields=10)
    except ValueError:
        raise InvalidClient(reason="the form cannot be read") from None
    form = dict(fields)
    if len(form) != len(fields):
        raise InvalidClient(reason="a field stands twice")
    issuer = call.engine.settings.issuer
    async with call.writing() as tx:
        release = await tokens.identify_client(tx, form, issuer=issuer)
    call.request.state.caller = caller_of(
        release
    )  # the assertion is used up: what is refused now, is refused to somebody
    issued = tokens.issue_token(release, form, issuer=issuer, keys=call.engine.keys)
    answer = {"access_token": issued.token, "token_type": "Bearer", "expires_in": issued.life}
    return Answer(body={**answer, "issued_token_type": tokens.ACCESS_TOKEN} if issued.is_exchanged else answer)


@routes.open("/.well-known/jwks.json")
async def token_keys(call: Call) -> dict[str, Any]:
    """The public keys Torv's tokens are made with."""
    return call.engine.keys.token_jwks()


@routes.writes("/api/v1/modules", "register", "module", status_code=201)
async def register_module(call: Call, new: NewModule) -> Module:
    """Register a partner's program."""
    return await service.register_module(call.tx, call.access, new=new)


@routes.writes("/api/v1/modules/{module_id}/releases", "register", "module", status_code=201)
async def register_release(call: Call, module_id: UUID, new: NewRelease) -> Release:
    """Register a release with its address and public key; its id is its client id."""
    private = call.engine.settings.private_modules
    return await service.register_release(call.tx, call.access, module_id, new=new, private=private)


@routes.open("/api/v1/releases/{release_id}/certifications", method="POST", status_code=201)
async def certify_release(call: Call, release_id: UUID, new: NewCertification) -> Certification:
    """Hand in a signed report of a certification; its signature says who answers for it. The same again is one."""
    async with call.writing() as tx:
        return await certifying.certify_release(tx, release_id, new, request_id=call.request_id)


@routes.reads("/api/v1/releases/{release_id}/certifications", "read_certifications", "contract", own=True)
async def list_certifications(
    call: Call, release_id: UUID, limit: Size = DEFAULT_SIZE, cursor: Cursor = None
) -> Page[Certification]:
    """What came of certifying a release, the newest first; a program sees its own partner's."""
    wanted = call.page(limit, cursor, release=release_id)
    found = await certifying.list_certifications(call.tx, call.access, release_id, wanted=wanted)
    return call.paged(found, wanted, lambda each: [each.began_at.isoformat(), each.id])


@routes.open("/api/v1/registrations", method="POST", status_code=201)
async def register_by_partner(call: Call, new: NewRegistration) -> RegisteredRelease:
    """Register a release, and its module, by the partner's own key. The same manifest again is the same release."""
    manifest = await asyncio.to_thread(read_manifest, new.manifest)
    settings = call.engine.settings
    async with call.writing() as tx:
        return await registering.register_by_partner(
            tx, manifest, new.jws, issuer=settings.issuer, private=settings.private_modules,
            request_id=call.request_id,
        )  # fmt: skip


@routes.reads("/api/v1/modules", "read", "module", own=True)
async def list_modules(call: Call, limit: Size = DEFAULT_SIZE, cursor: Cursor = None) -> Page[ListedModule]:
    """Modules by name; a program sees its own partner's."""
    wanted = call.page(limit, cursor, list="modules")
    found = await catalogue.list_modules(call.tx, call.access, wanted=wanted)
    return call.paged(found, wanted, lambda each: [each.name, each.id])


@routes.reads("/api/v1/modules/{module_id}", "read", "module", own=True)
async def read_module(call: Call, module_id: UUID) -> ListedModule:
    """A module; a program sees its own partner's."""
    return await catalogue.read_module(call.tx, call.access, module_id)


@routes.reads("/api/v1/modules/{module_id}/releases", "read", "module", own=True)
async def list_releases(
    call: Call, module_id: UUID, limit: Size = DEFAULT_SIZE, cursor: Cursor = None
) -> Page[ListedRelease]:
    """A module's releases, the newest first; a program sees its own partner's."""
    wanted = call.page(limit, cursor, list="releases", module=module_id)
    found = await catalogue.list_releases(call.tx, call.access, module_id, wanted=wanted)
    return call.paged(found, wanted, lambda each: [each.id])


@routes.reads("/api/v1/releases/{release_id}", "read", "module", own=True)
async def read_release(call: Call, release_id: UUID) -> RegisteredRelease:
    """A release with its manifest; a program sees its own partner's."""
    return await catalogue.read_release(call.tx, call.access, release_id)


@routes.writes("/api/v1/releases/{release_id}/retirement", "retire", "module", own=True)
async def retire_release(call: Call, release_id: UUID) -> RegisteredRelease:
    """Take a release out of use for good; not while it provides a capability, is tried out, or stands by.

    A program may do it with a release of its own partner.
    """
    return await catalogue.retire_release(call.tx, call.access, release_id)


@routes.reads("/api/v1/inventory", "read", "module", own=True)
async def find_components(
    call: Call,
    component: Annotated[str, Query(min_length=1, max_length=500, description="Its name, or how its purl begins.")],
    below: Annotated[str | None, Query(max_length=100, description="Only versions lower than this one.")] = None,
    limit: Size = DEFAULT_SIZE,
    cursor: Cursor = None,
) -> Page[FoundComponent]:
    """Which releases contain a component, retired ones apart; a program sees its own partner's."""
    wanted = call.page(limit, cursor, list="components", component=component, below=below)
    found = await inventory.find_components(call.tx, call.access, component=component, below=below, wanted=wanted)
    return call.paged(found, wanted, lambda each: [each.release_id, each.number])


@routes.reads("/api/v1/inventory/locations", "read", "module", own=True)
async def find_locations(
    call: Call,
    country: Annotated[str | None, Query(pattern="^[A-Z]{2}$", description="ISO 3166-1, two letters.")] = None,
    category: Annotated[str | None, Query(max_length=255, description="A data category.")] = None,
    limit: Size = DEFAULT_SIZE,
    cursor: Cursor = None,
) -> Page[FoundLocation]:
    """Where releases run or are looked into, and which data is there; a program sees its own partner's."""
    wanted = call.page(limit, cursor, list="locations", country=country, category=category)
    found = await inventory.find_locations(call.tx, call.access, country=country, category=category, wanted=wanted)
    return call.paged(found, wanted, lambda each: [each.release_id, each.number])


@routes.reads("/api/v1/bindings", "read", "module")
async def list_bindings(call: Call, limit: Size = DEFAULT_SIZE, cursor: Cursor = None) -> Page[Binding]:
    """Which release provides each capability, by the capability's name."""
    wanted = call.page(limit, cursor)
    bindings = await service.list_bindings(call.tx, call.access, wanted=wanted)
    return call.paged(bindings, wanted, lambda each: [each.key])


@routes.writes("/api/v1/bindings", "bind", "module", status_code=201)
async def bind(call: Call, new: NewBinding) -> Binding:
    """Bind a capability for the first time."""
    return await service.bind(call.tx, call.access, capability=new.capability, release_id=new.release_id)


@routes.reads("/api/v1/contracts", "read", "module")
async def list_contracts(call: Call, limit: Size = DEFAULT_SIZE, cursor: Cursor = None) -> Page[KeptContract]:
    """The contracts in force, by capability and major version."""
    wanted = call.page(limit, cursor)
    kept = await contract_keeping.list_contracts(call.tx, call.access, wanted=wanted)
    return call.paged(kept, wanted, lambda each: [each.capability, each.major])


@routes.open("/api/v1/contracts/{capability}/v{major}")
async def read_contract_in_force(
    call: Call,
    capability: Annotated[str, Path(pattern="^[a-z][a-z0-9_]{0,62}$")],
    major: Annotated[int, Path(ge=1, le=999)],
) -> Answer:
    """A contract in force with everything in it; `openapi` has the operations in full."""
    async with call.reading() as tx:
        contract = await contract_keeping.contract_in_force(tx, capability, major)
    about = {"hash": contract.hash, "version": contract.version}
    told = {**about, "content": contract.content, "openapi": contract.openapi}
    etag = f'"{hashlib.sha256(rfc8785.dumps(told)).hexdigest()}"'
    headers = {"etag": etag, "cache-control": "no-cache"}
    if call.request.headers.get("if-none-match") == etag:
        return Answer(body=b"", status=304, headers=headers)
    return Answer(body=told, headers=headers)


@routes.writes("/api/v1/contracts", "add_contract", "contract", status_code=201)
async def add_contract(call: Call, new: NewContract) -> KeptContract:
    """Put a contract, or a newer version of it, into force; the same again changes nothing."""
    contract = await asyncio.to_thread(read_contract, new.files)  # checking schemas takes longer than a loop may wait
    return await contract_keeping.add_contract(call.tx, call.access, contract)
