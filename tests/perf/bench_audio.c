/*
 * What a call's audio costs: CPU time of a beat and its idle step, in
 * microseconds, for a silent call, one that listens, one that speaks at
 * several complexities, and one that does both. One thread, virtual time.
 *
 *	bench_audio [seconds of call per figure, 20]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <opus/opus.h>

#include "audio/audio.h"
#include "audio/line_int.h"

enum { FRAMES = 200, BEAT_US = 20000 };

/* Speech as packets (caller) and as PCM at 24 kHz (us), from a shipped line. */
static struct {
	size_t n;
	size_t len[FRAMES];
	uint8_t opus[FRAMES][AUDIO_PACKET_MAX];
	int16_t pcm[FRAMES][AUDIO_OUT_FRAME];
} speech;

static uint64_t sink;

static void load_speech(void)
{
	const struct audio_line *l = audio_line_shipped("en", "apology", NULL);
	struct audio_ear *ear;

	if (!l || audio_ear_create(&ear, AUDIO_OUT_HZ) < 0)
		exit(1);
	for (size_t i = 0; i < line_packets(l) && i < FRAMES; i++) {
		const uint8_t *p = line_packet(l, i, &speech.len[i]);

		memcpy(speech.opus[i], p, speech.len[i]);
		audio_ear_decode(ear, p, speech.len[i], speech.pcm[i],
				 AUDIO_OUT_FRAME);
		speech.n = i + 1;
	}
	audio_ear_destroy(ear);
}

static void send(void *arg, const struct audio_packet *p)
{
	(void)arg;
	sink += p->len;
}

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void report(const char *what, double *us, int n)
{
	double sum = 0;

	for (int i = 0; i < n; i++)
		sum += us[i];
	qsort(us, (size_t)n, sizeof *us, compare);
	printf("%-34s %8.1f %8.1f %8.1f %9.3f\n", what, sum / n, us[n / 2],
	       us[n * 99 / 100], sum / n / BEAT_US * 100);
}

static void bench(const char *what, int seconds, int complexity, bool hears,
		  bool speaks)
{
	static const struct audio_ops ops = { .send = send };
	struct audio_cfg cfg = { .opus_complexity = complexity };
	struct audio *a;
	int beats = seconds * 50;
	double *us = calloc((size_t)beats, sizeof *us);
	int64_t now_us = 1000000;

	if (!us || audio_create(&a, &cfg, &ops, NULL) < 0)
		exit(1);
	for (int i = 0; i < beats; i++, now_us += BEAT_US) {
		size_t k = (size_t)i % speech.n;

		if (speaks)
			audio_say(a, 1, speech.pcm[k], AUDIO_OUT_FRAME);
		double t0 = cpu_us();
		if (hears)
			audio_rx(a, &(struct audio_rtp){ .ssrc = 1,
				.seq = (uint16_t)i, .payload = speech.opus[k],
				.timestamp = (uint32_t)i * AUDIO_RTP_STEP,
				.len = speech.len[k], .arrival_us = now_us });
		audio_beat(a, now_us);
		audio_idle(a, now_us);
		us[i] = cpu_us() - t0;
		audio_drain(a);
	}
	report(what, us, beats);
	audio_close(a);
	free(us);
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 20;

	load_speech();
	printf("%-34s %8s %8s %8s %9s\n", "us a beat (CPU)", "mean", "median",
	       "p99", "% core");
	bench("silent both ways (VAD on zeros)", seconds, 0, false, false);
	bench("listens: decode, VAD", seconds, 0, true, false);
	bench("speaks, complexity 1", seconds, 1, false, true);
	bench("speaks, complexity 5 (default)", seconds, 5, false, true);
	bench("speaks, complexity 10", seconds, 10, false, true);
	bench("listens and speaks, complexity 5", seconds, 5, true, true);
	return sink == 0;
}
