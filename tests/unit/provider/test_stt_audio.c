/* What is heard again after a reconnect. */
#include "unit.h"

#include "provider/stt_int.h"

static void push_ms(struct stt_audio *a, int ms, bool voiced)
{
	static const int16_t pcm[STT_BLOCK * 2];

	for (; ms > 0; ms -= 40)
		stt_audio_add(a, pcm, STT_BLOCK * 2, voiced);
}

static int ms_of(int64_t samples)
{
	return (int)(samples * 1000 / STT_RATE_HZ);
}

static void silence_is_not_worth_hearing_again(void **state)
{
	(void)state;
	struct stt_audio a = { 0 };
	int64_t from, to;

	push_ms(&a, 3000, false);
	stt_audio_voice(&a, &from, &to);
	assert_int_equal(from, a.end);
	assert_int_equal(to, a.end);
	stt_audio_free(&a);
}

static void voice_is_heard_again_with_little_around_it(void **state)
{
	(void)state;
	struct stt_audio a = { 0 };
	int64_t from, to;

	push_ms(&a, 1600, false);
	push_ms(&a, 800, true);
	push_ms(&a, 2000, false);
	stt_audio_voice(&a, &from, &to);
	assert_in_range(ms_of(from), 1240, 1320);
	assert_in_range(ms_of(to), 2880, 2960);
	stt_audio_free(&a);
}

static void two_words_with_a_pause_stay_one_piece(void **state)
{
	(void)state;
	struct stt_audio a = { 0 };
	int64_t from, to;

	push_ms(&a, 400, true);
	push_ms(&a, 1000, false);
	push_ms(&a, 400, true);
	stt_audio_voice(&a, &from, &to);
	assert_int_equal(from, 0);
	assert_int_equal(to, a.end);
	stt_audio_free(&a);
}

static void voice_that_left_the_ring_is_forgotten(void **state)
{
	(void)state;
	struct stt_audio a = { 0 };
	int64_t from, to;

	push_ms(&a, 1000, true);
	push_ms(&a, 6000, false);
	stt_audio_voice(&a, &from, &to);
	assert_int_equal(from, a.end);
	push_ms(&a, 400, true);
	stt_audio_drop(&a, a.end - STT_RATE_HZ / 5);
	stt_audio_voice(&a, &from, &to);
	assert_int_equal(from, a.begin);
	assert_int_equal(to, a.end);
	stt_audio_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silence_is_not_worth_hearing_again),
		cmocka_unit_test(voice_is_heard_again_with_little_around_it),
		cmocka_unit_test(two_words_with_a_pause_stay_one_piece),
		cmocka_unit_test(voice_that_left_the_ring_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
