"""What tests of moves do: plan one, act on it, and see where it stands and who serves."""

import asyncio
import json
from typing import Any

from asyncpg import Connection

from tests.cast import ANNA, Cast
from tests.served import Api, Reply

MOVES, NOTES = "/api/v1/moves", "/c/notes/v1/notes"
INSERT = """insert into moves.moves (id, capability, from_release, to_release, state, shadowing_at, frozen_at)
            values ($1, 'notes', $2, $3, $4, now(), now())"""


async def plan(api: Api, cast: Cast, to: str = "kviknote", key: str = "plan") -> Reply:
    new = {"capability": "notes", "to_release": str(cast.releases[to])}
    return await api.post(MOVES, new, by=ANNA, Idempotency_Key=key)


async def act(api: Api, move: Any, verb: str, by: str = ANNA) -> Reply:
    return await api.post(f"{MOVES}/{move}/{verb}", by=by)


async def state_of(outsider: Connection, move: Any) -> str:
    return str(await outsider.fetchval("select state from moves.moves where id = $1", move))


async def reach(outsider: Connection, move: Any, *goals: str, seconds: float = 20) -> str:
    """Wait until the move has reached one of these states; gives which."""
    async with asyncio.timeout(seconds):
        while (state := await state_of(outsider, move)) not in goals:
            assert state not in ("aborted", "final", "rolled_back"), await last_step(outsider, move)
            await asyncio.sleep(0.01)
    return state


async def last_step(outsider: Connection, move: Any) -> dict[str, Any]:
    text = await outsider.fetchval("select detail from moves.steps where move_id = $1 order by seq desc limit 1", move)
    return dict(json.loads(text))


async def reading(api: Api, until: asyncio.Event) -> list[Reply]:
    """Somebody who reads notes all the time."""
    replies = []
    while not until.is_set():
        replies.append(await api.get(NOTES, by="borgerblik"))
        await asyncio.sleep(0.01)
    return replies


async def in_service(api: Api) -> str:
    [binding] = (await api.get("/api/v1/bindings", by=ANNA)).json["items"]
    return str(binding["module_name"])


async def move_to(api: Api, outsider: Connection, cast: Cast, to: str, key: str) -> tuple[str, list[Reply]]:
    """Move while somebody reads; gives the move and what the reader was answered."""
    done, move = asyncio.Event(), (await plan(api, cast, to, key)).json["id"]
    readers = asyncio.create_task(reading(api, done))
    await reach(outsider, move, "watching")
    done.set()
    return str(move), await readers
