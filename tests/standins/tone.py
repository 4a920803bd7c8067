"""The tone voice: sound that lasts as long as speech and can be read back.

Each character is a 60 ms symbol of two tones, one of eight low and one of
eight high ones (none of them DTMF's), with a fade at both ends. It stands
Opus, loss and a telephone line. ToneEar reads it at the caller, so that a test
knows which letters were heard, and when. A repeated character is sent as
REPEAT, so that stretched or paused sound does not add letters.
"""
from __future__ import annotations

import functools
import unicodedata
from dataclasses import dataclass

import numpy as np

SYMBOL_S = 0.06
LOW = np.array([330, 410, 490, 570, 650, 730, 810, 890.0])
HIGH = np.array([1090, 1280, 1420, 1560, 1710, 1860, 2010, 2160.0])
REPEAT = "\x01"
UNKNOWN = "~"
ALPHABET = " etaoinshrdlucmfwypvbgkjqxz0123456789.,?!':;-$%/()&+@#\"" + UNKNOWN + REPEAT
assert len(ALPHABET) <= 64 and len(set(ALPHABET)) == len(ALPHABET)

_INDEX = {c: i for i, c in enumerate(ALPHABET)}
_DASHES = str.maketrans({"\u2013": "-", "\u2014": "-", "\u2019": "'", "\u2018": "'",
                         "\u201c": '"', "\u201d": '"', "\u20ac": "$", "\n": " "})


def fold(text: str) -> str:
    """The text as the tones carry it: lower case, no accents."""
    flat = unicodedata.normalize("NFKD", text.translate(_DASHES).lower())
    flat = "".join(c for c in flat if not unicodedata.combining(c))
    flat = " ".join(flat.split())
    return "".join(c if c in _INDEX and c != REPEAT else UNKNOWN for c in flat)


def symbols(text: str) -> str:
    out = []
    for c in fold(text):
        out.append(REPEAT if out and out[-1] == c else c)
    return "".join(out)


@functools.lru_cache(maxsize=1024)
def _wave(symbol: str, rate: int) -> bytes:
    index = _INDEX[symbol]
    n = int(round(SYMBOL_S * rate))
    t = np.arange(n) / rate
    edge = np.clip(np.minimum(t, SYMBOL_S - t) / 0.006, 0, 1)
    tones = np.sin(2 * np.pi * LOW[index % 8] * t) + 0.8 * np.sin(2 * np.pi * HIGH[index // 8] * t)
    return (tones * edge * 0.2 * 32767).astype("<i2").tobytes()


def speak(text: str, rate: int = 24000) -> bytes:
    """s16le mono of the text; a clause ends with a symbol's length of rest."""
    said = symbols(text)
    if not said:
        return b""
    return b"".join(_wave(c, rate) for c in said) + bytes(2 * int(round(SYMBOL_S * rate)))


def duration(text: str) -> float:
    return SYMBOL_S * (len(symbols(text)) + 1) if symbols(text) else 0.0


@dataclass
class Letter:
    char: str
    start: float
    end: float


class ToneEar:
    """Reads the tones from live PCM: .text, and .letters with times."""

    WINDOW_S, HOP_S = 0.02, 0.01

    def __init__(self, rate: int = 48000, start: float = 0.0):
        self.rate, self.time = rate, start
        self.size, self.hop = int(rate * self.WINDOW_S), int(rate * self.HOP_S)
        t = np.arange(self.size) / rate
        freqs = np.concatenate([LOW, HIGH])
        taper = np.hanning(self.size)
        basis = np.exp(-2j * np.pi * freqs[:, None] * t) * taper
        self.basis = np.concatenate([basis.real, basis.imag]).T.astype(np.float32)
        self.rest = np.zeros(0, np.float32)
        self.letters: list[Letter] = []
        self.run_symbol, self.run_start, self.run_len, self.gap = -1, 0.0, 0, 0

    @property
    def text(self) -> str:
        return "".join(x.char for x in self.letters)

    def push(self, pcm: np.ndarray) -> None:
        x = np.concatenate([self.rest, pcm.astype(np.float32) / 32768])
        n = (len(x) - self.size) // self.hop + 1
        if n <= 0:
            self.rest = x
            return
        self.rest = x[n * self.hop:]
        if np.abs(x).max() < 0.004:
            for _ in range(n):
                self._frame(-1)
            return
        windows = np.lib.stride_tricks.sliding_window_view(x, self.size)[::self.hop][:n]
        parts = windows @ self.basis
        power = parts[:, :16] ** 2 + parts[:, 16:] ** 2
        for p in power:
            self._frame(self._symbol(p))

    @staticmethod
    def _symbol(p: np.ndarray) -> int:
        low, high = int(np.argmax(p[:8])), int(np.argmax(p[8:]))
        a, b = p[low], p[8 + high]
        others = p.sum() - a - b
        if min(a, b) < 0.02 or max(a, b) > 25 * min(a, b) or others > 1.2 * (a + b):
            return -1
        return low + 8 * high

    def _frame(self, symbol: int) -> None:
        at = self.time
        self.time += self.HOP_S
        if symbol == self.run_symbol and symbol >= 0:
            self.run_len += 1
            self.gap = 0
            if self.run_len == 3:
                self._letter(symbol, self.run_start)
            elif self.run_len > 3 and self.letters:
                self.letters[-1].end = self.time
            return
        if symbol < 0 and self.gap < 1:  # one doubtful window is no gap
            self.gap += 1
            return
        self.run_symbol, self.run_start, self.run_len, self.gap = symbol, at, 1, 0

    def _letter(self, symbol: int, start: float) -> None:
        char = ALPHABET[symbol] if symbol < len(ALPHABET) else UNKNOWN
        if char == REPEAT:
            char = self.letters[-1].char if self.letters else UNKNOWN
        self.letters.append(Letter(char, start, self.time))


def read(pcm: np.ndarray, rate: int) -> str:
    ear = ToneEar(rate)
    ear.push(np.concatenate([pcm, np.zeros(rate // 10, pcm.dtype)]))
    return ear.text
