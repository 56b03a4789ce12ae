"""Agreements: the signed object that is also the permission."""

from torv.ecosystem.agreements.api import routes
from torv.ecosystem.agreements.checks import CHECKS
from torv.ecosystem.agreements.compiling import compile_policy
from torv.ecosystem.agreements.content import Content, ServiceHours, ServiceLevel
from torv.ecosystem.agreements.drafting import Draft, findings_in, list_drafts, read_draft
from torv.ecosystem.agreements.errors import AgreementInvalid, AgreementStateWrong
from torv.ecosystem.agreements.exchange import export_agreement, import_agreement
from torv.ecosystem.agreements.files import LaterStatement, Verification, read_file, verify_file
from torv.ecosystem.agreements.findings import Finding, Level
from torv.ecosystem.agreements.in_force import InForce, agreements_with_promises, in_force
from torv.ecosystem.agreements.life import begin_exit_of_module, happen
from torv.ecosystem.agreements.loading import Loaded, load_policy
from torv.ecosystem.agreements.models import Agreement, EventKind, Listed, Reminder, ReminderKind, State
from torv.ecosystem.agreements.policy import Policy
from torv.ecosystem.agreements.promises import checks_requirement_sets
from torv.ecosystem.agreements.quotas import Quotas, forget_quotas
from torv.ecosystem.agreements.service import (
    STATES_DA,
    check_party,
    confirm,
    list_agreements,
    propose_agreement,
    read_agreement,
    sign_by_partner,
)
from torv.ecosystem.agreements.signatories import Signatory, signatories_of
from torv.ecosystem.agreements.storing import Happened, contents_in_force, events_of
from torv.ecosystem.agreements.templates import (
    Line,
    Parties,
    Why,
    agreement_about,
    module_that_keeps_records,
    module_that_reads_persons,
    sub_supplier,
)

__all__ = [
    "CHECKS",
    "STATES_DA",
    "Agreement",
    "AgreementInvalid",
    "AgreementStateWrong",
    "Content",
    "Draft",
    "EventKind",
    "Finding",
    "Happened",
    "InForce",
    "LaterStatement",
    "Level",
    "Line",
    "Listed",
    "Loaded",
    "Parties",
    "Policy",
    "Quotas",
    "Reminder",
    "ReminderKind",
    "ServiceHours",
    "ServiceLevel",
    "Signatory",
    "State",
    "Verification",
    "Why",
    "agreement_about",
    "agreements_with_promises",
    "begin_exit_of_module",
    "check_party",
    "checks_requirement_sets",
    "compile_policy",
    "confirm",
    "contents_in_force",
    "events_of",
    "export_agreement",
    "findings_in",
    "forget_quotas",
    "happen",
    "import_agreement",
    "in_force",
    "list_agreements",
    "list_drafts",
    "load_policy",
    "module_that_keeps_records",
    "module_that_reads_persons",
    "propose_agreement",
    "read_agreement",
    "read_draft",
    "read_file",
    "routes",
    "sign_by_partner",
    "signatories_of",
    "sub_supplier",
    "verify_file",
]
