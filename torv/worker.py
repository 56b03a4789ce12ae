"""The worker: sequences the feed, drives moves and tidies up. Several may run; one leads, another takes over."""

import asyncio
import contextlib

import uvloop

from torv.base import background, clock, db, feed, idempotency
from torv.base.db import Database
from torv.base.feed import Listener
from torv.base.keyring import HeadKeys
from torv.base.lease import Lease
from torv.base.settings import Settings
from torv.base.signing import load_keys, sign
from torv.base.trail import check_clock
from torv.ecosystem.audit import sign_heads
from torv.ecosystem.events import Poster, Sender, forget_old_events
from torv.ecosystem.gateway import ModuleClient, forget_old_calls
from torv.ecosystem.modules import HealthWatch, forget_old_assertions
from torv.ecosystem.moves import Driver
from torv.ecosystem.service_levels import forget_old_minutes, gather_all, seal_months
from torv.interfaces.cpr import forget_unknown_records
from torv.kernel.persons import refresh_snapshots
from torv.kernel.records import derive_again
from torv.wiring import STREAMS, Wiring

CONFIRMED_WITHIN = 10.0  #: seconds that the first confirmation of the lease may take
TIDY_EVERY = 60.0  #: seconds
GATHER_EVERY = 1.0  #: seconds between two looks at what the log says of service levels
SEAL_EVERY = 600.0  #: seconds between two looks whether a month is to be sealed
DERIVE_EVERY = 1.0  #: seconds between two looks whether a contract has changed its projections


async def work(settings: Settings, dsn: str) -> None:
    """Work until cancelled."""
    if not settings.trust_clock:
        await check_clock(dsn)
    keys = load_keys(settings.keys_dir)
    database = await Database.open(dsn, 4)
    wiring = Wiring(settings, keys, database)
    client = ModuleClient(keys, settings.issuer, private=settings.private_modules)
    poster, listener = Poster(private=settings.private_modules), Listener(database)
    lease = wiring.make_lease("worker")
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(background.forever(lease.run))
            driver = Driver(database, client, wiring.may_provide, lambda receipt: sign(receipt, keys.signing))
            sender = Sender(database, keys, poster, wiring.may_provide, listener, quota=wiring)
            group.create_task(background.forever(listener.run))
            watch = HealthWatch(database, client.health)
            group.create_task(background.forever(_lead, database, lease, driver, sender, watch, keys.heads))
    finally:
        await poster.close()
        await client.close()
        await database.close()


async def _lead(
    database: Database, lease: Lease, driver: Driver, sender: Sender, watch: HealthWatch, heads: HeadKeys
) -> None:
    """Lead: whatever of this fails ends all of it, so that nobody sequences or moves without the leadership."""
    await lease.confirmed(CONFIRMED_WITHIN)  # before that, nobody could say whom events may be sent to
    async with feed.lead(database) as line, asyncio.TaskGroup() as group:
        group.create_task(feed.sequence_all(line, STREAMS))
        group.create_task(background.forever(driver.run))
        group.create_task(background.forever(sender.run))
        group.create_task(background.forever(watch.run))
        group.create_task(background.forever(sign_heads, database, heads))
        group.create_task(background.forever(_tidy, database))
        group.create_task(background.forever(_derive, database))
        group.create_task(background.forever(_measure, database))


async def _tidy(database: Database) -> None:
    while True:
        async with database.transaction() as tx:
            await forget_old_calls(tx)
            await forget_old_assertions(tx)
            await forget_old_events(tx)
            await idempotency.forget_old_answers(tx)
            await forget_unknown_records(tx)
            await tx.run(db.sql.remove_dead_leases)
        await _refresh_persons(database)
        await asyncio.sleep(TIDY_EVERY)


async def _derive(database: Database) -> None:
    """Derive anew, slice by slice, what a contract's new projections make of older records."""
    while True:
        is_behind = True
        while is_behind:
            async with database.transaction() as tx:
                is_behind = await derive_again(tx)
        await asyncio.sleep(DERIVE_EVERY)


async def _measure(database: Database) -> None:
    """Gather what the log says of service levels, and seal the months that are over."""
    sealed_at = -SEAL_EVERY
    while True:
        await gather_all(database)
        if clock.ticks() - sealed_at >= SEAL_EVERY:
            await seal_months(database)
            await forget_old_minutes(database)
            sealed_at = clock.ticks()
        await asyncio.sleep(GATHER_EVERY)


async def _refresh_persons(database: Database) -> None:
    """Make anew the rows of persons of whom something became true, such as an address from midnight."""
    refreshed = 1
    while refreshed:
        async with database.transaction() as tx:
            refreshed = await refresh_snapshots(tx)


def run(settings: Settings, dsn: str) -> None:
    """Run a worker until it is told to stop."""
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(work(settings, dsn))
