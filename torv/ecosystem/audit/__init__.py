"""Audit: who has done what to whose data, in a log that proves itself.

The trail itself belongs to `base`, which every write and every answer passes. This slice seals it (a Merkle tree with
signed heads, see docs/reference/audit-log.md), searches it, and takes persons out of it when their time is over.
"""

from torv.ecosystem.audit.api import routes
from torv.ecosystem.audit.breaking import Hearing, declare_break, head_for_witness, hear_witness
from torv.ecosystem.audit.bundles import Checked, check_bundle, key_in, keys_of, trusting
from torv.ecosystem.audit.erasing import erase_entries, read_retention
from torv.ecosystem.audit.errors import BundleInvalid, NothingLost, NotTheSameLog, NotYetSealed, PositionUnknown
from torv.ecosystem.audit.exporting import export_bundle
from torv.ecosystem.audit.keeping import STREAM, sign_head, sign_heads
from torv.ecosystem.audit.models import (
    AuditEntry,
    AuditFilter,
    ConsistencyProof,
    DeclaredBreak,
    Flaw,
    Head,
    InclusionProof,
    Look,
    Retention,
    SignedHead,
    Verdict,
)
from torv.ecosystem.audit.proving import newest_head, prove_consistency, prove_inclusion
from torv.ecosystem.audit.service import list_looks, search_entries
from torv.ecosystem.audit.verifying import verify_log

__all__ = [
    "STREAM",
    "AuditEntry",
    "AuditFilter",
    "BundleInvalid",
    "Checked",
    "ConsistencyProof",
    "DeclaredBreak",
    "Flaw",
    "Head",
    "Hearing",
    "InclusionProof",
    "Look",
    "NotTheSameLog",
    "NotYetSealed",
    "NothingLost",
    "PositionUnknown",
    "Retention",
    "SignedHead",
    "Verdict",
    "check_bundle",
    "declare_break",
    "erase_entries",
    "export_bundle",
    "head_for_witness",
    "hear_witness",
    "key_in",
    "keys_of",
    "list_looks",
    "newest_head",
    "prove_consistency",
    "prove_inclusion",
    "read_retention",
    "routes",
    "search_entries",
    "sign_head",
    "sign_heads",
    "trusting",
    "verify_log",
]
