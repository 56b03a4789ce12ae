"""Attack 13 of group A: somebody sets the clock back, while Torv runs or before it starts."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from tests.cast import ANNA, BORGERBLIK, Cast, content_of
from tests.security.conftest import Enter, Refused, happen, until_learnt
from tests.served import Api
from torv.app import make_application
from torv.base import clock
from torv.base.clock import Guard
from torv.base.errors import ClockSetBack
from torv.base.settings import Settings
from torv.base.trail import check_clock
from torv.doctor import examine
from torv.worker import work

DAY = 86_400.0


def person(cast: Cast) -> str:
    return f"/api/v1/persons/{cast.bjorn.id}"


def test_a13_a_clock_is_followed_forwards_and_back_by_a_few_seconds_only() -> None:
    wall, ticks = 1_000_000.0, 50.0
    guard = Guard(lambda: wall, lambda: ticks)
    for step, expected in ((3_600.0, 1_003_600.0), (-4.0, 1_003_596.0), (-DAY, 1_003_595.0), (DAY, 1_003_596.0)):
        wall += step
        assert guard.seconds() == pytest.approx(expected)
    wall -= DAY
    ticks += 10  # ten seconds pass in truth, and the guard knows it
    assert guard.seconds() == pytest.approx(1_003_605.0)
    assert guard.behind() == pytest.approx(DAY + 14)
    wall += 2 * DAY
    assert guard.seconds() == pytest.approx(wall)
    assert guard.behind() == 0.0


@pytest.fixture
def set_back(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock of this process back by so many seconds, as `date --set` does for every program."""
    real = time.time
    monkeypatch.setattr(clock, "_guard", Guard(lambda: time.time(), clock.ticks))
    return lambda seconds: monkeypatch.setattr(time, "time", lambda: real() - seconds)


async def test_a13_a_clock_set_back_by_a_day_gives_nothing_expired_its_life_again(
    set_back: Callable[[float], None], api: Api, cast: Cast, enter: Enter, outsider: asyncpg.Connection,
    refused: Refused,
) -> None:  # fmt: skip
    content = content_of(BORGERBLIK)
    content["validity"]["not_after"] = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    await happen(api, cast.agreements["borgerblik"], "exit")
    await enter(content | {"version": 2, "supersedes": str(cast.agreements["borgerblik"])})
    await until_learnt(api, outsider)
    async with refused(api, "borgerblik", "expired"):
        assert (await api.get(person(cast), by="borgerblik")).json["check"] == "expired"
    set_back(DAY)
    async with refused(api, "borgerblik", "expired"):
        assert (await api.get(person(cast), by="borgerblik")).json["check"] == "expired"
    deadline = clock.ticks() + 2
    while await api.metric("torv_clock_set_back_seconds") < DAY - 5:
        assert clock.ticks() < deadline


async def test_a13_a_token_that_has_expired_stays_so(
    set_back: Callable[[float], None], api: Api, cast: Cast, refused: Refused
) -> None:
    token = await api.token("borgerblik")
    set_back(-400)
    assert (await api.get(person(cast), Authorization=f"Bearer {token}")).code == (401, "token_expired")
    set_back(DAY)
    async with refused(api, None, "token_expired"):
        assert (await api.get(person(cast), Authorization=f"Bearer {token}")).code == (401, "token_expired")


async def test_a13_torv_does_not_start_with_a_clock_behind_its_own_trail(
    set_back: Callable[[float], None], settings: Settings, dsn: str, api: Api, cast: Cast
) -> None:
    assert (await api.get(person(cast), by=ANNA)).status == 200
    await check_clock(dsn)
    set_back(DAY)
    clock._guard = Guard(lambda: time.time(), clock.ticks)  # as in a process that begins now
    with pytest.raises(ClockSetBack) as refusal:
        await check_clock(dsn)
    assert DAY - 60 < refusal.value.facts["seconds"] <= DAY
    with pytest.raises(ClockSetBack):
        await work(settings, dsn)
    app = make_application(settings, dsn)
    with pytest.raises(ClockSetBack):
        await app.router.lifespan_context(app).__aenter__()
    found = {each.what: each for each in await examine(settings, dsn)}
    assert "TORV_TRUST_CLOCK" in (found["trail"].advice or "")
    app = make_application(replace(settings, trust_clock=True), dsn)
    async with app.router.lifespan_context(app):
        assert app.state.engine.lease.generation > 0
