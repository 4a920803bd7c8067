/*
 * Voice activity of the caller. 20 ms frames are cut into the VAD's windows
 * of 32 ms, and a window is judged in the beat in which it completes: the
 * reflex waits for nothing else. Media thread; never allocates.
 *
 * The network judges the same onset very differently by where the window
 * falls on it: the "th" of "thank you" was found after 55 ms at one phase and
 * after 200 ms at another (test_voice.c). Two networks half a window apart
 * leave no bad phase, and tell every 16 ms. It costs a thousandth of a core.
 */
#include "audio/input_int.h"

#include <assert.h>
#include <string.h>

enum {
	WINDOW_MS = AUDIO_VAD_WINDOW * 1000 / AUDIO_IN_HZ,
	HOP = AUDIO_VAD_WINDOW / INPUT_LOOKS,
	HOP_MS = WINDOW_MS / INPUT_LOOKS,
	/* A closed consonant ("t", "k") is up to 60 ms of silence inside a
	 * word: only more than that ends a run. */
	RUN_HOLD_MS = 2 * WINDOW_MS,
};

int input_init(struct input *in, const struct audio_cfg *cfg)
{
	memset(in, 0, sizeof *in);
	in->on = cfg->vad_on > 0 ? cfg->vad_on : 0.5f;
	in->off = cfg->vad_off > 0 ? cfg->vad_off : 0.35f;
	if (in->off > in->on)
		in->off = in->on;
	in->on_ms = cfg->speech_on_ms ? cfg->speech_on_ms : 64;
	in->off_ms = cfg->speech_off_ms ? cfg->speech_off_ms : 400;
	for (int i = 0; i < INPUT_LOOKS; i++) {
		int r = audio_vad_create(&in->looks[i].vad);

		if (r < 0)
			return r;
	}
	input_reset(in);
	return 0;
}

void input_finish(struct input *in)
{
	for (int i = 0; i < INPUT_LOOKS; i++) {
		audio_vad_destroy(in->looks[i].vad);
		in->looks[i].vad = NULL;
	}
}

enum input_change input_reset(struct input *in)
{
	bool was = in->speech;

	for (int i = 0; i < INPUT_LOOKS; i++) {
		struct look *l = &in->looks[i];

		audio_vad_reset(l->vad);
		memset(l->window, 0, sizeof l->window);
		l->n = (size_t)i * HOP; /* of zeros: that sets them apart */
		l->prob = 0;
		l->voiced = false;
	}
	in->prob = 0;
	in->voiced = in->speech = false;
	in->run_ms = in->quiet_ms = 0;
	return was ? INPUT_OFF : INPUT_SAME;
}

static void look_at(struct input *in, struct look *l)
{
	l->prob = audio_vad_step(l->vad, l->window);
	l->voiced = l->prob >= (l->voiced ? in->off : in->on);
	in->prob = 0;
	in->voiced = false;
	for (int i = 0; i < INPUT_LOOKS; i++) {
		in->voiced |= in->looks[i].voiced;
		if (in->looks[i].prob > in->prob)
			in->prob = in->looks[i].prob;
	}
}

static enum input_change judge(struct input *in)
{
	if (in->voiced) {
		/* The first window brings all its length. */
		in->run_ms += in->run_ms ? HOP_MS : WINDOW_MS;
		in->quiet_ms = 0;
	} else {
		in->quiet_ms += HOP_MS;
		if (in->quiet_ms >= RUN_HOLD_MS)
			in->run_ms = 0;
	}
	if (!in->speech && in->run_ms >= in->on_ms) {
		in->speech = true;
		return INPUT_ON;
	}
	if (in->speech && in->quiet_ms >= in->off_ms) {
		in->speech = false;
		return INPUT_OFF;
	}
	return INPUT_SAME;
}

static enum input_change feed(struct input *in, struct look *l, float sample)
{
	assert(l->n < AUDIO_VAD_WINDOW);
	l->window[l->n++] = sample;
	if (l->n < AUDIO_VAD_WINDOW)
		return INPUT_SAME;
	l->n = 0;
	look_at(in, l);
	return judge(in);
}

enum input_change input_frame(struct input *in, const int16_t *pcm)
{
	enum input_change change = INPUT_SAME;

	for (int i = 0; i < AUDIO_IN_FRAME; i++) {
		float sample = (float)pcm[i] / 32768.0f;

		for (int k = 0; k < INPUT_LOOKS; k++) {
			enum input_change c = feed(in, &in->looks[k], sample);

			/* Off and on within a frame: nothing has changed. */
			if (c)
				change = change ? INPUT_SAME : c;
		}
	}
	return change;
}
