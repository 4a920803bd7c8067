"""The longest silence of a call under each fault a provider can have.

One call a fault, each with stand-ins and a job of its own, several at a time.
"once": the service fails one use, in the middle of the call; "always": from
then on for good.
"""
from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.standins.faults import REFUSALS, STREAM
from tests.standins.server import Standins

from .rig import CLINICS, Job, Rig

AT_ONCE = 6
WORDS = ("hours", "price", "insurance")
SPEECH_CLINIC = CLINICS.parent.parent / "perf/clinics"  # its voice is /audio/speech


@dataclass
class Fault:
    service: str
    kind: str
    always: bool
    silence_ms: int = -1
    answers: int = 0     # of len(WORDS)
    why: str = ""

    def __str__(self) -> str:
        return f"{self.service} {self.kind} {'always' if self.always else 'once'}"


def every_fault() -> list[Fault]:
    out = []
    for service, kinds in STREAM.items():
        out += [Fault(service, k, False) for k in kinds]
        out += [Fault(service, k, True) for k in kinds + REFUSALS]
    return out


def _drive(rig: Rig, f: Fault, number: int) -> None:
    providers = Standins(deepgram_key="dg-test", openai_key="sk-test").start()
    clinics = SPEECH_CLINIC if f.service == "speech" else CLINICS
    job = Job(rig, rig.folder / f"fault{number}", clinics=clinics, standins=providers,
              agent=f"fault-{number}", SPEECH_BASE_URL=providers.openai_base_url,
              SPEECH_API_KEY="sk-test")
    try:
        job.start()
        robots = rig.robots(job, [rig.wav(w) for w in WORDS], limit_s=75,
                            clinic="aloud" if f.service == "speech" else "practice")
        while not job.events("call.sounds") and robots.child.poll() is None:
            time.sleep(0.05)
        time.sleep(0.5)  # within the greeting
        providers.order(service=f.service, fault=f.kind, count=0 if f.always else 1)
        talk = robots.result(120)["talks"][0]
        f.silence_ms = talk["longest_ms"]
        f.answers = sum(t["reply_ms"] >= 0 for t in talk["turns"])
    except Exception as e:  # noqa: BLE001  one broken run must not end the others
        f.why = f"{type(e).__name__}: {e}"[:200]
    finally:
        job.stop(12)
        providers.stop()
        with open(rig.folder / "faults.txt", "a") as out:
            print(f, f.silence_ms, f"{f.answers} answers", f.why, file=out)


def troubles(rig: Rig, faults: list[Fault]) -> list[Fault]:
    """Drives them all; faults.txt in the run's folder grows as they end."""
    for w in WORDS:
        rig.wav(w)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda nf: _drive(rig, nf[1], nf[0]), enumerate(faults)))
    (rig.folder / "faults.json").write_text(json.dumps([vars(f) for f in faults], indent=1))
    return faults
