"""Wiring: the one place that knows every part, and gives the decider its body.

Identity decides for people, agreements for modules. What they decide by is read anew when the generation changes.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from starlette.requests import cookie_parser

from torv import ecosystem, interfaces, kernel
from torv.base import clock, signing
from torv.base.access import Access, Caller, CallerKind, Decider, Demand
from torv.base.db import Database, Tx
from torv.base.errors import Denied, MalformedRequest, NotIdentified, StateUnconfirmed
from torv.base.feed import Stream
from torv.base.http import session_cookie
from torv.base.ids import new_id
from torv.base.lease import Lease
from torv.base.settings import Settings
from torv.base.signing import Keys
from torv.ecosystem import audit, events
from torv.ecosystem.agreements import Loaded, Quotas, load_policy
from torv.ecosystem.modules import (
    AccessToken,
    Directory,
    Release,
    add_shipped_contract,
    load_directory,
    read_access_token,
    shipped_contracts,
)
from torv.ecosystem.requirements import AddedField, load_additions
from torv.kernel import records
from torv.kernel.identity import act_for_user, decide, find_caller

#: the slices in the order of their foreign keys
_KERNEL = ("persons", "classification", "organisation", "identity", "records")
_ECOSYSTEM = (
    "partners", "agreements", "modules", "events", "audit", "gateway", "service_levels", "requirements", "moves",
)  # fmt: skip
_INTERFACES = ("cpr",)

STREAMS: tuple[Stream, ...] = (records.STREAM, audit.STREAM, events.STREAM)


def schema_folders() -> list[Path]:
    """The folders with migrations, in the order in which they run."""
    floors = (kernel, _KERNEL), (ecosystem, _ECOSYSTEM), (interfaces, _INTERFACES)
    slices = [Path(floor.__path__[0]) / name for floor, names in floors for name in names]
    return [Path(signing.__file__).parent, *slices]


async def add_shipped_contracts(database: Database) -> None:
    """Store the contracts of the installed bundle."""
    for contract in shipped_contracts():
        async with database.transaction() as tx:
            await add_shipped_contract(tx, contract)


class Wiring(Decider):
    """What one process decides by."""

    def __init__(self, settings: Settings, keys: Keys, database: Database) -> None:
        self._settings, self._keys, self._database = settings, keys, database
        self.loaded = Loaded()
        self._tokens: dict[str, AccessToken] = {}
        self._quotas = Quotas(database)
        self._fields: tuple[AddedField, ...] = ()
        self.directory = Directory(releases={}, routes={}, operations={})
        self.lease: Lease | None = None

    def make_lease(self, kind: str) -> Lease:
        """The lease of this process, which keeps what is decided by up to date."""
        self.lease = Lease(self._database, kind, self._learn)
        return self.lease

    async def _learn(self, tx: Tx) -> None:
        loaded, directory, additions = (
            await load_policy(tx, self.loaded),
            await load_directory(tx, self.directory),
            await load_additions(tx),
        )
        self.loaded, self.directory = loaded, replace(directory, added=additions.operations, demanded=additions.answers)
        self._fields = additions.fields

    async def identify(self, headers: Mapping[str, str]) -> Caller | None:
        """The caller of a bearer token (a module's, or a user's session) or of the session cookie."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme:
            if scheme.lower() != "bearer" or not token:
                raise NotIdentified
            if token.count(".") != 2:
                return await self._user(token)
            return await self._with_user(replace(self._module(token), purpose=_purpose(headers)))
        session = cookie_parser(headers.get("cookie", "")).get(session_cookie(self._settings))
        return await self._user(session) if session else None

    def decide(self, caller: Caller, demand: Demand, request_id: UUID) -> Access:
        try:
            self._confirmed()
        except StateUnconfirmed:
            return self._in_emergency(caller, demand, request_id)
        if caller.kind is CallerKind.USER:
            return decide(caller, demand, clock.now(), request_id)
        release = self.directory.releases.get(caller.id)
        if release is None:
            raise NotIdentified
        if demand.is_own and caller.on_behalf_of is None:  # a user is no party: for one, grants count
            permit = _as_a_party(caller, demand, request_id)
        else:
            permit = self.loaded.policy.decide(caller, release.module_name, demand, clock.now(), request_id)
        if self._fields and demand.service == "records" and demand.is_write:
            permit = replace(permit, also_fits=self._also_fits(release))
        return permit if caller.on_behalf_of is None else _as_far_as_the_user(permit, caller, demand, request_id)

    async def spend(self, access: Access, kind: str, amount: int) -> None:
        await self._quotas.spend(access.limits, kind, amount)

    def _in_emergency(self, caller: Caller, demand: Demand, request_id: UUID) -> Access:
        """What the emergency list keeps open by the last state known. Raises StateUnconfirmed for anything else."""
        release = self.directory.releases.get(caller.id)
        if release is None or caller.on_behalf_of is not None:
            raise StateUnconfirmed
        permit = self.loaded.policy.decide_unconfirmed(caller, release.module_name, demand, clock.now(), request_id)
        if permit is None:
            raise StateUnconfirmed
        return permit

    def may_provide(self, release: Release, demand: Demand) -> Access:
        """Whether a release's agreement permits that calls are sent to it. Raises Denied or StateUnconfirmed."""
        self._confirmed()
        caller = self.directory.caller(release.id)
        if caller is None:
            raise NotIdentified
        return self.loaded.policy.decide(caller, release.module_name, demand, clock.now(), new_id())

    def promised(self, release: Release, capability: str, major: int) -> frozenset[str]:
        """The requirement sets that a release's agreements in force promise for a version of a capability."""
        policy, now = self.loaded.policy, clock.now()
        return policy.promised_sets(release.partner_id, release.module_name, capability, major, now)

    def _also_fits(self, release: Release) -> dict[tuple[str, str], tuple[Mapping[str, Any], ...]]:
        """What the records of a release must have by the sets that it keeps and its agreements promise."""
        found: dict[tuple[str, str], tuple[Mapping[str, Any], ...]] = {}
        for each in self._fields:
            promised = self.promised(release, each.capability, each.major) if release.id in each.kept_by else ()
            if each.requirement_set in promised:
                place = each.capability, each.record_type
                found[place] = (*found.get(place, ()), each.schema)
        return found

    def _confirmed(self) -> None:
        assert self.lease is not None
        self.lease.check()

    def _module(self, token: str) -> Caller:
        known, now = self._tokens.get(token), clock.seconds()
        if known is None or known.expires < now:
            issuer = self._settings.issuer
            known = read_access_token(token, issuer=issuer, keys=self._keys)
            if len(self._tokens) >= 10_000:
                self._tokens.clear()
            self._tokens[token] = known
        caller = self.directory.caller(known.release_id)
        if caller is None:
            raise NotIdentified
        return caller if known.user_id is None else replace(caller, on_behalf_of=known.user_id)

    async def _with_user(self, caller: Caller) -> Caller:
        """The release with the rights of the user it acts for, as they are now. Raises NotIdentified without them."""
        if caller.on_behalf_of is None:
            return caller
        async with self._database.reading() as tx:
            acting = await act_for_user(tx, caller)
        if acting is None:
            raise NotIdentified
        return acting

    async def _user(self, token: str) -> Caller:
        async with self._database.reading() as tx:
            caller = await find_caller(tx, token)
        if caller is None:
            raise NotIdentified
        return caller


def _purpose(headers: Mapping[str, str]) -> str | None:
    """The processing activity that a program says it asks for. Raises MalformedRequest for what is no name of one."""
    stated = headers.get("torv-purpose")
    if stated is not None and not 0 < len(stated) <= 100:
        raise MalformedRequest(reason="Torv-Purpose names one processing activity")
    return stated


def _as_a_party(caller: Caller, demand: Demand, request_id: UUID) -> Access:
    """What a partner may do about its own affairs whatever its agreements grant: even before they are signed.

    The verb confines it to `Access.party`.
    """
    categories = frozenset() if demand.category is None else frozenset({demand.category})
    return Access(
        caller=caller, service=demand.service, operation=demand.operation, category=demand.category,
        categories=categories, request_id=request_id,
    )  # fmt: skip


def _as_far_as_the_user(permit: Access, caller: Caller, demand: Demand, request_id: UUID) -> Access:
    """A module that acts for a user may what both may. Raises Denied with the user's failing check, or `user`."""
    both = permit.meet(decide(caller, demand, clock.now(), request_id))
    if both is None:
        raise Denied(
            check="user", reason="the user it acts for may not see it",
            reason_da="den bruger, der handles for, må ikke se det", mender="Systemadministratoren",
        )  # fmt: skip
    return both
