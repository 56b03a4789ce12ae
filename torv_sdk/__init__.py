"""What a supplier installs to write a module for Torv: a program that provides a capability through its contract.

Start at `Module`; modules/nordnote is a whole module in some hundred lines. The SDK imports nothing of Torv itself and
speaks only the public API, so everything it does can also be done in another language.
"""

from torv_sdk.calls import Answer, Call
from torv_sdk.client import KernelClient
from torv_sdk.entries import ProvedEntry, verify_entry
from torv_sdk.events import Event, publish, verify
from torv_sdk.instants import instant
from torv_sdk.memory_store import MemoryStore
from torv_sdk.module import Module
from torv_sdk.pages import GoTo, Page, Shown
from torv_sdk.persons import Person, look_up_person, read_person
from torv_sdk.problems import KernelRefusal, Problem, invalid
from torv_sdk.records import Record, bucket, bucket_digest, digest
from torv_sdk.settings import Settings
from torv_sdk.sqlite_store import SqliteStore
from torv_sdk.store import Store

__all__ = [
    "Answer",
    "Call",
    "Event",
    "GoTo",
    "KernelClient",
    "KernelRefusal",
    "MemoryStore",
    "Module",
    "Page",
    "Person",
    "Problem",
    "ProvedEntry",
    "Record",
    "Settings",
    "Shown",
    "SqliteStore",
    "Store",
    "bucket",
    "bucket_digest",
    "digest",
    "instant",
    "invalid",
    "look_up_person",
    "publish",
    "read_person",
    "verify",
    "verify_entry",
]
