"""From the dispatch API call to the agent's audio track, by LiveKit's own client."""
from __future__ import annotations

import asyncio
import time
import uuid

from livekit import api, rtc


class _Room:
    def __init__(self, rig):
        self.rig, self.room, self.name = rig, rtc.Room(), f"call-{uuid.uuid4().hex[:10]}"
        self.track = asyncio.get_running_loop().create_future()

    def token(self) -> str:
        return (api.AccessToken(self.rig.livekit.key, self.rig.livekit.secret)
                .with_identity("caller")
                .with_grants(api.VideoGrants(room_join=True, room=self.name)).to_jwt())

    def _subscribed(self, track, *_) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO and not self.track.done():
            self.track.set_result(time.monotonic())

    async def ask(self, lk: api.LiveKitAPI, agent: str, metadata: str) -> float:
        """Milliseconds. The caller is there already, as one on the phone is."""
        self.room.on("track_subscribed", self._subscribed)
        await self.room.connect(self.rig.livekit.url, self.token())
        source = rtc.AudioSource(48000, 1)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
        await self.room.local_participant.publish_track(
            track, rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE))
        await asyncio.sleep(0.4)
        began = time.monotonic()
        await lk.agent_dispatch.create_dispatch(api.CreateAgentDispatchRequest(
            agent_name=agent, room=self.name, metadata=metadata))
        try:
            return (await asyncio.wait_for(self.track, 20) - began) * 1000
        finally:
            await self.room.disconnect()
            await source.aclose()


async def _measure(rig, agent: str, times: int, metadata: str) -> list[float]:
    async with api.LiveKitAPI(rig.livekit.http, rig.livekit.key, rig.livekit.secret) as lk:
        out = []
        for _ in range(times):
            out.append(await _Room(rig).ask(lk, agent, metadata))
            await asyncio.sleep(0.3)
        return out


def dispatch(rig, agent: str, times: int, metadata: str = '{"clinic":"practice"}') -> list[float]:
    return asyncio.run(_measure(rig, agent, times, metadata))
