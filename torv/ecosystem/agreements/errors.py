"""What agreements refuse, beside what every slice may."""

from torv.base.errors import TorvError


class AgreementInvalid(TorvError):
    """The agreement cannot be used: {reason}."""

    status, code = 422, "agreement_invalid"
    danish = "Aftalen kan ikke bruges: {reason_da}."


class AgreementStateWrong(TorvError):
    """That cannot be done with an agreement that is {state}."""

    status, code = 409, "agreement_state_wrong"
    danish = "Det kan ikke gøres med en aftale, der er {state_da}."


class OptionLapsed(TorvError):
    """No option of the agreement can be used now; the last had to be decided by {decide_by}."""

    status, code = 409, "option_lapsed"
    danish = "Ingen af aftalens optioner kan bruges nu; den sidste skulle være besluttet senest {decide_by}."


class NotAParty(TorvError):
    """The signer is not a party to the agreement."""

    status, code = 422, "not_a_party"
    danish = "Underskriveren er ikke part i aftalen."


class EmergencyListInvalid(TorvError):
    """The emergency list cannot be used: {reason}."""

    status, code = 422, "emergency_list_invalid"
    danish = "Nødlisten kan ikke bruges: {reason_da}."
