"""Faults of the providers, one at a time: from the end of the caller's speech
to the next sound never three seconds, and the call works when it is over."""
from __future__ import annotations

import asyncio
import time

import pytest

LIMIT_S = 3.0

# service, fault, how often (0: until cleared)
ONCE = [
    ("stt", "mute", 1), ("stt", "slow", 1), ("stt", "stall", 1), ("stt", "cut", 1),
    ("stt", "garbage", 1), ("stt", "unknown", 1), ("stt", "empty", 1), ("stt", "net0001", 1),
    ("stt", "net0000", 1), ("stt", "data0000", 1), ("stt", "close", 1), ("stt", "twice", 1),
    ("llm", "mute", 1), ("llm", "slow", 1), ("llm", "stall", 1), ("llm", "cut", 1),
    ("llm", "garbage", 1), ("llm", "empty", 1), ("llm", "error", 1), ("llm", "refuse", 1),
    ("llm", "401", 1), ("llm", "429", 1), ("llm", "500", 1), ("llm", "hang", 1),
    ("llm", "quota", 1),
    ("tts", "mute", 1), ("tts", "slow", 1), ("tts", "stall", 1), ("tts", "cut", 1),
    ("tts", "garbage", 1), ("tts", "empty", 1), ("tts", "unknown", 1), ("tts", "net0001", 1),
]
LASTING = [
    ("stt", "mute", 0), ("stt", "cut", 0), ("stt", "500", 0),
    ("llm", "mute", 0), ("llm", "stall", 0), ("llm", "cut", 0), ("llm", "500", 0),
    ("llm", "401", 0), ("llm", "429", 0), ("llm", "hang", 0), ("llm", "empty", 0),
    ("tts", "mute", 0), ("tts", "stall", 0), ("tts", "cut", 0), ("tts", "empty", 0),
    ("tts", "500", 0), ("tts", "429", 0), ("tts", "hang", 0),
]

# What every change runs; the whole matrix takes a quarter of an hour.
ALWAYS = {("stt", "mute", 1), ("stt", "cut", 1), ("llm", "mute", 1), ("llm", "cut", 1),
          ("llm", "500", 1), ("tts", "mute", 1), ("tts", "cut", 1), ("tts", "empty", 1),
          ("stt", "500", 0), ("llm", "500", 0), ("tts", "mute", 0)}


def cases(matrix):
    return [pytest.param(*c, marks=() if c in ALWAYS else pytest.mark.load) for c in matrix]


def longest_silence(caller, since: float, until: float) -> float:
    """Longest stretch without the agent between two times. The caller's own
    later speech starts the clock anew."""
    longest, at = 0.0, since
    spoke = [(s.start, s.end) for s in caller.said if s.start > since]
    sounds = [(s.start, s.end) for s in caller.hears.stretches if s.end > since]
    for start, end in sorted(sounds + spoke):
        if start > until:
            break
        longest = max(longest, start - at)
        at = max(at, end)
    return max(longest, until - at)


async def answered(caller, phrase: str, words: str, seconds: float) -> None:
    """Asks until the answer is heard: the caller would repeat it too."""
    deadline = time.monotonic() + seconds
    while True:
        said = await caller.say(phrase, wait_quiet=True)
        try:
            await caller.hears_words(words, said.end, 5)
            return
        except AssertionError:
            if time.monotonic() > deadline:
                raise


@pytest.mark.parametrize("service, fault, count", cases(ONCE))
async def test_one_fault(call, providers, service, fault, count):
    caller = await call()
    await caller.greeted()
    providers.order(service=service, fault=fault, count=count)
    said = await caller.say("hours")
    first = await caller.hears_sound(said.end, LIMIT_S + 5)
    hits = sum(f["hits"] for f in providers.state()["faults"])
    assert first - said.end < LIMIT_S, f"{first - said.end:.2f} s of dead air"
    assert hits >= 1, "the fault was never met: the test shows nothing"
    await caller.quiet(1.2)
    # Whatever the caller was told, nothing is lost for good.
    await answered(caller, "address", "garden street", 12)


@pytest.mark.parametrize("service, fault, count", cases(LASTING))
async def test_a_provider_that_stays_down(call, providers, service, fault, count):
    caller = await call()
    await caller.greeted()
    providers.order(service=service, fault=fault, count=count)
    if service == "stt" and fault == "500":  # refusals matter when it reconnects
        providers.order(service="stt", fault="cut", count=1)
    said = await caller.say("hours")
    first = await caller.hears_sound(said.end, LIMIT_S + 5)
    assert first - said.end < LIMIT_S, f"{first - said.end:.2f} s of dead air"
    again = await caller.say("there", wait_quiet=True)
    second = await caller.hears_sound(again.end, LIMIT_S + 5)
    assert second - again.end < LIMIT_S, f"{second - again.end:.2f} s the second time"
    providers.order(clear=True)
    await caller.quiet(1.2)
    if caller.disconnected is None and caller.room.remote_participants:
        await answered(caller, "address", "garden street", 20)
    else:  # given up in words, not in silence
        assert caller.hears.seconds(said.end) > 1.0


async def test_a_slow_model_is_covered_by_a_filler(call, providers):
    caller = await call()
    await caller.greeted()
    providers.order(service="llm", fault="slow", count=1, delay_ms=1800)
    said = await caller.say("hours")
    first = await caller.hears_sound(said.end)
    assert first - said.end < LIMIT_S
    await caller.hears_words("eight to five", said.end, 10)


async def test_every_provider_dead_at_once(call, providers):
    caller = await call()
    await caller.greeted()
    for service in ("stt", "llm", "tts"):
        providers.order(service=service, fault="500", count=0)
    for service in ("stt", "tts"):
        providers.order(service=service, fault="cut", count=0)
    said = await caller.say("hours")
    await caller.hears_sound(said.end, 8)
    assert caller.hears.first_after(said.end) - said.end < LIMIT_S
    await asyncio.sleep(4)
    assert caller.hears.seconds(said.end) > 0.5


async def test_providers_dead_before_the_call_begins(call, providers):
    for service in ("stt", "llm", "tts"):
        providers.order(service=service, fault="500", count=0)
    caller = await call()
    first = await caller.hears_sound(0, 8)
    assert first - caller.joined_at < 5.0, "the phone was picked up in silence"


async def test_a_slow_recogniser_does_not_double_the_reply(call, providers):
    caller = await call()
    await caller.greeted()
    providers.order(service="stt", fault="stall", count=1, delay_ms=1500)
    said = await caller.say("hours")
    await caller.hears_words("eight to five", said.end, 12)
    await caller.quiet(2.0)
    text = caller.agent_text().lower()
    assert text.count("eight to five") == 1, text


async def test_late_audio_after_an_interruption_is_not_played(call, providers):
    caller = await call()
    await caller.greeted()
    providers.order(service="tts", fault="late", count=0)
    asked = await caller.say("story")
    began = await caller.hears_sound(asked.end)
    await asyncio.sleep(max(0, began + 1.5 - time.monotonic()))
    over = await caller.say("interrupt")
    await caller.hears_words("sure, what is your question", over.end, 8)
    assert "waiting room" not in caller.hears.letters(over.end)
