"""Where a module may stand: on the open internet and nowhere else, however the address is spelled."""

import socket

import pytest

from tests.cast import ANNA, Cast
from tests.conftest import ServeApi
from torv.base import signing
from torv.base.errors import ModuleAddressInvalid
from torv.ecosystem.modules import PublicResolver, addresses_of
from torv.ecosystem.modules.addresses import is_public, normal_address

EVERYWHERE_REFUSED = [
    "", "module", "//module.example.dk", "ftp://module.example.dk", "file:///etc/hostname", "https://", "https:///x",
    "https://module.example.dk/path", "https://module.example.dk/?a=b", "https://module.example.dk/#x",
    "https://user@module.example.dk", "https://user:password@module.example.dk",
    "https://module.example.dk:70000", "https://module.example.dk:x", "https://module.example.dk\\@evil.example",
    "https://mod ule.example.dk", "https://module..dk", "https://-module.dk", "https://module%00.example.dk",
    "https://127.0x0.0.1", "https://0x7f.0.0.1", "https://0x7f000001", "https://2130706433", "https://017700000001",
    "https://0177.0.0.1", "https://127.1", "https://1.2.3.0x4", "https://127.0.0.1.", "https://[::1", "https://例え.jp",
    "https://①②⑦.0.0.1",
]  # fmt: skip
PRIVATE = [
    "http://module.example.dk", "https://localhost", "https://localhost.", "https://x.localhost", "https://module",
    "https://printer.local", "https://metadata.google.internal", "https://localhost.localdomain", "https://127.0.0.1",
    "https://127.8.8.8", "https://10.0.0.1", "https://172.16.0.1", "https://192.168.1.1", "https://100.64.0.1",
    "https://[::1]", "https://[fc00::1]",
]  # fmt: skip
NOBODYS = [
    "https://169.254.169.254", "https://0.0.0.0", "https://224.0.0.1", "https://255.255.255.255", "https://[::]",
    "https://[fe80::1]", "https://[::ffff:127.0.0.1]", "https://[::ffff:7f00:1]", "https://[64:ff9b::7f00:1]",
    "https://[2002:7f00:1::1]", "https://[ff02::1]",
]  # fmt: skip


@pytest.mark.parametrize("url", EVERYWHERE_REFUSED + NOBODYS)
@pytest.mark.parametrize("private", [True, False])
def test_what_is_no_plain_address_is_refused_everywhere(url: str, private: bool) -> None:
    with pytest.raises(ModuleAddressInvalid):
        normal_address(url, private=private)


@pytest.mark.parametrize("url", PRIVATE)
def test_a_private_address_is_refused_unless_the_municipality_wants_it(url: str) -> None:
    with pytest.raises(ModuleAddressInvalid):
        normal_address(url, private=False)
    assert normal_address(url, private=True)


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://module.example.dk", "https://module.example.dk"),
        ("https://MODULE.Example.dk/", "https://module.example.dk"),
        ("https://module.example.dk:8443", "https://module.example.dk:8443"),
        ("https://8.8.8.8", "https://8.8.8.8"),
        ("https://[2a00:1450:400f::1]:8443", "https://[2a00:1450:400f::1]:8443"),
        ("https://xn--smrrebrd-54a.dk", "https://xn--smrrebrd-54a.dk"),
    ],
)
def test_a_public_address_is_brought_into_one_form(url: str, normal: str) -> None:
    assert normal_address(url, private=False) == normal


async def test_the_rule_holds_where_a_release_is_registered(serve_api: ServeApi, cast: Cast) -> None:
    new = {"version": "2.0.0", "url": "https://127.0x0.0.1", "jwk": signing.public(cast.release_keys["nordnote"])}
    async with serve_api(private_modules=False) as api:
        path = f"/api/v1/modules/{cast.modules['nordnote']}/releases"
        reply = await api.post(path, new, by=ANNA)
    assert reply.code == (422, "module_address_invalid")


async def test_a_name_that_leads_to_a_private_address_is_not_connected_to() -> None:
    """Such as one that was harmless when it was registered; and the spellings of numbers that the resolver takes."""
    for name in ("localhost", "127.0x0.0.1", "0x7f.1"):
        with pytest.raises(OSError, match="public address"):
            await PublicResolver().resolve(name, 443, socket.AF_INET)


async def test_what_a_name_leads_to_is_looked_at_even_where_private_addresses_are_wanted() -> None:
    assert await addresses_of("localhost", 80, private=True)
    for host in ("localhost", "127.0.0.1", "0x7f.1", "2130706433"):
        with pytest.raises(OSError, match="public address"):
            await addresses_of(host, 443, private=False)
    for host in ("169.254.169.254", "0.0.0.0", "::ffff:127.0.0.1", "fe80::1"):
        with pytest.raises(OSError, match="public address"):
            await addresses_of(host, 443, private=True)


def test_public_is_what_the_whole_internet_reaches() -> None:
    assert is_public("8.8.8.8")
    assert is_public("2a00:1450:400f::1")
    assert not is_public("192.0.2.1")  # for documentation only
