"""Migrations: forward-only SQL files per slice, run once each in order, under one lock, with checksums."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torv.base.db import Database, Tx
from torv.base.sql import Queries, load

sql: Queries = load(str(Path(__file__).with_name("migrations") / "queries.sql"))


class MigrationChanged(Exception):
    """A migration that has run was edited afterwards: {name}."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    name: str  #: "persons/0001_persons.sql"
    checksum: str  #: SHA-256 of the file, hex


async def migrate(database: Database, folders: Sequence[Path]) -> list[str]:
    """Run what has not run, slice by slice in the given order; gives the names. Everything or nothing is kept.

    A folder is a slice; its name is the name of its PostgreSQL schema. Raises MigrationChanged.
    """
    async with database.transaction() as tx:
        await tx.value(sql.lock)  # before all else: even `if not exists` fails when two do it at once
        await tx.script(sql.prepare.text)
        done = {each.name: each.checksum for each in await tx.all(Done, sql.done)}
        return [name for folder in folders for name in await _migrate_slice(tx, folder, done)]


async def pending(database: Database, folders: Sequence[Path]) -> list[str]:
    """The names of what has not run. Raises MigrationChanged."""
    async with database.transaction() as tx:
        await tx.script(sql.prepare.text)
        done = {each.name: each.checksum for each in await tx.all(Done, sql.done)}
    return [name for folder in folders for name, _, checksum in _files(folder) if _is_waiting(name, checksum, done)]


async def _migrate_slice(tx: Tx, folder: Path, done: dict[str, str]) -> list[str]:
    await tx.script(f'create schema if not exists "{folder.name}"')
    ran = []
    for name, text, checksum in _files(folder):
        if _is_waiting(name, checksum, done):
            await tx.script(text)
            await tx.run(sql.remember, name=name, checksum=checksum)
            ran.append(name)
    return ran


def _files(folder: Path) -> Iterator[tuple[str, str, str]]:
    """The migrations of a slice in order: name, text, checksum."""
    for file in sorted((folder / "migrations").glob("[0-9]*.sql")):
        text = file.read_text(encoding="utf-8")
        yield f"{folder.name}/{file.name}", text, hashlib.sha256(text.encode()).hexdigest()


def _is_waiting(name: str, checksum: str, done: dict[str, str]) -> bool:
    if done.get(name, checksum) != checksum:
        raise MigrationChanged((MigrationChanged.__doc__ or "").format(name=name))
    return name not in done
