"""Refusals as RFC 9457 problem documents: our own, and those the kernel gave us."""

from collections.abc import Mapping
from typing import Any


class Problem(Exception):
    """A call that is refused; raise it in a handler and the caller gets the problem document.

    `code` is stable and for programs, `title` and `detail` are for people and never hold personal data.
    """

    def __init__(self, status: int, code: str, title: str, *, retry_after: float | None = None, **more: Any) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.retry_after = retry_after  #: seconds, where trying again makes sense
        self.document = {"type": f"urn:torv:problem:{code}", "title": title, "status": status, "code": code, **more}


class KernelRefusal(Problem):
    """Torv said no, or said nothing. `document` is what Torv said, completed where a member is missing."""

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after: float | None = None) -> None:
        super().__init__(
            status, str(problem.get("code", "kernel_error")), "The kernel refused.", retry_after=retry_after
        )
        self.document = {**self.document, **problem}

    @property
    def is_passing(self) -> bool:
        """True if the same call, with the same idempotency key, may well succeed in a moment."""
        return self.status in (409, 503) and self.retry_after is not None


def invalid(detail: str) -> Problem:
    """The refusal of content that does not fit the contract (422)."""
    return Problem(422, "invalid_input", "The content is not valid.", detail=detail)
