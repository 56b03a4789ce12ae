"""Torv's own processes are killed -9 under traffic: nothing acknowledged is lost or doubled, all goes on by itself."""

import asyncio
import os
import signal

import pytest

from tests.kill.scene import Scene, postmaster


async def test_api_processes_may_die_again_and_again(scene: Scene) -> None:
    async with scene.traffic():
        move = await scene.plan("kviknote")
        for turn in range(6):
            scene.kill(f"api-{turn % 2 + 1}")
            await asyncio.sleep(1.2)
        await scene.reach(move, "watching", "aborted")
        if await scene.state(move) == "aborted":  # they died faster than a freeze could do its work
            assert (await scene.steps(move))[-1][1]["reason"] in ("not_drained", "candidate_too_slow")
            await scene.reach(await scene.plan("kviknote"), "watching")
    assert any(not line.status for line in scene.lines())  # calls were in fact cut


@pytest.mark.parametrize(
    ("state", "following"),
    [
        ("preflight", "hydrating"),
        ("hydrating", "shadowing"),
        ("shadowing", "freezing"),
        ("freezing", "moved"),
        ("moved", "watching"),
    ],
)
async def test_the_worker_may_die_at_the_end_of_any_state(scene: Scene, state: str, following: str) -> None:
    await scene.linger(following)
    async with scene.traffic():
        move = await scene.plan("kviknote")
        await scene.lingers(move)
        assert await scene.state(move) == state
        scene.kill("worker")
        await scene.reach(move, "watching")
    was_thawed = ("hydrating", {"reason": "freeze_interrupted"}) in await scene.steps(move)
    assert was_thawed is (state == "freezing")


async def test_the_database_may_die(scene: Scene) -> None:
    async with scene.traffic():
        killed = postmaster(scene.stage)
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        async with asyncio.timeout(60):
            while postmaster(scene.stage) in {None, killed}:  # whoever started it, starts it again
                await asyncio.sleep(0.1)
        await asyncio.sleep(22)  # until calls whose end could not be noted may be made again
        await scene.reach(await scene.plan("kviknote"), "watching")
    assert any(line.status == 503 for line in scene.lines())
