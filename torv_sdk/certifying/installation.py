"""A real Torv for one certification: started, entered as a municipality would enter it, and thrown away."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
from joserfc.jwk import ECKey

from torv_sdk.contracts import Contract
from torv_sdk.keys import fingerprint, make_key, prove_key, read_key, sign_agreement, thumbprint
from torv_sdk.tokens import assertion

MUNICIPALITY, SUPPLIER = ("50708047", "Prøvekommunen"), ("48839355", "Leverandøren")
START_TIME = 90.0  #: seconds a Torv has to start: its database is made from nothing
STOP_TIME = 30.0


class NoTorv(Exception):
    """A real Torv is needed and cannot be had; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Installation:
    """A Torv that runs, with the module registered, agreed with and bound."""

    issuer: str
    address: str  #: its own address, past the door
    release: str  #: the module's client id
    key_file: Path  #: the module's key
    person: str  #: a citizen
    http: aiohttp.ClientSession

    async def latest(self, capability: str) -> dict[str, dict[str, Any]]:
        """Every record of the capability by id, in its latest version, as the feed has them."""
        me: ECKey = read_key(self.key_file)
        form = assertion(me, self.release, self.issuer)
        token = (await _json(self.http.post(f"{self.address}/oauth/token", data=form)))["access_token"]
        found: dict[str, dict[str, Any]] = {}
        position, more = 0, True
        while more:
            query: dict[str, str | int] = {"capability": capability, "after": position, "limit": 1000, "wait": 0}
            headers = {"Authorization": f"Bearer {token}"}
            page = await _json(self.http.get(f"{self.address}/api/v1/records/feed", params=query, headers=headers))
            found |= {each["id"]: each for each in page["records"]}
            position, more = page["position"], page["more"]
        return found


def program_of_torv() -> str | None:
    """The command `torv`: beside this Python, or on the PATH."""
    beside = Path(sys.executable).with_name("torv")
    return str(beside) if beside.exists() else shutil.which("torv")


@asynccontextmanager
async def installed(torv: str, issuer: str, contract: Contract, module_url: str) -> AsyncIterator[Installation]:
    """A Torv called `issuer`, in which the module at `module_url` provides the contract. Raises NoTorv."""
    with tempfile.TemporaryDirectory(prefix="torv-certify-") as name:
        async with _running(torv, issuer, Path(name)) as told, aiohttp.ClientSession() as http:
            office = _Office(http, told["url"])
            await _run(torv, "capability", "add", str(contract.folder), TORV_STATE_DIR=told["state_dir"])
            yield await office.enter(torv, issuer, contract, module_url, Path(name), told["users"])


@asynccontextmanager
async def _running(torv: str, issuer: str, folder: Path) -> AsyncIterator[dict[str, Any]]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith("TORV_")}
    settings = {"TORV_PUBLIC_URL": issuer, "TORV_PORT": "0", "TORV_PROCESSES": "1", "TORV_LOG_LEVEL": "warning"}
    with (folder / "torv.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            torv, "serve", "--ephemeral", env=mine | settings, stdout=asyncio.subprocess.PIPE, stderr=log,
            stdin=asyncio.subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_TIME)
        if not line:
            raise NoTorv(f"torv did not start: {(folder / 'torv.log').read_text(errors='replace')[-1000:]}")
        yield json.loads(line)
    except TimeoutError:
        raise NoTorv(f"torv did not start within {START_TIME:.0f} seconds") from None
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_TIME)
        if process.returncode is None:
            process.kill()


class _Office:
    """The municipality's two users and the supplier, each doing their part over the public API."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http, self._url = http, url
        self._sessions: list[str] = []

    async def enter(
        self, torv: str, issuer: str, contract: Contract, module_url: str, folder: Path, users: list[dict[str, str]]
    ) -> Installation:
        """Enter everything a call to the module needs."""
        await self._sign_in(users)
        await self._post("/api/v1/partners", {"cvr": MUNICIPALITY[0], "name": MUNICIPALITY[1], "kind": "municipality"})
        partner = (await self._post("/api/v1/partners", {"cvr": SUPPLIER[0], "name": SUPPLIER[1]}))["id"]
        await self._enrol(partner, folder / "partner.pem")
        key = make_key(folder / "release.pem")
        module = (await self._post("/api/v1/modules", {"partner_id": partner, "name": "module"}))["id"]
        majors = {contract.capability: [contract.major]}
        new = {"version": "1.0.0", "url": module_url, "jwk": _public(key), "majors": majors}
        release = (await self._post(f"/api/v1/modules/{module}/releases", new))["id"]
        await self._agree(await _agreement(torv, contract, folder), folder / "partner.pem", users)
        await self._post("/api/v1/bindings", {"capability": contract.capability, "release_id": release})
        person = (await self._post("/api/v1/persons", {"given_names": "Ida", "family_name": "Prøve"}))["id"]
        return Installation(
            issuer=issuer, address=self._url, release=release, key_file=folder / "release.pem", person=person,
            http=self._http,
        )  # fmt: skip

    async def _sign_in(self, users: list[dict[str, str]]) -> None:
        """Each user in turn; the first moments nobody may be there to answer."""
        deadline = asyncio.get_running_loop().time() + START_TIME
        for user in users:
            while True:
                try:
                    answer = await _json(self._http.post(f"{self._url}/api/v1/identity/sessions", json=user))
                    break
                except (NoTorv, aiohttp.ClientError):
                    if asyncio.get_running_loop().time() > deadline:
                        raise
                    await asyncio.sleep(0.2)
            self._sessions.append(answer["token"])

    async def _enrol(self, partner: str, file: Path) -> None:
        key = make_key(file)
        code = (await self._post(f"/api/v1/partners/{partner}/codes"))["code"]
        sent = {"code": code, "jwk": _public(key), "proof": prove_key(key, code)}
        taken = await self._post("/api/v1/partners/enrolments", sent)
        place = f"/api/v1/partners/{partner}/keys/{taken['kid']}/confirmation"
        await self._post(place, {"fingerprint": fingerprint(key)})

    async def _agree(self, content: dict[str, Any], file: Path, users: list[dict[str, str]]) -> None:
        await self._post("/api/v1/agreements", content)
        place = f"/api/v1/agreements/{content['id']}"
        await self._post(
            f"{place}/signatures", {"jws": sign_agreement(content, key=read_key(file), signer=SUPPLIER[0])}
        )
        for number, user in enumerate(users):
            agreement = await self._post(f"{place}/confirmations", {"password": user["password"]}, user=number)
        if agreement["state"] != "active":
            raise NoTorv(f"the agreement is {agreement['state']} although all have signed")

    async def _post(self, path: str, content: Any = None, *, user: int = 0) -> Any:
        headers = {"Authorization": f"Bearer {self._sessions[user]}"}
        return await _json(self._http.post(self._url + path, json=content, headers=headers))


async def _agreement(torv: str, contract: Contract, folder: Path) -> dict[str, Any]:
    """An agreement for a module that keeps the contract's records, by Torv's own template."""
    file, clauses = folder / "agreement.json", folder / "clauses.txt"
    clauses.write_text(sha256(b"certification").hexdigest())
    options = {
        "--municipality": MUNICIPALITY[0], "--partner": SUPPLIER[0], "--name": SUPPLIER[1], "--module": "module",
        "--capability": contract.capability, "--activity": "proeve", "--law": "SEL §83", "--purpose": "Prøve",
        "--clauses": str(clauses),
    }  # fmt: skip
    told = [part for pair in options.items() for part in pair]
    told += [part for category in contract.categories for part in ("--category", category)]
    await _run(torv, "agreement", "new", "keeps-records", str(file), *told)
    content: dict[str, Any] = json.loads(file.read_text("utf-8"))
    for grant in content["grants"]:
        grant["major"] = contract.major if grant["service"] == contract.capability else 1
    return content


async def _run(torv: str, *arguments: str, **settings: str) -> None:
    """Run one of Torv's commands. Raises NoTorv if it ends in another way than well."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("TORV_")}
    process = await asyncio.create_subprocess_exec(
        torv, *arguments, env=mine | settings, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise NoTorv(f"torv {arguments[0]} {arguments[1]}: {said.decode(errors='replace')[-500:]}")


def _public(key: ECKey) -> dict[str, Any]:
    return {**key.as_dict(private=False), "kid": thumbprint(key)}


async def _json(request: Any) -> Any:
    """The answer's JSON. Raises NoTorv if Torv refused."""
    async with request as answer:
        if answer.status >= 300:
            raise NoTorv(f"{answer.url.path}: {answer.status} {(await answer.text())[:500]}")
        return await answer.json(content_type=None)
