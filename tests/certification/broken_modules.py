"""Modules that break one rule each: Kviknote, and one thing done wrong. They start as `python -m`, with the rule.

Nothing here is clever: each is a mistake a supplier could make.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from joserfc import jws, jwt
from joserfc.jwk import ECKey

from tests.sdk.modules_under_test import kviknote
from torv_sdk import MemoryStore, Problem, Settings, bucket, calls, client, memory_store, module, records
from torv_sdk.tokens import Caller, CallerTokens

client.PATIENCE = 0.3  # a module may give up sooner than the SDK does; the tests are quicker for it

BREAKS: dict[str, Callable[[], None]] = {}


def breaks(rule):
    """What follows makes the mistake that breaks this rule."""

    def declare(make):
        BREAKS[rule] = make
        return make

    return declare


def patch(place, name, make):
    """Put something else in the place of a function; `make` is given the one that stood there."""
    setattr(place, name, make(getattr(place, name)))


def patch_claims(change):
    def make(true):
        def start(self, *given):
            true(self, *given)
            change(self._claims)

        return start

    patch(CallerTokens, "__init__", make)


def patch_check(accepts):
    def make(true):
        async def check(self, token):
            with suppress(Exception):
                if accepts(token):
                    return Caller("user:1", "call", time.time() + 1, token)
            return await true(self, token)

        return check

    patch(CallerTokens, "_check", make)


@breaks("health")
def calls_its_state_something_else():
    def make(_):
        async def health(self, _request):
            return calls.json_response({
                "status": "fine", "release": self._settings.client_id, "position": self._store.position(),
                "caught_up": self._caught_up.is_set(),
            })  # fmt: skip

        return health

    patch(module.Module, "_health", make)


@breaks("valid_call_admitted")
def asks_for_more_than_the_contract():
    def make(true):
        def checked(body):
            true(body)
            if "department" not in body:
                raise Problem(403, "denied", "Say which department you are from.")
            return body

        return checked

    patch(kviknote, "checked", make)


@breaks("operations_there")
def has_no_list_at_all():
    def make(true):
        def meant(self, request, caller):
            major, place = true(self, request, caller)
            if place.name == "list_notes":
                raise Problem(404, "not_found", "There is nothing here.")
            return major, place

        return meant

    patch(module.Module, "_meant", make)


@breaks("token_missing")
def lets_in_who_says_nothing():
    def make(true):
        async def verify(self, authorization, operation):
            if not authorization and operation == "call":
                return Caller("user:1", "call", time.time() + 1, "")
            return await true(self, authorization, operation)

        return verify

    patch(CallerTokens, "verify", make)


@breaks("token_audience")
def takes_tokens_for_others():
    patch_claims(lambda claims: claims.options.update(aud={"essential": True}))


@breaks("token_issuer")
def takes_tokens_of_others():
    patch_claims(lambda claims: claims.options.update(iss={"essential": True}))


@breaks("token_expired")
def never_looks_at_the_clock():
    patch_claims(lambda claims: setattr(claims, "leeway", 10_000_000))


@breaks("token_unsigned")
def believes_what_nobody_signed():
    patch_check(lambda token: token.endswith("."))


@breaks("token_forged")
def believes_the_key_in_the_token():
    def accepts(token):
        key = ECKey.import_key(jws.extract_compact(token.encode()).headers()["jwk"])
        return jwt.decode(token, key, algorithms=["ES256"]).claims["iss"] == os.environ["TORV_URL"]

    patch_check(accepts)


@breaks("token_purpose")
def lets_an_export_token_call():
    def make(true):
        async def verify(self, authorization, operation):
            with suppress(Problem):
                return await true(self, authorization, "export")
            return await true(self, authorization, operation)

        return verify

    patch(CallerTokens, "verify", make)


@breaks("key_required")
def makes_a_key_of_its_own():
    patch(calls, "header", lambda true: lambda request, name: true(request, name) or (
        str(uuid4()) if name == "idempotency-key" else ""
    ))  # fmt: skip


@breaks("body_refused")
def checks_nothing():
    patch(kviknote, "checked", lambda _: lambda body: body)


@breaks("refusals_described")
def refuses_as_plain_json():
    def make(true):
        def respond(problem):
            response = true(problem)
            response.headers["content-type"] = "application/json"
            return response

        return respond

    patch(calls, "problem_response", make)


@breaks("write_once")
def forgets_the_callers_key():
    def make(true):
        def start(self, *given, key, trace):
            true(self, *given, key=str(uuid4()), trace=trace)

        return start

    patch(records.Records, "__init__", make)


@breaks("kernel_first")
def answers_when_it_takes_long():
    def make(true):
        async def write(self, *given, body, **more):
            waiting = asyncio.create_task(true(self, *given, body=body, **more))
            done, _ = await asyncio.wait({waiting}, timeout=1.0)
            if done:
                return await waiting
            now = "2026-03-01T09:30:00.000000Z"
            return records.Record(
                id=uuid4(), type="note", version=1, person_id=more["person_id"], body=body, at=now
            )  # fmt: skip

        return write

    patch(records.Records, "write", make)


@breaks("nothing_kept")
def sends_it_later():
    def make(true):
        async def try_again(self, *given, **more):
            for _ in range(20):
                await asyncio.sleep(0.2)
                with suppress(Problem):
                    self._written = 0
                    return await true(self, *given, **more)
            return None

        async def write(self, *given, **more):
            try:
                return await true(self, *given, **more)
            except Problem:
                later.add(asyncio.create_task(try_again(self, *given, **more)))
                raise

        return write

    later = set()
    patch(records.Records, "write", make)


@breaks("answer_lost")
def tries_again_with_another_key():
    def make(_):
        async def post(self, path, content, *, key, headers, on_behalf_of=None):
            for attempt in ("", "-again"):
                sent = {**headers, "Idempotency-Key": key + attempt, "Content-Type": "application/json"}
                data = calls.dump(content).encode()
                try:
                    return await self._patiently(0, on_behalf_of, "POST", path, data=data, headers=sent)
                except Problem:
                    if attempt:
                        raise
            return None

        return post

    patch(client.KernelClient, "post", make)


@breaks("unknown_fields")
def keeps_what_it_knows():
    known = ("text", "written_at")
    patch(kviknote, "checked", lambda true: lambda body: {
        name: value for name, value in true(body).items() if name in known
    })  # fmt: skip


@breaks("answers_described")
def leaves_out_when():
    patch(kviknote, "as_note", lambda true: lambda record: {
        name: value for name, value in true(record).items() if name != "written_at"
    })  # fmt: skip


@breaks("query_refused")
def takes_any_limit():
    def make(_):
        def number(self, name, *, default, most):
            text = self.query.get(name, str(default))
            return min(most, int(text)) if text.isdecimal() else default

        return number

    patch(calls.Call, "number", make)


@breaks("export_complete")
def counts_buckets_otherwise():
    patch(memory_store, "bucket", lambda _: lambda record_id: (bucket(record_id) + 2048) % 4096)


@breaks("store_lost")
def remembers_how_far_but_not_what():
    place = Path(os.environ["TORV_MODULE_DATA"]).with_name("position")

    def make(true):
        def start(self, *given):
            true(self, *given)
            self._position = int(place.read_text()) if place.exists() else 0

        return start

    def keep(true):
        async def apply(self, *given):
            await true(self, *given)
            place.write_text(str(self._position))

        return apply

    patch(MemoryStore, "__init__", make)
    patch(MemoryStore, "apply", keep)


@breaks("killed_between")
def has_other_keys_after_a_start():
    start = str(uuid4())

    def make(true):
        def begin(self, *given, key, trace):
            true(self, *given, key=key and f"{key}-{start}", trace=trace)

        return begin

    patch(records.Records, "__init__", make)


if __name__ == "__main__":
    BREAKS.get(sys.argv[1], lambda: None)()  # a name that breaks nothing is Kviknote itself
    kviknote.build(Settings.from_environment()).run()
