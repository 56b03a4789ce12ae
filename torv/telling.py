"""`torv events`: what capabilities follow and how far behind they are, dead letters, trying again, beginning again."""

import sys
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from torv.acting import in_database, tell
from torv.base.access import ALL, Access, Caller, CallerKind
from torv.base.clock import DENMARK
from torv.base.db import Tx
from torv.base.errors import NotFound
from torv.base.ids import new_id
from torv.base.pages import LARGEST_SIZE, Wanted
from torv.ecosystem.events import (
    DeadLetter,
    LateEvent,
    Replay,
    SubscriptionView,
    late_events,
    list_dead_letters,
    list_subscriptions,
    redeliver,
    redeliver_all,
    replay,
    visible_letters,
)
from torv.kernel.records import key_of

commands = typer.Typer(no_args_is_help=True, help="Events: how deliveries are doing, dead letters, trying again.")
OPERATOR = Caller(kind=CallerKind.OPERATOR, id=UUID(int=0), name="operator")

Capability = Annotated[str, typer.Argument(help="The capability that follows events.")]
Unit = Annotated[UUID | None, typer.Option(help="That of this unit's own binding; left out: the municipality's.")]


@commands.command("subscriptions")
def show_subscriptions() -> None:
    """What each capability follows, and how it is doing; ends with status 1 where somebody should look."""
    found = in_database(_every_subscription)
    for each in found:
        why = f"  stopped by {each.stopped_by}" if each.stopped_by else ""
        typer.echo(
            f"{_place(each)}  {each.mode}  {each.alert}  {each.lag_events} waiting  {each.lag_seconds} s behind  "
            f"{each.parked} laid aside  {each.dead_letters} dead{why}  {' '.join(each.types)}"
        )
    sys.exit(any(each.alert != "ok" for each in found))


@commands.command("dead-letters")
def show_dead_letters() -> None:
    """Events that were given up, newest first."""
    for each in in_database(_every_dead_letter):
        status = each.last_status or "no answer"
        typer.echo(f"{each.id}  {_place(each)}  {each.type}  {each.subject}  {status}  {each.dead_at:%Y-%m-%d %H:%M}")


@commands.command("late")
def show_late() -> None:
    """Events of modules that did not hold the capability, newest first: kept, and told to nobody."""
    for each in in_database(_every_late_event):
        typer.echo(f"{each.id}  {each.capability}  {each.type}  {each.release_id}  {each.at:%Y-%m-%d %H:%M}")


@commands.command("redeliver")
def try_again(
    capability: Capability,
    letter: Annotated[UUID | None, typer.Option(help="One dead letter only, by its id.")] = None,
    unit: Unit = None,
) -> None:
    """Try dead letters again from the beginning: all of a capability's binding, or one."""

    async def revive(tx: Tx) -> int:
        if letter is not None:
            await redeliver(tx, _permit("redeliver"), letter)
            return 1
        found = await _of(tx, capability, unit)
        return (await redeliver_all(tx, _permit("redeliver"), found.id)).revived

    tell(f"{in_database(revive)} dead letters are tried again.")


@commands.command("replay")
def begin_again(
    capability: Capability,
    after: Annotated[int | None, typer.Option(min=0, help="Beyond this position.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="From this time, in Denmark.")
    ] = None,
    unit: Unit = None,
) -> None:
    """Let a capability be told again what it was told before."""
    at = None if since is None else since.replace(tzinfo=DENMARK)

    async def begin(tx: Tx) -> SubscriptionView:
        found = await _of(tx, capability, unit)
        return await replay(tx, _permit("replay"), found.id, new=Replay(after=after, since=at))

    tell(f"{capability} begins again after position {in_database(begin).cursor}.")


async def _every_subscription(tx: Tx) -> list[SubscriptionView]:
    found: list[SubscriptionView] = []
    while True:
        wanted = Wanted(size=LARGEST_SIZE, after=[found[-1].key] if found else None, binding=b"")
        part = await list_subscriptions(tx, _permit("read"), wanted=wanted)
        found += part[:LARGEST_SIZE]
        if len(part) <= LARGEST_SIZE:
            return found


async def _every_dead_letter(tx: Tx) -> list[DeadLetter]:
    found: list[DeadLetter] = []
    after = None
    while True:
        wanted = Wanted(size=LARGEST_SIZE, after=after, binding=b"")
        part = await list_dead_letters(tx, _permit("read"), wanted=wanted)
        found += await visible_letters(tx, _permit("read"), part[:LARGEST_SIZE])
        if len(part) <= LARGEST_SIZE:
            return found
        after = [part[LARGEST_SIZE - 1].dead_at.isoformat(), str(part[LARGEST_SIZE - 1].id)]


async def _every_late_event(tx: Tx) -> list[LateEvent]:
    found: list[LateEvent] = []
    while True:
        after = [found[-1].at.isoformat(), str(found[-1].id)] if found else None
        wanted = Wanted(size=LARGEST_SIZE, after=after, binding=b"")
        part = await late_events(tx, _permit("read_late"), capability=None, wanted=wanted)
        found += part[:LARGEST_SIZE]
        if len(part) <= LARGEST_SIZE:
            return found


def _place(found: SubscriptionView | DeadLetter) -> str:
    """The capability, and the unit that a binding is for."""
    return found.capability if found.unit_id is None else f"{found.capability} ({found.unit_name})"


async def _of(tx: Tx, capability: str, unit: UUID | None) -> SubscriptionView:
    """The subscription of a capability's binding: the municipality's, or that of a unit. Raises NotFound."""
    key = key_of(capability, unit)
    found = next((each for each in await _every_subscription(tx) if each.key == key), None)
    if found is None:
        raise NotFound
    return found


def _permit(operation: str) -> Access:
    return Access(
        caller=OPERATOR, service="events", operation=operation, category=None, categories=frozenset({ALL}),
        request_id=new_id(),
    )  # fmt: skip
