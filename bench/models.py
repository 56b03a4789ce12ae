"""Values of the bench: what is sent, what came of it, and what it cost."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a load process is told."""

    host: str
    port: int
    requests: list[str]  #: whole HTTP/1.1 requests, taken in turn; `{number}` in one becomes ten digits used once
    expected: int  #: the status every answer must have
    connections: int
    seconds: float
    warm_up: float = 0.3  #: seconds before anything is measured


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What a load process saw."""

    requests: int  #: answered in the measured time
    seconds: float
    p50_ms: float
    p99_ms: float
    all_requests: int  #: with those before and after the measured time
    unexpected: dict[str, int]  #: status -> answers with it; 0 for a connection that was lost


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """CPU seconds of the process trees."""

    app: float  #: the API processes, or those of a yardstick
    database: float
    others: float  #: worker and modules
    elsewhere: float  #: what else ran on the machine and belongs to nothing that the bench has started

    def __sub__(self, earlier: "Cost") -> "Cost":
        return Cost(
            app=self.app - earlier.app,
            database=self.database - earlier.database,
            others=self.others - earlier.others,
            elsewhere=self.elsewhere - earlier.elsewhere,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One line at one number of connections: the median of its rounds. None: does not apply."""

    line: str
    connections: int
    per_second: float
    p50_ms: float
    p99_ms: float
    app_ms: float | None  #: CPU ms per request, as are the next two
    database_ms: float | None
    others_ms: float | None
    elsewhere: float  #: per cent of the machine's CPU time that went to other work meanwhile
    statements: float | None  #: SQL statements per request


def percentiles(latencies: list[float]) -> tuple[float, float]:
    """The 50th and the 99th percentile; zeros if there is nothing."""
    ordered = sorted(latencies) or [0.0]
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
