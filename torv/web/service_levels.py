"""The pages about service levels: what suppliers promised against what was measured, month by month."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Path

from torv.base import clock
from torv.base.http import Answer, Call, Routes
from torv.base.pages import LARGEST_SIZE
from torv.ecosystem.agreements import in_force
from torv.ecosystem.service_levels import (
    LevelStatement,
    Month,
    list_promising,
    list_statements,
    month_of,
    read_statement,
)
from torv.web.rendering import render

routes = Routes("/service-levels", "service_levels")

MONTHS = 6  #: shown on the page, the newest ones


@routes.reads("", "read", "agreement", include_in_schema=False)
async def show_service_levels(call: Call) -> Answer:
    """The newest sealed statement of each agreement and month, and the way to the month that is not over."""
    wanted = call.page(LARGEST_SIZE, None, page="levels")
    months = months_of(await list_statements(call.tx, call.access, wanted=wanted))
    promising = [await in_force(call.tx, each) for each in await list_promising(call.tx, call.access)]
    return render(
        call.request, "service_levels.html", reader=call.access.caller.name, months=months, promising=promising,
        this_month=Month.of(clock.now()), now=clock.now(),
    )  # fmt: skip


@routes.reads("/{agreement_id}/{month}", "read", "agreement", include_in_schema=False)
async def show_statement(
    call: Call, agreement_id: UUID, month: Annotated[str, Path(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]
) -> Answer:
    """One agreement's month: sealed, or as it stands so far."""
    statement = await read_statement(call.tx, call.access, agreement_id, month_of(month))
    return render(
        call.request, "service_level.html", reader=call.access.caller.name, statement=statement, now=clock.now()
    )  # fmt: skip


def months_of(statements: list[LevelStatement]) -> list[tuple[date, list[LevelStatement]]]:
    """The newest version for each agreement and month, by month, the newest first."""
    newest: dict[tuple[date, UUID], LevelStatement] = {}
    for each in statements:
        place = (each.month, each.agreement_id)
        if place not in newest or newest[place].version < each.version:
            newest[place] = each
    months = sorted({month for month, _ in newest}, reverse=True)[:MONTHS]
    return [
        (
            month,
            sorted((each for each in newest.values() if each.month == month), key=lambda each: each.content["title"]),
        )
        for month in months
    ]
