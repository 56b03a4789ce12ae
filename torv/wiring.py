"""Wiring: the one place that knows every part, and gives the decider its body.

Identity decides for people, agreements for modules. What they decide by is read anew when the generation changes.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from starlette.requests import cookie_parser

from torv import ecosystem, interfaces, kernel
from torv.base import clock, signing
from torv.base.access import Access, Caller, CallerKind, Decider, Demand
from torv.base.db import Database, Tx
from torv.base.errors import NotIdentified
from torv.base.feed import TRAIL, Stream
from torv.base.http import session_cookie
from torv.base.ids import new_id
from torv.base.lease import Lease
from torv.base.settings import Settings
from torv.base.signing import Keys
from torv.ecosystem.agreements import Policy, compile_policy, load_policy
from torv.ecosystem.modules import Directory, Release, add_contract, load_directory, shipped_contracts
from torv.kernel.identity import decide, find_caller
from torv.kernel.records import STREAM

#: the slices in the order of their foreign keys
_KERNEL = ("persons", "classification", "organisation", "identity", "records")
_ECOSYSTEM = ("partners", "agreements", "modules", "gateway", "moves")
_INTERFACES = ("cpr",)

STREAMS: tuple[Stream, ...] = (STREAM, TRAIL)


def schema_folders() -> list[Path]:
    """The folders with migrations, in the order in which they run."""
    floors = (kernel, _KERNEL), (ecosystem, _ECOSYSTEM), (interfaces, _INTERFACES)
    slices = [Path(floor.__path__[0]) / name for floor, names in floors for name in names]
    return [Path(signing.__file__).parent, *slices]


async def add_shipped_contracts(database: Database) -> None:
    """Store the contracts of the installed bundle."""
    for contract in shipped_contracts():
        async with database.transaction() as tx:
            await add_contract(tx, contract)


class Wiring(Decider):
    """What one process decides by."""

    def __init__(self, settings: Settings, keys: Keys, database: Database) -> None:
        self._settings, self._keys, self._database = settings, keys, database
        self._policy: Policy = compile_policy(())
        self._tokens: dict[str, tuple[UUID, float]] = {}
        self.directory = Directory(releases={}, routes={}, operations={})
        self.lease: Lease | None = None

    def make_lease(self, kind: str) -> Lease:
        """The lease of this process, which keeps what is decided by up to date."""
        self.lease = Lease(self._database, kind, self._learn)
        return self.lease

    async def _learn(self, tx: Tx) -> None:
        policy, directory = await load_policy(tx), await load_directory(tx)
        self._policy, self.directory = policy, directory

    async def identify(self, headers: Mapping[str, str]) -> Caller | None:
        """The caller of a bearer token (a module's, or a user's session) or of the session cookie."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme:
            if scheme.lower() != "bearer" or not token:
                raise NotIdentified
            return self._module(token) if token.count(".") == 2 else await self._user(token)
        session = cookie_parser(headers.get("cookie", "")).get(session_cookie(self._settings))
        return await self._user(session) if session else None

    def decide(self, caller: Caller, demand: Demand, request_id: UUID) -> Access:
        self._confirmed()
        if caller.kind is CallerKind.USER:
            return decide(caller, demand, clock.now(), request_id)
        release = self.directory.releases.get(caller.id)
        if release is None:
            raise NotIdentified
        return self._policy.decide(caller, release.module_name, demand, clock.now(), request_id)

    def may_provide(self, release: Release, demand: Demand) -> Access:
        """Whether a release's agreement permits that calls are sent to it. Raises Denied or StateUnconfirmed."""
        self._confirmed()
        caller = self.directory.caller(release.id)
        if caller is None:
            raise NotIdentified
        return self._policy.decide(caller, release.module_name, demand, clock.now(), new_id())

    def _confirmed(self) -> None:
        assert self.lease is not None
        self.lease.check()

    def _module(self, token: str) -> Caller:
        known, now = self._tokens.get(token), time.time()
        if known is None or known[1] < now:
            issuer = self._settings.issuer
            claims = signing.read_token(token, self._keys.tokens, issuer=issuer, audience=issuer, required=("sub",))
            known = UUID(str(claims["sub"]).removeprefix("release:")), float(claims["exp"])
            if len(self._tokens) >= 10_000:
                self._tokens.clear()
            self._tokens[token] = known
        caller = self.directory.caller(known[0])
        if caller is None:
            raise NotIdentified
        return caller

    async def _user(self, token: str) -> Caller:
        async with self._database.reading() as tx:
            caller = await find_caller(tx, token)
        if caller is None:
            raise NotIdentified
        return caller
