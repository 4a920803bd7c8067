"""G.711 by table: mu-law and A-law to and from 16-bit samples."""
from __future__ import annotations

import numpy as np


def _ulaw_decode() -> np.ndarray:
    u = ~np.arange(256) & 0xFF
    t = (((u & 0x0F) << 3) + 0x84) << ((u & 0x70) >> 4)
    return np.where(u & 0x80, 0x84 - t, t - 0x84).astype(np.int16)


def _alaw_decode() -> np.ndarray:
    a = np.arange(256) ^ 0x55
    seg, t = (a & 0x70) >> 4, (a & 0x0F) << 4
    t = np.where(seg == 0, t + 8, (t + 0x108) << np.maximum(seg - 1, 0))
    return np.where(a & 0x80, t, -t).astype(np.int16)


def _encoder(decoded: np.ndarray) -> np.ndarray:
    """For each 16-bit value the code whose level is nearest."""
    order = np.argsort(decoded, kind="stable")
    levels = decoded[order].astype(np.int32)
    middle = (levels[:-1] + levels[1:]) / 2
    return order[np.searchsorted(middle, np.arange(-32768, 32768), "right")].astype(np.uint8)


DECODE = {"mulaw": _ulaw_decode(), "alaw": _alaw_decode()}
ENCODE = {name: _encoder(table) for name, table in DECODE.items()}


def decode(name: str, data: bytes) -> np.ndarray:
    return DECODE[name][np.frombuffer(data, np.uint8)]


def encode(name: str, pcm: np.ndarray) -> bytes:
    return ENCODE[name][pcm.astype(np.int32) + 32768].tobytes()
