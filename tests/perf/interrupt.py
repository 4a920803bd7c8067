"""The caller speaks over the agent: from the robot's first voiced packet to
the host's last sounding one, and to silence at the robot's ear.

Robot and host read the same monotonic clock, so the first figure holds the
way through the server, the host's jitter buffer, VAD and reflex, and nothing
of the robot's own.
"""
from __future__ import annotations

from dataclasses import dataclass, field

from .rig import Rig, Sleeper

# Onsets of every kind: stops, fricatives, nasals, vowels.
OVER = ("stop", "wait", "thanks", "hours", "person", "interrupt", "no", "yes", "price", "cancel",
        "first", "name", "both", "address", "insurance", "emergency", "there", "book", "hello",
        "move", "second", "pain", "morning", "digits")
LONG = ("and this is a long answer that goes on for quite a while so that the caller who knows "
        "all of it already may well speak over it before it has come to its end")
WINDOW_MS = 600  # a pause later than this was not the reflex on the first word


@dataclass
class Interruptions:
    calls: int
    host_ms: list = field(default_factory=list)
    by_word: list = field(default_factory=list)  # (name, host ms)
    ear_ms: list = field(default_factory=list)
    missed: int = 0
    control_share: float = 0


def interrupt(rig: Rig, calls: int, turns: int) -> Interruptions:
    """All calls say the same words, each a third of a second after the other."""
    out = Interruptions(calls)
    _run(rig, calls, OVER[:turns], out)
    return out


def _run(rig: Rig, calls: int, words, out: Interruptions) -> None:
    rig.standins.order(clear=True, script=[
        {"text": f"This is answer {i}, {LONG}."} for i in range(4 * calls * len(words))])
    with Sleeper() as control, rig.job() as job:
        robots = rig.robots(job, [rig.wav("story")] + [rig.wav(w) for w in words], calls=calls,
                            stagger_ms=330, over_ms=1200, limit_s=20 + 8 * len(words))
        result = robots.result(60 + 10 * len(words))
    rig.standins.order(clear=True)
    out.control_share = control.share
    _read(job, result, words, out)


def _read(job, result: dict, words, out: Interruptions) -> None:
    room_of = {e["job"]: e["room"] for e in job.events("job.call")}
    pauses: dict[str, list[int]] = {}
    for e in job.events("call.paused"):
        pauses.setdefault(room_of[e["call"]], []).append(int(e["us"]))
    for talk in result["talks"]:
        for word, turn in zip(words, talk["turns"][1:]):
            said = turn["said_us"]
            after = [(p - said) / 1000 for p in pauses.get(talk["room"], []) if p > said]
            if not said or not after or after[0] > WINDOW_MS:
                out.missed += 1
                continue
            out.host_ms.append(after[0])
            out.by_word.append((word, round(after[0])))
            if turn["cut_ms"] >= 0:
                out.ear_ms.append(turn["cut_ms"])
