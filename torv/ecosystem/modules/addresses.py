"""Addresses of modules: where Torv may send calls. A name is checked again when it is resolved, at each connection."""

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver

from torv.base.errors import ModuleAddressInvalid

#: a host name; its last part begins with a letter, so that no spelling of a number passes for a name
_NAME = re.compile(r"([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?\.?")
_PRIVATE_NAMES = (".local", ".internal", ".localhost", ".localdomain")
#: addresses that another machine translates into IPv4 ones, which may be private (RFC 6052, RFC 3056)
_TRANSLATED = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("2002::/16"))


def normal_address(url: str, *, private: bool) -> str:
    """Scheme, host and port of a module. Raises ModuleAddressInvalid.

    `private` lets modules stand on loopback and private addresses, as in the demo and behind a municipality's own wall.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ModuleAddressInvalid(reason="it cannot be read") from None
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        raise ModuleAddressInvalid(reason="it must be http or https with a host")
    if parts.username or parts.password or parts.query or parts.fragment or parts.path not in ("", "/") or "\\" in url:
        raise ModuleAddressInvalid(reason="only scheme, host and port")
    if not is_literal(host) and not _NAME.fullmatch(host):
        raise ModuleAddressInvalid(reason="the host is neither a name nor an address")
    if not private:
        _refuse_private(parts.scheme, host)
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"


def is_literal(host: str) -> bool:
    """Whether the host is an IP address in its plain form."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet."""
    ip = ipaddress.ip_address(address)
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _TRANSLATED)


def _refuse_private(scheme: str, host: str) -> None:
    if scheme != "https":
        raise ModuleAddressInvalid(reason="it must be https")
    if is_literal(host):
        if not is_public(host):
            raise ModuleAddressInvalid(reason="the address is not a public one")
        return
    name = host.rstrip(".")
    if "." not in name or name.endswith(_PRIVATE_NAMES):
        raise ModuleAddressInvalid(reason="the host is not a public name")


class PublicResolver(ThreadedResolver):
    """Resolves names to public addresses only: a name that was registered may lead somewhere else today."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        public = [each for each in found if is_public(each["host"])]
        if not public:
            raise OSError(None, "the name does not lead to a public address")
        return public
