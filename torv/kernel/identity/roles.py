"""The verbs of roles: what they are made of, and who has which, with which limits, from when to when.

Roles are read with the session at every request, so a change holds from the next request on, in every process.
"""

from dataclasses import asdict
from uuid import UUID

from torv.base import clock, db
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import (
    AlreadyExists,
    InvalidInput,
    NotFound,
    VersionMismatch,
)
from torv.base.ids import new_id
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.text import sort_key
from torv.base.trail import note
from torv.kernel.identity import rules
from torv.kernel.identity.errors import LastAdministrator, RoleIsFixed, RoleUnknown
from torv.kernel.identity.known import forget_callers
from torv.kernel.identity.models import ADMINISTRATOR, Assignment, NewAssignment, Role, RoleContent, User
from torv.kernel.organisation import UnitUnknown, unknown_units

sql = load(__file__)
db.names_constraint("roles_name_key", AlreadyExists)
db.names_constraint("assignments_role_known", RoleUnknown)
db.names_constraint("assignments_user_known", NotFound)

_START = ["", UUID(int=0)]  #: sorts before every name


async def create_role(tx: Tx, access: Access, *, content: RoleContent) -> Role:
    """Create a role. Raises InvalidInput or AlreadyExists."""
    role = await tx.one(Role, sql.insert_role, id=new_id(), **_columns(content))
    note(tx, access, "write", detail={"role": str(role.id)})
    return role


async def change_role(tx: Tx, access: Access, role_id: UUID, *, expected: int, content: RoleContent) -> Role:
    """Make a role anew for everybody who has it.

    Raises NotFound, RoleIsFixed, VersionMismatch, InvalidInput or AlreadyExists.
    """
    role = await tx.maybe(Role, sql.change_role, id=role_id, expected=expected, **_columns(content))
    if role is None:
        raise RoleIsFixed if (await tx.one(Role, sql.role_by_id, id=role_id)).is_fixed else VersionMismatch
    forget_callers(tx)
    note(tx, access, "write", detail={"role": str(role_id), "version": role.version})
    return role


async def read_role(tx: Tx, access: Access, role_id: UUID) -> Role:
    """A role. Raises NotFound."""
    role = await tx.one(Role, sql.role_by_id, id=role_id)
    note(tx, access, "read", detail={"role": str(role_id)})
    return role


async def list_roles(tx: Tx, access: Access, *, wanted: Wanted) -> list[Role]:
    """Roles by name."""
    name, after = wanted.after or _START
    roles = await tx.all(Role, sql.roles_by_name, after_name=name, after_id=after, size=wanted.fetch)
    note(tx, access, "read", detail={"roles": len(roles)})
    return roles


async def assign_role(tx: Tx, access: Access, user_id: UUID, *, new: NewAssignment) -> Assignment:
    """Give a user a role. Raises NotFound, RoleUnknown, UnitUnknown or InvalidInput."""
    valid_from = new.valid_from or clock.today()
    rules.check_limits(new, valid_from)
    kle = rules.normal_kle(new.kle)
    if new.role_id == ADMINISTRATOR and (new.units, kle, new.sensitivity) != (None, None, None):
        raise InvalidInput(reason="the administrator's role takes no limits")
    if new.units is not None and await unknown_units(tx, new.units):
        raise UnitUnknown
    await tx.one(User, sql.user_by_id, id=user_id)
    given = await tx.one(
        Assignment, sql.insert_assignment, id=new_id(), user_id=user_id, role_id=new.role_id, units=new.units,
        kle=kle, sensitivity=new.sensitivity, valid_from=valid_from, valid_to=new.valid_to,
    )  # fmt: skip
    forget_callers(tx)
    note(tx, access, "write", detail={"user": str(user_id), "role": str(new.role_id), "assignment": str(given.id)})
    return given


async def end_assignment(tx: Tx, access: Access, assignment_id: UUID) -> Assignment:
    """Take a role back, at once. Raises NotFound or LastAdministrator."""
    await hold_administrators(tx)
    ended = await tx.one(Assignment, sql.end_assignment, id=assignment_id)
    if ended.role_id == ADMINISTRATOR:
        await check_administrators(tx)
    forget_callers(tx)
    note(tx, access, "write", detail={"user": str(ended.user_id), "assignment": str(assignment_id)})
    return ended


async def list_assignments(tx: Tx, access: Access, user_id: UUID) -> list[Assignment]:
    """Every role a user has or had, newest first. Raises NotFound."""
    await tx.one(User, sql.user_by_id, id=user_id)
    given = await tx.all(Assignment, sql.assignments_of, user_id=user_id)
    note(tx, access, "read", detail={"user": str(user_id), "assignments": len(given)})
    return given


async def hold_administrators(tx: Tx) -> None:
    """Let changes of who is an administrator come one at a time, until the transaction ends. Raises Busy."""
    await tx.value(sql.lock_administrators, role_id=ADMINISTRATOR)


async def check_administrators(tx: Tx) -> None:
    """Raises LastAdministrator if nobody who can sign in could give roles any more."""
    if not await tx.value(sql.has_administrator, role_id=ADMINISTRATOR, today=clock.today()):
        raise LastAdministrator


def _columns(content: RoleContent) -> dict[str, object]:
    normal = rules.normal_content(content)
    return asdict(normal) | {"sort_key": sort_key(normal.name)}
