"""Rules of the gateway: keys, what may be remembered, and how two answers are compared."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from torv.base.access import Caller
from torv.ecosystem.gateway.models import ModuleAnswer, Outgoing

#: answers of a module that are its last word on a call; anything else may come out differently when repeated
FINAL = frozenset({*range(200, 300), 303, 400, 404, 409, 410, 412, 422})
MOST_HOPS = 8  #: calls that may follow from one another


def own_key(caller: Caller, capability: str, key: str) -> str:
    """The caller's Idempotency-Key as nobody else's: two callers may use the same words."""
    return hashlib.sha256(f"{caller.identity}\n{capability}\n{key}".encode()).hexdigest()


def request_hash(outgoing: Outgoing) -> bytes:
    """What makes two calls the same call."""
    parts = (
        outgoing.operation.id, str(outgoing.demand.major), outgoing.path, repr(outgoing.query), outgoing.content_type,
    )  # fmt: skip
    return hashlib.sha256("\n".join(parts).encode() + b"\n" + outgoing.body.digest).digest()


def is_moved(answer: ModuleAnswer) -> bool:
    """Whether the module was told that it does not hold the capability: nothing was written."""
    return answer.status == 409 and b'"binding_moved"' in answer.body


def general_paths(paths: Iterable[str]) -> list[str]:
    """Paths with `*` for every place in a list, each once: what holds of many entries is told in one line."""
    return list(dict.fromkeys(re.sub(r"/[0-9]+(?=/|$)", "/*", each) for each in paths))


def differing_paths(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Where two JSON values differ, as JSON pointers; lists of other lengths differ as a whole."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted(ours.keys() | theirs.keys()):
            if name in ours and name in theirs:
                yield from differing_paths(ours[name], theirs[name], f"{path}/{name}")
            else:
                yield f"{path}/{name}"
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differing_paths(mine, other, f"{path}/{index}")
    elif ours != theirs:
        yield path or "/"
