"""What requirements refuse, beside what every slice may."""

from torv.base.errors import TorvError


class ProfileInvalid(TorvError):
    """The profile cannot be used: {reason}."""

    status, code = 422, "profile_invalid"
    danish = "Kravprofilen kan ikke bruges: {reason_da}."
