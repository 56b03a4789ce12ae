"""Work that goes on beside the requests: steps repeated until the process stops, and the lag of the event loop."""

import asyncio
from collections.abc import Awaitable, Callable

from structlog import get_logger

from torv.base import clock, metrics
from torv.base.errors import TorvError

log = get_logger("torv.background")

LAG_INTERVAL = 0.25  #: seconds between two looks at the loop


async def forever(step: Callable[[], Awaitable[None]], pause: float = 0.25) -> None:
    """Run `step` again and again until cancelled; after a failure wait `pause` seconds, log it, and start afresh."""
    while True:
        try:
            await step()
        except TorvError as error:
            log.warning("background_step_refused", step=step.__qualname__, code=error.code)
            await asyncio.sleep(pause)
        except Exception:
            log.exception("background_step_failed", step=step.__qualname__)
            await asyncio.sleep(pause)


async def watch_loop() -> None:
    """Measure how late the event loop is, which nothing may hold for more than 10 ms, and if the clock was set back."""
    while True:
        due = clock.ticks() + LAG_INTERVAL
        await asyncio.sleep(LAG_INTERVAL)
        metrics.loop_lag.set(max(0.0, clock.ticks() - due))
        metrics.clock_behind.set(clock.behind())
