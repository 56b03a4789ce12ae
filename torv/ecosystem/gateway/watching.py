"""Watching: how the releases in service do, as the process that answers sees them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from torv.base.http import Call, Routes
from torv.base.pages import DEFAULT_SIZE, Cursor, Page, Size
from torv.base.trail import note
from torv.ecosystem.gateway.breakers import BreakerState
from torv.ecosystem.gateway.carrying import Gateway

routes = Routes("/api/v1/gateway", "modules")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseInService:
    """How a release that provides a capability does, in one process."""

    key: str  #: of the binding
    capability: str
    unit_id: UUID | None  #: the unit it provides it in; None: the whole municipality
    release_id: UUID
    module_name: str
    release_version: str
    state: BreakerState
    failures: int  #: in a row
    since: datetime | None  #: since when it is left alone
    calls: int  #: under way


@routes.reads("/releases", "read", "module")
async def list_releases_in_service(
    call: Call, limit: Size = DEFAULT_SIZE, cursor: Cursor = None
) -> Page[ReleaseInService]:
    """How the releases in service do, by capability. Breakers and calls are those of the process that answers."""
    wanted = call.page(limit, cursor)
    gateway: Gateway = call.request.app.state.gateway
    after = wanted.after[0] if wanted.after else ""
    names = sorted(name for name in gateway.directory().routes if name > after)[: wanted.fetch]
    note(call.tx, call.access, "read", detail={"rows": len(names)})
    return call.paged([_shown(gateway, name) for name in names], wanted, lambda each: [each.key])


def _shown(gateway: Gateway, key: str) -> ReleaseInService:
    route = gateway.directory().routes[key]
    release = route.release
    state, failures, since = gateway.breakers.state(release.id)
    return ReleaseInService(
        key=key, capability=route.capability, unit_id=route.unit_id, release_id=release.id,
        module_name=release.module_name, release_version=release.version,
        state=state, failures=failures, since=since, calls=gateway.under_way.of_release(release.id),
    )  # fmt: skip
