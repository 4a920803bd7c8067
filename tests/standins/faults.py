"""Faults on demand, counters and delays: what POST and GET /control reach.

A fault hits the next `count` uses of a service (0: until cleared), after
`after` uses that go well. A use is: stt, one stream (streams that are open
come first); tts, one flush or one REST request; llm and speech, one request.
Refusals ("401", "429", ..., "hang") hit handshakes of the sockets.
"""
from __future__ import annotations

import collections
import dataclasses
import time
from dataclasses import dataclass, field

REFUSALS = ("400", "401", "402", "403", "404", "408", "429", "500", "502", "503", "504",
            "quota", "hang")
STREAM = {
    # what an open stream or an answer may do
    "stt": ("mute", "slow", "stall", "cut", "garbage", "empty", "unknown", "twice",
            "net0001", "net0000", "data0000", "close"),
    "tts": ("mute", "slow", "stall", "cut", "garbage", "empty", "unknown", "late",
            "net0001", "net0000", "close"),
    "llm": ("mute", "slow", "stall", "cut", "garbage", "empty", "error", "length",
            "split", "crlf", "refuse", "incomplete"),
    "speech": ("mute", "slow", "stall", "cut", "garbage", "empty", "error"),
}
SERVICES = tuple(STREAM)


@dataclass
class Delays:
    """Milliseconds; what the providers take on a good day."""
    stt_ms: float = 150      # between audio and the result that it gives
    stt_factor: float = 1.25  # times real time; audio that comes faster waits
    llm_first_ms: float = 250
    llm_delta_ms: float = 30
    tts_first_ms: float = 120
    tts_speed: float = 8     # times real time
    idle_ms: float = 10000   # NET-0001

    def fast(self) -> None:
        self.stt_ms, self.stt_factor = 10, 1000
        self.llm_first_ms, self.llm_delta_ms = 10, 1
        self.tts_first_ms, self.tts_speed = 5, 200


@dataclass
class Fault:
    service: str
    fault: str
    after: int = 0
    count: int = 1
    delay_ms: float | None = None
    hits: int = 0

    def spent(self) -> bool:
        return bool(self.count) and self.hits >= self.count

    def seconds(self, default: float) -> float:
        return default if self.delay_ms is None else self.delay_ms / 1000


@dataclass
class Counter:
    requests: int = 0    # handshakes and posts
    refused: int = 0
    open: int = 0        # sockets or answers under way
    most_open: int = 0
    uses: int = 0        # see above
    cancelled: int = 0   # the client went away before the end
    last: dict = field(default_factory=dict)
    texts: list = field(default_factory=list)  # transcripts given, texts spoken, replies

    def enter(self) -> None:
        self.open += 1
        self.most_open = max(self.most_open, self.open)

    def leave(self) -> None:
        self.open -= 1


class Control:
    def __init__(self, delays: Delays | None = None):
        self.delays = delays or Delays()
        self.faults: list[Fault] = []
        self.counters = {s: Counter() for s in SERVICES}
        self.streams: dict[str, set] = {s: set() for s in SERVICES}  # for live faults
        self.script: list[dict] = []  # answers of the model that come before the brain's
        # (monotonic seconds, service, what, who, detail): GET /control/marks
        self.marks: collections.deque[tuple] = collections.deque(maxlen=20000)

    def mark(self, service: str, what: str, who: str, detail: str = "") -> None:
        """A moment on the machine's monotonic clock, for measurements."""
        self.marks.append((time.monotonic(), service, what, who, detail))

    def take(self, service: str, refusal: bool) -> Fault | None:
        """The fault that this use has to suffer, if any."""
        for f in self.faults:
            if f.service != service or (f.fault in REFUSALS) != refusal or f.spent():
                continue
            if f.after > 0:
                f.after -= 1
                continue
            f.hits += 1
            return f
        return None

    def add(self, order: dict) -> Fault:
        service, kind = order.get("service"), str(order.get("fault"))
        if service not in SERVICES:
            raise ValueError(f"service must be one of {', '.join(SERVICES)}")
        if kind not in STREAM[service] and kind not in REFUSALS:
            raise ValueError(f"faults of {service}: {', '.join(STREAM[service] + REFUSALS)}")
        f = Fault(service, kind, int(order.get("after", 0)), int(order.get("count", 1)),
                  order.get("delay_ms"))
        self.faults.append(f)
        if kind not in REFUSALS and f.after == 0 and order.get("live", True):
            for stream in list(self.streams[service]):
                if f.spent():
                    break
                f.hits += 1
                stream.suffer(f)
        return f

    def order(self, body: dict) -> dict:
        """One POST /control; the answer says what holds now."""
        known = {"service", "fault", "after", "count", "delay_ms", "live", "delays", "clear",
                 "script", "phrases"}
        if set(body) - known:
            raise ValueError(f"unknown keys: {', '.join(sorted(set(body) - known))}")
        if body.get("clear"):
            self.clear()
        for key, value in body.get("delays", {}).items():
            if not hasattr(self.delays, key):
                raise ValueError(f"no delay named {key}")
            setattr(self.delays, key, float(value))
        self.script += body.get("script", [])
        if "fault" in body:
            self.add(body)
        return self.state()

    def clear(self) -> None:
        for group in self.streams.values():
            for stream in group:
                stream.suffer(None)
        self.faults, self.script = [], []
        self.marks.clear()
        for c in self.counters.values():
            open_now = c.open
            c.__init__()
            c.open = c.most_open = open_now

    def state(self) -> dict:
        out = {s: dataclasses.asdict(c) for s, c in self.counters.items()}
        out["faults"] = [dataclasses.asdict(f) for f in self.faults]
        out["delays"] = dataclasses.asdict(self.delays)
        out["script"] = len(self.script)
        return out
