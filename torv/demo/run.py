"""`torv demo`: the made-up municipality, served until Ctrl-C."""

import asyncio
import signal

from rich.console import Console
from rich.table import Table

from torv.base import logs
from torv.base.settings import Settings
from torv.demo.borrowed import has_town
from torv.demo.office import NAMES, PASSWORDS
from torv.demo.stage import Stage, clear, is_set, set_stage

CITIZENS = 40
console = Console()


async def show(settings: Settings, *, fresh: bool) -> int:
    """Serve until Ctrl-C; gives the exit code. A second start goes on where the first ended."""
    logs.configure("warning")
    folder = settings.state_dir.resolve() / "demo"
    if fresh or not is_set(folder):
        if settings.database_url and await has_town(settings.database_url):
            console.print("Databasen i TORV_DATABASE_URL er en tidligere demos. Alt, Torv har i den, slettes nu.")
        clear(folder)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    with console.status("Starter") as status:
        async with set_stage(settings, folder, citizens=CITIZENS, report=status.update, whole=True) as stage:
            status.stop()
            _welcome(stage)
            await stopped.wait()
            console.print("Stopper.")
    return 0


def _welcome(stage: Stage) -> None:
    table = Table(title=f"Torv svarer på {stage.settings.issuer}", title_justify="left", show_header=True)
    for heading in ("Navn", "Brugernavn", "Adgangskode"):
        table.add_column(heading)
    for login, password in PASSWORDS.items():
        table.add_row(NAMES[login], login, password)
    console.print(table)
    console.print("Ctrl-C stopper det hele. Se et leverandørskift under fuld drift: torv demo --story", markup=False)
    console.print(
        f"Andre kommandoer til denne kommune: TORV_STATE_DIR={stage.settings.state_dir} torv …",
        markup=False,
        soft_wrap=True,
    )
