"""The verbs of certifications: a signed report is taken in and kept as it is, and the list of a release's reports.

The signature is the identification: it must be made with a key that counts now for the partner of the release, or for
the municipality. What it says of another release, of a contract we never had, or of a time to come is refused.
"""

import contextlib
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from dateutil.relativedelta import relativedelta

from torv.base import clock, lease
from torv.base.access import Access
from torv.base.clock import DENMARK
from torv.base.db import Tx
from torv.base.errors import NotFound
from torv.base.ids import new_id
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import Entry, note
from torv.ecosystem.modules.errors import CertificationRefused
from torv.ecosystem.modules.models import Certification, Certifier, NewCertification, Release
from torv.ecosystem.modules.reports import Report, check_signature, kid_of, read_report
from torv.ecosystem.modules.service import release_by_id
from torv.ecosystem.partners import NewTrial, PartnerKey, municipality, note_trial, partner_keys

sql = load(__file__)

LARGEST = 200_000  #: characters of a report
SKEW = timedelta(minutes=5)  #: how far a certifier's clock may run ahead
_END = [datetime.max.replace(tzinfo=DENMARK).replace(year=9000).isoformat(), UUID(int=2**128 - 1)]


async def certify_release(tx: Tx, release_id: UUID, new: NewCertification, *, request_id: UUID) -> Certification:
    """Take a signed report in; the same again gives what is kept. Raises CertificationRefused, also for no release."""
    if len(new.signature) > 2_000 or len(str(new.report)) > LARGEST:
        raise CertificationRefused(reason="it is too large", reason_da="den fylder for meget")
    try:
        release = await release_by_id(tx, release_id)
    except NotFound:
        raise _other_release() from None
    certifier, key = await _signer(tx, release, kid_of(new.signature))
    digest = check_signature(new.signature, key.jwk, new.report)
    report = read_report(new.report)
    await _check_about(tx, release, report)
    expires_at = await _expiry(tx, report.began_at)
    is_new = await tx.run(
        sql.insert_certification, id=new_id(), release_id=release_id, capability=report.capability, major=report.major,
        contract_hash=report.contract, requirement_set=report.requirement_set, level=report.level, certifier=certifier,
        kid=key.kid, began_at=report.began_at, expires_at=expires_at, demands=_demands(report), report=new.report,
        signature=new.signature, hash=digest,
    )  # fmt: skip
    kept = await _kept(tx, release_id, digest)
    if is_new:
        await _tell_market(tx, release, kept)
        if kept.requirement_set is not None:
            await lease.raise_generation(tx)  # what the set adds may now be asked of the release
    detail = {"release": str(release_id), "hash": digest, "level": report.level, "certifier": certifier}
    tx.notes.append(Entry(kind="write", operation="modules.certify", request_id=request_id, detail=detail))
    return kept


async def list_certifications(tx: Tx, access: Access, release_id: UUID, *, wanted: Wanted) -> list[Certification]:
    """What came of certifying a release, the newest first; to a program only what is its own partner's."""
    before, before_id = wanted.after or _END
    rows = await tx.all(
        dict, sql.certifications_of_release, release_id=release_id, partner_id=access.party,
        before=datetime.fromisoformat(str(before)), before_id=before_id, size=wanted.fetch,
    )  # fmt: skip
    note(tx, access, "read", detail={"release": str(release_id), "certifications": len(rows[: wanted.size])})
    return [certification_of(row) for row in rows]


def certification_of(row: dict[str, Any]) -> Certification:
    """A certification as a statement gives it."""
    return Certification(**{**row, "certifier": Certifier(row["certifier"])})


async def _signer(tx: Tx, release: Release, kid: str) -> tuple[Certifier, PartnerKey]:
    """Whose key it is, of those who may certify the release. Raises CertificationRefused."""
    may = [(Certifier.SUPPLIER, release.partner_id)]
    with contextlib.suppress(NotFound):
        may.append((Certifier.MUNICIPALITY, (await municipality(tx)).id))
    for certifier, partner_id in may:
        for key in await partner_keys(tx, partner_id):
            if key.kid == kid:
                return certifier, key
    raise CertificationRefused(
        reason="it is signed neither by the release's partner nor by the municipality",
        reason_da="den er hverken underskrevet af versionens leverandør eller af kommunen",
    )


async def _check_about(tx: Tx, release: Release, report: Report) -> None:
    """Raises CertificationRefused unless the report is about this release, a contract we know, and the past."""
    if report.release != release.id or report.release_version != release.version:
        raise _other_release()
    if not await tx.value(sql.is_version, capability=report.capability, major=report.major, hash=report.contract):
        raise CertificationRefused(
            reason="no version of the contract has that hash", reason_da="ingen version af kontrakten har det aftryk"
        )
    if report.began_at > clock.now() + SKEW:
        raise CertificationRefused(
            reason="it is from a time to come", reason_da="den er fra en tid, der ikke er kommet"
        )
    if await _expiry(tx, report.began_at) <= clock.now():
        raise CertificationRefused(reason="it is too old to count", reason_da="den er for gammel til at gælde")


def _other_release() -> CertificationRefused:
    return CertificationRefused(reason="it is about another release", reason_da="den handler om en anden version")


async def _expiry(tx: Tx, began_at: datetime) -> datetime:
    months = await tx.value(sql.months_of_certification, day=began_at.astimezone(DENMARK).date())
    return began_at + relativedelta(months=months or 0)


def _demands(report: Report) -> list[dict[str, str]]:
    return [
        {"id": each.id, "hash": each.hash, "outcome": each.outcome, "found": each.found[:500]}
        for each in report.demands
    ]


async def _kept(tx: Tx, release_id: UUID, digest: str) -> Certification:
    return certification_of(await tx.one(dict, sql.certification_by_hash, release_id=release_id, hash=digest))


async def _tell_market(tx: Tx, release: Release, kept: Certification) -> None:
    trial = NewTrial(
        partner_id=release.partner_id, capability=kept.capability, level=kept.level, certifier=kept.certifier,
        certified_at=kept.began_at, expires_at=kept.expires_at, release=f"{release.module_name} {release.version}",
    )  # fmt: skip
    await note_trial(tx, trial)
