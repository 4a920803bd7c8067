/* Messages between two threads. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "base/ring.h"

static void messages_come_out_whole_and_in_order(void **state)
{
	(void)state;
	struct ring *r;
	char out[32];

	assert_int_equal(ring_create(&r, 100), 0);
	assert_int_equal(ring_read(r, out, sizeof out), -EAGAIN);
	assert_int_equal(ring_write(r, "head", 4, "body", 4), 0);
	assert_int_equal(ring_write(r, "x", 1, NULL, 0), 0);
	assert_int_equal(ring_write(r, NULL, 0, NULL, 0), 0);
	assert_int_equal(ring_used(r), 12 + 8 + 4);
	assert_int_equal(ring_read(r, out, sizeof out), 8);
	assert_memory_equal(out, "headbody", 8);
	assert_int_equal(ring_read(r, out, sizeof out), 1);
	assert_int_equal(ring_read(r, out, sizeof out), 0);
	assert_int_equal(ring_read(r, out, sizeof out), -EAGAIN);
	assert_int_equal(ring_used(r), 0);
	ring_destroy(r);
	ring_destroy(NULL);
}

static void a_full_ring_takes_nothing_of_a_message(void **state)
{
	(void)state;
	struct ring *r;
	char out[64], big[64] = { 0 };
	int n = 0;

	/* 64 bytes is the least: seven messages of 4 + 4, and 8 are left */
	assert_int_equal(ring_create(&r, 1), 0);
	while (n < 7) {
		assert_int_equal(ring_write(r, &n, sizeof n, NULL, 0), 0);
		n++;
	}
	assert_int_equal(ring_write(r, big, 5, NULL, 0), -ENOSPC);
	assert_int_equal(ring_used(r), 56);
	assert_int_equal(ring_write(r, &n, sizeof n, NULL, 0), 0);
	assert_int_equal(ring_write(r, NULL, 0, NULL, 0), -ENOSPC);
	assert_int_equal(ring_write(r, big, 61, NULL, 0), -ENOSPC);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(ring_read(r, out, sizeof out), 4);
		assert_memory_equal(out, &i, 4);
	}
	/* the biggest that fits, across the seam */
	memset(big, 'b', sizeof big);
	assert_int_equal(ring_write(r, big, 4, NULL, 0), 0);
	assert_int_equal(ring_read(r, out, sizeof out), 4);
	assert_int_equal(ring_write(r, big, 20, big, 40), 0);
	assert_int_equal(ring_read(r, out, sizeof out), 60);
	assert_memory_equal(out, big, 60);
	ring_destroy(r);
}

static void a_message_too_big_for_the_reader_is_dropped(void **state)
{
	(void)state;
	struct ring *r;
	char out[4];

	assert_int_equal(ring_create(&r, 64), 0);
	assert_int_equal(ring_write(r, "12345", 5, NULL, 0), 0);
	assert_int_equal(ring_write(r, "ok", 2, NULL, 0), 0);
	assert_int_equal(ring_read(r, out, sizeof out), -EMSGSIZE);
	assert_int_equal(ring_read(r, out, sizeof out), 2);
	assert_memory_equal(out, "ok", 2);
	ring_destroy(r);
}

static void every_length_survives_every_place(void **state)
{
	(void)state;
	struct ring *r;
	uint8_t in[48], out[48];

	assert_int_equal(ring_create(&r, 64), 0);
	for (int round = 0; round < 500; round++) {
		size_t n = (size_t)(round * 7) % sizeof in;
		size_t head = n / 3;
		for (size_t i = 0; i < n; i++)
			in[i] = (uint8_t)(round + (int)i);
		assert_int_equal(ring_write(r, in, head, in + head, n - head),
				 0);
		assert_int_equal(ring_read(r, out, sizeof out), n);
		assert_memory_equal(in, out, n);
	}
	ring_destroy(r);
}

/* ---- two threads ------------------------------------------------------------ */

enum { MESSAGES = 200000 };

/* A message is its number and that many (mod 61) equal bytes. */
static void *produce(void *arg)
{
	struct ring *r = arg;
	uint8_t body[64];

	for (uint32_t i = 0; i < MESSAGES; i++) {
		memset(body, (int)(i & 255), sizeof body);
		while (ring_write(r, &i, sizeof i, body, i % 61) == -ENOSPC)
			sched_yield();
	}
	return NULL;
}

static void two_threads_lose_and_mix_nothing(void **state)
{
	(void)state;
	struct ring *r;
	pthread_t t;
	uint8_t m[128];

	assert_int_equal(ring_create(&r, 1024), 0);
	pthread_create(&t, NULL, produce, r);
	for (uint32_t i = 0; i < MESSAGES; i++) {
		int n;
		uint32_t number;
		while ((n = ring_read(r, m, sizeof m)) == -EAGAIN)
			sched_yield();
		assert_int_equal(n, 4 + i % 61);
		memcpy(&number, m, 4);
		assert_int_equal(number, i);
		for (int k = 4; k < n; k++) {
			if (m[k] != (i & 255))
				fail_msg("byte %d of message %u", k, i);
		}
	}
	pthread_join(t, NULL);
	assert_int_equal(ring_used(r), 0);
	ring_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_out_whole_and_in_order),
		cmocka_unit_test(a_full_ring_takes_nothing_of_a_message),
		cmocka_unit_test(a_message_too_big_for_the_reader_is_dropped),
		cmocka_unit_test(every_length_survives_every_place),
		cmocka_unit_test(two_threads_lose_and_mix_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
