"""Promises that only others can check: what an agreement names, and the parts of Torv above it know.

Whoever keeps requirement sets says here how one is checked. Until somebody has, an agreement that names one cannot be
proposed: nobody signs what cannot be looked up.
"""

from collections.abc import Awaitable, Callable

from torv.base.db import Tx
from torv.ecosystem.agreements.content import Content
from torv.ecosystem.agreements.errors import AgreementInvalid
from torv.ecosystem.agreements.findings import Finding, Level

Check = Callable[[Tx, Content], Awaitable[list[Finding]]]
_checks: list[Check] = []


def checks_requirement_sets(check: Check) -> Check:
    """Make this what finds out whether the requirement set that an agreement names can be promised."""
    _checks[:] = [check]
    return check


async def promise_findings(tx: Tx, content: Content) -> list[Finding]:
    """What keeps the agreement from promising the requirement set that it names."""
    if content.requirement_set is None:
        return []
    if not _checks:
        text, text_da = "nobody here knows requirement sets", "ingen her kender kravprofiler"
        return [Finding(level=Level.MISSING, place="requirement_set", text=text, text_da=text_da)]
    return [finding for check in _checks for finding in await check(tx, content)]


async def check_promises(tx: Tx, content: Content) -> None:
    """Raises AgreementInvalid if it promises a requirement set that it cannot."""
    for each in await promise_findings(tx, content):
        raise AgreementInvalid(reason=f"{each.place}: {each.text}", reason_da=f"{each.place}: {each.text_da}")
