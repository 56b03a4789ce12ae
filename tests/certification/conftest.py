"""The SDK is tested as suppliers have it: without Torv, its clusters, or one event loop for everybody."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def one_loop() -> None:
    """A loop per test: a property test that is a coroutine runs in loops of its own."""
