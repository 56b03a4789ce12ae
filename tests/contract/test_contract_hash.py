"""A certification report and Torv name a contract by the same hash."""

import pytest

from torv.ecosystem.modules import shipped_contracts
from torv_sdk.contracts import Contract


@pytest.mark.parametrize("known", shipped_contracts(), ids=lambda each: f"{each.capability}-{each.major}")
def test_the_sdk_and_torv_reckon_one_hash(known) -> None:
    assert Contract.of(known.capability, known.major).hash == known.hash
