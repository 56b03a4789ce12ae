"""Usage: what process trees have cost, and what they hold in memory, as the Linux kernel counts it in /proc."""

import os
import re
from collections import defaultdict
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(*roots: int) -> float:
    """CPU time, user and system, of these processes, their living descendants, and children that have ended."""
    children, ticks = _read_processes()
    found, ahead = set[int](), list(roots)
    while ahead:
        pid = ahead.pop()
        if pid not in found:  # one root may stand below another
            found.add(pid)
            ahead += children[pid]
    return sum(ticks.get(pid, 0) for pid in found) / _TICKS


def machine_seconds() -> float:
    """CPU time, user and system, of everything that has run on this machine."""
    user, nice, system = Path("/proc/stat").read_text().split(maxsplit=4)[1:4]
    return (int(user) + int(nice) + int(system)) / _TICKS


def _read_processes() -> tuple[defaultdict[int, list[int]], dict[int, int]]:
    """Process -> its children, and process -> its clock ticks."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    ticks: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()  # a name may hold spaces
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
        pid = int(stat.parent.name)
        children[int(fields[1])].append(pid)
        ticks[pid] = sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime
    return children, ticks


def memory_mb(pid: int) -> float:
    """Memory of a process in MB; what several share is divided among them (PSS)."""
    found = re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024
