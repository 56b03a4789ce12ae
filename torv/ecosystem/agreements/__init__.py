"""Agreements: the signed object that is also the permission."""

from torv.ecosystem.agreements.api import routes
from torv.ecosystem.agreements.models import Agreement, State
from torv.ecosystem.agreements.policy import Policy, compile_policy
from torv.ecosystem.agreements.service import (
    begin_exit,
    begin_exit_of_module,
    confirm,
    load_policy,
    propose_agreement,
    read_agreement,
    resume,
    sign_by_partner,
    suspend,
)

__all__ = [
    "Agreement",
    "Policy",
    "State",
    "begin_exit",
    "begin_exit_of_module",
    "compile_policy",
    "confirm",
    "load_policy",
    "propose_agreement",
    "read_agreement",
    "resume",
    "routes",
    "sign_by_partner",
    "suspend",
]
