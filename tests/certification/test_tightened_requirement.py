"""A requirement is tightened: the old release fails it by name, the new one is certified, and moved in while all work.

Everything is real: two releases as programs of their own, the certifier with a Torv of its own, and traffic all along.
"""

import asyncio
import os
import shlex
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from asyncpg import Connection
from joserfc.jwk import ECKey

from tests.architecture.tree import ROOT
from tests.cast import ANNA, Cast
from tests.ecosystem import noting
from tests.ecosystem.demanding import PROFILE, profile
from tests.ecosystem.programs import program
from tests.served import Api, run_worker
from torv.base import clock, signing
from torv.base.settings import Settings

NOTES, SET = "/c/notes/v1/notes", profile().requirement_set
CERTIFYING = 150  #: seconds the certifier has, on a machine that is busy


@dataclass(kw_only=True, slots=True)
class Traffic:
    """Somebody who writes and reads without end, and keeps every answer that is no success."""

    api: Api
    person: UUID
    written: int = 0
    read: int = 0
    failed: list[tuple[int, bytes]] = field(default_factory=list)

    async def run(self) -> None:
        while True:
            reply = await self.api.write_note(f"Nr. {self.written}", key=f"note {self.written}")
            self.failed += [(reply.status, reply.body)] if reply.status != 201 else []
            self.written += 1
            reply = await self.api.get(f"{NOTES}?person_id={self.person}", by="borgerblik")
            self.failed += [(reply.status, reply.body)] if reply.status != 200 else []
            self.read += 1
            await asyncio.sleep(0.02)


@asynccontextmanager
async def traffic(api: Api, cast: Cast) -> AsyncIterator[Traffic]:
    seen = Traffic(api=api, person=cast.bjorn.id)
    running = asyncio.create_task(seen.run())
    try:
        yield seen
    finally:
        running.cancel()
        results = await asyncio.gather(running, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError), results


async def certify(api: Api, release: str, version: str, key: ECKey, folder: Path, words: str) -> tuple[int, str]:
    """What `torv-sdk certify` says of a release, and with which status it ends."""
    file, wanted = folder / f"partner {version}.pem", folder / "profile.yaml"
    file.write_bytes(key.as_pem(private=True))
    wanted.write_text(PROFILE, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    start = shlex.join([sys.executable, noting.__file__, *words.split()])
    own = {name: value for name, value in os.environ.items() if not name.startswith("TORV_")}
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("torv-sdk")), "certify", url, "--contract", "notes", "--start", start,
        "--profile", str(wanted), "--key", str(file), "--release", release, "--release-version", version,
        "--send", api.url, env=own | {"PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(CERTIFYING):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def standing(api: Api) -> dict[str, tuple[str, list[str]]]:
    """Release's version -> how nordnote stands to the set, and the demands it does not meet."""
    items = (await api.get("/api/v1/requirements/matrix?capability=notes", by=ANNA)).json["items"]
    ours = [each for each in items if each["module_name"] == "nordnote" and each["requirement_set"] == SET]
    return {each["release_version"]: (each["state"], [judged["id"] for judged in each["unmet"]]) for each in ours}


async def move(api: Api, release: str, outsider: Connection) -> tuple[str, Any]:
    """Move notes to a release; gives how that ended, and what its last step says."""
    planned = (await api.post("/api/v1/moves", {"capability": "notes", "to_release": release}, by=ANNA)).json["id"]
    async with asyncio.timeout(90):
        while True:
            moved = (await api.get(f"/api/v1/moves/{planned}", by=ANNA)).json
            if moved["state"] in ("watching", "aborted"):
                return moved["state"], moved["steps"][-1]["detail"]
            await asyncio.sleep(0.1)


async def test_the_old_release_fails_a_demand_by_name_and_the_new_one_is_moved_in_without_a_failed_call(
    api: Api, cast: Cast, outsider: Connection, settings: Settings, dsn: str, tmp_path: Path
) -> None:
    old, partner, next_key = cast.releases["nordnote"], cast.partner_keys["nordnote"], ECKey.generate_key("P-256")
    async with (
        run_worker(replace(settings, port=int(api.url.rpartition(":")[2])), dsn),
        program(api, old, cast.release_keys["nordnote"], tmp_path, "") as url,
    ):
        await outsider.execute("update modules.releases set url = $1 where id = $2", url, old)
        await outsider.execute("update base.generation set number = number + 1")
        await _until_it_answers(api, cast)
        async with traffic(api, cast) as calls:
            wanted = {"profile": PROFILE, "from_day": clock.today().isoformat()}
            assert (await api.post("/api/v1/requirements/proposals", wanted, by=ANNA)).status == 201
            status, said = await certify(api, str(old), "1.0.0", partner, tmp_path, "")
            assert (status, "✗ author_shown" in said, "✓ health" in said) == (1, True, True), said
            failed = ["author_shown", "author_recorded", "author_from_caller"]
            assert await standing(api) == {"1.0.0": ("failed", failed)}

            new = {"version": "2.0.0", "url": "http://127.0.0.1:9", "jwk": signing.public(next_key)}
            new |= {"majors": {"notes": [1]}}
            place = f"/api/v1/modules/{cast.modules['nordnote']}/releases"
            release = (await api.post(place, new, by=ANNA)).json["id"]
            assert (await move(api, release, outsider))[1]["reason"] == "requirements_not_met"
            status, said = await certify(api, release, "2.0.0", partner, tmp_path, "authored")
            assert (status, "✓ author_from_caller" in said) == (0, True), said
            assert await standing(api) == {"1.0.0": ("failed", failed), "2.0.0": ("certified", [])}

            async with program(api, UUID(release), next_key, tmp_path, "authored") as url:
                await outsider.execute("update modules.releases set url = $1 where id::text = $2", url, release)
                await outsider.execute("update base.generation set number = number + 1")
                before = calls.written
                ended = await move(api, release, outsider)
                assert ended[0] == "watching", ended
                await _goes_on_with_authors(api, cast, calls, before)
    written = await outsider.fetch("select distinct release_id::text from records.versions where capability = 'notes'")
    assert {row[0] for row in written} == {str(old), release}


async def _goes_on_with_authors(api: Api, cast: Cast, calls: Traffic, before: int) -> None:
    """Twenty notes more since then, no call has failed, and each note shows its author."""
    async with asyncio.timeout(60):
        while calls.written < before + 20:
            await asyncio.sleep(0.05)
    listed = (await api.get(f"{NOTES}?person_id={cast.bjorn.id}", by="borgerblik")).json["notes"]
    assert listed[0]["author"] == f"release:{cast.releases['borgerblik']}"
    assert all("author" in each for each in listed)
    assert calls.failed == []


async def _until_it_answers(api: Api, cast: Cast) -> None:
    async with asyncio.timeout(30):
        while (await api.get(f"{NOTES}?person_id={cast.bjorn.id}", by="borgerblik")).status != 200:
            await asyncio.sleep(0.05)
