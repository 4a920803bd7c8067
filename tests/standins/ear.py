"""The marked ear: finds known phrases in live audio, word by word.

Log-spectra (150-3600 Hz, so that a telephone line will do) of 40 ms of input
are aligned against templates of every phrase at once, by dynamic programming
with free start: lost, late or repeated frames bend the alignment, other sound
gives no words. One Ear a stream; the Book of templates is shared. A step
costs some 0.1 ms, and only while somebody speaks.
"""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from . import phrases

HOP_T = 0.02        # between template frames
STEP = 0.04         # of input
BANDS = 32
FLOOR_DB = -52.0    # of full scale; below it is silence in any case
BIAS = 0.78         # likeness that is worth nothing: another phrase has 0.7, the codec 0.95
ALIKE = 0.14        # least mean gain over an alignment; strangers reach 0.13
ENOUGH = 0.8        # least sum of it, some six frames
NEVER = -1e9
MOVES = 5           # template frames a step may advance: 0..4, 2 is real time
MOVE_COST = np.array([0.30, 0.06, 0.0, 0.06, 0.30])[:, None]
JUMP = 25           # most template frames that lost audio may skip
JUMP_COST = 0.7
WAIT_COST = 0.02    # a step of silence where the phrase has none: a gap in the line


def mel_matrix(rate: int, n_fft: int) -> np.ndarray:
    mel = np.linspace(1127 * np.log1p(150 / 700), 1127 * np.log1p(3600 / 700), BANDS + 2)
    edges = 700 * np.expm1(mel / 1127)
    f = np.arange(n_fft // 2 + 1) * rate / n_fft
    up = (f[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - f[:, None]) / (edges[2:] - edges[1:-1])
    m = np.clip(np.minimum(up, down), 0, None)
    return (m / np.maximum(m.sum(0), 1e-9)).astype(np.float32)


class Analyser:
    """Turns windows of one sample rate into unit vectors and a level."""

    def __init__(self, rate: int):
        self.size = int(rate * STEP)
        self.window = np.hanning(self.size).astype(np.float32)
        self.mel = mel_matrix(rate, self.size)

    def frames(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x: [n, size] in -1..1. Vectors [n, BANDS] and levels in dBFS."""
        level = 10 * np.log10(np.mean(x * x, axis=1) + 1e-10)
        power = np.abs(np.fft.rfft(x * self.window, axis=1)) ** 2
        bands = power @ self.mel
        # A floor below the loudest band keeps the codec's noise out of it.
        bands = np.log(np.maximum(bands, bands.max(axis=1, keepdims=True) * 1e-4) + 1e-9)
        v = bands - bands.mean(axis=1, keepdims=True)
        return v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-6), level


_analysers: dict[int, Analyser] = {}


def analyser(rate: int) -> Analyser:
    if rate not in _analysers:
        _analysers[rate] = Analyser(rate)
    return _analysers[rate]


class Book:
    """Templates of all phrases, end to end, with dead frames between."""

    def __init__(self, items: list[phrases.Phrase] | None = None):
        self.items: list[phrases.Phrase] = []
        for p in phrases.table() if items is None else items:
            self.items.append(p)
        self._build()

    def add(self, texts: list[str]) -> None:
        known = {p.text for p in self.items}
        self.items += [phrases.speech(t, t) for t in texts if t not in known]
        self._build()

    def _template(self, p: phrases.Phrase) -> tuple[np.ndarray, np.ndarray]:
        a = analyser(phrases.RATE)
        hop = int(phrases.RATE * HOP_T)
        x = p.pcm.astype(np.float32) / 32768
        n = (len(x) - a.size) // hop + 1
        return a.frames(np.stack([x[i * hop:i * hop + a.size] for i in range(n)]))

    def _build(self) -> None:
        vectors, silent, owner, offset, start, begun, spoken = [], [], [], [], [], [], []
        for k, p in enumerate(self.items):
            v, level = self._template(p)
            quiet = level < FLOOR_DB
            first = int(np.argmax(~quiet))
            last = len(quiet) - int(np.argmax(~quiet[::-1]))
            v, quiet = v[first:last], quiet[first:last]
            v[quiet] = 0
            dead = np.zeros((MOVES - 1, BANDS), np.float32)
            vectors += [dead, v]
            silent += [np.zeros(MOVES - 1, bool), quiet]
            owner += [np.full(MOVES - 1, -1), np.full(len(v), k)]
            place = np.arange(len(v))
            offset += [np.zeros(MOVES - 1, int), place + first]
            start += [np.full(MOVES - 1, NEVER), -np.minimum(0.03 * place, 2.5)]
            at = (place + first) * HOP_T
            early = np.array([w.start + 0.25 * (w.end - w.start) for w in p.words])
            late = np.array([w.start + 0.75 * (w.end - w.start) for w in p.words])
            begun += [np.zeros(MOVES - 1, int), np.searchsorted(early, at, "right")]
            spoken += [np.zeros(MOVES - 1, int), np.searchsorted(late, at, "right")]
        self.v = np.concatenate(vectors).astype(np.float32)
        self.silent = np.concatenate(silent)
        self.owner = np.concatenate(owner)
        self.offset = np.concatenate(offset)   # frames into the phrase's sound
        self.start = np.concatenate(start).astype(np.float32)
        self.begun = np.concatenate(begun)     # words of which a quarter is over
        self.spoken = np.concatenate(spoken)   # ... three quarters
        self.dead = self.owner < 0
        ends = np.flatnonzero(np.diff(np.append(self.owner, -1)) != 0)
        self.left = np.zeros(len(self.owner), int)  # frames to the phrase's end
        for e in ends:
            k = self.owner[e]
            if k >= 0:
                at = np.flatnonzero(self.owner == k)
                self.left[at] = at[-1] - at
        self.n = len(self.owner)


@dataclass
class Heard:
    text: str
    punctuated: str
    start: float
    end: float
    confidence: float


@dataclass
class Alignment:
    """Where the best path stands, kept from the last voiced frame."""
    words: list[Heard] = field(default_factory=list)
    tail: list[Heard] = field(default_factory=list)  # begun, not yet sure
    left: float = 9.0  # seconds of the phrase still to come


class Ear:
    """Feed PCM, read .words, .voiced and the times; all times in audio time."""

    steady = True  # words once given are not revised

    def __init__(self, book: Book, rate: int):
        self.book, self.rate, self.a = book, rate, analyser(rate)
        self.rest = np.zeros(0, np.float32)
        self.time = 0.0           # of audio analysed
        self.floor_db = -70.0
        self.voiced = False       # the last frame
        self.run = 0              # voiced frames in a row
        self.last_voice = -9.0    # end of the last voiced frame
        self.done: list[Heard] = []   # of phrases that are complete
        self.best = Alignment()
        self._clear_path()

    def _clear_path(self) -> None:
        self.score = None

    def reset(self) -> None:
        """Forgets the utterance (after it has been made final)."""
        self.done, self.best = [], Alignment()
        self._clear_path()

    @property
    def words(self) -> list[Heard]:
        return self.done + self.best.words

    async def settle(self) -> None:
        """Words are always up to date here; the real ear needs a moment."""

    def push(self, pcm: np.ndarray) -> int:
        """Returns the number of 40 ms steps made."""
        x = pcm.astype(np.float32) / 32768
        x = np.concatenate([self.rest, x]) if len(self.rest) else x
        n = len(x) // self.a.size
        self.rest = x[n * self.a.size:]
        if n == 0:
            return 0
        block = x[:n * self.a.size].reshape(n, self.a.size)
        if np.abs(block).max() < 0.001:  # -60 dBFS: the usual silence, cheap
            for _ in range(n):
                self._step(None, -90.0)
            return n
        vectors, levels = self.a.frames(block)
        for v, level in zip(vectors, levels):
            self._step(v, float(level))
        return n

    def _step(self, v: np.ndarray | None, level: float) -> None:
        self.time += STEP
        rate = 0.3 if level < self.floor_db else 0.004
        self.floor_db += rate * (max(level, -80.0) - self.floor_db)
        self.voiced = level > max(FLOOR_DB, self.floor_db + 9)
        self.run = self.run + 1 if self.voiced else 0
        if self.voiced:
            self.last_voice = self.time
        quiet_for = self.time - self.last_voice
        if not self.voiced and self.score is None:
            return
        if quiet_for > 1.2:  # nothing joins over such a pause
            self._complete()
            return
        self._align(v if self.voiced else None)
        if self.voiced:
            self.best = self._read()
        elif self.best.left < 0.2 and quiet_for >= 0.12:
            self.best.words += self.best.tail  # a soft ending, "smith"
            self._complete()

    def _complete(self) -> None:
        self.done, self.best = self.done + self.best.words, Alignment()
        self._clear_path()

    def _align(self, v: np.ndarray | None) -> None:
        b = self.book
        if v is None:
            gain = np.where(b.silent, 0.15, -0.2).astype(np.float32)
        else:
            gain = b.v @ v - BIAS
            gain[b.silent] = -0.2
        if self.score is None or len(self.score) != b.n:
            self.score = np.full(b.n, NEVER, np.float32)
            self.began = np.zeros(b.n, np.int32)
            self.steps = np.zeros(b.n, np.int32)
            self.lost = np.zeros(b.n, np.int64)  # bits of the words that a jump left out
        at = np.arange(b.n)
        come, source = self._moves(at)
        lost = self.lost[source]
        jumped = at - source >= MOVES
        if jumped.any():
            left, came = b.begun[source[jumped]], b.spoken[at[jumped]]
            lost[jumped] |= np.where(came > left, (1 << came) - (1 << left), 0)
        fresh = b.start > come
        score = np.where(fresh, b.start, come) + gain
        began = np.where(fresh, at, self.began[source])
        steps = np.where(fresh, 1, self.steps[source] + 1)
        lost[fresh] = 0
        if v is None:  # or the path waits for the line to come back
            wait = self.score - WAIT_COST > score
            score = np.where(wait, self.score - WAIT_COST, score)
            began, steps = np.where(wait, self.began, began), np.where(wait, self.steps, steps)
            lost = np.where(wait, self.lost, lost)
        score[b.dead] = NEVER
        self.score, self.began, self.steps, self.lost = score, began, steps, lost

    def _moves(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The best way into each frame: its score so far, and from where."""
        n = self.book.n
        moved = np.full((MOVES, n), NEVER, np.float32)
        for k in range(MOVES):
            moved[k, k:] = self.score[:n - k]
        moved -= MOVE_COST
        move = np.argmax(moved, axis=0)
        come, source = moved[move, at], at - move
        j = int(np.argmax(self.score))
        if self.score[j] > ENOUGH:  # only the path that has been heard may jump
            to = slice(j + MOVES, j + 1 + min(JUMP, int(self.book.left[j])))
            better = come[to] < self.score[j] - JUMP_COST
            come[to] = np.where(better, self.score[j] - JUMP_COST, come[to])
            source[to] = np.where(better, j, source[to])
        return come, source

    def _read(self) -> Alignment:
        b, j = self.book, int(np.argmax(self.score))
        score, steps, began = float(self.score[j]), int(self.steps[j]), int(self.began[j])
        if score < ENOUGH or score / steps < ALIKE:
            return self.best  # a lost frame or two take nothing back
        p = b.items[b.owner[j]]
        here = (b.offset[j] + 2) * HOP_T   # a window is two hops long
        origin = b.offset[began] * HOP_T
        sure = round(min(0.999, 0.75 + score / steps), 4)
        words, tail = [], []
        for i, w in enumerate(p.words):
            if int(self.lost[j]) >> i & 1:
                continue
            length = w.end - w.start
            if w.start + 0.5 * length < origin or w.start > here:
                continue
            start = max(0.0, self.time - (here - w.start))
            end = min(self.time, self.time - (here - w.end))
            heard = Heard(w.text, w.punctuated, round(start, 3), round(end, 3), sure)
            (tail if w.start + 0.7 * length > here else words).append(heard)
        return Alignment(words, tail, b.left[j] * HOP_T)
