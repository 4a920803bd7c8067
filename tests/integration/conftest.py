"""Fixtures of the integration tests: servers that a test needs, started once."""
from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.standins.server import Standins

from .servers import ROOT, Frontdesk, LiveKitServer, livekit_binary


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


# ---- LiveKit and the host ------------------------------------------------------------


@pytest.fixture(scope="session")
def livekit_server(tmp_path_factory):
    """A LiveKit server of our own; LIVEKIT_SERVER names the binary."""
    if not livekit_binary():
        pytest.skip("no livekit-server: set LIVEKIT_SERVER to its path")
    server = LiveKitServer(tmp_path_factory.mktemp("livekit")).start()
    yield server
    server.stop()


@pytest.fixture
def own_livekit_server(tmp_path):
    """One that a test may restart or break."""
    if not livekit_binary():
        pytest.skip("no livekit-server: set LIVEKIT_SERVER to its path")
    server = LiveKitServer(tmp_path).start()
    yield server
    server.stop()


def frontdesk_binary() -> Path:
    """FRONTDESK names it; otherwise that of the preset FRONTDESK_PRESET (dev)."""
    preset = os.environ.get("FRONTDESK_PRESET", "dev")
    return Path(os.environ.get("FRONTDESK", ROOT / "build" / preset / "bin" / "frontdesk"))


@pytest.fixture(scope="session")
def live_standins():
    """The providers with the delays of a good day."""
    s = Standins(deepgram_key="dg-test", openai_key="sk-test").start()
    yield s
    s.stop()


@pytest.fixture
def providers(live_standins):
    live_standins.order(clear=True)
    yield live_standins
    live_standins.order(clear=True)


@pytest.fixture
def start_frontdesk(tmp_path, livekit_server, providers):
    """Starts frontdesk jobs; what the test leaves running is stopped."""
    if not frontdesk_binary().exists():
        pytest.skip(f"{frontdesk_binary()} is not built")
    jobs = []

    def start(*flags, livekit=None, clinics=None, agent="frontdesk-test", **env):
        folder = tmp_path / f"job{len(jobs)}"
        folder.mkdir()
        job = Frontdesk(frontdesk_binary(), folder, livekit or livekit_server, providers,
                        clinics or ROOT / "scripts" / "clinics", agent, **env).start(*flags)
        jobs.append(job)
        return job

    yield start
    for job in jobs:
        if job.alive():
            job.stop(12)
        print(f"---- {job.log}\n{job.text()[-8000:]}")


@pytest.fixture
async def frontdesk_job(start_frontdesk, livekit_server):
    """A running job that has registered its worker."""
    job = start_frontdesk()
    await registered(job, livekit_server)
    return job


async def registered(job, livekit, seconds: float = 10) -> None:
    """Until the server has one more worker for the job's agent than before."""
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        if not job.alive():
            raise AssertionError(f"the job ended with {job.child.returncode}:\n{job.text()}")
        if f'"agentName": "{job.agent}"' in livekit.text() and "registered" in job.text():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"no worker after {seconds} s:\n{job.text()}")
