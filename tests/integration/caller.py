"""A caller on LiveKit's own client: speaks phrases, keeps all it hears."""
from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from dataclasses import dataclass

import numpy as np
from livekit import api, rtc

from tests.standins import phrases

from .heard import Recorder, Transcripts

RATE = 48000
FRAME = RATE // 50
AGENT = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT


@dataclass
class Said:
    """When a phrase was spoken: first and last sound, not the WAV's edges."""
    text: str
    start: float
    end: float


class Microphone:
    """A published track that always sends: speech when there is some."""

    def __init__(self):
        self.source = rtc.AudioSource(RATE, 1, queue_size_ms=60)
        self.track = rtc.LocalAudioTrack.create_audio_track("microphone", self.source)
        self.queue = np.zeros(0, np.int16)
        self.task: asyncio.Task | None = None
        self.muted = False  # stops sending, as a browser's track does

    async def publish(self, room: rtc.Room, dtx: bool = True) -> None:
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=dtx)
        await room.local_participant.publish_track(self.track, options)
        self.task = asyncio.ensure_future(self._feed())

    async def _feed(self) -> None:
        due = time.monotonic()
        while True:
            if not self.muted:
                part = self.queue[:FRAME]
                self.queue = self.queue[FRAME:]
                pcm = np.zeros(FRAME, np.int16)
                pcm[:len(part)] = part
                await self.source.capture_frame(rtc.AudioFrame(pcm.tobytes(), RATE, 1, FRAME))
            due += 0.02
            wait = due - time.monotonic()
            if wait < -0.5:
                due = time.monotonic()
            await asyncio.sleep(max(0.0, wait))

    async def play(self, pcm: np.ndarray) -> float:
        """Queues the sound, waits until it has left; returns when it began."""
        start = time.monotonic() + len(self.queue) / RATE
        self.queue = np.concatenate([self.queue, pcm])
        while len(self.queue):
            await asyncio.sleep(0.01)
        return start

    async def close(self) -> None:
        if self.task:
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.task
        await self.source.aclose()


class Caller:
    def __init__(self, livekit, agent: str | None = None, room: str | None = None,
                 identity: str = "caller", metadata: str = "", kind: str = "standard",
                 attributes: dict[str, str] | None = None, auto_subscribe: bool = True):
        self.livekit, self.agent_name, self.identity = livekit, agent, identity
        self.room_name = room or f"call-{uuid.uuid4().hex[:10]}"
        self.metadata, self.kind, self.auto_subscribe = metadata, kind, auto_subscribe
        self.attributes = attributes or {}
        self.room = rtc.Room()
        self.mic = Microphone()
        self.hears = Recorder()
        self.hears.keep = True
        self.transcripts = Transcripts()
        self.states: list[tuple[float, str]] = []
        self.agent: rtc.RemoteParticipant | None = None
        self.agent_track: rtc.RemoteAudioTrack | None = None
        self.legacy: list[rtc.TranscriptionSegment] = []
        self.dtmf: list[str] = []
        self.tasks: set[asyncio.Task] = set()
        self.joined_at = self.track_at = 0.0
        self.disconnected: int | None = None
        self.reconnects = 0
        self.said: list[Said] = []

    # ---- joining -------------------------------------------------------------------

    def token(self) -> str:
        t = (api.AccessToken(self.livekit.key, self.livekit.secret)
             .with_identity(self.identity).with_name(self.identity.title()).with_kind(self.kind)
             .with_attributes(self.attributes)
             .with_grants(api.VideoGrants(room_join=True, room=self.room_name,
                                          can_update_own_metadata=True)))
        if self.agent_name:
            dispatch = api.RoomAgentDispatch(agent_name=self.agent_name, metadata=self.metadata)
            t = t.with_room_config(api.RoomConfiguration(agents=[dispatch]))
        return t.to_jwt()

    async def join(self, microphone: bool = True) -> "Caller":
        self._listen()
        options = rtc.RoomOptions(auto_subscribe=self.auto_subscribe)
        self.joined_at = time.monotonic()
        await self.room.connect(self.livekit.url, self.token(), options)
        for p in self.room.remote_participants.values():
            self._meet(p)
        if microphone:
            await self.mic.publish(self.room)
        return self

    def _listen(self) -> None:
        on = self.room.on
        on("participant_connected", self._meet)
        on("participant_active", self._meet)
        on("participant_attributes_changed", self._attributes)
        on("track_subscribed", self._subscribed)
        on("transcription_received", lambda segments, *_: self.legacy.extend(segments))
        on("sip_dtmf_received", lambda d: self.dtmf.append(d.digit))
        on("disconnected", self._gone)
        on("reconnected", self._back)
        self.room.register_text_stream_handler("lk.transcription", self._stream)

    def _gone(self, reason) -> None:
        self.disconnected = int(reason)

    def _back(self) -> None:
        self.reconnects += 1

    def _spawn(self, coroutine) -> None:
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _stream(self, reader: rtc.TextStreamReader, identity: str) -> None:
        self._spawn(self.transcripts.read(reader, identity))

    def _meet(self, p: rtc.RemoteParticipant) -> None:
        if p.kind == AGENT and (self.agent is None or self.agent.sid != p.sid):
            self.agent = p
            self._state(p)

    def _attributes(self, changed: dict, p: rtc.Participant) -> None:
        if p.kind == AGENT and "lk.agent.state" in changed:
            self._state(p)

    def _state(self, p) -> None:
        state = p.attributes.get("lk.agent.state")
        if state and (not self.states or self.states[-1][1] != state):
            self.states.append((time.monotonic(), state))

    def _subscribed(self, track, publication, p) -> None:
        if p.kind == AGENT and track.kind == rtc.TrackKind.KIND_AUDIO:
            self.agent_track, self.track_at = track, time.monotonic()
            self._spawn(self._record(track))

    async def _record(self, track: rtc.RemoteAudioTrack) -> None:
        stream = rtc.AudioStream(track, sample_rate=Recorder.RATE, num_channels=1)
        try:
            async for e in stream:
                self.hear(np.frombuffer(e.frame.data, np.int16))
        finally:
            await stream.aclose()

    def hear(self, pcm: np.ndarray) -> None:
        self.hears.push(pcm)

    # ---- speaking --------------------------------------------------------------------

    async def say(self, what: str, wait_quiet: bool = False) -> Said:
        """A phrase, a sound or any known text; returns when it has been said."""
        if wait_quiet:
            await self.quiet()
        p = None if what in phrases.SOUNDS else phrases.speech(what, phrases.TEXTS.get(what, what))
        start = await self.mic.play(phrases.caller_audio(what, RATE))
        if p:
            said = Said(p.text, start + p.words[0].start, start + p.words[-1].end)
        else:
            said = Said("", start, start + len(phrases.sound(what)) / phrases.RATE)
        self.said.append(said)
        return said

    async def chat(self, text: str) -> None:
        await self.room.local_participant.send_text(text, topic="lk.chat")

    async def press(self, keys: str) -> None:
        for key in keys:
            code = "0123456789*#ABCD".index(key)
            await self.room.local_participant.publish_dtmf(code=code, digit=key)
            await asyncio.sleep(0.3)

    # ---- waiting ----------------------------------------------------------------------

    async def until(self, condition, seconds: float, what: str):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            await asyncio.sleep(0.02)
        raise AssertionError(f"waited {seconds:.1f} s for {what}; {self.summary()}")

    async def hears_sound(self, after: float, seconds: float = 10) -> float:
        """When the agent was first heard at or after that time."""
        return await self.until(lambda: self.hears.first_after(after), seconds,
                                "sound from the agent")

    async def quiet(self, length: float = 0.8, seconds: float = 30) -> float:
        """Until the agent has been silent that long; when it ended."""
        def ended():
            end = self.hears.last_end()
            return end if end and time.monotonic() - end >= length else None
        return await self.until(ended, seconds, "the agent to be quiet")

    async def hears_words(self, words: str, after: float = 0.0, seconds: float = 15) -> None:
        from .heard import says
        await self.until(lambda: says(self.hears.letters(after), words), seconds,
                         f"the words {words!r}")

    async def reads(self, identity: str, words: str, seconds: float = 10) -> None:
        """Until the transcript of that participant has the words."""
        await self.until(lambda: words.lower() in self.transcripts.text(identity).lower(),
                         seconds, f"{words!r} in the transcript of {identity}")

    async def reads_agent(self, words: str, seconds: float = 10) -> None:
        await self.reads(self.agent.identity, words, seconds)

    async def reads_self(self, words: str, seconds: float = 10) -> None:
        await self.reads(self.identity, words, seconds)

    async def greeted(self, seconds: float = 10) -> float:
        """Until the greeting has been heard to its end; when it began."""
        first = await self.hears_sound(0.0, seconds)
        await self.quiet()
        return first

    def state(self) -> str | None:
        return self.states[-1][1] if self.states else None

    def agent_text(self) -> str:
        return self.transcripts.text(self.agent.identity) if self.agent else ""

    def summary(self) -> str:
        agent = self.agent.identity if self.agent else None
        segments = [(s.who, s.final, s.text) for s in self.transcripts.segments.values()]
        return (f"agent {agent}, states {[s for _, s in self.states]}, sound "
                f"{self.hears.seconds():.1f} s, heard {self.hears.letters()!r}, segments "
                f"{segments}, disconnected {self.disconnected}")

    async def leave(self) -> None:
        await self.mic.close()
        if self.disconnected is None:
            await self.room.disconnect()
        for t in list(self.tasks):
            t.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def __aenter__(self) -> "Caller":
        return await self.join()

    async def __aexit__(self, *_) -> None:
        await self.leave()
