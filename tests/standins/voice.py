"""Voices behind the speech stand-ins: text in, 16-bit mono out.

tone: sound that a test can read back (tone.py), made in microseconds.
real: flite, in a worker thread.
"""
from __future__ import annotations

import asyncio

import numpy as np

from . import g711, phrases, tone


async def speak(kind: str, text: str, rate: int) -> np.ndarray:
    if kind == "tone":
        return np.frombuffer(tone.speak(text, rate), "<i2")
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, real, text, rate)


def real(text: str, rate: int) -> np.ndarray:
    if not any(c.isalnum() for c in text):
        return np.zeros(0, np.int16)
    return phrases.resample(phrases.speech(text, text).pcm, phrases.RATE, rate)


def encode(pcm: np.ndarray, encoding: str) -> bytes:
    return pcm.astype("<i2").tobytes() if encoding == "linear16" else g711.encode(encoding, pcm)


def wav_header(data_bytes: int, rate: int) -> bytes:
    """Of 16-bit mono; 0xffffffff where the length is not known yet."""
    riff = min(data_bytes + 36, 0xFFFFFFFF)
    return (b"RIFF" + riff.to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
            + (1).to_bytes(2, "little") + (1).to_bytes(2, "little") + rate.to_bytes(4, "little")
            + (rate * 2).to_bytes(4, "little") + (2).to_bytes(2, "little")
            + (16).to_bytes(2, "little") + b"data" + data_bytes.to_bytes(4, "little"))
