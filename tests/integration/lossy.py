"""A bad network between one machine and itself: a UDP relay that loses,
delays and reorders packets in both directions."""
from __future__ import annotations

import asyncio
import random
import threading


class _Side(asyncio.DatagramProtocol):
    """A socket of the relay; what it hears goes to `heard(data, address)`."""

    def __init__(self, heard):
        self.heard = heard
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data, address) -> None:
        self.heard(data, address)


class LossyRelay:
    """Listens on `listen`, speaks to `server` with one socket for each client."""

    def __init__(self, listen: tuple[str, int], server: tuple[str, int], loss: float,
                 jitter_ms: float, seed: int = 1):
        self.listen, self.server = listen, server
        self.loss, self.jitter = loss, jitter_ms / 1000
        self.random = random.Random(seed)
        self.passed = self.lost = 0
        self.clients: dict[tuple, asyncio.DatagramTransport] = {}
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.front = asyncio.run_coroutine_threadsafe(self._open(), self.loop).result(5)

    async def _open(self):
        front, _ = await self.loop.create_datagram_endpoint(
            lambda: _Side(self._from_client), local_addr=self.listen)
        return front

    def _later(self, send, data: bytes, address=None) -> None:
        if self.random.random() < self.loss:
            self.lost += 1
            return
        self.passed += 1
        self.loop.call_later(self.random.random() * self.jitter, send, data, address)

    def _from_client(self, data, address) -> None:
        back = self.clients.get(address)
        if back:
            self._later(back.sendto, data)
        else:
            self.loop.create_task(self._meet(data, address))

    async def _meet(self, data, address) -> None:
        if address not in self.clients:
            back, _ = await self.loop.create_datagram_endpoint(
                lambda: _Side(lambda d, _a: self._later(self.front.sendto, d, address)),
                remote_addr=self.server)
            self.clients.setdefault(address, back)
        self._later(self.clients[address].sendto, data)

    def stop(self) -> None:
        def close():
            self.front.close()
            for back in self.clients.values():
                back.close()
            self.loop.call_soon(self.loop.stop)
        self.loop.call_soon_threadsafe(close)
