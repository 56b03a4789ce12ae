"""Faults: every refusal on a call says whose fault it is, in words and for programs, as far as the caller may know."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from starlette.requests import Request

from torv.base import errors, problems
from torv.base.access import Caller
from torv.base.errors import TorvError
from torv.base.sql import load
from torv.ecosystem.gateway.carrying import Gateway
from torv.ecosystem.gateway.errors import ModuleBusy, ModuleResting
from torv.ecosystem.modules import Release, Route

sql = load(__file__)

MODULE = (errors.ModuleUnavailable, errors.ModuleTimeout, ModuleResting, ModuleBusy)
WORDS = {
    "caller": ("The fault is in the call.", "Fejlen ligger i kaldet."),
    "torv": ("The fault is Torv's; those who run it can help.", "Fejlen ligger hos Torv. Kommunens drift kan hjælpe."),
    "module": ("The fault is the module's; its supplier can help.", "Fejlen er modulets. Leverandøren kan hjælpe."),
    "agreement": ("The agreement or the role does not permit it.", "Aftalen eller rollen giver ikke lov."),
}  # fmt: skip


def fault_of(error: TorvError) -> str:
    """`caller`, `torv`, `module` or `agreement`."""
    if isinstance(error, MODULE):
        return "module"
    if isinstance(error, errors.Denied | errors.QuotaExceeded):
        return "agreement"
    return "caller" if error.status < 500 and not isinstance(error, errors.CapabilityNotBound) else "torv"


async def say_whose_fault(error: TorvError, request: Request, gateway: Gateway) -> None:
    """Add to a refusal whose fault it is and, where it is the module's and the caller may know, which module it was."""
    fault, language = fault_of(error), problems.language_of(request, gateway.engine.settings.language)
    error.facts |= {"fault": fault, "fault_title": WORDS[fault][language == "da"]}
    caller: Caller | None = getattr(request.state, "caller", None)
    unit_id = getattr(request.state, "unit_id", None)  # the call's, where that is known
    route = gateway.directory().route(request.path_params["capability"], unit_id)
    if fault == "module" and route is not None and caller is not None and _may_know(caller, route):
        error.facts["provider"] = await _provider(gateway, route.release)


def _may_know(caller: Caller, route: Route) -> bool:
    """The municipality's own people, and the supplier itself; not its competitors."""
    return caller.user_id is not None or caller.partner_id == route.release.partner_id


async def _provider(gateway: Gateway, release: Release) -> dict[str, Any]:
    known = {"module": release.module_name, "release": release.version}
    with suppress(TorvError):
        known["partner"] = await _name_of(gateway, release.partner_id)
    return known


async def _name_of(gateway: Gateway, partner_id: UUID) -> str:
    async with gateway.engine.database.reading() as tx:
        return str(await tx.value(sql.partner_name, id=partner_id))
