"""Deepgram's speech, /v1/speak: the socket and the REST request.

A Speaker owns one socket: text waits for the end of a sentence or a Flush, its
audio leaves faster than real time, Flushed follows the last of it. Clear drops
what has not left. Twenty flushes a minute, then a Warning and nothing.
"""
from __future__ import annotations

import asyncio
import collections
import json
import re
import time
import uuid

import numpy as np
from aiohttp import WSMsgType, web

from . import voice, wire
from .deepgram import BadQuery, admit, refuse
from .faults import Fault

SENTENCE = re.compile(r".*?[.!?](?=\s|$)", re.S)
RATES = {"linear16": (8000, 16000, 24000, 32000, 48000), "mulaw": (8000, 16000),
         "alaw": (8000, 16000)}
MOST_CHARS = 2000
CHUNK_S = 0.2


class Params:
    KNOWN = ("model", "encoding", "sample_rate", "speed", "mip_opt_out", "container", "bit_rate",
             "tag", "callback", "callback_method")

    def __init__(self, query, rest: bool):
        for name in query:
            if name not in self.KNOWN or (not rest and name in ("container", "bit_rate")):
                raise BadQuery(f"unknown query parameter {name!r}")
        self.model = query.get("model", "aura-asteria-en")
        if not self.model.startswith("aura-"):
            raise BadQuery(f"no such model: {self.model}")
        self.encoding = query.get("encoding", "mp3" if rest else "linear16")
        if self.encoding not in RATES:
            raise BadQuery(f"encoding {self.encoding!r} is not supported")
        text = query.get("sample_rate", "24000" if self.encoding == "linear16" else "8000")
        if not text.isdigit() or int(text) not in RATES[self.encoding]:
            raise BadQuery(f"sample_rate {text!r} does not go with {self.encoding}")
        self.rate = int(text)
        self.container = query.get("container", "wav" if rest else "none")
        if self.container not in ("wav", "none") or (
                self.container == "wav" and self.encoding != "linear16"):
            raise BadQuery(f"container {self.container!r} does not go with {self.encoding}")
        try:
            self.speed = float(query.get("speed", "1"))
        except ValueError:
            raise BadQuery("speed must be a number") from None

    def ids(self, request_id: str) -> dict:
        return {"request_id": request_id, "model_name": self.model,
                "model_version": "2026-01-01.0",
                "model_uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, self.model)),
                "additional_model_uuids": []}


class Speaker:
    def __init__(self, server, request, params: Params, request_id: str):
        self.server, self.request, self.p, self.id = server, request, params, request_id
        self.control, self.count = server.control, server.control.counters["tts"]
        self.ws = web.WebSocketResponse(compress=False, autoping=True)
        self.ws.headers["dg-request-id"] = request_id
        self.text = ""
        self.jobs: collections.deque = collections.deque()  # (("say", text) or ("flush",), fault)
        self.wake = asyncio.Event()
        self.epoch = 0           # grows with each Clear
        self.sequence = 0
        self.flushes: collections.deque[float] = collections.deque()
        self.began: float | None = None  # text came, nothing left yet
        self.fault: Fault | None = None
        self.doing: Fault | None = None  # of the text being spoken
        self.fresh = True        # the next text opens a use, for faults

    def suffer(self, fault: Fault | None) -> None:
        """Live faults: those of the socket; the others wait for the next use."""
        if fault is None:
            self.fault = None
        elif fault.fault in ("cut", "net0001", "net0000", "close"):
            asyncio.get_running_loop().call_later(fault.seconds(0), self._break, fault.fault)
        else:
            self.fault, self.fresh = fault, False

    def _break(self, kind: str) -> None:
        if kind == "cut":
            wire.abort(self.request)
        else:
            code = 1000 if kind == "close" else 1011
            reason = b"" if kind == "close" else kind[:3].upper().encode() + b"-" + kind[3:].encode()
            asyncio.ensure_future(self.ws.close(code=code, message=reason))

    async def send(self, message: dict) -> None:
        if not self.ws.closed:
            await self.ws.send_str(json.dumps(message))

    # ---- orders -------------------------------------------------------------------

    async def order(self, data: str) -> bool:
        """False: the socket ends."""
        try:
            message = json.loads(data)
            kind = message["type"]
        except (ValueError, KeyError, TypeError):
            kind = None
        if kind == "Speak" and isinstance(message.get("text"), str):
            return await self._speak(message["text"])
        if kind == "Flush":
            await self._flush()
        elif kind == "Clear":
            await self._clear()
        elif kind == "Close":
            return False
        else:
            await self.ws.close(code=1008, message=b"DATA-0000")
            return False
        return True

    def _queue(self, job: tuple) -> None:
        if self.began is None:
            self.began = time.monotonic()
        self.jobs.append((job, self.fault))
        self.wake.set()

    async def _speak(self, text: str) -> bool:
        self.control.mark("tts", "text", self.id, text)
        if len(text) > MOST_CHARS:
            await self.ws.close(code=1009, message=b"BIG-0001")
            return False
        if self.fresh:
            self.fresh, self.fault = False, self.control.take("tts", refusal=False)
            self.count.uses += 1
        self.text += text
        while m := SENTENCE.match(self.text):
            self._queue(("say", m.group(0).strip()))
            self.text = self.text[m.end():]
        return True

    async def _flush(self) -> None:
        now = time.monotonic()
        while self.flushes and now - self.flushes[0] > 60:
            self.flushes.popleft()
        if len(self.flushes) >= self.server.flush_limit:
            text = "Flush limit of 20 a minute exceeded; the message is ignored."
            await self.send({"type": "Warning", "code": "EXCEEDED_MAX_FLUSHES",
                             "description": text, "warn_code": "EXCEEDED_MAX_FLUSHES",
                             "warn_msg": text})
            return
        self.flushes.append(now)
        if self.text.strip():
            self._queue(("say", self.text.strip()))
        self.text, self.fresh = "", True
        self._queue(("flush",))

    async def _clear(self) -> None:
        late = self.fault is not None and self.fault.fault == "late"
        self.epoch += 1
        self.jobs.clear()
        self.text, self.fresh, self.began = "", True, None
        if late:  # what was on its way
            await self.ws.send_bytes(b"\x10\x20" * int(self.p.rate * 0.1))
        await self.send({"type": "Cleared", "sequence_id": self._next()})

    def _next(self) -> int:
        self.sequence += 1
        return self.sequence - 1

    # ---- audio ----------------------------------------------------------------------

    async def worker(self) -> None:
        try:
            while True:
                await self.wake.wait()
                while self.jobs:
                    (job, fault), epoch = self.jobs.popleft(), self.epoch
                    self.doing = fault or self.fault
                    if job[0] == "say":
                        await self._say(job[1], epoch)
                    elif self._answers() and epoch == self.epoch:
                        await self.send({"type": "Flushed", "sequence_id": self._next()})
                        self.began = None
                self.wake.clear()
        except (ConnectionError, RuntimeError):
            pass  # the socket went away; the reader sees it too

    def kind(self) -> str | None:
        return self.doing.fault if self.doing else None

    def _answers(self) -> bool:
        return self.kind() not in ("mute", "stall", "net0001", "net0000", "close")

    async def _say(self, text: str, epoch: int) -> None:
        self.count.texts.append(text)
        pcm = await voice.speak(self.server.voice, text, self.p.rate)
        due = (self.began or time.monotonic()) + self.control.delays.tts_first_ms / 1000
        kind = self.kind()
        if kind == "slow":
            due += self.doing.seconds(2)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if kind in ("mute", "empty"):
            return
        if kind == "garbage":
            await self.ws.send_str('{"type":"Metadata",')
            await self.ws.send_str("no json at all")
        if kind == "unknown":
            await self.send({"type": "Novelty", "deep": {"x": [1, 2]}})
        if kind in ("cut", "stall", "net0001", "net0000", "close"):
            pcm = pcm[:len(pcm) // 2]
        await self._stream(voice.encode(pcm, self.p.encoding), epoch)
        if kind in ("cut", "net0001", "net0000", "close"):
            self._break(kind)

    async def _stream(self, data: bytes, epoch: int) -> None:
        width = 2 if self.p.encoding == "linear16" else 1
        size = int(self.p.rate * CHUNK_S) * width
        for i in range(0, len(data), size):
            if epoch != self.epoch or self.ws.closed:
                return
            if i == 0:
                self.control.mark("tts", "audio", self.id)
            await self.ws.send_bytes(data[i:i + size])
            await asyncio.sleep(CHUNK_S / self.control.delays.tts_speed)

    async def run(self) -> web.WebSocketResponse:
        await self.ws.prepare(self.request)
        self.count.enter()
        self.control.streams["tts"].add(self)
        await self.send({"type": "Metadata", **self.p.ids(self.id)})
        task = asyncio.ensure_future(self.worker())
        try:
            async for m in self.ws:
                if m.type == WSMsgType.BINARY:
                    await self.ws.close(code=1003, message=b"MESSAGE-0000")
                elif m.type == WSMsgType.TEXT and not await self.order(m.data):
                    break
            if not self.ws.closed:
                await self.ws.close(code=1000)
        finally:
            task.cancel()
            self.control.streams["tts"].discard(self)
            self.count.leave()
        return self.ws


async def speak_socket(request: web.Request) -> web.StreamResponse:
    server = request.app[wire.SERVER]
    request_id, refused = await admit(server, request, "tts", server.tts_limit)
    if refused is not None:
        return refused
    try:
        params = Params(request.query, rest=False)
    except BadQuery as e:
        server.control.counters["tts"].refused += 1
        return refuse(request_id, "400", str(e))
    return await Speaker(server, request, params, request_id).run()


# ---- REST -----------------------------------------------------------------------


async def speak_rest(request: web.Request) -> web.StreamResponse:
    server = request.app[wire.SERVER]
    request_id, refused = await admit(server, request, "tts", server.tts_limit)
    if refused is not None:
        return refused
    try:
        params = Params(request.query, rest=True)
        if request.content_type == "text/plain":
            text = await request.text()
        else:
            text = (await request.json())["text"]
    except (BadQuery, ValueError, KeyError, TypeError) as e:
        return refuse(request_id, "400", str(e) or "no text")
    if len(text) > MOST_CHARS:
        why = f"Input text exceeds maximum character limit of {MOST_CHARS}"
        return web.json_response({"err_code": "Payload Too Large", "err_msg": why,
                                  "request_id": request_id}, status=413)
    return await _rest_answer(server, request, params, request_id, text)


def _content_type(p: Params) -> str:
    if p.container == "wav":
        return "audio/wav"
    return f"audio/{'l16' if p.encoding == 'linear16' else p.encoding};rate={p.rate}"


async def _rest_answer(server, request, p: Params, request_id: str,
                       text: str) -> web.StreamResponse:
    count, delays = server.control.counters["tts"], server.control.delays
    fault = server.control.take("tts", refusal=False)
    kind = fault.fault if fault else None
    count.uses += 1
    count.texts.append(text)
    if kind == "mute":
        await wire.forever()
    pcm = await voice.speak(server.voice, text, p.rate)
    pcm = np.zeros(0, np.int16) if kind == "empty" else pcm
    await asyncio.sleep(delays.tts_first_ms / 1000 + (fault.seconds(2) if kind == "slow" else 0))
    ids = p.ids(request_id)
    resp = web.StreamResponse(headers={
        "Content-Type": _content_type(p), "dg-request-id": request_id,
        "dg-model-name": p.model, "dg-model-uuid": ids["model_uuid"],
        "dg-char-count": str(len(text))})
    await resp.prepare(request)
    data = voice.encode(pcm, p.encoding)
    if p.container == "wav":
        data = voice.wav_header(len(data), p.rate) + data
    if kind in ("cut", "stall"):
        data = data[:len(data) // 2]
    size = 9601  # odd: a sample may be split between chunks
    for i in range(0, len(data), size):
        await resp.write(data[i:i + size])
        await asyncio.sleep(size / 2 / p.rate / delays.tts_speed)
    if kind == "cut":
        wire.abort(request)
    elif kind == "stall":
        await asyncio.sleep(fault.seconds(30))
    await resp.write_eof()
    return resp
