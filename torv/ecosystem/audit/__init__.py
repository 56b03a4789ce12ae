"""Audit: who has done what to whose data, for those who must be able to ask.

The trail itself belongs to `base`, which every write and every answer passes. This slice reads it (the view
`base.v_trail`) and has no tables of its own, so it has no migrations.
"""

from torv.ecosystem.audit.api import routes
from torv.ecosystem.audit.models import AuditEntry, AuditFilter, AuditPage
from torv.ecosystem.audit.service import search_entries

__all__ = ["AuditEntry", "AuditFilter", "AuditPage", "routes", "search_entries"]
