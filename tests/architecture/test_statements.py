"""SQL stays at home: named, explained, valid against the schema, and about its own slice's tables."""

import asyncio
import re
from configparser import ConfigParser
from pathlib import Path

import asyncpg
import pytest

from tests.architecture.tree import ROOT, SLICES
from torv.base import sql
from torv.base.db import Database
from torv.base.migrate import migrate

HOMES = [ROOT / "torv" / "base", ROOT / "torv" / "base" / "migrations", *SLICES]
SCHEMAS = {folder.name for folder in SLICES} | {"base"}
SCRIPTS = {("migrations", "prepare")}  #: several statements at once, which PREPARE does not take; every start runs them
COMMENT = re.compile(r"--[^\n]*")

each_home = pytest.mark.parametrize("home", HOMES, ids=lambda home: "/".join(home.parts[-2:]))


@each_home
def test_every_statement_has_a_sentence(home: Path) -> None:
    queries = sql.parse((home / "queries.sql").read_text(encoding="utf-8")).values()
    assert queries
    assert [query.name for query in queries if not re.fullmatch(r"[A-Z0-9].*\.", query.sentence)] == []


@each_home
def test_statements_name_only_their_own_tables_and_others_views(home: Path) -> None:
    own = home.name if home.name != "migrations" else home.parent.name
    text = COMMENT.sub("", (home / "queries.sql").read_text(encoding="utf-8"))
    named = re.findall(rf"\b({'|'.join(sorted(SCHEMAS))})\.(\w+)\b(?!\()", text)  # a function is nobody's table
    assert [f"{schema}.{name}" for schema, name in named if schema != own and not name.startswith("v_")] == []
    assert named


@pytest.mark.parametrize("folder", SLICES, ids=lambda folder: folder.name)
def test_migrations_make_things_only_in_their_own_schema(folder: Path) -> None:
    made = re.compile(
        r"\bcreate (?:or replace )?(?:unlogged )?(?:table|view|type|function|sequence) (?:if not exists )?(\w+)"
    )
    for path in (folder / "migrations").glob("*.sql"):
        text = COMMENT.sub("", path.read_text(encoding="utf-8")).lower()
        assert set(made.findall(text)) <= {folder.name}, path.name


def test_no_statement_stands_in_python() -> None:
    statement = re.compile(
        r"""["']\s*(select\s.+\sfrom|insert\s+into|update\s+\S+\s+set|delete\s+from)\s""", re.IGNORECASE
    )
    found = [path for path in (ROOT / "torv").rglob("*.py") if statement.search(path.read_text(encoding="utf-8"))]
    assert [path.relative_to(ROOT).as_posix() for path in found] == []


def test_every_statement_fits_the_schema(dsn_of_empty_database: str) -> None:
    assert asyncio.run(prepare_all(dsn_of_empty_database)) == []


async def prepare_all(dsn: str) -> list[str]:
    """PREPARE each statement on a migrated database; gives what PostgreSQL says against it."""
    async with Database.opened(dsn) as database:
        await migrate(database, [ROOT / "torv" / "base", *from_bottom_to_top()])
    connection = await asyncpg.connect(dsn)
    found = []
    for home in HOMES:
        for query in sql.parse((home / "queries.sql").read_text(encoding="utf-8")).values():
            if (home.name, query.name) in SCRIPTS:
                continue
            try:
                await connection.prepare(query.text)
            except asyncpg.PostgresError as error:
                found.append(f"{home.name} {query.name}: {error}")
    await connection.close()
    return found


def from_bottom_to_top() -> list[Path]:
    """The slices in the order the import rules give them, which is the order in which their foreign keys may point."""
    rules = ConfigParser()
    rules.read(ROOT / ".importlinter", encoding="utf-8")
    floors = [rules[f"importlinter:contract:{floor}"]["layers"].split("\n")[::-1] for floor in ("kernel", "ecosystem")]
    order = [name for floor in floors for layer in floor for name in re.findall(r"\w+", layer)]
    return sorted(SLICES, key=lambda folder: order.index(folder.name))
