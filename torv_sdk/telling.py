"""Telling: events about records that were just written, as the capability's contract declares them."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from torv_sdk.client import KernelClient
from torv_sdk.events import publish
from torv_sdk.problems import KernelRefusal
from torv_sdk.records import Record

PAUSE = 10.0  #: seconds between two questions whether the agreement lets us tell by now

log = logging.getLogger(__name__)


class Teller:
    """What one program may tell of one capability. An agreement need not permit it: then nothing is told."""

    def __init__(self, capability: str) -> None:
        self._capability, self._silent_until = capability, 0.0

    async def tell(self, kernel: KernelClient, event_type: str, record: Record, data: Mapping[str, Any]) -> bool:
        """Publish an event about a version of a record, once however often it is tried; gives whether it was permitted.

        Raises KernelRefusal if Torv cannot take it now: whoever calls tries again, and the record is not written twice.
        """
        if time.monotonic() < self._silent_until:
            return False
        key = f"{event_type} {record.id} {record.version}"
        try:
            await publish(
                kernel, self._capability, event_type, subject=record.id, data=data, key=key, person_id=record.person_id
            )
        except KernelRefusal as refusal:
            if refusal.status != 403:
                raise
            self._silent_until = time.monotonic() + PAUSE
            log.info("not told", extra={"fields": {"event": event_type, "refused": refusal.code}})
            return False
        return True
