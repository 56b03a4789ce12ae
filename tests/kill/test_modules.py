"""The module in service dies or stands still: 0 lost, and whoever was cut off knows it."""

import asyncio
import signal

from tests.kill.scene import Scene

#: what callers are told of a module that died, that is not asked for a while, or that has just come back
TOLD = {"module_unavailable", "module_resting", "catching_up"}


async def test_the_module_in_service_may_die(scene: Scene) -> None:
    async with scene.traffic():
        for _ in range(3):
            scene.kill("nordnote")
            await asyncio.sleep(2.5)
    assert set() < {line.code for line in scene.lines() if line.status >= 500} <= TOLD


async def test_the_module_in_service_may_die_during_the_freeze(scene: Scene) -> None:
    await scene.linger("freezing")
    async with scene.traffic():
        move = await scene.plan("kviknote")
        await scene.lingers(move)
        scene.signal("nordnote", signal.SIGSTOP)  # with calls in its hands when the fence rises
        await scene.reach(move, "freezing")
        await asyncio.sleep(0.1)
        assert await scene.state(move) == "freezing"
        scene.kill("nordnote")
        await scene.reach(move, "watching")
    assert set() < {line.code for line in scene.lines() if line.status >= 500} <= TOLD
    await all_cut_calls_stand_in_the_receipt(scene, move)


async def test_a_module_that_never_answers_is_left_all_the_same(scene: Scene) -> None:
    await scene.linger("freezing")
    async with scene.traffic():
        move = await scene.plan("kviknote")
        await scene.lingers(move)
        scene.signal("nordnote", signal.SIGSTOP)
        frozen = await scene.reach(move, "freezing")
        moved = await scene.reach(move, "moved", "watching")
        assert 2.8 <= moved - frozen <= 4.5  # drained for three seconds, then forced
        await asyncio.sleep(max(0.0, frozen + 10 - moved))
        scene.signal("nordnote", signal.SIGCONT)
        await asyncio.sleep(3)
    lines = scene.lines()
    assert {line.status for line in lines if line.operation == "list"} == {200}  # the successor answered
    assert any(line.code == "outcome_unknown" for line in lines)
    await all_cut_calls_stand_in_the_receipt(scene, move)


async def all_cut_calls_stand_in_the_receipt(scene: Scene, move: str) -> None:
    receipt = await scene.finalise(move)
    assert {line.call_id for line in scene.lines() if line.code == "outcome_unknown"} == set(receipt["cut_calls"])
