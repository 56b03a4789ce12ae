"""Versions of software, of whatever scheme, as texts that sort as the versions do.

A version is read as numbers and words. Words such as `alpha`, `rc` and `dev` come before the version itself, all others
after it; `a`, `b`, `c` and `m` only where a number follows (Python's `1.0a1`; OpenSSL's `1.1.1k` comes after `1.1.1`).
An epoch (`1:2.0`) counts first, zeros at the end and what stands behind `+` do not. Sources: PEP 440, Semantic
Versioning 2.0.0 section 11, Debian Policy 5.6.12; where they disagree, the order here is the one most packages mean.
"""

import re

#: words of versions that come before the one they belong to -> what they sort as; the unknown is below everything
_BEFORE = {
    "unknown": "!", "dev": "-dev", "snapshot": "-dev", "alpha": "alpha", "beta": "beta", "milestone": "milestone",
    "pre": "rc", "preview": "rc", "rc": "rc",
}  # fmt: skip
_BEFORE_A_NUMBER = {"a": "alpha", "b": "beta", "m": "milestone", "c": "rc"}
_PARTS = re.compile(r"[0-9]+|[a-z]+")
_DIGITS = 12  #: of a number; longer ones count as the largest


def sort_key_of(version: str) -> str:
    """The text by which a version is compared, in the order of its bytes."""
    epoch, colon, rest = version.lower().rpartition(":")
    text = rest.partition("+")[0].removeprefix("v")
    parts = _PARTS.findall(text)
    keys = [_number(epoch if colon and epoch.isdecimal() else "0"), *_keys(parts), "b"]
    return "".join(keys)


def search_name_of(name: str) -> str:
    """A component's name as it is searched for: `Foo_Bar` and `foo-bar` are one (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name.strip().lower())


def _keys(parts: list[str]) -> list[str]:
    keys: list[str] = []
    for place, part in enumerate(parts):
        follows = parts[place + 1] if place + 1 < len(parts) else ""
        if part.isdecimal():
            keys.append(_number(part))
            continue
        before = _BEFORE.get(part) or (_BEFORE_A_NUMBER.get(part) if follows.isdecimal() else None)
        if before is not None:
            _drop_zeros(keys)
        keys.append(f"a{before}." if before is not None else f"bb{part}.")
    _drop_zeros(keys)
    return keys


def _number(text: str) -> str:
    return (
        "c" + (text.lstrip("0") or "0").zfill(_DIGITS)[:_DIGITS] if len(text.lstrip("0")) <= _DIGITS else "c" + "9" * 12
    )


def _drop_zeros(keys: list[str]) -> None:
    zero = _number("0")
    while keys and keys[-1] == zero:
        keys.pop()
