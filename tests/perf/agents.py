"""livekit-agents in the place of our job: its column of the table."""
from __future__ import annotations

import os
import time
from pathlib import Path

from tests.integration.servers import ROOT, Process, free_port

from .dispatch import dispatch
from .interrupt import LONG, OVER
from .rig import Rig, Robots, quantile
from .talk import TURNS, middle

CALLS = 2      # more than a few do not fit on two cores
WAITS_S = 40   # for its processes to settle


def python() -> str:
    return os.environ.get("FRONTDESK_AGENTS_PYTHON", str(ROOT / ".cache/agents-venv/bin/python"))


def missing() -> str:
    where = Path(python())
    if not where.exists():
        return f"no {where}"
    packages = where.parent.parent.glob("lib/python3*/site-packages/livekit_agents-*")
    return "" if list(packages) else "the package is not installed there"


class Worker(Process):
    def __init__(self, rig: Rig):
        super().__init__(rig.folder / "agents.log")
        self.agent = "perf-agents"
        self.env = dict(os.environ, LIVEKIT_URL=rig.livekit.url, LIVEKIT_API_KEY=rig.livekit.key,
                        LIVEKIT_API_SECRET=rig.livekit.secret, LIVEKIT_AGENT_NAME=self.agent,
                        DEEPGRAM_URL=rig.standins.deepgram_url, DEEPGRAM_API_KEY="dg-test",
                        OPENAI_BASE_URL=rig.standins.openai_base_url, OPENAI_API_KEY="sk-test",
                        FRONTDESK_AGENTS_PORT=str(free_port()))

    def start(self) -> "Worker":
        began = time.monotonic()
        self.spawn([python(), str(ROOT / "tests/perf/agents_worker.py"), "start"], self.env)
        while "registered worker" not in self.text():
            if not self.alive() or time.monotonic() - began > 60:
                raise RuntimeError(f"livekit-agents did not register:\n{self.text()[-2000:]}")
            time.sleep(0.005)
        self.start_s = time.monotonic() - began
        return self

    def tree(self) -> list[int]:
        parent = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    stat = open(f"/proc/{entry}/stat").read()
                    parent[int(entry)] = int(stat.rsplit(")", 1)[1].split()[1])
                except OSError:
                    continue
        mine = [self.child.pid]
        for pid in mine:
            mine += [p for p, of in parent.items() if of == pid]
        return mine

    def pss_mb(self) -> float:
        total = 0
        for pid in self.tree():
            try:
                total += sum(int(line.split()[1]) for line in open(f"/proc/{pid}/smaps_rollup")
                             if line.startswith("Pss:"))
            except OSError:
                continue
        return total / 1024

    def cpu_s(self) -> float:
        total = 0.0
        for pid in self.tree():
            try:
                total += time.clock_gettime((~pid << 3) | 2)
            except OSError:
                continue
        return total


def _talk(rig: Rig, worker: Worker, calls: int) -> dict:
    robots = Robots(rig, rig.folder / "robots.log", worker.agent, [rig.wav(n) for n in TURNS[:4]],
                    calls=calls, stagger_ms=500, clinic="")
    time.sleep(10)  # all have joined and talk
    most, cpu, began = 0.0, worker.cpu_s(), time.monotonic()
    for _ in range(10):
        time.sleep(1)
        most = max(most, worker.pss_mb())
    cpu = (worker.cpu_s() - cpu) / (time.monotonic() - began) / calls
    return {**robots.result(), "cpu": cpu, "pss": most}


def _interrupt(rig: Rig, worker: Worker) -> list[int]:
    rig.standins.order(clear=True, script=[{"text": f"This is answer {i}, {LONG}."}
                                           for i in range(60)])
    words = OVER[:8]
    robots = Robots(rig, rig.folder / "robots.log", worker.agent,
                    [rig.wav("story")] + [rig.wav(w) for w in words], over_ms=1200, limit_s=100,
                    clinic="")
    talk = robots.result()["talks"][0]
    rig.standins.order(clear=True)
    return [t["cut_ms"] for t in talk["turns"][1:] if t["cut_ms"] >= 0]


def _settle(worker: Worker) -> float:
    """Its processes in reserve load for a while."""
    deadline, before = time.monotonic() + WAITS_S, 0.0
    while time.monotonic() < deadline:
        time.sleep(4)
        now = worker.pss_mb()
        if before and abs(now - before) < 2:
            return now
        before = now
    return before


def fill(rig: Rig, rows: list, say) -> None:
    rig.standins.order(clear=True)
    worker = Worker(rig).start()
    by_name = {r.name: r for r in rows}

    def put(start: str, text: str) -> None:
        for name, row in by_name.items():
            if name.strip(" (").startswith(start):
                row.agents = text

    try:
        put("start to", f"{worker.start_s * 1000:.0f} ms")
        idle = _settle(worker)
        put("memory idle", f"{idle:.0f} MB PSS")
        ms = dispatch(rig, worker.agent, 5, "{}")[1:]
        put("dispatch API", f"{middle(ms):.0f} ms")
        _settle(worker)
        one = _talk(rig, worker, 1)
        say(f"  one call: {one['cpu']:.3f} core, {one['pss'] - idle:.0f} MB more")
        many = _talk(rig, worker, CALLS)
        put("memory per", f"{(many['pss'] - one['pss']) / (CALLS - 1):.0f} MB")
        put("CPU per", f"{many['cpu']:.3f} core")
        put("host CPU for 100", f"{many['cpu'] * 100:.0f} cores")
        if "reply_ms" in one:
            put("end of speech", f"{one['reply_ms']['median']} ms")
        cuts = _interrupt(rig, worker)
        put("the same at", f"{middle(cuts)}, {quantile(cuts, .95)} ms" if cuts else "?")
    finally:
        worker.stop(20)
