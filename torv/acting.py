"""Acting: how a command reaches the database, and how what a person can mend is told in one sentence."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn, TypeVar

from rich.console import Console

from torv import running
from torv.base.db import Database, Tx
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


def in_database(verb: Callable[[Tx], Awaitable[T]]) -> T:
    """Do something in one transaction; what is refused is told in the installation's language."""

    async def attempt(dsn: str) -> T | TorvError:
        database = await Database.open(dsn, 2)
        try:
            async with database.transaction() as tx:
                return await verb(tx)
        except TorvError as error:
            return error
        finally:
            await database.close()

    done = act(attempt)
    if isinstance(done, TorvError):
        stop(done)
    return done


def caught(verb: Callable[[], T]) -> T:
    """Do something that needs no database; what is refused is told in the installation's language."""
    try:
        return verb()
    except TorvError as error:
        stop(error)


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


def say(danish: str, english: str) -> None:
    """Say what was done, in the installation's language."""
    tell(danish if read_settings().language == "da" else english)


def _line(number: int, language: str) -> str:
    return f"linje {number}" if language == "da" else f"line {number}"


async def _with_database(settings: Settings, verb: Callable[[str], Awaitable[T]]) -> T:
    async with running.database_of(settings) as dsn:
        return await verb(dsn)
