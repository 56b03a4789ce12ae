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

    task = asyncio.create_task(background.forever(step))
    async with asyncio.timeout(5):
        while len(steps) < 4:
            await asyncio.sleep(0.001)
    task.cancel()
    assert (await asyncio.gather(task, return_exceptions=True))[0].__class__ is asyncio.CancelledError


async def test_what_fails_just_as_it_is_cancelled_is_not_started_afresh() -> None:
    steps: list[int] = []
    failing = asyncio.Event()

    async def fail() -> None:
        await failing.wait()
        raise ZeroDivisionError

    async def step() -> None:
        steps.append(len(steps))
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())

    task = asyncio.create_task(background.forever(step))
    while not steps:
        await asyncio.sleep(0)
    await asyncio.sleep(0)  # until it waits for its own task
    failing.set()
    await asyncio.sleep(0)  # its own task has failed; it does not know yet
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done == {task}
    assert task.cancelled()
    assert len(steps) == 1


async def test_a_step_is_started_afresh_however_often_its_own_tasks_fail() -> None:
    steps: list[int] = []

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    async def step() -> None:
        steps.append(len(steps))
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())

    task = asyncio.create_task(background.forever(step))
    async with asyncio.timeout(10):
        while len(steps) < 3:
            await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_a_step_that_is_cancelled_by_another_is_started_afresh() -> None:
    steps: list[asyncio.Task[None]] = []

    async def step() -> None:
        me = asyncio.current_task()
        assert me is not None
        steps.append(me)
        await asyncio.sleep(60)

    task = asyncio.create_task(background.forever(step))
    async with asyncio.timeout(10):
        while len(steps) < 2:
            await asyncio.sleep(0.05)
            steps[0].cancel()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert steps[-1].cancelled()


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
