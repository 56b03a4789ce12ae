"""The load: keep-alive connections over plain sockets, so that the one who measures costs little of the machine.

Run as a process of its own: the plan comes as JSON on stdin; "go" is printed when the measured time begins, and the
result as JSON when it ends.
"""

import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count

from bench.models import Load, Plan, percentiles

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)


@dataclass(slots=True)
class Tally:
    """What the connections have seen so far."""

    statuses: Counter[int]
    latencies: list[float]
    is_over: bool = False


class Connection(asyncio.Protocol):
    """Sends a request when the one before is answered."""

    def __init__(self, requests: Iterator[bytes], tally: Tally) -> None:
        self._requests, self._tally = requests, tally
        self._received = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return
        stated = _LENGTH.search(self._received, 0, head + 2)
        if stated is None:
            raise ValueError("an answer without Content-Length")
        if len(self._received) < head + 4 + int(stated[1]):
            return
        self._tally.statuses[int(self._received[9:12])] += 1
        self._tally.latencies.append(time.perf_counter() - self._sent_at)
        self._received = b""
        if self._tally.is_over:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, _: Exception | None) -> None:
        if not self._tally.is_over:
            self._tally.statuses[0] += 1
        self.ended.set_result(None)


def requests_of(plan: Plan) -> Iterator[bytes]:
    """The requests in turn for ever, each with a number of its own where it asks for one."""
    texts = [text.encode() for text in plan.requests]
    for number in count():
        yield texts[number % len(texts)].replace(b"{number}", b"%010d" % number)


async def load(plan: Plan) -> Load:
    """Carry a plan out."""
    tally = Tally(Counter(), [])
    loop, requests = asyncio.get_running_loop(), requests_of(plan)
    made = [
        await loop.create_connection(lambda: Connection(requests, tally), plan.host, plan.port)
        for _ in range(plan.connections)
    ]
    await asyncio.sleep(plan.warm_up)
    warm, began = len(tally.latencies), time.perf_counter()
    print("go", flush=True)
    await asyncio.sleep(plan.seconds)
    latencies, took = tally.latencies[warm:], time.perf_counter() - began
    tally.is_over = True
    await asyncio.wait([connection.ended for _, connection in made], timeout=15)
    p50, p99 = percentiles(latencies)
    return Load(
        requests=len(latencies), seconds=took, p50_ms=p50 * 1000, p99_ms=p99 * 1000, all_requests=len(tally.latencies),
        unexpected={str(status): n for status, n in tally.statuses.items() if status != plan.expected},
    )  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(load(Plan(**json.load(sys.stdin)))))), flush=True)
