"""The verbs of drafts: agreements being written. A draft binds nobody, and need not be whole."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import InvalidInput, VersionMismatch
from torv.base.ids import new_id
from torv.base.pages import Wanted
from torv.base.trail import note
from torv.ecosystem.agreements.content import Content
from torv.ecosystem.agreements.faults import faults_of
from torv.ecosystem.agreements.findings import Finding, findings_of
from torv.ecosystem.agreements.models import Agreement
from torv.ecosystem.agreements.promises import promise_findings
from torv.ecosystem.agreements.rules import LARGEST, canonical
from torv.ecosystem.agreements.service import propose_agreement
from torv.ecosystem.agreements.storing import sql

LONGEST_TITLE = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredDraft:
    """A draft as it lies in the database."""

    id: UUID
    title: str
    content: dict[str, Any]
    version: int
    changed_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A draft with what it still lacks and where it is wide open."""

    id: UUID
    title: str
    content: dict[str, Any]
    version: int
    changed_at: datetime
    findings: list[Finding]


async def begin_draft(tx: Tx, access: Access, content: dict[str, Any]) -> Draft:
    """Begin a draft. Raises InvalidInput for what could never become an agreement."""
    draft_id, title = new_id(), _title(content)
    stored = await tx.one(
        StoredDraft, sql.insert_draft, id=draft_id, title=title, content=content, user_id=access.caller.user_id
    )
    note(tx, access, "write", detail={"draft": str(draft_id)})
    return await _view(tx, stored)


async def change_draft(tx: Tx, access: Access, draft_id: UUID, *, expected: int, content: dict[str, Any]) -> Draft:
    """Write a draft anew. Raises NotFound, VersionMismatch or InvalidInput."""
    changed = await tx.maybe(
        StoredDraft, sql.change_draft, id=draft_id, expected=expected, title=_title(content), content=content,
        user_id=access.caller.user_id,
    )  # fmt: skip
    if changed is None:
        await tx.one(StoredDraft, sql.draft_by_id, id=draft_id)
        raise VersionMismatch
    note(tx, access, "write", detail={"draft": str(draft_id), "version": changed.version})
    return await _view(tx, changed)


async def read_draft(tx: Tx, access: Access, draft_id: UUID) -> Draft:
    """A draft. Raises NotFound."""
    note(tx, access, "read", detail={"draft": str(draft_id)})
    return await _view(tx, await tx.one(StoredDraft, sql.draft_by_id, id=draft_id))


async def list_drafts(tx: Tx, access: Access, *, wanted: Wanted) -> list[Draft]:
    """Drafts by title."""
    title, after = wanted.after or ("", UUID(int=0))
    found = await tx.all(StoredDraft, sql.drafts_by_title, after_title=title, after_id=after, size=wanted.fetch)
    note(tx, access, "read", detail={"drafts": len(found)})
    return [await _view(tx, each) for each in found]


async def propose_draft(tx: Tx, access: Access, draft_id: UUID, *, expected: int) -> Agreement:
    """Make an agreement of a draft, which is gone then. Raises NotFound, VersionMismatch or AgreementInvalid."""
    draft = await tx.one(StoredDraft, sql.draft_by_id, id=draft_id)
    if await tx.run(sql.delete_draft, id=draft_id, expected=expected) == 0:
        raise VersionMismatch
    return await propose_agreement(tx, access, canonical(draft.content))


def findings_in(content: dict[str, Any]) -> list[Finding]:
    """What keeps the content from being an agreement; if nothing does, what to think about in it."""
    try:
        return findings_of(Content.model_validate(content))
    except ValidationError as error:
        return faults_of(error)


async def _view(tx: Tx, stored: StoredDraft) -> Draft:
    findings = findings_in(stored.content)
    with suppress(ValidationError):  # the findings say why it cannot be read
        findings = [*await promise_findings(tx, Content.model_validate(stored.content)), *findings]
    return Draft(
        id=stored.id, title=stored.title, content=stored.content, version=stored.version,
        changed_at=stored.changed_at, findings=findings,
    )  # fmt: skip


def _title(content: dict[str, Any]) -> str:
    title = content.get("title", "")
    if not isinstance(title, str) or len(title) > LONGEST_TITLE or len(canonical(content)) > LARGEST:
        raise InvalidInput(reason="content")
    return title
