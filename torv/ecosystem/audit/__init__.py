"""Audit: who has done what to whose data, in a log that proves itself.

The trail itself belongs to `base`, which every write and every answer passes. This slice seals it (a Merkle tree with
signed heads, see docs/reference/audit-log.md), searches it, and takes persons out of it when their time is over.
"""

from torv.ecosystem.audit.api import routes
from torv.ecosystem.audit.breaking import (
    Hearing,
    WitnessHeads,
    check_witness,
    declare_break,
    hear_witness,
    keys_kept,
    lines_for_witness,
)
from torv.ecosystem.audit.bundles import Checked, check_bundle, keys_in, trust_in, trusting
from torv.ecosystem.audit.erasing import erase_entries, read_retention
from torv.ecosystem.audit.errors import (
    BundleInvalid,
    HeadKeyMissing,
    HeadKeyOutsidePeriod,
    NothingLost,
    NotTheSameLog,
    NotYetSealed,
    PositionUnknown,
)
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
    OwnBundle,
    OwnEntry,
    Retention,
    SignedHead,
    Verdict,
)
from torv.ecosystem.audit.proving import newest_head, prove_consistency, prove_inclusion
from torv.ecosystem.audit.rotating import list_successions, published_keys, rotate_key
from torv.ecosystem.audit.service import list_looks, search_entries
from torv.ecosystem.audit.succession import Succession, Trust
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
    "HeadKeyMissing",
    "HeadKeyOutsidePeriod",
    "Hearing",
    "InclusionProof",
    "Look",
    "NotTheSameLog",
    "NotYetSealed",
    "NothingLost",
    "OwnBundle",
    "OwnEntry",
    "PositionUnknown",
    "Retention",
    "SignedHead",
    "Succession",
    "Trust",
    "Verdict",
    "WitnessHeads",
    "check_bundle",
    "check_witness",
    "declare_break",
    "erase_entries",
    "export_bundle",
    "hear_witness",
    "keys_in",
    "keys_kept",
    "lines_for_witness",
    "list_looks",
    "list_successions",
    "newest_head",
    "prove_consistency",
    "prove_inclusion",
    "published_keys",
    "read_retention",
    "rotate_key",
    "routes",
    "search_entries",
    "sign_head",
    "sign_heads",
    "trust_in",
    "trusting",
    "verify_log",
]
