/*
 * The reflex with the real network on real speech: the shipped lines, spoken
 * by the caller over our own voice, at many phases of packet and window.
 */
#include "rig.h"
#include "forbid.h"

#include "audio/level_int.h"
#include "audio/line_int.h"

struct speech {
	int16_t pcm[16000 * 12];
	size_t n;
};

/* A shipped line as 16 kHz PCM. */
static void load(struct speech *s, const char *language, const char *name)
{
	const struct audio_line *l = audio_line_shipped(language, name, NULL);
	struct audio_ear *ear;

	assert_non_null(l);
	assert_int_equal(audio_ear_create(&ear, 16000), 0);
	s->n = 0;
	for (size_t i = 0; i < line_packets(l) && s->n + 320 <= 16000 * 12;
	     i++) {
		size_t len;
		const uint8_t *p = line_packet(l, i, &len);
		int n = audio_ear_decode(ear, p, len, s->pcm + s->n, 320);

		assert_int_equal(n, 320);
		s->n += (size_t)n;
	}
	audio_ear_destroy(ear);
}

/* The caller's next 20 ms of the speech from sample at on; zeros past it. */
static void speak(struct rig *r, const struct speech *s, size_t at)
{
	int16_t frame[320] = { 0 };
	uint8_t opus[400];

	if (at + 320 <= s->n)
		memcpy(frame, s->pcm + at, sizeof frame);
	int n = opus_encode(r->caller, frame, 320, opus, sizeof opus);
	audio_rx(r->audio, &(struct audio_rtp){ .ssrc = r->ssrc,
		.timestamp = r->timestamp, .seq = r->seq++, .payload = opus,
		.len = (size_t)n, .arrival_us = r->now_us });
	r->timestamp += 960;
}

/* First sample that a listener would call voice. */
static size_t onset(const struct speech *s)
{
	for (size_t i = 0; i + 320 <= s->n; i += 32)
		if (level_dbov(s->pcm + i, 320) < 38)
			return i;
	fail();
	return 0;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Microseconds from the first voiced packet to our last sounding one. */
static int64_t interrupt(const struct speech *s, int phase)
{
	struct rig *r = rig_new(NULL);
	int64_t early_us = (phase * 7919) % 20000;
	size_t on = onset(s), shift = (size_t)(phase * 53) % 320;
	/* The onset at any place in a packet, after 600 ms of quiet. */
	size_t lead = 30 * 320 + (size_t)(phase % 8) * 320;
	int64_t voice_us = 0;

	audio_arm(r->audio, &(struct audio_reflex){ .epoch = 1,
		.interruptible = true, .voiced_ms = 60, .verdict_ms = 5000 });
	rig_say(r, 1, 6000);
	for (size_t at = shift; !rig_count(r, AUDIO_PAUSED); at += 320) {
		assert_true(at < lead + s->n);
		r->now_us -= early_us;
		if (!voice_us && at >= lead && at + 320 > lead + on + 160)
			voice_us = r->now_us;
		speak(r, s, at >= lead ? at - lead : s->n);
		r->now_us += early_us;
		rig_beat(r);
	}
	rig_beats(r, 5);
	assert_true(voice_us > 0); /* it must not fire on silence */
	int64_t took = r->last_sound_us - voice_us;
	rig_free(r);
	return took;
}

static void the_caller_interrupts_within_120_ms_median_150_p95(void **state)
{
	(void)state;
	static const char *const lines[][2] = { { "en", "apology" },
		{ "en", "goodbye" }, { "en", "emergency" }, { "en", "filler" } };
	enum { PHASES = 12, ALL = 4 * PHASES };
	static struct speech s;
	int64_t took[ALL];

	for (int i = 0; i < 4; i++) {
		load(&s, lines[i][0], lines[i][1]);
		for (int k = 0; k < PHASES; k++)
			took[i * PHASES + k] = interrupt(&s, k);
		print_message("%s: onset %d ms in, first at %d ms\n",
			      lines[i][1], (int)(onset(&s) / 16),
			      (int)(took[i * PHASES] / 1000));
	}
	qsort(took, ALL, sizeof *took, compare);
	print_message("first voiced packet in to last sounding out: least %d "
		      "median %d p95 %d most %d ms\n", (int)(took[0] / 1000),
		      (int)(took[ALL / 2] / 1000),
		      (int)(took[ALL * 95 / 100] / 1000),
		      (int)(took[ALL - 1] / 1000));
	assert_true(took[ALL / 2] <= 120000);
	assert_true(took[ALL * 95 / 100] <= 150000);
}

static void a_call_with_both_networks_fits_in_300_kb(void **state)
{
	(void)state;
	struct rig *r;
	struct audio *a;

	if (!FORBID_SEES_ALLOCS)
		skip();
	r = rig_new(NULL); /* what calls share exists now */
	long before = forbid_bytes;
	assert_int_equal(audio_create(&a, NULL, &rig_ops, r), 0);
	print_message("an audio object: %ld bytes\n", forbid_bytes - before);
	assert_true(forbid_bytes - before < 300 * 1024);
	audio_close(a);
	rig_free(r);
}

static void speech_is_found_from_its_start_to_its_end(void **state)
{
	(void)state;
	static struct speech s;
	struct rig *r = rig_new(NULL);

	load(&s, "en", "apology");
	for (size_t at = 0; at < s.n + 16000 * 2; at += 320) {
		speak(r, &s, at);
		rig_beat(r);
	}
	rig_expect(r, AUDIO_TRACK, 0);
	const struct audio_event *on = rig_expect(r, AUDIO_SPEECH_ON, 0);
	int64_t begin_us = 1000000 + (int64_t)onset(&s) * 1000000 / 16000;
	assert_in_range(on->at_us, begin_us, begin_us + 160000);
	const struct audio_event *off = &r->events[r->n_events - 1];
	assert_int_equal(off->type, AUDIO_SPEECH_OFF);
	int64_t end_us = 1000000 + (int64_t)s.n * 1000000 / 16000;
	assert_in_range(off->at_us, end_us - 400000, end_us + 600000);
	rig_free(r);
}

static void neither_silence_nor_noise_nor_hum_is_speech(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);
	uint32_t x = 1;

	for (int k = 0; k < 500; k++) {
		static struct speech s = { .n = 320 };

		for (int i = 0; i < 320; i++) {
			x = x * 1664525u + 1013904223u;
			s.pcm[i] = k < 250 ? (int16_t)((int)(x >> 22) - 512) :
				(int16_t)(900 * sin((k * 320 + i) * 0.0196));
		}
		speak(r, &s, 0);
		rig_beat(r);
	}
	assert_int_equal(rig_count(r, AUDIO_SPEECH_ON), 0);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_caller_interrupts_within_120_ms_median_150_p95),
		cmocka_unit_test(a_call_with_both_networks_fits_in_300_kb),
		cmocka_unit_test(speech_is_found_from_its_start_to_its_end),
		cmocka_unit_test(neither_silence_nor_noise_nor_hum_is_speech),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
