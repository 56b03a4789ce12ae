"""`python -m bench.deciding DSN FOLDER`: a process that learns as an API process does, and tells when it learnt.

For each line `partner operation` on standard input it waits until the decision about that operation changes, and prints
the time at which it had.
"""

import asyncio
import sys
import time
from pathlib import Path
from uuid import UUID

from bench.decisions import question
from torv.base import clock
from torv.base.background import forever
from torv.base.db import Database
from torv.base.settings import Settings
from torv.base.signing import load_keys
from torv.ecosystem.agreements.models import Permit
from torv.wiring import Wiring

LOOK = 0.005  #: seconds between looks


async def main(dsn: str, folder: Path) -> None:
    settings = Settings(state_dir=folder)
    database = await Database.open(dsn, 2)
    wiring = Wiring(settings, load_keys(settings.keys_dir), database)
    learning = asyncio.create_task(forever(wiring.make_lease("api").run))
    while not wiring.loaded.marks:
        await asyncio.sleep(LOOK)
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        partner, operation = line.split()
        before = _is_permitted(wiring, UUID(partner), operation)
        print("looking", flush=True)
        while _is_permitted(wiring, UUID(partner), operation) is before:
            await asyncio.sleep(LOOK)
        print(f"knows at {time.time()}", flush=True)
    learning.cancel()
    await asyncio.gather(learning, return_exceptions=True)
    await database.close()


def _is_permitted(wiring: Wiring, partner: UUID, operation: str) -> bool:
    return isinstance(wiring.loaded.policy.answer(question(partner, operation), clock.now()), Permit)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
