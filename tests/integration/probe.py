"""Our layer as a child process (tests/support/room_probe.c), and a caller on
LiveKit's own client that measures tones.

FD_BUILD names the build folder; otherwise the newest probe under build/.
"""
from __future__ import annotations

import asyncio
import json
import math
import os
import pathlib
import time
import uuid

import numpy as np
import pytest
from livekit import api, rtc

from .servers import ROOT

RATE = 48000
OUR_HZ = 440      # the probe's tone
CALLER_HZ = 700


def probe_path() -> pathlib.Path:
    named = os.environ.get("FD_BUILD")
    builds = [pathlib.Path(named)] if named else (ROOT / "build").glob("*")
    built = [b / "bin" / "room_probe" for b in builds]
    built = [b for b in built if b.exists()]
    if not built:
        pytest.skip("room_probe is not built (set FD_BUILD)")
    return max(built, key=lambda b: b.stat().st_mtime)


class Probe:
    def __init__(self, proc: asyncio.subprocess.Process):
        self.proc = proc
        self.seen: list[dict] = []
        self.news = asyncio.Event()
        self.reader = asyncio.ensure_future(self._read())

    @classmethod
    async def start(cls, *argv: str) -> "Probe":
        return cls(await asyncio.create_subprocess_exec(
            str(probe_path()), *argv, limit=1 << 22,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE))

    @classmethod
    async def worker(cls, server, *agents: str, url: str | None = None) -> "Probe":
        names = [x for a in agents for x in ("--agent", a)]
        probe = await cls.start("worker", "--url", url or server.url, "--key", server.key,
                                "--secret", server.secret, *names)
        await probe.wait("worker", state="registered")
        return probe

    async def _read(self) -> None:
        while line := await self.proc.stdout.readline():
            self.seen.append(json.loads(line))
            self.news.set()

    def tell(self, type_: str, **fields) -> None:
        self.proc.stdin.write(json.dumps({"type": type_, **fields}).encode() + b"\n")

    def events(self, type_: str, **fields) -> list[dict]:
        return [e for e in self.seen if e["type"] == type_
                and all(e.get(k) == v for k, v in fields.items())]

    async def wait(self, type_: str, seconds: float = 10, times: int = 1, **fields) -> dict:
        """The times-th event of that kind with these fields."""
        deadline = time.monotonic() + seconds
        while len(found := self.events(type_, **fields)) < times:
            self.news.clear()
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"no {type_} {fields} in {seconds} s, but:\n" +
                                     "\n".join(json.dumps(e)[:300] for e in self.seen))
            try:
                await asyncio.wait_for(self.news.wait(), left)
            except asyncio.TimeoutError:
                pass
        return found[times - 1]

    async def stats(self) -> dict:
        self.tell("stats")
        return await self.wait("stats", times=len(self.events("stats")) + 1)

    async def hears(self, hz: float, seconds: float = 8) -> dict:
        """Until it hears that tone, clearly."""
        deadline = time.monotonic() + seconds
        while True:
            await self.stats()
            await asyncio.sleep(0.4)
            s = await self.stats()
            if s["rms"] > 1000 and abs(s["hz"] - hz) < 15:
                return s
            assert time.monotonic() < deadline, f"heard {s}, not {hz} Hz"

    async def stop(self) -> int:
        if self.proc.returncode is None:
            self.tell("quit")
            try:
                await asyncio.wait_for(self.proc.wait(), 10)
            except asyncio.TimeoutError:
                self.proc.kill()
                await self.proc.wait()
        await self.reader
        return self.proc.returncode


def token(server, room: str, identity: str, agent: str | None = None, kind: str = "standard",
          attributes: dict | None = None, metadata: str = "") -> str:
    t = (api.AccessToken(server.key, server.secret).with_identity(identity).with_kind(kind)
         .with_attributes(attributes or {}).with_metadata(metadata)
         .with_grants(api.VideoGrants(room_join=True, room=room, can_update_own_metadata=True)))
    if agent:
        t = t.with_room_config(api.RoomConfiguration(
            agents=[api.RoomAgentDispatch(agent_name=agent, metadata="from the caller")]))
    return t.to_jwt()


def fresh(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


class ToneCaller:
    """Publishes a tone, keeps what it hears and reads from the agent."""

    def __init__(self, server, room: str, identity: str = "caller"):
        self.server, self.name, self.identity = server, room, identity
        self.room = rtc.Room()
        self.tasks: list[asyncio.Task] = []
        self.pcm: list[tuple[float, np.ndarray]] = []
        self.texts: list[dict] = []
        self.keys: list[tuple[float, str]] = []
        self.data: list[rtc.DataPacket] = []
        self.legacy: list[rtc.TranscriptionSegment] = []
        self.changes: list[dict] = []
        self.tracks = 0
        self.source = rtc.AudioSource(RATE, 1, queue_size_ms=60)
        self.track = rtc.LocalAudioTrack.create_audio_track("mic", self.source)

    async def join(self, publish: bool = True, **more) -> "ToneCaller":
        on = self.room.on
        on("track_subscribed", self._track)
        on("sip_dtmf_received", lambda d: self.keys.append((time.monotonic(), d.digit)))
        on("data_received", self.data.append)
        on("transcription_received", lambda s, *_: self.legacy.extend(s))
        on("participant_attributes_changed", lambda c, p: self.changes.append(dict(c)))
        for topic in ("lk.transcription", "probe"):
            self.room.register_text_stream_handler(topic, self._stream)
        await self.room.connect(self.server.url,
                                token(self.server, self.name, self.identity,
                                      metadata="tone caller", **more))
        if publish:
            options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
            self.publication = await self.room.local_participant.publish_track(
                self.track, options)
            self.tasks.append(asyncio.ensure_future(self._sing()))
        return self

    async def _sing(self) -> None:
        n = RATE // 50
        for i in range(1 << 30):
            t = (np.arange(n) + i * n) / RATE
            pcm = (8000 * np.sin(2 * math.pi * CALLER_HZ * t)).astype(np.int16)
            await self.source.capture_frame(rtc.AudioFrame(pcm.tobytes(), RATE, 1, n))

    def _track(self, track, _, who) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO and who.metadata != "tone caller":
            self.tracks += 1
            self.tasks.append(asyncio.ensure_future(self._record(track)))

    async def _record(self, track) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
        async for e in stream:
            self.pcm.append((time.monotonic(), np.frombuffer(e.frame.data, np.int16)))
        await stream.aclose()

    def _stream(self, reader, identity: str) -> None:
        self.tasks.append(asyncio.ensure_future(self._read(reader, identity)))

    async def _read(self, reader, identity: str) -> None:
        entry = {"identity": identity, "topic": reader.info.topic, "pieces": [], "done": False}
        self.texts.append(entry)
        async for piece in reader:
            entry["pieces"].append(piece)
        entry["text"] = "".join(entry["pieces"])
        entry["attributes"] = dict(reader.info.attributes or {})
        entry["done"] = True

    async def until(self, what, seconds: float = 8):
        deadline = time.monotonic() + seconds
        while not (result := what()):
            assert time.monotonic() < deadline, f"not within {seconds} s"
            await asyncio.sleep(0.02)
        return result

    async def text(self, n: int = 1) -> dict:
        """The n-th text that arrived whole."""
        await self.until(lambda: sum(t["done"] for t in self.texts) >= n)
        return [t for t in self.texts if t["done"]][n - 1]

    def last_hz(self, seconds: float = 0.5) -> float:
        """The tone of the last stretch, 0 when it is quiet."""
        since = time.monotonic() - seconds
        parts = [p for at, p in self.pcm if at >= since]
        if sum(map(len, parts)) < seconds * RATE * 0.7:
            return 0
        pcm = np.concatenate(parts).astype(float)
        if np.sqrt(np.mean(pcm ** 2)) < 1000:
            return 0
        ups = np.count_nonzero((pcm[:-1] < 0) & (pcm[1:] >= 0))
        return ups * RATE / len(pcm)

    async def hears(self, hz: float = OUR_HZ, seconds: float = 8) -> None:
        await self.until(lambda: abs(self.last_hz() - hz) < 15, seconds)

    def quiet_ms(self, since: float) -> float:
        """The longest stretch without the tone after that moment."""
        parts = [p for at, p in self.pcm if at >= since]
        loud = np.concatenate([np.sqrt(np.mean(p.astype(float).reshape(-1, 480) ** 2, axis=1))
                               > 1000 for p in parts if len(p) % 480 == 0])
        longest = run = 0
        for x in loud:
            run = 0 if x else run + 1
            longest = max(longest, run)
        return longest * 10

    async def leave(self) -> None:
        for t in self.tasks:
            t.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.room.disconnect()
        await self.source.aclose()
