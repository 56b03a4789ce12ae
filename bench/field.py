"""The field: the installation under measurement, and the requests of its programs."""

import asyncio
import json
import os
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from bench.models import Cost
from bench.usage import cpu_seconds, machine_seconds
from torv.base import db, embedded
from torv.base.db import Tx
from torv.base.ids import new_id
from torv.base.processes import Program, python
from torv.base.server import listen
from torv.base.signing import load_keys, mint
from torv.demo import town
from torv.demo.office import PASSWORDS
from torv.demo.stage import PROVIDERS, Stage
from torv.wiring import STREAMS
from torv_sdk.keys import read_key
from torv_sdk.tokens import assertion

CITIZENS = 40
LISTED = 30  #: citizens whose notes are listed; records are written about the others, so that no list grows
NOTES = 3  #: for each citizen who is listed
YARDSTICKS = ("asgi", "fastapi")


@dataclass(frozen=True, kw_only=True, slots=True)
class Aim:
    """Requests, and which programs' CPU time they are counted against."""

    url: str
    requests: list[str]
    expected: int = 200
    programs: tuple[str, ...]


class Field:
    """A stage with what its callers need to call it."""

    def __init__(self, stage: Stage, http: aiohttp.ClientSession) -> None:
        self.stage, self.url, self._http = stage, stage.settings.issuer, http
        self.cluster = embedded.place(stage.settings.state_dir.resolve())
        self.api: tuple[str, ...] = tuple(f"api-{number}" for number in range(1, stage.settings.processes + 1))
        self.postmaster = int((self.cluster.data / "postmaster.pid").read_text().split()[0])
        self._bare: dict[str, str] = {}

    def pids(self, *programs: str) -> list[int]:
        return [self.stage.supervisor.pid(name) for name in programs]

    def cost(self, *programs: str) -> Cost:
        """What these programs, the database and the rest of Torv have cost up to now."""
        others = [name for name in ("worker", *PROVIDERS) if name not in programs]
        return Cost(
            app=cpu_seconds(*self.pids(*programs)), database=cpu_seconds(self.postmaster),
            others=cpu_seconds(*self.pids(*others)),
            elsewhere=machine_seconds() - cpu_seconds(os.getpid(), self.postmaster),
        )  # fmt: skip

    async def start_yardsticks(self) -> None:
        """Start the bare applications, each in as many processes as Torv's API."""
        for kind in YARDSTICKS:
            listening = listen(self.stage.settings.host, 0)
            self._bare[kind] = "http://{}:{}".format(*listening.getsockname()[:2])
            command, descriptors = python("-m", "bench.bare", kind, str(listening.fileno())), (listening.fileno(),)
            for name in self._copies(kind):
                await self.stage.supervisor.start(Program(name=name, argv=command, descriptors=descriptors))
            listening.close()

    async def keep_one_process(self) -> None:
        """Stop all API processes but the first."""
        first, *others = self.api
        for name in others:
            await self.stage.supervisor.stop(name)
        self.api = (first,)

    def _copies(self, kind: str) -> tuple[str, ...]:
        return tuple(f"{kind}-{number}" for number, _ in enumerate(self.api, 1))

    async def seed(self) -> None:
        """Give each citizen who is listed a few notes, through the gateway."""
        headers = await self.authorized("borgerblik")
        for person in self.stage.town.persons[:LISTED] * NOTES:
            note = {"person_id": person, "text": "Ringet op. Aftalt nyt besøg i næste uge; datteren er med."}
            keyed = {**headers, "Idempotency-Key": str(new_id())}
            async with self._http.post(f"{self.url}/c/notes/v1/notes", json=note, headers=keyed) as answer:
                assert answer.status == 201, await answer.text()

    async def settle(self, tx: Tx) -> None:
        """Return when nothing is left over from the round before: every position given, every module up to date."""
        while any([await tx.value(stream.waiting) for stream in STREAMS]):
            await asyncio.sleep(0.05)
        last = await tx.value(db.sql.stream_position, name="records")
        while any([await self._position(url) < last for url in self.stage.urls.values()]):
            await asyncio.sleep(0.05)

    async def _position(self, url: str) -> int:
        async with self._http.get(f"{url}/torv/health") as answer:
            return int((await answer.json())["position"])

    async def read_person(self) -> Aim:
        headers, persons = await self.authorized("borgerblik"), self.stage.town.persons
        requests = [request(self.url, "GET", f"/api/v1/persons/{each}", headers) for each in persons]
        return Aim(url=self.url, requests=requests, programs=self.api)

    async def write_record(self) -> Aim:
        headers = {**await self.authorized("nordnote"), "Idempotency-Key": f"{new_id()}-{{number}}"}
        bodies = [
            {"capability": "notes", "type": "note", "person_id": each, "body": {"text": "Ringet op. Alt er vel."}}
            for each in self.stage.town.persons[LISTED:]
        ]
        requests = [request(self.url, "POST", "/api/v1/records", headers, json.dumps(body)) for body in bodies]
        return Aim(url=self.url, requests=requests, expected=201, programs=self.api)

    async def call_through_gateway(self) -> Aim:
        requests = self._lists(self.url, "/c/notes/v1", await self.authorized("borgerblik"))
        return Aim(url=self.url, requests=requests, programs=self.api)

    async def call_directly(self) -> Aim:
        """The same call as the gateway makes it, with a token such as the gateway's."""
        settings, release, now = self.stage.settings, self.stage.town.releases["nordnote"], int(time.time())
        claims = {
            "iss": settings.issuer, "aud": release, "sub": f"release:{self.stage.town.releases['borgerblik']}",
            "cap": "notes", "op": "call", "iat": now, "exp": now + 60,
        }  # fmt: skip
        token = mint(claims, load_keys(settings.keys_dir).tokens)
        url = self.stage.urls["nordnote"]
        headers = {"Authorization": f"Bearer {token}", "X-Request-Id": str(new_id()), "Accept-Language": "da"}
        return Aim(url=url, requests=self._lists(url, "", headers), programs=("nordnote",))

    async def bare(self, kind: str) -> Aim:
        url = self._bare[kind]
        return Aim(url=url, requests=[request(url, "GET", "/things/7", {})], programs=self._copies(kind))

    def _lists(self, url: str, prefix: str, headers: dict[str, str]) -> list[str]:
        persons = self.stage.town.persons[:LISTED]
        return [request(url, "GET", f"{prefix}/notes?person_id={each}", headers) for each in persons]

    async def authorized(self, program: str) -> dict[str, str]:
        """The headers of a program with its own token."""
        key, release = read_key(town.key_file(self.stage.folder, program)), self.stage.town.releases[program]
        form = assertion(key, release, self.url)
        async with self._http.post(f"{self.url}/oauth/token", data=form) as answer:
            assert answer.status == 200, await answer.text()
            return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}

    async def signed_in(self, login: str) -> dict[str, str]:
        """The headers of a user with a session."""
        credentials = {"login": login, "password": PASSWORDS[login]}
        async with self._http.post(f"{self.url}/api/v1/identity/sessions", json=credentials) as answer:
            assert answer.status == 201, await answer.text()
            return {"Authorization": f"Bearer {(await answer.json())['token']}"}


def request(url: str, method: str, path: str, headers: dict[str, str], body: str = "") -> str:
    """A whole HTTP/1.1 request."""
    stated = {"Host": urlsplit(url).netloc, **headers}
    if body:
        stated |= {"Content-Type": "application/json", "Content-Length": str(len(body.encode()))}
    head = "".join(f"{name}: {value}\r\n" for name, value in stated.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n{body}"
