"""Metrics: counted per process, added up over the processes of one node."""

import os
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

requests = Counter("torv_requests_total", "Requests answered, by outcome.", ["operation", "status"])
request_seconds = Histogram(
    "torv_request_seconds", "Time from first byte to answer.", ["operation"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)  # fmt: skip
refusals_of_strangers = Counter("torv_refusals_of_strangers_total", "Refusals of unidentified callers.", ["code"])
trail_entries = Counter("torv_trail_entries_total", "Trail entries written by the batcher.")
trail_batches = Counter("torv_trail_batches_total", "Batches of trail entries written.")
trail_waiting = Gauge("torv_trail_waiting", "Trail entries waiting to be written.", multiprocess_mode="livesum")
lease_age = Gauge("torv_lease_age_seconds", "Age of the confirmed state.", multiprocess_mode="livemax")
loop_lag = Gauge("torv_loop_lag_seconds", "How late the event loop is.", multiprocess_mode="livemax")
clock_behind = Gauge("torv_clock_set_back_seconds", "How far the clock was set back.", multiprocess_mode="livemax")
feed_positions = Gauge("torv_feed_position", "Last position given, by stream.", ["stream"], multiprocess_mode="livemax")
emergency_accesses = Counter("torv_emergency_accesses_total", "Accesses that only the emergency list permitted.")
held_calls = Gauge("torv_held_calls", "Calls waiting at a fence.", multiprocess_mode="livesum")
module_well = Gauge(
    "torv_module_well", "1 where a release in use says that it is well, 0 otherwise.", ["module", "version"],
    multiprocess_mode="livemostrecent",
)  # fmt: skip
module_lag = Gauge(
    "torv_module_lag", "Positions of the feed that a release in use has not read.", ["module", "version"],
    multiprocess_mode="livemostrecent",
)  # fmt: skip
open_breakers = Gauge(
    "torv_open_breakers", "Releases that processes leave alone, a process at a time.", multiprocess_mode="livesum"
)  # fmt: skip
full_releases = Counter("torv_full_releases_total", "Calls refused because a release has too many under way.")

event_lag = Gauge(
    "torv_event_lag", "Events a subscription waits for.", ["capability"], multiprocess_mode="livemostrecent"
)
event_lag_seconds = Gauge(
    "torv_event_lag_seconds", "Age of the first event a subscription waits for.", ["capability"],
    multiprocess_mode="livemostrecent",
)  # fmt: skip
event_alert = Gauge(
    "torv_event_alert", "1 where a subscription needs somebody's eye.", ["capability"],
    multiprocess_mode="livemostrecent",
)  # fmt: skip
dead_letters = Gauge(
    "torv_dead_letters", "Events that were given up.", ["capability"], multiprocess_mode="livemostrecent"
)


@cache
def of_answers(operation: str, status: int) -> tuple[Counter, Histogram]:
    """What counts and what times an operation's answers: kept, as finding them by label costs more than counting."""
    return requests.labels(operation, str(status)), request_seconds.labels(operation)


def exposition() -> bytes:
    """All metrics in the Prometheus text format; over all processes of the node when they share a folder."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    _forget_dead_processes(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library's own gap
    return generate_latest(registry)


def _forget_dead_processes(folder: Path) -> None:
    """What was true of a process that has been killed is true no longer; what it counted stays."""
    for file in folder.glob("gauge_live*_*.db"):
        try:
            os.kill(int(file.stem.rpartition("_")[2]), 0)
        except ProcessLookupError:
            file.unlink(missing_ok=True)
        except PermissionError:
            continue  # the number is somebody else's by now; its next owner of ours will overwrite the file
