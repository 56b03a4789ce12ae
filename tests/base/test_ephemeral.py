"""`torv serve --ephemeral`: a whole Torv, and afterwards nothing."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from torv.base import embedded

pytestmark = pytest.mark.anyio
START_TIME = 120


async def test_an_ephemeral_torv_answers_lets_its_users_in_and_leaves_nothing() -> None:
    mine = {name: value for name, value in os.environ.items() if not name.startswith("TORV_")}
    settings = {"TORV_PORT": "0", "TORV_PROCESSES": "1", "TORV_LOG_LEVEL": "warning"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "torv.cli", "serve", "--ephemeral", env=mine | settings, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    told = json.loads(await asyncio.wait_for(process.stdout.readline(), START_TIME))
    state = Path(told["state_dir"])
    cluster = embedded.place(state)
    assert there(state, cluster.data) == [True, True]
    async with aiohttp.ClientSession() as http:
        assert [await signed_in(http, told["url"], user) for user in told["users"]] == [True, True]
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), START_TIME) == 0
    assert there(state, cluster.home) == [False, False]


def there(*places: Path) -> list[bool]:
    return [each.exists() for each in places]


async def signed_in(http: aiohttp.ClientSession, url: str, user: dict[str, str]) -> bool:
    for _ in range(100):  # the first process may still be starting
        try:
            async with http.post(f"{url}/api/v1/identity/sessions", json=user) as answer:
                if answer.status != 503:
                    return "token" in await answer.json()
        except aiohttp.ClientConnectionError:
            pass
        await asyncio.sleep(0.2)
    return False
