"""How the job ends: every signal, at every moment, leaves exit code 0 behind
it; and a process that was frozen for a while goes on with its calls."""
from __future__ import annotations

import asyncio
import signal
import time

import pytest

from .caller import Caller
from .conftest import frontdesk_binary
from .servers import Frontdesk, Process

CLINIC = '{"clinic":"practice"}'


@pytest.fixture
async def greeted():
    """greeted(server, agent, n): so many callers, past the greeting."""
    made = []

    async def make(livekit, agent, n):
        callers = [Caller(livekit, agent, metadata=CLINIC, identity=f"caller-{i}")
                   for i in range(n)]
        made.extend(callers)
        await asyncio.gather(*(c.join() for c in callers))
        await asyncio.gather(*(c.greeted(20) for c in callers))
        return callers
    yield make
    for c in made:
        print(f"---- {c.room_name}: {c.summary()}")
        await c.leave()


@pytest.fixture
def robots(tmp_path, providers):
    """Callers of ours where nothing is asserted of what they hear: the official
    client has died of an agent that vanished from three rooms at once."""
    made = []

    def call(livekit, agent, n, *flags):
        like = Frontdesk(frontdesk_binary(), tmp_path, livekit, providers, tmp_path, agent)
        made.append(Process(tmp_path / "robots.log"))
        made[-1].spawn([str(like.binary), "call", "--agent", agent, "--calls", str(n),
                        "--metadata", CLINIC, *flags], like.env)
        return made[-1]
    yield call
    for p in made:
        p.stop()


async def ended(job, seconds: float) -> float:
    """Waits for exit code 0; how long it took."""
    at = time.monotonic()
    assert await asyncio.to_thread(job.wait, seconds) == 0
    return time.monotonic() - at


async def test_sigint_without_calls_ends_at_once(start_frontdesk):
    job = start_frontdesk(agent="int-idle")
    job.wait_for("job.registered", 10)
    job.signal(signal.SIGINT)
    assert await ended(job, 10) < 2


async def test_sigterm_before_it_has_registered(start_frontdesk):
    job = start_frontdesk(agent="early")
    await asyncio.sleep(0.03)  # loaded, or nearly: the signal's default would be -15
    while job.alive() and not job.handles(signal.SIGTERM):
        await asyncio.sleep(0.001)
    job.signal(signal.SIGTERM)
    assert await ended(job, 10) < 2


async def test_sigterm_with_three_calls_says_goodbye_to_all(start_frontdesk, livekit_server,
                                                            greeted):
    job = start_frontdesk("--grace", "7", agent="term-three")
    job.wait_for("job.registered", 10)
    callers = await greeted(livekit_server, "term-three", 3)
    at = time.monotonic()
    job.signal(signal.SIGTERM)
    assert await ended(job, 12) < 8.5
    assert all(c.hears.seconds(at) > 0.3 for c in callers), "one was cut off without a word"
    assert job.text().count("call.ended") == 3
    for c in callers:
        assert livekit_server.job_status(c.room_name) == "JS_SUCCESS"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_second_signal_ends_three_calls_at_once(start_frontdesk, livekit_server,
                                                          robots, number):
    job = start_frontdesk("--grace", "60", agent=f"twice-{number.name}")
    job.wait_for("job.registered", 10)
    robots(livekit_server, f"twice-{number.name}", 3)
    await asyncio.to_thread(job.wait_for, "call.sounds", 20, 3)
    job.signal(number)
    await asyncio.sleep(0.3)
    assert job.alive(), "there was an hour's grace"
    job.signal(number)
    assert await ended(job, 5) < 1


@pytest.mark.parametrize("calls", [0, 1])
async def test_sigterm_while_the_server_is_away(start_frontdesk, own_livekit_server, greeted,
                                                calls):
    job = start_frontdesk("--grace", "7", livekit=own_livekit_server, agent="gone")
    job.wait_for("job.registered", 10)
    await greeted(own_livekit_server, "gone", calls)
    own_livekit_server.signal(signal.SIGKILL)
    own_livekit_server.wait(5)
    await asyncio.sleep(0.5)
    job.signal(signal.SIGTERM)
    assert await ended(job, 12) < 8.5


async def test_a_process_frozen_for_three_seconds_goes_on(start_frontdesk, livekit_server,
                                                          greeted):
    """As when the machine under it is moved."""
    job = start_frontdesk(agent="frozen")
    job.wait_for("job.registered", 10)
    caller, = await greeted(livekit_server, "frozen", 1)
    asked = await caller.say("story")
    await caller.hears_sound(asked.end)
    job.signal(signal.SIGSTOP)
    await asyncio.sleep(3)
    job.signal(signal.SIGCONT)
    on = time.monotonic()
    await caller.hears_sound(on + 0.2, 3)
    await caller.quiet()
    said = await caller.say("hours", wait_quiet=True)
    await caller.hears_words("eight to five", said.end, 10)
    assert caller.disconnected is None
    assert "loop_stalled" not in job.text(), "the watchdog blames the loop for the freeze"
    late, = await greeted(livekit_server, "frozen", 1)
    assert late.agent


@pytest.mark.parametrize("by", ["limit", "signal"])
async def test_robots_end_at_once_and_whole(livekit_server, robots, by):
    """Nobody answers; what a sanitizer says at the end is in their log."""
    robot = robots(livekit_server, "nobody", 3, "--limit", "2" if by == "limit" else "60")
    at = time.monotonic()
    await asyncio.sleep(2)
    if by == "signal":
        robot.signal(signal.SIGTERM)
    code = await asyncio.to_thread(robot.wait, 10)
    assert "Sanitizer" not in robot.text(), robot.text()
    assert code == 69, robot.text()
    assert time.monotonic() - at < 3.5
