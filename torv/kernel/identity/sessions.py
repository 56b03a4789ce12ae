"""The verbs of sessions: signing in and out, one's own password, and who a token belongs to."""

import hashlib
import secrets
from dataclasses import dataclass, replace
from uuid import UUID

from torv.base.access import Access, Caller, CallerKind
from torv.base.db import Tx
from torv.base.errors import NotFound, WrongPassword
from torv.base.sql import load
from torv.base.trail import Entry, note
from torv.kernel.identity import passwords, rules
from torv.kernel.identity.errors import UserLocked
from torv.kernel.identity.known import Question, forget_callers, remembered
from torv.kernel.identity.models import ActedFor, Attempts, Session, SessionUser, StoredUser, User

sql = load(__file__)

CONFIRMATION = "confirmation"  #: stands for the address where somebody who is signed in shows the password again


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """Somebody who tries a name and a password."""

    login: str
    address: str
    stored: StoredUser | None  #: None for a name that nobody has


async def note_attempt(tx: Tx, login: str, address: str) -> Attempt:
    """Note an attempt before the password is looked at, so that many at once count as many. Raises TooManyFailures."""
    login = login.strip().casefold()
    login_hash, address_hash = _hashed(login), _hashed(address)
    await tx.value(sql.lock_login, login_hash=login_hash)
    rules.check_attempts(
        await tx.one(Attempts, sql.attempts, login=login, login_hash=login_hash, address_hash=address_hash)
    )
    await tx.run(sql.insert_attempt, login_hash=login_hash, address_hash=address_hash)
    stored = await tx.maybe(StoredUser, sql.credentials_by_login, login=login)
    return Attempt(login=login, address=address, stored=stored)


async def begin_session(
    tx: Tx, attempt: Attempt, *, request_id: UUID, stronger_hash: str | None = None, former: str = ""
) -> str:
    """Begin a session for somebody whose password was right, and give its token; a former session of theirs ends.

    Raises UserLocked, or WrongPassword if the password was changed meanwhile.
    """
    stored = attempt.stored
    assert stored is not None
    if stored.is_locked:
        raise UserLocked
    token, address_hash = secrets.token_urlsafe(32), _hashed(attempt.address)
    begun = await tx.run(
        sql.insert_session, token_hash=_hashed(token), user_id=stored.id, address_hash=address_hash,
        verified_hash=stored.password_hash,
    )  # fmt: skip
    if not begun:
        raise WrongPassword
    if stronger_hash:
        await tx.run(
            sql.replace_hash, id=stored.id, password_hash=stronger_hash, verified_hash=stored.password_hash
        )  # fmt: skip
    if former:
        await sign_out(tx, former)
    await tx.run(sql.forget_attempts, login_hash=_hashed(attempt.login), address_hash=address_hash)
    await tx.run(sql.forget_sessions, user_id=stored.id)
    tx.notes.append(Entry(kind="write", operation="identity.sign_in", user_id=stored.id, request_id=request_id))
    return token


async def sign_out(tx: Tx, token: str) -> None:
    """End a session; one that has ended stays so."""
    await tx.run(sql.end_session, token_hash=_hashed(token))
    forget_callers(tx)


async def find_caller(tx: Tx, token: str) -> Caller | None:
    """The user of a session in force, with the roles as they were at most a second ago; None if it has ended.

    What ends a session or takes a role back is heard of here at once, and in other processes within that second.
    """
    token_hash = _hashed(token)
    caller = remembered(token_hash)
    if caller is not None:
        return caller
    question = Question()
    found = await tx.maybe(SessionUser, sql.user_of_session, token_hash=token_hash)
    if found is None:
        return None
    if found.is_stale:
        await tx.run(sql.touch_session, token_hash=token_hash)
    caller = Caller(
        kind=CallerKind.USER, id=found.id, name=found.name, session_id=found.session_id,
        rights=tuple(rules.right_of(each) for each in found.rights), unit_id=found.unit_id,
    )  # fmt: skip
    question.remember(token_hash, caller)
    return caller


async def act_for_user(tx: Tx, program: Caller) -> Caller | None:
    """A program with the roles and the unit of the user it acts for, as they are now; None if they are locked."""
    found = await tx.maybe(ActedFor, sql.user_acted_for, user_id=program.on_behalf_of)
    if found is None:
        return None
    return replace(program, rights=tuple(rules.right_of(each) for each in found.rights), unit_id=found.unit_id)


async def confirm_password(tx: Tx, access: Access, user_id: UUID, password: str) -> WrongPassword | None:
    """Check the password of somebody who is signed in and shows it again.

    A wrong one is returned, not raised, so that the failure stays noted; ten of them, and TooManyFailures is raised.
    """
    user = await tx.one(User, sql.user_by_id, id=user_id)
    attempt = await note_attempt(tx, user.login, CONFIRMATION)
    if attempt.stored is None or not await passwords.verify(attempt.stored.password_hash, password):
        note(tx, access, "refusal", result=WrongPassword.code)
        return WrongPassword()
    await tx.run(sql.forget_attempts, login_hash=_hashed(attempt.login), address_hash=_hashed(CONFIRMATION))
    return None


async def change_own_password(tx: Tx, access: Access, *, current: str, new: str) -> str | WrongPassword:
    """Change one's own password; gives this session another token and ends all others. Raises InvalidInput.

    A wrong current password is returned; see `confirm_password`.
    """
    rules.check_password(new)
    caller = access.caller
    wrong = await confirm_password(tx, access, caller.id, current)
    if wrong is not None:
        return wrong
    token = secrets.token_urlsafe(32)
    await tx.run(sql.set_password, id=caller.id, password_hash=await passwords.hash_password(new))
    await tx.run(sql.end_sessions, user_id=caller.id, but=caller.session_id)
    await tx.run(sql.rotate_session, id=caller.session_id, token_hash=_hashed(token))
    forget_callers(tx)
    note(tx, access, "write", detail={"changed": "password"})
    return token


async def list_sessions(tx: Tx, access: Access) -> list[Session]:
    """One's own sessions that are in force, newest first."""
    sessions = await tx.all(Session, sql.sessions_of, user_id=access.caller.id, this=access.caller.session_id)
    note(tx, access, "read", detail={"sessions": len(sessions)})
    return sessions


async def end_own_session(tx: Tx, access: Access, session_id: UUID) -> None:
    """End one of one's own sessions. Raises NotFound."""
    if not await tx.run(sql.end_own_session, id=session_id, user_id=access.caller.id):
        raise NotFound
    forget_callers(tx)
    note(tx, access, "write", detail={"session": str(session_id)})


async def end_other_sessions(tx: Tx, access: Access) -> None:
    """End all of one's own sessions but this one."""
    ended = await tx.run(sql.end_sessions, user_id=access.caller.id, but=access.caller.session_id)
    forget_callers(tx)
    note(tx, access, "write", detail={"sessions": ended})


def _hashed(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
