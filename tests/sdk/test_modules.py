"""The two modules as their suppliers ship them: real processes, spoken to as the gateway does."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from contextlib import asynccontextmanager, suppress
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs

import aiohttp
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.sdk.loopback import loopback
from torv_sdk.keys import make_key

ROOT = Path(__file__).parents[2]
TORV_KEY = ECKey.generate_key("P-256", auto_kid=False)
JWKS = {"keys": [TORV_KEY.as_dict(private=False, kid=TORV_KEY.thumbprint())]}
RELEASE = "0198c0de-0000-7000-8000-000000000001"
ALICE = "0198c0de-0000-7000-8000-00000000a11c"
RECORDS, FEED = "/api/v1/records", "/api/v1/records/feed"


def record(number, text, **body):
    body = {"text": text, **body}
    known = {"id": f"0198c0de-0000-7000-8000-{number:012d}", "type": "note", "version": 1, "person_id": ALICE}
    return {**known, "body": body, "at": f"2026-03-01T09:30:{number:02d}Z"}


def token(torv, op="call"):
    now = int(time.time())
    claims = {"iss": torv.url, "aud": RELEASE, "sub": "user:1", "iat": now, "exp": now + 60, "cap": "notes", "op": op}
    return jwt.encode({"alg": "ES256", "kid": TORV_KEY.thumbprint()}, claims, TORV_KEY, algorithms=["ES256"])


class Running:
    """One module's process and a session with it."""

    def __init__(self, process, address, http, torv):
        self.process, self.address, self.http, self.torv = process, address, http, torv

    async def ask(self, method, path, op="call", body=None, **headers):
        sent = {"Authorization": f"Bearer {token(self.torv, op)}"} if op else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.request(
            method, self.address + path, headers=sent, data=body and BytesIO(body.encode())
        ) as answer:
            return answer.status, await answer.json(content_type=None), answer.headers

    async def write(self, text="hello", key="key-1", **more):
        body = json.dumps({"person_id": ALICE, "text": text, **more})
        return await self.ask("POST", "/notes", body=body, Idempotency_Key=key, Torv_Call="call-1")

    async def caught_up(self):
        async with asyncio.timeout(10):
            while not (await self.ask("GET", "/torv/health", op=None))[1]["caught_up"]:
                await asyncio.sleep(0.02)


async def start(name, torv, folder, more, **options):
    """The module's program, told what a supervisor tells it."""
    told = {"URL": torv.url, "CLIENT_ID": RELEASE, "KEY_FILE": folder / "key.pem", "MODULE_DATA": folder / "data"}
    environment = {f"TORV_{key}": str(value) for key, value in told.items()}
    environment["PYTHONPATH"] = f"{ROOT}:{ROOT / 'modules' / name}"
    command = (sys.executable, "-c", f"import {name}; {name}.main()")
    options |= {"env": os.environ | environment | more, "stderr": asyncio.subprocess.PIPE}
    return await asyncio.create_subprocess_exec(*command, **options)


def stop(process):
    """Ask it to stop. Not by `send_signal`: that takes the exit code of a process that has just ended for itself."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)


def insist(process):
    """Ask it to stop until it has, some thousand times a second."""
    while process.returncode is None:
        stop(process)
        time.sleep(0.0002)


@asynccontextmanager
async def running(name, torv, folder):
    """Start the module on a socket that listens already, as a supervisor does; stop it in the end and expect order."""
    if not (folder / "key.pem").exists():
        make_key(folder / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        handed = {"TORV_MODULE_FD": str(listening.fileno())}
        process = await start(name, torv, folder, handed, pass_fds=[listening.fileno()])
    async with aiohttp.ClientSession() as http:
        try:
            yield Running(process, address, http, torv)
        finally:
            stop(process)
            _, lines = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0, lines.decode()
    assert all("event" in json.loads(line) for line in lines.splitlines())
    assert ALICE not in lines.decode()
    assert "hello" not in lines.decode()


@pytest.fixture
async def torv():
    async with loopback() as server:
        server.answer(
            "/.well-known/jwks.json", 200, {"keys": [TORV_KEY.as_dict(private=False, kid=TORV_KEY.thumbprint())]}
        )
        server.answer(FEED, 200, {"records": [record(1, "one"), record(2, "two", x=1)], "position": 2, "more": False})
        server.answer(FEED, 503, {"code": "state_unconfirmed"})
        server.answer("/api/v1/events", 403, {"code": "denied"})
        yield server


@pytest.fixture(params=["nordnote", "kviknote"])
async def module(request, torv, tmp_path):
    async with running(request.param, torv, tmp_path) as started:
        await started.caught_up()
        yield started


async def test_a_note_from_the_feed_is_listed_and_exported(module):
    status, listed, _ = await module.ask("GET", f"/notes?person_id={ALICE}&limit=1")
    expected = {"id": record(2, "")["id"], "person_id": ALICE, "version": 1, "text": "two"}
    assert (status, listed) == (200, {"notes": [{**expected, "written_at": "2026-03-01T09:30:02.000000Z"}]})
    status, exported, _ = await module.ask("GET", "/torv/export/note?bucket=0-4095", op="export")
    assert (status, exported["position"]) == (200, 2)
    assert sorted(found["body"].get("x", 0) for found in exported["records"]) == [0, 1]
    status, health, _ = await module.ask("GET", "/torv/health", op=None)
    assert (status, health) == (200, {"status": "ok", "release": RELEASE, "position": 2, "caught_up": True})


async def test_a_note_is_answered_after_the_kernel_has_it_and_then_listed(module, torv):
    torv.answer(RECORDS, 201, record(3, "three", kept="yes"))
    status, written, _ = await module.write("three", kept="yes")
    assert (status, written["text"]) == (201, "three")
    ((headers, body),) = torv.seen(RECORDS)
    assert (headers["Idempotency-Key"], headers["Torv-Call"]) == ("key-1", "call-1")
    assert json.loads(body)["body"] == {"text": "three", "kept": "yes"}
    _, listed, _ = await module.ask("GET", f"/notes?person_id={ALICE}")
    assert [note["text"] for note in listed["notes"]] == ["three", "two", "one"]


async def test_what_the_kernel_refuses_is_passed_on_and_not_listed(module, torv):
    torv.answer(RECORDS, 409, {"type": "t", "title": "Flyttet", "status": 409, "code": "binding_moved", "now": 5})
    status, problem, headers = await module.write("three")
    assert (status, headers["Content-Type"]) == (409, "application/problem+json")
    assert problem == {"type": "t", "title": "Flyttet", "status": 409, "code": "binding_moved", "now": 5}
    _, listed, _ = await module.ask("GET", f"/notes?person_id={ALICE}")
    assert len(listed["notes"]) == 2


async def test_a_module_torv_does_not_accept_is_not_the_callers_fault(module, torv):
    torv.answer(RECORDS, 401, {"code": "not_identified"})
    status, problem, _ = await module.write()
    assert (status, problem["status"], problem["code"]) == (502, 502, "module_not_identified")


async def test_a_note_that_does_not_fit_never_reaches_the_kernel(module, torv):
    for changes, status in (
        ({"text": ""}, 422),
        ({"text": "a" * 4001}, 422),
        ({"text": 5}, 422),
        ({"person_id": "alice"}, 422),
        ({"person_id": None}, 422),
        ({"written_at": "yesterday"}, 422),
        ({"more": 2**60}, 400),
        ({"text": "\ud800"}, 400),
        ({"more": "a" * 1024 * 1024}, 413),
    ):
        answered, problem, _ = await module.write(**changes)
        assert (answered, problem["status"]) == (status, status), changes.keys()
    assert torv.seen(RECORDS) == []


async def test_a_list_that_does_not_fit_is_refused(module):
    person = f"person_id={ALICE}"
    for query in ("", "person_id=alice", f"{person}&limit=0", f"{person}&limit=201", f"{person}&limit=+5",
                  f"{person}&limit=", f"person_id=%7B{ALICE}%7D"):  # fmt: skip
        status, problem, _ = await module.ask("GET", f"/notes?{query}")
        assert (status, problem["code"]) == (422, "invalid_input"), query


async def test_only_the_contract_is_answered_and_only_to_the_gateway(module):
    for method, path, op, status in (
        ("GET", f"/notes?person_id={ALICE}", None, 401),
        ("GET", f"/notes?person_id={ALICE}", "export", 401),
        ("GET", "/torv/export/note?bucket=1", "call", 401),
        ("GET", "/torv/export/note", "export", 422),
        ("GET", "/torv/export/other?bucket=1", "export", 404),
        ("GET", "/notes/", "call", 404),
        ("GET", "/", "call", 404),
        ("DELETE", "/notes", "call", 405),
        ("GET", f"/notes?person_id={ALICE}&person_id={ALICE}", "call", 400),
        ("POST", "/notes", "call", 400),
    ):
        answered, problem, headers = await module.ask(method, path, op=op)
        assert (answered, problem["status"]) == (status, status), (method, path, op)
        assert headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["nordnote", "kviknote"])
async def test_with_the_kernel_gone_a_module_still_shows_what_it_has(name, tmp_path):
    async with loopback() as torv:
        torv.answer(
            "/.well-known/jwks.json", 200, {"keys": [TORV_KEY.as_dict(private=False, kid=TORV_KEY.thumbprint())]}
        )
        torv.answer(FEED, 200, {"records": [record(1, "one")], "position": 1, "more": False})
        torv.answer(FEED, 503, {"code": "state_unconfirmed"})
        starting = running(name, torv, tmp_path)
        module = await starting.__aenter__()
        await module.caught_up()
    status, exported, _ = await module.ask("GET", "/torv/export/note?bucket=0-4095", op="export")
    assert (status, [found["body"]["text"] for found in exported["records"]]) == (200, ["one"])
    assert (await module.ask("GET", "/torv/health", op=None))[0] == 200
    await starting.__aexit__(None, None, None)


async def test_half_a_store_answers_no_reader(torv, tmp_path):
    torv.answers[FEED] = []
    torv.answer(FEED, 200, {"records": [record(1, "one")], "position": 1, "more": True})
    torv.answer(FEED, 503, {"code": "state_unconfirmed"})
    async with running("kviknote", torv, tmp_path) as module:
        status, problem, headers = await module.ask("GET", f"/notes?person_id={ALICE}")
        assert (status, problem["code"], headers["Retry-After"]) == (503, "catching_up", "1")


@pytest.mark.parametrize("name", ["nordnote", "kviknote"])
async def test_a_call_in_flight_is_finished_before_the_module_stops(name, torv, tmp_path):
    torv.answer(RECORDS, 201, record(3, "three"))
    async with running(name, torv, tmp_path) as module:
        await module.caught_up()
        torv.pause = 0.5
        writing = asyncio.create_task(module.write("three"))
        while not torv.seen(RECORDS):
            await asyncio.sleep(0.01)
        stop(module.process)
        assert (await writing)[0] == 201


@pytest.mark.parametrize("name", ["nordnote", "kviknote"])
async def test_a_module_told_to_stop_again_and_again_still_stops_in_order(name, torv, tmp_path):
    async with running(name, torv, tmp_path) as module:
        await module.caught_up()
        await asyncio.to_thread(insist, module.process)
    assert module.process.returncode == 0


async def test_nordnote_goes_on_where_it_stopped(torv, tmp_path):
    assert await position_asked_for_after_a_restart("nordnote", torv, tmp_path) == "2"


async def test_kviknote_begins_anew(torv, tmp_path):
    assert await position_asked_for_after_a_restart("kviknote", torv, tmp_path) == "0"


async def position_asked_for_after_a_restart(name, torv, folder):
    async with running(name, torv, folder) as module:
        await module.caught_up()
    torv.asked.clear()
    torv.answers[FEED] = []
    torv.answer(FEED, 200, {"records": [record(1, "one"), record(2, "two")], "position": 2, "more": False})
    torv.answer(FEED, 503, {"code": "state_unconfirmed"})
    async with running(name, torv, folder) as module:
        await module.caught_up()
        _, listed, _ = await module.ask("GET", f"/notes?person_id={ALICE}")
    assert [note["text"] for note in listed["notes"]] == ["two", "one"]
    return parse_qs(torv.seen(FEED)[0][0]["query"])["after"][0]


async def test_an_address_that_is_taken_is_one_sentence(torv, tmp_path):
    make_key(tmp_path / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = await start("kviknote", torv, tmp_path, {"TORV_MODULE_PORT": port})
        _, said = await process.communicate()
    assert process.returncode == 1
    assert said.decode() == f"cannot listen at 127.0.0.1:{port}: Address already in use\n"
