"""Processes that the tests start on loopback: the LiveKit server, frontdesk.

Each takes free ports, keeps its log in a file, and is stopped by its own id.
"""
from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
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
    named = os.environ.get("LIVEKIT_SERVER")
    return named if named else shutil.which("livekit-server")


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
        return self.child.returncode

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

    def restart(self) -> None:
        """Away and back on the same ports, as in an update."""
        self.stop()
        self.start()


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
        self.env.update(env)
        (folder / "state").mkdir(exist_ok=True)

    def start(self, *flags: str) -> "Frontdesk":
        self.spawn([str(self.binary), "job", "--clinics", str(self.clinics), *flags], self.env)
        return self

    def events(self, name: str | None = None) -> list[dict]:
        """Log lines that are JSON objects, those of one event if named."""
        out = []
        for line in self.text().splitlines():
            try:
                e = json.loads(line)
            except ValueError:
                continue
            if isinstance(e, dict) and (name is None or name in (e.get("event"), e.get("message"))):
                out.append(e)
        return out

    def rss_kib(self) -> int:
        for line in open(f"/proc/{self.child.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1])
        return 0


def kill_socket(pid: int, port: int) -> int:
    """Resets TCP connections of a process to a port (ss -K); how many."""
    out = subprocess.run(["ss", "-tnpH", "state", "established", f"dport = :{port}"],
                         capture_output=True, text=True).stdout
    hit = [line for line in out.splitlines() if f"pid={pid}," in line]
    for line in hit:
        source = line.split()[2].rsplit(":", 1)[1]
        subprocess.run(["ss", "-K", f"sport = :{source}", f"dport = :{port}"],
                       capture_output=True)
    return len(hit)


def terminate(process: Process) -> None:
    process.signal(signal.SIGTERM)
