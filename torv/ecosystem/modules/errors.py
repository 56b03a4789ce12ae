"""What modules refuse, beside what every slice may."""

from torv.base.errors import TorvError


class SubjectTokenInvalid(TorvError):
    """The token of the user's call cannot be exchanged: {reason}."""

    status, code = 400, "invalid_grant"
    danish = "Beviset fra brugerens kald kan ikke ombyttes: {reason_da}."
