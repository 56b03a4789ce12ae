"""Routes of identity: sessions and the password of one's own, users, roles, and who has which role.

Bodies with passwords are not kept for repeated calls (`keeps_own_keys`): not even a hash of them should lie about.
"""

from dataclasses import dataclass
from uuid import UUID

from torv.base.errors import WrongPassword
from torv.base.http import Answer, Call, Routes, session_cookie
from torv.base.pages import Cursor, Page, Size
from torv.base.text import sort_key
from torv.kernel.identity import passwords, roles, rules, service, sessions
from torv.kernel.identity.models import Assignment, NewAssignment, Role, RoleContent, Session, User

routes = Routes("/api/v1/identity", "identity")

USER, ROLE = "identity.user", "identity.role"  #: data categories


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    login: str
    password: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    token: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PasswordChange:
    current: str
    new: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPassword:
    password: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewUser:
    login: str
    name: str
    password: str
    employee_id: UUID | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class UserFacts:
    """What is known of a user: all of it, so that what is left out is taken away."""

    name: str
    employee_id: UUID | None = None


# ---- one's own -------------------------------------------------------------------------------------------------------
@routes.open("/sessions", method="POST", status_code=201)
async def sign_in(call: Call, credentials: Credentials) -> Token:
    """Begin a session; its token is sent as a bearer token, or by browsers as a cookie."""
    return Token(token=await open_session(call, credentials.login, credentials.password))


async def open_session(call: Call, login: str, password: str) -> str:
    """Check name and password, holding no connection meanwhile; gives the token. The browser's former session ends.

    Raises WrongPassword, TooManyFailures, UserLocked or Overloaded.
    """
    async with call.writing() as tx:
        attempt = await sessions.note_attempt(tx, login, address_of(call))
    known = attempt.stored
    if not await passwords.verify(known.password_hash if known else None, password) or known is None:
        raise WrongPassword
    stronger = await passwords.strengthen(known.password_hash, password)
    former = call.request.cookies.get(session_cookie(call.engine.settings), "")
    async with call.writing() as tx:
        return await sessions.begin_session(
            tx, attempt, request_id=call.request_id, stronger_hash=stronger, former=former
        )  # fmt: skip


def address_of(call: Call) -> str:
    """Where a call comes from: the connection's other end, or what our outermost reverse proxy says it was for it."""
    proxies = call.engine.settings.proxies
    hops = [hop.strip() for hop in call.request.headers.get("x-forwarded-for", "").split(",")]
    if proxies and len(hops) >= proxies:
        return hops[-proxies]
    return call.request.client.host if call.request.client else ""


@routes.reads("/me/sessions", rules.OWN, USER)
async def list_sessions(call: Call) -> list[Session]:
    """One's own sessions in force, newest first."""
    return await sessions.list_sessions(call.tx, call.access)


@routes.writes("/me/sessions/{session_id}", rules.OWN, USER, method="DELETE")
async def end_own_session(call: Call, session_id: UUID) -> None:
    """End one of one's own sessions."""
    await sessions.end_own_session(call.tx, call.access, session_id)


@routes.writes("/me/sessions", rules.OWN, USER, method="DELETE")
async def end_other_sessions(call: Call) -> None:
    """End all of one's own sessions but this one."""
    await sessions.end_other_sessions(call.tx, call.access)


@routes.writes("/me/password", rules.OWN, USER, keeps_own_keys=True, response_model=Token)
async def change_own_password(call: Call, change: PasswordChange) -> Answer | WrongPassword:
    """Change one's own password. This session gets another token; all others end."""
    made = await sessions.change_own_password(call.tx, call.access, current=change.current, new=change.new)
    if isinstance(made, WrongPassword):
        return made
    is_browser = "authorization" not in call.request.headers
    return Answer(body=Token(token=made), cookies={session_cookie(call.engine.settings): made} if is_browser else {})


# ---- users -----------------------------------------------------------------------------------------------------------
@routes.reads("/users", "read", USER)
async def list_users(call: Call, limit: Size = 50, cursor: Cursor = None) -> Page[User]:
    """Users by name."""
    wanted = call.page(limit, cursor)
    users = await service.list_users(call.tx, call.access, wanted=wanted)
    return call.paged(users, wanted, key=lambda each: [sort_key(each.name), str(each.id)])


@routes.writes("/users", "create_user", USER, status_code=201, keeps_own_keys=True)
async def create_user(call: Call, new: NewUser) -> User:
    """Create a user, who may do nothing until given a role."""
    return await service.create_user(
        call.tx, call.access, login=new.login, name=new.name, password=new.password, employee_id=new.employee_id
    )


@routes.reads("/users/{user_id}", "read", USER)
async def read_user(call: Call, user_id: UUID) -> User:
    """A user."""
    return await service.read_user(call.tx, call.access, user_id)


@routes.writes("/users/{user_id}", "change_user", USER, method="PUT")
async def change_user(call: Call, user_id: UUID, facts: UserFacts) -> User:
    """Change a user's name, and which employee the user is."""
    return await service.change_user(
        call.tx, call.access, user_id, expected=call.expected_version(), name=facts.name, employee_id=facts.employee_id
    )


@routes.writes("/users/{user_id}/lock", "lock_user", USER)
async def lock_user(call: Call, user_id: UUID) -> User:
    """Lock a user; the sessions end at once."""
    return await service.lock_user(call.tx, call.access, user_id, is_locked=True)


@routes.writes("/users/{user_id}/unlock", "lock_user", USER)
async def unlock_user(call: Call, user_id: UUID) -> User:
    """Let a user sign in again."""
    return await service.lock_user(call.tx, call.access, user_id, is_locked=False)


@routes.writes("/users/{user_id}/password", "reset_password", USER, keeps_own_keys=True)
async def reset_password(call: Call, user_id: UUID, new: NewPassword) -> User:
    """Give a user who has forgotten the password another one; every session of theirs ends."""
    return await service.reset_password(call.tx, call.access, user_id, new.password)


# ---- roles -----------------------------------------------------------------------------------------------------------
@routes.reads("/roles", "read", ROLE)
async def list_roles(call: Call, limit: Size = 50, cursor: Cursor = None) -> Page[Role]:
    """Roles by name."""
    wanted = call.page(limit, cursor)
    found = await roles.list_roles(call.tx, call.access, wanted=wanted)
    return call.paged(found, wanted, key=lambda each: [sort_key(each.name), str(each.id)])


@routes.writes("/roles", "change_role", ROLE, status_code=201)
async def create_role(call: Call, content: RoleContent) -> Role:
    """Create a role."""
    return await roles.create_role(call.tx, call.access, content=content)


@routes.reads("/roles/{role_id}", "read", ROLE)
async def read_role(call: Call, role_id: UUID) -> Role:
    """A role."""
    return await roles.read_role(call.tx, call.access, role_id)


@routes.writes("/roles/{role_id}", "change_role", ROLE, method="PUT")
async def change_role(call: Call, role_id: UUID, content: RoleContent) -> Role:
    """Make a role anew, for everybody who has it, from the next request on."""
    expected = call.expected_version()
    return await roles.change_role(call.tx, call.access, role_id, expected=expected, content=content)


@routes.reads("/users/{user_id}/assignments", "read", ROLE)
async def list_assignments(call: Call, user_id: UUID) -> list[Assignment]:
    """Every role a user has or had, newest first."""
    return await roles.list_assignments(call.tx, call.access, user_id)


@routes.writes("/users/{user_id}/assignments", "assign_role", ROLE, status_code=201)
async def assign_role(call: Call, user_id: UUID, new: NewAssignment) -> Assignment:
    """Give a user a role, with limits or without."""
    return await roles.assign_role(call.tx, call.access, user_id, new=new)


@routes.writes("/assignments/{assignment_id}/end", "assign_role", ROLE)
async def end_assignment(call: Call, assignment_id: UUID) -> Assignment:
    """Take a role back, at once."""
    return await roles.end_assignment(call.tx, call.access, assignment_id)
