"""Compiling: from the agreements of a generation to a policy that decides by them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from torv.ecosystem.agreements import rules
from torv.ecosystem.agreements.content import Content, SubProcessor
from torv.ecosystem.agreements.emergency import EmergencyList
from torv.ecosystem.agreements.granting import lines_of
from torv.ecosystem.agreements.models import EventKind, StoredAgreement
from torv.ecosystem.agreements.policy import Compiled, Policy
from torv.ecosystem.partners import SupplyLink

Links = tuple[SupplyLink, ...]


def compile_policy(
    agreements: Iterable[tuple[Content, StoredAgreement]] = (),
    links: Iterable[SupplyLink] = (),
    emergency: EmergencyList | None = None,
) -> Policy:
    """Index agreements by partner, with the instants at which a decision may change."""
    making = Making(tuple(links), None)
    for content, stored in agreements:
        making.put(content, stored)
    return making.policy(emergency)


class Making:
    """A policy being made from the one before: what has not changed is taken over."""

    def __init__(self, links: Links, before: Policy | None) -> None:
        self._by_pair = _by_pair(links)
        self._by_partner = _by_partner(self._by_pair)
        self._agreements: dict[UUID, Mapping[UUID, Compiled]] = dict(before.by_partner) if before else {}
        self._by_id: dict[UUID, Compiled] = dict(before.by_id) if before else {}
        self._successors: dict[UUID, Compiled] = dict(before.successors) if before else {}
        self._before, self._own = before, dict[UUID, dict[UUID, Compiled]]()

    def put(self, content: Content, stored: StoredAgreement) -> None:
        """Add an agreement, or how it stands now. Versions must come in the order in which they were proposed."""
        compiled = compile_agreement(content, stored, self._by_partner.get(stored.partner_id, ()))
        known = self._by_id.get(content.id)
        if known is not None and known.stored.partner_id != stored.partner_id:  # it has merged into another partner
            self._of(known.stored.partner_id).pop(content.id, None)
        self._by_id[content.id] = compiled
        self._of(stored.partner_id)[content.id] = compiled
        self._follow(compiled)

    def _of(self, partner_id: UUID) -> dict[UUID, Compiled]:
        """A partner's agreements, to be changed."""
        if partner_id not in self._own:
            self._own[partner_id] = dict(self._agreements.get(partner_id, {}))
        return self._own[partner_id]

    def put_links_anew(self) -> None:
        """Compile again what belongs to partners whose links have changed."""
        if self._before is None or self._before.links == self._by_pair:
            return
        then = _by_partner(self._before.links)
        for partner in {*then, *self._by_partner}:
            if then.get(partner) != self._by_partner.get(partner):
                for each in list((self._own.get(partner) or self._agreements.get(partner, {})).values()):
                    self.put(each.content, each.stored)

    @property
    def is_unchanged(self) -> bool:
        return self._before is not None and not self._own and self._before.links == self._by_pair

    def policy(self, emergency: EmergencyList | None) -> Policy:
        return Policy(self._by_id, {**self._agreements, **self._own}, self._successors, self._by_pair, emergency)

    def _follow(self, compiled: Compiled) -> None:
        """Note what comes after a version: of those proposed, the one that was not rejected."""
        before = compiled.content.supersedes
        if before is None:
            return
        if all(event.kind is not EventKind.REJECT for event in compiled.stored.events):
            self._successors[before] = compiled
        elif before in self._successors and self._successors[before].content.id == compiled.content.id:
            del self._successors[before]


def compile_agreement(content: Content, stored: StoredAgreement, links: Links = ()) -> Compiled:
    """One agreement, ready to decide by; the links are those of its partner."""
    windows = [grant.window for grant in content.grants]
    has_hours = any(window.weekdays is not None or window.opens is not None for window in windows)
    return Compiled(content, stored, lines_of(content), frozenset(_changes(content, stored, links)), has_hours)


def _changes(content: Content, stored: StoredAgreement, links: Iterable[SupplyLink]) -> Iterator[datetime]:
    """The instants at which something about the agreement may become or cease to be true."""
    yield content.validity.not_before
    ended = rules.ended_at(content, stored.events)[0]
    yield from (ended, ended + timedelta(days=content.exit.hand_back_days))
    yield rules.expires_at(content, stored.events)
    yield from (event.at for event in stored.events if event.kind is not EventKind.OVERSIGHT)
    for grant in content.grants:
        yield from filter(None, (grant.window.not_before, grant.window.not_after))
    due = rules.oversight_due(content, stored.events)
    if due is not None:
        yield rules.midnight(rules.day_after(due))
    terms = content.data_processing
    periods: list[SupplyLink | SubProcessor] = [*links, *(terms.sub_processors if terms else ())]
    for period in periods:
        yield from (rules.midnight(day) for day in (period.approved_from, period.approved_to) if day is not None)


def _by_pair(links: Links) -> dict[tuple[UUID, UUID], Links]:
    pairs: dict[tuple[UUID, UUID], list[SupplyLink]] = defaultdict(list)
    for link in links:
        pairs[link.supplier_id, link.sub_supplier_id].append(link)
    return {pair: tuple(some) for pair, some in pairs.items()}


def _by_partner(pairs: Mapping[tuple[UUID, UUID], Links]) -> dict[UUID, Links]:
    """The links in which an organisation stands at either end."""
    found: dict[UUID, list[SupplyLink]] = defaultdict(list)
    for pair, links in pairs.items():
        for partner in dict.fromkeys(pair):
            found[partner] += links
    return {partner: tuple(some) for partner, some in found.items()}
