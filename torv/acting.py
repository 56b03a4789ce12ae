"""Acting: how a command reaches the database, and how what a person can mend is told in one sentence."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from rich.console import Console

from torv import running
from torv.base.db import Database, Tx
from torv.base.embedded import EmbeddedError
from torv.base.errors import TorvError
from torv.base.migrate import MigrationChanged
from torv.base.settings import SettingInvalid, Settings, read_settings

T = TypeVar("T")
FILE_FAULTS_DA = {
    FileExistsError: "filen findes allerede", FileNotFoundError: "filen findes ikke",
    IsADirectoryError: "det er en mappe", PermissionError: "der er ikke adgang",
}  # fmt: skip
console = Console(stderr=True)


def act(verb: Callable[[str], Awaitable[T]]) -> T:
    """Run what needs the address of the database and nothing else."""
    with told():
        settings = read_settings()
    return run(_with_database(settings, verb))


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command to its end."""
    with told():
        return asyncio.run(work)


@contextmanager
def told() -> Iterator[None]:
    """What a person can mend is told in the installation's language, without a traceback, and ends the command."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)
    except TorvError as error:
        stop(error)
    except (running.Unfit, EmbeddedError, SettingInvalid, MigrationChanged) as error:
        complain(str(error))
        sys.exit(1)
    except OSError as error:
        complain(_about_file(error))
        sys.exit(1)


def complain(sentence: str) -> None:
    """Say what went wrong."""
    console.print(f"torv: {sentence}", style="red", markup=False, highlight=False, soft_wrap=True)


def tell(sentence: str) -> None:
    """Say what was done, in one line."""
    console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def in_database(verb: Callable[[Tx], Awaitable[T]]) -> T:
    """Do something in one transaction; what is refused is told in the installation's language."""

    async def attempt(dsn: str) -> T:
        async with Database.opened(dsn, 2) as database, database.transaction() as tx:
            return await verb(tx)

    return act(attempt)


def caught(verb: Callable[[], T]) -> T:
    """Do something that needs no database; what is refused is told in the installation's language."""
    with told():
        return verb()


def stop(error: TorvError) -> NoReturn:
    """Tell what is wrong, each thing on a line of its own where there are several."""
    language = read_settings().language
    faults = error.facts.get("faults", ())
    for each in faults:
        why = each["reason_da" if language == "da" else "reason"]
        place = f"{each['file']} {each['place']}" if "file" in each else _line(each["line"], language)
        complain(f"{place}: {why}".replace(" :", ":"))
    if not faults:
        complain(error.message(language))
    sys.exit(1)


def refuse(danish: str, english: str) -> NoReturn:
    """Tell what is wrong, in the installation's language, and end the command."""
    complain(danish if read_settings().language == "da" else english)
    sys.exit(1)


def say(danish: str, english: str) -> None:
    """Say what was done, in the installation's language."""
    tell(danish if read_settings().language == "da" else english)


def _about_file(error: OSError) -> str:
    fault = error.strerror or type(error).__name__
    if read_settings().language == "da":
        fault = FILE_FAULTS_DA.get(type(error), fault)
    return f"{error.filename}: {fault}" if error.filename else fault


def _line(number: int, language: str) -> str:
    return f"linje {number}" if language == "da" else f"line {number}"


async def _with_database(settings: Settings, verb: Callable[[str], Awaitable[T]]) -> T:
    async with running.database_of(settings) as dsn:
        return await verb(dsn)
