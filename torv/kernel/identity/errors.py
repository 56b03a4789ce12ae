"""What identity refuses, beside what every slice may."""

from torv.base.errors import TorvError


class RoleUnknown(TorvError):
    """There is no such role."""

    status, code = 422, "role_unknown"
    danish = "Rollen findes ikke."


class RoleIsFixed(TorvError):
    """The administrator's role comes with Torv and cannot be changed."""

    status, code = 409, "role_is_fixed"
    danish = "Administratorrollen følger med Torv og kan ikke ændres."


class LastAdministrator(TorvError):
    """Nobody would be left who can give roles; give somebody else the administrator's role first."""

    status, code = 409, "last_administrator"
    danish = "Så ville ingen kunne tildele roller. Giv først en anden administratorrollen."


class UserLocked(TorvError):
    """The user is locked; an administrator can unlock it."""

    status, code = 403, "user_locked"
    danish = "Brugeren er spærret. En administrator kan åbne den igen."
