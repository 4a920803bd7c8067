"""The OpenAI stand-in against OpenAI's own client."""
from __future__ import annotations

import asyncio
import base64
import json

import aiohttp
import numpy as np
import openai
import pytest

from tests.standins import brain, tone

FIND = {"name": "find_slots", "description": "Free times", "parameters": {
    "type": "object", "properties": {"service": {"type": "string"}, "date": {"type": "string"}},
    "required": ["service", "date"], "additionalProperties": False}}
BOOK = {"name": "book_slot", "description": "Books a time", "parameters": {
    "type": "object", "properties": {"slot_id": {"type": "string"}, "name": {"type": "string"}},
    "required": ["slot_id", "name"], "additionalProperties": False}}
HOURS = {"name": "opening_hours", "description": "Hours", "parameters": {
    "type": "object", "properties": {}}}
END = {"name": "end_call", "description": "Hangs up", "parameters": {
    "type": "object", "properties": {}}}
TOOLS = [{"type": "function", "function": t} for t in (FIND, BOOK, HOURS, END)]
SLOTS = {"slots": [{"id": "s1", "label": "Tuesday at nine thirty"},
                   {"id": "s2", "label": "Wednesday at two"}]}


@pytest.fixture
async def client(standins):
    async with openai.AsyncOpenAI(api_key="sk-test", base_url=standins.openai_base_url,
                                  max_retries=0) as c:
        yield c


def user(text: str) -> list[dict]:
    return [{"role": "system", "content": "You answer the phone."},
            {"role": "user", "content": text}]


async def chat(client, messages, **more):
    """(text, calls, finish, usage) of a streamed answer."""
    asked = dict(model="gpt-6-luna", reasoning_effort="none", stream=True,
                 stream_options={"include_usage": True})
    asked.update(more)
    stream = await client.chat.completions.create(messages=messages, **asked)
    text, calls, finish, used = "", {}, None, None
    async for chunk in stream:
        used = chunk.usage or used
        if not chunk.choices:
            continue
        delta = chunk.choices[0].delta
        text += delta.content or ""
        finish = chunk.choices[0].finish_reason or finish
        for c in delta.tool_calls or []:
            call = calls.setdefault(c.index, {"id": c.id, "name": c.function.name, "args": []})
            call["args"].append(c.function.arguments)
    return text, [calls[k] for k in sorted(calls)], finish, used


def with_result(messages: list[dict], calls: list[dict], result) -> list[dict]:
    return messages + [
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": c["id"], "type": "function",
             "function": {"name": c["name"], "arguments": "".join(c["args"])}} for c in calls]},
        *({"role": "tool", "tool_call_id": c["id"], "content": json.dumps(result)}
          for c in calls)]


# ---- chat ------------------------------------------------------------------------------


async def test_chat_streams_words_then_usage(client):
    text, calls, finish, used = await chat(client, user("what are your opening hours"))
    assert "eight to five" in text and not calls and finish == "stop"
    assert used.total_tokens == used.prompt_tokens + used.completion_tokens > 0


async def test_no_usage_unless_asked(client):
    *_, used = await chat(client, user("hello"), stream_options={"include_usage": False})
    assert used is None


async def test_padding_is_on_unless_refused(client, standins):
    for options, padded in (({}, True), ({"include_obfuscation": False}, False)):
        async with aiohttp.ClientSession() as http:
            body = {"model": "gpt-4o-mini", "messages": user("hello"), "stream": True,
                    "stream_options": options}
            async with http.post(f"{standins.openai_base_url}/chat/completions", json=body,
                                 headers={"Authorization": "Bearer sk-test"}) as r:
                assert r.headers["Content-Type"].startswith("text/event-stream")
                assert ("obfuscation" in await r.text()) is padded


async def test_a_booking_from_question_to_confirmation(client):
    messages = user("I would like to book an appointment, please.")
    _, calls, finish, _ = await chat(client, messages, tools=TOOLS)
    assert finish == "tool_calls" and [c["name"] for c in calls] == ["find_slots"]
    assert len(calls[0]["args"]) > 2  # came in pieces
    assert set(json.loads("".join(calls[0]["args"]))) == {"service", "date"}
    messages = with_result(messages, calls, SLOTS)
    text, calls, _, _ = await chat(client, messages, tools=TOOLS)
    assert "Tuesday at nine thirty" in text and not calls
    messages += [{"role": "assistant", "content": text},
                 {"role": "user", "content": "The second one would be better."}]
    _, calls, _, _ = await chat(client, messages, tools=TOOLS)
    assert calls[0]["name"] == "book_slot"
    assert json.loads("".join(calls[0]["args"]))["slot_id"] == "s2"
    text, *_ = await chat(client, with_result(messages, calls, {"ok": True}), tools=TOOLS)
    assert "booked for Wednesday at two" in text


async def test_a_failed_tool_is_told(client):
    messages = user("Please book an appointment.")
    _, calls, _, _ = await chat(client, messages, tools=TOOLS)
    text, *_ = await chat(client, with_result(messages, calls, {"error": "calendar is down"}),
                          tools=TOOLS)
    assert "calendar is down" in text


async def test_two_calls_interleave(client):
    messages = user("Check the hours and find me a free time.")
    hours = dict(HOURS, parameters={"type": "object", "properties": {
        "day": {"type": "string"}}, "required": ["day"]})
    tools = [{"type": "function", "function": t} for t in (hours, FIND)]
    stream = await client.chat.completions.create(
        model="gpt-4o", messages=messages, tools=tools, stream=True)
    order, args = [], {}
    async for chunk in stream:
        for c in chunk.choices[0].delta.tool_calls or [] if chunk.choices else []:
            order.append(c.index)
            args[c.index] = args.get(c.index, "") + c.function.arguments
    assert order[:6] == [0, 1, 0, 1, 0, 1]
    assert all(json.loads(a) for a in args.values())
    _, calls, _, _ = await chat(client, messages, tools=tools, parallel_tool_calls=False)
    assert len(calls) == 1


async def test_goodbye_ends_the_call(client):
    text, calls, *_ = await chat(client, user("That is all, thank you, goodbye."), tools=TOOLS)
    assert [c["name"] for c in calls] == ["end_call"] and "Goodbye" in text


async def test_other_talk_is_answered_with_its_words(client):
    text, *_ = await chat(client, user("my parrot dislikes thunder"))
    assert "parrot" in text


async def test_without_stream_the_answer_is_one_object(client):
    r = await client.chat.completions.create(model="gpt-4o", messages=user("hello"))
    assert r.choices[0].message.content == "Hello! How can I help you?"
    assert r.usage.total_tokens > 0


async def test_a_structured_answer_follows_its_schema(client):
    schema = {"type": "object", "properties": {"urgent": {"type": "boolean"}, "kind": {
        "type": "string", "enum": ["pain", "booking"]}}, "required": ["urgent", "kind"]}
    text, *_ = await chat(client, user("a booking please"), response_format={
        "type": "json_schema", "json_schema": {"name": "triage", "schema": schema}})
    assert json.loads(text) == {"urgent": True, "kind": "booking"}


# ---- what is refused ---------------------------------------------------------------------


async def test_tools_with_reasoning_are_refused(client):
    for effort in ({}, {"reasoning_effort": "low"}):
        with pytest.raises(openai.BadRequestError, match="Function tools with reasoning_effort"):
            await client.chat.completions.create(
                model="gpt-5.6-terra", messages=user("hi"), tools=TOOLS, **effort)
    with pytest.raises(openai.BadRequestError, match="'none' is not supported"):
        await chat(client, user("hi"), model="gpt-6-astra")


@pytest.mark.parametrize("more, why", [
    (dict(model="gpt-6-luna", reasoning_effort="low", temperature=0.5), "temperature"),
    (dict(model="gpt-6-luna", max_tokens=10), "max_completion_tokens"),
    (dict(model="gpt-4o", reasoning_effort="none"), "reasoning_effort"),
    (dict(model="gpt-4o", tools=[]), "empty array"),
    (dict(model="gpt-4o", extra_body={"prompt": "x"}), "prompt"),
    (dict(model="gpt-4o", tools=[{"type": "function", "function": {
        "name": "bad name", "parameters": {"type": "object"}}}]), "name"),
    (dict(model="gpt-4o", tools=[{"type": "function", "function": {
        "name": "f", "strict": True, "parameters": {"type": "object", "properties": {
            "a": {"type": "string"}}}}}]), "strict"),
])
async def test_wrong_requests_are_refused(client, more, why):
    with pytest.raises(openai.BadRequestError, match=why):
        await client.chat.completions.create(messages=user("hi"), **more)


async def test_unanswered_tool_calls_are_refused(client):
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    asked = {"role": "assistant", "content": None, "tool_calls": [call]}
    for history in (user("x") + [asked], user("x") + [asked, {"role": "user", "content": "y"}],
                    user("x") + [{"role": "tool", "tool_call_id": "c9", "content": "1"}]):
        with pytest.raises(openai.BadRequestError):
            await client.chat.completions.create(model="gpt-4o", messages=history)


async def test_keys_and_models_are_checked(client, standins):
    with pytest.raises(openai.NotFoundError):
        await chat(client, user("hi"), model="gpt-4.1-nano")
    wrong = openai.AsyncOpenAI(api_key="sk-wrong", base_url=standins.openai_base_url)
    with pytest.raises(openai.AuthenticationError):
        await wrong.models.list()
    models = {m.id: m async for m in await client.models.list()}
    assert models["gpt-4o"].shutdown_date == "2027-01-14"
    assert models["gpt-6-luna"].shutdown_date is None


# ---- faults ----------------------------------------------------------------------------------


async def test_rate_limit_says_when_to_come_back(standins, client):
    standins.order(service="llm", fault=429)
    with pytest.raises(openai.RateLimitError) as e:
        await chat(client, user("hi"))
    assert e.value.response.headers["retry-after-ms"] == "300"
    standins.order(service="llm", fault=429)
    text, *_ = await chat(client.with_options(max_retries=1), user("hello"))
    assert text.startswith("Hello")


async def test_no_quota_is_not_to_be_retried(standins, client):
    standins.order(service="llm", fault="quota")
    with pytest.raises(openai.RateLimitError) as e:
        await chat(client.with_options(max_retries=2), user("hi"))
    assert e.value.code == "insufficient_quota"
    assert standins.state()["llm"]["requests"] == 1


@pytest.mark.parametrize("fault, error", [
    ("cut", openai.APIConnectionError), ("error", openai.APIError),
    ("refuse", openai.APIConnectionError), ("500", openai.InternalServerError),
    ("garbage", json.JSONDecodeError)])
async def test_answers_that_break(standins, client, fault, error):
    standins.order(service="llm", fault=fault)
    with pytest.raises(error):
        await chat(client, user("tell me everything"))
    assert (await chat(client, user("hello")))[0].startswith("Hello")


async def test_answers_that_do_not_come(standins, client):
    for fault in ("mute", "stall"):
        standins.order(service="llm", fault=fault)
        with pytest.raises((asyncio.TimeoutError, TimeoutError)):
            await asyncio.wait_for(chat(client, user("tell me everything")), 0.5)
    await asyncio.sleep(0.1)
    assert standins.state()["llm"]["cancelled"] == 2
    assert standins.state()["llm"]["open"] == 0


@pytest.mark.parametrize("fault", ["split", "crlf"])
async def test_odd_framing_changes_nothing(standins, client, fault):
    plain = await chat(client, user("tell me everything"))
    standins.order(service="llm", fault=fault)
    assert (await chat(client, user("tell me everything")))[0] == plain[0]


async def test_empty_and_short_answers(standins, client):
    standins.order(service="llm", fault="empty")
    assert (await chat(client, user("hello")))[0] == ""
    standins.order(service="llm", fault="length")
    text, _, finish, _ = await chat(client, user("tell me everything"))
    assert finish == "length" and len(text.split()) == 3


async def test_a_script_comes_before_the_brain(standins, client):
    standins.order(script=[{"text": "Scripted."}, {"tools": [
        {"name": "a", "arguments": {"x": 1}}, {"name": "b", "arguments": "{broken"}]}])
    assert (await chat(client, user("hello")))[0] == "Scripted."
    _, calls, *_ = await chat(client, user("hello"))
    assert ["".join(c["args"]) for c in calls] == ['{"x": 1}', "{broken"]
    assert (await chat(client, user("hello")))[0].startswith("Hello")


# ---- responses -----------------------------------------------------------------------------


FLAT = [{"type": "function", **t} for t in (FIND, BOOK, END)]


async def test_responses_stream_text(standins, client):
    stream = await client.responses.create(
        model="gpt-6.1-sol", reasoning={"effort": "low"}, store=False, stream=True,
        instructions="You answer the phone.",
        input=[{"role": "user", "content": [{"type": "input_text", "text": "opening hours?"}]}])
    kinds, text, numbers, last = [], "", [], None
    async for e in stream:
        kinds.append(e.type)
        numbers.append(e.sequence_number)
        if e.type == "response.output_text.delta":
            text += e.delta
        last = e
    assert numbers == list(range(len(numbers)))
    steps = [k for i, k in enumerate(kinds) if i == 0 or kinds[i - 1] != k]
    assert steps == ["response.created", "response.in_progress", "response.output_item.added",
                     "response.content_part.added", "response.output_text.delta",
                     "response.output_text.done", "response.content_part.done",
                     "response.output_item.done", "response.completed"]
    assert last.response.output_text == text and last.response.usage.total_tokens > 0
    assert standins.state()["llm"]["last"]["body"]["store"] is False


async def test_responses_call_tools(client):
    asked = [{"role": "user", "content": "Book an appointment."}]
    kw = dict(model="gpt-6-luna", tools=FLAT, store=False)
    stream = await client.responses.create(input=asked, stream=True, **kw)
    pieces, done = "", None
    async for e in stream:
        if e.type == "response.function_call_arguments.delta":
            pieces += e.delta
        if e.type == "response.output_item.done":
            done = e.item
    assert done.name == "find_slots" and done.arguments == pieces
    follow = asked + [
        {"type": "function_call", "call_id": done.call_id, "name": done.name,
         "arguments": done.arguments},
        {"type": "function_call_output", "call_id": done.call_id, "output": json.dumps(SLOTS)}]
    r = await client.responses.create(input=follow, **kw)
    assert "Wednesday at two" in r.output_text
    with pytest.raises(openai.BadRequestError, match="No tool output"):
        await client.responses.create(input=follow[:2], **kw)


async def test_responses_fail_and_stay_incomplete(standins, client):
    for fault, end in (("error", "response.failed"), ("incomplete", "response.incomplete")):
        standins.order(service="llm", fault=fault)
        stream = await client.responses.create(model="gpt-6-luna", stream=True,
                                               input="tell me everything")
        assert [e.type async for e in stream][-1] == end


async def test_responses_refuse_what_is_wrong(client):
    with pytest.raises(openai.BadRequestError, match="messages"):
        await client.responses.create(model="gpt-6-luna", input="x",
                                      extra_body={"messages": []})
    nested = [{"type": "function", "function": FIND}]
    with pytest.raises(openai.BadRequestError, match="tools"):
        await client.responses.create(model="gpt-6-luna", input="x", tools=nested)


# ---- speech ---------------------------------------------------------------------------------


async def test_speech_is_raw_pcm_that_can_be_read(client):
    r = await client.audio.speech.create(model="gpt-4o-mini-tts", voice="coral",
                                         input="See you on Tuesday.", response_format="pcm")
    assert tone.read(np.frombuffer(r.content, np.int16), 24000) == "see you on tuesday."


async def test_speech_as_events(standins, client):
    async with client.audio.speech.with_streaming_response.create(
            model="gpt-4o-mini-tts", voice="coral", input="hello", response_format="pcm",
            stream_format="sse") as r:
        assert r.headers["content-type"].startswith("text/event-stream")
        lines = [json.loads(x[6:]) async for x in r.iter_lines() if x.startswith("data: ")]
    assert [x["type"] for x in lines][-1] == "speech.audio.done"
    data = b"".join(base64.b64decode(x["audio"]) for x in lines[:-1])
    assert tone.read(np.frombuffer(data, np.int16), 24000) == "hello"


async def test_speech_refuses_what_is_wrong(client):
    good = dict(model="gpt-4o-mini-tts", voice="coral", input="x", response_format="pcm")
    for wrong in (dict(input="x" * 4097), dict(voice="bob"), dict(model="gpt-4o"),
                  dict(response_format="tar")):
        with pytest.raises(openai.BadRequestError):
            await client.audio.speech.create(**{**good, **wrong})


async def test_speech_that_breaks(standins, client):
    standins.order(service="speech", fault="cut")
    with pytest.raises(openai.APIConnectionError):
        await client.audio.speech.create(model="tts-1", voice="coral", input="hello " * 40,
                                         response_format="pcm")
    standins.order(service="speech", fault="empty")
    r = await client.audio.speech.create(model="tts-1", voice="coral", input="hello",
                                         response_format="pcm")
    assert r.content == b""


# ---- the brain alone -----------------------------------------------------------------------


def test_every_caller_phrase_has_an_answer():
    from tests.standins import phrases
    for text in phrases.TEXTS.values():
        reply = brain.think(user(text), [FIND, BOOK, HOURS, END])
        assert reply.text or reply.calls, text


def test_tools_are_found_by_what_they_are_called():
    def named(*names):
        return [{"name": n, "parameters": {"type": "object", "properties": {}}} for n in names]
    for names, said, want in (
            (("check_availability", "book_appointment"), "book an appointment",
             "check_availability"),
            (("list_free_slots", "hang_up"), "that is all, goodbye", "hang_up"),
            (("transfer_to_staff",), "can i speak to a person", "transfer_to_staff")):
        assert brain.think(user(said), named(*names)).calls[0][0] == want
