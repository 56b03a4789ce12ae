"""`python -m bench.demands`: what it takes to look for the fields that a requirement set demands of answers.

For answers with 1, 50 and 200 notes: microseconds to read one and to look for the fields, beside reading it alone.
"""

import asyncio
import json
import time
from statistics import median

from torv.base.signing import strict_json
from torv.ecosystem.gateway.demands import AnswerChecks
from torv.ecosystem.gateway.models import ModuleAnswer
from torv.ecosystem.modules import Demanded

TRIES = 300
NOTE = {
    "id": "0198c0de-0000-7000-8000-00000000a11c", "person_id": "0198c0de-0000-7000-8000-00000000a11d", "version": 1,
    "text": "Alt var vel. " * 10, "written_at": "2026-03-01T10:00:00Z", "author": "Kirsten",
}  # fmt: skip
AUTHOR = {"type": "object", "required": ["author"], "properties": {"author": {"type": "string", "minLength": 1}}}
DEMANDED = Demanded(
    requirement_set="0" * 64, kept_by=frozenset(),
    fields=(("author_shown", {"properties": {"notes": {"items": AUTHOR}}}),),
)  # fmt: skip


async def main() -> None:
    checks = AnswerChecks()
    for notes in (1, 50, 200):
        body = json.dumps({"notes": [NOTE] * notes}).encode()
        answer = ModuleAnswer(status=200, content_type="application/json", body=body)
        read, whole = [], []
        for _ in range(TRIES):
            began = time.perf_counter()
            strict_json(body)
            between = time.perf_counter()
            await checks.check(answer, "list_notes", [DEMANDED])
            read.append(between - began)
            whole.append(time.perf_counter() - between)
        took, reading = (median(each) * 1e6 for each in (whole, read))
        print(f"{notes:>4} notes, {len(body):>6} bytes: {took:7.1f} us, of which reading {reading:7.1f}")


if __name__ == "__main__":
    asyncio.run(main())
