"""What modules refuse, beside what every slice may."""

from collections.abc import Sequence
from typing import Any, Protocol

from torv.base.errors import TorvError


class Named(Protocol):
    """Something in a contract's file that is the reason of a refusal."""

    @property
    def file(self) -> str: ...
    @property
    def place(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def reason_da(self) -> str: ...


def naming(faults: Sequence[Named]) -> dict[str, Any]:
    """The facts of a refusal that names each of these by file, place and reason."""
    listed = [
        {"file": each.file, "place": each.place, "reason": each.reason, "reason_da": each.reason_da} for each in faults
    ]
    return {
        "reason": "; ".join(" ".join(filter(None, (each.file, each.place, each.reason))) for each in faults),
        "reason_da": "; ".join(" ".join(filter(None, (each.file, each.place, each.reason_da))) for each in faults),
        "faults": listed,
    }


class SubjectTokenInvalid(TorvError):
    """The token of the user's call cannot be exchanged: {reason}."""

    status, code = 400, "invalid_grant"
    danish = "Beviset fra brugerens kald kan ikke ombyttes: {reason_da}."


class ContractInvalid(TorvError):
    """The contract cannot be used: {reason}."""

    status, code = 422, "contract_invalid"
    danish = "Kontrakten kan ikke bruges: {reason_da}."


class ContractBreaks(TorvError):
    """The contract breaks what its major version promises: {reason}."""

    status, code = 409, "contract_breaks"
    danish = "Kontrakten bryder, hvad dens hovedversion lover: {reason_da}."


class ContractVersionWrong(TorvError):
    """Version {version} cannot follow version {known}: other content needs a higher version."""

    status, code = 409, "contract_version_wrong"
    danish = "Version {version} kan ikke følge version {known}: Andet indhold skal have en højere version."


class MajorNotProvided(TorvError):
    """The module in service does not provide version {major} of the contract, only {provided}."""

    status, code = 404, "major_not_provided"
    danish = "Modulet, der varetager ydelsen, har ikke version {major} af kontrakten, kun {provided}."


class CertificationRefused(TorvError):
    """The certification report is refused: {reason}."""

    status, code = 422, "certification_refused"
    danish = "Certificeringsrapporten afvises: {reason_da}."
