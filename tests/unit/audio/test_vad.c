/*
 * vad against the original network: vad_speech.txt holds the probabilities
 * that Silero's own graph gives for vad_speech.s16 (tests/perf/vad_compare.py
 * --fixture makes both).
 */
#include "unit.h"

#include <math.h>

#include "audio/audio.h"
#include "audio/vad_int.h"

enum { MAX_WINDOWS = 400 };

static float speech[MAX_WINDOWS][AUDIO_VAD_WINDOW];
static float reference[MAX_WINDOWS];
static int n_windows;

static int load(void **state)
{
	(void)state;
	int16_t pcm[AUDIO_VAD_WINDOW];
	FILE *sound = fopen("tests/support/fixtures/vad_speech.s16", "rb");
	FILE *probs = fopen("tests/support/fixtures/vad_speech.txt", "r");

	if (!sound || !probs)
		return -1;
	while (n_windows < MAX_WINDOWS &&
	       fread(pcm, sizeof pcm, 1, sound) == 1) {
		for (int i = 0; i < AUDIO_VAD_WINDOW; i++)
			speech[n_windows][i] = pcm[i] / 32768.0f;
		if (fscanf(probs, "%f", &reference[n_windows]) != 1)
			return -1;
		n_windows++;
	}
	fclose(sound);
	fclose(probs);
	return 0;
}

static float worst_difference(struct audio_vad *v)
{
	float worst = 0;

	for (int w = 0; w < n_windows; w++)
		worst = fmaxf(worst, fabsf(audio_vad_step(v, speech[w]) -
					   reference[w]));
	return worst;
}

static void fixture_has_speech_and_silence(void **state)
{
	(void)state;
	int voiced = 0, silent = 0;

	for (int w = 0; w < n_windows; w++) {
		voiced += reference[w] > 0.9f;
		silent += reference[w] < 0.1f;
	}
	assert_true(n_windows > 100);
	assert_true(voiced > 30);
	assert_true(silent > 30);
}

static void probabilities_are_the_originals(void **state)
{
	(void)state;
	struct audio_vad *v;

	assert_int_equal(audio_vad_create(&v), 0);
	assert_true(worst_difference(v) < 1e-3f);
	audio_vad_destroy(v);
}

static void plain_code_gives_the_same(void **state)
{
	(void)state;
	struct audio_vad *v;

	assert_int_equal(audio_vad_create(&v), 0);
	vad_use_plain(v);
	assert_true(worst_difference(v) < 1e-3f);
	audio_vad_destroy(v);
}

static void reset_forgets_what_was_heard(void **state)
{
	(void)state;
	struct audio_vad *v;

	assert_int_equal(audio_vad_create(&v), 0);
	float first = audio_vad_step(v, speech[40]);
	float second = audio_vad_step(v, speech[40]);
	audio_vad_reset(v);
	assert_true(audio_vad_step(v, speech[40]) == first);
	assert_true(second != first); /* there was something to forget */
	audio_vad_destroy(v);
}

static void streams_do_not_hear_each_other(void **state)
{
	(void)state;
	struct audio_vad *a, *b;
	static const float silence[AUDIO_VAD_WINDOW];

	assert_int_equal(audio_vad_create(&a), 0);
	assert_int_equal(audio_vad_create(&b), 0);
	for (int w = 0; w < n_windows; w++) {
		float pa = audio_vad_step(a, speech[w]);
		assert_true(fabsf(pa - reference[w]) < 1e-3f);
		assert_true(audio_vad_step(b, silence) < 0.2f);
	}
	audio_vad_destroy(a);
	audio_vad_destroy(b);
}

static void extreme_input_stays_a_probability(void **state)
{
	(void)state;
	struct audio_vad *v;
	float pcm[AUDIO_VAD_WINDOW];

	assert_int_equal(audio_vad_create(&v), 0);
	for (int w = 0; w < 60; w++) {
		for (int i = 0; i < AUDIO_VAD_WINDOW; i++)
			pcm[i] = w < 20 ? 1.0f : /* a DC step, then squares */
				 i / (w - 19) % 2 ? -1.0f : 1.0f;
		float p = audio_vad_step(v, pcm);
		assert_true(p >= 0 && p <= 1);
	}
	/* Such a blast deafens the original for a second, no longer. */
	for (int w = 0; w < n_windows; w++) {
		float p = audio_vad_step(v, speech[w]);
		if (w > 45 && reference[w] > 0.95f)
			assert_true(p > 0.5f);
	}
	audio_vad_destroy(v);
}

static void destroy_takes_null(void **state)
{
	(void)state;
	audio_vad_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixture_has_speech_and_silence),
		cmocka_unit_test(probabilities_are_the_originals),
		cmocka_unit_test(plain_code_gives_the_same),
		cmocka_unit_test(reset_forgets_what_was_heard),
		cmocka_unit_test(streams_do_not_hear_each_other),
		cmocka_unit_test(extreme_input_stays_a_probability),
		cmocka_unit_test(destroy_takes_null),
	};

	return cmocka_run_group_tests(tests, load, NULL);
}
