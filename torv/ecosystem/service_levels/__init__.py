"""Service levels: what suppliers promised against what the gateway measured, month by month, from the log alone."""

from torv.ecosystem.service_levels.api import month_of, routes
from torv.ecosystem.service_levels.gathering import gather, gather_all
from torv.ecosystem.service_levels.models import (
    Bound,
    LevelStatement,
    Minute,
    Month,
    NewNotice,
    Notice,
    NoticeKind,
)
from torv.ecosystem.service_levels.reckoning import Basis, Reckoning, hash_of
from torv.ecosystem.service_levels.sealing import forget_old_minutes, seal_months
from torv.ecosystem.service_levels.service import announce, declare, list_promising, list_statements, read_statement
from torv.ecosystem.service_levels.wording import text_of

__all__ = [
    "Basis",
    "Bound",
    "LevelStatement",
    "Minute",
    "Month",
    "NewNotice",
    "Notice",
    "NoticeKind",
    "Reckoning",
    "announce",
    "declare",
    "forget_old_minutes",
    "gather",
    "gather_all",
    "hash_of",
    "list_promising",
    "list_statements",
    "month_of",
    "read_statement",
    "routes",
    "seal_months",
    "text_of",
]
