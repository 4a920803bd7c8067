/* A media thread: posts, beats in slots, and what a late thread does. */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include <glib.h>

#include "base/clock.h"
#include "base/thread.h"
#include "io/io.h"

static struct media *media;

static int start(void **state)
{
	(void)state;
	return media_create(&media, 7);
}

static int finish(void **state)
{
	(void)state;
	media_destroy(media);
	media = NULL;
	return 0;
}

/* cmocka's assertions belong to the main thread alone */
#define CHECK(x) \
	((x) ? (void)0 : (fprintf(stderr, "%s:%d: not %s\n", __FILE__, \
				  __LINE__, #x), abort()))

/* ---- posts ------------------------------------------------------------------- */

struct counter {
	int n;
	pthread_t thread;
};

static void look_around(void *arg)
{
	struct counter *c = arg;
	char name[16];

	CHECK(thread_role == THREAD_MEDIA);
	pthread_getname_np(pthread_self(), name, sizeof name);
	CHECK(strcmp(name, "media7") == 0);
	CHECK(g_main_context_is_owner(media_context(media)));
	CHECK(g_main_context_get_thread_default() == media_context(media));
	c->thread = pthread_self();
	c->n = 1;
}

static void count_in_order(void *arg)
{
	int *next = ((void **)arg)[0];

	CHECK(*next == (int)(intptr_t)((void **)arg)[1]);
	++*next;
	free(arg);
}

static void posts_run_in_order_on_the_thread(void **state)
{
	(void)state;
	struct counter c = { 0 };
	int next = 0;

	media_sync(media, look_around, &c);
	assert_int_equal(c.n, 1);
	assert_false(pthread_equal(c.thread, pthread_self()));
	for (int i = 0; i < 5000; i++) {
		void **x = malloc(2 * sizeof *x);
		x[0] = &next;
		x[1] = (void *)(intptr_t)i;
		media_post(media, count_in_order, x);
	}
	media_sync(media, look_around, &c);
	assert_int_equal(next, 5000);
}

static void last_words(void *arg)
{
	*(bool *)arg = true;
}

static void what_was_posted_before_the_end_still_runs(void **state)
{
	(void)state;
	struct media *m;
	bool done = false;

	assert_int_equal(media_create(&m, 0), 0);
	media_post(m, last_words, &done);
	media_destroy(m);
	assert_true(done);
	media_destroy(NULL);
}

/* ---- beats -------------------------------------------------------------------- */

enum { KEEP = 256 };

struct drum {
	_Atomic int n, n_idle;
	int64_t at_us[KEEP];
	int remove_at;       /* removes itself at this beat */
	bool idle_before_beat;
	int idle_ms;
};

static void beat(void *arg, int64_t now_us)
{
	struct drum *d = arg;
	int n = atomic_load(&d->n);

	CHECK(clock_mono_us() - now_us < 1000000);
	if (n < KEEP)
		d->at_us[n] = now_us;
	if (d->remove_at && n + 1 == d->remove_at)
		media_beat_remove(media, d);
	atomic_store(&d->n, n + 1);
}

static void idle(void *arg, int64_t now_us)
{
	struct drum *d = arg;

	(void)now_us;
	if (atomic_load(&d->n_idle) >= atomic_load(&d->n))
		d->idle_before_beat = true;
	atomic_fetch_add(&d->n_idle, 1);
	if (d->idle_ms)
		usleep((useconds_t)d->idle_ms * 1000);
}

static void add(void *arg)
{
	CHECK(media_beat_add(media, beat, idle, arg) == 0);
}

static void drop(void *arg)
{
	media_beat_remove(media, arg);
}

static void switches(void *arg)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	*(long *)arg = u.ru_nvcsw;
}

static void a_beat_comes_every_20_ms_and_wakes_nobody_between(void **state)
{
	(void)state;
	struct drum d = { 0 };
	long before, after;

	media_sync(media, add, &d);
	media_sync(media, switches, &before);
	usleep(1000000);
	media_sync(media, switches, &after);
	media_sync(media, drop, &d);
	int n = d.n;
	assert_in_range(n, 40, 52);
	assert_in_range(d.n_idle, n - 2, n);
	assert_false(d.idle_before_beat);
	/* on the grid: no drift, whatever the jitter of this machine */
	assert_in_range(d.at_us[n - 1] - d.at_us[0], (n - 1) * 20000 - 15000,
			(n - 1) * 20000 + 15000);
	assert_true(after - before < 100);
	usleep(50000);
	assert_int_equal(d.n, n);
}

static void no_beats_means_no_wakeups(void **state)
{
	(void)state;
	long before, after;

	media_sync(media, switches, &before);
	usleep(300000);
	media_sync(media, switches, &after);
	assert_true(after - before < 5);
}

static void calls_are_spread_over_the_slots(void **state)
{
	(void)state;
	struct drum d[20] = { 0 };
	bool taken[20] = { false };

	for (int i = 0; i < 20; i++)
		media_sync(media, add, &d[i]);
	usleep(400000);
	for (int i = 0; i < 20; i++)
		media_sync(media, drop, &d[i]);
	int distinct = 0;
	for (int i = 0; i < 20; i++) {
		/* the earliest phase seen is the nearest to the slot's own */
		int64_t phase = 20000;
		for (int k = 0; k < d[i].n; k++) {
			int64_t p = (d[i].at_us[k] - d[0].at_us[0] + 2000000) %
				    20000;
			if (p < phase)
				phase = p;
		}
		distinct += !taken[phase / 1000];
		taken[phase / 1000] = true;
		assert_in_range(d[i].n, 14, 21);
	}
	assert_true(distinct >= 12);
}

static void nap(void *arg)
{
	usleep((useconds_t)*(int *)arg * 1000);
}

static void a_late_thread_catches_up_three_beats_at_most(void **state)
{
	(void)state;
	struct drum d = { 0 };
	uint64_t late0, all0, late, all;
	int ms = 210;

	media_sync(media, add, &d);
	usleep(100000);
	media_beats(media, &late0, &all0);
	media_sync(media, nap, &ms);
	usleep(100000);
	media_sync(media, drop, &d);
	media_beats(media, &late, &all);
	/* about ten were due meanwhile; three came at once */
	int burst = 0;
	for (int k = 1; k < d.n; k++) {
		int in_burst = 1;
		while (k < d.n && d.at_us[k] - d.at_us[k - 1] < 3000) {
			in_burst++;
			k++;
		}
		if (in_burst > burst)
			burst = in_burst;
	}
	assert_in_range(burst, 2, 4); /* the next regular one may be near */
	assert_in_range(d.n, 9, 15);
	assert_in_range(late - late0, 8, 14);
	/* the lost ones are counted too: time is fully accounted for */
	assert_in_range(all - all0, 14, 18);
}

static void a_beat_may_remove_itself(void **state)
{
	(void)state;
	struct drum d = { .remove_at = 3 }, other = { 0 };

	media_sync(media, add, &d);
	media_sync(media, add, &other);
	usleep(150000);
	media_sync(media, drop, &other);
	assert_int_equal(d.n, 3);
	assert_int_equal(d.n_idle, 2);
	assert_true(other.n >= 5);
}

static void idle_work_does_not_delay_other_calls(void **state)
{
	(void)state;
	struct drum d[3] = { { .idle_ms = 6 }, { .idle_ms = 6 }, { 0 } };

	for (int i = 0; i < 3; i++)
		media_sync(media, add, &d[i]);
	usleep(500000);
	for (int i = 0; i < 3; i++) {
		media_sync(media, drop, &d[i]);
		assert_in_range(d[i].n, 18, 27);
		assert_true(d[i].n_idle >= 15);
	}
}

#define ON_THREAD(f) cmocka_unit_test_setup_teardown(f, start, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_THREAD(posts_run_in_order_on_the_thread),
		cmocka_unit_test(what_was_posted_before_the_end_still_runs),
		ON_THREAD(a_beat_comes_every_20_ms_and_wakes_nobody_between),
		ON_THREAD(no_beats_means_no_wakeups),
		ON_THREAD(calls_are_spread_over_the_slots),
		ON_THREAD(a_late_thread_catches_up_three_beats_at_most),
		ON_THREAD(a_beat_may_remove_itself),
		ON_THREAD(idle_work_does_not_delay_other_calls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
