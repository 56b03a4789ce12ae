"""The directory: who is registered and who provides what, as one process knows it in the present generation."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from torv.base import clock
from torv.base.access import Caller, CallerKind
from torv.base.db import Tx
from torv.base.sql import load
from torv.ecosystem.modules.contracts import Launch, Operation
from torv.ecosystem.modules.models import Release
from torv.kernel.organisation import Tree, load_tree
from torv.kernel.records import key_of

sql = load(__file__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """Where calls of a capability go."""

    key: str  #: of the binding
    capability: str
    unit_id: UUID | None  #: the unit it is for, with what lies below it; None: the whole municipality
    release: Release
    epoch: int
    shadow: Release | None  #: a candidate that gets a copy of safe calls
    shadow_may_differ: frozenset[str] = frozenset()  #: operation and path of an answer, where it must say more


@dataclass(frozen=True, kw_only=True, slots=True)
class Added:
    """An operation that a requirement set adds to a contract."""

    requirement_set: str  #: its hash
    operation: Operation
    kept_by: frozenset[UUID]  #: the releases that were certified for the set


@dataclass(frozen=True, kw_only=True, slots=True)
class Demanded:
    """What a requirement set demands of an operation's successful answers."""

    requirement_set: str  #: its hash
    fields: tuple[tuple[str, Mapping[str, Any]], ...]  #: the demand's name, and the schema that an answer must fit
    kept_by: frozenset[UUID]  #: the releases that were certified for the set


@dataclass(frozen=True, kw_only=True, slots=True)
class Directory:
    releases: Mapping[UUID, Release]
    routes: Mapping[str, Route]  #: by the key of the binding
    operations: Mapping[tuple[str, int], tuple[Operation, ...]]  #: by capability and major version
    launches: Mapping[tuple[str, int], Launch] = field(default_factory=dict)  #: the same, where there are pages
    added: Mapping[tuple[str, int], tuple[Added, ...]] = field(default_factory=dict)  #: the same, the newest set first
    #: by capability, major version and operation
    demanded: Mapping[tuple[str, int, str], tuple[Demanded, ...]] = field(default_factory=dict)
    tree: Tree = field(default_factory=Tree)

    def above(self, unit_id: UUID | None) -> tuple[UUID, ...]:
        """The units from the root down to this one, as they stand today; empty for the whole municipality."""
        return () if unit_id is None else self.tree.above(unit_id, clock.today())

    def route(self, capability: str, unit_id: UUID | None) -> Route | None:
        """Where calls of a unit go: the binding of the nearest unit above it counts, else the municipality's."""
        for each in reversed(self.above(unit_id)):
            if (route := self.routes.get(key_of(capability, each))) is not None:
                return route
        return self.routes.get(capability)

    def launch(self, route: Route) -> tuple[int, Launch] | None:
        """The pages of a capability in the highest major version that its release provides; None: it has none."""
        capability = route.capability
        provided = sorted(route.release.provides(capability), reverse=True)
        return next(
            ((each, self.launches[capability, each]) for each in provided if (capability, each) in self.launches), None
        )

    def named(self, capability: str, major: int, operation: str) -> Operation:
        """An operation by its name. Raises LookupError."""
        return next(each for each in self.operations[capability, major] if each.id == operation)

    def added_at(self, capability: str, major: int, method: str, path: str) -> list[Operation]:
        """The operations of requirement sets that a call may mean, where the contract itself has none."""
        return [
            each.operation for each in self.added.get((capability, major), ()) if each.operation.matches(method, path)
        ]

    def is_added_by(
        self, release: Release, capability: str, major: int, operation: Operation, promised: Collection[str]
    ) -> bool:
        """Whether a release has an operation of a requirement set: its agreement promises the set, and it keeps it."""
        return any(
            each.operation == operation and each.requirement_set in promised and release.id in each.kept_by
            for each in self.added.get((capability, major), ())
        )

    def caller(self, release_id: UUID) -> Caller | None:
        """The release as a caller; None if it is not registered."""
        release = self.releases.get(release_id)
        return None if release is None else caller_of(release)

    def operation(self, capability: str, major: int, method: str, path: str) -> Operation | None:
        """The contract's operation that a call means; None if the contract has none."""
        return next((each for each in self.operations.get((capability, major), ()) if each.matches(method, path)), None)


def caller_of(release: Release) -> Caller:
    """A release as a caller."""
    return Caller(
        kind=CallerKind.RELEASE, id=release.id, name=f"{release.module_name} {release.version}",
        partner_id=release.partner_id, module_id=release.module_id, key=release.jwk.get("kid"),
    )  # fmt: skip


EMPTY = Directory(releases={}, routes={}, operations={})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Bound:
    key: str
    capability: str
    unit_id: UUID | None
    release_id: UUID
    epoch: int
    shadow_release_id: UUID | None
    shadow_may_differ: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    capability: str
    major: int
    operations: list[dict[str, Any]]
    launch: dict[str, Any] | None


async def load_directory(tx: Tx, before: Directory) -> Directory:
    """The directory of the present generation; of the one before, what has not changed is taken over."""
    releases = {each.id: each for each in await tx.all(Release, sql.all_releases)}
    bound = await tx.all(_Bound, sql.all_bindings)
    kept = await tx.all(_Kept, sql.all_contracts)
    return Directory(
        releases=releases,
        routes={
            each.key: Route(
                key=each.key, capability=each.capability, unit_id=each.unit_id,
                release=releases[each.release_id], epoch=each.epoch,
                shadow=releases[each.shadow_release_id] if each.shadow_release_id else None,
                shadow_may_differ=frozenset(each.shadow_may_differ),
            )
            for each in bound
        },
        operations={
            (each.capability, each.major): tuple(Operation(**plain) for plain in each.operations) for each in kept
        },
        launches={(each.capability, each.major): Launch(**each.launch) for each in kept if each.launch},
        tree=await load_tree(tx, before.tree),
    )  # fmt: skip
