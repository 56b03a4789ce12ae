"""Settings: one typed value read from the environment (`TORV_*`), or from files that `TORV_*_FILE` name."""

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any


class SettingInvalid(Exception):
    """A setting has a value that cannot be used."""


def _setting(default: Any, meaning: str, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"meaning": meaning, "secret": secret})


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What an installation decides; each is an environment variable `TORV_<NAME>`."""

    database_url: str = _setting("", "Address of an external PostgreSQL; empty means the embedded one.", secret=True)
    state_dir: Path = _setting(Path(".torv"), "Folder for keys, metrics and the embedded database of an ordinary user.")
    host: str = _setting("127.0.0.1", "Address to listen on.")
    port: int = _setting(8400, "Port to listen on.")
    processes: int = _setting(2, "Number of API processes that share the port.")
    public_url: str = _setting("", "Address that browsers and modules use; empty means http://<host>:<port>.")
    pool_size: int = _setting(10, "Database connections per process for requests.")
    proxies: int = _setting(0, "Reverse proxies in front of Torv; callers' addresses are read from X-Forwarded-For.")
    body_limit: int = _setting(1_048_576, "Largest request body in bytes.")
    language: str = _setting("da", "Language of texts where the reader has not chosen one: da or en.")
    log_level: str = _setting("info", "Least serious level that is logged: debug, info, warning or error.")
    trust_clock: bool = _setting(False, "Whether to start although the trail has entries later than the clock.")
    header_lines: int = _setting(100, "Most header lines of a request, and of a module's answer.")
    header_bytes: int = _setting(32_768, "Largest headers of a request, and of a module's answer, in bytes.")
    body_seconds: int = _setting(30, "Seconds a caller of the gateway has for sending its whole request.")
    answer_limit: int = _setting(
        5_000_000, "Largest answer of a module in bytes, where the contract does not stream it."
    )
    stream_limit: int = _setting(104_857_600, "Largest body in bytes, both ways, where the contract streams it.")
    connect_seconds: int = _setting(2, "Seconds in which a module must accept a connection.")
    first_byte_seconds: int = _setting(
        10, "Seconds a module has for the head of its answer, and between two parts of it."
    )
    answer_seconds: int = _setting(10, "Seconds a module has, after the head, for an answer that is not streamed.")
    stream_seconds: int = _setting(300, "Seconds a streamed answer may take from its first byte to its last.")
    calls_per_caller: int = _setting(64, "Calls one caller may have under way in one API process.")
    calls_per_release: int = _setting(128, "Calls one release of a module may have under way in one API process.")
    breaker_failures: int = _setting(5, "Failures in a row after which a release is left alone.")
    breaker_seconds: int = _setting(5, "Seconds until one call may try such a release again.")
    private_modules: bool = _setting(False, "Whether modules may stand on private or loopback addresses.")

    @property
    def issuer(self) -> str:
        """The name Torv goes by in tokens and links: its public address without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    def environment(self) -> dict[str, str]:
        """The same settings as environment variables, for a process of our own."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            f"TORV_{name.upper()}": str(int(value) if isinstance(value, bool) else value)
            for name, value in values.items()
        }

    @property
    def keys_dir(self) -> Path:
        return self.state_dir / "keys"


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of an environment. Raises SettingInvalid for a wrong value or an unknown `TORV_*` name."""
    known = {f"TORV_{each.name.upper()}": each for each in fields(Settings)}
    values: dict[str, Any] = {}
    for name in sorted(n for n in environment if n.startswith("TORV_")):
        target = known.get(name) or known.get(name.removesuffix("_FILE"))
        if target is None:
            raise SettingInvalid(f"{name} is not a setting of Torv; see docs/reference/settings.md")
        values[target.name] = _convert(name, target, _raw(name, environment[name], name in known))
    settings = Settings(**values)
    if settings.language not in ("da", "en"):
        raise SettingInvalid(f"TORV_LANGUAGE must be da or en, not {settings.language!r}")
    return settings


def _raw(name: str, value: str, is_direct: bool) -> str:
    if is_direct:
        return value
    try:
        return Path(value).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingInvalid(f"{name} names a file that cannot be read: {error.strerror}") from None


_KINDS = {bool: "1 or 0", int: "a whole number", float: "a number", str: "a text"}


def _convert(name: str, target: Any, value: str) -> Any:
    assert target.default is not MISSING
    kind = type(target.default)
    try:
        if kind is bool:
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[value.lower()]
        return kind(value) if kind is not str else value
    except (ValueError, KeyError):
        raise SettingInvalid(f"{name} must be {_KINDS.get(kind, kind.__name__)}, not {value!r}") from None
