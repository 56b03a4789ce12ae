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


class OperationNotProvided(TorvError):
    """The module in service does not provide {operation}: no requirement set that it promises and keeps adds it."""

    status, code = 404, "operation_not_provided"
    danish = (
        "Modulet, der varetager ydelsen, har ikke {operation}: Ingen kravprofil, det lover og opfylder, kræver den."
    )


class CertificationRefused(TorvError):
    """The certification report is refused: {reason}."""

    status, code = 422, "certification_refused"
    danish = "Certificeringsrapporten afvises: {reason_da}."


class ManifestInvalid(TorvError):
    """The manifest cannot be used: {reason}."""

    status, code = 422, "manifest_invalid"
    danish = "Manifestet kan ikke bruges: {reason_da}."


class StatementOutdated(TorvError):
    """The statement was signed more than ten minutes ago, or is not of now; sign it again."""

    status, code = 422, "statement_outdated"
    danish = "Erklæringen er underskrevet for mere end ti minutter siden, eller ikke nu. Skriv under igen."


class ReleaseDiffers(TorvError):
    """Version {version} of the module is registered already, as something else: a change needs a new version."""

    status, code = 409, "release_differs"
    danish = "Version {version} af modulet er registreret med et andet indhold. En ændring skal have en ny version."


class RegistrationsThrottled(TorvError):
    """The partner has registered too many releases in a day; try again tomorrow."""

    status, code, usual_wait = 429, "registrations_throttled", 3600
    danish = "Partneren har registreret for mange moduludgaver på et døgn. Prøv igen i morgen."


class ReleaseRetired(TorvError):
    """The release has been retired."""

    status, code = 409, "release_retired"
    danish = "Moduludgaven er udgået."


class ReleaseInUse(TorvError):
    """The release provides a capability, is being tried out, or stands by after a move."""

    status, code = 409, "release_in_use"
    danish = "Moduludgaven varetager en ydelse, bliver afprøvet eller står parat efter en flytning."


class ContractOutsideRange(TorvError):
    """By its manifest the release does not provide {capability} as the contract is in force: version {versions}."""

    status, code = 409, "contract_outside_range"
    danish = (
        "Moduludgaven varetager efter sit manifest ikke {capability}, som kontrakten gælder nu: version {versions}."
    )
