"""Calls from a phone: the SIP bridge's rules, keys and hanging up."""
from __future__ import annotations

import asyncio
import json

import pytest
from livekit import api, rtc

from .heard import alike
from .sip_bridge import SipBridge


@pytest.mark.parametrize("answer_after", [0.05, 0.4, 1.2])
async def test_the_first_word_of_the_greeting_is_not_lost(call, answer_after):
    phone = await call(SipBridge, answer_after=answer_after)
    await phone.until(phone.answered.is_set, 8, "the answer")
    await phone.greeted()
    assert phone.lost_sound() < 0.05, "the agent spoke to a ringing phone"
    greeting = phone.transcripts.of(phone.agent.identity)[0].text
    heard = phone.hears.letters()
    first = greeting.split()[0].lower().strip(",.!")
    assert heard.replace(" ", "").startswith(first), (greeting, heard)
    assert alike(heard, greeting) > 0.9
    assert phone.hears.first_after(0) - phone.answered_at < 2.0


async def test_a_phone_call_is_a_conversation(call):
    phone = await call(SipBridge)
    await phone.greeted()
    said = await phone.say("hours", wait_quiet=True)
    await phone.hears_words("eight to five", said.end, 8)
    await phone.reads_self("what are your opening hours", 3)


async def test_the_phone_hangs_up(call, frontdesk_job):
    phone = await call(SipBridge)
    await phone.greeted()
    ended = frontdesk_job.text().count("call.ended")
    await phone.hang_up()
    frontdesk_job.wait_for("call.ended", 3, ended + 1)


@pytest.mark.parametrize("reason", ["USER_REJECTED", "USER_UNAVAILABLE", "SIP_TRUNK_FAILURE"])
async def test_the_network_ends_the_call(call, frontdesk_job, reason):
    phone = await call(SipBridge)
    await phone.greeted()
    ended = frontdesk_job.text().count("call.ended")
    await phone.hang_up(getattr(rtc.DisconnectReason, reason))
    # Some reasons may be waited upon for a return; not for ever.
    await asyncio.to_thread(frontdesk_job.wait_for, "call.ended", 25, ended + 1)


async def test_goodbye_hangs_up_the_phone(call):
    """Leaving the room alone would leave the phone in silence."""
    phone = await call(SipBridge)
    await phone.greeted()
    said = await phone.say("bye")
    await phone.hears_words("goodbye", said.end, 8)
    await phone.until(lambda: phone.disconnected is not None or phone.end_calls, 10,
                      "the phone leg to be ended")


async def test_keys_are_no_trouble(call):
    phone = await call(SipBridge)
    await phone.greeted()
    await phone.press("12#")
    await phone.quiet()
    said = await phone.say("hours", wait_quiet=True)
    await phone.hears_words("eight to five", said.end, 10)


async def test_a_failed_transfer_gives_the_call_back(call, frontdesk_job):
    """This server has no telephony: the transfer fails, the caller stays ours."""
    phone = await call(SipBridge)
    await phone.greeted()
    said = await phone.say("person")
    await asyncio.to_thread(frontdesk_job.wait_for, "leg.transfer_failed", 10)
    await phone.hears_words("did not work", said.end, 8)
    said = await phone.say("hours", wait_quiet=True)
    await phone.hears_words("eight to five", said.end, 8)


async def test_a_phone_that_cannot_be_dialled_ends_the_call(livekit_server, frontdesk_job):
    """The dispatch asks for an outbound call; without telephony it fails at once."""
    dial = {"clinic": "practice", "dial": {"to": "+15550100", "trunk": "ST_none"}}
    async with api.LiveKitAPI(livekit_server.http, livekit_server.key,
                              livekit_server.secret) as server:
        await server.agent_dispatch.create_dispatch(api.CreateAgentDispatchRequest(
            agent_name=frontdesk_job.agent, room="outbound-1", metadata=json.dumps(dial)))
    await asyncio.to_thread(frontdesk_job.wait_for, "leg.not_dialled", 10)
    await asyncio.to_thread(frontdesk_job.wait_for, "end=no_caller", 10)
