"""The directory: who is registered and who provides what, as one process knows it in the present generation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from torv.base.access import Caller, CallerKind
from torv.base.db import Tx
from torv.base.sql import load
from torv.ecosystem.modules.contracts import Launch, Operation
from torv.ecosystem.modules.models import Release

sql = load(__file__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """Where calls of a capability go."""

    capability: str
    release: Release
    epoch: int
    shadow: Release | None  #: a candidate that gets a copy of safe calls
    shadow_may_differ: frozenset[str] = frozenset()  #: operation and path of an answer, where it must say more


@dataclass(frozen=True, kw_only=True, slots=True)
class Directory:
    releases: Mapping[UUID, Release]
    routes: Mapping[str, Route]  #: by capability
    operations: Mapping[tuple[str, int], tuple[Operation, ...]]  #: by capability and major version

    launches: Mapping[tuple[str, int], Launch] = field(default_factory=dict)  #: the same, where there are pages

    def launch(self, capability: str) -> tuple[int, Launch] | None:
        """The pages of a capability in the highest major version that its release provides; None: it has none."""
        route = self.routes.get(capability)
        provided = sorted(route.release.provides(capability), reverse=True) if route is not None else []
        return next(
            ((each, self.launches[capability, each]) for each in provided if (capability, each) in self.launches), None
        )

    def named(self, capability: str, major: int, operation: str) -> Operation:
        """An operation by its name. Raises LookupError."""
        return next(each for each in self.operations[capability, major] if each.id == operation)

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
    capability: str
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


async def load_directory(tx: Tx) -> Directory:
    """The directory of the present generation."""
    releases = {each.id: each for each in await tx.all(Release, sql.all_releases)}
    bound = await tx.all(_Bound, sql.all_bindings)
    kept = await tx.all(_Kept, sql.all_contracts)
    return Directory(
        releases=releases,
        routes={
            each.capability: Route(
                capability=each.capability, release=releases[each.release_id], epoch=each.epoch,
                shadow=releases[each.shadow_release_id] if each.shadow_release_id else None,
                shadow_may_differ=frozenset(each.shadow_may_differ),
            )
            for each in bound
        },
        operations={
            (each.capability, each.major): tuple(Operation(**plain) for plain in each.operations) for each in kept
        },
        launches={(each.capability, each.major): Launch(**each.launch) for each in kept if each.launch},
    )  # fmt: skip
