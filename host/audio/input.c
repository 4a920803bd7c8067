/*
 * Voice activity of the caller. 20 ms frames are cut into the VAD's windows
 * of 32 ms, and a window is judged in the beat in which it completes: the
 * reflex waits for nothing else. Media thread; never allocates.
 */
#include "audio/input_int.h"

#include <assert.h>
#include <string.h>

enum {
	WINDOW_MS = AUDIO_VAD_WINDOW * 1000 / AUDIO_IN_HZ,
	/* A closed consonant ("t", "k") is up to 60 ms of silence inside a
	 * word: one unvoiced window does not end a run, two do. */
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
	return audio_vad_create(&in->vad);
}

void input_finish(struct input *in)
{
	audio_vad_destroy(in->vad);
	in->vad = NULL;
}

enum input_change input_reset(struct input *in)
{
	bool was = in->speech;

	audio_vad_reset(in->vad);
	in->n = 0;
	in->prob = 0;
	in->voiced = in->speech = false;
	in->run_ms = in->quiet_ms = 0;
	return was ? INPUT_OFF : INPUT_SAME;
}

static enum input_change judge(struct input *in)
{
	in->prob = audio_vad_step(in->vad, in->window);
	in->voiced = in->prob >= (in->voiced ? in->off : in->on);
	if (in->voiced) {
		in->run_ms += WINDOW_MS;
		in->quiet_ms = 0;
	} else {
		in->quiet_ms += WINDOW_MS;
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

enum input_change input_frame(struct input *in, const int16_t *pcm)
{
	enum input_change change = INPUT_SAME;

	/* A frame is shorter than a window: at most one completes. */
	for (int i = 0; i < AUDIO_IN_FRAME; i++) {
		in->window[in->n++] = (float)pcm[i] / 32768.0f;
		if (in->n < AUDIO_VAD_WINDOW)
			continue;
		in->n = 0;
		change = judge(in);
	}
	assert(in->n < AUDIO_VAD_WINDOW);
	return change;
}
