"""Fixtures of the integration tests: servers that a test needs, started once."""
from __future__ import annotations

import pytest

from tests.standins.server import Standins


@pytest.fixture(scope="session")
def standins_process():
    """The providers' stand-ins with nearly no delays, on their own thread."""
    s = Standins(fast=True, deepgram_key="dg-test", openai_key="sk-test").start()
    yield s
    s.stop()


@pytest.fixture
def standins(standins_process):
    """The same, without faults and with counters at zero."""
    standins_process.order(clear=True)
    yield standins_process
    standins_process.order(clear=True)
