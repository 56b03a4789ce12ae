"""Rules of agreements: reading the content, its hash, and its state."""

import hashlib
from datetime import datetime
from typing import Any

import rfc8785
from pydantic import ValidationError

from torv.base.errors import AgreementInvalid, InvalidInput
from torv.base.signing import strict_json
from torv.ecosystem.agreements.models import Agreement, Content, State, StoredAgreement


def read_content(text: bytes) -> tuple[Content, dict[str, Any]]:
    """The content of an agreement, and the same as plain JSON. Raises AgreementInvalid, naming the term."""
    try:
        plain = strict_json(text)
        return Content.model_validate(plain), plain
    except InvalidInput as error:
        raise AgreementInvalid(reason=error.facts["reason"]) from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise AgreementInvalid(reason=f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def hash_content(plain: dict[str, Any]) -> str:
    """SHA-256 over the canonical JSON (RFC 8785), hex. Raises AgreementInvalid for numbers JSON cannot carry."""
    try:
        return hashlib.sha256(rfc8785.dumps(plain)).hexdigest()
    except rfc8785.CanonicalizationError as error:
        raise AgreementInvalid(reason=str(error)) from None


def state_of(stored: StoredAgreement, content: Content, now: datetime) -> State:
    """How the agreement stands: in force from not_before up to, but not including, not_after."""
    if not (stored.is_signed_by_partner and stored.is_signed_by_municipality):
        return State.PROPOSED
    if stored.last_event == "exit":
        return State.EXIT
    if now >= content.validity.not_after:
        return State.EXPIRED
    if stored.last_event == "suspend":
        return State.SUSPENDED
    return State.ACTIVE if now >= content.validity.not_before else State.WAITING


def view(stored: StoredAgreement, now: datetime) -> Agreement:
    content = Content.model_validate(stored.content)
    return Agreement(
        id=stored.id, partner_id=stored.partner_id, title=content.title, hash=stored.hash,
        state=state_of(stored, content, now), not_before=content.validity.not_before,
        not_after=content.validity.not_after, content=stored.content,
    )  # fmt: skip
