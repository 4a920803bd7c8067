/*
 * reflex_sweep: how soon the pause reflex would find each word, and which
 * sounds without words would set it off, for several lengths of voice asked
 * for. Through Opus, as the caller's sound comes; 16 phases of packet and
 * window. Raw s16 mono 16 kHz files, "word" or "noise" by name prefix:
 *
 *	reflex_sweep word-stop.s16 noise-cough.s16 ...
 *
 * Prints a line a file: milliseconds from its first voiced 20 ms to the frame
 * that fires (median and worst phase), "-" where no phase fired, and how many
 * of the phases fired.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <opus/opus.h>

#include "audio/audio.h"
#include "audio/input_int.h"
#include "audio/level_int.h"

enum { PHASES = 16, MOST = 16000 * 12, LEAD = 16000, VOICED_DBOV = 38 };
static const int asked_ms[] = { 32, 48, 60, 80, 96, 128 };
enum { ASKED = sizeof asked_ms / sizeof *asked_ms };

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static size_t onset(const int16_t *pcm, size_t n)
{
	for (size_t i = 0; i + AUDIO_IN_FRAME <= n; i += 32)
		if (level_dbov(pcm + i, AUDIO_IN_FRAME) < VOICED_DBOV)
			return i;
	return 0;
}

/* fired[k]: ms to the frame whose run first reaches asked_ms[k], -1: never. */
static void run(const int16_t *pcm, size_t n, size_t shift, int *fired)
{
	static int16_t all[LEAD + MOST + 16000];
	struct audio_cfg cfg = { 0 };
	struct input in;
	int err;
	size_t at = LEAD + shift, first = at + onset(pcm, n);
	OpusEncoder *enc = opus_encoder_create(16000, 1,
					       OPUS_APPLICATION_VOIP, &err);
	OpusDecoder *dec = opus_decoder_create(16000, 1, &err);

	if (!enc || !dec || input_init(&in, &cfg) < 0)
		exit(1);
	memset(all, 0, sizeof all);
	memcpy(all + at, pcm, n * sizeof *pcm);
	for (int k = 0; k < ASKED; k++)
		fired[k] = -1;
	for (size_t i = 0; i + AUDIO_IN_FRAME <= at + n + 8000;
	     i += AUDIO_IN_FRAME) {
		uint8_t packet[400];
		int16_t out[AUDIO_IN_FRAME];
		int len = opus_encode(enc, all + i, AUDIO_IN_FRAME, packet,
				      sizeof packet);
		if (opus_decode(dec, packet, len, out, AUDIO_IN_FRAME, 0) < 0)
			abort();
		input_frame(&in, out);
		for (int k = 0; k < ASKED; k++) {
			size_t end = i + AUDIO_IN_FRAME;
			if (fired[k] < 0 && in.run_ms >= asked_ms[k] &&
			    end > first)
				fired[k] = (int)((end - first) / 16);
		}
	}
	input_finish(&in);
	opus_encoder_destroy(enc);
	opus_decoder_destroy(dec);
}

static void judge(const char *path)
{
	static int16_t pcm[MOST];
	int fired[PHASES][ASKED];
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	FILE *f = fopen(path, "rb");

	if (!f) {
		perror(path);
		exit(1);
	}
	size_t n = fread(pcm, sizeof *pcm, MOST, f);
	fclose(f);
	for (int p = 0; p < PHASES; p++)
		run(pcm, n, (size_t)p * 53 % 512, fired[p]);
	printf("%-26s", name);
	for (int k = 0; k < ASKED; k++) {
		int ms[PHASES], hits = 0;
		for (int p = 0; p < PHASES; p++)
			if (fired[p][k] >= 0)
				ms[hits++] = fired[p][k];
		qsort(ms, (size_t)hits, sizeof *ms, compare);
		if (hits)
			printf("%5d/%4d %2d", ms[hits / 2], ms[hits - 1], hits);
		else
			printf("%10s %2d", "-", 0);
	}
	putchar('\n');
}

int main(int argc, char **argv)
{
	printf("%-26s", "ms: median/worst, phases");
	for (int k = 0; k < ASKED; k++)
		printf("%10d ms", asked_ms[k]);
	putchar('\n');
	for (int i = 1; i < argc; i++)
		judge(argv[i]);
	return argc < 2;
}
