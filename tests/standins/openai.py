"""OpenAI's /v1/chat/completions, /v1/models and what both APIs share.

Answers are thought out by brain.py (or by a script given to /control) and
streamed as the real service does: role first, words one by one, tool calls
in pieces and interleaved, usage in a chunk without choices, padding in every
chunk. Requests are checked as strictly, with the traps of the newer models.
"""
from __future__ import annotations

import asyncio
import json
import random
import re
import time
import uuid
from dataclasses import dataclass

from aiohttp import web

from . import brain, wire
from .faults import Fault

MODELS = {  # id: end date
    "gpt-6-luna": None, "gpt-6-terra": None, "gpt-6-astra": None, "gpt-6.1-sol": None,
    "gpt-5.6-terra": None, "gpt-5.6-luna": None, "gpt-5.4-nano": "2027-04-01",
    "gpt-5.1": "2027-04-01", "gpt-4o": "2027-01-14", "gpt-4o-mini": "2027-01-14",
    "gpt-4.1-mini": "2027-01-14", "gpt-4o-mini-tts": "2027-01-06", "tts-1": "2027-01-06",
    "standin": None,
}
RETIRED = ("gpt-4.1-nano", "o4-mini", "o3-mini", "o1", "gpt-4-turbo", "gpt-3.5-turbo")
REASONS = re.compile(r"gpt-(5|6)")
NO_TOOLS_HERE = re.compile(r"gpt-(5\.[456]|6)")     # on chat, unless effort is none
NEVER_NONE = ("gpt-6-astra", "gpt-6.1-sol")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
CHAT_FIELDS = {
    "model", "messages", "stream", "stream_options", "tools", "tool_choice",
    "parallel_tool_calls", "temperature", "top_p", "max_completion_tokens", "max_tokens", "stop",
    "reasoning_effort", "verbosity", "service_tier", "prompt_cache_key", "prompt_cache_options",
    "prompt_cache_retention", "safety_identifier", "store", "metadata", "response_format", "seed",
    "logit_bias", "n", "user", "presence_penalty", "frequency_penalty", "logprobs", "modalities"}


ID = web.RequestKey("id", str)


class Refused(Exception):
    def __init__(self, message: str, param: str | None = None, status: int = 400,
                 code: str | None = None, kind: str = "invalid_request_error",
                 headers: dict | None = None):
        super().__init__(message)
        self.status, self.headers = status, headers or {}
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}

    def response(self) -> web.Response:
        return web.json_response(self.body, status=self.status, headers=self.headers)


ORDERED = {
    "429": lambda: Refused("Rate limit reached for requests", None, 429, "rate_limit_exceeded",
                           "requests", {"retry-after-ms": "300"}),
    "quota": lambda: Refused("You exceeded your current quota.", None, 429, "insufficient_quota",
                             "insufficient_quota", {"x-should-retry": "false"}),
    "401": lambda: Refused("Incorrect API key provided.", None, 401, "invalid_api_key"),
    "404": lambda: Refused("The model does not exist or you do not have access to it.", "model",
                           404, "model_not_found"),
}


def mark(request: web.Request, what: str, detail: str = "") -> None:
    """A moment of one answer of the model."""
    request.app[wire.SERVER].control.mark("llm", what, request[ID], detail)


async def admit(request: web.Request, service: str) -> dict:
    """Key, ordered refusals, the body. Raises Refused."""
    server = request.app[wire.SERVER]
    count = server.control.counters[service]
    count.requests += 1
    request[ID] = uuid.uuid4().hex
    if service == "llm":
        mark(request, "asked")
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    fault = server.control.take(service, refusal=True)
    if fault and fault.fault == "hang":
        await wire.forever()
    try:
        if fault:
            raise (ORDERED[fault.fault]() if fault.fault in ORDERED else
                   Refused("The server had an error while processing your request.", None,
                           int(fault.fault), None, "server_error"))
        if scheme != "Bearer" or not server.openai_key_ok(key):
            raise ORDERED["401"]()
        try:
            body = await request.json()
        except ValueError:
            raise Refused("We could not parse the JSON body of your request.") from None
        count.last = {"path": request.path, "body": body,
                      "headers": {k.lower(): v for k, v in request.headers.items()
                                  if k.lower() != "authorization"}}
        return body
    except Refused:
        count.refused += 1
        raise


def check_model(model) -> None:
    if not isinstance(model, str):
        raise Refused("you must provide a model parameter", "model")
    if model in RETIRED or not (model in MODELS or model.startswith("gpt-")):
        raise Refused(f"The model `{model}` does not exist or you do not have access to it.",
                      "model", 404, "model_not_found")


def check_sampling(body: dict, effort: str | None) -> None:
    model = body["model"]
    if effort is not None and effort not in EFFORTS:
        raise Refused(f"Invalid value: '{effort}'.", "reasoning_effort", code="invalid_value")
    if not REASONS.match(model):
        if effort is not None:
            raise Refused("Unrecognized request argument supplied: reasoning_effort",
                          "reasoning_effort", code="unsupported_parameter")
        return
    if effort == "none" and model in NEVER_NONE:
        raise Refused(f"Unsupported value: 'none' is not supported with {model}.",
                      "reasoning_effort", code="unsupported_value")
    if effort != "none" and ("temperature" in body or "top_p" in body):
        raise Refused("Unsupported parameter: 'temperature' is not supported with this model.",
                      "temperature", code="unsupported_parameter")


def check_tools(tools: list[dict]) -> None:
    """tools: [{name, description, parameters, strict}], flat."""
    for i, t in enumerate(tools):
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", t.get("name") or ""):
            raise Refused(f"Invalid 'tools[{i}].function.name'", f"tools[{i}].function.name",
                          code="invalid_value")
        schema = t.get("parameters")
        if schema is not None and schema.get("type") != "object":
            raise Refused(f"Invalid schema for function '{t['name']}': schema must be a JSON "
                          "Schema of 'type: \"object\"'", f"tools[{i}].function.parameters",
                          code="invalid_function_parameters")
        if t.get("strict"):
            _check_strict(t["name"], schema or {}, i)


def _check_strict(name: str, schema: dict, i: int) -> None:
    props = schema.get("properties", {})
    if schema.get("additionalProperties") is not False or set(schema.get("required", [])) != set(props):
        raise Refused(f"Invalid schema for function '{name}': strict needs additionalProperties "
                      "false and every property in required",
                      f"tools[{i}].function.parameters", code="invalid_function_parameters")
    for p in props.values():
        if p.get("type") == "object":
            _check_strict(name, p, i)


def check_history(messages) -> None:
    """Every tool call is answered before anything else is said."""
    if not isinstance(messages, list) or not messages:
        raise Refused("Invalid 'messages': empty array.", "messages")
    waiting: set[str] = set()
    for i, m in enumerate(messages):
        role = m.get("role")
        if role not in ("system", "developer", "user", "assistant", "tool"):
            raise Refused(f"Invalid value: '{role}'.", f"messages[{i}].role", code="invalid_value")
        if role == "tool":
            if m.get("tool_call_id") not in waiting:
                raise Refused("Invalid parameter: messages with role 'tool' must be a response to "
                              "a preceeding message with 'tool_calls'.", f"messages[{i}].role")
            waiting.discard(m["tool_call_id"])
            continue
        if waiting:
            raise Refused("An assistant message with 'tool_calls' must be followed by tool "
                          "messages responding to each 'tool_call_id'. The following did not: "
                          + ", ".join(sorted(waiting)), f"messages[{i}].role")
        calls = m.get("tool_calls") or []
        if m.get("content") is None and not calls:
            raise Refused("Invalid value for 'content': expected a string, got null.",
                          f"messages[{i}].content")
        for c in calls:
            if not isinstance(c["function"].get("arguments"), str):
                raise Refused("arguments must be a string", f"messages[{i}].tool_calls")
            waiting.add(c["id"])
    if waiting:
        raise Refused("An assistant message with 'tool_calls' must be followed by tool messages "
                      "responding to each 'tool_call_id'.", "messages")


def check_chat(body: dict) -> list[dict]:
    """Returns the tools, flat."""
    unknown = set(body) - CHAT_FIELDS
    if unknown:
        name = sorted(unknown)[0]
        raise Refused(f"Unrecognized request argument supplied: {name}", name,
                      code="unknown_parameter")
    check_model(body.get("model"))
    check_history(body.get("messages"))
    tools = [t.get("function", {}) for t in body.get("tools") or []]
    if body.get("tools") == []:
        raise Refused("Invalid 'tools': empty array.", "tools", code="empty_array")
    check_tools(tools)
    effort = body.get("reasoning_effort")
    check_sampling(body, effort)
    if REASONS.match(body["model"]) and "max_tokens" in body:
        raise Refused("Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                      "'max_completion_tokens' instead.", "max_tokens",
                      code="unsupported_parameter")
    if tools and NO_TOOLS_HERE.match(body["model"]) and effort != "none":
        raise Refused("Function tools with reasoning_effort are not supported for "
                      f"{body['model']} in /v1/chat/completions. To use function tools, use "
                      "/v1/responses or set reasoning_effort to 'none'.", "reasoning_effort")
    return tools


# ---- what is answered ---------------------------------------------------------------


def think(server, messages: list[dict], tools: list[dict], body: dict) -> brain.Reply:
    if server.control.script:
        step = server.control.script.pop(0)
        calls = [(c["name"], c["arguments"] if isinstance(c.get("arguments"), str)
                  else json.dumps(c.get("arguments", {}))) for c in step.get("tools", [])]
        return brain.Reply(step.get("text", ""), calls, step.get("finish"))
    offered = [] if body.get("tool_choice") == "none" else tools
    fmt = body.get("response_format") or {}
    if fmt.get("type") == "json_schema":
        words = brain.History(messages).words
        return brain.Reply(json.dumps(brain.fill(fmt["json_schema"]["schema"], words)))
    reply = brain.think(messages, offered)
    if body.get("parallel_tool_calls") is False:
        reply.calls = reply.calls[:1]
    return reply


def pieces(text: str) -> list[str]:
    """Deltas: a word with the space before it."""
    return re.findall(r"\s*\S+", text)


def tokens(text: str) -> int:
    return max(1, len(text) // 4)


class Ended(Exception):
    """The stream ends here, by order."""


@dataclass
class Sse:
    """One event stream under way, with its faults."""
    request: web.Request
    resp: web.StreamResponse
    fault: Fault | None
    delays: object
    obfuscate: bool = False
    sent: int = 0
    break_at: int = 3  # the delta where streams break

    def kind(self) -> str | None:
        return self.fault.fault if self.fault else None

    async def event(self, payload, name: str | None = None, more: bool = True) -> None:
        """payload: dict or text. Raises ConnectionError when cut by order."""
        kind = self.kind()
        if isinstance(payload, dict):
            if self.obfuscate and more:
                payload["obfuscation"] = "x7QaZk2P9"[:random.randint(1, 9)]
            payload = json.dumps(payload, ensure_ascii=False)
        end = "\r\n" if kind == "crlf" else "\n"
        text = (f"event: {name}{end}" if name else "") + f"data: {payload}{end}{end}"
        if kind == "crlf" and self.sent % 3 == 0:
            text = f": a comment{end}{end}" + text
        data = text.encode()
        if kind == "split":
            for i in range(0, len(data), 5):
                await self.resp.write(data[i:i + 5])
                await asyncio.sleep(0)
        else:
            await self.resp.write(data)
        self.sent += 1

    async def pace(self, i: int) -> None:
        """Before the i-th delta of text or arguments; where streams break."""
        kind = self.kind()
        if i:
            await asyncio.sleep(self.delays.llm_delta_ms / 1000)
        mark(self.request, "delta", str(i))
        if i != self.break_at:
            return
        if kind == "cut":
            wire.abort(self.request)
            raise ConnectionError("cut by order")
        if kind == "stall":
            await asyncio.sleep(self.fault.seconds(30))
        if kind == "garbage":
            await self.resp.write(b'data: {"id":"chatcmpl-x","choices":[{"del\n\ndata: \xff\xfe\n\n')
        if kind == "error":
            await self.event({"error": {"message": "The server had an error.", "type":
                                        "server_error", "param": None, "code": None}}, more=False)
            raise Ended


async def ponder(request: web.Request, fault: Fault | None) -> None:
    """Waits as long as the first token takes."""
    delays = request.app[wire.SERVER].control.delays
    kind = fault.fault if fault else None
    if kind == "refuse":
        wire.abort(request)
        raise ConnectionError("refused by order")
    if kind == "mute":
        await wire.forever()
    await asyncio.sleep(delays.llm_first_ms / 1000 + (fault.seconds(3) if kind == "slow" else 0))


async def begin(request: web.Request) -> web.StreamResponse:
    delays = request.app[wire.SERVER].control.delays
    resp = web.StreamResponse(headers={
        "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache",
        "x-request-id": f"req_{uuid.uuid4().hex}", "openai-version": "2020-10-01",
        "openai-processing-ms": str(int(delays.llm_first_ms)),
        "x-ratelimit-remaining-requests": "9999"})
    await resp.prepare(request)
    return resp


def usage(messages, reply: brain.Reply) -> dict:
    asked = sum(tokens(json.dumps(m)) for m in messages)
    given = tokens(reply.text + "".join(a for _, a in reply.calls))
    return {"prompt_tokens": asked, "completion_tokens": given, "total_tokens": asked + given,
            "prompt_tokens_details": {"cached_tokens": asked // 1024 * 1024, "audio_tokens": 0,
                                      "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
                                          "accepted_prediction_tokens": 0,
                                          "rejected_prediction_tokens": 0}}


def argument_pieces(calls: list[tuple[str, str]]) -> list[tuple[int, str]]:
    """(index, piece) in turns, so that several calls interleave."""
    cut = [[a[i:i + 7] for i in range(0, len(a), 7)] for _, a in calls]
    out = []
    for row in range(max(map(len, cut), default=0)):
        out += [(i, c[row]) for i, c in enumerate(cut) if row < len(c)]
    return out


class Chat:
    def __init__(self, body: dict, reply: brain.Reply):
        self.body, self.reply = body, reply
        self.head = {"id": f"chatcmpl-{uuid.uuid4().hex[:24]}", "created": int(time.time()),
                     "model": body["model"], "service_tier": "default",
                     "system_fingerprint": "fp_standin"}
        options = body.get("stream_options") or {}
        self.with_usage = bool(options.get("include_usage"))
        self.padded = options.get("include_obfuscation", True)
        self.ids = [f"call_{uuid.uuid4().hex[:20]}" for _ in reply.calls]

    def finish(self) -> str:
        return self.reply.finish or ("tool_calls" if self.reply.calls else "stop")

    def chunk(self, delta: dict | None, finish: str | None = None) -> dict:
        choices = [] if delta is None else [
            {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        out = {**self.head, "object": "chat.completion.chunk", "choices": choices}
        if self.with_usage:
            out["usage"] = None
        return out

    async def stream(self, sse: Sse) -> None:
        kind = sse.kind()
        await sse.event(self.chunk({"role": "assistant", "content": "", "refusal": None}))
        text = [] if kind == "empty" else pieces(self.reply.text)
        if kind == "length":
            text = text[:3]
        sse.break_at = max(0, min(3, len(text) + len(argument_pieces(self.reply.calls)) - 1))
        i = 0
        for piece in text:
            await sse.pace(i)
            await sse.event(self.chunk({"content": piece}))
            i += 1
        calls = [] if kind == "empty" else self.reply.calls
        for n, (name, _) in enumerate(calls):
            await sse.event(self.chunk({"tool_calls": [
                {"index": n, "id": self.ids[n], "type": "function",
                 "function": {"name": name, "arguments": ""}}]}))
        for n, piece in argument_pieces(calls):
            await sse.pace(i)
            await sse.event(self.chunk({"tool_calls": [
                {"index": n, "function": {"arguments": piece}}]}))
            i += 1
        finish = {"empty": "stop", "length": "length"}.get(kind) or self.finish()
        await sse.event(self.chunk({}, finish))
        if self.with_usage:
            last = self.chunk(None)
            last["usage"] = usage(self.body["messages"], self.reply)
            await sse.event(last)
        await sse.event("[DONE]")

    def whole(self) -> dict:
        calls = [{"id": i, "type": "function", "function": {"name": n, "arguments": a}}
                 for i, (n, a) in zip(self.ids, self.reply.calls)]
        message = {"role": "assistant", "content": self.reply.text or None, "refusal": None}
        if calls:
            message["tool_calls"] = calls
        return {**self.head, "object": "chat.completion", "usage":
                usage(self.body["messages"], self.reply), "choices": [
                    {"index": 0, "message": message, "logprobs": None,
                     "finish_reason": self.finish()}]}


async def answer(request: web.Request, fault: Fault | None, stream, whole,
                 obfuscate: bool) -> web.StreamResponse:
    """Sends a stream (a coroutine on an Sse) or one JSON, and counts its end."""
    server = request.app[wire.SERVER]
    count = server.control.counters["llm"]
    count.enter()
    done = False
    try:
        await ponder(request, fault)
        if stream is None:
            done = True
            return web.json_response(whole)
        resp = await begin(request)
        sse = Sse(request, resp, fault, server.control.delays, obfuscate)
        try:
            await stream(sse)
        except Ended:
            pass
        await resp.write_eof()
        done = True
        return resp
    except (ConnectionError, RuntimeError):
        return web.Response()
    finally:
        count.leave()
        if not done:
            count.cancelled += 1


async def chat(request: web.Request) -> web.StreamResponse:
    server = request.app[wire.SERVER]
    try:
        body = await admit(request, "llm")
        tools = check_chat(body)
    except Refused as e:
        return e.response()
    reply = think(server, body["messages"], tools, body)
    count = server.control.counters["llm"]
    count.uses += 1
    count.texts.append(reply.text or " ".join(n for n, _ in reply.calls))
    mark(request, "reply", reply.text)
    made = Chat(body, reply)
    fault = server.control.take("llm", refusal=False)
    stream = made.stream if body.get("stream") else None
    return await answer(request, fault, stream, made.whole(), made.padded)


def model_entry(name: str) -> dict:
    return {"id": name, "object": "model", "created": 1750000000, "owned_by": "system",
            "shutdown_date": MODELS[name]}


async def models(request: web.Request) -> web.Response:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not request.app[wire.SERVER].openai_key_ok(key):
        return ORDERED["401"]().response()
    name = request.match_info.get("name")
    if name is None:
        return web.json_response({"object": "list", "data": [model_entry(m) for m in MODELS]})
    if name not in MODELS:
        return ORDERED["404"]().response()
    return web.json_response(model_entry(name))
