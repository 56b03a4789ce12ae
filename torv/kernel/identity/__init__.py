"""Identity: the users who sign in, their sessions, and what their roles let them do."""

from torv.kernel.identity.api import address_of, open_session, routes
from torv.kernel.identity.errors import LastAdministrator, RoleIsFixed, RoleUnknown, UserLocked
from torv.kernel.identity.models import (
    ADMINISTRATOR,
    Assignment,
    NewAssignment,
    Role,
    RoleContent,
    Sensitivity,
    Session,
    User,
)
from torv.kernel.identity.roles import assign_role, create_role, end_assignment
from torv.kernel.identity.rules import TAKE_LIMITS, decide
from torv.kernel.identity.service import create_user, lock_user
from torv.kernel.identity.sessions import confirm_password, find_caller, rights_of_user, sign_out

__all__ = [
    "ADMINISTRATOR",
    "TAKE_LIMITS",
    "Assignment",
    "LastAdministrator",
    "NewAssignment",
    "Role",
    "RoleContent",
    "RoleIsFixed",
    "RoleUnknown",
    "Sensitivity",
    "Session",
    "User",
    "UserLocked",
    "address_of",
    "assign_role",
    "confirm_password",
    "create_role",
    "create_user",
    "decide",
    "end_assignment",
    "find_caller",
    "lock_user",
    "open_session",
    "rights_of_user",
    "routes",
    "sign_out",
]
