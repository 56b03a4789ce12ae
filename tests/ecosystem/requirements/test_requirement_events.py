"""A supplier is told that something is demanded of it, and no rival is."""

import asyncio
from typing import Any

from tests.cast import ANNA, NORDLYS, Cast, Part, content_of, enter_agreement
from tests.ecosystem.demanding import PROFILE
from tests.served import Api
from torv.base.db import Database
from torv.base.signing import Keys

PLACE = "/api/v1/requirements"
CHANGED = "torv.requirement.changed"


async def told(api: Api, count: int) -> list[dict[str, Any]]:
    """All that Nordnote is told, when it is so much, and a moment longer."""
    events: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while len(events) < count:
            events = (await api.get("/api/v1/events?capability=notes&after=0&wait=1", by="nordnote")).json["events"]
    await asyncio.sleep(0.5)
    return list((await api.get("/api/v1/events?capability=notes&after=0", by="nordnote")).json["events"])


async def test_demands_are_told_to_the_partner_they_were_put_to(
    api: Api, worker: None, cast: Cast, database: Database, keys: Keys
) -> None:
    following = (*NORDLYS.grants, ("events", ("receive", "subscribe"), ("contract",)))
    async with database.transaction() as tx:
        new = Part(cvr=NORDLYS.cvr, name=NORDLYS.name, module=NORDLYS.module, grants=following)
        await enter_agreement(tx, cast, content_of(new), keys)
    wanted = {"capability": "notes", "types": [CHANGED], "mode": "pull", "start": "beginning"}
    assert (await api.post("/api/v1/subscriptions", wanted, by=ANNA)).status == 201
    async with asyncio.timeout(20):
        while (await api.get("/api/v1/events?capability=notes", by="nordnote")).status != 200:
            await asyncio.sleep(0.05)

    made = (await api.post(f"{PLACE}/proposals", {"profile": PROFILE}, by=ANNA)).json["requirement_set"]["hash"]
    [event] = await told(api, 1)
    mine = {each["partner_name"]: each for each in (await api.get(f"{PLACE}/proposals", by=ANNA)).json["items"]}
    own, theirs = (mine[name]["id"] for name in ("Nordlys Omsorg ApS", "Kvik Systemer A/S"))
    assert (event["type"], event["subject"]) == (CHANGED, own)
    assert event["data"] == {"proposal_id": own, "capability": "notes", "change": "propose"}

    assert (await api.post(f"{PLACE}/proposals", {"profile": PROFILE}, by=ANNA)).status == 201  # once more: no news
    for day in ("2027-01-01", "2027-01-01", None):
        await api.ask("PUT", f"{PLACE}/{made}/day", {"from_day": day}, by=ANNA)
    events = await told(api, 3)
    assert [(each["subject"], each["data"]["change"], each["sequence"]) for each in events] == [
        (own, "propose", "1"), (own, "set_day", "2"), (own, "set_day", "3"),
    ]  # fmt: skip
    assert theirs not in str(events)
    assert (await api.get("/api/v1/subscriptions", by=ANNA)).json["items"][0]["lag_events"] == 6  # the rival's own, too
