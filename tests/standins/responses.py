"""OpenAI's /v1/responses, streamed or whole, and /v1/audio/speech."""
from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid

import numpy as np
from aiohttp import web

from . import brain, openai, voice, wire
from .openai import Refused

FIELDS = {
    "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "reasoning",
    "text", "max_output_tokens", "store", "previous_response_id", "include", "prompt_cache_key",
    "prompt_cache_options", "prompt_cache_retention", "service_tier", "truncation",
    "safety_identifier", "stream", "stream_options", "temperature", "top_p", "metadata", "user"}


def as_messages(body: dict) -> list[dict]:
    """The input as the brain's chat messages. Raises Refused."""
    given = body.get("input")
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list):
        raise Refused("Missing required parameter: 'input'.", "input")
    messages, waiting = [], set()
    for i, item in enumerate(given):
        kind = item.get("type", "message")
        if kind == "message":
            want = "output_text" if item.get("role") == "assistant" else "input_text"
            parts = item.get("content")
            if isinstance(parts, list) and any(p.get("type") != want for p in parts):
                raise Refused(f"Invalid value: supported values are '{want}'.",
                              f"input[{i}].content[0]", code="invalid_value")
            messages.append({"role": item["role"], "content": brain.text_of(parts)})
        elif kind == "function_call":
            waiting.add(item["call_id"])
            messages.append({"role": "assistant", "content": None, "tool_calls": [
                {"id": item["call_id"], "type": "function", "function": {
                    "name": item["name"], "arguments": item["arguments"]}}]})
        elif kind == "function_call_output":
            if item["call_id"] not in waiting:
                raise Refused(f"No tool call found for function call output with call_id "
                              f"{item['call_id']}.", "input")
            waiting.discard(item["call_id"])
            messages.append({"role": "tool", "tool_call_id": item["call_id"],
                             "content": item["output"]})
        elif kind != "reasoning":
            raise Refused(f"Invalid value: '{kind}'.", f"input[{i}].type", code="invalid_value")
    if waiting:
        raise Refused(f"No tool output found for function call {sorted(waiting)[0]}.", "input")
    return messages


def check(body: dict) -> tuple[list[dict], list[dict]]:
    unknown = set(body) - FIELDS
    if unknown:
        raise Refused(f"Unknown parameter: '{sorted(unknown)[0]}'.", sorted(unknown)[0],
                      code="unknown_parameter")
    openai.check_model(body.get("model"))
    openai.check_sampling(body, (body.get("reasoning") or {}).get("effort"))
    tools = body.get("tools") or []
    for i, t in enumerate(tools):
        if t.get("type") != "function" or "name" not in t:
            raise Refused(f"Missing required parameter: 'tools[{i}].name'.", f"tools[{i}].name",
                          code="missing_required_parameter")
    openai.check_tools(tools)
    return as_messages(body), tools


class Response:
    """One response object, whole or as its events."""

    def __init__(self, body: dict, messages: list[dict], reply: brain.Reply):
        self.body, self.reply, self.messages = body, reply, messages
        self.n = 0
        self.output: list[dict] = []
        self.base = {"id": f"resp_{uuid.uuid4().hex}", "object": "response",
                     "created_at": int(time.time()), "model": body["model"], "error": None,
                     "incomplete_details": None, "instructions": body.get("instructions"),
                     "metadata": {}, "parallel_tool_calls": True, "temperature": 1.0,
                     "tool_choice": "auto", "tools": body.get("tools") or [], "top_p": 1.0,
                     "store": body.get("store", True)}

    def now(self, status: str, **more) -> dict:
        return {**self.base, "status": status, "output": list(self.output), "usage": None, **more}

    def usage(self) -> dict:
        u = openai.usage(self.messages, self.reply)
        return {"input_tokens": u["prompt_tokens"], "output_tokens": u["completion_tokens"],
                "total_tokens": u["total_tokens"],
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens_details": {"reasoning_tokens": 0}}

    async def event(self, sse: openai.Sse, kind: str, **fields) -> None:
        payload = {"type": kind, "sequence_number": self.n, **fields}
        self.n += 1
        await sse.event(payload, kind, more=kind.endswith(".delta"))

    async def _text(self, sse: openai.Sse, text: str, at: int) -> None:
        item_id = f"msg_{uuid.uuid4().hex}"
        item = {"id": item_id, "type": "message", "role": "assistant", "status": "in_progress",
                "content": []}
        where = {"item_id": item_id, "output_index": at, "content_index": 0}
        await self.event(sse, "response.output_item.added", output_index=at, item=item)
        empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        await self.event(sse, "response.content_part.added", part=empty, **where)
        for i, piece in enumerate(openai.pieces(text)):
            await sse.pace(i)
            await self.event(sse, "response.output_text.delta", delta=piece, logprobs=[], **where)
        part = {**empty, "text": text}
        await self.event(sse, "response.output_text.done", text=text, logprobs=[], **where)
        await self.event(sse, "response.content_part.done", part=part, **where)
        item = {**item, "status": "completed", "content": [part]}
        self.output.append(item)
        await self.event(sse, "response.output_item.done", output_index=at, item=item)

    async def _call(self, sse: openai.Sse, name: str, arguments: str, at: int) -> None:
        item = {"id": f"fc_{uuid.uuid4().hex}", "type": "function_call", "status": "in_progress",
                "call_id": f"call_{uuid.uuid4().hex[:20]}", "name": name, "arguments": ""}
        where = {"item_id": item["id"], "output_index": at}
        await self.event(sse, "response.output_item.added", output_index=at, item=item)
        for i in range(0, len(arguments), 7):
            await sse.pace(i // 7)
            await self.event(sse, "response.function_call_arguments.delta",
                             delta=arguments[i:i + 7], **where)
        await self.event(sse, "response.function_call_arguments.done", arguments=arguments,
                         name=name, **where)
        item = {**item, "status": "completed", "arguments": arguments}
        self.output.append(item)
        await self.event(sse, "response.output_item.done", output_index=at, item=item)

    async def stream(self, sse: openai.Sse) -> None:
        kind = sse.kind()
        await self.event(sse, "response.created", response=self.now("in_progress"))
        await self.event(sse, "response.in_progress", response=self.now("in_progress"))
        if kind == "error":
            failed = {"code": "server_error", "message": "The model failed to generate a response."}
            await self.event(sse, "response.failed", response=self.now("failed", error=failed))
            return
        if kind == "empty":
            self.reply = brain.Reply()
        text = self.reply.text
        longest = max([len(openai.pieces(text))] + [len(a) // 7 + 1 for _, a in self.reply.calls])
        sse.break_at = max(0, min(3, longest - 1))
        if kind in ("length", "incomplete"):
            text = "".join(openai.pieces(text)[:3])
        if text:
            await self._text(sse, text, 0)
        for name, arguments in self.reply.calls:
            await self._call(sse, name, arguments, len(self.output))
        if kind in ("length", "incomplete"):
            cut = self.now("incomplete", incomplete_details={"reason": "max_output_tokens"},
                           usage=self.usage())
            await self.event(sse, "response.incomplete", response=cut)
            return
        await self.event(sse, "response.completed",
                         response=self.now("completed", usage=self.usage()))

    def whole(self) -> dict:
        if self.reply.text:
            self.output.append({"id": f"msg_{uuid.uuid4().hex}", "type": "message", "role":
                                "assistant", "status": "completed", "content": [
                                    {"type": "output_text", "text": self.reply.text,
                                     "annotations": [], "logprobs": []}]})
        for name, arguments in self.reply.calls:
            self.output.append({"id": f"fc_{uuid.uuid4().hex}", "type": "function_call", "status":
                                "completed", "call_id": f"call_{uuid.uuid4().hex[:20]}",
                                "name": name, "arguments": arguments})
        return self.now("completed", usage=self.usage())


async def responses(request: web.Request) -> web.StreamResponse:
    server = request.app[wire.SERVER]
    try:
        body = await openai.admit(request, "llm")
        messages, tools = check(body)
    except Refused as e:
        return e.response()
    if body.get("instructions"):
        messages = [{"role": "system", "content": body["instructions"]}] + messages
    reply = openai.think(server, messages, tools, body)
    count = server.control.counters["llm"]
    count.uses += 1
    count.texts.append(reply.text or " ".join(n for n, _ in reply.calls))
    openai.mark(request, "reply", reply.text)
    made = Response(body, messages, reply)
    fault = server.control.take("llm", refusal=False)
    padded = (body.get("stream_options") or {}).get("include_obfuscation", True)
    if body.get("stream"):
        return await openai.answer(request, fault, made.stream, None, padded)
    return await openai.answer(request, fault, None, made.whole(), padded)


# ---- speech -----------------------------------------------------------------------

VOICES = ("alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer",
          "verse", "marin", "cedar")


def check_speech(body: dict) -> None:
    openai.check_model(body.get("model"))
    if "tts" not in body["model"] and body["model"] != "standin":
        raise Refused(f"Invalid model: {body['model']}", "model")
    text = body.get("input")
    if not isinstance(text, str) or not text:
        raise Refused("Missing required parameter: 'input'.", "input")
    if len(text) > 4096:
        raise Refused("String should have at most 4096 characters", "input",
                      code="string_above_max_length")
    if body.get("voice") not in VOICES:
        raise Refused(f"Invalid value: '{body.get('voice')}'.", "voice", code="invalid_value")
    if body.get("response_format", "mp3") not in ("pcm", "wav"):
        raise Refused("this server answers pcm and wav only", "response_format")
    if body.get("stream_format", "audio") not in ("audio", "sse"):
        raise Refused("Invalid value for stream_format", "stream_format", code="invalid_value")
    if not 0.25 <= body.get("speed", 1) <= 4:
        raise Refused("speed must be from 0.25 to 4", "speed", code="invalid_value")


async def speech(request: web.Request) -> web.StreamResponse:
    server = request.app[wire.SERVER]
    count, delays = server.control.counters["speech"], server.control.delays
    try:
        body = await openai.admit(request, "speech")
        check_speech(body)
    except Refused as e:
        return e.response()
    fault = server.control.take("speech", refusal=False)
    kind = fault.fault if fault else None
    count.uses += 1
    count.texts.append(body["input"])
    if kind == "mute":
        await wire.forever()
    pcm = await voice.speak(server.voice, body["input"], 24000)
    pcm = np.zeros(0, np.int16) if kind == "empty" else pcm
    data = pcm.astype("<i2").tobytes()
    if body.get("response_format") == "wav":
        data = voice.wav_header(0xFFFFFFFF, 24000) + data
    if kind in ("cut", "stall", "error"):
        data = data[:len(data) // 2]
    await asyncio.sleep(delays.tts_first_ms / 1000 + (fault.seconds(2) if kind == "slow" else 0))
    sse = body.get("stream_format") == "sse" and body["model"] != "tts-1"
    resp = web.StreamResponse(headers={
        "Content-Type": "text/event-stream" if sse else "audio/pcm",
        "x-request-id": f"req_{uuid.uuid4().hex}"})
    await resp.prepare(request)
    try:
        await _speech_body(resp, data, sse, delays, body)
        if kind == "garbage":
            await resp.write(b"data: {\n\n" if sse else b"\x7f")
        if kind in ("cut", "error"):
            wire.abort(request)
        elif kind == "stall":
            await asyncio.sleep(fault.seconds(30))
        await resp.write_eof()
    except (ConnectionError, RuntimeError):
        count.cancelled += 1
    return resp


async def _speech_body(resp, data: bytes, sse: bool, delays, body: dict) -> None:
    size = 4801  # odd: chunks split samples
    for i in range(0, len(data), size):
        part = data[i:i + size]
        if sse:
            event = {"type": "speech.audio.delta", "audio": base64.b64encode(part).decode()}
            part = f"data: {json.dumps(event)}\n\n".encode()
        await resp.write(part)
        await asyncio.sleep(size / 48000 / delays.tts_speed)
    if sse:
        used = {"input_tokens": openai.tokens(body["input"]), "output_tokens": len(data) // 2400}
        used["total_tokens"] = sum(used.values())
        done = {"type": "speech.audio.done", "usage": used}
        await resp.write(f"data: {json.dumps(done)}\n\n".encode())
