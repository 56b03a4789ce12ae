"""pgbench: what the same PostgreSQL does without Torv, as a yardstick."""

import asyncio
import tempfile
from pathlib import Path

from bench.models import Load, percentiles
from torv.base.embedded import Cluster
from torv.base.processes import bare_environment

DATABASE = "yardstick"
SCALE = 10
#: line -> options
SCRIPTS = {"pgbench: select (-S)": "-S", "pgbench: update and insert (-N)": "-N"}


async def prepare(cluster: Cluster) -> None:
    """Make pgbench's own database in the cluster."""
    await _run(cluster, "createdb", DATABASE)
    await _run(cluster, "pgbench", "--initialize", "--quiet", f"--scale={SCALE}", DATABASE)


async def run(cluster: Cluster, option: str, connections: int, seconds: float) -> Load:
    """Run a script with prepared statements; every transaction is logged, for the percentiles."""
    with tempfile.TemporaryDirectory() as folder:
        await _run(
            cluster, "pgbench", option, "--no-vacuum", "--protocol=prepared", f"--client={connections}",
            f"--time={round(seconds)}", "--log", f"--log-prefix={folder}/each", DATABASE,
        )  # fmt: skip
        latencies = _latencies(Path(folder))
    p50, p99 = percentiles(latencies)
    return Load(
        requests=len(latencies), seconds=round(seconds), p50_ms=p50 * 1000, p99_ms=p99 * 1000,
        all_requests=len(latencies), unexpected={},
    )  # fmt: skip


def _latencies(folder: Path) -> list[float]:
    """Seconds of each transaction: the third column of the logs, in microseconds."""
    return [int(line.split()[2]) / 1e6 for file in folder.iterdir() for line in file.read_text().splitlines()]


async def _run(cluster: Cluster, program: str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        str(cluster.binaries / program), f"--host={cluster.socket_dir}", "--username=torv", *arguments,
        env=bare_environment(), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, complaint = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{program}: {complaint.decode(errors='replace').strip()}")
