"""What the tests of the CPR interface stand on: the register's public test extract, and a database of nobody yet."""

import os
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from torv.base.access import Access, Caller, CallerKind
from torv.base.ids import new_id
from torv.interfaces.cpr.layouts import ENCODING, layouts

PUBLIC_DATA = Path(__file__).parents[4] / "shared" / "data" / "cpr-direkte"

WriteFile = Callable[..., Path]


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The register's test extract with its layouts, published with CPR Broker (MPL-2.0); not kept here."""
    if not PUBLIC_DATA.exists():
        if os.environ.get("CI"):
            pytest.fail("the public CPR test data is missing")
        pytest.skip("the public CPR test data does not lie beside the project")
    return PUBLIC_DATA


@pytest.fixture(scope="session")
def test_extract(public_data: Path) -> Path:
    """80 persons in 1,098 records."""
    return public_data / "U12170-P_opgavenr_110901_ADRNVN_FE.txt"


@pytest.fixture
def write_file(tmp_path: Path) -> WriteFile:
    """Writes a file with these lines between a first and a last record."""

    def write(*lines: str, produced_on: str = "20261101", task: str = "123456", end: str = "\r\n") -> Path:
        first = layouts()["000"].write(sort="0" * 10, task=task, produced_on=produced_on)
        last = layouts()["999"].write(nines="9" * 10, records=f"{len(lines):08}")
        path = tmp_path / "extract.txt"
        path.write_bytes("".join(line + end for line in (first, *lines, last)).encode(ENCODING))
        return path

    return write


@pytest.fixture
def dsn(dsn_of_tables: str) -> str:
    """A register of nobody yet."""
    return dsn_of_tables


@pytest.fixture
def access() -> Access:
    """What the operator who imports is permitted."""
    operator = Caller(kind=CallerKind.OPERATOR, id=UUID(int=0), name="operator")
    return Access(
        caller=operator, service="persons", operation="import", category="person",
        categories=frozenset({"person.cpr"}), request_id=new_id(),
    )  # fmt: skip
