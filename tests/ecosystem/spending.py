"""`python -m tests.ecosystem.spending DSN`: a process that spends limits as an API process does.

For every line `amount times` read from standard input it asks so many times at once for a part of a limit a day of that
amount, and prints how often it was permitted.
"""

import asyncio
import sys

from torv.base.access import Limit
from torv.base.db import Database
from torv.base.errors import QuotaExceeded
from torv.ecosystem.agreements import Quotas


async def permitted(quotas: Quotas, limit: Limit, times: int) -> int:
    """How many of so many requests at once are permitted."""
    return sum(await asyncio.gather(*(_is_permitted(quotas, limit) for _ in range(times))))


async def _is_permitted(quotas: Quotas, limit: Limit) -> bool:
    try:
        await quotas.spend((limit,), limit.kind)
    except QuotaExceeded:
        return False
    return True


async def main(dsn: str) -> None:
    database = await Database.open(dsn, 2)
    quotas = Quotas(database)
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        amount, times = map(int, line.split())
        limit = Limit(key=f"of {amount}", kind="calls", amount=amount, seconds=86_400)
        print(await permitted(quotas, limit, times), flush=True)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
