"""Rules of identity: what a role permits, and what a password must be."""

from uuid import UUID

from torv.base.access import Access, Caller, Demand
from torv.base.errors import Denied, InvalidInput
from torv.kernel.identity.models import Role

#: role -> service -> operations; `*` is every operation of the service
_PERMITS: dict[Role, dict[str, frozenset[str]]] = {
    Role.ADMINISTRATOR: {
        **{
            service: frozenset("*")
            for service in ("persons", "identity", "partners", "agreements", "modules", "moves", "audit")
        },
        "records": frozenset({"read"}),
        "notes": frozenset("*"),
    }
}
_CATEGORIES: dict[Role, frozenset[str]] = {
    Role.ADMINISTRATOR: frozenset({"person", "person.cpr", "person.protected_address", "notes"})
}

PASSWORD_LENGTH = 12  #: characters; length beats composition rules (NIST SP 800-63B, section 5.1.1)


def decide(caller: Caller, role: Role, demand: Demand, request_id: UUID) -> Access:
    """The permit a role gives. Raises Denied."""
    operations = _PERMITS[role].get(demand.service, frozenset())
    if demand.operation not in operations and "*" not in operations:
        raise Denied(
            check="operation", reason="your role does not include it", reason_da="din rolle omfatter det ikke",
            mender="Systemadministratoren",
        )  # fmt: skip
    return Access(
        caller=caller, service=demand.service, operation=demand.operation, category=demand.category,
        categories=_CATEGORIES[role], purpose=f"role:{role}", request_id=request_id,
    )  # fmt: skip


def check_password(password: str) -> None:
    """Raises InvalidInput for a password that is too short or absurdly long."""
    if not PASSWORD_LENGTH <= len(password) <= 1_000:
        raise InvalidInput(reason=f"a password has at least {PASSWORD_LENGTH} characters")
