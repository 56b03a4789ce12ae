"""The doctor: looks an installation over, and says in a sentence what is wrong and what to do about it."""

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from torv.base.db import Database, sql
from torv.base.errors import TorvError
from torv.base.migrate import MigrationChanged, pending
from torv.base.settings import Settings
from torv.wiring import schema_folders

OLDEST = 150_000  #: PostgreSQL 15
ROOM = 2 * 1024**3  #: bytes that should be free
CLOCK_SLACK = 2.0  #: seconds our clock and the database's may differ
SAFETY = ("fsync", "full_page_writes", "synchronous_commit")


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """One thing that was looked at."""

    what: str
    found: str
    advice: str | None = None  #: what to do; None when all is well

    @property
    def is_well(self) -> bool:
        return self.advice is None


async def examine(settings: Settings, dsn: str) -> list[Diagnosis]:
    """Look everything over; what cannot be looked at is a diagnosis too."""
    found = [_settings(settings), _disk(settings.state_dir), _keys(settings.keys_dir)]
    try:
        database = await Database.open(dsn, 2)
    except TorvError as error:
        advice = "Start the database, or correct TORV_DATABASE_URL."
        return [*found, Diagnosis(what="database", found=error.message("en"), advice=advice)]
    try:
        tables = await _tables(database)
        found += [*await _database(database), await _clock(database), tables]
        return [*found, await _trail(database)] if tables.is_well else found
    finally:
        await database.close()


def unsafe_settings(facts: dict[str, str]) -> list[str]:
    """The settings with which the database could lose what Torv has acknowledged."""
    return [name for name in SAFETY if facts[name] == "off"]


async def _database(database: Database) -> list[Diagnosis]:
    async with database.reading() as tx:
        facts = (await tx.all(dict, sql.durability))[0]
    version = f"PostgreSQL {facts['version'] // 10_000}"
    old = "Torv needs PostgreSQL 15 or newer." if facts["version"] < OLDEST else None
    off = unsafe_settings(facts)
    advice = f"Switch on {', '.join(off)}: an acknowledged write could be lost." if off else None
    settings = ", ".join(f"{name} {facts[name]}" for name in SAFETY)
    return [
        Diagnosis(what="database", found=version, advice=old),
        Diagnosis(what="durability", found=settings, advice=advice),
    ]


async def _clock(database: Database) -> Diagnosis:
    async with database.reading() as tx:
        before = time.time()
        theirs = float(await tx.value(sql.clock))
    apart = abs(theirs - (before + time.time()) / 2)
    advice = "Set both clocks by NTP." if apart > CLOCK_SLACK else None
    return Diagnosis(what="clock", found=f"{apart:.2f} s from the database's", advice=advice)


async def _tables(database: Database) -> Diagnosis:
    try:
        waiting = await pending(database, schema_folders())
    except MigrationChanged as error:
        return Diagnosis(what="tables", found=str(error), advice="Bring back the migration as it was when it ran.")
    if waiting:
        return Diagnosis(what="tables", found=f"{len(waiting)} migrations have not run", advice="Run `torv migrate`.")
    return Diagnosis(what="tables", found="up to date")


async def _trail(database: Database) -> Diagnosis:
    async with database.reading() as tx:
        newest = await tx.value(sql.newest_entry)
    ahead = newest - time.time() if newest is not None else 0.0
    if ahead <= CLOCK_SLACK:
        return Diagnosis(what="trail", found="nothing in it is later than now")
    advice = "Set the clock right. If it is right, and ran ahead before, see TORV_TRUST_CLOCK."
    return Diagnosis(what="trail", found=f"the newest entry is {ahead:.0f} s later than now", advice=advice)


def _settings(settings: Settings) -> Diagnosis:
    if settings.private_modules and settings.issuer.startswith("https:"):
        advice = "Unset TORV_PRIVATE_MODULES unless your modules stand behind your own wall."
        return Diagnosis(what="settings", found="modules may stand on private addresses", advice=advice)
    if not settings.issuer.startswith("https:") and settings.host not in ("127.0.0.1", "::1", "localhost"):
        advice = "Put a server with a certificate before Torv, and set TORV_PUBLIC_URL to its https address."
        return Diagnosis(what="settings", found="reached without https", advice=advice)
    return Diagnosis(what="settings", found=settings.issuer)


def _disk(state_dir: Path) -> Diagnosis:
    place = next(each for each in (state_dir.resolve(), *state_dir.resolve().parents) if each.exists())
    free = shutil.disk_usage(place).free
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Diagnosis(what="disk", found=f"{error.strerror}", advice=f"Let Torv write in {state_dir}.")
    advice = "Make room: a full disk stops every write." if free < ROOM else None
    return Diagnosis(what="disk", found=f"{free / 1024**3:.0f} GiB free", advice=advice)


def _keys(keys_dir: Path) -> Diagnosis:
    if not keys_dir.exists():
        return Diagnosis(what="keys", found="none yet; they are made at the first start")
    open_to_others = [file.name for file in keys_dir.iterdir() if file.stat().st_mode & 0o077]
    advice = f"Run: chmod 600 {keys_dir}/*" if open_to_others else None
    return Diagnosis(what="keys", found="readable by others" if open_to_others else "private", advice=advice)
