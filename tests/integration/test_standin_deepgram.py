"""The Deepgram stand-in against Deepgram's own client."""
from __future__ import annotations

import asyncio
import json

import aiohttp
import numpy as np
import pytest
import websockets
from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment
from deepgram.speak.v1.types import SpeakV1Text

from tests.standins import g711, phrases, tone
from tests.standins.ear import Book, Ear

RATE = 16000


def client(standins, key: str = "dg-test") -> AsyncDeepgramClient:
    env = DeepgramClientEnvironment(base=standins.deepgram_http, production=standins.deepgram_url,
                                    agent=standins.deepgram_url, agent_rest=standins.deepgram_http)
    return AsyncDeepgramClient(api_key=key, environment=env)


def listening(standins, key: str = "dg-test", **query):
    asked = dict(model="nova-3", encoding="linear16", sample_rate=RATE, interim_results=True,
                 endpointing=300, vad_events=True, smart_format=True)
    asked.update(query)
    return client(standins, key).listen.v1.connect(**asked)


def say(*names: str, rate: int = RATE, tail: float = 1.0) -> np.ndarray:
    sounds = [phrases.caller_audio(n, rate, lead=0.2, tail=0.5) for n in names]
    return np.concatenate(sounds + [np.zeros(int(rate * tail), np.int16)])


async def send(ws, data: bytes, size: int = 1600, pause: float = 0.0) -> None:
    for i in range(0, len(data), size):
        await ws.send_media(data[i:i + size])
        await asyncio.sleep(pause)


async def converse(ws, data: bytes) -> list:
    """Sends all, closes the stream, returns all messages up to Metadata."""
    async def feed():
        await send(ws, data)
        await ws.send_close_stream()
    task = asyncio.ensure_future(feed())
    got = []
    async for m in ws:
        got.append(m)
    await task
    return got


def results(messages) -> list:
    return [m for m in messages if m.type == "Results"]


def text(m) -> str:
    return m.channel.alternatives[0].transcript


def finals(messages) -> str:
    return " ".join(text(m) for m in results(messages) if m.is_final and text(m))


# ---- listening ---------------------------------------------------------------------


async def test_words_come_from_the_audio(standins):
    async with listening(standins) as ws:
        got = await converse(ws, say("book").tobytes())
    assert finals(got) == phrases.TEXTS["book"]
    interims = [text(m) for m in results(got) if not m.is_final and text(m)]
    assert len(interims) >= 4 and interims == sorted(interims, key=len)
    assert interims[0].startswith("I")
    ends = [m for m in results(got) if m.speech_final]
    assert len(ends) == 1 and ends[0].is_final
    assert got[-1].type == "Metadata" and got[-1].channels == 1
    assert got[-1].duration == pytest.approx(len(say("book")) / RATE, abs=0.05)


async def test_other_audio_gives_no_words(standins):
    sounds = [say("sound:silence"), say("sound:cough"), say("sound:hum"), say("sound:noise"),
              np.frombuffer(tone.speak("not for this ear", RATE), np.int16)]
    for pcm in sounds:
        async with listening(standins) as ws:
            got = await converse(ws, pcm.tobytes())
        assert finals(got) == ""


async def test_half_a_phrase_gives_half_the_words(standins):
    pcm = phrases.caller_audio("book", RATE)
    cut = np.concatenate([pcm[:int(RATE * 1.05)], np.zeros(RATE, np.int16)])
    async with listening(standins, smart_format=False) as ws:
        got = await converse(ws, cut.tobytes())
    assert finals(got) in ("i would like to", "i would like to book")


async def test_word_times_are_those_of_the_audio(standins):
    async with listening(standins) as ws:
        got = await converse(ws, say("hours").tobytes())
    words = [w for m in results(got) if m.is_final for w in m.channel.alternatives[0].words]
    want = phrases.speech("hours", phrases.TEXTS["hours"]).words
    assert [w.word for w in words] == [w.text for w in want]
    for w, k in zip(words, want):
        assert w.start == pytest.approx(k.start + 0.2, abs=0.15)
        assert w.punctuated_word == k.punctuated


async def test_speech_started_comes_before_the_first_words(standins):
    async with listening(standins) as ws:
        got = await converse(ws, say("hello").tobytes())
    kinds = [m.type if m.type != "Results" or text(m) else "empty" for m in got]
    assert kinds.index("SpeechStarted") < kinds.index("Results")


async def test_utterance_end_follows_the_last_word(standins):
    async with listening(standins, utterance_end_ms=1000) as ws:
        got = await converse(ws, say("hello", tail=2.0).tobytes())
    ends = [m for m in got if m.type == "UtteranceEnd"]
    assert len(ends) == 1 and 0.4 < ends[0].last_word_end < 1.2


async def test_two_phrases_are_two_utterances(standins):
    async with listening(standins) as ws:
        got = await converse(ws, say("hello", "hours").tobytes())
    said = [text(m) for m in results(got) if m.speech_final]
    assert said == [phrases.TEXTS["hello"], phrases.TEXTS["hours"]]


async def test_a_long_utterance_has_finals_before_its_end(standins):
    async with listening(standins) as ws:
        got = await converse(ws, say("long").tobytes())
    parts = [m for m in results(got) if m.is_final and text(m)]
    assert len(parts) >= 2 and not parts[0].speech_final and parts[-1].speech_final
    assert finals(got) == phrases.TEXTS["long"]
    for a, b in zip(parts, parts[1:]):
        assert b.start == pytest.approx(a.start + a.duration, abs=0.01)


async def test_audio_that_comes_too_fast_is_answered_late(standins):
    standins.order(delays={"stt_factor": 2})
    try:
        async with listening(standins) as ws:
            began = asyncio.get_running_loop().time()
            await converse(ws, say("book").tobytes())
            took = asyncio.get_running_loop().time() - began
        assert took == pytest.approx(len(say("book")) / RATE / 2, abs=0.5)
    finally:
        standins.order(delays={"stt_factor": 1000})


@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
async def test_telephone_audio_is_heard(standins, encoding):
    pcm = say("number", rate=8000)
    async with listening(standins, encoding=encoding, sample_rate=8000) as ws:
        got = await converse(ws, g711.encode(encoding, pcm))
    assert finals(got) == phrases.TEXTS["number"]


async def test_finalize_gives_what_was_heard_so_far(standins):
    async with listening(standins, endpointing=3000) as ws:
        await send(ws, say("yes", tail=0).tobytes())
        await ws.send_finalize()
        while True:
            m = await asyncio.wait_for(ws.recv(), 5)
            if m.type == "Results" and m.from_finalize:
                break
        assert text(m) == phrases.TEXTS["yes"] and m.is_final


async def test_keepalive_does_not_replace_the_first_audio(standins):
    standins.order(delays={"idle_ms": 600})
    try:
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            async with listening(standins) as ws:
                for _ in range(20):
                    await ws.send_keep_alive()
                    await asyncio.sleep(0.1)
        assert closed.value.rcvd.code == 1011 and "net0001" in closed.value.rcvd.reason
    finally:
        standins.order(delays={"idle_ms": 10000})


async def test_keepalive_holds_a_quiet_stream_open(standins):
    standins.order(delays={"idle_ms": 500})
    try:
        async with listening(standins) as ws:
            await ws.send_media(bytes(3200))
            for _ in range(10):
                await ws.send_keep_alive()
                await asyncio.sleep(0.1)
            with pytest.raises(websockets.ConnectionClosedError):
                await asyncio.sleep(0.9)
                await ws.recv()
                await ws.recv()
                await ws.recv()
    finally:
        standins.order(delays={"idle_ms": 10000})


async def test_an_empty_frame_ends_the_stream(standins):
    async with listening(standins) as ws:
        await send(ws, say("hello").tobytes())
        await ws.send_media(b"")
        got = [m async for m in ws]
    assert got[-1].type == "Metadata" and finals(got) == phrases.TEXTS["hello"]


async def test_bad_text_is_answered_and_the_stream_goes_on(standins):
    async with listening(standins) as ws:
        await ws._send('{"type":"Nonsense"}')
        got = await converse(ws, say("hello").tobytes())
    assert [m for m in got if m.type == "Error"][0].variant == "SchemaError"
    assert finals(got) == phrases.TEXTS["hello"]


@pytest.mark.parametrize("query, word", [
    (dict(model="flux-general-en"), "flux"),
    (dict(encoding="opus"), "encoding"),
    (dict(endpointing="soon"), "endpointing"),
    (dict(utterance_end_ms=500), "utterance_end_ms"),
    (dict(utterance_end_ms=1000, interim_results=False), "interim_results"),
    (dict(model="nova-2", keyterm="Acme"), "keyterm"),
    (dict(request_options={"additional_query_parameters": {"endpoint": 300}}), "endpoint"),
])
async def test_wrong_parameters_are_refused(standins, query, word):
    with pytest.raises(ApiError) as refused:
        async with listening(standins, **query):
            pass
    assert refused.value.status_code == 400
    url = f"{standins.deepgram_http}/v1/listen?model=flux-x"
    async with aiohttp.ClientSession() as http:
        async with http.get(url, headers={"Authorization": "Token dg-test"}) as r:
            assert r.status == 400 and "flux" in r.headers["dg-error"]
            assert (await r.json())["request_id"] == r.headers["dg-request-id"]


async def test_wrong_key_is_refused(standins):
    with pytest.raises(ApiError) as refused:
        async with listening(standins, key="dg-wrong"):
            pass
    assert refused.value.status_code == 401
    assert standins.state()["stt"]["refused"] == 1


# ---- faults of listening --------------------------------------------------------------


@pytest.mark.parametrize("status", [402, 403, 429, 500, 503])
async def test_ordered_refusals_hit_as_many_as_asked(standins, status):
    standins.order(service="stt", fault=status, count=1, after=1)
    async with listening(standins):
        pass
    with pytest.raises(ApiError) as refused:
        async with listening(standins):
            pass
    assert refused.value.status_code == status
    async with listening(standins):
        pass
    assert standins.state()["stt"]["requests"] == 3


async def test_mute_takes_audio_and_says_nothing(standins):
    standins.order(service="stt", fault="mute")
    async with listening(standins) as ws:
        await send(ws, say("hello").tobytes())
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(ws.recv(), 0.5)
    async with listening(standins) as ws:  # only one was ordered
        assert finals(await converse(ws, say("hello").tobytes())) == phrases.TEXTS["hello"]


async def test_a_fault_reaches_a_stream_that_is_open(standins):
    async with listening(standins) as ws:
        await ws.send_media(bytes(3200))
        standins.order(service="stt", fault="cut")
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await asyncio.wait_for(ws.recv(), 2)
    assert closed.value.rcvd is None  # no close frame came
    async with listening(standins) as ws:
        assert finals(await converse(ws, say("hello").tobytes())) == phrases.TEXTS["hello"]


@pytest.mark.parametrize("fault, code, word", [
    ("net0001", 1011, "net0001"), ("net0000", 1011, "NET-0000"), ("data0000", 1008, "DATA-0000")])
async def test_streams_close_with_the_documented_codes(standins, fault, code, word):
    standins.order(service="stt", fault=fault)
    with pytest.raises(websockets.ConnectionClosedError) as closed:
        async with listening(standins) as ws:
            await asyncio.wait_for(ws.recv(), 2)
    assert closed.value.rcvd.code == code and word in closed.value.rcvd.reason


async def test_empty_gives_results_without_words(standins):
    standins.order(service="stt", fault="empty")
    async with listening(standins) as ws:
        got = await converse(ws, say("hello").tobytes())
    assert results(got) and finals(got) == ""


async def test_stall_holds_results_back_and_then_gives_them(standins):
    standins.order(service="stt", fault="stall", delay_ms=800)
    async with listening(standins) as ws:
        began = asyncio.get_running_loop().time()
        got = await converse(ws, say("hello").tobytes())
        took = asyncio.get_running_loop().time() - began
    assert took >= 0.75 and finals(got) == phrases.TEXTS["hello"]


async def test_unknown_and_broken_messages_do_not_end_the_stream(standins):
    for fault in ("unknown", "garbage"):
        standins.order(service="stt", fault=fault)
        async with websockets.connect(
                f"{standins.deepgram_url}/v1/listen?model=nova-3&encoding=linear16"
                "&sample_rate=16000&interim_results=true",
                additional_headers={"Authorization": "Token dg-test"}) as ws:
            await ws.send(say("hello").tobytes())
            first = await asyncio.wait_for(ws.recv(), 2)
            if fault == "unknown":
                assert json.loads(first)["type"] == "Surprise"
            else:
                with pytest.raises(ValueError):
                    json.loads(first)
            await ws.ping()


async def test_twice_repeats_utterance_end(standins):
    standins.order(service="stt", fault="twice")
    async with listening(standins, utterance_end_ms=1000) as ws:
        got = await converse(ws, say("hello", tail=2.0).tobytes())
    assert len([m for m in got if m.type == "UtteranceEnd"]) == 2


async def test_configure_is_answered(standins):
    async with listening(standins) as ws:
        await ws._send({"type": "Configure", "keyterms": ["Acme"]})
        m = await asyncio.wait_for(ws.recv(), 2)
        assert m.type == "ConfigureSuccess" and m.keyterms == ["Acme"]
        await ws._send({"type": "Configure", "keyterms": ["x"] * 101})
        m = await asyncio.wait_for(ws.recv(), 2)
        assert m.type == "ConfigureFailure"


async def test_new_phrases_can_be_taught(standins):
    words = "My cat swallowed a silver button."
    standins.order(phrases=[words])
    async with listening(standins) as ws:
        assert finals(await converse(ws, say(words).tobytes())) == words


# ---- the ear alone ---------------------------------------------------------------------


def hear(book: Book, pcm: np.ndarray, rate: int = RATE) -> str:
    ear = Ear(book, rate)
    for i in range(0, len(pcm), rate // 50):
        ear.push(pcm[i:i + rate // 50])
    return " ".join(w.text for w in ear.words)


def test_every_phrase_is_told_from_every_other():
    book = Book()
    for p in book.items:
        want = " ".join(w.text for w in p.words)
        pcm = np.concatenate([p.pcm, np.zeros(RATE, np.int16)])
        assert hear(book, pcm) == want


def test_an_unknown_sentence_gives_nothing_of_length():
    book = Book()
    for sentence in ("We are going to the beach on Saturday with some friends.",
                     "Good afternoon, madam.", "Blue whales sing beneath the northern ice."):
        pcm = np.concatenate([phrases.speech(sentence, sentence).pcm, np.zeros(RATE, np.int16)])
        assert len(hear(book, pcm).split()) <= 2


def test_lost_packets_and_noise_do_not_hide_the_words():
    book, rng = Book(), np.random.default_rng(3)
    for name in ("book", "pain", "number", "person"):
        pcm = say(name).astype(float)
        for at in range(0, len(pcm) - 320, 320):
            if rng.random() < 0.03:
                pcm[at:at + 320] = 0
        pcm += rng.standard_normal(len(pcm)) * 60
        words = [w.text for w in phrases.speech(name, phrases.TEXTS[name]).words]
        assert hear(book, pcm.astype(np.int16)) == " ".join(words)


def words_outside(name: str, a: float, b: float) -> list[str]:
    """Words of a phrase of which most lies outside a stretch of its sound."""
    out = []
    for w in phrases.speech(name, phrases.TEXTS[name]).words:
        inside = max(0.0, min(b, w.end) - max(a, w.start))
        if inside < 0.5 * (w.end - w.start):
            out.append(w.text)
    return out


@pytest.mark.parametrize("name", ["hours", "book", "insurance", "pain", "person"])
@pytest.mark.parametrize("length", [0.1, 0.2, 0.35])
@pytest.mark.parametrize("silent", [True, False])
def test_a_hole_in_the_line_costs_the_words_in_it_only(name, length, silent):
    book = Book()
    pcm = phrases.speech(name, phrases.TEXTS[name]).pcm
    missed = extra = 0
    for at in (0.7, 0.9, 1.1):
        a, b = int(at * RATE), int((at + length) * RATE)
        hole = np.zeros(b - a if silent else 0, np.int16)
        heard = hear(book, np.concatenate([pcm[:a], hole, pcm[b:], np.zeros(RATE, np.int16)]))
        want = words_outside(name, at, at + length)
        missed += len([w for w in want if w not in heard.split()])
        extra += len([w for w in heard.split() if w not in want])
    assert missed <= 1 and extra <= 3, (missed, extra)


@pytest.mark.parametrize("name", ["hours", "book", "insurance"])
def test_a_pause_in_the_line_costs_no_word(name):
    """A machine that stands still makes the line pause and go on."""
    pcm = phrases.speech(name, phrases.TEXTS[name]).pcm
    words = [w.text for w in phrases.speech(name, phrases.TEXTS[name]).words]
    book = Book()
    for at in (0.5, 0.8, 1.1):
        a = int(at * RATE)
        pause = np.zeros(int(0.3 * RATE), np.int16)
        stopped = np.concatenate([pcm[:a], pause, pcm[a:], np.zeros(RATE, np.int16)])
        assert hear(book, stopped).split() == words


# ---- speaking ----------------------------------------------------------------------------


def speaking(standins, **query):
    asked = dict(model="aura-2-thalia-en", encoding="linear16", sample_rate=24000)
    asked.update(query)
    return client(standins).speak.v1.connect(**asked)


async def until(ws, kind: str) -> tuple[bytes, object]:
    """Audio up to the message of that type, and the message."""
    audio = b""
    while True:
        m = await asyncio.wait_for(ws.recv(), 5)
        if isinstance(m, bytes):
            audio += m
        elif m.type == kind:
            return audio, m


async def test_speech_can_be_read_back(standins):
    said = "Thank you for calling. How can I help you?"
    async with speaking(standins) as ws:
        _, meta = await until(ws, "Metadata")
        assert meta.model_name == "aura-2-thalia-en"
        await ws.send_text(SpeakV1Text(type="Speak", text=said))
        await ws.send_flush()
        audio, flushed = await until(ws, "Flushed")
        assert flushed.sequence_id == 0
        await ws.send_close()
    pcm = np.frombuffer(audio, np.int16)
    assert tone.read(pcm, 24000).replace(" ", "") == tone.fold(said).replace(" ", "")
    assert len(pcm) / 24000 == pytest.approx(
        sum(tone.duration(s) for s in ("Thank you for calling.", "How can I help you?")), abs=0.01)


@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
async def test_telephone_speech_can_be_read_back(standins, encoding):
    async with speaking(standins, encoding=encoding, sample_rate=8000) as ws:
        await ws.send_text(SpeakV1Text(type="Speak", text="good morning"))
        await ws.send_flush()
        audio, _ = await until(ws, "Flushed")
    assert tone.read(g711.decode(encoding, audio), 8000) == "good morning"


async def test_sentences_start_before_the_flush(standins):
    async with speaking(standins) as ws:
        await ws.send_text(SpeakV1Text(type="Speak", text="One moment. And then "))
        await until(ws, "Metadata")
        assert isinstance(await asyncio.wait_for(ws.recv(), 2), bytes)


async def test_clear_drops_what_has_not_left(standins):
    standins.order(delays={"tts_speed": 2})
    try:
        async with speaking(standins) as ws:
            await ws.send_text(SpeakV1Text(type="Speak", text="a long tale " * 60))
            await ws.send_flush()
            await until(ws, "Metadata")
            await asyncio.wait_for(ws.recv(), 2)
            await ws.send_clear()
            _, m = await until(ws, "Cleared")
            assert m.sequence_id == 0
            await ws.send_text(SpeakV1Text(type="Speak", text="new"))
            await ws.send_flush()
            audio, m = await until(ws, "Flushed")
            assert m.sequence_id == 1
            assert tone.read(np.frombuffer(audio, np.int16), 24000) == "new"
    finally:
        standins.order(delays={"tts_speed": 200})


async def test_the_twenty_first_flush_is_ignored_with_a_warning(standins):
    async with speaking(standins) as ws:
        for _ in range(21):
            await ws.send_flush()
        kinds = []
        while "Warning" not in kinds:
            m = await asyncio.wait_for(ws._websocket.recv(), 2)
            kinds.append(json.loads(m)["type"])
        await asyncio.sleep(0.1)
        await ws.send_text(SpeakV1Text(type="Speak", text="still works."))
        while not isinstance(m, bytes):
            m = await asyncio.wait_for(ws._websocket.recv(), 2)


async def test_speaking_refuses_what_it_cannot_do(standins):
    for query in (dict(model="flux-haley-en"), dict(sample_rate=11025), dict(encoding="mp3")):
        with pytest.raises(ApiError) as refused:
            async with speaking(standins, **query):
                pass
        assert refused.value.status_code == 400
    with pytest.raises(websockets.ConnectionClosedError) as closed:
        async with speaking(standins) as ws:
            await ws.send_text(SpeakV1Text(type="Speak", text="x" * 2001))
            while True:
                await asyncio.wait_for(ws.recv(), 2)
    assert closed.value.rcvd.code == 1009
    with pytest.raises(websockets.ConnectionClosedError) as closed:
        async with speaking(standins) as ws:
            await ws._send('{"type":"Sing"}')
            while True:
                await asyncio.wait_for(ws.recv(), 2)
    assert closed.value.rcvd.code == 1008


@pytest.mark.parametrize("fault, part", [("mute", 0.0), ("stall", 0.5)])
async def test_speech_that_does_not_come(standins, fault, part):
    standins.order(service="tts", fault=fault)
    async with speaking(standins) as ws:
        await ws.send_text(SpeakV1Text(type="Speak", text="hello again and again"))
        await ws.send_flush()
        audio = b""
        with pytest.raises(asyncio.TimeoutError):
            while True:
                m = await asyncio.wait_for(ws.recv(), 0.5)
                audio += m if isinstance(m, bytes) else b""
    want = tone.duration("hello again and again") * 48000 * part
    assert len(audio) == pytest.approx(want, abs=3000 if part else 0)


async def test_speech_that_is_empty_cut_or_late(standins):
    standins.order(service="tts", fault="empty")
    async with speaking(standins) as ws:
        await ws.send_text(SpeakV1Text(type="Speak", text="hello"))
        await ws.send_flush()
        assert (await until(ws, "Flushed"))[0] == b""
    standins.order(service="tts", fault="cut")
    with pytest.raises(websockets.ConnectionClosedError) as closed:
        async with speaking(standins) as ws:
            await ws.send_text(SpeakV1Text(type="Speak", text="hello"))
            await ws.send_flush()
            await until(ws, "Flushed")
    assert closed.value.rcvd is None
    standins.order(service="tts", fault="late")
    async with speaking(standins) as ws:
        await ws.send_text(SpeakV1Text(type="Speak", text="hello"))
        await ws.send_clear()
        assert (await until(ws, "Cleared"))[0] != b""


async def test_speech_by_rest(standins):
    c = client(standins)
    asked = dict(text="good evening", model="aura-2-thalia-en", encoding="linear16",
                 sample_rate=24000)
    data = b"".join([b async for b in c.speak.v1.audio.generate(**asked, container="none")])
    assert tone.read(np.frombuffer(data, np.int16), 24000) == "good evening"
    data = b"".join([b async for b in c.speak.v1.audio.generate(**asked, container="wav")])
    assert data[:4] == b"RIFF" and len(data) > 44
    standins.order(service="tts", fault=429)
    with pytest.raises(ApiError) as refused:
        [b async for b in c.speak.v1.audio.generate(
            **asked, container="none", request_options={"max_retries": 0})]
    assert refused.value.status_code == 429


async def test_sockets_over_the_limit_get_429(standins):
    server = standins.server
    server.tts_limit = 1
    try:
        async with speaking(standins):
            with pytest.raises(ApiError) as refused:
                async with speaking(standins):
                    pass
        assert refused.value.status_code == 429
    finally:
        server.tts_limit = 45


async def test_control_refuses_what_it_does_not_know(standins):
    async with aiohttp.ClientSession() as http:
        for body in ({"service": "stt", "fault": "sulk"}, {"service": "cat", "fault": "mute"},
                     {"delays": {"x": 1}}, {"surprise": 1}):
            async with http.post(standins.control, json=body) as r:
                assert r.status == 400 and (await r.json())["error"]
