"""Torv's own keys as they lie in their folder: made at first use, their owner's alone.

The key that tokens are made with may be exchanged for a new one while processes run. `tokens.pem` is the one in use;
`tokens-<instant>.pem` was retired at that instant and verifies until the last token made with it is dead. `heads.pem`
is that of the audit log's heads, and `heads-next.pem` the one that is about to follow it.
"""

import fcntl
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from torv.base import clock

IN_USE = "tokens.pem"
HEADS, NEXT_HEADS = "heads.pem", "heads-next.pem"
LOOK = 1.0  #: seconds a process goes on making tokens with a key that was retired meanwhile
LAST_TOKEN = 330.0  #: seconds after its retirement for which a key verifies: LOOK, a token's longest life, clocks apart
_RETIRED = re.compile(r"tokens-([0-9]{8}T[0-9]{12}Z)\.pem")
_INSTANT = "%Y%m%dT%H%M%S%fZ"


def load_key(file: Path) -> ECKey:
    """The private key in a file, made if it is not there yet."""
    return ECKey.import_key(_load(file, lambda: ECKey.generate_key("P-256").as_pem(private=True)))


def load_secret(file: Path) -> bytes:
    """32 random bytes in a file, made if it is not there yet."""
    return _load(file, lambda: secrets.token_bytes(32))


class TokenKeys:
    """The keys that tokens are made with and verified by, as the folder has them now."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._looked_at = folder, clock.ticks()
        self._seen: tuple[int, ...] = ()
        self._current, self._retired = load_key(folder / IN_USE), dict[str, tuple[ECKey, float]]()
        self._look()

    @property
    def current(self) -> ECKey:
        """The key in use, or the one that was until a second ago."""
        if clock.ticks() - self._looked_at > LOOK:
            self._look()
        return self._current

    def find(self, kid: str) -> ECKey | None:
        """The key with this thumbprint, if its tokens may still be alive; None for any other text, which is no path."""
        found = self._known().get(kid)
        if found is None:
            self._look()  # another process may have made it a moment ago
            found = self._known().get(kid)
        return found

    def every(self) -> list[ECKey]:
        """All that verify now, the one in use first."""
        self._look()
        return list(self._known().values())

    def _known(self) -> dict[str, ECKey]:
        now = time.time()
        alive = {kid: key for kid, (key, until) in self._retired.items() if now < until}
        return {self._current.thumbprint(): self._current, **alive}

    def _look(self) -> None:
        """Read the folder again if it has changed. What cannot be read leaves us with what we have."""
        self._looked_at = clock.ticks()
        with suppress(OSError, ValueError, JoseError):
            folder, in_use = self._folder.stat(), (self._folder / IN_USE).stat()
            seen = (folder.st_mtime_ns, in_use.st_ino, in_use.st_mtime_ns)
            if seen != self._seen:
                retired = {key.thumbprint(): (key, until) for key, until in _read_retired(self._folder)}
                self._current, self._retired = ECKey.import_key((self._folder / IN_USE).read_bytes()), retired
                self._seen = seen


class HeadKeys:
    """The private keys of the audit log's heads: the one in use, and while they change places the one that follows it.

    Which of them is in force is said by the log, not by their files.
    """

    def __init__(self, folder: Path) -> None:
        self._in_use, self._next = folder / HEADS, folder / NEXT_HEADS
        self._known = {key.thumbprint(): key for key in (load_key(self._in_use),)}

    @property
    def current(self) -> ECKey:
        """The key whose file is that in use."""
        return ECKey.import_key(self._in_use.read_bytes())

    def find(self, kid: str) -> ECKey | None:
        """The key with this thumbprint, if it is held; None for any other."""
        if kid not in self._known:
            self.take_up(kid)
            self._known = {key.thumbprint(): key for key in self.held()}
        return self._known.get(kid)

    def held(self) -> list[ECKey]:
        """The key in use, and the one that is to follow it, if there is one."""
        return [ECKey.import_key(file.read_bytes()) for file in (self._in_use, self._next) if file.exists()]

    def prepare(self) -> ECKey:
        """A new key, safely on the disk, that is not in use before `take_up`; it replaces one that never was."""
        with _alone_in(self._next.parent):
            draft = _write_draft(self._next, ECKey.generate_key("P-256").as_pem(private=True))
            owner = self._in_use.stat()
            os.chown(draft, owner.st_uid, owner.st_gid)
            draft.replace(self._next)
            _make_durable(self._next)
            return ECKey.import_key(self._next.read_bytes())

    def take_up(self, kid: str) -> None:
        """Put a prepared key in use, and destroy the former one; nothing happens if no prepared key is this one."""
        with suppress(FileNotFoundError):
            if ECKey.import_key(self._next.read_bytes()).thumbprint() == kid:
                self._next.replace(self._in_use)
                _make_durable(self._in_use)


def rotate_token_key(folder: Path) -> ECKey:
    """Retire the token key and put a new one in its place; every running process takes it up within a second.

    Files of keys whose last token is dead are removed. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone_in(folder):
        in_use = folder / IN_USE
        load_key(in_use)
        draft = _write_draft(in_use, ECKey.generate_key("P-256").as_pem(private=True))
        owner = in_use.stat()
        os.chown(draft, owner.st_uid, owner.st_gid)  # the administrator may be root, and Torv not
        os.link(in_use, folder / f"tokens-{datetime.now(UTC).strftime(_INSTANT)}.pem")
        draft.replace(in_use)
        for file, until in _retired_files(folder):
            if until < time.time():
                file.unlink()
        return ECKey.import_key(in_use.read_bytes())


def _read_retired(folder: Path) -> Iterator[tuple[ECKey, float]]:
    for file, until in _retired_files(folder):
        if time.time() < until:
            yield ECKey.import_key(file.read_bytes()), until


def _retired_files(folder: Path) -> Iterator[tuple[Path, float]]:
    """Each retired key's file, and the instant until which it verifies."""
    for file in sorted(folder.iterdir()):
        if name := _RETIRED.fullmatch(file.name):
            yield file, datetime.strptime(name[1], _INSTANT).replace(tzinfo=UTC).timestamp() + LAST_TOKEN


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One rotation at a time."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_durable(file: Path) -> None:
    """Let a file and its name be on the disk before anything is said of it."""
    for each in (file, file.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _load(file: Path, make: Callable[[], bytes]) -> bytes:
    if not file.exists():
        draft = _write_draft(file, make())
        with suppress(FileExistsError):  # whoever comes first wins; nobody ever sees half a key
            os.link(draft, file)
        draft.unlink()
    return file.read_bytes()


def _write_draft(file: Path, content: bytes) -> Path:
    draft = file.with_suffix(f".{secrets.token_hex(8)}")  # containers that share the folder share process ids too
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    return draft
