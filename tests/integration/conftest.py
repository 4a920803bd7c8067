"""Fixtures of the integration tests: servers that a test needs, started once."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.standins.server import Standins

from .caller import Caller
from .servers import CLINICS, ROOT, Frontdesk, LiveKitServer, livekit_binary


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
    """A LiveKit server of our own; FRONTDESK_LIVEKIT_SERVER names the binary."""
    if not livekit_binary():
        pytest.skip("no LiveKit server: set FRONTDESK_LIVEKIT_SERVER to its path")
    server = LiveKitServer(tmp_path_factory.mktemp("livekit")).start()
    yield server
    server.stop()


@pytest.fixture
def own_livekit_server(tmp_path):
    """One that a test may restart or break."""
    if not livekit_binary():
        pytest.skip("no LiveKit server: set FRONTDESK_LIVEKIT_SERVER to its path")
    server = LiveKitServer(tmp_path).start()
    yield server
    server.stop()


def frontdesk_binary() -> Path:
    """FRONTDESK_BINARY names it; otherwise the newest that a preset built."""
    if "FRONTDESK_BINARY" in os.environ:
        return Path(os.environ["FRONTDESK_BINARY"])
    built = [ROOT / "build" / p / "bin" / "frontdesk" for p in ("release", "dev")]
    return max(built, key=lambda b: b.stat().st_mtime if b.exists() else 0)


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


def _start(jobs: list, folder: Path, livekit, providers, flags, clinics=None,
           agent="frontdesk-test", **env) -> Frontdesk:
    if not frontdesk_binary().exists():
        pytest.skip(f"{frontdesk_binary()} is not built")
    folder = folder / f"job{len(jobs)}"
    folder.mkdir()
    job = Frontdesk(frontdesk_binary(), folder, livekit, providers,
                    clinics or CLINICS, agent, **env).start(*flags)
    jobs.append(job)
    return job


def _sound(job: Frontdesk) -> None:
    """Of a binary with sanitizers (see tests/run): none may have spoken."""
    text = job.text()
    at = min((text.find(w) for w in ("Sanitizer", ": runtime error:") if w in text), default=-1)
    assert at < 0, f"a sanitizer spoke in {job.log}:\n{text[max(0, at - 200):at + 8000]}"


@pytest.fixture
def start_frontdesk(request, tmp_path, providers):
    """Starts frontdesk jobs; what the test leaves running is stopped."""
    jobs = []

    def start(*flags, livekit=None, **more):
        server = livekit or request.getfixturevalue("livekit_server")
        return _start(jobs, tmp_path, server, providers, flags, **more)

    yield start
    for job in jobs:
        if job.alive():
            job.stop(12)
        print(f"---- {job.log}\n{job.text()[-8000:]}")
        _sound(job)


@pytest.fixture(scope="session")
def session_jobs(tmp_path_factory, livekit_server, live_standins):
    """Starts the shared job, and a new one when a test has killed it."""
    folder, jobs = tmp_path_factory.mktemp("frontdesk"), []

    def running() -> Frontdesk:
        if not jobs or not jobs[-1].alive():
            _start(jobs, folder, livekit_server, live_standins, ())
            jobs[-1].wait_for("job.registered", 15)
        return jobs[-1]

    yield running
    if jobs and jobs[-1].alive():
        code = jobs[-1].stop(15)
        _sound(jobs[-1])
        assert code == 0, f"the job that served all calls ended with {code}"


@pytest.fixture
def frontdesk_job(session_jobs, providers):
    """The job that the tests share; its log of this test is shown on failure."""
    job = session_jobs()
    before = len(job.text())
    yield job
    print(f"---- {job.log}\n{job.text()[before:][-12000:]}")
    _sound(job)
    assert job.alive(), f"the job died in this test: {job.child.returncode}"


@pytest.fixture
async def call(frontdesk_job, livekit_server):
    """call() makes a caller who has asked for the agent; all leave at the end."""
    callers = []

    async def make(kind=Caller, join=True, **more):
        more.setdefault("metadata", '{"clinic":"practice"}')
        caller = kind(more.pop("livekit", livekit_server),
                      more.pop("agent", frontdesk_job.agent), **more)
        callers.append(caller)
        return await caller.join() if join else caller

    yield make
    for caller in callers:
        print(f"---- {caller.identity} in {caller.room_name}: {caller.summary()}")
        await caller.leave()
