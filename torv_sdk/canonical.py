"""JSON as it may be signed and compared: read strictly, written in one way only (RFC 8785)."""

import json
from typing import Any

import rfc8785


def parse(data: bytes | str) -> Any:
    """Read JSON that has a canonical form; raises ValueError for everything else.

    Python's own reader keeps the last of two equal keys and takes NaN; both would let two readers of one signed
    document see different things. Also refused: numbers JSON cannot carry exactly, lone surrogates, absurd depth.
    """
    try:
        text = data if isinstance(data, str) else data.decode()
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        rfc8785.dumps(value)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    return value


def canonical(value: Any) -> bytes:
    """The one way to write a value: sorted keys, no white space, numbers as ECMAScript writes them."""
    return rfc8785.dumps(value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return result


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
