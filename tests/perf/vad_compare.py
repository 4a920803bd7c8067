#!/usr/bin/env python3
"""Compares the VAD with the original on ten minutes of speech.

    pip install --no-deps silero-vad && pip install onnxruntime numpy
    python3 tests/perf/vad_compare.py build/release/bin/vad_run

Two synthetic voices (flite slt, espeak-ng), each clean, in noise, and as a
telephone would carry it (300-3400 Hz, 8 kHz, mu-law), with pauses. Fails when
any probability differs by 1e-3. With --fixture DIR it writes the short sound
and the reference that tests/unit/audio/test_vad.c reads instead.
"""
import argparse
import importlib.util
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime

HZ, WINDOW, CONTEXT, LIMIT = 16000, 512, 64, 1e-3
SENTENCES = [
    "Hello, this is Mary Jones. I would like to make an appointment.",
    "Next Tuesday in the morning would be best, if you have anything.",
    "No, I am afraid nine o'clock is too early for me.",
    "My phone number is five five five, zero one four, two seven nine three.",
    "It is about a tooth at the back that has been hurting since Friday.",
    "Yes.", "No, thank you.", "Hm, let me look at my calendar.",
    "Could you say that again, please? I did not quite hear you.",
    "Do you take my insurance? It is the one from the railway company.",
    "I had to cancel twice last month, I am so sorry about that.",
    "Is Doctor Patel there on Thursdays?",
    "Could I speak to a person, please?",
    "That is fine. See you on Wednesday the fourteenth at half past three.",
    "Wait, actually, can we make it an hour later?",
    "My daughter fell off her bicycle and chipped a front tooth.",
    "How much does a cleaning cost without insurance?",
    "All right, goodbye.",
]


def run(*args):
    subprocess.run(args, check=True, stdout=subprocess.DEVNULL)


def sox(source, *effects, form=()):
    """The sound in a file or as int16, through sox, as int16 at 16 kHz."""
    with tempfile.TemporaryDirectory() as d:
        raw = ("-t", "raw", "-r", str(HZ), "-c", "1", "-b", "16",
               "-e", "signed")
        if isinstance(source, np.ndarray):
            source.astype("<i2").tofile(d + "/in")
            source = (*raw, d + "/in")
        else:
            source = (source,)
        run("sox", "-D", *source, *form, d + "/mid.wav", *effects)
        run("sox", "-D", d + "/mid.wav", *raw, d + "/out")
        return np.fromfile(d + "/out", "<i2")


def speak(voice, text):
    with tempfile.TemporaryDirectory() as d:
        if voice == "flite":
            run("flite", "-voice", "slt", "-t", text, d + "/a.wav")
        else:
            run("espeak-ng", "-v", "en-us", "-s", "160", "-w", d + "/a.wav",
                text)
        return sox(d + "/a.wav").astype(np.float64)


def telephone(pcm):
    return sox(pcm, "sinc", "300-3400",
               form=("-r", "8000", "-e", "mu-law", "-b", "8"))


def track(voice, kind, seconds, seed):
    """Sentences with pauses of 0.2 to 3 s, cut to length."""
    rng = np.random.default_rng(seed)
    parts, have = [], 0
    spoken = [speak(voice, s) for s in SENTENCES]
    while have < seconds * HZ:
        pause = np.zeros(int(rng.uniform(0.2, 3) * HZ))
        said = spoken[rng.integers(len(spoken))] * rng.uniform(0.15, 1)
        parts += [pause, said]
        have += len(pause) + len(said)
    pcm = np.concatenate(parts)[:seconds * HZ]
    if kind != "clean":
        hiss = rng.standard_normal(len(pcm))
        rumble = np.convolve(rng.standard_normal(len(pcm)), np.ones(64) / 8,
                             "same")
        level = np.repeat(rng.uniform(10, 1500, seconds // 5 + 1), 5 * HZ)
        pcm = pcm + (hiss + rumble) / 2 * level[:len(pcm)]
    pcm = np.clip(np.rint(pcm), -32768, 32767).astype("<i2")
    return telephone(pcm) if kind == "telephone" else pcm


class Original:
    def __init__(self):
        spec = importlib.util.find_spec("silero_vad")
        where = pathlib.Path(spec.submodule_search_locations[0])
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            where / "data" / "silero_vad.onnx", options,
            providers=["CPUExecutionProvider"])

    def __call__(self, pcm):
        x = pcm.astype(np.float32) / 32768
        x = np.concatenate([np.zeros(CONTEXT, np.float32), x])
        state, out = np.zeros((2, 1, 128), np.float32), []
        for at in range(0, len(x) - CONTEXT - WINDOW + 1, WINDOW):
            prob, state = self.session.run(None, {
                "input": x[None, at:at + CONTEXT + WINDOW],
                "state": state, "sr": np.array(HZ)})
            out.append(prob[0, 0])
        return np.array(out)


def ours(program, pcm, *args):
    done = subprocess.run([program, *args], input=pcm.tobytes(),
                          capture_output=True, check=True)
    words = done.stderr.split()
    return np.frombuffer(done.stdout, np.float32), int(words[2]) / 1e6


def compare(program):
    original, worst, flips, total = Original(), 0.0, 0, 0
    spent = {"original": 0.0, "ours": 0.0, "plain": 0.0}
    for i, (voice, kind) in enumerate(
            (v, k) for v in ("flite", "espeak")
            for k in ("clean", "noise", "telephone")):
        pcm = track(voice, kind, 100, seed=i)
        start = time.process_time()
        want = original(pcm)
        spent["original"] += time.process_time() - start
        got, t = ours(program, pcm)
        spent["ours"] += t
        plain, t = ours(program, pcm, "--plain")
        spent["plain"] += t
        if len(got) != len(want) or len(plain) != len(want):
            sys.exit("vad_compare: not the same number of windows")
        diff = max(abs(got - want).max(), abs(plain - want).max())
        flips += int(((got > 0.5) != (want > 0.5)).sum())
        total += len(want)
        worst = max(worst, diff)
        print("%-7s %-10s %5d windows, %2.0f %% voiced, max difference %.1e"
              % (voice, kind, len(want), 100 * (want > 0.5).mean(), diff))
    minutes = total * WINDOW / HZ / 60
    print("all: %.1f minutes, max difference %.1e (limit %.0e), %d decisions "
          "differ" % (minutes, worst, LIMIT, flips))
    print("CPU for 60 s of audio: original %.0f ms, ours %.1f ms, "
          "ours without AVX2 %.1f ms"
          % tuple(1000 * spent[k] / minutes for k in spent))
    return 0 if worst < LIMIT else 1


def fixture(where):
    """5 s: silence, two voices over a little noise, louder noise alone."""
    rng = np.random.default_rng(1)
    quiet, pause = np.zeros(int(0.3 * HZ)), np.zeros(int(0.5 * HZ))
    pcm = np.concatenate([
        quiet, speak("flite", "Hello, this is Mary.") * 0.8, pause,
        speak("espeak", "Are you open on Tuesday?") * 0.5, pause])
    noise = rng.standard_normal(5 * HZ)
    noise *= np.where(np.arange(5 * HZ) < len(pcm), 60, 800)
    noise[:len(quiet)] = 0
    noise[:len(pcm)] += pcm[:5 * HZ]
    pcm = np.clip(np.rint(noise), -32768, 32767).astype("<i2")
    pcm = pcm[:len(pcm) // WINDOW * WINDOW]
    pcm.tofile(where / "vad_speech.s16")
    np.savetxt(where / "vad_speech.txt", Original()(pcm), "%.6f")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", nargs="?", type=pathlib.Path)
    parser.add_argument("--fixture", type=pathlib.Path)
    args = parser.parse_args()
    if args.fixture:
        return fixture(args.fixture)
    if not args.program:
        parser.error("the path of vad_run is missing")
    return compare(args.program.resolve())


if __name__ == "__main__":
    sys.exit(main())
