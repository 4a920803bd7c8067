"""What test callers say: the table of phrases, and their sound.

A phrase is real speech (flite) made at run time and kept under build/. The
marked ear (ear.py) knows the same table. Names with a colon are sounds that
no ear may take for words: sound:cough, sound:hum, sound:noise, sound:silence.

As a program it writes the WAV files for callers that are not Python:
    python -m tests.standins.phrases --out DIR [--rate 48000] [--text TEXT]
"""
from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

RATE = 16000
VOICE = "slt"
ROOT = Path(__file__).resolve().parents[2]

TEXTS = {
    "hello": "Hello there.",
    "hours": "What are your opening hours?",
    "book": "I would like to book an appointment, please.",
    "book_cleaning": "Can I book a cleaning for next week?",
    "first": "The first one, please.",
    "second": "The second one would be better.",
    "morning": "Tuesday morning would be good.",
    "afternoon": "Do you have anything in the afternoon?",
    "name": "My name is Anna Smith.",
    "number": "My number is five five five, zero one two three.",
    "digits": "Five five five, zero one, four two.",
    "yes": "Yes please.",
    "yes_right": "Yes, that is right.",
    "no": "No, not really.",
    "no_nothing": "No, nothing else.",
    "thanks": "Thank you very much.",
    "bye": "That is all, thank you, goodbye.",
    "person": "Can I speak to a person?",
    "emergency": "It is an emergency, my tooth is bleeding.",
    "wait": "Wait, hold on a moment.",
    "stop": "Stop, that is not what I meant.",
    "interrupt": "Sorry, but I have another question.",
    "price": "How much does whitening cost?",
    "cancel": "I need to cancel my appointment.",
    "move": "Could we move my visit to another day?",
    "address": "Where exactly is the clinic?",
    "insurance": "Do you accept my insurance?",
    "children": "Do you also treat small children?",
    "story": "Tell me everything about your clinic.",
    "repeat": "Sorry, what did you say?",
    "there": "Are you still there?",
    "uhhuh": "Uh huh.",
    "okay": "Okay.",
    "pain": "My back tooth hurts when I drink something cold.",
    "both": "Check the hours and find me a free time.",
    "long": "I was wondering whether you might have some time for me this week, "
            "because I broke a filling yesterday evening.",
}

SOUNDS = ("sound:cough", "sound:hum", "sound:noise", "sound:silence")


@dataclass
class Word:
    text: str        # "appointment"
    punctuated: str  # "appointment,"
    start: float     # seconds into the phrase
    end: float


@dataclass
class Phrase:
    name: str
    text: str
    pcm: np.ndarray  # int16 at RATE
    words: list[Word]


def cache_dir() -> Path:
    return Path(os.environ.get("STANDIN_CACHE", ROOT / "build" / "standins"))


def plain(token: str) -> str:
    return re.sub(r"[^a-z0-9']", "", token.lower())


def _flite(text: str, *more: str, out: str = "none") -> str:
    cmd = ["flite", "-voice", VOICE, *more, "-t", text, "-o", out]
    return subprocess.run(cmd, check=True, capture_output=True, text=True).stdout


def _phone_counts(tokens: list[str]) -> list[int]:
    """Phones in each word; a full stop makes flite pause between words."""
    said = _flite(" ".join(plain(t) + "." for t in tokens), "-ps").split()
    counts, run = [], 0
    for phone in said:
        if phone == "pau":
            if run:
                counts.append(run)
            run = 0
        else:
            run += 1
    if len(counts) != len(tokens):  # "uh." may be joined to its neighbour
        counts = [max(1, len(plain(t)) - 1) for t in tokens]
    return counts


def _word_times(text: str) -> list[Word]:
    tokens = [t for t in text.split() if plain(t)]
    phones, at = [], 0.0
    for item in _flite(text, "-psdur").split():
        phone, end = item.rsplit(":", 1)
        if phone != "pau":
            phones.append((at, float(end)))
        at = float(end)
    counts = _phone_counts(tokens)
    edges = np.round(np.cumsum([0] + counts) * len(phones) / sum(counts)).astype(int)
    words = []
    for token, a, b in zip(tokens, edges[:-1], edges[1:]):
        b = max(b, a + 1)
        words.append(Word(plain(token), token, phones[min(a, len(phones) - 1)][0],
                          phones[min(b, len(phones)) - 1][1]))
    return words


def read_wav(path: Path) -> tuple[np.ndarray, int]:
    with wave.open(str(path)) as w:
        pcm = np.frombuffer(w.readframes(w.getnframes()), dtype="<i2")
        return pcm, w.getframerate()


def write_wav(path: Path, pcm: np.ndarray, rate: int) -> None:
    with wave.open(str(path), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(rate)
        w.writeframes(pcm.astype("<i2").tobytes())


def speech(name: str, text: str) -> Phrase:
    """The phrase as flite says it, from the cache where it is there."""
    key = hashlib.sha1(f"{VOICE}:{text}".encode()).hexdigest()[:16]
    base = cache_dir() / "phrases"
    base.mkdir(parents=True, exist_ok=True)
    wav, meta = base / f"{key}.wav", base / f"{key}.json"
    if not meta.exists():
        part = base / f"{key}.{os.getpid()}.wav"
        _flite(text, out=str(part))
        words = [[w.text, w.punctuated, w.start, w.end] for w in _word_times(text)]
        part.rename(wav)
        done = base / f"{key}.{os.getpid()}.json"
        done.write_text(json.dumps(words))
        done.rename(meta)
    pcm, _ = read_wav(wav)
    gain = 0.5 * 32767 / max(1, int(np.abs(pcm.astype(int)).max()))
    words = [Word(*w) for w in json.loads(meta.read_text())]
    return Phrase(name, text, (pcm * gain).astype(np.int16), words)


def table() -> list[Phrase]:
    return [speech(name, text) for name, text in TEXTS.items()]


# ---- sounds without words -----------------------------------------------------


def _cough(rng: np.random.Generator) -> np.ndarray:
    out = []
    for length in (0.16, 0.12):
        n = int(length * RATE)
        noise = np.convolve(rng.standard_normal(n), np.ones(6) / 6, "same")
        out += [noise * np.exp(-np.arange(n) / (0.05 * RATE)), np.zeros(int(0.07 * RATE))]
    return np.concatenate(out)


def _hum(seconds: float) -> np.ndarray:
    """A voiced "mm": a pulse train through two resonances."""
    t = np.arange(int(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * 118 * k * t) / k ** 1.5 for k in range(1, 12))
    edge = np.minimum(1, np.minimum(t, seconds - t) / 0.05)
    return tone * edge


def sound(name: str) -> np.ndarray:
    rng = np.random.default_rng(7)
    if name == "sound:cough":
        x = _cough(rng)
    elif name == "sound:hum":
        x = _hum(0.7)
    elif name == "sound:noise":
        x = rng.standard_normal(2 * RATE)
    elif name == "sound:silence":
        return np.zeros(RATE, np.int16)
    else:
        raise KeyError(name)
    return (x / np.abs(x).max() * 0.4 * 32767).astype(np.int16)


# ---- for callers ----------------------------------------------------------------


def resample(pcm: np.ndarray, rate_in: int, rate_out: int) -> np.ndarray:
    """Band-limited change of rate, for whole sounds (not for streams)."""
    if rate_in == rate_out:
        return pcm.astype(np.int16)
    n_out = int(round(len(pcm) * rate_out / rate_in))
    spectrum = np.fft.rfft(pcm.astype(np.float64))
    bins = n_out // 2 + 1
    fit = np.zeros(bins, complex)
    k = min(bins, len(spectrum))
    fit[:k] = spectrum[:k]
    out = np.fft.irfft(fit, n_out) * rate_out / rate_in
    return np.clip(np.round(out), -32768, 32767).astype(np.int16)


def caller_audio(what: str, rate: int = 48000, lead: float = 0.0, tail: float = 0.0) -> np.ndarray:
    """PCM of a phrase name, a sound, or any text (see ear.add for texts)."""
    if what in SOUNDS:
        pcm = sound(what)
    else:
        pcm = speech(what, TEXTS.get(what, what)).pcm
    pad = [np.zeros(int(s * RATE), np.int16) for s in (lead, tail)]
    return resample(np.concatenate([pad[0], pcm, pad[1]]), RATE, rate)


def main() -> None:
    p = argparse.ArgumentParser(description="write the phrases as WAV files")
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--rate", type=int, default=48000)
    p.add_argument("--text", action="append", default=[],
                   help="a further text, as NAME=TEXT")
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    items = dict(TEXTS)
    items.update(t.split("=", 1) for t in a.text)
    for name, text in items.items():
        write_wav(a.out / f"{name}.wav", caller_audio(text, a.rate), a.rate)
    for name in SOUNDS:
        path = a.out / f"{name.replace(':', '_')}.wav"
        write_wav(path, caller_audio(name, a.rate), a.rate)
    (a.out / "phrases.json").write_text(json.dumps(items, indent=1))


if __name__ == "__main__":
    main()
