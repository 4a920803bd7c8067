/* The loop's doors from other threads, its timers, its end. */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include <uv.h>

#include "base/err.h"
#include "base/thread.h"
#include "io/io.h"

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

/* ---- posts ----------------------------------------------------------------- */

enum { POSTERS = 3, POSTS = 2000 };

struct poster {
	struct loop *loop;
	pthread_t thread;
	int next;            /* [loop] what must come next */
	_Atomic int *left;
};

struct numbered {
	struct poster *from;
	int n;
};

static void arrived(void *arg)
{
	struct numbered *x = arg;

	assert_int_equal(thread_role, THREAD_LOOP);
	assert_int_equal(x->n, x->from->next);
	x->from->next++;
	if (atomic_fetch_sub(x->from->left, 1) == 1)
		loop_stop(x->from->loop);
	free(x);
}

static void *post_many(void *arg)
{
	struct poster *p = arg;

	for (int i = 0; i < POSTS; i++) {
		struct numbered *x = malloc(sizeof *x);
		x->from = p;
		x->n = i;
		loop_post(p->loop, arrived, x);
	}
	return NULL;
}

static void posts_of_a_thread_run_in_order_and_none_is_lost(void **state)
{
	(void)state;
	struct loop *l;
	struct poster p[POSTERS];
	_Atomic int left = POSTERS * POSTS;

	assert_int_equal(loop_create(&l, NULL), 0);
	for (int i = 0; i < POSTERS; i++) {
		p[i] = (struct poster){ .loop = l, .left = &left };
		pthread_create(&p[i].thread, NULL, post_many, &p[i]);
	}
	loop_run(l);
	for (int i = 0; i < POSTERS; i++) {
		pthread_join(p[i].thread, NULL);
		assert_int_equal(p[i].next, POSTS);
	}
	assert_int_equal(thread_role, THREAD_NONE);
	loop_destroy(l);
}

struct nested {
	struct loop *loop;
	int depth;
	bool inside;
};

static void post_again(void *arg)
{
	struct nested *x = arg;

	assert_false(x->inside);
	x->inside = true;
	if (++x->depth == 5)
		loop_stop(x->loop);
	else
		loop_post(x->loop, post_again, x);
	x->inside = false;
}

static void a_post_never_runs_inside_the_call(void **state)
{
	(void)state;
	struct nested x = { 0 };

	assert_int_equal(loop_create(&x.loop, NULL), 0);
	loop_post(x.loop, post_again, &x);
	assert_int_equal(x.depth, 0);
	loop_run(x.loop);
	assert_int_equal(x.depth, 5);
	/* queued and never run: dropped without a trace */
	loop_post(x.loop, post_again, &x);
	loop_destroy(x.loop);
	assert_int_equal(x.depth, 5);
}

/* ---- wakes ------------------------------------------------------------------ */

struct alarm {
	struct loop *loop;
	struct wake *wake;
	_Atomic int raised, seen;
	int calls;
};

static void woken(void *arg)
{
	struct alarm *a = arg;

	a->calls++;
	atomic_store(&a->seen, atomic_load(&a->raised));
	if (atomic_load(&a->seen) == 5000)
		loop_stop(a->loop);
}

static void *raise_many(void *arg)
{
	struct alarm *a = arg;

	for (int i = 0; i < 5000; i++) {
		atomic_fetch_add(&a->raised, 1);
		wake_raise(a->wake);
	}
	return NULL;
}

static void a_raised_wake_runs_at_least_once_afterwards(void **state)
{
	(void)state;
	struct alarm a = { 0 };
	pthread_t t;

	assert_int_equal(loop_create(&a.loop, NULL), 0);
	assert_int_equal(wake_create(&a.wake, a.loop, woken, &a), 0);
	pthread_create(&t, NULL, raise_many, &a);
	loop_run(a.loop);
	pthread_join(t, NULL);
	assert_int_equal(a.seen, 5000);
	assert_in_range(a.calls, 1, 5000);
	int calls = a.calls;
	wake_raise(a.wake);
	wake_close(a.wake);
	wake_close(NULL);
	run_for(a.loop, 10);
	assert_int_equal(a.calls, calls);
	/* one that nobody closes ends with the loop */
	assert_int_equal(wake_create(&a.wake, a.loop, woken, &a), 0);
	loop_destroy(a.loop);
}

/* ---- time -------------------------------------------------------------------- */

struct mark {
	struct timer t;
	int64_t at_us;
};

static void note_time(void *arg)
{
	((struct mark *)arg)->at_us = clock_mono_us();
}

static void timers_fire_in_real_time(void **state)
{
	(void)state;
	struct loop *l;
	struct mark m[3];
	const int64_t ms[3] = { 40, 5, 20 };

	assert_int_equal(loop_create(&l, NULL), 0);
	int64_t start_us = clock_mono_us();
	for (int i = 0; i < 3; i++) {
		timer_init(&m[i].t, loop_clock(l), note_time, &m[i]);
		timer_start(&m[i].t, ms[i]);
	}
	usleep(3000); /* the loop's idea of now is old when it starts */
	run_for(l, 60);
	for (int i = 0; i < 3; i++)
		assert_in_range(m[i].at_us - start_us, ms[i] * 1000,
				ms[i] * 1000 + 30000);
	assert_int_equal(clock_timers(loop_clock(l)), 0);
	loop_destroy(l);
}

static void *stop_later(void *arg)
{
	usleep(20000);
	loop_stop(arg);
	return NULL;
}

static void an_idle_loop_waits_until_it_is_stopped(void **state)
{
	(void)state;
	struct loop *l;
	pthread_t t;

	assert_int_equal(loop_create(&l, NULL), 0);
	for (int i = 0; i < 2; i++) {
		int64_t start_us = clock_mono_us();
		pthread_create(&t, NULL, stop_later, l);
		loop_run(l);
		assert_true(clock_mono_us() - start_us >= 19000);
		pthread_join(t, NULL);
	}
	/* stopped before it runs: returns at once */
	loop_stop(l);
	loop_run(l);
	assert_int_equal(loop_uv(l) != NULL, 1);
	loop_destroy(l);
	loop_destroy(NULL);
}

/* ---- certificates -------------------------------------------------------------- */

static void certificates_must_be_somewhere(void **state)
{
	(void)state;
	struct loop *l = NULL;

	assert_int_equal(loop_create(&l, "/nowhere/ca.pem"), ERR_CONFIG);
	setenv("SSL_CERT_FILE", "/nowhere/ca.pem", 1);
	assert_int_equal(loop_create(&l, NULL), ERR_CONFIG);
	assert_null(l);
	setenv("SSL_CERT_FILE", "/proc/self/exe", 1);
	assert_int_equal(loop_create(&l, NULL), 0);
	loop_destroy(l);
	unsetenv("SSL_CERT_FILE");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			posts_of_a_thread_run_in_order_and_none_is_lost),
		cmocka_unit_test(a_post_never_runs_inside_the_call),
		cmocka_unit_test(a_raised_wake_runs_at_least_once_afterwards),
		cmocka_unit_test(timers_fire_in_real_time),
		cmocka_unit_test(an_idle_loop_waits_until_it_is_stopped),
		cmocka_unit_test(certificates_must_be_somewhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
