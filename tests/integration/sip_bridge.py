"""A stand-in for LiveKit's SIP bridge: one phone leg in a room.

Like the real one it joins as kind SIP with its sip.* attributes, does not
subscribe by itself, and keeps the phone ringing until an audio track of the
room has been subscribed; what is sent before the phone is answered, nobody
hears. Outbound legs dial, ring and are answered by the callee when told.
"""
from __future__ import annotations

import asyncio
import json
import time
import uuid

import numpy as np
from livekit import rtc

from .caller import Caller

REASONS = rtc.DisconnectReason


class SipBridge(Caller):
    def __init__(self, livekit, agent: str | None = None, number: str = "+15550100",
                 trunk: str = "+15550199", answer_after: float = 0.15, outbound: bool = False,
                 ring: float = 0.3, **more):
        call = f"SCL_{uuid.uuid4().hex[:12]}"
        attributes = {
            "sip.callID": call, "sip.callIDFull": f"{uuid.uuid4()}@phone.example",
            "sip.callStatus": "dialing" if outbound else "ringing",
            "sip.phoneNumber": number, "sip.trunkPhoneNumber": trunk,
            "sip.trunkID": "ST_standin", "sip.ruleID": "" if outbound else "SDR_standin",
            "sip.hostname": "phone.example"}
        attributes.update(more.pop("attributes", {}))
        super().__init__(livekit, agent, identity=more.pop("identity", f"sip_{number}"),
                         kind="sip", attributes=attributes, auto_subscribe=False, **more)
        self.answer_after, self.outbound, self.ring = answer_after, outbound, ring
        self.statuses: list[tuple[float, str]] = []
        self.answered = asyncio.Event()
        self.callee_answers = asyncio.Event()
        self.subscribed = asyncio.Event()
        self.answered_at = 0.0
        self.unheard: list[np.ndarray] = []  # what came before the answer
        self.end_calls: list[dict] = []      # lk.sip.EndCall as asked

    async def join(self, microphone: bool = True) -> "SipBridge":
        await super().join(microphone)
        self._rpc()
        self.statuses.append((time.monotonic(), self.attributes["sip.callStatus"]))
        self.room.on("track_published", self._published)
        for p in self.room.remote_participants.values():
            for publication in p.track_publications.values():
                self._published(publication, p)
        self._spawn(self._lift())
        if not self.outbound:
            self.callee_answers.set()
        return self

    def _rpc(self) -> None:
        local = self.room.local_participant

        @local.register_rpc_method("lk.sip.EndCall")
        async def end_call(data: rtc.RpcInvocationData) -> str:
            self.end_calls.append(json.loads(data.payload or "{}"))
            asyncio.get_running_loop().call_later(0.1, lambda: self._spawn(self.hang_up()))
            return "{}"

        @local.register_rpc_method("lk.sip.GetRemoteHeaders")
        async def headers(_data: rtc.RpcInvocationData) -> str:
            return json.dumps({"headers": {"X-Standin": "yes"}})

    def _published(self, publication, _participant) -> None:
        if publication.kind == rtc.TrackKind.KIND_AUDIO:
            publication.set_subscribed(True)

    def _subscribed(self, track, publication, p) -> None:
        super()._subscribed(track, publication, p)
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            self.subscribed.set()

    async def _status(self, status: str) -> None:
        self.statuses.append((time.monotonic(), status))
        await self.room.local_participant.set_attributes({"sip.callStatus": status})

    async def _lift(self) -> None:
        """From ringing to answered, as the real bridge decides it."""
        if self.outbound:
            await asyncio.sleep(self.ring)
            await self._status("ringing")
            await self.callee_answers.wait()
        await self.subscribed.wait()
        await asyncio.sleep(self.answer_after)  # 200 OK and ACK travel
        self.answered_at = time.monotonic()
        self.answered.set()
        await self._status("active")

    def hear(self, pcm: np.ndarray) -> None:
        if self.answered.is_set():
            super().hear(pcm)
        else:
            self.unheard.append(pcm.copy())

    def lost_sound(self) -> float:
        """Seconds of sound that were sent to a phone still ringing."""
        levels = [10 * np.log10(np.mean((x / 32768.0) ** 2) + 1e-10) for x in self.unheard]
        return sum(len(x) for x, db in zip(self.unheard, levels) if db > -50) / 48000

    async def say(self, what: str, wait_quiet: bool = False):
        await asyncio.wait_for(self.answered.wait(), 20)
        return await super().say(what, wait_quiet)

    async def hang_up(self, reason=REASONS.CLIENT_INITIATED) -> None:
        """The phone's BYE, or a reason of the network (USER_REJECTED, ...)."""
        if self.disconnected is None:
            self.statuses.append((time.monotonic(), "hangup"))
            await self.room.disconnect(reason=reason)
            self.disconnected = int(reason)
