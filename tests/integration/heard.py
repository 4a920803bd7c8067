"""What reached a caller: sound with its times, letters, transcripts, states."""
from __future__ import annotations

import difflib
import time
from dataclasses import dataclass, field

import numpy as np
from livekit import rtc

from tests.standins.tone import ToneEar, fold

SOUND_DBFS = -50.0
GAP_S = 0.25  # shorter pauses do not end a stretch of sound


@dataclass
class Stretch:
    start: float
    end: float


class Recorder:
    """Sound of one remote track, on the clock of time.monotonic()."""

    RATE = 48000

    def __init__(self):
        self.ear = ToneEar(self.RATE)
        self.stretches: list[Stretch] = []
        self.frames = 0
        self.first_frame: float | None = None
        self.pcm: list[np.ndarray] = []
        self.keep = False

    def push(self, pcm: np.ndarray) -> None:
        now = time.monotonic()
        self.frames += 1
        if self.first_frame is None:
            self.first_frame = now
        if self.keep:
            self.pcm.append(pcm.copy())
        length = len(pcm) / self.RATE
        self.ear.time = now - length - len(self.ear.rest) / self.RATE
        self.ear.push(pcm)
        level = 10 * np.log10(np.mean((pcm / 32768.0) ** 2) + 1e-10)
        if level < SOUND_DBFS:
            return
        if self.stretches and now - length - self.stretches[-1].end < GAP_S:
            self.stretches[-1].end = now
        else:
            self.stretches.append(Stretch(now - length, now))

    def sounding(self) -> bool:
        return bool(self.stretches) and time.monotonic() - self.stretches[-1].end < 0.1

    def first_after(self, t: float) -> float | None:
        """When sound is first heard at or after t."""
        for s in self.stretches:
            if s.end > t:
                return max(s.start, t)
        return None

    def last_end(self) -> float | None:
        return self.stretches[-1].end if self.stretches else None

    def seconds(self, a: float = 0.0, b: float = float("inf")) -> float:
        return sum(max(0.0, min(s.end, b) - max(s.start, a)) for s in self.stretches)

    def letters(self, a: float = 0.0, b: float = float("inf")) -> str:
        return "".join(x.char for x in self.ear.letters if a <= x.start < b)


def alike(a: str, b: str) -> float:
    """0..1 between two texts as the tones carry them, blanks aside."""
    a, b = fold(a).replace(" ", ""), fold(b).replace(" ", "")
    return difflib.SequenceMatcher(None, a, b, autojunk=False).ratio()


def says(heard: str, words: str, least: float = 0.9) -> bool:
    """Whether the words are somewhere in what was heard, but for a lost letter."""
    a, b = fold(heard).replace(" ", ""), fold(words).replace(" ", "")
    if b in a:
        return True
    for i in range(max(1, len(a) - len(b) + 1)):
        part = a[i:i + len(b)]
        if part[:1] == b[:1] and difflib.SequenceMatcher(None, part, b,
                                                         autojunk=False).ratio() >= least:
            return True
    return False


@dataclass
class Segment:
    """One transcription segment as a front end builds it up."""
    id: str
    who: str               # identity that the stream came from
    track: str
    final: bool = False
    text: str = ""
    updates: list[tuple[float, str]] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0     # when it became final
    broken: str = ""       # why its last stream never ended


class Transcripts:
    """lk.transcription streams, put together as components-js does: chunks of
    a stream add up, a new stream with the same segment id replaces."""

    def __init__(self):
        self.segments: dict[str, Segment] = {}
        self.streams = 0
        self.faults: list[str] = []

    async def read(self, reader: rtc.TextStreamReader, identity: str) -> None:
        self.streams += 1
        info = reader.info
        attributes = dict(info.attributes or {})
        key = attributes.get("lk.segment_id")
        if not key or attributes.get("lk.transcription_final") not in ("true", "false"):
            self.faults.append(f"stream without the agreed attributes: {attributes}")
            return
        s = self.segments.setdefault(key, Segment(
            key, identity, attributes.get("lk.transcribed_track_id", ""), began=time.monotonic()))
        if s.who != identity:
            self.faults.append(f"segment {key} changed its speaker")
        text = ""
        try:
            async for chunk in reader:
                text += chunk
                s.text = text
                s.updates.append((time.monotonic(), text))
        except rtc.StreamError as e:  # the room or its sender went away
            s.broken = str(e)
            return
        final = (reader.info.attributes or {}).get("lk.transcription_final")
        if final == "true":
            s.final, s.ended = True, time.monotonic()

    def of(self, identity: str) -> list[Segment]:
        return [s for s in self.segments.values() if s.who == identity]

    def text(self, identity: str, since: float = 0.0) -> str:
        return " ".join(s.text.strip() for s in self.of(identity) if s.began >= since)
