"""One peer of ours against aiortc, a WebRTC stack of other people: our offer,
its answer, audio both ways, data channels, DTLS in both roles, NACK, restart.

The program rtc_probe (tests/support/rtc_probe.c) is the peer; FD_BUILD names
the build folder.
"""
from __future__ import annotations

import asyncio
import json
import os
import pathlib

import numpy as np
import pytest

aiortc = pytest.importorskip(
    "aiortc", reason="aiortc is not installed (pip install aiortc)")

ROOT = pathlib.Path(__file__).resolve().parents[2]
TONE_HZ = 440


def probe_path() -> pathlib.Path:
    named = os.environ.get("FD_BUILD")
    builds = [pathlib.Path(named)] if named else sorted((ROOT / "build").glob("*"))
    for build in builds:
        if (build / "bin" / "rtc_probe").exists():
            return build / "bin" / "rtc_probe"
    pytest.skip("rtc_probe is not built (set FD_BUILD)")


class Probe:
    """The C peer as a child process that speaks JSON lines."""

    def __init__(self, proc: asyncio.subprocess.Process):
        self.proc = proc
        self.seen: list[dict] = []
        self.news = asyncio.Event()
        self.reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, *flags: str) -> "Probe":
        return cls(await asyncio.create_subprocess_exec(
            str(probe_path()), *flags, limit=1 << 20,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE))

    async def _read(self):
        while line := await self.proc.stdout.readline():
            self.seen.append(json.loads(line))
            self.news.set()

    def tell(self, **command):
        self.proc.stdin.write(json.dumps(command).encode() + b"\n")

    async def wait(self, what, seconds=10.0, after=0) -> dict:
        """The first event from place `after` on for which what(event) holds."""
        async def look():
            while True:
                for event in self.seen[after:]:
                    if what(event):
                        return event
                self.news.clear()
                await self.news.wait()
        try:
            return await asyncio.wait_for(look(), seconds)
        except asyncio.TimeoutError:
            raise AssertionError(f"not seen; last events: {self.seen[-4:]}")

    async def wait_state(self, state: str, seconds=10.0, after=0) -> dict:
        return await self.wait(lambda e: e["type"] == "state" and
                               e["state"] == state, seconds, after)

    async def stop(self) -> int:
        if self.proc.returncode is None:
            self.tell(type="quit")
            try:
                await asyncio.wait_for(self.proc.wait(), 10)
            except asyncio.TimeoutError:
                self.proc.kill()
                raise AssertionError("rtc_probe did not end")
        await self.reader
        return self.proc.returncode


class Tone(aiortc.MediaStreamTrack):
    """440 Hz in 20 ms frames, in real time."""

    kind = "audio"

    def __init__(self):
        super().__init__()
        self.at = 0
        self.began = None

    async def recv(self):
        import av
        import fractions
        loop = asyncio.get_running_loop()
        if self.began is None:
            self.began = loop.time()
        await asyncio.sleep(max(0, self.began + self.at / 48000 - loop.time()))
        t = (np.arange(960) + self.at) / 48000
        pcm = (8000 * np.sin(2 * np.pi * TONE_HZ * t)).astype(np.int16)
        frame = av.AudioFrame(format="s16", layout="mono", samples=960)
        frame.planes[0].update(pcm.tobytes())
        frame.sample_rate = 48000
        frame.pts = self.at
        frame.time_base = fractions.Fraction(1, 48000)
        self.at += 960
        return frame


class Answerer:
    """The other side, by aiortc."""

    def __init__(self, role: str = "auto"):
        self.pc = aiortc.RTCPeerConnection()
        self.role = role
        self.channels: dict[str, aiortc.RTCDataChannel] = {}
        self.track = None
        self.pc.on("datachannel", self._on_channel)
        self.pc.on("track", lambda track: setattr(self, "track", track))

    def _on_channel(self, channel):
        self.channels[channel.label] = channel

        @channel.on("message")
        def _(message):
            channel.send(message if isinstance(message, bytes)
                         else message.encode())

    def _transports(self):
        found = {t.sender.transport for t in self.pc.getTransceivers()}
        if self.pc.sctp:
            found.add(self.pc.sctp.transport)
        return found

    async def answer(self, sdp: str) -> str:
        await self.pc.setRemoteDescription(
            aiortc.RTCSessionDescription(sdp, "offer"))
        for t in self.pc.getTransceivers():
            if t.mid == "1" and t.sender.track is None:
                t.sender.replaceTrack(Tone())
                t.direction = "sendonly"
        if self.role == "server":
            for transport in self._transports():
                transport._set_role("server")
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        return self.pc.localDescription.sdp

    async def heard(self, seconds=1.0) -> np.ndarray:
        out = []
        while sum(map(len, out)) < 48000 * seconds:
            frame = await asyncio.wait_for(self.track.recv(), 5)
            pcm = frame.to_ndarray().reshape(-1, len(frame.layout.channels))
            out.append(pcm[:, 0])
        return np.concatenate(out)


async def connect(*flags: str, role: str = "auto"):
    probe, other = await Probe.start(*flags), Answerer(role)
    offer = await probe.wait(lambda e: e["type"] == "offer")
    probe.tell(type="answer", id=offer["id"], sdp=await other.answer(offer["sdp"]))
    await probe.wait_state("connected")
    return probe, other


def loudest_hz(pcm: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    return float(np.argmax(power) * 48000 / len(pcm))


@pytest.mark.parametrize("flags", [(), ("--two-threads",)],
                         ids=["one_thread", "sctp_elsewhere"])
@pytest.mark.parametrize("role", ["auto", "server"],
                         ids=["dtls_server", "dtls_client"])
async def test_audio_and_messages_pass_both_ways(role, flags):
    probe, other = await connect(*flags, role=role)
    try:
        await probe.wait(lambda e: e["type"] == "open")
        # parity of the ids follows the DTLS role
        ids = {c.id for c in other.channels.values()}
        assert ids == ({1, 3} if role == "auto" else {0, 2})
        assert other.channels["_reliable"].ordered
        assert not other.channels["_lossy"].ordered
        assert other.channels["_lossy"].maxRetransmits == 0

        probe.tell(type="send", channel="reliable", text="straight")
        probe.tell(type="send", channel="lossy", text="askew")
        await probe.wait(lambda e: e["type"] == "message" and
                         (e["channel"], e["text"]) == ("reliable", "straight"))
        await probe.wait(lambda e: e["type"] == "message" and
                         (e["channel"], e["text"]) == ("lossy", "askew"))

        pcm = await other.heard(1.5)
        assert abs(loudest_hz(pcm[24000:]) - 500) < 10
        ours = await probe.wait(lambda e: e["type"] == "stats" and
                                e.get("rms", 0) > 2000)
        assert ours["mid"] == "1"
        assert abs(ours["hz"] - TONE_HZ) < 15
        assert ours["srtp_errors"] == 0
        assert ours["pair"].startswith("udp host")
    finally:
        await other.pc.close()
        assert await probe.stop() == 0


async def test_long_messages_arrive_whole_and_the_queue_empties():
    probe, other = await connect()
    try:
        for n in (1, 1200, 15000, 65000):
            probe.tell(type="send", channel="reliable", bytes=n)
            await probe.wait(lambda e: e["type"] == "message" and e["bytes"] == n)
        for _ in range(40):
            probe.tell(type="send", channel="reliable", bytes=15000)
        await probe.wait(lambda e: sum(
            x["type"] == "message" and x["bytes"] == 15000
            for x in probe.seen) == 41, 20)
        after = len(probe.seen)
        await probe.wait(lambda e: e["type"] == "stats" and e["queued"] == 0,
                         5, after)
    finally:
        await other.pc.close()
        assert await probe.stop() == 0


async def test_messages_sent_before_the_channels_open_are_kept():
    probe, other = await Probe.start(), Answerer()
    try:
        offer = await probe.wait(lambda e: e["type"] == "offer")
        probe.tell(type="send", channel="reliable", text="early")
        probe.tell(type="answer", id=1, sdp=await other.answer(offer["sdp"]))
        await probe.wait(lambda e: e["type"] == "message" and e["text"] == "early")
    finally:
        await other.pc.close()
        assert await probe.stop() == 0


async def test_a_wrong_fingerprint_is_refused():
    probe, other = await Probe.start(), Answerer()
    try:
        offer = await probe.wait(lambda e: e["type"] == "offer")
        lines = (await other.answer(offer["sdp"])).split("\r\n")
        wrong = "a=fingerprint:sha-256 " + ":".join(["00"] * 32)
        sdp = "\r\n".join(wrong if line.startswith("a=fingerprint:sha-256")
                          else line for line in lines
                          if not line.startswith(("a=fingerprint:sha-384",
                                                  "a=fingerprint:sha-512")))
        probe.tell(type="answer", id=1, sdp=sdp)
        failed = await probe.wait_state("failed")
        assert "fingerprint" in failed["why"]
    finally:
        await other.pc.close()
        assert await probe.stop() == 0


async def test_an_answer_that_is_none_fails_with_the_reason():
    probe = await Probe.start()
    try:
        await probe.wait(lambda e: e["type"] == "offer")
        probe.tell(type="answer", id=1, sdp="v=0\r\nm=audio 9 X 0\r\n")
        failed = await probe.wait_state("failed")
        assert failed["why"] == "answer: no ICE user name or password"
    finally:
        assert await probe.stop() == 0


async def test_lost_packets_are_sent_again_when_asked_for():
    """aiortc's receiver sends NACKs for video only, so the test asks itself."""
    probe, other = await connect()
    try:
        await probe.wait(lambda e: e["type"] == "stats" and e["sent"] > 40)
        from aiortc.rtp import RTCP_RTPFB_NACK, RtcpRtpfbPacket
        receiver = next(t.receiver for t in other.pc.getTransceivers()
                        if t.mid == "0")
        ssrc, stream = next(iter(receiver._RTCRtpReceiver__remote_streams.items()))
        seq = stream.max_seq
        nack = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=1, media_ssrc=ssrc,
                               lost=[(seq - 500) & 0xffff, seq - 5, seq - 3])
        await receiver.transport._send_rtp(bytes(nack))
        after = len(probe.seen)
        stats = await probe.wait(lambda e: e["type"] == "stats" and
                                 e["nacks"] >= 3, 5, after)
        assert stats["resent"] == 2
    finally:
        await other.pc.close()
        assert await probe.stop() == 0


async def test_reports_tell_round_trip_and_what_was_received():
    probe, other = await connect()
    try:
        await probe.wait(lambda e: e["type"] == "stats" and e["rtt_ms"] > 0, 15)
        seen = await other.pc.getStats()
        inbound = [s for s in seen.values() if s.type == "remote-inbound-rtp"]
        assert inbound and inbound[0].packetsLost == 0
        outbound = [s for s in seen.values() if s.type == "remote-outbound-rtp"]
        assert outbound and outbound[0].packetsSent > 0
    finally:
        await other.pc.close()
        assert await probe.stop() == 0


async def test_later_offers_keep_what_must_stay_and_a_restart_changes_the_rest():
    probe, other = await connect()
    try:
        first = await probe.wait(lambda e: e["type"] == "offer")
        after = len(probe.seen)
        probe.tell(type="add", audio=1)
        probe.tell(type="offer", restart=False)
        again = await probe.wait(lambda e: e["type"] == "offer", 5, after)
        assert again["id"] == 2
        assert again["sdp"].count("m=audio") == 3

        def value(offer, name):
            return next(x for x in offer["sdp"].split("\r\n") if
                        x.startswith(f"a={name}:"))
        assert value(first, "ice-ufrag") == value(again, "ice-ufrag")
        after = len(probe.seen)
        probe.tell(type="offer", restart=True)
        third = await probe.wait(lambda e: e["type"] == "offer", 5, after)
        assert value(first, "ice-ufrag") != value(third, "ice-ufrag")
        assert value(first, "fingerprint") == value(third, "fingerprint")
    finally:
        await other.pc.close()
        assert await probe.stop() == 0


async def test_the_end_of_the_other_side_is_noticed():
    probe, other = await connect()
    try:
        await probe.wait(lambda e: e["type"] == "open")
        after = len(probe.seen)
        await other.pc.close()
        gone = await probe.wait(lambda e: e["type"] == "state", 5, after)
        assert gone["state"] in ("closed", "failed") and gone["why"]
    finally:
        assert await probe.stop() == 0
