"""Group F: where Torv may be made to send requests. Calls go to the address that was looked at, and nowhere else."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncpg import Connection
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.cast import ANNA, Cast
from tests.conftest import ServeApi
from tests.ecosystem.test_addresses import EVERYWHERE_REFUSED, NOBODYS, PRIVATE
from tests.ecosystem.wiretap import Wiretap, json_answer, tapping
from tests.security.conftest import until_learnt
from tests.served import Api
from torv.base import signing
from torv.ecosystem.gateway.connections import Connections, target_of

NOTES = "/c/notes/v1/notes"


@pytest.fixture
async def tap(outsider: Connection, cast: Cast) -> AsyncIterator[Wiretap]:
    async with tapping(outsider, cast, "nordnote") as tap:
        yield tap


async def register(api: Api, cast: Cast, url: str) -> Any:
    new = {"version": "9.0.0", "url": url, "jwk": signing.public(cast.release_keys["nordnote"])}
    return await api.post(f"/api/v1/modules/{cast.modules['nordnote']}/releases", new, by=ANNA)


async def test_f57_no_spelling_of_an_inner_address_is_registered(serve_api: ServeApi, cast: Cast) -> None:
    async with serve_api(private_modules=False) as api:
        for url in (*PRIVATE, *NOBODYS):
            assert (await register(api, cast, url)).code == (422, "module_address_invalid"), url


async def test_f57_where_inner_addresses_are_wanted_those_of_nobody_are_still_refused(api: Api, cast: Cast) -> None:
    for url in NOBODYS:
        assert (await register(api, cast, url)).code == (422, "module_address_invalid"), url


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "0x7f.1", "2130706433", "0177.0.0.1", "[::ffff:127.0.0.1]"])
async def test_f57_an_inner_address_that_got_in_is_not_connected_to(
    tap: Wiretap, serve_api: ServeApi, outsider: Connection, cast: Cast, host: str
) -> None:
    url = f"http://{host}:{tap.url.rpartition(':')[2]}"
    await outsider.execute("update modules.releases set url = $1 where id = $2", url, cast.releases["nordnote"])
    async with serve_api(private_modules=False) as api:
        reply = await api.get(NOTES, by="borgerblik")
    assert (reply.code, reply.json["fault"]) == ((502, "module_unavailable"), "module")
    assert tap.connections == 0


async def test_f58_what_looks_like_a_host_and_is_none_is_refused(api: Api, cast: Cast) -> None:
    for url in EVERYWHERE_REFUSED:
        assert (await register(api, cast, url)).code in ((422, "module_address_invalid"), (422, "invalid_input")), url


async def test_f59_a_name_is_resolved_once_and_connected_to_where_it_led_then(
    tap: Wiretap, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, asked, real = int(tap.url.rpartition(":")[2]), [], socket.getaddrinfo

    def rebinding(host: Any, *more: Any, **named: Any) -> Any:
        if host != "module.example.dk":
            return real(host, *more, **named)
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    connections, target = Connections(private=True, connect_seconds=2), target_of(f"http://module.example.dk:{port}")
    (await connections.take(target)).close()
    assert (asked, tap.connections) == (["module.example.dk"], 1)
    with pytest.raises(OSError, match="public address"):  # the next connection looks anew, and sees where it leads now
        await connections.take(target)


@pytest.mark.parametrize(("name", "is_trusted"), [("localhost", True), ("other.example.dk", False)])
async def test_f59_a_certificate_must_be_for_the_name_although_an_address_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, is_trusted: bool
) -> None:
    file = certificate(tmp_path, name)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with tls_server(file) as port:
        connections, target = Connections(private=True, connect_seconds=5), target_of(f"https://localhost:{port}")
        if is_trusted:
            (await connections.take(target)).close()
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                await connections.take(target)
    monkeypatch.delenv("SSL_CERT_FILE")
    async with tls_server(file) as port:
        with pytest.raises(ssl.SSLCertVerificationError):  # and made by somebody whom the system trusts
            await Connections(private=True, connect_seconds=5).take(target_of(f"https://localhost:{port}"))


def certificate(folder: Path, name: str) -> Path:
    """A certificate with its key in one file, signed by itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file, pem = folder / "server.pem", serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + made.public_bytes(pem))
    return file


@asynccontextmanager
async def tls_server(file: Path) -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    async def end(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(end, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_f62_the_address_of_a_release_is_never_changed(api: Api, cast: Cast) -> None:
    path = f"/api/v1/modules/{cast.modules['nordnote']}/releases/{cast.releases['nordnote']}"
    for method in ("PUT", "PATCH", "POST"):
        assert (await api.ask(method, path, {"url": "https://evil.example"}, by=ANNA)).status in (404, 405)
    assert (await register(api, cast, "http://127.0.0.1:9")).json["id"] != str(cast.releases["nordnote"])


async def test_f63_torv_itself_as_a_module_goes_round_in_no_circle(api: Api, outsider: Connection, cast: Cast) -> None:
    await outsider.execute("update modules.releases set url = $1 where id = $2", api.url, cast.releases["nordnote"])
    await outsider.execute("update base.generation set number = number + 1")
    await until_learnt(api, outsider)
    reply = await api.get(NOTES, by="borgerblik")
    assert reply.code == (404, "not_found")
    assert await outsider.fetchval("select count(*) from base.trail where kind = 'outcome'") < 20


async def test_f63_a_call_that_follows_from_itself_comes_to_an_end(tap: Wiretap, api: Api) -> None:
    ends: list[tuple[int, str]] = []

    async def call_again(writer: asyncio.StreamWriter) -> None:
        mark = next(line[11:] for line in tap.heads()[-1] if line.startswith(b"Torv-Call: "))
        reply = await api.get(NOTES, by="borgerblik", Torv_Call=mark.decode())
        if reply.status != 200:
            ends.append(reply.code)
        writer.write(json_answer(b"{}"))

    tap.answer = call_again
    assert (await api.get(NOTES, by="borgerblik")).status == 200
    assert ends == [(508, "call_loop")]
    assert len(tap.received) == 9
