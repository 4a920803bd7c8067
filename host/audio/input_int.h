/* The caller's PCM: windows for the VAD, and whether the caller speaks. */
#ifndef FD_AUDIO_INPUT_INT_H
#define FD_AUDIO_INPUT_INT_H

#include "audio/audio.h"

/* Two looks at the same sound, half a window apart. */
enum { INPUT_LOOKS = 2 };

struct look {
	struct audio_vad *vad;
	size_t n;               /* samples in window */
	float prob;             /* of the latest window */
	bool voiced;            /* ... with hysteresis */
	float window[AUDIO_VAD_WINDOW];
};

struct input {
	struct look looks[INPUT_LOOKS];
	float on, off;          /* thresholds */
	int on_ms, off_ms;

	float prob;             /* the higher one of the latest windows */
	bool voiced;            /* either look says so */
	int run_ms;             /* voiced so far in this run, 0: no run */
	int quiet_ms;           /* unvoiced since the last voiced window */
	bool speech;            /* between SPEECH_ON and SPEECH_OFF */
};

enum input_change { INPUT_SAME, INPUT_ON, INPUT_OFF };

/* Embedded; cfg's zeros mean the defaults. 0 or -ENOMEM. */
int input_init(struct input *in, const struct audio_cfg *cfg);
void input_finish(struct input *in);
/* A new caller: forgets the past; a speech under way ends (INPUT_OFF). */
enum input_change input_reset(struct input *in);
/* One frame of AUDIO_IN_FRAME samples. Never allocates. */
enum input_change input_frame(struct input *in, const int16_t *pcm);

#endif
