"""Background work: what fails is started afresh, and nothing holds the event loop."""

import asyncio
import time

from argon2 import PasswordHasher

from tests.cast import ANNA, PASSWORDS
from tests.served import Api
from torv.base import background
from torv.base.errors import Busy


async def test_a_step_that_fails_is_started_afresh() -> None:
    steps: list[int] = []

    async def step() -> None:
        steps.append(len(steps))
        raise (Busy(), ZeroDivisionError())[len(steps) % 2]

    task = asyncio.create_task(background.forever(step, pause=0.001))
    async with asyncio.timeout(5):
        while len(steps) < 4:
            await asyncio.sleep(0.001)
    task.cancel()
    assert (await asyncio.gather(task, return_exceptions=True))[0].__class__ is asyncio.CancelledError


async def test_the_lag_of_the_loop_is_a_metric(api: Api) -> None:
    await asyncio.sleep(background.LAG_INTERVAL)
    time.sleep(0.5)  # noqa: ASYNC251 holding the loop, which it is there to notice
    await asyncio.sleep(0.1)
    assert await api.metric("torv_loop_lag_seconds") > 0.2


async def test_checking_passwords_holds_nobody_else(api: Api) -> None:
    credentials, one_check = {"login": ANNA, "password": PASSWORDS[ANNA]}, _time_of_one_check()
    signing_in = [asyncio.create_task(api.post("/api/v1/identity/sessions", credentials)) for _ in range(4)]
    stalls = 0
    while not all(each.done() for each in signing_in):
        began = time.monotonic()
        await asyncio.sleep(0.002)
        stalls += time.monotonic() - began > one_check / 2
    assert [each.result().status for each in signing_in] == [201] * 4
    assert stalls < 4  # each check would be one, were it let loose on the loop


def _time_of_one_check() -> float:
    hasher = PasswordHasher()
    stored, times = hasher.hash("x"), []
    for _ in range(3):
        began = time.monotonic()
        hasher.verify(stored, "x")
        times.append(time.monotonic() - began)
    return min(times)
