"""Deepgram's live transcription, /v1/listen, as documented.

A Stream owns one socket: audio goes into an ear, what the ear finds leaves as
interim, final and endpoint messages, `stt_ms` later. The rules of silence (ten
seconds without audio, no audio at all) and the closing order are the
provider's own. See faults.py for what can be made to go wrong.
"""
from __future__ import annotations

import asyncio
import collections
import hashlib
import json
import time
import uuid
from datetime import datetime, timezone

import numpy as np
from aiohttp import WSMsgType, web

from . import g711, wire
from .ear import Ear
from .faults import Fault

MODELS = ("nova-3", "nova-2", "nova", "enhanced", "base")
ENCODINGS = ("linear16", "mulaw", "alaw")
BOOLEANS = ("interim_results", "vad_events", "punctuate", "smart_format", "numerals", "dictation",
            "profanity_filter", "filler_words", "multichannel", "diarize", "detect_entities",
            "no_delay", "mip_opt_out")
OTHERS = ("model", "version", "language", "language_hint", "encoding", "sample_rate", "channels",
          "endpointing", "utterance_end_ms", "keyterm", "keywords", "diarize_model", "redact",
          "replace", "search", "tag", "extra", "callback", "callback_method")


class BadQuery(Exception):
    pass


def _number(query, name: str, default: int | None, least: int, most: int) -> int | None:
    if name not in query:
        return default
    text = query[name]
    if not text.isdigit() or not least <= int(text) <= most:
        raise BadQuery(f"{name} must be a number from {least} to {most}, not {text!r}")
    return int(text)


class Params:
    """The query, checked as strictly as a typo in it deserves."""

    def __init__(self, query):
        for name in query:
            if name not in BOOLEANS and name not in OTHERS:
                raise BadQuery(f"unknown query parameter {name!r}")
        for name in BOOLEANS:
            if query.get(name, "false").lower() not in ("true", "false"):
                raise BadQuery(f"{name} must be true or false")
        self.flags = {n: query.get(n, "false").lower() == "true" for n in BOOLEANS}
        self.model = query.get("model", "base")
        if self.model.startswith("flux") or not self.model.startswith(MODELS):
            raise BadQuery(f"model {self.model!r} does not exist on /v1/listen")
        self.keyterms = query.getall("keyterm", [])
        if self.keyterms and not self.model.startswith("nova-3"):
            raise BadQuery("keyterm needs a nova-3 model")
        if "keywords" in query and self.model.startswith("nova-3"):
            raise BadQuery("keywords are not supported by nova-3, use keyterm")
        self._audio(query)
        self._timing(query)
        self.language = query.get("language", "en")
        if any(len(tag) > 128 for tag in query.getall("tag", [])):
            raise BadQuery("tag is longer than 128 characters")

    def _audio(self, query) -> None:
        self.encoding = query.get("encoding")
        if self.encoding is not None and self.encoding not in ENCODINGS:
            raise BadQuery(f"encoding {self.encoding!r} is not supported")
        self.rate = _number(query, "sample_rate", None, 8000, 96000)
        if self.encoding and self.rate is None:
            raise BadQuery("sample_rate is required with encoding")
        if self.rate and not self.encoding:
            raise BadQuery("encoding is required with sample_rate")
        if _number(query, "channels", 1, 1, 20) != 1:
            raise BadQuery("this server hears one channel only")

    def _timing(self, query) -> None:
        self.endpointing = 10
        if query.get("endpointing", "").lower() == "false":
            self.endpointing = None
        elif query.get("endpointing", "").lower() != "true":
            self.endpointing = _number(query, "endpointing", 10, 0, 60000)
        self.utterance_end_ms = _number(query, "utterance_end_ms", None, 1000, 60000)
        if self.utterance_end_ms and not self.flags["interim_results"]:
            raise BadQuery("utterance_end_ms needs interim_results=true")


class Stream:
    def __init__(self, server, request: web.Request, params: Params, request_id: str):
        self.server, self.request, self.p, self.id = server, request, params, request_id
        self.control, self.count = server.control, server.control.counters["stt"]
        self.ws = web.WebSocketResponse(compress=False, max_msg_size=4 << 20, autoping=True)
        self.ws.headers["dg-request-id"] = request_id
        self.ear = server.make_ear(params.rate) if params.encoding else None
        self.fault: Fault | None = None
        self.ending = False
        # sending
        self.outbox: collections.deque[tuple[float, str]] = collections.deque()
        self.wake = asyncio.Event()
        # audio
        self.sha = hashlib.sha256()
        self.odd = b""
        self.got_audio = False
        self.lag_until = 0.0   # audio faster than stt_factor x real time waits
        self.last_input = time.monotonic()
        # the utterance
        self.speaking = False
        self.window = 0.0      # where the part that is not final begins
        self.committed = 0     # words of the utterance that are final
        self.shown: list[str] = []
        self.shown_at = 0.0
        self.word_end: float | None = None  # for UtteranceEnd

    # ---- faults ----------------------------------------------------------------

    def suffer(self, fault: Fault | None) -> None:
        self.fault = fault
        kind = fault.fault if fault else None
        if kind in ("cut", "net0001", "net0000", "data0000", "close"):
            asyncio.get_running_loop().call_later(fault.seconds(0), self._break, kind)
        if kind == "stall":
            self._held_until = time.monotonic() + fault.seconds(5)

    def _break(self, kind: str) -> None:
        if kind == "cut":
            wire.abort(self.request)
            return
        code, reason = {
            "net0001": (1011, b"Deepgram did not receive audio data or a text message within "
                              b"the timeout window. See https://dpgr.am/net0001"),
            "net0000": (1011, b"NET-0000"),
            "data0000": (1008, b"DATA-0000"),
            "close": (1000, b""),
        }[kind]
        asyncio.ensure_future(self._close(code, reason))

    async def _close(self, code: int, reason: bytes = b"") -> None:
        self.ending = True
        if not self.ws.closed:
            await self.ws.close(code=code, message=reason)

    def kind(self) -> str | None:
        return self.fault.fault if self.fault else None

    # ---- sending -----------------------------------------------------------------

    def send(self, message: dict) -> None:
        kind, now = self.kind(), time.monotonic()
        if kind == "mute":
            return
        if kind == "garbage":
            text = '{"type":"Results","channel":{"alternatives":[{"transcript":'
        elif kind == "unknown":
            text = json.dumps({"type": "Surprise", "was": message["type"], "deep": [[{}]]})
        else:
            text = json.dumps(message)
        due = max(now, self.lag_until) + self.control.delays.stt_ms / 1000
        if kind == "slow":
            due += self.fault.seconds(1)
        if kind == "stall":
            due = max(due, self._held_until)
        if self.outbox:
            due = max(due, self.outbox[-1][0])
        self.outbox.append((due, text))
        if kind == "twice" and message["type"] == "UtteranceEnd":
            self.outbox.append((due, text))
        self.wake.set()

    async def writer(self) -> None:
        while True:
            await self.wake.wait()
            while self.outbox:
                due, text = self.outbox[0]
                wait = due - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                self.outbox.popleft()
                if not self.ws.closed:
                    if '"is_final": true' in text and '"words": [{' in text:
                        self.control.mark("stt", "final", self.id)
                    try:
                        await self.ws.send_str(text)
                    except (ConnectionError, RuntimeError):
                        return
            self.wake.clear()

    def results(self, words, final: bool, speech_final: bool, finalize: bool = False) -> None:
        if self.kind() == "empty":
            words = []
        punct = self.p.flags["punctuate"] or self.p.flags["smart_format"]
        said = [w.punctuated if punct else w.text for w in words]
        alternative = {"transcript": " ".join(said), "confidence": 0.0, "words": []}
        for w in words:
            word = {"word": w.text, "start": w.start, "end": w.end, "confidence": w.confidence}
            if punct:
                word["punctuated_word"] = w.punctuated
            if self.p.language == "multi":
                word["language"] = "en"
            if self.p.flags["diarize"]:
                word["speaker"] = 0
            alternative["words"].append(word)
        if words:
            alternative["confidence"] = round(sum(w.confidence for w in words) / len(words), 4)
        if self.p.language == "multi":
            alternative["languages"] = ["en"] if words else []
        now = self.ear.time
        self.send({"type": "Results", "channel_index": [0, 1], "start": round(self.window, 3),
                   "duration": round(now - self.window, 3), "is_final": final,
                   "speech_final": speech_final, "from_finalize": finalize,
                   "channel": {"alternatives": [alternative]}, "metadata": self._metadata()})
        self.shown, self.shown_at = [w.text for w in words], now
        if final:
            self.window, self.shown = now, []
            if words:
                self.word_end = words[-1].end
                self.count.texts.append(" ".join(said))

    def _metadata(self) -> dict:
        return {"request_id": self.id, "model_uuid": "1f0c7a3e-0000-4000-8000-000000000001",
                "model_info": {"name": f"general-{self.p.model}", "version": "2026-01-01.0",
                               "arch": self.p.model}}

    # ---- receiving -----------------------------------------------------------------

    def _decode(self, data: bytes) -> np.ndarray | None:
        if self.p.encoding is None:  # a container: WAV is all we read
            if not self.got_audio:
                if data[:4] != b"RIFF" or len(data) < 44:
                    return None
                self.p.rate = int.from_bytes(data[24:28], "little")
                self.ear = self.server.make_ear(self.p.rate)
                data = data[44:]
            return np.frombuffer(data[:len(data) & ~1], "<i2")
        if self.p.encoding != "linear16":
            return g711.decode(self.p.encoding, data)
        data = self.odd + data
        self.odd = data[len(data) & ~1:]
        return np.frombuffer(data[:len(data) & ~1], "<i2")

    async def audio(self, data: bytes) -> None:
        pcm = self._decode(data)
        if pcm is None:
            await self._close(1008, b"DATA-0000")
            return
        self.sha.update(data)
        self.got_audio = True
        self.lag_until = max(self.lag_until, time.monotonic() - 0.3)
        self.lag_until += len(pcm) / self.p.rate / self.control.delays.stt_factor
        step = self.ear.a.size
        for i in range(0, len(pcm), step):
            if self.ear.push(pcm[i:i + step]):
                await self.listen()

    async def listen(self) -> None:
        """Rules of the messages, once a step of audio."""
        ear, p = self.ear, self.p
        now, silence = ear.time, ear.time - ear.last_voice
        if ear.run >= 2 and not self.speaking:
            self.speaking = True
            if p.flags["vad_events"]:
                self.send({"type": "SpeechStarted", "channel": [0, 1],
                           "timestamp": round(max(0.0, now - 0.12), 2)})
        pause = 1.0 if p.endpointing is None else max(p.endpointing / 1000, 0.08)
        if self.speaking and silence >= pause - 0.001:
            await ear.settle()
            self.results(ear.words[self.committed:], True, p.endpointing is not None)
            self._new_utterance()
        elif self.speaking:
            self._progress(now)
        elif now - self.window >= 5.0:
            self.results([], True, False)
        elif p.flags["interim_results"] and now - self.shown_at >= 1.0:
            self.results([], False, False)
        self._utterance_end(now)

    def _new_utterance(self) -> None:
        self.ear.reset()
        self.speaking, self.committed = False, 0

    def _progress(self, now: float) -> None:
        words = self.ear.words[self.committed:]
        if self.ear.steady and now - self.window > 3.2 and len(words) > 1:
            self.results(words[:-1], True, False)
            self.committed += len(words) - 1
        elif self.p.flags["interim_results"]:
            changed = [w.text for w in words] != self.shown
            if now - self.shown_at >= (0.2 if changed else 1.0):
                self.results(words, False, False)

    def _utterance_end(self, now: float) -> None:
        if self.ear.words[self.committed:]:
            self.word_end = self.ear.words[-1].end
        limit = self.p.utterance_end_ms
        if limit and self.word_end is not None and now - self.word_end >= limit / 1000:
            self.send({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": self.word_end})
            self.word_end = None

    async def finalize(self, from_finalize: bool) -> None:
        if not self.got_audio:
            return
        await self.ear.settle()
        words = self.ear.words[self.committed:]
        if from_finalize or words or self.speaking:
            self.results(words, True, not from_finalize and self.speaking, from_finalize)
        self.committed = len(self.ear.words)
        if not self.ear.voiced:
            self._new_utterance()

    async def close_stream(self) -> None:
        self.ending = True
        await self.finalize(False)
        length = round(self.ear.time, 3) if self.got_audio else 0.0
        self.send({"type": "Metadata", "transaction_key": "deprecated", "request_id": self.id,
                   "sha256": self.sha.hexdigest(), "duration": length,
                   "created": datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"),
                   "channels": 1 if self.got_audio else 0})
        while self.outbox and not self.ws.closed:
            await asyncio.sleep(0.005)
        await self._close(1000)

    async def text(self, data: str) -> None:
        try:
            message = json.loads(data)
            kind = message["type"]
        except (ValueError, KeyError, TypeError):
            kind = None
        if kind == "Finalize":
            await self.finalize(True)
        elif kind == "CloseStream":
            await self.close_stream()
        elif kind == "Configure":
            self._configure(message)
        elif kind != "KeepAlive":
            self.send({"type": "Error", "variant": "SchemaError", "message": data[:200],
                       "description": "Could not deserialize last text message"})

    def _configure(self, message: dict) -> None:
        answer = {"type": "ConfigureSuccess", "request_id": self.id}
        terms = message.get("keyterms")
        if not self.p.model.startswith("nova-3"):
            answer = {"type": "ConfigureFailure", "request_id": self.id,
                      "code": "CONFIGURE_KEYTERMS_NOT_SUPPORTED", "description": "nova-3 only"}
        elif terms is not None and len(terms) > 100:
            answer = {"type": "ConfigureFailure", "request_id": self.id,
                      "code": "CONFIGURE_KEYTERM_LIMIT_EXCEEDED", "description": "100 at most"}
        elif terms is not None:
            answer["keyterms"] = self.p.keyterms = terms
        self.send(answer)

    async def watch_idle(self) -> None:
        limit = self.control.delays.idle_ms / 1000
        opened = time.monotonic()
        while not self.ending:
            await asyncio.sleep(limit / 20)
            now = time.monotonic()
            mute = now - self.last_input > limit
            if mute or (not self.got_audio and now - opened > limit):
                self._break("net0001")
                return

    async def run(self) -> web.WebSocketResponse:
        await self.ws.prepare(self.request)
        self.count.enter()
        self.control.mark("stt", "open", self.id)
        self.control.streams["stt"].add(self)
        fault = self.control.take("stt", refusal=False)
        if fault:
            self.suffer(fault)
        tasks = [asyncio.ensure_future(self.writer()), asyncio.ensure_future(self.watch_idle())]
        try:
            async for m in self.ws:
                self.last_input = time.monotonic()
                if self.ending:
                    continue
                if m.type == WSMsgType.BINARY and m.data:
                    await self.audio(m.data)
                elif m.type == WSMsgType.BINARY:
                    await self.close_stream()
                elif m.type == WSMsgType.TEXT:
                    await self.text(m.data)
        finally:
            for t in tasks:
                t.cancel()
            self.control.streams["stt"].discard(self)
            self.count.leave()
        return self.ws


REFUSED = {
    "400": (400, "Bad Request", "refused by order"),
    "401": (401, "INVALID_AUTH", "Invalid credentials."),
    "402": (402, "ASR_PAYMENT_REQUIRED", "Project does not have enough credits."),
    "403": (403, "INSUFFICIENT_PERMISSIONS", "Project does not have access to the model."),
    "429": (429, "TOO_MANY_REQUESTS", "Too many requests. Please try again later."),
}


def refuse(request_id: str, kind: str, why: str | None = None) -> web.Response:
    status, code, text = REFUSED.get(kind, (int(kind) if kind.isdigit() else 500,
                                            "INTERNAL_SERVER_ERROR", "Internal server error."))
    body = {"err_code": code, "err_msg": why or text, "request_id": request_id}
    return web.json_response(body, status=status, headers={
        "dg-request-id": request_id, "dg-error": why or text})


async def admit(server, request: web.Request, service: str,
                limit: int) -> tuple[str, web.Response | None]:
    """What every Deepgram request goes through: key, faults, concurrency."""
    request_id = str(uuid.uuid4())
    count = server.control.counters[service]
    count.requests += 1
    count.last = {"path": request.path, "query": [list(q) for q in request.query.items()],
                  "headers": {k.lower(): v for k, v in request.headers.items()
                              if k.lower() != "authorization"}}
    fault = server.control.take(service, refusal=True)
    if fault and fault.fault == "hang":
        await wire.forever()
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    answer = None
    if fault:
        answer = refuse(request_id, fault.fault)
    elif scheme not in ("Token", "token", "Bearer") or not server.deepgram_key_ok(key):
        answer = refuse(request_id, "401")
    elif count.open >= limit:
        answer = refuse(request_id, "429")
    if answer is not None:
        count.refused += 1
    return request_id, answer


async def listen(request: web.Request) -> web.StreamResponse:
    server = request.app[wire.SERVER]
    request_id, refused = await admit(server, request, "stt", server.stt_limit)
    if refused is not None:
        return refused
    try:
        params = Params(request.query)
    except BadQuery as e:
        server.control.counters["stt"].refused += 1
        return refuse(request_id, "400", str(e))
    return await Stream(server, request, params, request_id).run()
