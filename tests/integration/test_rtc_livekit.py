"""One peer of ours (rtc_probe) against the real LiveKit server, with only as
much signalling as an offer needs: over UDP, over ICE/TCP, with an ICE-lite
server, through a restart of the path and while the server is silent."""
from __future__ import annotations

import asyncio
import base64
import json

import aiohttp
import pytest
from livekit.protocol import models, rtc as proto

from .probe import fresh, token
from .servers import LiveKitServer, livekit_binary
from .test_rtc_aiortc import Probe


class Signal:
    """Passes offers, answers and candidates between the probe and the server."""

    def __init__(self, server, probe: Probe):
        self.server, self.probe = server, probe
        self.answers: dict[int, str] = {}
        self.news = asyncio.Event()

    async def join(self):
        offer = await self.probe.wait(lambda e: e["type"] == "offer")
        join = proto.JoinRequest(
            client_info=models.ClientInfo(protocol=17),
            add_track_requests=[proto.AddTrackRequest(
                cid="track-cid", name="voice", type=models.AUDIO,
                source=models.MICROPHONE, stream="stream", disable_red=True)],
            publisher_offer=proto.SessionDescription(
                type="offer", sdp=offer["sdp"], id=offer["id"]))
        wrapped = proto.WrappedJoinRequest(join_request=join.SerializeToString())
        text = base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()
        self.http = aiohttp.ClientSession()
        self.ws = await self.http.ws_connect(
            f"{self.server.url}/rtc/v1",
            params={"join_request": text},
            headers={"Authorization": "Bearer " +
                     token(self.server, fresh("room"), fresh("agent"))})
        self.task = asyncio.create_task(self._read())

    async def _read(self):
        async for message in self.ws:
            r = proto.SignalResponse.FromString(message.data)
            kind = r.WhichOneof("message")
            if kind == "answer":
                self.answers[r.answer.id] = r.answer.sdp
                self.news.set()
                self.probe.tell(type="answer", id=r.answer.id, sdp=r.answer.sdp)
            elif kind == "trickle":
                init = json.loads(r.trickle.candidateInit)
                if init.get("candidate"):
                    self.probe.tell(type="candidate", candidate=init["candidate"])

    async def offer(self, restart: bool) -> dict:
        after = len(self.probe.seen)
        self.probe.tell(type="offer", restart=restart)
        offer = await self.probe.wait(lambda e: e["type"] == "offer", 5, after)
        await self.ws.send_bytes(proto.SignalRequest(
            offer=proto.SessionDescription(type="offer", sdp=offer["sdp"],
                                           id=offer["id"])).SerializeToString())
        while offer["id"] not in self.answers:
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), 5)
        return offer

    async def close(self):
        self.task.cancel()
        await self.ws.close()
        await self.http.close()


async def start(server, *flags: str):
    probe = await Probe.start(*flags)
    signal = Signal(server, probe)
    await signal.join()
    await probe.wait_state("connected")
    await probe.wait(lambda e: e["type"] == "open")
    return probe, signal


async def measured(probe: Probe) -> dict:
    """Fresh numbers, once the server has reported on our packets."""
    return await probe.wait(lambda e: e["type"] == "stats" and e["rtt_ms"] > 0, 15)


@pytest.mark.parametrize("flags, pair", [
    ((), "udp host 127.0.0.1:"),
    (("--two-threads",), "udp host 127.0.0.1:"),
    (("--no-udp",), "tcp prflx 127.0.0.1:"),
], ids=["udp", "sctp_elsewhere", "tcp"])
async def test_a_peer_connects_and_is_reported_on(livekit_server, flags, pair):
    probe, signal = await start(livekit_server, *flags)
    try:
        stats = await measured(probe)
        assert stats["pair"].startswith(pair)
        assert stats["remote_lost"] == 0 and stats["srtp_errors"] == 0
        assert stats["sent"] > 20
    finally:
        await signal.close()
        assert await probe.stop() == 0


async def test_a_server_that_only_answers_checks_is_reached(tmp_path):
    if not livekit_binary():
        pytest.skip("no LiveKit server: set FRONTDESK_LIVEKIT_SERVER to its path")
    server = LiveKitServer(tmp_path, lite=True).start()
    try:
        probe, signal = await start(server)
        try:
            assert "a=ice-lite" in signal.answers[1]
            assert (await measured(probe))["remote_lost"] == 0
        finally:
            await signal.close()
            assert await probe.stop() == 0
    finally:
        server.stop()


async def test_a_restart_keeps_keys_and_channels(livekit_server):
    probe, signal = await start(livekit_server)
    try:
        before = await measured(probe)
        await signal.offer(restart=False)
        third = await signal.offer(restart=True)
        assert third["id"] == 3
        await asyncio.sleep(3.5)
        probe.tell(type="stats")
        after = await probe.wait(lambda e: e["type"] == "stats" and
                                 e["sent"] > before["sent"] + 150, 10)
        assert after["remote_lost"] == 0 and after["srtp_errors"] == 0
        assert after["pair"].startswith("udp host 127.0.0.1:")
        # nothing was noticed: one state after another, then silence
        states = [e["state"] for e in probe.seen if e["type"] == "state"]
        assert states == ["connecting", "connected"]
    finally:
        await signal.close()
        assert await probe.stop() == 0


async def test_a_server_that_vanishes_is_noticed_in_seconds(own_livekit_server):
    probe, signal = await start(own_livekit_server)
    try:
        own_livekit_server.signal(19)  # SIGSTOP: sockets stay, nobody answers
        gone = await probe.wait_state("disconnected", 12)
        assert gone["why"]
        after = len(probe.seen)
        own_livekit_server.signal(18)
        await probe.wait_state("connected", 8, after)
    finally:
        own_livekit_server.signal(18)
        await signal.close()
        assert await probe.stop() == 0
