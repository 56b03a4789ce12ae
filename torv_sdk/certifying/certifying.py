"""One certification from beginning to end."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import aiohttp

from torv_sdk.certifying.demands import NotTried, try_demand
from torv_sdk.certifying.door import Door, opened
from torv_sdk.certifying.installation import Installation, NoTorv, installed
from torv_sdk.certifying.programs import ModuleProgram
from torv_sdk.certifying.report import DemandVerdict, Outcome, Report, Verdict
from torv_sdk.certifying.rules import RULES, Broken, Level, Rule
from torv_sdk.certifying.stand import LONGEST_ANSWER, Stand
from torv_sdk.contracts import Contract
from torv_sdk.keys import make_key
from torv_sdk.profiles import Demand, Profile


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What is to be certified, and how far."""

    url: str  #: the module's address
    contract: Contract
    level: Level = Level.BRONZE
    start: str | None = None  #: the command that starts the module; None: it runs already
    torv: str | None = None  #: the command `torv`; None: there is none here
    host: str = "127.0.0.1"  #: where the certifier answers as Torv
    port: int = 0  #: a module that runs already must know it, as TORV_URL
    profile: Profile | None = None  #: what a municipality demands beyond the contract
    release: str | None = None  #: the release's id in the Torv that the report is for; None: what the module says
    release_version: str | None = None  #: the release's version there

    @property
    def needs_torv(self) -> bool:
        """Whether there is something to try that needs a real Torv behind the door."""
        return self.level is not Level.BRONZE or (self.profile is not None and self.start is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a certification takes place; it may serve for several, one after the other."""

    door: Door
    torv: Installation | None


async def certify(order: Order) -> Report:
    """Try every rule of the level and of those before it.

    Raises NoTorv, Broken if the module never answers, and OSError if the program or the address cannot be had.
    """
    if order.level is not Level.BRONZE and order.start is None:
        raise NoTorv(f"{order.level} stops and starts the module: say how with --start")
    async with place(order) as here:
        return await judge(order, here)


@asynccontextmanager
async def place(order: Order) -> AsyncIterator[Place]:
    """Torv's door, and beyond bronze the real Torv behind it, if there is one here."""
    async with opened(order.host, order.port) as door:
        if not order.needs_torv or order.torv is None:
            yield Place(door=door, torv=None)
            return
        async with installed(order.torv, door.url, order.contract, order.url) as torv:
            door.behind = torv.address
            yield Place(door=door, torv=torv)


async def judge(order: Order, here: Place) -> Report:
    """Try the rules at a place. Raises Broken if the module never answers."""
    began = datetime.now(UTC)
    rules = [each for each in RULES if order.level.includes(each.level)]
    with tempfile.TemporaryDirectory(prefix="torv-certify-") as name:
        async with _stand(order, here, Path(name)) as stand:
            await stand.become_ready()
            verdicts = [await _verdict(each, stand) for each in rules]
            profile = order.profile
            demands = [await _tried(each, stand, profile) for each in profile.demands] if profile else []
            release = order.release or stand.client_id
    return Report(
        contract=order.contract, release=release, release_version=order.release_version, wanted=order.level,
        began=began, verdicts=verdicts, profile=profile, demands=demands,
    )  # fmt: skip


@asynccontextmanager
async def _stand(order: Order, here: Place, folder: Path) -> AsyncIterator[Stand]:
    client_id = here.torv.release if here.torv else str(uuid4()) if order.start else ""
    program = _program(order, here, folder, client_id) if order.start else None
    timeout = aiohttp.ClientTimeout(total=LONGEST_ANSWER)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as http:
        try:
            if program:
                await program.start()
            yield Stand(
                url=order.url.rstrip("/"), client_id=client_id, contract=order.contract, door=here.door, http=http,
                torv=here.torv, program=program,
            )  # fmt: skip
        finally:
            if program:
                await program.stop()


def _program(order: Order, here: Place, folder: Path, client_id: str) -> ModuleProgram:
    assert order.start is not None
    key_file = here.torv.key_file if here.torv else folder / "release.pem"
    if here.torv is None:
        make_key(key_file)
    told = {"TORV_URL": here.door.url, "TORV_CLIENT_ID": client_id, "TORV_KEY_FILE": str(key_file)}
    return ModuleProgram(order.start, order.url, folder, told)


async def _tried(demand: Demand, stand: Stand, profile: Profile) -> DemandVerdict:
    try:
        await try_demand(demand, stand, profile)
    except Broken as broken:
        return DemandVerdict(demand=demand, outcome=Outcome.FAILED, found=str(broken))
    except NotTried as why:
        return DemandVerdict(demand=demand, outcome=Outcome.SKIPPED, found=f"not tried: {why}")
    return DemandVerdict(demand=demand, outcome=Outcome.PASSED)


async def _verdict(rule: Rule, stand: Stand) -> Verdict:
    if rule.level is not Level.BRONZE and (stand.torv is None or stand.program is None):
        why = "not tried: it needs a real Torv, and the command torv is not installed here"
        return Verdict(rule=rule, outcome=Outcome.SKIPPED, found=why)
    try:
        await rule.check(stand)
    except Broken as broken:
        return Verdict(rule=rule, outcome=Outcome.FAILED, found=str(broken))
    return Verdict(rule=rule, outcome=Outcome.PASSED)
