"""Work that goes on beside the requests: steps repeated until the process stops, and the lag of the event loop."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import ParamSpec

from structlog import get_logger

from torv.base import clock, metrics
from torv.base.errors import TorvError

log = get_logger("torv.background")

P = ParamSpec("P")
PAUSE = 0.25  #: seconds after a failure
LAG_INTERVAL = 0.25  #: seconds between two looks at the loop


async def forever(step: Callable[P, Coroutine[None, None, None]], *arguments: P.args, **named: P.kwargs) -> None:
    """Run `step` again and again until cancelled; after a failure log it, wait `PAUSE` seconds, and start afresh.

    Each step is a task of its own: a task group that fails while it is cancelled raises the failure alone, and one that
    fails leaves its task marked as cancelled (Python before 3.13), so that a step cannot tell whether all is to end.
    """
    while True:
        running = asyncio.create_task(step(*arguments, **named))
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.wait([running])
            if not running.cancelled():
                _has_failed(running, step.__qualname__)
            raise
        if _has_failed(running, step.__qualname__):
            await asyncio.sleep(PAUSE)


def _has_failed(ended: asyncio.Task[None], name: str) -> bool:
    """Whether a step failed, which is logged; one that was cancelled by anybody but us failed too."""
    error = asyncio.CancelledError() if ended.cancelled() else ended.exception()
    if isinstance(error, TorvError):
        log.warning("background_step_refused", step=name, code=error.code)
    elif error is not None:
        log.error("background_step_failed", step=name, exc_info=error)
    return error is not None


async def watch_loop() -> None:
    """Measure how late the event loop is, which nothing may hold for more than 10 ms, and if the clock was set back."""
    while True:
        due = clock.ticks() + LAG_INTERVAL
        await asyncio.sleep(LAG_INTERVAL)
        metrics.loop_lag.set(max(0.0, clock.ticks() - due))
        metrics.clock_behind.set(clock.behind())
