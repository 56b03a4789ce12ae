"""Routes of identity: sign in, sign out, create a user."""

from dataclasses import dataclass

from torv.base.errors import WrongPassword
from torv.base.http import Answer, Call, Routes
from torv.kernel.identity import service
from torv.kernel.identity.models import Role, User

routes = Routes("/api/v1/identity", "identity")


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    login: str
    password: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewUser:
    login: str
    name: str
    role: Role
    password: str


@routes.open("/sessions", method="POST", status_code=201)
async def sign_in(call: Call, credentials: Credentials) -> Answer:
    """Begin a session; its token is sent as a bearer token, or by browsers as a cookie."""
    token = await open_session(call, credentials.login, credentials.password)
    return Answer(body={"token": token}, status=201)


async def open_session(call: Call, login: str, password: str) -> str:
    """Check name and password, holding no connection meanwhile; gives the token. Raises WrongPassword."""
    async with call.reading() as tx:
        stored = await service.find_credentials(tx, login)
    is_right = await service.matches(stored, password)
    async with call.writing() as tx:
        token = await service.begin_session(tx, login, stored, is_right=is_right, request_id=call.request_id)
    if token is None:
        raise WrongPassword
    return token


@routes.writes("/users", "create_user", "user", status_code=201)
async def create_user(call: Call, new: NewUser) -> User:
    """Create a user."""
    return await service.create_user(
        call.tx, call.access, login=new.login, name=new.name, role=new.role, password=new.password
    )
