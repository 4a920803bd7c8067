/* Windows, hysteresis and the length of a run, with voice as ordered. */
#include "unit.h"

#include <errno.h>

#include "audio/input_int.h"

/* A network that says what the first sample of the window says. */
struct audio_vad {
	int resets;
};
static int windows, resets, created, fail_at;

int audio_vad_create(struct audio_vad **ret_vad)
{
	if (++created == fail_at)
		return -ENOMEM;
	*ret_vad = calloc(1, sizeof **ret_vad);
	return 0;
}

void audio_vad_destroy(struct audio_vad *v)
{
	free(v);
}

void audio_vad_reset(struct audio_vad *v)
{
	v->resets++;
	resets++;
}

float audio_vad_step(struct audio_vad *v, const float *pcm)
{
	(void)v;
	windows++;
	return pcm[AUDIO_VAD_WINDOW / 2];
}

static struct input in;

static void start(const struct audio_cfg *cfg)
{
	windows = resets = created = fail_at = 0;
	assert_int_equal(input_init(&in, cfg ? cfg : &(struct audio_cfg){ 0 }),
			 0);
}

/* Frames at that probability; returns the last change, counts in *ret_n. */
static enum input_change run(int frames, float prob, int *ret_n)
{
	enum input_change last = INPUT_SAME;
	int16_t pcm[AUDIO_IN_FRAME];

	for (int i = 0; i < AUDIO_IN_FRAME; i++)
		pcm[i] = (int16_t)(prob * 32767);
	while (frames-- > 0) {
		enum input_change c = input_frame(&in, pcm);

		if (c) {
			last = c;
			*ret_n += 1;
		}
	}
	return last;
}

static void windows_complete_every_16_ms(void **state)
{
	(void)state;
	int n = 0;

	start(NULL);
	run(8, 0, &n); /* 160 ms: five of one look, five of the other */
	assert_int_equal(windows, 10);
	run(800, 0, &n);
	assert_int_equal(windows, 1010);
	assert_int_equal(n, 0);
	input_finish(&in);
}

static void speech_begins_and_ends_once(void **state)
{
	(void)state;
	int n = 0;

	start(NULL);
	run(50, 0.1f, &n);
	assert_int_equal(run(10, 0.9f, &n), INPUT_ON);
	assert_int_equal(n, 1);
	assert_true(in.speech);
	/* A pause shorter than speech_off_ms belongs to the speech. */
	run(15, 0.1f, &n);
	run(10, 0.9f, &n);
	assert_int_equal(n, 1);
	assert_int_equal(run(24, 0.1f, &n), INPUT_OFF);
	assert_int_equal(n, 2);
	assert_int_equal(in.run_ms, 0);
	input_finish(&in);
}

static void between_the_thresholds_nothing_begins_and_nothing_ends(void **state)
{
	(void)state;
	int n = 0;

	start(NULL);
	run(100, 0.42f, &n);
	assert_int_equal(n, 0);
	run(10, 0.6f, &n);
	run(200, 0.42f, &n);
	assert_int_equal(n, 1);
	assert_true(in.speech && in.voiced);
	input_finish(&in);
}

static void a_stopped_consonant_does_not_end_the_run(void **state)
{
	(void)state;
	int n = 0;

	start(NULL);
	run(20, 0.9f, &n);
	int before = in.run_ms;
	assert_in_range(before, 380, 416);
	run(2, 0, &n); /* 40 ms */
	run(5, 0.9f, &n);
	assert_true(in.run_ms > before);
	run(6, 0, &n); /* 120 ms: the run is over, the speech is not */
	assert_int_equal(in.run_ms, 0);
	assert_true(in.speech);
	input_finish(&in);
}

static void thresholds_and_times_can_be_set(void **state)
{
	(void)state;
	int n = 0;

	start(&(struct audio_cfg){ .vad_on = 0.8f, .vad_off = 0.9f,
		.speech_on_ms = 200, .speech_off_ms = 100 });
	assert_true(in.off <= in.on);
	run(50, 0.75f, &n);
	assert_int_equal(n, 0);
	run(8, 0.85f, &n);
	assert_int_equal(n, 0);
	assert_int_equal(run(4, 0.85f, &n), INPUT_ON);
	assert_int_equal(run(8, 0, &n), INPUT_OFF);
	input_finish(&in);
}

static void tiny_limits_keep_on_and_off_in_turn(void **state)
{
	(void)state;
	enum input_change last = INPUT_OFF;
	int16_t pcm[AUDIO_IN_FRAME];
	uint32_t x = 3;

	start(&(struct audio_cfg){ .speech_on_ms = 1, .speech_off_ms = 1 });
	for (int k = 0; k < 2000; k++) {
		for (int i = 0; i < AUDIO_IN_FRAME; i++) {
			x = x * 1664525u + 1013904223u;
			pcm[i] = i % 100 ? pcm[i - 1] :
				 (int16_t)(x >> 17);
		}
		enum input_change c = input_frame(&in, pcm);
		if (!c)
			continue;
		assert_int_not_equal(c, last);
		assert_int_equal(c == INPUT_ON, in.speech);
		last = c;
	}
	input_finish(&in);
}

static void a_new_caller_ends_the_old_ones_speech(void **state)
{
	(void)state;
	int n = 0;

	start(NULL);
	run(10, 0.9f, &n);
	int before = resets;
	assert_int_equal(input_reset(&in), INPUT_OFF);
	assert_int_equal(input_reset(&in), INPUT_SAME);
	assert_int_equal(resets, before + 2 * INPUT_LOOKS);
	assert_false(in.speech);
	assert_int_equal(in.run_ms, 0);
	input_finish(&in);
}

static void a_second_look_without_memory_fails_cleanly(void **state)
{
	(void)state;
	windows = created = 0;
	fail_at = 2;
	assert_int_equal(input_init(&in, &(struct audio_cfg){ 0 }), -ENOMEM);
	input_finish(&in);
	input_finish(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_complete_every_16_ms),
		cmocka_unit_test(speech_begins_and_ends_once),
		cmocka_unit_test(between_the_thresholds_nothing_begins_and_nothing_ends),
		cmocka_unit_test(a_stopped_consonant_does_not_end_the_run),
		cmocka_unit_test(thresholds_and_times_can_be_set),
		cmocka_unit_test(tiny_limits_keep_on_and_off_in_turn),
		cmocka_unit_test(a_new_caller_ends_the_old_ones_speech),
		cmocka_unit_test(a_second_look_without_memory_fails_cleanly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
