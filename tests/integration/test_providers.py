"""The provider clients against the stand-ins: the good way and every fault.

The program provider_probe (tests/support/provider_probe.c) runs the clients;
FD_BUILD names the build folder.
"""
from __future__ import annotations

import asyncio
import json
import os
import pathlib

import numpy as np
import pytest

from tests.standins import phrases

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOVA = {"provider": "deepgram", "model": "nova-3", "language": "en"}
NOVA2 = {"provider": "deepgram", "model": "nova-2", "language": "en"}
LUNA = {"provider": "openai", "model": "gpt-6-luna"}
ASTRA = {"provider": "openai", "model": "gpt-6-astra"}
GPT4 = {"provider": "openai", "model": "gpt-4.1-mini"}
AURA = {"provider": "aura", "model": "aura-2-thalia-en"}
REST = {"provider": "aura-rest", "model": "aura-2-thalia-en"}
SPEECH = {"provider": "speech", "model": "tts-1", "voice": "coral"}
HELLO = [{"role": "user", "content": "Hello"}]
LIMIT_MS = 3000  # of silence, under any single fault


def probe_path() -> pathlib.Path:
    named = os.environ.get("FD_BUILD")
    builds = [pathlib.Path(named)] if named else (ROOT / "build").glob("*")
    built = [p for b in builds if (p := b / "bin" / "provider_probe").exists()]
    if not built:
        pytest.skip("provider_probe is not built (set FD_BUILD)")
    return max(built, key=lambda p: p.stat().st_mtime)


class Run(list):
    """The events of a script, in order."""

    def of(self, *names: str, step: int = 0, copy: int | None = None) -> list[dict]:
        return [e for e in self if e["event"] in names and e["step"] == step
                and copy in (None, e["copy"])]

    def text(self, step: int = 0) -> str:
        return "".join(e["text"] for e in self.of("text", step=step))

    def ends(self) -> str:
        return " ".join(e["text"] for e in self.of("end"))

    def samples(self, step: int = 0, copy: int = 0) -> dict[int, int]:
        out: dict[int, int] = {}
        for e in self.of("audio", step=step, copy=copy):
            out[e["clause"]] = out.get(e["clause"], 0) + e["n"]
        return out


async def run(standins, *steps, seconds: float = 60, **config) -> Run:
    base = dict(deepgram_url=standins.deepgram_url, deepgram_key="dg-test",
                openai_base_url=standins.openai_base_url, openai_key="sk-test")
    script = json.dumps({"config": {**base, **config}, "steps": steps})
    child = await asyncio.create_subprocess_exec(
        str(probe_path()), script, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, limit=1 << 22)
    try:
        out, err = await asyncio.wait_for(child.communicate(), seconds)
    finally:
        if child.returncode is None:
            child.kill()
    for secret in ("dg-test", "sk-test"):
        assert secret not in err.decode() + out.decode()
    assert child.returncode == 0, err.decode()[-4000:]
    return Run(json.loads(line) for line in out.splitlines())


async def faulty(standins, order: dict, *steps, **config) -> Run:
    """One script with one fault."""
    standins.order(clear=True)
    standins.order(**order)
    return await run(standins, *steps, **config)


@pytest.fixture
def book(tmp_path) -> str:
    """A caller's sentence as the host hears it."""
    path = tmp_path / "book.raw"
    pcm = phrases.caller_audio("book", 16000, lead=0.3, tail=0.3)
    np.asarray(pcm, np.int16).tofile(path)
    return str(path)


BOOK = phrases.TEXTS["book"]

# ---- speech to text ------------------------------------------------------------------


async def test_stt_hears_a_sentence(standins, book):
    got = await run(standins, {"stt": [{**NOVA, "keyterms": ["Bright Smile"]}], "audio": book})
    assert got.ends() == BOOK
    assert [e["event"] for e in got][:2] == ["open", "speech"]
    words = [w for e in got.of("final") for w in e["words"]]
    assert [w["word"] for w in words] == BOOK.split()
    assert all(a["end"] <= b["start"] + 0.001 for a, b in zip(words, words[1:]))
    query = dict(standins.state()["stt"]["last"]["query"])
    assert query["keyterm"] == "Bright Smile" and query["mip_opt_out"] == "true"
    assert standins.state()["stt"]["open"] == 0


@pytest.mark.parametrize("fault", ["mute", "stall", "cut", "net0001", "net0000", "data0000",
                                   "close", "garbage", "empty", "unknown"])
async def test_stt_survives(standins, book, fault):
    order = {"service": "stt", "fault": fault}
    if fault in ("cut", "net0001", "net0000", "data0000", "close"):
        order["delay_ms"] = 1500
    if fault == "stall":
        order["delay_ms"] = 60000
    got = await faulty(standins, order, {"stt": [NOVA, NOVA2], "audio": book, "flush": True,
                                         "until_end": True, "tail_ms": 4000})
    said = got.of("flush")[0]["ms"] - 300
    heard = got.of("end")[-1]["ms"]
    assert got.ends() == BOOK
    assert len(got.of("open")) == 2 and got.of("trouble")
    assert heard - said < LIMIT_MS
    words = [w for e in got.of("final") for w in e["words"]]
    assert all(-0.05 < w["start"] < 4.5 for w in words), "times are the stream's own"


@pytest.mark.parametrize("fault", ["twice", "slow"])
async def test_stt_takes_no_harm_from(standins, book, fault):
    got = await faulty(standins, {"service": "stt", "fault": fault, "delay_ms": 300},
                       {"stt": [NOVA], "audio": book})
    assert got.ends() == BOOK and len(got.of("open")) == 1 and len(got.of("end")) == 1


@pytest.mark.parametrize("fault", ["400", "401", "402", "403", "429", "500", "503", "hang"])
async def test_stt_goes_on_after_a_refusal(standins, book, fault):
    got = await faulty(standins, {"service": "stt", "fault": fault},
                       {"stt": [NOVA, NOVA2], "audio": book, "open_ms": 2000,
                        "until_end": True})
    assert got.ends() == BOOK
    assert len(got.of("trouble")) == 1 and not got.of("dead")
    if fault != "hang":
        assert got.of("open")[0]["ms"] < 1000
        assert fault in got.of("trouble")[0]["why"]


async def test_stt_that_is_refused_everywhere_says_so_and_keeps_trying(standins, book):
    got = await faulty(standins, {"service": "stt", "fault": "401", "count": 3},
                       {"stt": [NOVA, NOVA2], "audio": book, "tail_ms": 6500})
    assert len(got.of("dead")) == 1
    assert got.of("dead")[0]["err"] == "ERR_AUTH"
    assert standins.state()["stt"]["requests"] >= 3


async def test_stt_streams_beyond_the_limit_wait_elsewhere(standins, book):
    got = await run(standins, {"stt": [NOVA], "audio": book, "copies": 3, "tail_ms": 200},
                    stt_streams=2)
    assert standins.state()["stt"]["most_open"] == 2
    assert len(got.of("open")) == 2
    assert {e["err"] for e in got.of("trouble", "dead")} == {"ERR_FULL"}


# ---- language models ---------------------------------------------------------------------

TOOLS = [{"name": "book", "description": "Books.", "parameters":
          {"type": "object", "properties": {"day": {"type": "string"}}}},
         {"name": "look", "description": "Looks.", "parameters":
          {"type": "object", "properties": {}}}]


@pytest.mark.parametrize("model", [LUNA, ASTRA, {**LUNA, "effort": "low"}, GPT4])
async def test_llm_answers_with_words_and_tools(standins, model):
    standins.order(script=[{"text": "One moment, please.", "tools": [
        {"name": "book", "arguments": {"day": "Tuesday the fifth of May"}},
        {"name": "look", "arguments": {}}]}])
    got = await run(standins, {"llm": [model], "messages": HELLO, "tools": TOOLS,
                               "temperature": 0.4})
    assert got.text() == "One moment, please."
    tools = got.of("tool")
    assert [t["name"] for t in tools] == ["book", "look"]
    assert json.loads(tools[0]["text"]) == {"day": "Tuesday the fifth of May"}
    assert tools[0]["id"] != tools[1]["id"]
    done = got.of("done")[0]
    assert done["finish"] == "tool_calls" and done["tokens_in"] > 0
    body = standins.state()["llm"]["last"]["body"]
    assert body["store"] is False and body["prompt_cache_key"] == "probe"


async def test_llm_is_given_the_whole_conversation(standins):
    talk = [{"role": "system", "content": "Be brief."}, *HELLO,
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "call_1", "type": "function",
                 "function": {"name": "book", "arguments": "{\"day\":\"Monday\"}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "{\"ok\":true}"}]
    for model in (LUNA, ASTRA):
        standins.order(script=[{"text": "Booked."}])
        got = await run(standins, {"llm": [model], "messages": talk, "tools": TOOLS})
        assert got.text() == "Booked."


async def test_llm_gives_structured_answers(standins):
    schema = {"name": "intent", "schema": {
        "type": "object", "properties": {"intent": {"type": "string"}},
        "required": ["intent"], "additionalProperties": False}}
    got = await run(standins, {"llm": [LUNA], "messages": HELLO, "schema": schema})
    assert "intent" in json.loads(got.text())


@pytest.mark.parametrize("model", [LUNA, ASTRA])
@pytest.mark.parametrize("fault", ["split", "crlf"])
async def test_llm_reads_streams_cut_anywhere(standins, model, fault):
    standins.order(script=[{"text": "Grüße aus Köln – 你好."}])
    standins.order(service="llm", fault=fault)
    got = await run(standins, {"llm": [model], "messages": HELLO})
    assert got.text() == "Grüße aus Köln – 你好."
    assert got.of("done")


@pytest.mark.parametrize("model", [LUNA, ASTRA])
@pytest.mark.parametrize("fault", ["mute", "slow", "empty", "refuse", "hang", "429", "500", "503"])
async def test_llm_survives(standins, model, fault):
    got = await faulty(standins, {"service": "llm", "fault": fault},
                       {"llm": [model], "messages": HELLO})
    assert got.text() and got.of("done") and not got.of("failed")
    assert got.of("text")[0]["ms"] < 2900
    if fault == "429":  # retry-after-ms: 300
        assert got.of("text")[0]["ms"] >= 300


@pytest.mark.parametrize("fault", ["400", "401", "403", "404", "quota"])
async def test_llm_refused_for_good_goes_to_the_next_choice(standins, fault):
    step = {"llm": [LUNA, GPT4], "messages": HELLO}
    got = await faulty(standins, {"service": "llm", "fault": fault}, step, step)
    assert got.text() and got.of("text")[0]["ms"] < 500
    state = standins.state()["llm"]
    assert state["last"]["body"]["model"] == GPT4["model"]
    assert state["requests"] == 3, "the second turn does not ask the refused one again"
    got = await faulty(standins, {"service": "llm", "fault": fault},
                       {"llm": [LUNA], "messages": HELLO})
    assert len(got.of("failed")) == 1 and not got.text()
    assert standins.state()["llm"]["requests"] == 1


@pytest.mark.parametrize("model, fault", [  # Responses' error comes before any word
    *((LUNA, f) for f in ("stall", "cut", "garbage", "error")),
    *((ASTRA, f) for f in ("stall", "cut", "garbage"))])
async def test_llm_tries_nothing_again_after_words(standins, model, fault):
    standins.order(script=[{"text": "We are open from nine to five on weekdays."}])
    standins.order(service="llm", fault=fault)
    got = await run(standins, {"llm": [model], "messages": HELLO})
    failed = got.of("failed")
    assert standins.state()["llm"]["requests"] == 1
    assert got.text() and len(failed) == 1 and not got.of("done")
    assert failed[0]["ms"] - got.of("text")[-1]["ms"] < 2900


async def test_llm_error_event_before_words_is_retried(standins):
    got = await faulty(standins, {"service": "llm", "fault": "error"},
                       {"llm": [ASTRA], "messages": HELLO})
    assert got.text() and got.of("done")


@pytest.mark.parametrize("model", [LUNA, ASTRA])
async def test_llm_says_when_it_was_cut_by_length(standins, model):
    standins.order(script=[{"text": "We are open from nine to five on weekdays."}])
    standins.order(service="llm", fault="length")
    got = await run(standins, {"llm": [model], "messages": HELLO})
    assert got.of("done")[0]["finish"] == "length" and got.text() == "We are open"


async def test_llm_that_is_mute_everywhere_fails_in_time(standins):
    got = await faulty(standins, {"service": "llm", "fault": "mute", "count": 0},
                       {"llm": [LUNA, GPT4], "messages": HELLO})
    failed = got.of("failed")[0]
    assert failed["err"] == "ERR_STALLED" and 2100 < failed["ms"] < 2500
    assert standins.state()["llm"]["requests"] == 2


async def test_llm_cancel_ends_the_request_and_is_silent(standins):
    standins.order(script=[{"text": "word " * 3000}], delays={"llm_delta_ms": 5})
    got = await run(standins, {"llm": [LUNA], "messages": HELLO, "cancel_ms": 200},
                    {"wait_ms": 300})
    standins.order(delays={"llm_delta_ms": 1})
    assert got.text() and not got.of("done", "failed")
    assert all(e["ms"] <= 230 for e in got.of("text"))
    assert standins.state()["llm"]["cancelled"] == 1


async def test_llm_turns_share_a_connection(standins):
    step = {"llm": [LUNA], "messages": HELLO}
    got = await run(standins, {"warm": True, "wait_ms": 200}, step, step, step)
    assert all(got.text(i) for i in (1, 2, 3))


# ---- text to speech --------------------------------------------------------------------------

CLAUSES = ["We have a place on Tuesday.", "Does nine in the morning suit you?"]


async def samples_of(standins, choice, clauses=None) -> dict[int, int]:
    got = await run(standins, {"tts": [choice], "clauses": clauses or CLAUSES})
    assert got.of("done") and not got.of("failed")
    return got.samples()


@pytest.mark.parametrize("choice", [AURA, REST, SPEECH])
async def test_tts_speaks_in_order(standins, choice, tmp_path):
    path = tmp_path / "out.raw"
    got = await run(standins, {"tts": [choice], "clauses": CLAUSES, "out": str(path)})
    order = [(e["event"], e["clause"]) for e in got.of("clause", "done")]
    assert order == [("clause", 0), ("clause", 1), ("done", 2)]
    pcm = np.fromfile(path, np.int16)
    assert len(pcm) == sum(got.samples().values()) > 24000
    step = np.abs(np.diff(pcm.astype(int)))
    assert step.max() < 30000, "a sample torn in two would jump"
    service = "speech" if choice is SPEECH else "tts"
    assert standins.state()[service]["texts"] == CLAUSES


@pytest.mark.parametrize("choice", [AURA, REST, SPEECH])
@pytest.mark.parametrize("fault", ["mute", "slow", "stall", "cut", "empty"])
async def test_tts_survives(standins, choice, fault):
    whole = await samples_of(standins, choice)
    service = "speech" if choice is SPEECH else "tts"
    got = await faulty(standins, {"service": service, "fault": fault},
                       {"tts": [choice], "clauses": CLAUSES})
    assert not got.of("failed") and len(got.of("clause")) == 2
    assert got.samples() == whole, "nothing lost, nothing said twice"
    events = got.of("audio", "done")
    assert events[0]["ms"] < 2400
    gaps = [b["ms"] - a["ms"] for a, b in zip(events, events[1:])]
    assert max(gaps) < LIMIT_MS


@pytest.mark.parametrize("fault", ["garbage", "unknown", "late", "net0001", "net0000", "close"])
async def test_aura_socket_survives(standins, fault):
    whole = await samples_of(standins, AURA)
    got = await faulty(standins, {"service": "tts", "fault": fault},
                       {"tts": [AURA], "clauses": CLAUSES})
    assert got.samples() == whole and len(got.of("clause")) == 2
    assert got.of("done")[0]["ms"] < 2000


@pytest.mark.parametrize("fault", ["401", "402", "429", "500", "hang"])
async def test_tts_refused_goes_to_the_next_choice(standins, fault):
    whole = await samples_of(standins, SPEECH)
    count = 2 if fault == "500" else 1
    step = {"tts": [AURA, SPEECH], "clauses": CLAUSES}
    got = await faulty(standins, {"service": "tts", "fault": fault, "count": count}, step, step)
    assert got.samples() == whole and got.samples(1) == whole
    assert got.of("audio")[0]["ms"] < 2400
    assert got.of("audio", step=1)[0]["ms"] < 500, "the next utterance need not find out again"


async def test_tts_fails_in_time_when_all_are_mute(standins):
    standins.order(service="tts", fault="mute", count=0)
    standins.order(service="speech", fault="mute", count=0)
    got = await run(standins, {"tts": [AURA, REST, SPEECH], "clauses": CLAUSES})
    failed = got.of("failed")[0]
    assert failed["clause"] == 0 and failed["err"] == "ERR_STALLED"
    assert failed["ms"] < LIMIT_MS


async def test_aura_beyond_its_sockets_goes_over_rest(standins):
    got = await run(standins, {"tts": [AURA], "clauses": CLAUSES, "copies": 6},
                    tts_sockets=2)
    assert len(got.of("done")) == 6 and not got.of("failed")
    assert standins.state()["tts"]["most_open"] <= 2
    whole = got.samples(copy=0)
    assert all(got.samples(copy=i) == whole for i in range(6))


async def test_aura_flushes_stay_below_the_limit(standins):
    clauses = [f"Clause number {i}." for i in range(25)]
    got = await run(standins, {"tts": [AURA], "clauses": clauses})
    assert len(got.of("clause")) == 25 and not got.of("failed")
    state = standins.state()["tts"]
    assert state["requests"] == 2 and state["texts"] == clauses


async def test_a_cancelled_aura_socket_is_used_again(standins):
    long = {"tts": [AURA], "clauses": ["A long sentence " * 40 + "."], "cancel_ms": 150}
    short = {"tts": [AURA], "clauses": ["Short."]}
    standins.order(delays={"tts_speed": 8})
    got = await run(standins, short, long, {"wait_ms": 300}, short)
    standins.order(delays={"tts_speed": 200})
    assert standins.state()["tts"]["requests"] == 1
    assert got.samples(1), "it had begun"
    assert got.samples(3) == got.samples(0), "nothing of the cancelled one is heard"


async def test_tts_without_words_has_no_sound_and_no_failure(standins):
    got = await run(standins, {"tts": [AURA], "clauses": ["...", "—"]})
    assert len(got.of("clause")) == 2 and got.of("done") and not got.of("audio")
    assert standins.state()["tts"]["requests"] == 0


async def test_a_very_long_clause_is_one_clause(standins):
    text = "We are a family practice in the old town. " * 60  # 2,520 characters
    for choice in (AURA, REST):
        got = await run(standins, {"tts": [choice], "clauses": [text]})
        assert len(got.of("clause")) == 1 and not got.of("failed")


# ---- nobody there -----------------------------------------------------------------------------


async def test_dead_addresses_are_told_at_once(standins, book):
    got = await run(standins,
                    {"stt": [NOVA], "audio": book, "tail_ms": 100},
                    {"llm": [LUNA], "messages": HELLO},
                    {"tts": [AURA, REST, SPEECH], "clauses": CLAUSES},
                    deepgram_url="ws://127.0.0.1:9", openai_base_url="http://127.0.0.1:9/v1")
    assert got.of("dead")
    assert got.of("failed", step=1)[0]["ms"] < 1000
    assert got.of("failed", step=2)[0]["ms"] < 1000
