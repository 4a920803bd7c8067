"""The test's own ends, before anything is concluded from them: a caller and
the SIP bridge against a tiny agent on LiveKit's own client."""
from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest
from livekit import api, rtc

from tests.standins import phrases, tone
from tests.standins.ear import Book, Ear

from .caller import RATE, Caller, Microphone
from .sip_bridge import SipBridge


class TinyAgent:
    """Joins as an agent, hears the caller with the marked ear, speaks tones."""

    def __init__(self, livekit, room: str):
        self.livekit, self.room_name, self.room = livekit, room, rtc.Room()
        self.mic = Microphone()
        self.ear = Ear(Book(), 48000)
        self.keys: list[str] = []
        self.statuses: list[str] = []
        self.task = None

    async def join(self) -> "TinyAgent":
        token = (api.AccessToken(self.livekit.key, self.livekit.secret).with_identity("agent-x")
                 .with_kind("agent").with_attributes({"lk.agent.state": "listening"})
                 .with_grants(api.VideoGrants(room_join=True, room=self.room_name, agent=True,
                                              can_update_own_metadata=True)))
        self.room.on("track_subscribed", self._track)
        self.room.on("sip_dtmf_received", lambda d: self.keys.append(d.digit))
        self.room.on("participant_attributes_changed",
                     lambda c, p: self.statuses.append(c.get("sip.callStatus", "")))
        await self.room.connect(self.livekit.url, token.to_jwt())
        await self.mic.publish(self.room)
        return self

    def _track(self, track, *_):
        async def listen():
            async for e in rtc.AudioStream(track, sample_rate=48000, num_channels=1):
                self.ear.push(np.frombuffer(e.frame.data, np.int16))
        self.task = asyncio.ensure_future(listen())

    async def say(self, text: str) -> None:
        pcm = np.frombuffer(tone.speak(text, RATE), np.int16)
        local = self.room.local_participant
        writer = await local.stream_text(topic="lk.transcription", attributes={
            "lk.segment_id": f"SG_{text[:4]}", "lk.transcription_final": "false",
            "lk.transcribed_track_id": self.mic.track.sid})
        await writer.write(text)
        await self.mic.play(pcm)
        await writer.aclose(attributes={"lk.transcription_final": "true"})

    async def leave(self) -> None:
        await self.mic.close()
        await self.room.disconnect()
        if self.task:
            self.task.cancel()


@pytest.fixture
async def agent_in(livekit_server):
    agents = []

    async def join(room: str) -> TinyAgent:
        agents.append(await TinyAgent(livekit_server, room).join())
        return agents[-1]
    yield join
    for a in agents:
        await a.leave()


async def test_caller_and_agent_hear_each_other(livekit_server, agent_in):
    async with Caller(livekit_server) as caller:
        agent = await agent_in(caller.room_name)
        await caller.until(lambda: caller.agent_track, 5, "the agent's track")
        before = time.monotonic()
        await agent.say("good morning, this is the clinic.")
        await caller.hears_words("good morning, this is the clinic", before, 5)
        heard = await caller.hears_sound(before)
        assert 0 < heard - before < 0.5
        assert caller.hears.seconds(before) == pytest.approx(
            tone.duration("good morning, this is the clinic."), abs=0.25)
        await caller.reads_agent("good morning")
        await caller.until(lambda: caller.transcripts.of("agent-x")[0].final, 2, "a final")
        assert caller.state() == "listening" and not caller.transcripts.faults
        said = await caller.say("book")
        want = " ".join(w.text for w in phrases.speech("book", phrases.TEXTS["book"]).words)
        await caller.until(lambda: " ".join(w.text for w in agent.ear.words) == want, 3,
                           f"{want!r} at the agent")
        assert 2.0 < said.end - said.start < 3.0


async def test_the_phone_is_answered_by_our_track_only(livekit_server, agent_in):
    bridge = SipBridge(livekit_server, answer_after=0.3)
    await bridge.join()
    try:
        await asyncio.sleep(0.5)
        assert not bridge.answered.is_set() and bridge.statuses[-1][1] == "ringing"
        agent = await agent_in(bridge.room_name)
        me = agent.room.remote_participants[bridge.identity]
        assert me.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP
        assert me.attributes["sip.phoneNumber"] == "+15550100"
        await agent.say("too early to be heard")  # while it rings
        await bridge.until(bridge.answered.is_set, 5, "the answer")
        await bridge.until(lambda: "active" in agent.statuses, 2, "callStatus active")
        assert bridge.lost_sound() > 0.1
        await agent.say("now it is heard.")
        await bridge.hears_words("now it is heard.", seconds=3)
        await bridge.press("5#")
        await bridge.until(lambda: agent.keys == ["5", "#"], 3, "keys")
        await bridge.say("hello")
        await bridge.until(lambda: agent.ear.words, 3, "words at the agent")
    finally:
        await bridge.leave()


@pytest.mark.parametrize("reason", ["CLIENT_INITIATED", "USER_REJECTED", "USER_UNAVAILABLE"])
async def test_the_phone_hangs_up_with_a_reason(livekit_server, agent_in, reason):
    bridge = SipBridge(livekit_server)
    await bridge.join()
    agent = await agent_in(bridge.room_name)
    gone = asyncio.get_running_loop().create_future()
    agent.room.on("participant_disconnected",
                  lambda p: gone.done() or gone.set_result(p.disconnect_reason))
    await asyncio.wait_for(bridge.answered.wait(), 5)
    await bridge.hang_up(getattr(rtc.DisconnectReason, reason))
    got = await asyncio.wait_for(gone, 5)
    assert rtc.DisconnectReason.Name(got) == reason
    await bridge.leave()


async def test_an_outbound_leg_dials_rings_and_is_answered(livekit_server, agent_in):
    bridge = SipBridge(livekit_server, outbound=True, ring=0.2)
    await bridge.join()
    try:
        agent = await agent_in(bridge.room_name)
        await bridge.until(lambda: bridge.statuses[-1][1] == "ringing", 3, "ringing")
        assert not bridge.answered.is_set()
        bridge.callee_answers.set()
        await bridge.until(bridge.answered.is_set, 3, "the answer")
        await bridge.until(lambda: agent.statuses[-1:] == ["active"], 3, "active at the agent")
    finally:
        await bridge.leave()


async def test_the_agent_can_end_the_phone_call(livekit_server, agent_in):
    bridge = SipBridge(livekit_server)
    await bridge.join()
    agent = await agent_in(bridge.room_name)
    await asyncio.wait_for(bridge.answered.wait(), 5)
    await agent.room.local_participant.perform_rpc(
        destination_identity=bridge.identity, method="lk.sip.EndCall", payload='{"headers":{}}')
    await bridge.until(lambda: bridge.disconnected is not None, 3, "the phone to hang up")
    assert bridge.end_calls == [{"headers": {}}]
    await bridge.leave()
