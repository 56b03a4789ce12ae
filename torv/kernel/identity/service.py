"""The verbs of identity; the only writer of the schema `identity`."""

import asyncio
import hashlib
import secrets
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from torv.base import db
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import AlreadyExists, TooManyFailures, WrongPassword
from torv.base.ids import new_id
from torv.base.sql import load
from torv.base.trail import Entry, note
from torv.kernel.identity import rules
from torv.kernel.identity.models import Role, SessionUser, StoredUser, User

sql = load(__file__)
db.names_constraint("users_login_key", AlreadyExists)

_hasher = PasswordHasher()  # argon2id with the parameters of RFC 9106's second choice
_nobody = _hasher.hash(secrets.token_hex())  # so that an unknown name takes as long as a wrong password
_rooms = asyncio.Semaphore(2)  # hashes at a time: each takes 64 MiB and a core

FAILURES = 10  #: attempts within 15 minutes, then signing in waits


async def create_user(tx: Tx, access: Access, *, login: str, name: str, role: Role, password: str) -> User:
    """Create a user. Raises AlreadyExists or InvalidInput."""
    rules.check_password(password)
    password_hash = await asyncio.to_thread(_hasher.hash, password)
    user = await tx.one(
        User, sql.insert_user, id=new_id(), login=login, name=name, role=role, password_hash=password_hash
    )
    note(tx, access, "write", detail={"user": str(user.id)})
    return user


async def find_credentials(tx: Tx, login: str) -> StoredUser | None:
    """What is needed to check a password; None for an unknown name. Raises TooManyFailures after ten in 15 minutes."""
    if await tx.value(sql.recent_failures, login_hash=_hashed(login.casefold())) >= FAILURES:
        raise TooManyFailures
    return await tx.maybe(StoredUser, sql.user_by_login, login=login)


async def matches(stored: StoredUser | None, password: str) -> bool:
    """Whether the password is the user's; takes as long for an unknown name."""
    async with _rooms:
        try:
            await asyncio.to_thread(_hasher.verify, stored.password_hash if stored else _nobody, password)
        except VerifyMismatchError:
            return False
    return stored is not None


async def begin_session(
    tx: Tx, login: str, stored: StoredUser | None, *, is_right: bool, request_id: UUID
) -> str | None:
    """Begin a session and give its token; note the failure and give None if the password was not right."""
    login_hash = _hashed(login.casefold())
    if stored is None or not is_right:
        await tx.run(sql.insert_failure, login_hash=login_hash)
        return None
    token = secrets.token_urlsafe(32)
    await tx.run(sql.forget_failures, login_hash=login_hash)
    await tx.run(sql.insert_session, token_hash=_hashed(token), user_id=stored.id)
    tx.notes.append(Entry(kind="write", operation="identity.sign_in", user_id=stored.id, request_id=request_id))
    return token


async def sign_out(tx: Tx, token: str) -> None:
    """End a session; one that has ended stays so."""
    await tx.run(sql.end_session, token_hash=_hashed(token))


async def find_session(tx: Tx, token: str) -> User | None:
    """The user of a session in force; None if it has ended."""
    found = await tx.maybe(SessionUser, sql.user_of_session, token_hash=_hashed(token))
    if found is None:
        return None
    if found.is_stale:
        await tx.run(sql.touch_session, token_hash=_hashed(token))
    return User(id=found.id, login=found.login, name=found.name, role=Role(found.role))


async def confirm_password(tx: Tx, user_id: UUID, password: str) -> User:
    """The user, who has just shown the password again. Raises WrongPassword."""
    stored = await tx.one(StoredUser, sql.user_by_id, id=user_id)
    if not await matches(stored, password):
        raise WrongPassword
    return User(id=stored.id, login=stored.login, name=stored.name, role=Role(stored.role))


def _hashed(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
