/*
 * vad_run: s16 mono 16 kHz from stdin, a probability a window of 512 samples
 * to stdout (32-bit floats), the time the windows took to stderr. With
 * --plain the code for processors without AVX2.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audio/audio.h"
#include "audio/vad_int.h"

static int64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	int16_t pcm[AUDIO_VAD_WINDOW];
	float x[AUDIO_VAD_WINDOW];
	struct audio_vad *vad;
	int64_t spent_us = 0;
	long windows = 0;

	if (audio_vad_create(&vad) < 0)
		return 1;
	if (argc > 1 && !strcmp(argv[1], "--plain"))
		vad_use_plain(vad);
	while (fread(pcm, sizeof pcm, 1, stdin) == 1) {
		for (int i = 0; i < AUDIO_VAD_WINDOW; i++)
			x[i] = pcm[i] / 32768.0f;
		int64_t before = cpu_us();
		float prob = audio_vad_step(vad, x);
		spent_us += cpu_us() - before;
		windows++;
		if (fwrite(&prob, sizeof prob, 1, stdout) != 1)
			return 1;
	}
	audio_vad_destroy(vad);
	fprintf(stderr, "%ld windows, %lld us\n", windows,
		(long long)spent_us);
	return 0;
}
