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
from torv.kernel.identity.rules import can_be_kept, decide
from torv.kernel.identity.service import create_user, lock_user
from torv.kernel.identity.sessions import act_for_user, confirm_password, find_caller, sign_out

__all__ = [
    "ADMINISTRATOR",
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
    "act_for_user",
    "address_of",
    "assign_role",
    "can_be_kept",
    "confirm_password",
    "create_role",
    "create_user",
    "decide",
    "end_assignment",
    "find_caller",
    "lock_user",
    "open_session",
    "routes",
    "sign_out",
]
