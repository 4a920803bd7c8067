"""Two hosts that reach each other through this machine alone: network
namespaces for the LiveKit server and for frontdesk, with no route between.

	server 10.77.1.1 -- 10.77.1.2 (here) 10.77.2.2 -- 10.77.2.1 frontdesk
"""
from __future__ import annotations

import asyncio
import contextlib
import subprocess
import threading
from pathlib import Path

SERVER, HERE, JOB = "10.77.1.1", "10.77.2.2", "10.77.2.1"
_LINKS = (("fd-server", "fdserver", "10.77.1.2/24", "10.77.1.1/24"),
          ("fd-job", "fdjob", "10.77.2.2/24", "10.77.2.1/24"))


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True)


def may_mount() -> bool:
    """Whether a mount namespace may be made here (root, no locked container)."""
    try:
        _run("unshare", "-m", "true")
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def try_up() -> bool:
    """Makes both hosts; false where namespaces may not be made."""
    try:
        up()
        for name, *_ in _LINKS:
            _run("ip", "netns", "exec", name, "true")
    except (OSError, subprocess.CalledProcessError):
        down()
        return False
    return True


def up() -> None:
    down()
    for name, link, here, there in _LINKS:
        _run("ip", "netns", "add", name)
        _run("ip", "link", "add", link, "type", "veth", "peer", "name", link + "1")
        _run("ip", "link", "set", link + "1", "netns", name)
        _run("ip", "addr", "add", here, "dev", link)
        _run("ip", "link", "set", link, "up")
        for inside in (("addr", "add", there, "dev", link + "1"),
                       ("link", "set", link + "1", "up"), ("link", "set", "lo", "up")):
            _run("ip", "-n", name, *inside)


def down() -> None:
    for name, link, *_ in _LINKS:
        for rest in (["netns", "del", name], ["link", "del", link]):
            with contextlib.suppress(OSError):
                subprocess.run(["ip", *rest], capture_output=True)


def inside(folder: Path, name: str, binary: str) -> Path:
    """A program that runs binary within the namespace."""
    wrapper = folder / f"in-{name}"
    wrapper.write_text(f'#!/bin/sh\nexec ip netns exec {name} "{binary}" "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


def with_hosts(folder: Path, binary: str, **names: str) -> Path:
    """A program that runs binary with these names in its /etc/hosts."""
    hosts, wrapper = folder / "hosts", folder / "with-hosts"
    hosts.write_text("127.0.0.1 localhost\n" + "".join(
        f"{address} {name.replace('_', '.')}\n" for name, address in names.items()))
    wrapper.write_text(
        "#!/bin/sh\nexec unshare -m sh -c 'mount --bind \"$0\" /etc/hosts && exec \"$@\"' "
        f'"{hosts}" "{binary}" "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


class Forward:
    """Passes TCP connections on to another address."""

    def __init__(self, host: str, to: tuple[str, int]):
        self.to = to
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        listener = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, host, 0), self.loop).result(5)
        self.port = listener.sockets[0].getsockname()[1]

    async def _serve(self, reader, writer) -> None:
        try:
            back, forth = await asyncio.open_connection(*self.to)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pipe(reader, forth), self._pipe(back, writer))

    @staticmethod
    async def _pipe(source, sink) -> None:
        try:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        sink.close()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
