"""Acting: how a command reaches the database, and how what a person can mend is told in one sentence."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from rich.console import Console

from torv import running
from torv.base.errors import TorvError
from torv.base.migrate import MigrationChanged
from torv.base.settings import SettingInvalid, Settings, read_settings

T = TypeVar("T")
console = Console(stderr=True)


def act(verb: Callable[[str], Awaitable[T]]) -> T:
    """Run what needs the address of the database and nothing else."""
    done: T = run(_with_database(read_settings(), verb))
    return done


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a command; what a person can mend is one sentence, without a traceback."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        sys.exit(130)
    except (running.Unfit, SettingInvalid, MigrationChanged) as error:
        complain(str(error))
    except TorvError as error:
        complain(error.message("en"))
    except OSError as error:
        complain(f"{error.strerror}: {error.filename or 'the address to listen on'}")
    sys.exit(1)


def complain(sentence: str) -> None:
    """Say what went wrong."""
    console.print(f"torv: {sentence}", style="red", markup=False, highlight=False, soft_wrap=True)


def tell(sentence: str) -> None:
    """Say what was done, in one line."""
    console.print(sentence, markup=False, highlight=False, soft_wrap=True)


async def _with_database(settings: Settings, verb: Callable[[str], Awaitable[T]]) -> T:
    async with running.database_of(settings) as dsn:
        return await verb(dsn)
