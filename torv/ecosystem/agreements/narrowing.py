"""A sub-supplier's agreement lies within the supplier's: each grant, in every dimension. Pure."""

from collections.abc import Iterable

from torv.ecosystem.agreements.content import Content, Grant
from torv.ecosystem.agreements.errors import AgreementInvalid

#: dimension -> in Danish; in the order in which they are looked at
DIMENSIONS = {
    "service": "tjenesten", "operations": "handlingerne", "categories": "datakategorierne", "kle": "KLE-numrene",
    "sensitivity": "følsomheden", "purpose": "formålet", "window": "tidsrummet",
}  # fmt: skip


def check_within(below: Content, above: Content) -> None:
    """Raises AgreementInvalid, naming the grant and the dimension in which it reaches further than the supplier's.

    Units are compared when a decision is taken: whether one unit lies below another depends on the day.
    """
    for grant in below.grants:
        wider = widest_dimension(grant, above.grants)
        if wider is not None:
            raise AgreementInvalid(
                reason=f"grant {grant.id}: {wider} wider than the supplier's own agreement",
                reason_da=f"tilladelsen {grant.id}: {DIMENSIONS[wider]} rækker videre end leverandørens egen aftale",
            )


def widest_dimension(grant: Grant, above: Iterable[Grant]) -> str | None:
    """None if some grant above holds all of this one; else where the one that comes closest is narrower."""
    wider = [_first_wider(grant, parent) for parent in above]
    if None in wider:
        return None
    order = list(DIMENSIONS)
    return max((each for each in wider if each is not None), key=order.index, default="service")


def _first_wider(grant: Grant, parent: Grant) -> str | None:
    theirs, kle = parent.window, parent.reach.kle
    holds = {
        "service": (grant.service, grant.major) == (parent.service, parent.major),
        "operations": grant.operations <= parent.operations,
        "categories": grant.categories <= parent.categories,
        "kle": kle is None or (grant.reach.kle is not None and all(k.startswith(tuple(kle)) for k in grant.reach.kle)),
        "sensitivity": parent.reach.sensitivity is None
        or (grant.reach.sensitivity is not None and grant.reach.sensitivity <= parent.reach.sensitivity),
        "purpose": grant.purpose.activity == parent.purpose.activity,
        "window": _hours(parent) in (_hours(grant), (None, None, None))
        and (theirs.not_before is None or (grant.window.not_before or theirs.not_before) >= theirs.not_before)
        and (theirs.not_after is None or (grant.window.not_after or theirs.not_after) <= theirs.not_after),
    }
    return next((dimension for dimension, is_within in holds.items() if not is_within), None)


def _hours(grant: Grant) -> tuple[object, object, object]:
    return grant.window.weekdays, grant.window.opens, grant.window.closes
