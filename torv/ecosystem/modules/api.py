"""Routes of modules: registration, bindings, and the tokens programs identify themselves with."""

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from torv.base.errors import InvalidClient
from torv.base.http import Answer, Call, Routes
from torv.base.pages import DEFAULT_SIZE, Cursor, Page, Size
from torv.ecosystem.modules import certifying, contract_keeping, service, tokens
from torv.ecosystem.modules.contract_files import read_contract
from torv.ecosystem.modules.contracts import KeptContract
from torv.ecosystem.modules.directory import caller_of
from torv.ecosystem.modules.models import (
    Binding,
    Certification,
    Module,
    NewCertification,
    NewContract,
    NewModule,
    NewRelease,
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


@routes.reads("/api/v1/releases/{release_id}/certifications", "read_certifications", "contract")
async def list_certifications(
    call: Call, release_id: UUID, size: Size = DEFAULT_SIZE, cursor: Cursor = None
) -> Page[Certification]:
    """What came of certifying a release, the newest first; a program sees its own partner's."""
    wanted = call.page(size, cursor, release=release_id)
    found = await certifying.list_certifications(call.tx, call.access, release_id, wanted=wanted)
    return call.paged(found, wanted, lambda each: [each.began_at.isoformat(), each.id])


@routes.reads("/api/v1/bindings", "read", "module")
async def list_bindings(call: Call, size: Size = DEFAULT_SIZE, cursor: Cursor = None) -> Page[Binding]:
    """Which release provides each capability, by the capability's name."""
    wanted = call.page(size, cursor)
    bindings = await service.list_bindings(call.tx, call.access, wanted=wanted)
    return call.paged(bindings, wanted, lambda each: [each.capability])


@routes.writes("/api/v1/bindings", "bind", "module", status_code=201)
async def bind(call: Call, new: NewBinding) -> Binding:
    """Bind a capability for the first time."""
    return await service.bind(call.tx, call.access, capability=new.capability, release_id=new.release_id)


@routes.reads("/api/v1/contracts", "read", "module")
async def list_contracts(call: Call, size: Size = DEFAULT_SIZE, cursor: Cursor = None) -> Page[KeptContract]:
    """The contracts in force, by capability and major version."""
    wanted = call.page(size, cursor)
    kept = await contract_keeping.list_contracts(call.tx, call.access, wanted=wanted)
    return call.paged(kept, wanted, lambda each: [each.capability, each.major])


@routes.writes("/api/v1/contracts", "add_contract", "contract", status_code=201)
async def add_contract(call: Call, new: NewContract) -> KeptContract:
    """Put a contract, or a newer version of it, into force; the same again changes nothing."""
    contract = await asyncio.to_thread(read_contract, new.files)  # checking schemas takes longer than a loop may wait
    return await contract_keeping.add_contract(call.tx, call.access, contract)
