"""Small things both stand-ins need on the wire."""
from __future__ import annotations

import asyncio
import socket
import struct

from aiohttp import web

SERVER = web.AppKey("server", object)


def abort(request: web.Request) -> None:
    """Ends the connection with a reset: no close frame, no last chunk."""
    transport = request.transport
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def forever() -> None:
    """Until the client gives up, or the server ends."""
    await asyncio.Event().wait()
