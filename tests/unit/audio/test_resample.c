/* Rate conversion: lengths, pitch, loudness, any cutting of the stream. */
#include "unit.h"

#include <math.h>

#include "audio/audio.h"
#include "audio/level_int.h"

static int16_t in[48000 * 2], out[48000 * 4], other[48000 * 4];

static void tone(int hz, double pitch, int n)
{
	for (int i = 0; i < n; i++)
		in[i] = (int16_t)(10000 * sin(2 * 3.14159265358979 * pitch *
					      i / hz));
}

/* Energy of out at a pitch against all of it, 0..1 (Goertzel's idea). */
static double purity(const int16_t *pcm, int n, int hz, double pitch)
{
	double re = 0, im = 0, all = 0;

	for (int i = 0; i < n; i++) {
		double w = 2 * 3.14159265358979 * pitch * i / hz;

		re += pcm[i] * cos(w);
		im += pcm[i] * sin(w);
		all += (double)pcm[i] * pcm[i];
	}
	return 2 * (re * re + im * im) / n / all;
}

static void rates_keep_pitch_and_loudness(void **state)
{
	(void)state;
	static const int pairs[][2] = { { 48000, 24000 }, { 16000, 24000 },
		{ 22050, 24000 }, { 8000, 24000 }, { 44100, 24000 },
		{ 24000, 16000 }, { 24000, 24000 } };

	for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
		int from = pairs[k][0], to = pairs[k][1];
		struct audio_resampler *r;

		tone(from, 440, from);
		assert_int_equal(audio_resampler_create(&r, from, to), 0);
		size_t n = audio_resample(r, in, (size_t)from, out,
					  sizeof out / sizeof *out);
		assert_in_range(n, to - 130, to + 1); /* the filter's tail */
		assert_true(purity(out + 500, (int)n - 1000, to, 440) > 0.999);
		assert_in_range(level_dbov(out + 500, n - 1000), 12, 14);
		audio_resampler_destroy(r);
	}
}

static void pieces_of_any_size_give_the_same_stream(void **state)
{
	(void)state;
	struct audio_resampler *r;
	size_t whole, n = 0;
	uint32_t x = 9;

	tone(22050, 300, 22050);
	assert_int_equal(audio_resampler_create(&r, 22050, 24000), 0);
	whole = audio_resample(r, in, 22050, out, 48000);
	audio_resampler_destroy(r);
	assert_int_equal(audio_resampler_create(&r, 22050, 24000), 0);
	for (size_t at = 0; at < 22050;) {
		x = x * 1664525u + 1013904223u;
		size_t take = 1 + (x >> 20) % 700;

		if (take > 22050 - at)
			take = 22050 - at;
		size_t cap = take * 24000 / 22050 + 16;
		size_t got = audio_resample(r, in + at, take, other + n, cap);
		assert_true(got <= cap);
		n += got;
		at += take;
	}
	audio_resampler_destroy(r);
	assert_int_equal(n, whole);
	for (size_t i = 0; i < n; i++)
		assert_true(abs(out[i] - other[i]) <= 1);
}

static void the_room_promised_is_enough(void **state)
{
	(void)state;
	struct audio_resampler *r;
	size_t in_all = 0, out_all = 0;

	/* 8 to 24 kHz a byte or two at a time: nothing may be held back. */
	tone(8000, 300, 8000);
	assert_int_equal(audio_resampler_create(&r, 8000, 24000), 0);
	for (size_t at = 0; at + 7 <= 8000; at += 7) {
		out_all += audio_resample(r, in + at, 7, out, 7 * 3 + 16);
		in_all += 7;
	}
	assert_in_range(out_all, in_all * 3 - 120, in_all * 3);
	audio_resampler_destroy(r);
}

static void impossible_rates_are_refused(void **state)
{
	(void)state;
	struct audio_resampler *r = NULL;

	assert_true(audio_resampler_create(&r, 0, 24000) < 0);
	assert_true(audio_resampler_create(&r, 24000, -1) < 0);
	assert_true(audio_resampler_create(&r, 24000, 1 << 20) < 0);
	assert_null(r);
	audio_resampler_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_keep_pitch_and_loudness),
		cmocka_unit_test(pieces_of_any_size_give_the_same_stream),
		cmocka_unit_test(the_room_promised_is_enough),
		cmocka_unit_test(impossible_rates_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
