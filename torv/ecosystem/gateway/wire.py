"""HTTP/1.1 as the gateway speaks it to modules: a request written from parsed parts, an answer read in one way only.

Whatever two programs could read differently is no answer: both lengths, twins, folded lines, bare line feeds, interim
answers, an end that only a closed connection marks (RFC 9112, sections 2.2, 5.2, 6.3 and 11.2).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_FIELDS = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*")
_VALUE = re.compile(r"[\x20-\x7e]*")
_TARGET = re.compile(r"/[\x21-\x7e]*")
_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")
_NO_BODY = frozenset({204, 304})
MANY = frozenset({b"set-cookie", b"link", b"vary", b"cache-control", b"via", b"warning", b"allow", b"connection"})


class NotHttp(Exception):
    """What came from the module is no answer that can be read in one way; says why."""


class Ended(NotHttp):
    """The connection ended before the answer did."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The head of an answer."""

    status: int
    headers: Mapping[bytes, tuple[bytes, ...]]  #: by name in small letters
    length: int | None  #: bytes of the body; None: it comes in chunks
    keeps_open: bool  #: whether the connection can be used again

    def value(self, name: bytes) -> str:
        """The value of a header, empty if it is missing."""
        values = self.headers.get(name)
        return values[0].decode("latin-1") if values else ""


def write_head(method: str, target: str, authority: str, headers: Mapping[str, str], length: int | None) -> bytes:
    """The head of a request. Raises ValueError for anything that would not stay where it is put."""
    lines = [f"{method} {target} HTTP/1.1\r\nHost: {authority}\r\n"]
    if not _TARGET.fullmatch(target):
        raise ValueError("a target with characters that no address has")
    for name, value in headers.items():
        if not _VALUE.fullmatch(value):
            raise ValueError(f"a value of {name} with characters that no header has")
        lines.append(f"{name}: {value}\r\n")
    if length is not None:
        lines.append(f"Content-Length: {length}\r\n")
    lines.append("\r\n")
    return "".join(lines).encode("ascii")


def read_head(data: bytes, *, lines: int) -> Head:
    """The head of an answer, from its status line to its empty line. Raises NotHttp."""
    first, _, rest = data.partition(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None or not _FIELDS.fullmatch(rest[:-2]):
        raise NotHttp("its head is not HTTP/1.1")
    code = int(status[2])
    if code < 200:
        raise NotHttp("it is an interim answer")
    headers: dict[bytes, tuple[bytes, ...]] = {}
    fields = rest[:-4].split(b"\r\n") if len(rest) > 2 else []
    if len(fields) > lines:
        raise NotHttp("it has too many headers")
    for field in fields:
        name, _, value = field.partition(b":")
        name = name.lower()
        if name in headers and name not in MANY:
            raise NotHttp("a header stands twice")
        headers[name] = (*headers.get(name, ()), value.strip(b" \t"))
    if headers.get(b"content-encoding", (b"identity",))[0].lower() != b"identity":
        raise NotHttp("its body is compressed")  # nobody asked for that, and a small one may be very large
    closes = b"close" in b",".join(headers.get(b"connection", ())).lower() or status[1] == b"0"
    return Head(status=code, headers=headers, length=_length(code, headers), keeps_open=not closes)


def _length(code: int, headers: Mapping[bytes, tuple[bytes, ...]]) -> int | None:
    stated, coding = headers.get(b"content-length"), headers.get(b"transfer-encoding")
    if stated and coding:
        raise NotHttp("it has two lengths")
    if coding and coding[0].lower() != b"chunked":
        raise NotHttp("it is coded in another way than in chunks")
    if stated and not re.fullmatch(rb"[0-9]{1,15}", stated[0]):
        raise NotHttp("its length is not a number")
    if code in _NO_BODY:
        return 0
    if not stated and not coding:
        raise NotHttp("it does not say where it ends")
    return int(stated[0]) if stated else None


class Decoder:
    """Takes a body out of what has been received. `is_over` once its last byte was taken."""

    def __init__(self, length: int | None) -> None:
        self._left, self._is_chunked = length or 0, length is None
        self._is_in_chunk = False
        self.is_over = length == 0

    def take(self, received: bytearray) -> bytes:
        """What of the body stands at the beginning; takes it away. Raises NotHttp."""
        if not self._is_chunked:
            return self._take(received, ends=True)
        parts = []
        while not self.is_over:
            if self._left:
                part = self._take(received, ends=False)
                if not part:
                    break
                parts.append(part)
            elif not self._next_chunk(received):
                break
        return b"".join(parts)

    def _take(self, received: bytearray, *, ends: bool) -> bytes:
        part = bytes(received[: self._left])
        del received[: self._left]
        self._left -= len(part)
        self.is_over = ends and not self._left
        return part

    def _next_chunk(self, received: bytearray) -> bool:
        """Go on to the next chunk; False where its beginning has not come yet."""
        if self._is_in_chunk:  # the line end behind the chunk before
            if len(received) < 2:
                return False
            if received[:2] != b"\r\n":
                raise NotHttp("a chunk is longer than it says")
            del received[:2]
            self._is_in_chunk = False
        end = received.find(b"\r\n", 0, 12)
        if end < 0:
            if len(received) >= 12:
                raise NotHttp("a chunk does not say how long it is")
            return False
        if not _SIZE.fullmatch(received[:end]):
            raise NotHttp("a chunk does not say how long it is")
        size = int(received[:end], 16)
        if size == 0:
            return self._last_chunk(received, end)
        del received[: end + 2]
        self._left, self._is_in_chunk = size, True
        return True

    def _last_chunk(self, received: bytearray, end: int) -> bool:
        if len(received) < end + 4:
            return False
        if received[end + 2 : end + 4] != b"\r\n":
            raise NotHttp("something follows its last chunk")
        del received[: end + 4]
        self.is_over = True
        return True
