"""Both providers on one loopback port, with /control beside them."""
from __future__ import annotations

import asyncio
import json
import threading
import urllib.request

from aiohttp import web

from . import aura, deepgram, openai, phrases, responses, wire
from .ear import Book, Ear
from .faults import Control, Delays

_book: Book | None = None


def book() -> Book:
    global _book
    if _book is None:
        _book = Book()
    return _book


class Server:
    """Made and run on one event loop; `control` may be read from it only."""

    def __init__(self, ear: str = "marked", voice: str = "tone", fast: bool = False,
                 deepgram_key: str | None = None, openai_key: str | None = None):
        self.control = Control(Delays())
        if fast:
            self.control.delays.fast()
        self.ear_kind, self.voice = ear, voice
        self.deepgram_key, self.openai_key = deepgram_key, openai_key
        self.stt_limit, self.tts_limit, self.flush_limit = 150, 45, 20
        self.book = book() if ear == "marked" else None
        if ear == "real":
            from . import whisper
            whisper.warm()
        self.runner: web.AppRunner | None = None
        self.port = 0

    def make_ear(self, rate: int):
        if self.ear_kind == "marked":
            return Ear(self.book, rate)
        from .whisper import WhisperEar
        return WhisperEar(rate)

    def deepgram_key_ok(self, key: str) -> bool:
        return bool(key) and (self.deepgram_key is None or key == self.deepgram_key)

    def openai_key_ok(self, key: str) -> bool:
        return bool(key) and (self.openai_key is None or key == self.openai_key)

    async def get_control(self, _request: web.Request) -> web.Response:
        return web.json_response(self.control.state())

    async def get_marks(self, _request: web.Request) -> web.Response:
        return web.json_response(list(self.control.marks))

    async def post_control(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
            if self.book and body.get("phrases"):
                loop = asyncio.get_running_loop()
                for text in body["phrases"]:  # made aside, put into the book here
                    await loop.run_in_executor(None, phrases.speech, text, text)
                self.book.add(body["phrases"])
            return web.json_response(self.control.order(body))
        except (ValueError, TypeError, AttributeError) as e:
            return web.json_response({"error": str(e)}, status=400)

    def app(self) -> web.Application:
        # Handlers end when their client goes away: an abandoned reply costs nothing.
        app = web.Application(client_max_size=8 << 20)
        app[wire.SERVER] = self
        app.add_routes([
            web.get("/v1/listen", deepgram.listen),
            web.get("/v1/speak", aura.speak_socket),
            web.post("/v1/speak", aura.speak_rest),
            web.post("/v1/chat/completions", openai.chat),
            web.post("/v1/responses", responses.responses),
            web.post("/v1/audio/speech", responses.speech),
            web.get("/v1/models", openai.models),
            web.get("/v1/models/{name}", openai.models),
            web.get("/control", self.get_control),
            web.get("/control/marks", self.get_marks),
            web.post("/control", self.post_control),
        ])
        return app

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> int:
        self.runner = web.AppRunner(self.app(), access_log=None, handler_cancellation=True,
                                    shutdown_timeout=0.2)
        await self.runner.setup()
        site = web.TCPSite(self.runner, host, port)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        return self.port

    async def stop(self) -> None:
        if self.runner:
            await self.runner.cleanup()

    def addresses(self) -> dict:
        at = f"127.0.0.1:{self.port}"
        return {"port": self.port, "deepgram": f"ws://{at}", "openai": f"http://{at}/v1",
                "control": f"http://{at}/control"}


class Standins:
    """A Server on a thread of its own, for tests."""

    def __init__(self, **options):
        self.server = Server(**options)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def start(self) -> "Standins":
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.server.start(), self.loop).result(30)
        at = self.server.addresses()
        self.deepgram_url, self.openai_base_url, self.control = (
            at["deepgram"], at["openai"], at["control"])
        self.deepgram_http = self.deepgram_url.replace("ws:", "http:")
        return self

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self.server.stop(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)

    def order(self, **body) -> dict:
        request = urllib.request.Request(self.control, json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as r:
            return json.load(r)

    def state(self) -> dict:
        with urllib.request.urlopen(self.control, timeout=10) as r:
            return json.load(r)
