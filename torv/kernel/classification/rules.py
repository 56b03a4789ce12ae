"""Rules of classification: what a usable edition is, and what it changes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from torv.base.errors import EditionRefused
from torv.kernel.classification.models import ChangeKind, EntryChange, NewEdition, NewEntry

LONGEST_TITLE = 500  #: characters
MOST_ENDINGS = 0.1  #: the share of codes that an edition may end unasked: a file cut short ends nearly all

_FACTS = ("title", "has_derived_title", "valid_from", "valid_to", "official_id", "keywords")
Known = Mapping[str, NewEntry]  #: by code
Changed = tuple[NewEntry, EntryChange]


def check_edition(known: Known, new: NewEdition) -> None:
    """Raises EditionRefused for an edition that says nothing, says something twice, or hangs in the air."""
    if not new.entries:
        raise EditionRefused(reason="it has no codes", reason_da="den har ingen koder")
    codes = Counter(each.code for each in new.entries)
    twice = next((code for code, times in codes.items() if times > 1), None)
    if twice:
        raise EditionRefused(reason=f"{twice} stands twice", reason_da=f"{twice} står to gange")
    for each in new.entries:
        if each.parent is not None and each.parent not in codes and each.parent not in known:
            raise EditionRefused(
                reason=f"{each.code} stands under {each.parent}, which is not known",
                reason_da=f"{each.code} står under {each.parent}, som ikke kendes",
            )
        if not 0 < len(each.title) <= LONGEST_TITLE or not each.title.isprintable():
            raise EditionRefused(reason=f"the title of {each.code}", reason_da=f"titlen på {each.code}")


def compare(known: Known, new: NewEdition) -> list[Changed]:
    """What an edition changes, by code: the entry as it becomes, and the change in words."""
    stated = {each.code: each for each in new.entries}
    codes = sorted(stated.keys() | {code for code, each in known.items() if each.level in new.levels})
    found = (_change(known.get(code), stated.get(code), new.published) for code in codes)
    return [each for each in found if each is not None]


def check_endings(known: Known, new: NewEdition, changes: list[Changed]) -> None:
    """Raises EditionRefused when more than a tenth of the codes in force would end."""
    in_force = sum(each.level in new.levels and _is_open(each, new.published) for each in known.values())
    ended = sum(change.kind is ChangeKind.ENDED for _, change in changes)
    if ended > in_force * MOST_ENDINGS:
        raise EditionRefused(
            reason=f"{ended} of {in_force} codes would end; accept the endings if that is right",
            reason_da=f"{ended} af {in_force} koder ville udgå; godkend det, hvis det er rigtigt",
        )


def _change(before: NewEntry | None, stated: NewEntry | None, published: date) -> Changed | None:
    if before is None:
        assert stated is not None
        return stated, EntryChange(kind=ChangeKind.ADDED, code=stated.code, title=stated.title)
    after = _merge(before, stated, published)
    if after == before:
        return None
    kind = _kind(before, after, published)
    former = before.title if kind is ChangeKind.RETITLED else None
    return after, EntryChange(kind=kind, code=after.code, title=after.title, former_title=former)


def _merge(before: NewEntry, stated: NewEntry | None, published: date) -> NewEntry:
    """What is known with what an edition states: an end for a code it leaves out, a new life for one that is back."""
    if stated is None:
        return replace(before, valid_to=published) if _is_open(before, published) else before
    values: dict[str, Any] = {name: getattr(stated, name) for name in _FACTS if getattr(stated, name) is not None}
    if stated.has_derived_title and not before.has_derived_title:
        values |= {"title": before.title, "has_derived_title": False}
    if stated.valid_to is None and not _is_open(before, published):
        values["valid_to"] = None
    return replace(before, **values)


def _kind(before: NewEntry, after: NewEntry, published: date) -> ChangeKind:
    if after.valid_to is not None and before.valid_to is None:
        return ChangeKind.ENDED
    if after.valid_to is None and not _is_open(before, published):
        return ChangeKind.ADDED
    if after.title != before.title:
        return ChangeKind.RETITLED
    return ChangeKind.ENDED if _is_open(before, published) and not _is_open(after, published) else ChangeKind.UPDATED


def _is_open(entry: NewEntry, on: date) -> bool:
    return entry.valid_to is None or entry.valid_to > on
