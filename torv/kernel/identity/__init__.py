"""Identity: the users who sign in, their sessions, and what their role lets them do."""

from torv.kernel.identity.api import open_session, routes
from torv.kernel.identity.models import Role, User
from torv.kernel.identity.rules import decide
from torv.kernel.identity.service import confirm_password, create_user, find_session, sign_out

__all__ = [
    "Role",
    "User",
    "confirm_password",
    "create_user",
    "decide",
    "find_session",
    "open_session",
    "routes",
    "sign_out",
]
