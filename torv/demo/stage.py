"""The stage: database, API processes, worker and modules, started together and stopped together."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

import torv
from torv import operating, running
from torv.base import embedded
from torv.base.errors import AlreadyExists
from torv.base.processes import Program, Supervisor
from torv.base.server import listen
from torv.base.settings import Settings
from torv.demo import borrowed, market, town
from torv.demo.office import NAMES, PASSWORDS, Office
from torv.demo.town import Town
from torv.interfaces.cpr import write_extract

PROVIDERS = ("nordnote", "kviknote")
SEED = 1864  #: of the made-up citizens
READY_TIME = 30.0  #: seconds a program has to answer for the first time
Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A running Torv."""

    settings: Settings
    dsn: str
    folder: Path
    supervisor: Supervisor
    town: Town
    urls: dict[str, str]  #: module -> address


@asynccontextmanager
async def set_stage(
    settings: Settings, folder: Path, *, citizens: int, report: Report, whole: bool = False
) -> AsyncIterator[Stage]:
    """Start everything in `folder`; when the block ends, stop all that was started and nothing else.

    `whole`: with the partners and agreements too that are only there to be looked at.
    """
    programs = {name: _module_program(name) for name in PROVIDERS}
    sockets = _listen(settings)
    if settings.port == 0:
        settings = replace(settings, port=sockets["api"].getsockname()[1])
    settings = replace(settings, state_dir=folder / "state", private_modules=True)
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 nothing else runs yet
    report("Starter PostgreSQL")
    async with running.database_of(settings) as dsn:
        if settings.database_url:
            await borrowed.claim(dsn, is_new=not is_set(folder))
        report("Opretter tabeller")
        await running.prepare(dsn)
        supervisor = Supervisor()
        try:
            report("Starter Torv")
            await _start_torv(supervisor, settings, dsn, sockets["api"])
            urls = {name: "http://{}:{}".format(*sockets[name].getsockname()[:2]) for name in PROVIDERS}
            report("Opretter kommunen")
            known = await _town(settings, dsn, folder, urls, citizens, whole=whole)
            report("Starter modulerne")
            await _start_modules(supervisor, settings, folder, known, programs, sockets, urls)
            yield Stage(settings=settings, dsn=dsn, folder=folder, supervisor=supervisor, town=known, urls=urls)
        finally:
            await supervisor.stop_all()
            for each in sockets.values():
                each.close()


def clear(folder: Path) -> None:
    """Throw a stage away, with its database."""
    cluster = embedded.place((folder / "state").resolve())
    embedded.remove(cluster)
    shutil.rmtree(cluster.home, ignore_errors=True)  # root's is not in the folder
    shutil.rmtree(folder, ignore_errors=True)


def is_set(folder: Path) -> bool:
    """Whether a town was entered here, to its end."""
    return (folder / "town.json").exists()


def _listen(settings: Settings) -> dict[str, socket.socket]:
    """A socket for the API and one for each module, on the ports after it; port 0 takes free ones. Raises Unfit."""
    sockets = {}
    for number, name in enumerate(("api", *PROVIDERS)):
        port = settings.port + number * 11 if settings.port else 0
        try:
            sockets[name] = listen(settings.host, port)
        except OSError as error:
            raise running.Unfit(
                f"Port {port} is in use; stop what uses it, or choose another with TORV_PORT."
            ) from error
    return sockets


def _module_program(name: str) -> Path:
    program = Path(torv.__file__).resolve().parents[1] / "modules" / name / ".venv" / "bin" / name
    if not program.exists():
        raise running.Unfit(f"The module {name} is not installed; run `make install` first.")
    return program


async def _start_torv(supervisor: Supervisor, settings: Settings, dsn: str, listening: socket.socket) -> None:
    for program in running.api_programs(settings, dsn, listening):
        await supervisor.start(program)
    await supervisor.start(running.worker_program(settings, dsn))
    await _answers(f"{settings.issuer}/health/ready")


async def _town(
    settings: Settings, dsn: str, folder: Path, urls: dict[str, str], citizens: int, *, whole: bool
) -> Town:
    file = folder / "town.json"
    if file.exists():
        return town.load(file)
    for login, password in PASSWORDS.items():
        with suppress(AlreadyExists):
            await operating.add_user(dsn, login=login, name=NAMES[login], password=password)
    extract = folder / "citizens.txt"
    extract.unlink(missing_ok=True)  # of a start that was broken off
    write_extract(extract, persons=citizens, seed=SEED)
    await operating.take_in_cpr(dsn, extract, lambda *_: None)
    async with Office(settings.issuer) as office:
        known = await town.build_town(office, folder, urls)
        if whole:
            await market.build_market(office, folder, known)
    town.save(known, file)
    return known


async def _start_modules(
    supervisor: Supervisor, settings: Settings, folder: Path, known: Town, programs: dict[str, Path],
    sockets: dict[str, socket.socket], urls: dict[str, str],
) -> None:  # fmt: skip
    for name, program in programs.items():
        data = folder / name
        data.mkdir(exist_ok=True)
        environment = {
            "TORV_URL": settings.issuer, "TORV_CLIENT_ID": known.releases[name], "TORV_MODULE_DATA": str(data),
            "TORV_KEY_FILE": str(town.key_file(folder, name)), "TORV_MODULE_FD": str(sockets[name].fileno()),
        }  # fmt: skip
        descriptors, log = [sockets[name].fileno()], folder / f"{name}.log"
        await supervisor.start(
            Program(name=name, argv=[str(program)], environment=environment, descriptors=descriptors, log=log)
        )
    for url in urls.values():
        await _answers(f"{url}/torv/health")


async def _answers(url: str) -> None:
    """Return when an address answers 200. Raises Unfit when it does not within half a minute."""
    deadline = asyncio.get_running_loop().time() + READY_TIME
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
        while asyncio.get_running_loop().time() < deadline:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with http.get(url) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)
    raise running.Unfit(f"{url} does not answer.")
