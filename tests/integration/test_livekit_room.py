"""The room of host/livekit against the real server and the official client:
audio both ways, text, keys, attributes, and every way a link can break."""
from __future__ import annotations

import asyncio
import json
import signal
import time

import pytest
from livekit import api, rtc

from .probe import CALLER_HZ, OUR_HZ, Probe, ToneCaller, fresh, token
from .servers import LiveKitServer, Proxy, livekit_binary


class Call:
    """A caller, and an agent that was dispatched to it."""

    def __init__(self, probe: Probe, caller: ToneCaller, agent: str):
        self.probe, self.caller, self.agent = probe, caller, agent

    def agent_participant(self):
        return next((p for p in self.caller.room.remote_participants.values()
                     if p.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT), None)


async def make_call(server, url=None, publish=True, **more) -> Call:
    agent = fresh("clinic")
    probe = await Probe.worker(server, agent, url=url)
    caller = ToneCaller(server, fresh("room"))
    await caller.join(agent=agent, publish=publish, **more)
    await probe.wait("link", link="up")
    return Call(probe, caller, agent)


@pytest.fixture
async def call(livekit_server):
    c = await make_call(livekit_server)
    yield c
    await c.caller.leave()
    assert await c.probe.stop() == 0


@pytest.fixture
def proxy(livekit_server):
    p = Proxy(livekit_server)
    yield p
    p.stop()


@pytest.fixture
async def lk(livekit_server):
    async with api.LiveKitAPI(livekit_server.http, livekit_server.key,
                              livekit_server.secret) as x:
        yield x


# ---- the plain call ------------------------------------------------------------------


async def test_tones_arrive_both_ways(call):
    await call.caller.hears(OUR_HZ)
    stats = await call.probe.hears(CALLER_HZ)
    assert "127.0.0.1" in stats["pair"]
    await call.probe.wait("subscribed")
    job = await call.probe.wait("job")
    assert job["agent"] == call.agent and job["metadata"] == "from the caller"
    assert job["dispatch"].startswith("AD_")
    up = await call.probe.wait("link", link="up")
    assert up["identity"] == f"agent-{job['id']}" and up["room"] == call.caller.name
    assert up["track"].startswith("TR_")
    agent = call.agent_participant()
    assert agent.attributes["lk.agent.name"] == call.agent


async def test_people_who_are_there_are_told_before_the_link_is_up(call):
    kinds = [e["type"] for e in call.probe.seen if e["type"] in ("participant", "link")]
    assert kinds[0] == "participant" and "link" in kinds
    joined = await call.probe.wait("participant", change="joined", identity="caller")
    assert joined["kind"] == 0
    await call.probe.wait("participant", change="updated", identity="caller", subscribed=True)


async def test_nobody_publishes_late(livekit_server):
    """Somebody who comes after us, publishes, mutes, and goes."""
    room = fresh("room")
    probe = await Probe.start("join", "--url", livekit_server.url, "--token",
                              token(livekit_server, room, "robot"))
    await probe.wait("link", link="up")
    caller = await ToneCaller(livekit_server, room).join()
    await probe.hears(CALLER_HZ)
    await caller.hears(OUR_HZ)
    caller.track.mute()
    await probe.wait("participant", identity="caller", muted=True)
    caller.track.unmute()
    await probe.hears(CALLER_HZ)
    await caller.room.local_participant.unpublish_track(caller.publication.sid)
    await caller.until(lambda: probe.events("participant", change="updated", identity="caller")
                       [-1].get("audio") is None)
    await caller.leave()
    left = await probe.wait("participant", change="left", identity="caller")
    assert left["reason"] == 1
    probe.tell("leave")
    await probe.wait("end", end="left")
    assert await probe.stop() == 0


async def test_a_robot_calls_an_agent_of_ours(livekit_server):
    """Both ends are our code; the caller is a standard participant."""
    agent, room = fresh("clinic"), fresh("room")
    worker = await Probe.worker(livekit_server, agent)
    robot = await Probe.start(
        "join", "--hear-agents", "--url", livekit_server.http + "/", "--token",
        token(livekit_server, room, "robot", agent=agent))
    await robot.hears(OUR_HZ)
    await worker.hears(OUR_HZ)
    met = await worker.wait("participant", change="joined", identity="robot")
    assert met["kind"] == 0
    met = await robot.wait("participant", change="joined", kind=4)
    assert met["identity"].startswith("agent-AJ_")
    assert await robot.stop() == 0
    await worker.wait("participant", change="left", identity="robot")
    assert await worker.stop() == 0


async def test_without_a_track_it_only_listens(livekit_server):
    room = fresh("room")
    caller = await ToneCaller(livekit_server, room).join()
    probe = await Probe.start("join", "--no-track", "--url", livekit_server.url, "--token",
                              token(livekit_server, room, "ear"))
    await probe.hears(CALLER_HZ)
    assert (await probe.wait("link", link="up"))["track"] == ""
    ear = await caller.until(lambda: caller.room.remote_participants.get("ear"))
    assert not ear.track_publications
    await caller.leave()
    assert await probe.stop() == 0


async def test_a_sip_caller_is_known_by_its_attributes(livekit_server):
    c = await make_call(livekit_server, kind="sip", attributes={
        "sip.callID": "SCL_1", "sip.phoneNumber": "+15550100"})
    met = await c.probe.wait("participant", change="joined", identity="caller")
    assert met["kind"] == 3 and met["sip.callID"] == "SCL_1"
    await c.probe.hears(CALLER_HZ)
    await c.caller.leave()
    assert await c.probe.stop() == 0


async def test_only_the_microphone_of_the_one_listened_to_is_heard(call, livekit_server):
    other = await ToneCaller(livekit_server, call.caller.name, "other").join(publish=False)
    await call.probe.wait("participant", change="joined", identity="other")
    call.probe.tell("listen", identity="other")
    await asyncio.sleep(0.5)
    await call.probe.stats()
    await asyncio.sleep(0.5)
    quiet = await call.probe.stats()
    assert quiet["rms"] < 200
    call.probe.tell("listen", identity="caller")
    await call.probe.hears(CALLER_HZ)
    await other.leave()


async def test_a_camera_starts_no_storm_of_offers(call):
    source = rtc.VideoSource(64, 64)
    track = rtc.LocalVideoTrack.create_video_track("cam", source)
    await call.caller.room.local_participant.publish_track(
        track, rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA))
    for _ in range(20):
        source.capture_frame(rtc.VideoFrame(64, 64, rtc.VideoBufferType.RGBA,
                                            bytes(64 * 64 * 4)))
        await asyncio.sleep(0.05)
    stats = await call.probe.hears(CALLER_HZ)
    assert stats["gap_ms"] < 200
    assert len(call.probe.events("link")) == 1


# ---- text, data, keys, attributes ------------------------------------------------------


async def test_text_streams_go_out(call):
    p, c = call.probe, call.caller
    await c.hears()
    p.tell("text", topic="lk.transcription", text="Grüße aus Köln 🦷",
           attributes={"lk.segment_id": "SG_1", "lk.transcription_final": "true"})
    got = await c.text()
    assert got["text"] == "Grüße aus Köln 🦷" and got["identity"].startswith("agent-")
    assert got["attributes"]["lk.segment_id"] == "SG_1"
    # on somebody's behalf: what the caller said
    p.tell("text", topic="lk.transcription", text="half past nine", **{"as": "caller"})
    got = await c.text(2)
    assert got["text"] == "half past nine" and got["identity"] == "caller"
    # longer than a chunk, cut between characters
    p.tell("text", topic="probe", text="ä€🦷", repeat=5000)
    got = await c.text(3)
    assert got["text"] == "ä€🦷" * 5000 and len(got["pieces"]) >= 4


async def test_a_text_stream_grows_while_it_is_open(call):
    p, c = call.probe, call.caller
    await c.hears()
    p.tell("open", topic="probe", attributes={"lk.transcription_final": "false"})
    p.tell("write", text="We have ")
    await c.until(lambda: c.texts and c.texts[0]["pieces"] == ["We have "])
    p.tell("write", text="Tuesday")
    await c.until(lambda: c.texts[0]["pieces"] == ["We have ", "Tuesday"])
    assert not c.texts[0]["done"]
    p.tell("close", attributes={"lk.transcription_final": "true"})
    got = await c.text()
    assert got["text"] == "We have Tuesday"


async def test_typed_words_come_in(call):
    local = call.caller.room.local_participant
    await call.probe.wait("participant", change="updated", identity="caller", subscribed=True)
    await local.send_text("Is the dentist in? 🦷", topic="lk.chat", attributes={"a": "b"})
    got = await call.probe.wait("text", topic="lk.chat")
    assert got["text"] == "Is the dentist in? 🦷" and got["identity"] == "caller"
    assert got["attributes"]["a"] == "b"
    await local.send_text("ä€🦷" * 5000, topic="long")
    got = await call.probe.wait("text", topic="long")
    assert got["length"] == len(("ä€🦷" * 5000).encode())
    assert len(call.probe.events("part", topic="long")) >= 4
    for message in ({"message": "a copy", "ignoreLegacy": True}, {"message": "old style"}):
        await local.publish_data(json.dumps(message), topic="lk-chat-topic")
    await call.probe.wait("text", topic="lk.chat", text="old style")
    assert not call.probe.events("text", text="a copy")


async def test_data_both_ways(call):
    p, c = call.probe, call.caller
    await c.hears()
    p.tell("data", topic="t1", text="out")
    p.tell("data", topic="t2", text="out lossy", reliable=False)
    await c.until(lambda: len(c.data) == 2)
    assert {(d.topic, bytes(d.data)) for d in c.data} == {("t1", b"out"), ("t2", b"out lossy")}
    await c.room.local_participant.publish_data(b"in", topic="t3")
    got = await p.wait("data", topic="t3")
    assert got["text"] == "in" and got["identity"] == "caller"


async def test_keys_both_ways_at_a_distance(call):
    p, c = call.probe, call.caller
    await c.hears()
    p.tell("dtmf", text="12w#")
    await c.until(lambda: len(c.keys) == 3)
    assert [k for _, k in c.keys] == ["1", "2", "#"]
    at = [t for t, _ in c.keys]
    assert at[1] - at[0] > 0.25 and at[2] - at[1] > 0.7
    p.tell("dtmf", text="12x")
    assert (await p.wait("error", what="dtmf"))["err"] == "ERR_REQUEST"
    for code, digit in ((5, "5"), (10, "*"), (12, "A")):
        await c.room.local_participant.publish_dtmf(code=code, digit=digit)
    await p.wait("dtmf", times=3)
    assert [e["key"] for e in p.events("dtmf")] == ["5", "*", "A"]


async def test_attributes_are_gathered_and_may_be_deleted(call):
    p, c = call.probe, call.caller
    for state in ("initializing", "listening", "thinking"):
        p.tell("attributes", attributes={"lk.agent.state": state, "colour": "red"})
    await c.until(lambda: call.agent_participant().attributes.get("lk.agent.state")
                  == "thinking")
    assert len(c.changes) == 1, "three changes within 50 ms are one update"
    p.tell("attributes", attributes={"colour": ""})
    await c.until(lambda: "colour" not in call.agent_participant().attributes)
    await call.caller.room.local_participant.set_attributes({"colour": "blue"})
    await p.wait("participant", change="updated", identity="caller", colour="blue")


async def test_the_old_transcription_packet(call):
    await call.caller.hears()
    call.probe.tell("transcription", text="for old front ends", final=True)
    await call.caller.until(lambda: call.caller.legacy)
    assert call.caller.legacy[0].text == "for old front ends" and call.caller.legacy[0].final


async def test_a_call_of_a_method_is_refused_at_once(call):
    await call.caller.hears()
    with pytest.raises(rtc.RpcError) as e:
        await call.caller.room.local_participant.perform_rpc(
            destination_identity=call.agent_participant().identity, method="nothing",
            payload="")
    assert e.value.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD


# ---- links that break ---------------------------------------------------------------


async def test_a_cut_socket_is_resumed_while_audio_flows(livekit_server, proxy):
    c = await make_call(livekit_server, url=proxy.url)
    p, caller = c.probe, c.caller
    await caller.hears()
    await p.hears(CALLER_HZ)
    before, since = c.agent_participant().sid, time.monotonic()
    await p.stats()
    assert proxy.cut("/rtc") == 1
    await p.wait("link", link="resuming")
    await p.wait("link", link="resumed")
    p.tell("attributes", attributes={"colour": "green"})
    p.tell("text", topic="probe", text="after the cut")
    assert (await caller.text())["text"] == "after the cut"
    await caller.until(lambda: c.agent_participant().attributes.get("colour") == "green")
    await asyncio.sleep(0.5)
    assert c.agent_participant().sid == before and caller.tracks == 1
    assert caller.quiet_ms(since) <= 100
    assert (await p.stats())["gap_ms"] < 200
    await caller.room.local_participant.send_text("still there?", topic="lk.chat")
    await p.wait("text", text="still there?")
    await caller.leave()
    assert await p.stop() == 0


async def test_packets_written_while_the_socket_is_away_arrive_once(livekit_server, proxy):
    c = await make_call(livekit_server, url=proxy.url)
    await c.caller.hears()
    c.probe.tell("text", topic="probe", text="one")
    await c.caller.text()
    proxy.refusing = "/rtc"
    proxy.cut("/rtc")
    await c.probe.wait("link", link="resuming")
    for word in ("two", "three"):
        c.probe.tell("text", topic="probe", text=word)
        await c.caller.room.local_participant.send_text(word, topic="lk.chat")
    await asyncio.sleep(1)
    proxy.refusing = ""
    await c.probe.wait("link", link="resumed", seconds=15)
    c.probe.tell("text", topic="probe", text="four")
    await c.caller.text(4)
    await asyncio.sleep(0.3)
    assert [t["text"] for t in c.caller.texts] == ["one", "two", "three", "four"]
    assert [e["text"] for e in c.probe.events("text")] == ["two", "three"]
    await c.caller.leave()
    assert await c.probe.stop() == 0


async def test_a_full_rejoin_keeps_the_call(call):
    p, c = call.probe, call.caller
    await c.hears()
    p.tell("attributes", attributes={"colour": "green"})
    p.tell("open", topic="probe")
    p.tell("write", text="before, ")
    await c.until(lambda: c.texts and c.texts[0]["pieces"])
    first = call.agent_participant().sid
    p.tell("rejoin")
    await p.wait("link", link="rejoining")
    await p.wait("link", link="rejoined")
    await c.until(lambda: (a := call.agent_participant()) and a.sid != first)
    since = time.monotonic()
    await c.hears()
    await p.hears(CALLER_HZ)
    await c.until(lambda: call.agent_participant().attributes.get("colour") == "green")
    # the open stream begins anew with all its text
    p.tell("write", text="after")
    p.tell("close")
    await c.until(lambda: any(t.get("text") == "before, after" for t in c.texts))
    assert time.monotonic() - since < 8
    # the server says the job is over: that is about the old session
    await asyncio.sleep(1)
    assert not p.events("terminate") and not p.events("end")
    left = [e for e in p.events("participant", change="left")]
    assert not left, "the caller never left"


async def test_a_room_that_is_deleted_after_a_resume(call, lk):
    await call.caller.hears()
    call.probe.tell("cut")
    await call.probe.wait("link", link="resumed")
    await lk.room.delete_room(api.DeleteRoomRequest(room=call.caller.name))
    end = await call.probe.wait("end")
    assert end["end"] == "closed" and end["why"] == "ROOM_DELETED"


async def test_a_path_that_was_silent_is_found_anew(own_livekit_server):
    """The server sleeps for 8 s: consent lapses after 5, the socket lives."""
    c = await make_call(own_livekit_server)
    await c.caller.hears()
    own_livekit_server.signal(signal.SIGSTOP)
    await c.probe.wait("link", link="resuming")
    await asyncio.sleep(2)
    own_livekit_server.signal(signal.SIGCONT)
    back = await c.probe.wait("link", link="resumed", seconds=15)
    assert back["track"] == (await c.probe.wait("link", link="up"))["track"]
    await c.probe.hears(CALLER_HZ)
    assert not c.probe.events("link", link="rejoining")
    await c.caller.leave()
    assert await c.probe.stop() == 0


async def test_the_other_dtls_role(tmp_path):
    """A server with ICE lite is the passive side: we are the DTLS client."""
    if not livekit_binary():
        pytest.skip("no LiveKit server: set FRONTDESK_LIVEKIT_SERVER to its path")
    server = LiveKitServer(tmp_path, lite=True).start()
    try:
        c = await make_call(server)
        await c.caller.hears()
        await c.probe.hears(CALLER_HZ)
        c.probe.tell("text", topic="probe", text="both ways")
        assert (await c.caller.text())["text"] == "both ways"
        await c.caller.room.local_participant.send_text("and back", topic="lk.chat")
        await c.probe.wait("text", text="and back")
        for command, done in (("cut", "resumed"), ("rejoin", "rejoined")):
            c.probe.tell(command)
            await c.probe.wait("link", link=done)
            await c.probe.hears(CALLER_HZ)
        await c.caller.hears()
        await c.caller.leave()
        assert await c.probe.stop() == 0
    finally:
        server.stop()


async def test_without_udp_there_is_tcp(livekit_server):
    room = fresh("room")
    caller = await ToneCaller(livekit_server, room).join()
    probe = await Probe.start("join", "--no-udp", "--url", livekit_server.url, "--token",
                              token(livekit_server, room, "robot"))
    stats = await probe.hears(CALLER_HZ)
    assert stats["pair"].startswith("tcp")
    await caller.hears()
    await caller.leave()
    assert await probe.stop() == 0


async def test_a_restart_of_the_server(own_livekit_server):
    c = await make_call(own_livekit_server)
    await c.caller.hears()
    own_livekit_server.child.kill()
    await c.probe.wait("link", link="resuming")
    await asyncio.sleep(0.5)
    await asyncio.to_thread(own_livekit_server.start)
    await c.probe.wait("worker", state="registered", times=2, seconds=20)
    await c.probe.wait("link", link="rejoined", seconds=20)
    caller = await ToneCaller(own_livekit_server, c.caller.name, "second").join()
    await caller.hears()
    c.probe.tell("listen", identity="second")
    await c.probe.hears(CALLER_HZ)
    assert not c.probe.events("end") and not c.probe.events("terminate")
    await caller.leave()
    await c.caller.leave()
    assert await c.probe.stop() == 0


# ---- ends ------------------------------------------------------------------------------


async def test_the_room_is_deleted(call, lk):
    await lk.room.delete_room(api.DeleteRoomRequest(room=call.caller.name))
    assert (await call.probe.wait("end"))["end"] == "closed"


async def test_we_are_removed(call, lk):
    identity = (await call.probe.wait("link", link="up"))["identity"]
    await lk.room.remove_participant(api.RoomParticipantIdentity(
        room=call.caller.name, identity=identity))
    end = await call.probe.wait("end")
    assert end["end"] == "removed" and end["why"] == "PARTICIPANT_REMOVED"


async def test_the_dispatch_is_deleted(call, lk):
    dispatch = (await call.probe.wait("job"))["dispatch"]
    await lk.agent_dispatch.delete_dispatch(dispatch, call.caller.name)
    job = await call.probe.wait("job")
    assert (await call.probe.wait("terminate"))["id"] == job["id"]


async def test_somebody_takes_our_place(livekit_server):
    room = fresh("room")
    argv = ("join", "--url", livekit_server.url, "--token",
            token(livekit_server, room, "robot"))
    first = await Probe.start(*argv)
    await first.wait("link", link="up")
    second = await Probe.start(*argv)
    assert (await first.wait("end"))["end"] == "replaced"
    await second.wait("link", link="up")
    assert await first.stop() == 0 and await second.stop() == 0


async def test_a_bad_token_is_refused(livekit_server):
    class Wrong:
        key, secret = livekit_server.key, "wrong" * 8
    probe = await Probe.start("join", "--url", livekit_server.url, "--token",
                              token(Wrong, "r", "x"))
    assert (await probe.wait("end"))["end"] == "refused"
    assert await probe.stop() == 0


async def test_nobody_is_there(livekit_server):
    probe = await Probe.start("join", "--give-up-ms", "1500", "--url", "ws://127.0.0.1:9",
                              "--token", token(livekit_server, "r", "x"))
    end = await probe.wait("end", seconds=5)
    assert end["end"] == "unreachable"
    assert await probe.stop() == 0


async def test_the_newest_token_is_kept(call):
    first = (await call.probe.wait("link", link="up"))["token"]
    call.probe.tell("attributes", attributes={"colour": "red"})
    await asyncio.sleep(1.2)  # tokens are stamped by the second
    call.probe.tell("attributes", attributes={"colour": "blue"})
    await asyncio.sleep(0.3)
    call.probe.tell("cut")
    resumed = await call.probe.wait("link", link="resumed")
    assert resumed["token"] != first
