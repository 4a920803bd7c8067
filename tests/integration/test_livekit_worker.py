"""The worker and the server API of host/livekit against the real server."""
from __future__ import annotations

import asyncio
import json

import pytest
from livekit import api

from .probe import Probe, ToneCaller, fresh
from .servers import Proxy


@pytest.fixture
async def lk(livekit_server):
    async with api.LiveKitAPI(livekit_server.http, livekit_server.key,
                              livekit_server.secret) as x:
        yield x


@pytest.fixture
async def workers(livekit_server):
    """workers("name", ...) starts one; all are stopped."""
    started = []

    async def start(*agents, url=None):
        started.append(await Probe.worker(livekit_server, *agents, url=url))
        return started[-1]

    yield start
    for w in started:
        assert await w.stop() == 0


async def dispatch(lk, agent: str, room: str, metadata: str = ""):
    return await lk.agent_dispatch.create_dispatch(
        api.CreateAgentDispatchRequest(agent_name=agent, room=room, metadata=metadata))


async def test_one_worker_answers_to_several_names(lk, workers):
    one, two = fresh("one"), fresh("two")
    w = await workers(one, two)
    await dispatch(lk, two, fresh("room"), "for two")
    job = await w.wait("job", agent=two)
    assert job["metadata"] == "for two"
    await w.wait("link", link="up")


async def test_a_dispatch_goes_from_api_to_room(lk, livekit_server, workers):
    """Our own API call, our worker, our room; then we hang up."""
    agent, room = fresh("clinic"), fresh("room")
    w = await workers(agent)
    w.tell("api", call="dispatch", room=room, agent=agent, metadata=json.dumps({"a": 1}))
    res = await w.wait("result", call="dispatch")
    assert res["err"] == "OK" and res["body"]["agent_name"] == agent
    job = await w.wait("job")
    assert json.loads(job["metadata"]) == {"a": 1}
    await w.wait("link", link="up")
    caller = await ToneCaller(livekit_server, room).join()
    await caller.hears()
    w.tell("api", call="list", room=room)
    res = await w.wait("result", call="list")
    assert {p["identity"] for p in res["body"]["participants"]} == {
        "caller", f"agent-{job['id']}"}
    w.tell("api", call="remove", room=room, identity="caller")
    assert (await w.wait("result", call="remove"))["err"] == "OK"
    left = await w.wait("participant", change="left", identity="caller")
    assert left["reason"] == 4
    w.tell("api", call="delete", room=room)
    assert (await w.wait("result", call="delete"))["err"] == "OK"
    assert (await w.wait("end"))["end"] == "closed"
    await caller.leave()


async def test_what_is_gone_is_told_as_gone(workers):
    w = await workers(fresh("clinic"))
    w.tell("api", call="remove", room="nowhere", identity="nobody")
    w.tell("api", call="delete", room="nowhere")
    assert (await w.wait("result", call="remove", seconds=20))["err"] == "ENOENT"
    assert (await w.wait("result", call="delete", seconds=20))["err"] == "ENOENT"


async def test_a_transfer_without_a_sip_bridge_fails_with_words(workers):
    w = await workers(fresh("clinic"))
    w.tell("api", call="transfer", room="nowhere", identity="nobody", to="tel:+15550100")
    res = await w.wait("result", call="transfer", seconds=40)
    assert res["err"] != "OK" and res["code"] and res["message"]


async def test_a_job_ends_as_success(lk, livekit_server, workers):
    """The server logs how a job ended; it lists only how jobs began."""
    agent, room = fresh("clinic"), fresh("room")
    w = await workers(agent)
    await dispatch(lk, agent, room)
    job = await w.wait("job")
    await w.wait("link", link="up")
    w.tell("end")
    w.tell("leave")
    await w.wait("end", end="left")
    await asyncio.sleep(0.5)
    lines = [json.loads(x) for x in livekit_server.text().splitlines()
             if '"job ended"' in x and job["id"] in x]
    assert [x["status"] for x in lines] == ["JS_SUCCESS"]
    assert not w.events("terminate"), "the echo of our own end is swallowed"


async def test_who_refuses_is_passed_over(lk, workers):
    agent = fresh("clinic")
    no, yes = await workers(agent), await workers(agent)
    no.tell("refuse")
    for _ in range(4):
        await dispatch(lk, agent, fresh("room"))
        await asyncio.sleep(0.1)
    await yes.wait("job", times=4)
    assert not no.events("job")


async def test_who_is_full_or_drains_is_not_asked(lk, workers):
    agent = fresh("clinic")
    full, drains, free = [await workers(agent) for _ in range(3)]
    full.tell("load", load=1.0, full=True)
    drains.tell("drain")
    await asyncio.sleep(0.3)
    for _ in range(4):
        await dispatch(lk, agent, fresh("room"))
        await asyncio.sleep(0.1)
    await free.wait("job", times=4)
    assert not full.events("request") and not drains.events("request")


async def test_a_cut_worker_socket_comes_back_and_the_call_goes_on(lk, livekit_server, workers):
    proxy = Proxy(livekit_server)
    agent, room = fresh("clinic"), fresh("room")
    w = await workers(agent, url=proxy.url)
    await dispatch(lk, agent, room)
    await w.wait("link", link="up")
    caller = await ToneCaller(livekit_server, room).join()
    await caller.hears()
    proxy.cut("/agent")
    await w.wait("worker", state="lost")
    await w.wait("worker", state="registered", times=2)
    await caller.hears()
    assert len(w.events("link")) == 1 and not w.events("end")
    await dispatch(lk, agent, fresh("room"))
    await w.wait("job", times=2)
    await caller.leave()
    proxy.stop()


async def test_wrong_keys_are_told_apart(livekit_server):
    w = await Probe.start("worker", "--url", livekit_server.url, "--key", livekit_server.key,
                          "--secret", "wrong" * 8, "--agent", "x")
    state = await w.wait("worker", state="refused")
    assert state["err"] == "ERR_AUTH"
    assert await w.stop() == 0
    w = await Probe.start("worker", "--url", "ws://127.0.0.1:9", "--key", "k",
                          "--secret", "s", "--agent", "x")
    state = await w.wait("worker", state="lost")
    assert state["err"] == "ECONNREFUSED"
    w.tell("api", call="list", room="r")
    assert (await w.wait("result"))["err"] == "ECONNREFUSED"
    assert await w.stop() == 0
