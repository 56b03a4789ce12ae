"""Processes: whoever is killed is started again, the port stays open meanwhile, and nothing is left behind."""

import asyncio
import os
import re
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from torv import running
from torv.base.processes import Program, Supervisor, bare_environment, python
from torv.base.server import listen
from torv.base.settings import Settings


@asynccontextmanager
async def installation(settings: Settings, dsn: str, tmp_path: Path) -> AsyncIterator[tuple[Supervisor, str]]:
    """Two API processes on one port, as `torv serve` has them."""
    listening = listen("127.0.0.1", 0)
    settings = replace(settings, port=listening.getsockname()[1], state_dir=tmp_path, log_level="error")
    supervisor = Supervisor()
    for program in running.api_programs(settings, dsn, listening):
        await supervisor.start(program)
    try:
        await _both_count(settings.issuer)
        yield supervisor, settings.issuer
    finally:
        await supervisor.stop_all()
        listening.close()


async def _get(url: str) -> str:
    """A connection of its own each time, so that both processes get some; a connection cut by a kill is tried again."""
    while True:
        try:
            async with aiohttp.ClientSession() as http, http.get(url) as answer:
                assert answer.status == 200, url
                return await answer.text()
        except aiohttp.ClientConnectorError:
            pytest.fail("the port is closed")
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            continue


async def _leases(url: str) -> int:
    return len(set(re.findall(r"^torv_lease_age_seconds\{?.*", await _get(f"{url}/metrics"), re.MULTILINE)))


async def _both_count(url: str) -> None:
    async with asyncio.timeout(30):
        while await _leases(url) == 0:
            await asyncio.sleep(0.05)


def _requests(text: str) -> float:
    return sum(float(each) for each in re.findall(r"^torv_requests_total\{.*?\} (\S+)", text, re.MULTILINE))


async def test_a_killed_process_closes_no_port_and_is_started_again(
    settings: Settings, dsn: str, tmp_path: Path
) -> None:
    async with installation(settings, dsn, tmp_path) as (supervisor, url):
        killed = supervisor.pid("api-1")
        os.kill(killed, signal.SIGKILL)
        async with asyncio.timeout(30):
            while supervisor.pid("api-1") == killed or supervisor.is_dead("api-1"):
                await _get(f"{url}/health/live")
        for _ in range(20):
            await _get(f"{url}/health/live")
        pids = [supervisor.pid(name) for name in ("api-1", "api-2")]
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_metrics_are_those_of_all_processes_and_of_none_that_is_dead(
    settings: Settings, dsn: str, tmp_path: Path
) -> None:
    async with installation(settings, dsn, tmp_path) as (supervisor, url):
        before = _requests(await _get(f"{url}/metrics"))
        for _ in range(40):
            await _get(f"{url}/health/live")
        assert _requests(await _get(f"{url}/metrics")) >= before + 40
        killed = supervisor.pid("api-1")
        os.kill(killed, signal.SIGKILL)
        await asyncio.sleep(0.3)
        assert _requests(await _get(f"{url}/metrics")) >= before + 40  # what it counted stays
        files = [file.name for file in (tmp_path / "metrics").glob(f"*_{killed}.db")]
        assert [name for name in files if name.startswith("gauge_live")] == []
        assert files != []


async def test_a_program_that_keeps_failing_is_started_ever_more_slowly(tmp_path: Path) -> None:
    starts, supervisor = tmp_path / "starts", Supervisor()
    code = f"open({str(starts)!r}, 'a').write('x')"
    await supervisor.start(Program(name="fails", argv=python("-c", code)))
    await asyncio.sleep(2.5)
    await supervisor.stop_all()
    assert 2 <= len(starts.read_text()) <= 5


async def test_a_program_that_does_not_listen_to_the_signal_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torv.base.processes.STOP_TIME", 0.3)
    ready, supervisor = tmp_path / "ready", Supervisor()
    code = f"import signal, time; signal.signal(15, signal.SIG_IGN); open({str(ready)!r}, 'w'); time.sleep(60)"
    await supervisor.start(Program(name="deaf", argv=python("-c", code)))
    async with asyncio.timeout(20):
        while not ready.exists():
            await asyncio.sleep(0.02)
    pid = supervisor.pid("deaf")
    await supervisor.stop("deaf")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_program_gets_no_setting_or_secret_it_was_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORV_DATABASE_URL", "secret")
    assert "TORV_DATABASE_URL" not in bare_environment()
    assert "PATH" in bare_environment()


def test_a_port_in_use_is_an_error_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", taken.getsockname()[1])
