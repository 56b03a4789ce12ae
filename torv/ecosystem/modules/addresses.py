"""Addresses of modules: where Torv may send calls. A name is checked again when it is resolved, at each connection."""

import asyncio
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
    if is_literal(host) and not may_connect(host, private=True):
        raise ModuleAddressInvalid(reason="no module can stand at that address")
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


def may_connect(address: str, *, private: bool) -> bool:
    """Whether Torv may connect to an IP address; `private` opens private and loopback ones, and no others."""
    if is_public(address):
        return True
    ip = ipaddress.ip_address(address)
    return private and not _is_nobody(ip)


def _is_nobody(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether no module can stand there: link-local (where clouds hand out secrets), all, none, or translated."""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return True
    is_translated = any(ip in network for network in _TRANSLATED)
    is_broadcast = ip == ipaddress.IPv4Address("255.255.255.255")
    return ip.is_link_local or ip.is_multicast or ip.is_unspecified or is_translated or is_broadcast


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


async def addresses_of(host: str, port: int, *, private: bool) -> list[str]:
    """The IP addresses behind a host that Torv may connect to, resolved now. Raises OSError if there are none.

    Connect to one of these and never to the name again: it may lead somewhere else a moment later (DNS rebinding).
    """
    if is_literal(host):
        found = [host]
    else:
        known = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found = list(dict.fromkeys(str(each[4][0]) for each in known))
    allowed = [each for each in found if may_connect(each, private=private)]
    if not allowed:
        raise OSError(None, "the name does not lead to a public address")
    return allowed


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
