"""Addresses of modules: where Torv may send calls. A name is checked again when it is resolved, at each connection."""

import ipaddress
from urllib.parse import urlsplit

from torv.base.errors import ModuleAddressInvalid


def normal_address(url: str, *, private: bool) -> str:
    """Scheme, host and port of a module. Raises ModuleAddressInvalid.

    `private` lets modules stand on loopback and private addresses, as in the demo and behind a municipality's own wall.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ModuleAddressInvalid(reason="it cannot be read") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ModuleAddressInvalid(reason="it must be http or https with a host")
    if parts.username or parts.password or parts.query or parts.fragment or parts.path not in ("", "/") or "\\" in url:
        raise ModuleAddressInvalid(reason="only scheme, host and port")
    if not private:
        _refuse_private(parts.scheme, parts.hostname)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}"


def _refuse_private(scheme: str, host: str) -> None:
    if scheme != "https":
        raise ModuleAddressInvalid(reason="it must be https")
    if host.replace(".", "").isdigit() or host.startswith("0x") or ":" in host:
        try:
            if ipaddress.ip_address(host).is_global:
                return
        except ValueError:
            pass
        raise ModuleAddressInvalid(reason="the address is not a public one")
    if (
        "." not in host.rstrip(".")
        or host.rstrip(".").endswith((".local", ".internal", ".localhost"))
        or not host.isascii()
    ):
        raise ModuleAddressInvalid(reason="the host is not a public name")
