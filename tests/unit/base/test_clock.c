/* Timers on virtual time. */
#include "unit.h"

#include "base/clock.h"

static char order[16];
static size_t n_order;

static void note(void *arg)
{
	order[n_order++] = *(const char *)arg;
}

static void timers_run_in_order_of_deadline_then_of_start(void **state)
{
	(void)state;
	struct clock *c;
	struct timer a, b, d;

	n_order = 0;
	assert_int_equal(clock_create_virtual(&c, 0), 0);
	timer_init(&a, c, note, "a");
	timer_init(&b, c, note, "b");
	timer_init(&d, c, note, "d");
	timer_start(&a, 20);
	timer_start(&b, 10);
	timer_start(&d, 10);
	clock_advance(c, 9999);
	assert_int_equal(n_order, 0);
	clock_advance(c, 20000);
	assert_memory_equal(order, "bda", 3);
	assert_int_equal(clock_now_us(c), 29999);
	clock_destroy(c);
}

static void a_stopped_timer_does_not_fire_and_a_restart_moves_it(void **state)
{
	(void)state;
	struct clock *c;
	struct timer a, b;

	n_order = 0;
	assert_int_equal(clock_create_virtual(&c, 5), 0);
	timer_init(&a, c, note, "a");
	timer_init(&b, c, note, "b");
	timer_start(&a, 10);
	timer_start(&b, 10);
	timer_stop(&a);
	timer_start(&b, 30);
	assert_int_equal(clock_timers(c), 1);
	clock_advance(c, 29000);
	assert_int_equal(n_order, 0);
	clock_advance(c, 1000);
	assert_int_equal(n_order, 1);
	assert_false(timer_active(&b));
	clock_destroy(c);
}

struct again {
	struct timer t;
	int left;
};

static void rearm(void *arg)
{
	struct again *x = arg;

	if (x->left-- > 0)
		timer_start(&x->t, 5);
}

static void a_timer_may_start_itself_again_at_its_own_moment(void **state)
{
	(void)state;
	struct clock *c;
	struct again x = { .left = 3 };

	assert_int_equal(clock_create_virtual(&c, 0), 0);
	timer_init(&x.t, c, rearm, &x);
	timer_start(&x.t, 5);
	clock_advance(c, 15000);
	assert_int_equal(x.left, 0);
	clock_advance(c, 5000);
	assert_int_equal(clock_timers(c), 0);
	clock_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_run_in_order_of_deadline_then_of_start),
		cmocka_unit_test(a_stopped_timer_does_not_fire_and_a_restart_moves_it),
		cmocka_unit_test(a_timer_may_start_itself_again_at_its_own_moment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
