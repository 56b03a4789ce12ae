"""What a module is told by the one who starts it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from joserfc.jwk import ECKey

from torv_sdk.keys import read_key


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Where Torv is, who we are, and where to listen."""

    url: str  #: Torv's address, also the issuer of its tokens; no trailing slash
    client_id: str  #: the release's id
    key: ECKey
    data: Path  #: the module's own folder
    host: str = "127.0.0.1"
    port: int = 0
    descriptor: int | None = (
        None  #: a socket that listens already, handed over by a supervisor; host and port are then unused
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the TORV_ variables (README.md lists them). Raises KeyError or ValueError that names the variable."""
        descriptor = environment.get("TORV_MODULE_FD")
        return cls(
            url=environment["TORV_URL"].rstrip("/"),
            client_id=environment["TORV_CLIENT_ID"],
            key=read_key(Path(environment["TORV_KEY_FILE"])),
            data=Path(environment["TORV_MODULE_DATA"]),
            host=environment.get("TORV_MODULE_HOST", "127.0.0.1"),
            port=0 if descriptor else int(environment["TORV_MODULE_PORT"]),
            descriptor=int(descriptor) if descriptor else None,
        )
