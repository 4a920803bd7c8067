/*
 * Names on the loop. The C library's getaddrinfo() is replaced by one that
 * counts and fails on demand, and its clock by one that can be moved, so that
 * cache and fallback show.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/io.h"

static _Atomic int lookups;
static _Atomic bool broken;
static _Atomic int slow_ms;

#define OURS __attribute__((visibility("default")))

static _Atomic int64_t skip_s;

OURS int clock_gettime(clockid_t id, struct timespec *ts)
{
	long r = syscall(SYS_clock_gettime, id, ts);

	if (id == CLOCK_MONOTONIC)
		ts->tv_sec += skip_s;
	return (int)r;
}

OURS int getaddrinfo(const char *host, const char *service,
		const struct addrinfo *hints, struct addrinfo **ret)
{
	static const char *const texts[] = { "192.0.2.1", "192.0.2.2" };
	struct addrinfo **at = ret;

	(void)service;
	(void)hints;
	atomic_fetch_add(&lookups, 1);
	if (slow_ms)
		usleep((useconds_t)slow_ms * 1000);
	*ret = NULL;
	if (broken || strcmp(host, "unknown.example") == 0)
		return EAI_AGAIN;
	for (int i = 0; i < 2; i++) {
		struct addrinfo *a = calloc(1, sizeof *a +
					    sizeof(struct sockaddr_in));
		struct sockaddr_in *in = (struct sockaddr_in *)(void *)(a + 1);
		in->sin_family = AF_INET;
		inet_pton(AF_INET, texts[i], &in->sin_addr);
		a->ai_family = AF_INET;
		a->ai_addr = (struct sockaddr *)in;
		a->ai_addrlen = sizeof *in;
		*at = a;
		at = &a->ai_next;
	}
	return 0;
}

OURS void freeaddrinfo(struct addrinfo *a)
{
	while (a) {
		struct addrinfo *next = a->ai_next;
		free(a);
		a = next;
	}
}

struct answer {
	struct loop *loop;
	struct resolve *req;
	int n, status;
	size_t n_addrs;
	char text[64];
	bool inside_call;
};

static void answered(void *arg, int status,
		     const struct sockaddr_storage *addrs, size_t n)
{
	struct answer *a = arg;

	assert_false(a->inside_call);
	a->n++;
	a->status = status;
	a->n_addrs = n;
	if (n) {
		const struct sockaddr_in *in = (const void *)&addrs[0];
		const struct sockaddr_in6 *in6 = (const void *)&addrs[0];
		const void *at = addrs[0].ss_family == AF_INET ?
				 (const void *)&in->sin_addr :
				 (const void *)&in6->sin6_addr;
		inet_ntop(addrs[0].ss_family, at, a->text, sizeof a->text);
	}
	loop_stop(a->loop);
}

static void ask(struct answer *a, const char *host)
{
	a->inside_call = true;
	assert_int_equal(resolve_start(&a->req, a->loop, host, answered, a),
			 0);
	a->inside_call = false;
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

static void a_name_is_asked_once_a_minute(void **state)
{
	(void)state;
	struct answer a = { 0 };

	atomic_store(&lookups, 0);
	assert_int_equal(loop_create(&a.loop, NULL), 0);
	ask(&a, "a.example");
	loop_run(a.loop);
	assert_int_equal(a.status, 0);
	assert_int_equal(a.n_addrs, 2);
	assert_string_equal(a.text, "192.0.2.1");
	ask(&a, "A.Example");
	loop_run(a.loop);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.n_addrs, 2);
	assert_int_equal(lookups, 1);
	ask(&a, "b.example");
	loop_run(a.loop);
	assert_int_equal(lookups, 2);
	loop_destroy(a.loop);
}

static void literals_ask_nobody(void **state)
{
	(void)state;
	struct answer a = { 0 };

	atomic_store(&lookups, 0);
	assert_int_equal(loop_create(&a.loop, NULL), 0);
	ask(&a, "198.51.100.7");
	loop_run(a.loop);
	assert_string_equal(a.text, "198.51.100.7");
	ask(&a, "2001:db8::5");
	loop_run(a.loop);
	assert_string_equal(a.text, "2001:db8::5");
	assert_int_equal(lookups, 0);
	loop_destroy(a.loop);
}

static void a_failure_is_told_and_not_remembered(void **state)
{
	(void)state;
	struct answer a = { 0 };

	assert_int_equal(loop_create(&a.loop, NULL), 0);
	ask(&a, "unknown.example");
	loop_run(a.loop);
	assert_true(a.status < 0);
	assert_int_equal(a.n_addrs, 0);
	atomic_store(&broken, true);
	ask(&a, "c.example");
	loop_run(a.loop);
	assert_true(a.status < 0);
	atomic_store(&broken, false);
	ask(&a, "c.example");
	loop_run(a.loop);
	assert_int_equal(a.status, 0);
	loop_destroy(a.loop);
}

static void an_expired_entry_beats_a_failure(void **state)
{
	(void)state;
	struct answer a = { 0 };

	atomic_store(&lookups, 0);
	assert_int_equal(loop_create(&a.loop, NULL), 0);
	ask(&a, "a.example");
	loop_run(a.loop);
	atomic_fetch_add(&skip_s, 59);
	ask(&a, "a.example");
	loop_run(a.loop);
	assert_int_equal(lookups, 1);
	atomic_fetch_add(&skip_s, 2);
	atomic_store(&broken, true);
	ask(&a, "a.example");
	loop_run(a.loop);
	/* asked, failed, and the old address is given */
	assert_int_equal(lookups, 2);
	assert_int_equal(a.status, 0);
	assert_string_equal(a.text, "192.0.2.1");
	atomic_store(&broken, false);
	ask(&a, "a.example");
	loop_run(a.loop);
	assert_int_equal(lookups, 3);
	loop_destroy(a.loop);
}

static void an_expired_entry_beats_a_look_up_that_hangs(void **state)
{
	(void)state;
	struct answer a = { 0 };

	assert_int_equal(loop_create(&a.loop, NULL), 0);
	ask(&a, "a.example");
	loop_run(a.loop);
	atomic_fetch_add(&skip_s, 61);
	atomic_store(&slow_ms, 1500);
	int64_t start_us = clock_mono_us();
	ask(&a, "a.example");
	loop_run(a.loop);
	assert_in_range(clock_mono_us() - start_us, 900000, 1400000);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.status, 0);
	assert_string_equal(a.text, "192.0.2.1");
	/* the late answer is told to nobody and refreshes the entry */
	run_for(a.loop, 700);
	assert_int_equal(a.n, 2);
	atomic_store(&slow_ms, 0);
	atomic_store(&lookups, 0);
	ask(&a, "a.example");
	loop_run(a.loop);
	assert_int_equal(lookups, 0);
	loop_destroy(a.loop);
}

static void the_cache_has_a_size(void **state)
{
	(void)state;
	struct answer a = { 0 };
	char host[32];

	/* 64 names fit; the 65th takes the place of the oldest */
	atomic_store(&lookups, 0);
	assert_int_equal(loop_create(&a.loop, NULL), 0);
	for (int i = 0; i < 65; i++) {
		snprintf(host, sizeof host, "n%d.example", i);
		ask(&a, host);
		loop_run(a.loop);
		atomic_fetch_add(&skip_s, i == 0);
	}
	assert_int_equal(lookups, 65);
	ask(&a, "n64.example");
	loop_run(a.loop);
	assert_int_equal(lookups, 65);
	ask(&a, "n0.example");
	loop_run(a.loop);
	assert_int_equal(lookups, 66);
	loop_destroy(a.loop);
}

static void a_cancelled_request_stays_silent(void **state)
{
	(void)state;
	struct answer a = { 0 };

	assert_int_equal(loop_create(&a.loop, NULL), 0);
	ask(&a, "198.51.100.7");
	resolve_cancel(a.req);
	ask(&a, "d.example");
	resolve_cancel(a.req);
	atomic_store(&slow_ms, 30);
	ask(&a, "e.example");
	run_for(a.loop, 10);
	resolve_cancel(a.req);
	resolve_cancel(NULL);
	run_for(a.loop, 60);
	assert_int_equal(a.n, 0);
	/* the loop may end with requests under way */
	ask(&a, "f.example");
	ask(&a, "198.51.100.7");
	loop_destroy(a.loop);
	atomic_store(&slow_ms, 0);
	assert_int_equal(a.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_asked_once_a_minute),
		cmocka_unit_test(literals_ask_nobody),
		cmocka_unit_test(a_failure_is_told_and_not_remembered),
		cmocka_unit_test(an_expired_entry_beats_a_failure),
		cmocka_unit_test(an_expired_entry_beats_a_look_up_that_hangs),
		cmocka_unit_test(the_cache_has_a_size),
		cmocka_unit_test(a_cancelled_request_stays_silent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
