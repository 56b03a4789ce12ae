"""Explain: how PostgreSQL finds the rows of every list of persons when there are a million of them.

A prepared statement gets a plan for its values at first; after five times PostgreSQL may take one plan for all values.
So each list is shown with both, and with the one PostgreSQL settled on.
"""

import re
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

from bench import reporting
from bench.crowd import fill
from bench.crowd import sql as own
from torv.base import clock, embedded
from torv.base.db import Database, Tx
from torv.base.migrate import migrate
from torv.base.sql import Query
from torv.kernel.persons.searching import sql
from torv.kernel.persons.words import ADDRESS, NAME, what_is_meant
from torv.wiring import schema_folders

SLOW = 200.0  #: ms
SIZE = 51  #: rows of a page, and one to know whether there is a next
SETTINGS = {"maintenance_work_mem": "512MB", "max_wal_size": "4GB"}  #: for filling; reading is as in production
_TIME = re.compile(r"Execution Time: ([0-9.]+) ms")
_INDEX = re.compile(r"(?:Index(?: Only)? Scan(?: Backward)? using|Bitmap Index Scan on) (\w+)")
_HIDDEN = {"sees_names": False, "today": clock.today()}


@dataclass(frozen=True, kw_only=True, slots=True)
class List:
    """A list, and what is asked of it."""

    title: str
    query: Query
    values: dict[str, Any]
    is_later_page: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Explained:
    """A list's plans."""

    list: List
    custom: str  #: made for these values
    generic: str  #: made for any values
    settled: str  #: "custom" or "generic": what PostgreSQL takes from the sixth time on


def lists() -> list[List]:
    """Every list of persons, with common and rare values, and a later page."""
    born = date(1971, 5, 17)
    names = {
        "a common name": "Jensen", "a common first and last name": "Mette Nielsen", "with a typing error": "Sørnsen",
        "a rare name": "Ørneholt", "a name of three letters": "Ole", "a name nobody has": "Xqwzyk",
    }  # fmt: skip
    by_name = [
        List(title=f"search_by_name: {what}", query=sql.search_by_name, values={"name": name, **_HIDDEN})
        for what, name in names.items()
    ]
    by_birth = [
        List(
            title=f"search_by_birth_date: {what}", query=sql.search_by_birth_date,
            values={"birth_date": born, "name": name, **_HIDDEN},
        )
        for what, name in (("alone", None), ("with a name", "Jensen"))
    ]  # fmt: skip
    by_address = [
        List(
            title=f"search_by_address: {what}", query=sql.search_by_address,
            values={"address": line, "birth_date": None, "name": name, "sees_addresses": False, **_HIDDEN},
        )
        for what, line, name in (
            ("a house", "Rosevej 12", None),
            ("a street", "Rosevej", None),
            ("a street and a name", "Rosevej", "Jensen"),
            ("the town", "Fjordby", None),
        )
    ]  # fmt: skip
    later = [
        List(title=f"{each.title}, a later page", query=each.query, values=each.values, is_later_page=True)
        for each in (by_name[0], by_address[1])
    ]
    return [*by_name, *by_birth, *by_address, *later]


async def explain(persons: int, report: Callable[[str], None]) -> str:
    """Fill a database of its own and explain every list; gives a page of Markdown."""
    with tempfile.TemporaryDirectory(prefix="torv-bench-") as folder:
        cluster = embedded.place(Path(folder))
        server = embedded.start(cluster, durable=False, settings=SETTINGS)
        try:
            async with Database.opened(server.dsn(), 2) as database:
                await migrate(database, schema_folders())
                report(f"Filling with {persons} persons")
                began = time.monotonic()
                await fill(database, persons, is_empty=True)
                took = time.monotonic() - began
                report("Explaining")
                explained = [await _explain(database, each) for each in lists()]
        finally:
            server.stop()
            embedded.remove(cluster)
            shutil.rmtree(cluster.home, ignore_errors=True)  # root's is not in the folder
    return page(explained, persons, took)


async def _explain(database: Database, each: List) -> Explained:
    async with database.transaction() as tx:
        values = {"size": SIZE, "after_sort": None, "after_id": None, **each.values}
        for kind in {NAME, ADDRESS} & values.keys():
            values[kind] = await what_is_meant(tx, values[kind], kind, sees_hidden=False)
        if each.is_later_page:
            values |= await _after(tx, each.query, values)
        await tx.script(f"prepare listed as {each.query.text}")
        plans = {}
        for kind in ("custom", "generic"):
            await tx.script(f"set local plan_cache_mode = force_{kind}_plan")
            await _plan(tx, each.query, values)  # the first time reads what is not in memory yet
            plans[kind] = await _plan(tx, each.query, values)
        await tx.script("deallocate listed; set local plan_cache_mode = auto")
        await tx.script(f"prepare listed as {each.query.text}")
        for _ in range(7):
            await tx.script(_execute(each.query, values))
        settled = (await tx.all(dict, own.plans_taken, name="listed"))[0]
        await tx.script("deallocate listed")
    return Explained(list=each, settled="generic" if settled["generic_plans"] else "custom", **plans)


async def _after(tx: Tx, query: Query, values: dict[str, Any]) -> dict[str, Any]:
    """The key of the last row of the tenth page."""
    rows = await tx.all(dict, query, **{**values, "size": 500})
    return {"after_sort": rows[-1]["name_sort"], "after_id": rows[-1]["id"]}


async def _plan(tx: Tx, query: Query, values: dict[str, Any]) -> str:
    text = f"explain (analyze, buffers, costs off) {_execute(query, values)}"
    rows = await tx.all(dict, Query(name="plan", sentence="", text=text, parameters=()))
    return "\n".join(row["QUERY PLAN"] for row in rows)


def _execute(query: Query, values: dict[str, Any]) -> str:
    return f"execute listed ({', '.join(_literal(values[name]) for name in query.parameters)})"


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, str | date | UUID):
        quoted = str(value).replace("'", "''")
        return f"'{quoted}'"
    return str(value).lower()


def page(explained: list[Explained], persons: int, took: float) -> str:
    """All of it as Markdown, with what each plan shows in a sentence."""
    facts = reporting.machine()
    head = (
        f"# Every list of persons, explained at {persons:,} persons\n\n`python -m bench explain` writes this page. "
        "Each list is asked for without a permit for protected names and addresses, 50 to a page, the second time in a "
        f"row; PostgreSQL has 128 MB of shared buffers. The table was filled in {took:.0f} s.\n"
        f"Machine: {facts['cpu']}, {facts['cores']} cores, load {facts['load_before']} before. {facts['date']}.\n"
    )
    rows = [f"| {each.list.title} | {_ms(each.custom)} | {_ms(each.generic)} | {each.settled} |" for each in explained]
    table = "\n".join(
        (
            "| list | plan for its values, ms | plan for any values, ms | settles on |",
            "| --- | ---: | ---: | --- |",
            *rows,
        )
    )
    return "\n".join((head, table, "", *(_section(each) for each in explained)))


def _section(each: Explained) -> str:
    parts = [f"## {each.list.title}\n", f"{_sentence(each)}\n"]
    for name, plan in (("Plan for its values", each.custom), ("Plan for any values", each.generic)):
        parts.append(f"{name}:\n```\n{plan}\n```\n")
    return "\n".join(parts)


def _sentence(each: Explained) -> str:
    """What the plans show."""
    said = []
    for name, plan in (("For its values", each.custom), ("for any values", each.generic)):
        ways = sorted(set(_INDEX.findall(plan)))
        through = "a scan of the whole table" if "Seq Scan on persons" in plan else f"`{'` and `'.join(ways)}`"
        slow = ", too slow" if _ms(plan) > SLOW else ""
        said.append(f"{name} it goes through {through} in {_ms(plan)} ms{slow}")
    return f"{'; '.join(said)}. PostgreSQL settles on the {each.settled} plan."


def _ms(plan: str) -> float:
    found = _TIME.search(plan)
    assert found is not None
    return round(float(found[1]), 1)
