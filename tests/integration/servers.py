"""Processes that the tests start on loopback: the LiveKit server, frontdesk.

Each takes free ports, keeps its log in a file, and is stopped by its own id.
"""
from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLINICS = Path(__file__).parent / "clinics"  # of the tests: fixed words, no database
API_KEY, API_SECRET = "devkey", "devsecret-devsecret-devsecret-devsecret"

CONFIG = """\
port: {port}
bind_addresses: ["127.0.0.1"]
keys: {{ {key}: {secret} }}
rtc:
  tcp_port: {tcp}
  udp_port: {udp}
  use_external_ip: false
  node_ip: 127.0.0.1
  enable_loopback_candidate: true
  use_ice_lite: {lite}
  interfaces: {{ includes: [lo] }}
logging: {{ level: info, json: true }}
room: {{ empty_timeout: 30, departure_timeout: 3, auto_create: true }}
"""


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def livekit_binary() -> str | None:
    """The one tests/run made, or any that is installed."""
    cached = ROOT / ".cache" / "bin" / "livekit-server"
    named = os.environ.get("FRONTDESK_LIVEKIT_SERVER")
    return named or (str(cached) if cached.exists() else shutil.which("livekit-server"))


class Process:
    """One child with a log file; stop() ends it and returns its exit code."""

    def __init__(self, log: Path):
        self.log, self.child = log, None

    def spawn(self, argv: list[str], env: dict | None = None) -> None:
        with open(self.log, "ab") as out:
            self.child = subprocess.Popen(argv, stdout=out, stderr=out, cwd=ROOT, env=env)

    def alive(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def signal(self, number: int) -> None:
        self.child.send_signal(number)

    def wait(self, seconds: float) -> int:
        return self.child.wait(seconds)

    def stop(self, seconds: float = 5) -> int:
        if self.alive():
            self.child.terminate()
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        return self.child.returncode if self.child else 0

    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class LiveKitServer(Process):
    def __init__(self, folder: Path, lite: bool = False):
        super().__init__(folder / "livekit.log")
        self.port = free_port()
        self.key, self.secret = API_KEY, API_SECRET
        self.config = folder / "livekit.yaml"
        self.config.write_text(CONFIG.format(
            port=self.port, tcp=free_port(), udp=free_port(socket.SOCK_DGRAM), key=API_KEY,
            secret=API_SECRET, lite=str(lite).lower()))
        self.url, self.http = f"ws://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.port}"

    def start(self) -> "LiveKitServer":
        self.spawn([livekit_binary(), "--config", str(self.config)])
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            if not self.alive():
                break
            try:
                urllib.request.urlopen(self.http, timeout=1).read()
                return self
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise RuntimeError(f"the LiveKit server did not start:\n{self.text()[-2000:]}")

    def job_status(self, room: str) -> str | None:
        """How the room's job ended ("JS_SUCCESS"), from the server's own log;
        its API goes on telling "running"."""
        ids, status = set(), None
        for line in self.text().splitlines():
            if "assigned job to worker" in line and f'"room":"{room}"' in line:
                ids.add(json.loads(line)["jobID"])
            elif '"msg":"job ended"' in line and json.loads(line)["jobID"] in ids:
                status = json.loads(line)["status"]
        return status

    def restart(self) -> None:
        """Away and back on the same ports, as in an update."""
        self.stop()
        self.start()


def has_sanitizers(binary: Path) -> bool:
    """Several times slower, and freed memory is kept for a while."""
    code = binary.read_bytes() if binary.exists() else b""
    return b"__asan_init" in code or b"__tsan_init" in code


class Frontdesk(Process):
    """frontdesk job against local servers."""

    def __init__(self, binary: Path, folder: Path, livekit: LiveKitServer, standins,
                 clinics: Path, agent: str = "frontdesk-test", **env: str):
        super().__init__(folder / "frontdesk.log")
        self.binary, self.clinics, self.agent = binary, clinics, agent
        self.env = dict(os.environ)
        for name in ("SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"):
            self.env.pop(name, None)
        self.env.update({
            "ENVIRONMENT": "development", "LIVEKIT_URL": livekit.url,
            "LIVEKIT_API_KEY": livekit.key, "LIVEKIT_API_SECRET": livekit.secret,
            "LIVEKIT_AGENT_NAME": agent, "DEEPGRAM_URL": standins.deepgram_url,
            "DEEPGRAM_API_KEY": "dg-test", "OPENAI_BASE_URL": standins.openai_base_url,
            "OPENAI_API_KEY": "sk-test", "FRONTDESK_STATE_DIR": str(folder / "state"),
            "FRONTDESK_LOG": "debug"})
        self.sanitized = has_sanitizers(binary)
        if self.sanitized:  # GLib's own allocator hides what it hands out
            self.env.setdefault("TSAN_OPTIONS", f"suppressions={ROOT}/tests/support/tsan.supp")
            self.env.setdefault("G_SLICE", "always-malloc")
        self.env.update(env)
        (folder / "state").mkdir(exist_ok=True)

    def start(self, *flags: str) -> "Frontdesk":
        self.spawn([str(self.binary), "job", "--clinics", str(self.clinics), *flags], self.env)
        return self

    def wait_for(self, event: str, seconds: float, times: int = 1) -> None:
        """Until the log has that event so many times."""
        deadline = time.monotonic() + seconds
        while self.text().count(event) < times:
            if not self.alive():
                raise AssertionError(f"the job ended with {self.child.returncode}:\n{self.text()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"no {event} in {seconds} s:\n{self.text()[-4000:]}")
            time.sleep(0.02)

    def rss_kib(self) -> int:
        for line in open(f"/proc/{self.child.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1])
        return 0

    def handles(self, number: int) -> bool:
        """Whether it has a handler for that signal by now."""
        for line in open(f"/proc/{self.child.pid}/status"):
            if line.startswith("SigCgt"):
                return bool(int(line.split()[1], 16) >> (number - 1) & 1)
        return False

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.child.pid}/fd"))


class Proxy:
    """A TCP proxy before the LiveKit server, to cut one kind of connection:
    "/agent" is the worker's socket, "/rtc" a room's signalling."""

    def __init__(self, server: LiveKitServer):
        self.server = server
        self.key, self.secret = server.key, server.secret
        self.loop = asyncio.new_event_loop()
        self.open: list[tuple[str, list]] = []  # path, both writers
        self.refusing = ""                      # path that is turned away
        self.seen: list[str] = []
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.listener = self._call(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = self.listener.sockets[0].getsockname()[1]
        self.url, self.http = f"ws://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.port}"

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(5)

    async def _serve(self, reader, writer) -> None:
        try:
            head = await reader.readuntil(b"\r\n")
            path = head.split(b" ")[1].decode()
            self.seen.append(path.split("?")[0])
            if self.refusing and path.startswith(self.refusing):
                writer.close()
                return
            back, forth = await asyncio.open_connection("127.0.0.1", self.server.port)
        except (OSError, IndexError, asyncio.IncompleteReadError):
            writer.close()
            return
        entry = (path, [writer, forth])
        self.open.append(entry)
        forth.write(head)
        await asyncio.gather(self._pump(reader, forth), self._pump(back, writer))
        self.open.remove(entry)

    @staticmethod
    async def _pump(source, sink) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()

    async def _cut(self, path: str) -> int:
        hit = [writers for p, writers in self.open if p.startswith(path)]
        for writers in hit:
            for w in writers:
                w.transport.abort()
        return len(hit)

    def cut(self, path: str) -> int:
        """Resets the connections of that path; how many there were."""
        return self._call(self._cut(path))

    def stop(self) -> None:
        self._call(self._cut("/"))
        self.loop.call_soon_threadsafe(self.loop.stop)
