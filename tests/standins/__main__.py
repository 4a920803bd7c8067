"""python -m tests.standins: serves until it is told to stop.

Prints one line of JSON with the addresses when it is ready.
"""
from __future__ import annotations

import argparse
import asyncio
import json
import signal

from .server import Server


async def serve(a: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for s in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(s, stop.set)
    server = Server(a.ear, a.voice, a.fast, a.deepgram_key, a.openai_key)
    if a.phrases and server.book:
        server.book.add([line.strip() for line in open(a.phrases) if line.strip()])
    await server.start(a.port, a.host)
    print(json.dumps(server.addresses()), flush=True)
    await stop.wait()
    await server.stop()


def main() -> None:
    p = argparse.ArgumentParser(prog="python -m tests.standins", description=__doc__)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--ear", choices=("marked", "real"), default="marked")
    p.add_argument("--voice", choices=("tone", "real"), default="tone")
    p.add_argument("--fast", action="store_true", help="almost no delays")
    p.add_argument("--phrases", help="file of further phrases to know, one a line")
    p.add_argument("--deepgram-key", help="the only key to accept (default: any)")
    p.add_argument("--openai-key")
    asyncio.run(serve(p.parse_args()))


main()
