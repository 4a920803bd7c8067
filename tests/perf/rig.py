"""What a measurement needs: server, stand-ins, a job, robots, the control.

Every process is ours, on free ports, and stopped by its id. Logs stay in one
folder a run. Times of log events and of the stand-ins' marks are on the
machine's monotonic clock.
"""
from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from tests.integration.servers import ROOT, Frontdesk, LiveKitServer, Process
from tests.standins import phrases

CLINICS = ROOT / "tests/integration/clinics"
BIN = Path(os.environ.get("FRONTDESK_BIN_DIR", ROOT / "build/release/bin"))
VOICED_DBOV = 38     # a listener calls this voice; as in tests/unit/audio/test_voice.c
RATE = 24000


def level_dbov(x: np.ndarray) -> float:
    power = np.mean(x.astype(np.float64) ** 2) / 32768 ** 2
    return -10 * np.log10(power + 1e-13)


def trim(pcm: np.ndarray) -> np.ndarray:
    """From the first 20 ms that are voiced to the last: the WAV's edges are
    silence, and would be taken for slowness."""
    size, hop = RATE // 50, RATE // 500
    loud = [i for i in range(0, len(pcm) - size, hop)
            if level_dbov(pcm[i:i + size]) < VOICED_DBOV]
    return pcm[loud[0]:loud[-1] + size]


def wav(folder: Path, name: str) -> Path:
    path = folder / f"{name}.wav"
    if not path.exists():
        pcm = trim(phrases.caller_audio(name, RATE))
        part = path.with_suffix(f".{os.getpid()}")
        phrases.write_wav(part, pcm, RATE)
        part.rename(path)
    return path


def cpu_s(pid: int) -> float:
    """CPU time of all threads of a process, to the nanosecond."""
    return time.clock_gettime((~pid << 3) | 2)


class StandinProcess(Process):
    """The providers in a process of their own, with the delays of a good day."""

    def start(self) -> "StandinProcess":
        self.out = subprocess.PIPE
        with open(self.log, "ab") as err:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "tests.standins"], stdout=subprocess.PIPE, stderr=err,
                cwd=ROOT, text=True)
        at = json.loads(self.child.stdout.readline())
        self.deepgram_url, self.openai_base_url, self.control = (
            at["deepgram"], at["openai"], at["control"])
        return self

    def order(self, **body) -> dict:
        request = urllib.request.Request(self.control, json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as r:
            return json.load(r)

    def marks(self) -> list[list]:
        with urllib.request.urlopen(self.control + "/marks", timeout=30) as r:
            return json.load(r)


class Sleeper:
    """The control: what a thread misses that does nothing but sleep."""

    def __enter__(self) -> "Sleeper":
        self.child = subprocess.Popen([BIN / "sleeper"], stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_) -> None:
        self.child.send_signal(signal.SIGTERM)
        self.read = json.loads(self.child.communicate(timeout=10)[0])

    @property
    def share(self) -> float:
        return self.read["late"] / max(1, self.read["all"])


class Job(Frontdesk):
    """frontdesk job with a log that is read as events."""

    def __init__(self, rig: "Rig", folder: Path, clinics: Path = CLINICS, standins=None,
                 agent: str = "frontdesk-perf", **env: str):
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(BIN / "frontdesk", folder, rig.livekit, standins or rig.standins,
                         clinics, agent, FRONTDESK_MAX_CALLS="200", **env)
        self.out = folder / "frontdesk.out"

    def spawn(self, argv, env=None) -> None:
        with open(self.log, "ab") as err, open(self.out, "ab") as out:
            self.child = subprocess.Popen(argv, stdout=out, stderr=err, cwd=ROOT, env=env)

    def start(self, *flags: str) -> "Job":
        began = time.monotonic()
        super().start(*flags)
        while "job.registered" not in self.text():
            if not self.alive() or time.monotonic() - began > 30:
                raise RuntimeError(f"the job did not register:\n{self.text()}")
            time.sleep(0.001)
        self.start_ms = (time.monotonic() - began) * 1000
        return self

    def events(self, name: str) -> list[dict]:
        out = []
        for line in self.text().splitlines():
            if f" {name} " in line + " ":
                out.append(dict(re.findall(r"(\w+)=(\S+)", line)))
        return out

    def cpu_s(self) -> float:
        return cpu_s(self.child.pid)

    def memory(self) -> SimpleNamespace:
        """kB, from smaps_rollup."""
        kb = {}
        for line in open(f"/proc/{self.child.pid}/smaps_rollup"):
            parts = line.split()
            if len(parts) == 3 and parts[2] == "kB":
                kb[parts[0].rstrip(":")] = int(parts[1])
        return SimpleNamespace(dirty=kb["Private_Dirty"], rss=kb["Rss"], pss=kb["Pss"])

    def beats(self) -> tuple[int, int]:
        """After its end: late, all."""
        e = self.events("job.beats")[-1]
        return int(e["late"]), int(e["all"])


class Robots(Process):
    """frontdesk call --json."""

    def __init__(self, rig: "Rig", log: Path, agent: str, wavs: list[Path], calls: int = 1,
                 stagger_ms: int = 0, over_ms: int = 0, clinic: str = "practice",
                 limit_s: int = 120):
        super().__init__(log)
        env = dict(os.environ, ENVIRONMENT="development", LIVEKIT_URL=rig.livekit.url,
                   LIVEKIT_API_KEY=rig.livekit.key, LIVEKIT_API_SECRET=rig.livekit.secret)
        argv = [str(BIN / "frontdesk"), "call", "--json", "--agent", agent, "--calls", str(calls),
                "--metadata", json.dumps({"clinic": clinic} if clinic else {}),
                "--stagger", str(stagger_ms), "--limit", str(limit_s)]
        if over_ms:
            argv += ["--over", str(over_ms)]
        with open(log, "ab") as err:
            self.child = subprocess.Popen(argv + [str(w) for w in wavs], stdout=subprocess.PIPE,
                                          stderr=err, cwd=ROOT, env=env, text=True)

    def result(self, seconds: float = 200) -> dict:
        text, _ = self.child.communicate(timeout=seconds)
        return json.loads(text)


class Rig:
    """One LiveKit server and one set of stand-ins for a whole run."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.wavs = folder / "wavs"
        self.wavs.mkdir(parents=True, exist_ok=True)
        self.runs = 0
        self.held = contextlib.ExitStack()

    def __enter__(self) -> "Rig":
        self.livekit = LiveKitServer(self.folder).start()
        self.held.callback(self.livekit.stop)
        self.standins = StandinProcess(self.folder / "standins.log").start()
        self.held.callback(self.standins.stop)
        return self

    def __exit__(self, *_) -> None:
        self.held.close()

    def wav(self, name: str) -> Path:
        return wav(self.wavs, name)

    @contextlib.contextmanager
    def job(self, **more):
        self.runs += 1
        agent = more.pop("agent", f"perf-{self.runs}")
        job = Job(self, self.folder / f"job{self.runs}", agent=agent, **more).start()
        try:
            yield job
        finally:
            job.stop(15)

    def robots(self, job, wavs: list[Path], **more) -> Robots:
        return Robots(self, self.folder / "robots.log", job.agent, wavs, **more)


def quantile(values, q: float):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else None
