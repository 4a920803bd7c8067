/* Stored lines: the packed form, its damage, and what comes out again. */
#include "unit.h"

#include <math.h>

#include "audio/decode_int.h"
#include "audio/encode_int.h"
#include "audio/level_int.h"
#include "audio/line_int.h"
#include "base/err.h"

static int16_t pcm[24000 * 61];

static struct audio_line *encode(size_t n)
{
	struct audio_line *l = NULL;

	for (size_t i = 0; i < n; i++)
		pcm[i] = (int16_t)(8000 * sin((double)i * 0.05));
	assert_int_equal(audio_line_encode(&l, pcm, n), 0);
	return l;
}

static void what_is_encoded_can_be_heard(void **state)
{
	(void)state;
	struct audio_line *l = encode(24000 + 1);
	struct audio_ear *ear;
	int16_t out[480];

	assert_int_equal(line_packets(l), 51); /* the last one padded */
	assert_int_equal(audio_line_ms(l), 1020);
	assert_int_equal(audio_ear_create(&ear, 24000), 0);
	for (size_t i = 0; i < 50; i++) {
		size_t len;
		const uint8_t *p = line_packet(l, i, &len);

		assert_int_equal(audio_ear_decode(ear, p, len, out, 480), 480);
		if (i > 2)
			assert_in_range(level_dbov(out, 480), 13, 18);
	}
	audio_ear_destroy(ear);
	audio_line_destroy(l);
}

static void the_packed_form_goes_around(void **state)
{
	(void)state;
	struct audio_line *l = encode(4800), *copy;
	size_t n, m;
	const uint8_t *bytes = line_bytes(l, &n);

	assert_int_equal(audio_line_create(&copy, bytes, n), 0);
	assert_int_equal(line_packets(copy), 10);
	assert_memory_equal(line_bytes(copy, &m), bytes, n);
	assert_int_equal(m, n);
	audio_line_destroy(copy);
	audio_line_destroy(l);
}

static void any_cut_or_wrong_length_is_damage(void **state)
{
	(void)state;
	struct audio_line *l = encode(2400), *none = NULL;
	size_t n, len;
	const uint8_t *bytes = line_bytes(l, &n);
	uint8_t *copy = malloc(n);

	memcpy(copy, bytes, n);
	for (size_t k = 0; k < n; k++) {
		bool boundary = false;
		for (size_t i = 0; i < line_packets(l); i++) {
			const uint8_t *p = line_packet(l, i, &len);
			boundary |= k && k == (size_t)(p - bytes) + len;
		}
		int r = audio_line_create(&none, copy, k);
		assert_int_equal(r, boundary ? 0 : ERR_PROTOCOL);
		if (!r)
			audio_line_destroy(none);
		none = NULL;
	}
	copy[0] = 0xff; /* a packet longer than all */
	assert_int_equal(audio_line_create(&none, copy, n), ERR_PROTOCOL);
	copy[0] = copy[1] = 0; /* an empty one */
	assert_int_equal(audio_line_create(&none, copy, n), ERR_PROTOCOL);
	/* 40 ms in a packet would play at half the speed. */
	static const uint8_t forty[] = { 0, 2, 0x50, 0 };
	assert_int_equal(audio_line_create(&none, forty, 4), ERR_PROTOCOL);
	assert_null(none);
	free(copy);
	audio_line_destroy(l);
}

static void lines_have_an_end_and_are_not_empty(void **state)
{
	(void)state;
	struct audio_line *l = NULL;

	assert_int_equal(audio_line_encode(&l, pcm, 0), ERR_PROTOCOL);
	assert_int_equal(audio_line_encode(&l, pcm, 24000 * 61), ERR_PROTOCOL);
	assert_null(l);
	audio_line_destroy(NULL);
}

static void shipped_lines_fall_back_to_english(void **state)
{
	(void)state;
	const char *text = NULL, *english = NULL;
	const struct audio_line *l = audio_line_shipped("xx", "apology", &text);

	assert_non_null(l);
	assert_ptr_equal(l, audio_line_shipped("en", "apology", &english));
	assert_string_equal(text, english);
	assert_null(audio_line_shipped("en", "no such line", NULL));
}

static void silence_is_one_packet_that_sounds_like_nothing(void **state)
{
	(void)state;
	size_t len, again;
	const uint8_t *p = encode_silence(&len);
	struct audio_ear *ear;
	int16_t out[480];

	assert_ptr_equal(p, encode_silence(&again));
	assert_in_range(len, 1, 40);
	assert_int_equal(audio_ear_create(&ear, 24000), 0);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(audio_ear_decode(ear, p, len, out, 480), 480);
		assert_in_range(level_dbov(out, 480), 80, 127);
	}
	audio_ear_destroy(ear);
}

static void an_ear_conceals_and_refuses_damage(void **state)
{
	(void)state;
	struct audio_line *l = encode(4800);
	struct audio_ear *ear = NULL;
	int16_t out[480];
	size_t len;
	const uint8_t *p = line_packet(l, 5, &len);
	static const uint8_t bad[] = { 0x4b, 0xff, 0xff };

	assert_true(audio_ear_create(&ear, 11025) < 0);
	assert_null(ear);
	assert_int_equal(audio_ear_create(&ear, 24000), 0);
	assert_int_equal(audio_ear_decode(ear, p, len, out, 480), 480);
	assert_int_equal(audio_ear_decode(ear, NULL, 0, out, 480), 480);
	assert_int_equal(audio_ear_decode(ear, bad, 3, out, 480), ERR_PROTOCOL);
	assert_int_equal(audio_ear_decode(ear, p, len, out, 100), -ENOSPC);
	assert_int_equal(audio_ear_decode(ear, NULL, 0, out, 100), -ENOSPC);
	audio_ear_destroy(ear);
	audio_ear_destroy(NULL);
	audio_line_destroy(l);
}

static void speech_we_send_carries_fec(void **state)
{
	(void)state;
	const struct audio_line *l = audio_line_shipped("en", "apology", NULL);
	struct audio_ear *ear;
	struct encode *e;
	uint8_t out[AUDIO_PACKET_MAX];
	size_t with = 0, bytes = 0, n = line_packets(l);

	assert_int_equal(audio_ear_create(&ear, 24000), 0);
	assert_int_equal(encode_create(&e, 0, 0), 0);
	for (size_t i = 0; i < n; i++) {
		size_t len;
		const uint8_t *p = line_packet(l, i, &len);

		assert_int_equal(audio_ear_decode(ear, p, len, pcm, 480), 480);
		len = encode_frame(e, pcm, out);
		with += decode_has_fec(out, len);
		bytes += len;
	}
	assert_true(with > n / 2);
	assert_in_range(bytes * 8 * 50 / n, 22000, 33000);
	encode_destroy(e);
	audio_ear_destroy(ear);
}

static void an_encoder_refuses_nonsense(void **state)
{
	(void)state;
	struct encode *e = NULL;

	assert_int_equal(encode_create(&e, 11, 0), -EINVAL);
	assert_int_equal(encode_create(&e, 0, -5), -EINVAL);
	assert_null(e);
	encode_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_encoded_can_be_heard),
		cmocka_unit_test(the_packed_form_goes_around),
		cmocka_unit_test(any_cut_or_wrong_length_is_damage),
		cmocka_unit_test(lines_have_an_end_and_are_not_empty),
		cmocka_unit_test(shipped_lines_fall_back_to_english),
		cmocka_unit_test(silence_is_one_packet_that_sounds_like_nothing),
		cmocka_unit_test(an_ear_conceals_and_refuses_damage),
		cmocka_unit_test(speech_we_send_carries_fec),
		cmocka_unit_test(an_encoder_refuses_nonsense),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
