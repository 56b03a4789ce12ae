"""The verbs of users; with sessions.py and roles.py the only writer of the schema `identity`."""

from uuid import UUID

from torv.base import db
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import AlreadyExists, NotFound, VersionMismatch
from torv.base.ids import new_id
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.text import sort_key
from torv.base.trail import note
from torv.kernel.identity import passwords, roles, rules
from torv.kernel.identity.known import forget_callers
from torv.kernel.identity.models import User
from torv.kernel.organisation import EmployeeUnknown

sql = load(__file__)
db.names_constraint("users_login_key", AlreadyExists)
db.names_constraint("users_employee_known", EmployeeUnknown)

_START = ["", UUID(int=0)]  #: sorts before every name


async def create_user(
    tx: Tx, access: Access, *, login: str, name: str, password: str, employee_id: UUID | None = None
) -> User:
    """Create a user, who may do nothing until given a role. Raises AlreadyExists, InvalidInput or EmployeeUnknown."""
    rules.check_password(password)
    name = rules.normal_line(name, "name")
    user = await tx.one(
        User, sql.insert_user, id=new_id(), login=rules.normal_login(login), name=name, sort_key=sort_key(name),
        employee_id=employee_id, password_hash=await passwords.hash_password(password),
    )  # fmt: skip
    note(tx, access, "write", detail={"user": str(user.id)})
    return user


async def list_users(tx: Tx, access: Access, *, wanted: Wanted) -> list[User]:
    """Users by name."""
    name, after = wanted.after or _START
    users = await tx.all(User, sql.users_by_name, after_name=name, after_id=after, size=wanted.fetch)
    note(tx, access, "read", detail={"users": len(users)})
    return users


async def read_user(tx: Tx, access: Access, user_id: UUID) -> User:
    """A user. Raises NotFound."""
    user = await tx.one(User, sql.user_by_id, id=user_id)
    note(tx, access, "read", detail={"user": str(user_id)})
    return user


async def change_user(
    tx: Tx, access: Access, user_id: UUID, *, expected: int, name: str, employee_id: UUID | None
) -> User:
    """Change the name, and which employee the user is. Raises NotFound, VersionMismatch or EmployeeUnknown."""
    name = rules.normal_line(name, "name")
    user = await tx.maybe(
        User, sql.change_user, id=user_id, expected=expected, name=name, sort_key=sort_key(name),
        employee_id=employee_id,
    )  # fmt: skip
    if user is None:
        raise VersionMismatch if await tx.maybe(User, sql.user_by_id, id=user_id) else NotFound
    forget_callers(tx)
    note(tx, access, "write", detail={"user": str(user_id), "version": user.version})
    return user


async def lock_user(tx: Tx, access: Access, user_id: UUID, *, is_locked: bool) -> User:
    """Lock a user, whose sessions end at once, or unlock. Raises NotFound or LastAdministrator."""
    await roles.hold_administrators(tx)
    user = await tx.one(User, sql.lock_user, id=user_id, is_locked=is_locked)
    if is_locked:
        await tx.run(sql.end_sessions, user_id=user_id, but=None)
        await roles.check_administrators(tx)
    forget_callers(tx)
    note(tx, access, "write", detail={"user": str(user_id), "is_locked": is_locked})
    return user


async def reset_password(tx: Tx, access: Access, user_id: UUID, password: str) -> User:
    """Give a user another password; every session of theirs ends. Raises NotFound or InvalidInput."""
    rules.check_password(password)
    user = await tx.one(User, sql.user_by_id, id=user_id)
    await tx.run(sql.set_password, id=user_id, password_hash=await passwords.hash_password(password))
    await tx.run(sql.end_sessions, user_id=user_id, but=None)
    forget_callers(tx)
    note(tx, access, "write", detail={"user": str(user_id), "changed": "password"})
    return user
