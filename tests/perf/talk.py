"""Calls at once in conversation: memory, CPU, beats, latency, what was lost."""
from __future__ import annotations

import time
from dataclasses import dataclass, field

from .rig import Rig, Sleeper, cpu_s, quantile

TURNS = ("hours", "price", "address", "insurance", "pain", "children")
STAGGER_MS = 200


@dataclass
class Talk:
    calls: int
    answered: int = 0
    start_ms: float = 0
    idle_dirty: int = 0
    idle_rss: int = 0
    talk_dirty: int = 0
    cpu: float = 0            # cores a call
    others: dict = field(default_factory=dict)  # cores in all of those around us
    first_rtp_ms: list = field(default_factory=list)
    reply_ms: list = field(default_factory=list)
    added_ms: list = field(default_factory=list)   # by the host, a turn
    parts_ms: list = field(default_factory=list)   # ... (stt to llm, llm to tts, tts to sound)
    late: int = 0
    beats: int = 0
    control_late: int = 0
    control_all: int = 0
    control_worst_ms: float = 0
    concealed: int = 0        # by the robots: our packets
    lost: int = 0
    packets: int = 0
    host_concealed: int = 0   # by the host: the callers' packets
    received: int = 0
    underruns: int = 0
    longest_ms: int = 0

    @property
    def share(self) -> float:
        return self.late / max(1, self.beats)

    @property
    def control_share(self) -> float:
        return self.control_late / max(1, self.control_all)


def _script(n: int) -> list[dict]:
    """Answers that can be told apart: which request led to which sound."""
    return [{"text": f"For question {i} we are open Monday to Friday from eight to five."}
            for i in range(n)]


def _wait_answered(job, robots, calls: int) -> None:
    deadline = time.monotonic() + 20 + calls
    while len(job.events("call.answered")) < calls:
        if robots.child.poll() is not None or time.monotonic() > deadline:
            return
        time.sleep(0.05)


def _measure(rig: Rig, job, robots, t: Talk) -> None:
    """From the moment that all talk until the first one leaves."""
    around = {"server": rig.livekit.child.pid, "robots": robots.child.pid,
              "stand-ins": rig.standins.child.pid}
    before = {name: cpu_s(pid) for name, pid in around.items()}
    cpu, began = job.cpu_s(), time.monotonic()
    while robots.child.poll() is None and not job.events("call.ended"):
        at = time.monotonic()
        t.talk_dirty = max(t.talk_dirty, job.memory().dirty)
        now = job.cpu_s()
        passed = time.monotonic() - began
        t.cpu = (now - cpu) / passed / t.calls
        if robots.child.poll() is None:
            t.others = {name: round((cpu_s(pid) - before[name]) / passed, 3)
                        for name, pid in around.items()}
        time.sleep(max(0.05, 0.25 - (time.monotonic() - at)))


def talk(rig: Rig, calls: int, turns: int = 4) -> Talk:
    t = Talk(calls)
    rig.standins.order(clear=True, script=_script(3 * calls * turns))
    with Sleeper() as control:
        with rig.job() as job:
            t.start_ms = job.start_ms
            time.sleep(0.5)
            t.idle_dirty, t.idle_rss = job.memory().dirty, job.memory().rss
            robots = rig.robots(job, [rig.wav(n) for n in TURNS[:turns]], calls=calls,
                                stagger_ms=STAGGER_MS)
            _wait_answered(job, robots, calls)
            _measure(rig, job, robots, t)
            result = robots.result()
            time.sleep(0.5)
    t.control_late, t.control_all = control.read["late"], control.read["all"]
    t.control_worst_ms = control.read["worst_ms"]
    t.late, t.beats = job.beats()
    _read(rig, job, result, t)
    rig.standins.order(clear=True)
    return t


def _read(rig: Rig, job, result: dict, t: Talk) -> None:
    t.answered = result["answered"]
    t.packets, t.lost, t.concealed = result["packets"], result["lost"], result["concealed"]
    t.longest_ms = max((x["longest_ms"] for x in result["talks"]), default=0)
    t.reply_ms = [turn["reply_ms"] for x in result["talks"] for turn in x["turns"]
                  if turn["reply_ms"] >= 0]
    asked = {e["job"]: int(e["us"]) for e in job.events("job.request")}
    for e in job.events("call.audio"):
        if int(e["first_sent_us"]):
            t.first_rtp_ms.append((int(e["first_sent_us"]) - asked[e["call"]]) / 1000)
        t.host_concealed += int(e["concealed"])
        t.received += int(e["received"])
        t.underruns += int(e["underruns"])
    t.parts_ms = host_parts(job, rig.standins.marks())
    t.added_ms = [sum(p) for p in t.parts_ms]


# ---- what the host adds between a transcript and the first sound ----------------


def _order_of_calls(job) -> list[str]:
    return [e["call"] for e in job.events("call.answered")]


def _spoken_texts(job) -> dict[str, list[str]]:
    """Texts by the last six characters of the call's id, from the job's terminal."""
    said: dict[str, list[str]] = {}
    for line in job.out.read_text(errors="replace").splitlines():
        parts = line.split(None, 4)
        if len(parts) == 5 and parts[3] == "agent:":
            said.setdefault(parts[2], []).append(parts[4])
    return said


def host_parts(job, marks: list[list]) -> list[tuple[float, float, float]]:
    """For each answer, the three times that pass inside the host: final
    transcript sent to model asked; the last word of the first clause sent to
    that clause with the voice; its first audio sent to our first packet out.
    What the providers take in between is not counted, whatever it was."""
    sounds: dict[str, list[float]] = {}
    for e in job.events("call.sounds"):
        sounds.setdefault(e["call"], []).append(int(e["us"]) / 1e6)
    streams = [m[3] for m in marks if m[1:3] == ["stt", "open"]]
    stream_of = dict(zip(_order_of_calls(job), streams))
    out = []
    for call, stream in stream_of.items():
        texts = _spoken_texts(job).get(call[-6:], [])
        finals = [m[0] for m in marks if m[1] == "stt" and m[2] == "final" and m[3] == stream]
        since = 0.0
        for text, sound in zip(texts[1:], sounds.get(call, [])[1:]):
            part = _parts(marks, text, [f for f in finals if f > since], sound)
            since = sound
            if part:
                out.append(part)
    return out


def _parts(marks, text: str, finals: list[float], sound: float):
    spoken = [(m[0], m[3]) for m in marks if m[1:3] == ["tts", "text"] and m[4].strip()
              and text.startswith(m[4].strip())]
    reply = [m[3] for m in marks if m[1:3] == ["llm", "reply"] and m[4].strip() == text.strip()]
    if not spoken or not reply:
        return None
    said_at, socket = spoken[0]
    clause = next(m[4] for m in marks if m[0] == said_at and m[3] == socket)
    mine = [m for m in marks if m[1] == "llm" and m[3] == reply[-1]]
    asked = next(m[0] for m in mine if m[2] == "asked")
    words = [m[0] for m in mine if m[2] == "delta" and int(m[4]) == len(clause.split()) - 1]
    audio = [m[0] for m in marks if m[1:3] == ["tts", "audio"] and m[3] == socket
             and said_at <= m[0] <= sound]
    if not words or not audio:
        return None
    # asked before any final came: on an interim, nothing was waited for
    heard = max((f for f in finals if f <= asked), default=asked)
    return ((asked - heard) * 1000, max(0.0, said_at - words[0]) * 1000,
            (sound - audio[0]) * 1000)


def middle(values):
    return quantile(values, 0.5)
