"""Gold: the module may be killed at any moment."""

import asyncio
from contextlib import suppress
from uuid import uuid4

from torv_sdk.certifying.rules import Broken, Level, rule
from torv_sdk.certifying.silver import accepted, same_as_torv, settled
from torv_sdk.certifying.stand import Stand

WRITE_TIME = 10.0  #: seconds a write may take to reach Torv


@rule(
    "killed_between", Level.GOLD,
    danish="Dræbes modulet, mellem at Torv har posten og at det svarer, giver et nyt forsøg stadig én post.",
    english="When the module is killed after Torv has the record and before it answers, trying again gives one record.",
    advice="Rest nothing on what only the process knows: the key comes with the call, and the store follows the feed.",
)  # fmt: skip
async def killed_between(stand: Stand) -> None:
    assert stand.program is not None
    for operation in stand.writing():
        before, key = await settled(stand), str(uuid4())
        stand.door.written.clear()
        stand.door.delay = WRITE_TIME
        call = asyncio.create_task(stand.write(operation, key=key))
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(stand.door.written.wait(), WRITE_TIME)
        finally:
            stand.door.delay = 0.0
            await stand.program.kill()
            await asyncio.gather(call, return_exceptions=True)
        if not stand.door.written.is_set():
            raise Broken(f"{operation.name} wrote nothing to Torv")
        await stand.program.start()
        await stand.become_ready()
        await accepted(stand, operation, key=key)
        written = len(await settled(stand)) - len(before)
        if written != 1:
            raise Broken(f"{operation.name} left {written} records in Torv after a kill")
        await same_as_torv(stand)
