"""What Torv pushes is believed only when it is signed with our secret, just now; and is handled once."""

import base64
import json
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from joserfc.jwk import ECKey

from tests.sdk.loopback import loopback
from torv.base.ids import new_id
from torv.ecosystem.events import rules
from torv_sdk.client import KernelClient
from torv_sdk.events import TOLERANCE, Event, Events, SeenEvents, verify
from torv_sdk.problems import Problem

pytestmark = pytest.mark.anyio
SECRET, OTHER = b"s" * 32, b"o" * 32
SECRETS = "/api/v1/subscriptions/secrets"
NOW = 1_795_000_000
BODY = b'[{"specversion":"1.0"}]'


def sealed(*secrets: bytes, at: int = NOW, message: str = "msg_1", body: bytes = BODY) -> dict[str, str]:
    """Signed by Torv's own code."""
    return rules.signed_headers(secrets or (SECRET,), message, at, body)


def is_believed(headers: dict[str, str], body: bytes = BODY, *, now: float = NOW, by: bytes = SECRET) -> bool:
    try:
        verify(headers, body, [rules.shown(by)], now=now)
    except Problem as problem:
        return problem.code != "signature_invalid"
    return True


def test_a_signature_is_the_one_of_the_specification() -> None:
    """The example that Standard Webhooks publishes, made by Torv and believed by the SDK."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body, message, stamp = b'{"test": 2432232314}', "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
    headers = rules.signed_headers([secret], message, stamp, body)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert verify(headers, body, ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], now=stamp) == message


def test_what_is_changed_is_not_believed() -> None:
    good = sealed()
    assert is_believed(good)
    assert not is_believed(good, BODY + b" ")
    assert not is_believed(good, by=OTHER)
    for name, value in [
        ("webhook-id", "msg_2"), ("webhook-timestamp", str(NOW + 1)), ("webhook-signature", "v1,AAAA"),
        ("webhook-id", ""), ("webhook-timestamp", ""), ("webhook-signature", ""), ("webhook-id", "msg.1"),
        ("webhook-timestamp", "+1"), ("webhook-timestamp", "١٧"), ("webhook-timestamp", "1e9"),
        ("webhook-signature", good["webhook-signature"].replace("v1,", "v2,")),
        ("webhook-signature", good["webhook-signature"].replace("v1,", "v1a,")),
        ("webhook-signature", "v1," + "é" * 44), ("webhook-signature", "v1"), ("webhook-id", "a" * 200),
    ]:  # fmt: skip
        assert not is_believed(good | {name: value}), (name, value)
        assert not is_believed({each: kept for each, kept in good.items() if each != name}), name


def test_any_of_several_signatures_will_do_and_a_flood_of_them_is_not_read() -> None:
    both = sealed(OTHER, SECRET)
    assert is_believed(both)
    assert is_believed(both, by=OTHER)
    mark = sealed()["webhook-signature"]
    assert not is_believed(sealed() | {"webhook-signature": " ".join(["v1,AAAA"] * 50 + [mark])})


@pytest.mark.parametrize(("off", "good"), [(0, True), (TOLERANCE, True), (TOLERANCE + 1, False), (10**6, False)])
def test_an_old_message_or_one_from_the_future_is_not_believed(off: int, good: bool) -> None:
    assert is_believed(sealed(), now=NOW + off) is good
    assert is_believed(sealed(), now=NOW - off) is good


def wire(event_id: UUID, number: int = 1) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": str(event_id), "type": "notes.note.written", "source": "urn:torv:notes",
        "subject": "s", "sequence": str(number), "time": "2026-03-01T09:30:00Z", "position": number, "data": {},
    }  # fmt: skip


async def test_an_event_is_handled_once_also_after_a_restart_and_again_if_it_failed(tmp_path: Path) -> None:
    handled: list[UUID] = []
    ill = True

    async def handle(event: Event) -> None:
        if ill and event.sequence == 2:
            raise RuntimeError
        handled.append(event.id)

    events = Events()
    events.handlers["notes.note.written"] = handle
    one, other = new_id(), new_id()
    batch = [Event.from_wire(wire(one)), Event.from_wire(wire(other, 2))]
    with pytest.raises(RuntimeError):
        await events.take(batch, SeenEvents(tmp_path / "events.sqlite"))
    ill = False
    for _ in range(2):
        await events.take(batch, SeenEvents(tmp_path / "events.sqlite"))
    assert handled == [one, other]


async def test_secrets_are_fetched_and_a_forged_message_is_no_way_to_let_us_ask_for_ever(tmp_path: Path) -> None:
    events, seen = Events(), SeenEvents(tmp_path / "events.sqlite")
    body, now = json.dumps([wire(new_id())]).encode(), int(time.time())
    async with loopback() as torv, KernelClient(torv.url, str(new_id()), ECKey.generate_key("P-256")) as kernel:
        torv.answer(SECRETS, 200, {"secrets": [rules.shown(SECRET)]})
        await events.receive(kernel, "notes", sealed(at=now, body=body), body, seen)
        for _ in range(20):
            with pytest.raises(Problem, match="401"):
                await events.receive(kernel, "notes", sealed(OTHER, at=now, body=body), body, seen)
        assert len(torv.seen(SECRETS)) == 1
        for broken in (b"[", b"{}", b'[{"specversion":"0.3"}]', b'["x"]', b'[{"a":1,"a":2}]'):
            with pytest.raises(Problem, match="400"):
                await events.receive(kernel, "notes", sealed(at=now, body=broken), broken, seen)


async def test_a_module_that_cannot_get_its_secrets_asks_torv_to_wait(tmp_path: Path) -> None:
    events, seen = Events(), SeenEvents(tmp_path / "events.sqlite")
    async with loopback() as torv, KernelClient(torv.url, str(new_id()), ECKey.generate_key("P-256")) as kernel:
        torv.answer(SECRETS, 403, {"code": "denied"})
        with pytest.raises(Problem, match="503 secrets_unknown"):
            await events.receive(kernel, "notes", sealed(at=int(time.time())), BODY, seen)
