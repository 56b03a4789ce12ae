"""Certification: a contract's rules, tried from outside on a module in any language, and a signed report.

Needs the extra `torv-sdk[contracts]`. Bronze needs the module's address alone. Silver and gold need the command `torv`
(a real one is started for the occasion) and start the module's program themselves.
"""

from torv_sdk.certifying import bronze, gold, silver
from torv_sdk.certifying.certifying import Order, Place, certify, judge, place
from torv_sdk.certifying.installation import NoTorv, program_of_torv
from torv_sdk.certifying.report import Outcome, Report, Verdict, verify_report
from torv_sdk.certifying.rules import RULES, Broken, Level, Rule

__all__ = [
    "RULES",
    "Broken",
    "Level",
    "NoTorv",
    "Order",
    "Outcome",
    "Place",
    "Report",
    "Rule",
    "Verdict",
    "bronze",
    "certify",
    "gold",
    "judge",
    "place",
    "program_of_torv",
    "silver",
    "verify_report",
]
