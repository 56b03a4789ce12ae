"""The stand: the module under certification, Torv's door before it, and everything it has answered so far."""

import asyncio
import json
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import aiohttp
from joserfc import jwt

from torv_sdk.certifying.door import Door
from torv_sdk.certifying.installation import Installation
from torv_sdk.certifying.programs import ModuleProgram
from torv_sdk.certifying.rules import Broken
from torv_sdk.contracts import Contract, Operation
from torv_sdk.profiles import SOMEBODY
from torv_sdk.records import BUCKETS

READY_TIME = 30.0  #: seconds a module has to answer, and to have read the feed
LONGEST_ANSWER = 20.0  #: seconds for one answer; the gateway gives no more

NOT_THERE = {404, 405, 501}  #: answers of a module that has no such operation
NOBODY = "0198c0de-0000-7000-8000-0000000000ff"  #: stands for what a path wants to be told

_VARIABLE = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What the module answered to one call."""

    operation: str
    status: int
    media_type: str
    content: bytes

    @property
    def body(self) -> Any:
        """The content as JSON; None if it is none."""
        with suppress(ValueError):
            return json.loads(self.content)
        return None

    @property
    def code(self) -> str:
        """The code of a refusal in parentheses, as it follows a status; empty if it says none."""
        code = self.body.get("code") if isinstance(self.body, dict) else None
        return f" ({code})" if isinstance(code, str) else ""


@dataclass(kw_only=True, slots=True)
class Stand:
    """Everything a rule needs to find out whether it is kept."""

    url: str
    client_id: str
    contract: Contract
    door: Door
    http: aiohttp.ClientSession
    torv: Installation | None  #: the real Torv; None: only the rules that need none
    program: ModuleProgram | None  #: the module's program; None: somebody else started it
    answered: list[Answered] = field(default_factory=list)  #: every answer of the contract's operations

    @property
    def person(self) -> str:
        """A citizen the module may write about."""
        return self.torv.person if self.torv else SOMEBODY

    def writing(self) -> list[Operation]:
        """The operations that change something and can be tried from their example alone."""
        return [each for each in self._unsafe() if not _names_record(each)]

    def changing(self) -> list[Operation]:
        """The operations that change what their address names; to be tried when something has been written."""
        return [each for each in self._unsafe() if _names_record(each)]

    def reading(self) -> list[Operation]:
        """The safe operations; those whose address names a record, to be tried when something has been written."""
        return [each for each in self.contract.operations.values() if each.is_safe]

    def _unsafe(self) -> list[Operation]:
        found = self.contract.operations.values()
        return [each for each in found if not each.is_safe and self.example(each) is not None]

    def address(self, operation: Operation) -> str:
        """The operation's path, its variable parts filled in.

        With the citizen; with what was written last by an operation at an address of that name, or written last at
        all; or with what the contract gives as an example.
        """
        examples = {p["name"]: p["example"] for p in self.contract.path_parameters(operation.name) if "example" in p}
        filled = operation.path
        for name in _VARIABLE.findall(operation.path):
            value = self.person if name == "person_id" else self._written(name) or examples.get(name) or uuid4()
            filled = filled.replace("{" + name + "}", quote(str(value), safe=""))
        return filled

    def _written(self, variable: str) -> str | None:
        """The id that the module gave to what a variable names; None if nothing has been written yet."""
        writing = {each.name: each.path.rpartition("/")[2] for each in self.writing()}
        made = [each for each in self.answered if each.status in (200, 201) and each.operation in writing]
        stem = variable.removesuffix("_id")
        made.sort(key=lambda each: writing[each.operation].startswith(stem))  # keeps the order in which they came
        body = made[-1].body if made else None
        return str(body["id"]) if isinstance(body, dict) and "id" in body else None

    def example(self, operation: Operation) -> dict[str, Any] | None:
        """The contract's example of a body, about a citizen who exists."""
        body = self.contract.example_body(operation.name)
        return body and {**body, **({"person_id": self.person} if "person_id" in body else {})}

    def query(self, operation: Operation) -> dict[str, str]:
        """The contract's examples of the query, about a citizen who exists."""
        examples = {p["name"]: p["example"] for p in self.contract.query_parameters(operation.name) if "example" in p}
        return {name: self.person if name == "person_id" else str(value) for name, value in examples.items()}

    def token(self, operation: str = "call", **changes: Any) -> str:
        """A token as the gateway makes them; `changes` are claims, None leaves one out."""
        now = int(time.time())
        claims = {
            "iss": self.door.url, "aud": self.client_id, "sub": f"user:{SOMEBODY}", "iat": now, "exp": now + 60,
            "cap": self.contract.capability, "op": operation, "maj": self.contract.major, **changes,
        }  # fmt: skip
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode({"alg": "ES256", "kid": self.door.kid}, kept, self.door.key, algorithms=["ES256"])

    async def write(self, operation: Operation, body: Any = None, *, key: str | None = None) -> Answered:
        """Call an operation that changes something, as the gateway would; with its example if no body is given."""
        content = json.dumps(self.example(operation) if body is None else body).encode()
        return await self.call(operation, self.token(), content=content, key=key or str(uuid4()))

    async def read(self, operation: Operation, query: Mapping[str, str] | None = None) -> Answered:
        """Call a safe operation, as the gateway would; with its examples if no query is given."""
        return await self.call(operation, self.token(), query=self.query(operation) if query is None else query)

    async def call(
        self, operation: Operation, token: str | None, *, content: bytes = b"", key: str | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answered:  # fmt: skip
        """Send one call. Raises Broken if there is no answer in time."""
        headers = {"Content-Type": "application/json"} if content else {}
        headers |= {"Idempotency-Key": key} if key else {}
        path = self.address(operation)
        sent = await self.send(operation.method, path, token, operation.name, content, headers, query)
        self.answered.append(sent)
        return sent

    async def check_there(self, operation: Operation) -> None:
        """Raises Broken if the module says to Torv that it has no such operation."""
        answer = await self.knock(operation, self.token())
        missing = NOT_THERE - {404} if "{" in operation.path else NOT_THERE  # 404 may mean the thing it is about
        if answer.status in missing:
            asked = f"{operation.name} ({operation.method} {operation.path})"
            raise Broken(f"{asked} answered {answer.status}{answer.code}")

    async def knock(self, operation: Operation, token: str | None) -> Answered:
        """Call an operation about nobody and with nothing in it; the answer is not kept."""
        path = _VARIABLE.sub(NOBODY, operation.path)
        content, headers = b"", dict[str, str]()
        if not operation.is_safe:
            content, headers = b"{}", {"Content-Type": "application/json", "Idempotency-Key": str(uuid4())}
        return await self.send(operation.method, path, token, operation.name, content, headers)

    async def send(
        self, method: str, path: str, token: str | None, operation: str = "", content: bytes = b"",
        headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None,
    ) -> Answered:  # fmt: skip
        """Send anything to the module. Raises Broken if there is no answer in time."""
        sent = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token is not None else {})}
        try:
            async with self.http.request(
                method, self.url + path, data=content or None, headers=sent, params=query, allow_redirects=False
            ) as answer:
                content = await answer.read()
                return Answered(
                    operation=operation, status=answer.status, media_type=answer.content_type, content=content
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Broken(f"no answer to {method} {path} ({type(error).__name__})") from None

    async def health(self) -> dict[str, Any]:
        """What the module says about itself; empty while it does not answer. Raises nothing."""
        try:
            answer = await self.send("GET", "/torv/health", None)
        except Broken:
            return {}
        return answer.body if isinstance(answer.body, dict) else {}

    async def become_ready(self) -> None:
        """Wait until the module answers, and with a Torv behind it has read the feed. Raises Broken."""
        deadline = time.monotonic() + READY_TIME
        while not (known := await self.health()) or (self.torv and not known.get("caught_up")):
            if time.monotonic() > deadline:
                said = self.program.last_lines() if self.program else ""
                raise Broken(f"{self.url} {'is not caught up' if known else 'does not answer'}\n{said}".strip())
            await asyncio.sleep(0.05)
        self.client_id = self.client_id or str(known.get("release", ""))

    async def export(self, record_type: str, buckets: str = f"0-{BUCKETS - 1}") -> list[dict[str, Any]]:
        """What the module says it holds of a record type. Raises Broken if that is no export."""
        token = self.token("export")
        answer = await self.send("GET", f"/torv/export/{record_type}", token, query={"bucket": buckets})
        body = answer.body
        if answer.status != 200 or not isinstance(body, dict) or not isinstance(body.get("records"), list):
            raise Broken(f"the export of {record_type} answered {answer.status} without records")
        wrong = [each for each in body["records"] if not isinstance(each, dict) or not _is_exported(each)]
        if wrong or not isinstance(body.get("position"), int):
            raise Broken(f"the export of {record_type} is not of the form position, records[id, version, body]")
        return list(body["records"])

    async def restart(self, *, is_robbed: bool = False) -> None:
        """Stop the module's program and start it again, with its store or without. Raises Broken."""
        assert self.program is not None
        await self.program.stop()
        if is_robbed:
            self.program.lose_store()
        await self.program.start()
        await self.become_ready()


def _names_record(operation: Operation) -> bool:
    """Whether the address has a variable part other than the citizen."""
    return bool(set(_VARIABLE.findall(operation.path)) - {"person_id"})


def _is_exported(record: dict[str, Any]) -> bool:
    with suppress(KeyError, TypeError, ValueError, AttributeError):
        UUID(record["id"])
        return isinstance(record["version"], int) and isinstance(record["body"], dict) and "person_id" in record
    return False


def essence(record: Mapping[str, Any]) -> str:
    """A record's id, version, person and body as one string, so that two sides can be compared."""
    person = record["person_id"]
    kept = {"id": record["id"], "version": record["version"], "person": person, "body": record["body"]}
    return sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
