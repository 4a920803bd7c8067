/* The path's statistics: base, jitter, loss. */
#include "unit.h"

#include "audio/delay_int.h"

static void notes(struct delay *d, int64_t *at_us, int n, int64_t transit_us,
		  int64_t swing_us)
{
	for (int i = 0; i < n; i++, *at_us += 20000)
		delay_note(d, transit_us + (i % 10) * swing_us / 9, *at_us);
}

static void a_quiet_path_wants_the_least_delay(void **state)
{
	(void)state;
	struct delay d;
	int64_t at_us = 1000000;

	delay_init(&d, 20, 200);
	delay_restart(&d, 5000, at_us);
	notes(&d, &at_us, 500, 5000, 1000);
	assert_int_equal(d.target_us, 20000);
	assert_int_equal(d.base_us, 5000);
}

static void the_target_covers_the_jitter_and_has_a_ceiling(void **state)
{
	(void)state;
	struct delay d;
	int64_t at_us = 1000000;

	delay_init(&d, 20, 200);
	delay_restart(&d, 0, at_us);
	notes(&d, &at_us, 500, 0, 60000);
	assert_in_range(d.target_us, 60000, 75000);
	notes(&d, &at_us, 500, 0, 900000);
	assert_int_equal(d.target_us, 200000);
	notes(&d, &at_us, 2500, 0, 0);
	assert_int_equal(d.target_us, 20000);
}

static void the_base_follows_a_slower_clock_and_a_longer_path(void **state)
{
	(void)state;
	struct delay d;
	int64_t at_us = 1000000;

	delay_init(&d, 20, 200);
	delay_restart(&d, 0, at_us);
	notes(&d, &at_us, 300, 0, 5000);
	notes(&d, &at_us, 100, 80000, 5000);
	assert_int_equal(d.base_us, 0); /* it may still be jitter */
	notes(&d, &at_us, 400, 80000, 5000);
	assert_int_equal(d.base_us, 80000);
	notes(&d, &at_us, 1, 70000, 0); /* downwards at once */
	assert_int_equal(d.base_us, 70000);
}

static void a_lossy_path_waits_for_the_next_packet_and_its_fec(void **state)
{
	(void)state;
	struct delay d;
	int64_t at_us = 1000000;

	delay_init(&d, 20, 200);
	delay_restart(&d, 0, at_us);
	for (int i = 0; i < 500; i++) {
		notes(&d, &at_us, 1, 0, 0);
		delay_note_played(&d, i % 25 == 0);
	}
	assert_int_equal(d.target_us, 40000);
	for (int i = 0; i < 1000; i++) {
		notes(&d, &at_us, 1, 0, 0);
		delay_note_played(&d, 0);
	}
	assert_int_equal(d.target_us, 20000);
}

static void a_restart_forgets(void **state)
{
	(void)state;
	struct delay d;
	int64_t at_us = 1000000;

	delay_init(&d, 30, 100);
	delay_restart(&d, 0, at_us);
	notes(&d, &at_us, 500, 0, 200000);
	assert_int_equal(d.target_us, 100000);
	delay_restart(&d, -7000000, at_us);
	assert_int_equal(d.target_us, 30000);
	assert_int_equal(d.base_us, -7000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quiet_path_wants_the_least_delay),
		cmocka_unit_test(the_target_covers_the_jitter_and_has_a_ceiling),
		cmocka_unit_test(the_base_follows_a_slower_clock_and_a_longer_path),
		cmocka_unit_test(a_lossy_path_waits_for_the_next_packet_and_its_fec),
		cmocka_unit_test(a_restart_forgets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
