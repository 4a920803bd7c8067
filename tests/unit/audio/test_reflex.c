/* The rules of pausing and resuming, without any audio. */
#include "unit.h"

#include "audio/reflex_int.h"

static const struct audio_reflex arming = { .epoch = 3, .interruptible = true,
	.voiced_ms = 60, .verdict_ms = 500 };

static void it_fires_when_the_voice_is_long_enough(void **state)
{
	(void)state;
	struct reflex r = { 0 };

	assert_int_equal(reflex_step(&r, 500, true, 0), REFLEX_NONE);
	reflex_arm(&r, &arming);
	assert_int_equal(reflex_step(&r, 32, true, 0), REFLEX_NONE);
	assert_int_equal(reflex_step(&r, 64, false, 0), REFLEX_NONE);
	assert_int_equal(reflex_step(&r, 64, true, 0), REFLEX_PAUSE);
	assert_int_equal(r.epoch, 3);
	assert_int_equal(reflex_step(&r, 96, true, 20), REFLEX_NONE);
}

static void one_breath_pauses_once(void **state)
{
	(void)state;
	struct reflex r = { 0 };

	reflex_arm(&r, &arming);
	assert_int_equal(reflex_step(&r, 64, true, 0), REFLEX_PAUSE);
	assert_int_equal(reflex_step(&r, 96, true, 499999), REFLEX_NONE);
	assert_int_equal(reflex_step(&r, 96, true, 500000), REFLEX_RESUME);
	assert_int_equal(reflex_step(&r, 640, true, 600000), REFLEX_NONE);
	reflex_arm(&r, &arming); /* not even when armed anew */
	assert_int_equal(reflex_step(&r, 660, true, 620000), REFLEX_NONE);
	assert_int_equal(reflex_step(&r, 0, true, 700000), REFLEX_NONE);
	assert_int_equal(reflex_step(&r, 64, true, 800000), REFLEX_PAUSE);
}

static void a_cut_counts_the_voice_anew(void **state)
{
	(void)state;
	struct reflex r = { 0 };

	reflex_arm(&r, &arming);
	assert_int_equal(reflex_step(&r, 64, true, 0), REFLEX_PAUSE);
	reflex_cut(&r);
	assert_int_equal(reflex_step(&r, 96, true, 10), REFLEX_PAUSE);
}

static void verdicts_of_other_epochs_are_dropped(void **state)
{
	(void)state;
	struct reflex r = { 0 };

	reflex_arm(&r, &arming);
	assert_false(reflex_resume(&r, 3)); /* not paused */
	reflex_step(&r, 64, true, 0);
	assert_false(reflex_resume(&r, 2));
	assert_true(r.paused);
	assert_true(reflex_resume(&r, 3));
	assert_false(r.paused);
	/* Armed anew while paused: the pause's own epoch still counts. */
	reflex_step(&r, 0, true, 10);
	reflex_step(&r, 64, true, 20);
	reflex_arm(&r, &(struct audio_reflex){ .epoch = 4 });
	assert_true(reflex_resume(&r, 3));
	assert_true(reflex_pause(&r));
	assert_true(reflex_resume(&r, 0));
}

static void the_loops_pause_lasts_until_the_loop_ends_it(void **state)
{
	(void)state;
	struct reflex r = { 0 };

	reflex_arm(&r, &arming);
	assert_true(reflex_pause(&r));
	assert_false(reflex_pause(&r));
	assert_int_equal(reflex_step(&r, 0, true, 1LL << 50), REFLEX_NONE);
	assert_true(reflex_resume(&r, 0));
	/* A pause of the loop takes over one of the reflex. */
	assert_int_equal(reflex_step(&r, 64, true, 0), REFLEX_PAUSE);
	assert_false(reflex_pause(&r));
	assert_int_equal(reflex_step(&r, 0, true, 1LL << 50), REFLEX_NONE);
	assert_true(r.paused);
}

static void without_a_limit_it_still_resumes_by_itself(void **state)
{
	(void)state;
	struct reflex r = { 0 };

	reflex_arm(&r, &(struct audio_reflex){ .interruptible = true });
	assert_int_equal(reflex_step(&r, 0, true, 0), REFLEX_NONE);
	assert_int_equal(reflex_step(&r, 32, true, 0), REFLEX_PAUSE);
	assert_int_equal(reflex_step(&r, 32, true, 999999), REFLEX_NONE);
	assert_int_equal(reflex_step(&r, 32, true, 1000000), REFLEX_RESUME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_fires_when_the_voice_is_long_enough),
		cmocka_unit_test(one_breath_pauses_once),
		cmocka_unit_test(a_cut_counts_the_voice_anew),
		cmocka_unit_test(verdicts_of_other_epochs_are_dropped),
		cmocka_unit_test(the_loops_pause_lasts_until_the_loop_ends_it),
		cmocka_unit_test(without_a_limit_it_still_resumes_by_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
