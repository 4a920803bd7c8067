"""What happens around calls: servers that go away, sockets that are cut, and
the end of the job."""
from __future__ import annotations

import asyncio
import json
import shutil
import signal
import time

import pytest

from .caller import Caller
from .servers import API_SECRET, CLINICS, Proxy

CLINIC = '{"clinic":"practice"}'


@pytest.fixture
async def callers():
    made = []

    async def make(livekit, agent, **more):
        caller = Caller(livekit, agent, metadata=CLINIC, **more)
        made.append(caller)
        return await caller.join()
    yield make
    for c in made:
        print(f"---- {c.room_name}: {c.summary()}")
        await c.leave()


async def answered(caller, phrase: str = "hours", words: str = "eight to five") -> None:
    said = await caller.say(phrase, wait_quiet=True)
    await caller.hears_words(words, said.end, 8)


@pytest.fixture
def proxy(livekit_server):
    p = Proxy(livekit_server)
    yield p
    p.stop()


async def test_a_lost_worker_socket_costs_no_call(start_frontdesk, proxy, livekit_server, callers):
    job = start_frontdesk(livekit=proxy, agent="cut-worker")
    job.wait_for("job.registered", 10)
    caller = await callers(livekit_server, "cut-worker")
    await caller.greeted()
    assert proxy.cut("/agent") == 1
    await answered(caller)
    job.wait_for("job.registered", 15, 2)
    second = await callers(livekit_server, "cut-worker", identity="second")
    await second.greeted()
    await answered(caller, "address", "garden street")


async def test_a_lost_room_socket_costs_no_call(start_frontdesk, proxy, livekit_server, callers):
    job = start_frontdesk(livekit=proxy, agent="cut-room")
    job.wait_for("job.registered", 10)
    caller = await callers(livekit_server, "cut-room")
    await caller.greeted()
    agent, frames = caller.agent.sid, caller.hears.frames
    assert proxy.cut("/rtc") == 1
    await answered(caller)
    await answered(caller, "address", "garden street")
    assert caller.agent.sid == agent, "the agent left and came back: the caller heard a gap"
    assert caller.hears.frames > frames
    assert caller.states[-1][1] in ("speaking", "listening")


async def test_a_room_socket_cut_again_and_again(start_frontdesk, proxy, livekit_server, callers):
    job = start_frontdesk(livekit=proxy, agent="cut-often")
    job.wait_for("job.registered", 10)
    caller = await callers(livekit_server, "cut-often")
    await caller.greeted()
    for _ in range(5):
        proxy.cut("/rtc")
        await asyncio.sleep(1.0)
    await answered(caller)


async def test_the_worker_waits_for_a_server_that_is_away(start_frontdesk, proxy, livekit_server,
                                                          callers):
    job = start_frontdesk(livekit=proxy, agent="away")
    job.wait_for("job.registered", 10)
    proxy.refusing = "/agent"
    proxy.cut("/agent")
    await asyncio.sleep(3)
    assert job.alive()
    proxy.refusing = ""
    job.wait_for("job.registered", 15, 2)
    caller = await callers(livekit_server, "away")
    await caller.greeted()


async def test_a_restarted_server_gets_its_worker_back(start_frontdesk, own_livekit_server,
                                                       callers):
    job = start_frontdesk(livekit=own_livekit_server, agent="restart")
    job.wait_for("job.registered", 10)
    caller = await callers(own_livekit_server, "restart")
    await caller.greeted()
    own_livekit_server.restart()
    job.wait_for("job.registered", 20, 2)
    await caller.leave()
    second = await callers(own_livekit_server, "restart", identity="second")
    await second.greeted()
    await answered(second)
    await second.leave()
    job.signal(signal.SIGTERM)
    assert await asyncio.to_thread(job.wait, 10) == 0


async def test_sigterm_says_goodbye_and_ends_well(start_frontdesk, livekit_server, callers):
    job = start_frontdesk("--grace", "6", agent="sigterm")
    job.wait_for("job.registered", 10)
    caller = await callers(livekit_server, "sigterm")
    await caller.greeted()
    at = time.monotonic()
    job.signal(signal.SIGTERM)
    await caller.until(lambda: not job.alive(), 8, "the job to end")
    assert job.wait(1) == 0
    assert caller.hears.seconds(at) > 0.3, "the caller was cut off without a word"
    assert time.monotonic() - at < 7.0


async def test_no_script_outlives_the_grace(start_frontdesk, livekit_server, callers, tmp_path):
    clinic = tmp_path / "practice"
    shutil.copytree(CLINICS / "practice", clinic)
    (clinic / "policy.lua").write_text(
        "return { on_turn = function(call)\n"
        "  while true do call:say_wait('And another thing that I wanted to tell you.') end\n"
        "end }\n")
    job = start_frontdesk("--grace", "6", agent="chatter", clinics=clinic)
    job.wait_for("job.registered", 10)
    caller = await callers(livekit_server, "chatter")
    await caller.greeted()
    said = await caller.say("hours")
    await caller.hears_sound(said.end, 5)
    at = time.monotonic()
    job.signal(signal.SIGTERM)
    assert await asyncio.to_thread(job.wait, 8) == 0
    assert time.monotonic() - at < 7.0
    assert "job.goodbye_cut" in job.text()


async def test_sigterm_lets_a_call_finish_when_there_is_time(start_frontdesk, livekit_server,
                                                             callers):
    job = start_frontdesk("--grace", "60", agent="drain")
    job.wait_for("job.registered", 10)
    caller = await callers(livekit_server, "drain")
    await caller.greeted()
    job.signal(signal.SIGTERM)
    await asyncio.sleep(0.5)
    await answered(caller)
    late = await callers(livekit_server, "drain", identity="late")
    with pytest.raises(AssertionError):
        await late.hears_sound(0, 2)  # no new calls
    assert job.alive()
    await caller.leave()
    assert await asyncio.to_thread(job.wait, 10) == 0


async def test_sigterm_without_calls_ends_at_once(start_frontdesk):
    job = start_frontdesk(agent="idle")
    job.wait_for("job.registered", 10)
    at = time.monotonic()
    job.signal(signal.SIGTERM)
    assert job.wait(5) == 0 and time.monotonic() - at < 2


async def test_a_second_signal_ends_it_now(start_frontdesk, livekit_server, callers):
    job = start_frontdesk("--grace", "60", agent="twice")
    job.wait_for("job.registered", 10)
    caller = await callers(livekit_server, "twice")
    await caller.greeted()
    job.signal(signal.SIGTERM)
    await asyncio.sleep(0.3)
    job.signal(signal.SIGTERM)
    await asyncio.to_thread(job.wait, 5)


async def test_a_wrong_key_is_told_and_ends_with_77(start_frontdesk):
    job = start_frontdesk(agent="refused", LIVEKIT_API_SECRET="not-the-secret-" * 3)
    assert await asyncio.to_thread(job.wait, 20) == 77
    assert "LIVEKIT" in job.text().upper()


async def test_nothing_personal_is_logged_in_production(start_frontdesk, livekit_server, callers):
    job = start_frontdesk(agent="private", ENVIRONMENT="production", FRONTDESK_LOG="debug")
    job.wait_for("job.registered", 10)
    caller = await callers(livekit_server, "private")
    await caller.greeted()
    said = await caller.say("name")
    await caller.hears_sound(said.end)
    await caller.quiet()
    await caller.reads_self("anna smith")
    await caller.leave()
    job.wait_for("call.ended", 3)
    text = job.text().lower()
    assert "anna" not in text and "phone number?" not in text
    assert "sk-test" not in text and "dg-test" not in text and API_SECRET not in text
    assert all(json.loads(line)["severity"] for line in job.text().splitlines())
