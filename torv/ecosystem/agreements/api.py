"""Routes of agreements."""

from dataclasses import dataclass
from uuid import UUID

from torv.base.errors import Denied, WrongPassword
from torv.base.http import Answer, Call, Routes
from torv.ecosystem.agreements import service
from torv.ecosystem.agreements.models import Agreement
from torv.kernel.identity import confirm_password

routes = Routes("/api/v1/agreements", "agreements")


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    jws: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Password:
    password: str


@routes.writes("", "propose", "agreement", status_code=201, response_model=Agreement)
async def propose_agreement(call: Call) -> Answer:
    """Store an agreement for signature; the body is its content, exactly as it will be signed."""
    agreement = await service.propose_agreement(call.tx, call.access, await call.request.body())
    return Answer(body=agreement, status=201)


@routes.reads("/{agreement_id}", "read", "agreement")
async def read_agreement(call: Call, agreement_id: UUID) -> Agreement:
    """An agreement and how it stands now."""
    return await service.read_agreement(call.tx, call.access, agreement_id)


@routes.writes("/{agreement_id}/signatures", "sign", "agreement", status_code=201)
async def sign_by_partner(call: Call, agreement_id: UUID, signature: Signature) -> Agreement:
    """Hand in the partner's signature, made on the partner's own machine."""
    return await service.sign_by_partner(call.tx, call.access, agreement_id, signature.jws)


@routes.writes(
    "/{agreement_id}/confirmations", "confirm", "agreement", status_code=201, keeps_own_keys=True,
    response_model=Agreement,
)  # fmt: skip
async def confirm(call: Call, agreement_id: UUID, shown: Password) -> Answer | WrongPassword:
    """Confirm with the password; when two different users have, the municipality has signed."""
    user_id = call.access.caller.user_id
    if user_id is None:
        raise Denied(check="caller", reason="only users confirm", reason_da="kun brugere bekræfter", mender="Ingen")
    wrong = await confirm_password(call.tx, call.access, user_id, shown.password)
    if wrong is not None:
        return wrong
    return Answer(body=await service.confirm(call.tx, call.access, agreement_id, call.engine.keys.signing))


@routes.writes("/{agreement_id}/suspend", "suspend", "agreement")
async def suspend(call: Call, agreement_id: UUID) -> Agreement:
    """Suspend: effective everywhere within a second."""
    return await service.suspend(call.tx, call.access, agreement_id)


@routes.writes("/{agreement_id}/resume", "resume", "agreement")
async def resume(call: Call, agreement_id: UUID) -> Agreement:
    """Put a suspended agreement into force again."""
    return await service.resume(call.tx, call.access, agreement_id)
