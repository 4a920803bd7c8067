/* The watchdog: a stall is reported once, with the stack; idling is none. */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/io.h"

struct stalls {
	_Atomic int n;
	_Atomic int64_t last_ms;
	pthread_t loop_thread;
};

static void stalled(void *arg, int64_t ms)
{
	struct stalls *s = arg;

	/* on the watchdog's thread, while the loop hangs */
	if (pthread_equal(pthread_self(), s->loop_thread))
		abort();
	atomic_fetch_add(&s->n, 1);
	atomic_store(&s->last_ms, ms);
}

static void hang(void *arg)
{
	int64_t until_us = clock_mono_us() + *(int *)arg * 1000;

	while (clock_mono_us() < until_us)
		usleep(1000);
}

static void stop(void *arg)
{
	loop_stop(arg);
}

static void run_for(struct loop *l, int64_t ms)
{
	struct timer t;

	timer_init(&t, loop_clock(l), stop, l);
	timer_start(&t, ms);
	loop_run(l);
	timer_stop(&t);
}

/* Runs the loop with stderr in a file and returns what was written. */
static char *run_captured(struct loop *l, int64_t ms)
{
	static char text[16384];
	char path[] = "/tmp/fd-watch-XXXXXX";
	int file = mkstemp(path), saved = dup(2);

	unlink(path);
	dup2(file, 2);
	run_for(l, ms);
	dup2(saved, 2);
	close(saved);
	ssize_t n = pread(file, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = 0;
	close(file);
	return text;
}

static void a_stall_is_told_once_with_the_stack(void **state)
{
	(void)state;
	struct loop *l;
	struct stalls s = { .loop_thread = pthread_self() };
	int ms = 400;

	assert_int_equal(loop_create(&l, NULL), 0);
	assert_int_equal(loop_watch(l, 100, stalled, &s), 0);
	run_for(l, 50);
	loop_post(l, hang, &ms);
	const char *text = run_captured(l, 500);
	assert_int_equal(s.n, 1);
	assert_in_range(s.last_ms, 100, 400);
	assert_non_null(strstr(text, "the loop hangs here"));
	assert_non_null(strstr(text, "io_test_watch"));
	/* and again at the next one */
	loop_post(l, hang, &ms);
	run_captured(l, 500);
	assert_int_equal(s.n, 2);
	loop_destroy(l);
}

static void idling_and_short_turns_are_no_stall(void **state)
{
	(void)state;
	struct loop *l;
	struct stalls s = { .loop_thread = pthread_self() };
	int ms = 60;

	assert_int_equal(loop_create(&l, NULL), 0);
	assert_int_equal(loop_watch(l, 200, stalled, &s), 0);
	run_for(l, 500);
	for (int i = 0; i < 4; i++)
		loop_post(l, hang, &ms);
	run_for(l, 10);
	run_for(l, 300);
	/* 4 x 60 ms came in one turn: that is a stall or just under one */
	assert_in_range(s.n, 0, 1);
	int before = s.n;
	run_for(l, 500);
	assert_int_equal(s.n, before);
	loop_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stall_is_told_once_with_the_stack),
		cmocka_unit_test(idling_and_short_turns_are_no_stall),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
