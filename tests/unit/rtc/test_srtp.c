/* Packets sealed on one side and opened on the other. */
#include "unit.h"

#include "base/err.h"
#include "rtc/rtp_int.h"
#include "rtc/seal_int.h"

static const uint16_t profiles[] = { SEAL_CM_SHA1_80, SEAL_GCM_128, SEAL_GCM_256 };

static void make_pair(uint16_t profile, struct seal **a, struct seal **b)
{
	struct seal_keys ka = { .profile = profile }, kb = { .profile = profile };

	for (size_t i = 0; i < SEAL_KEY_MAX; i++) {
		ka.local[i] = kb.remote[i] = (uint8_t)i;
		ka.remote[i] = kb.local[i] = (uint8_t)(200 - i);
	}
	assert_int_equal(seal_create(a, &ka, 1), 0);
	assert_int_equal(seal_create(b, &kb, 2), 0);
}

/* A packet of source 1 with 20 bytes of payload. */
static size_t write_packet(uint8_t *p, uint16_t seq)
{
	struct rtp_packet pkt = { .ssrc = 1, .seq = seq, .payload_type = 111 };
	size_t n = rtp_write_head(p, &pkt, &(struct rtp_ext){ 0 });

	memset(p + n, (uint8_t)seq, 20);
	return n + 20;
}

static void every_profile_opens_what_it_sealed(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct seal *a, *b;
		uint8_t p[200], plain[200];
		size_t n;

		make_pair(profiles[i], &a, &b);
		n = write_packet(plain, 7);
		memcpy(p, plain, n);
		int sealed = seal_rtp(a, p, n);
		assert_in_range(sealed, n + 10, n + SEAL_ROOM);
		assert_memory_not_equal(p + 12, plain + 12, 20);
		assert_int_equal(seal_open_rtp(b, p, (size_t)sealed), n);
		assert_memory_equal(p, plain, n);

		n = rtcp_write_bye(plain, 1);
		memcpy(p, plain, n);
		sealed = seal_rtcp(a, p, n);
		assert_in_range(sealed, n + 14, n + SEAL_ROOM);
		assert_int_equal(seal_open_rtcp(b, p, (size_t)sealed), n);
		assert_memory_equal(p, plain, n);
		seal_destroy(a);
		seal_destroy(b);
	}
}

static void a_changed_byte_is_noticed(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct seal *a, *b;
		uint8_t p[200];

		make_pair(profiles[i], &a, &b);
		int n = seal_rtp(a, p, write_packet(p, 1));
		p[20] ^= 1;
		assert_int_equal(seal_open_rtp(b, p, (size_t)n), ERR_AUTH);
		assert_int_equal(seal_open_rtp(b, p, 5), ERR_AUTH);
		seal_destroy(a);
		seal_destroy(b);
	}
}

static void the_same_packet_is_taken_once(void **state)
{
	(void)state;
	struct seal *a, *b;
	uint8_t p[200], again[200];

	make_pair(SEAL_GCM_128, &a, &b);
	int n = seal_rtp(a, p, write_packet(p, 1));
	memcpy(again, p, (size_t)n);
	assert_true(seal_open_rtp(b, p, (size_t)n) > 0);
	assert_int_equal(seal_open_rtp(b, again, (size_t)n), -EALREADY);
	seal_destroy(a);
	seal_destroy(b);
}

static void a_late_packet_within_seconds_is_still_taken(void **state)
{
	(void)state;
	struct seal *a, *b;
	uint8_t late[200], p[200];

	make_pair(SEAL_CM_SHA1_80, &a, &b);
	int n = seal_rtp(a, late, write_packet(late, 1));
	for (uint16_t seq = 2; seq < 800; seq++) {
		int len = seal_rtp(a, p, write_packet(p, seq));
		assert_true(seal_open_rtp(b, p, (size_t)len) > 0);
	}
	assert_true(seal_open_rtp(b, late, (size_t)n) > 0);
	seal_destroy(a);
	seal_destroy(b);
}

static void sequence_numbers_may_roll_over(void **state)
{
	(void)state;
	struct seal *a, *b;
	uint8_t p[200];

	make_pair(SEAL_GCM_256, &a, &b);
	for (uint32_t seq = 65000; seq < 66000; seq++) {
		int len = seal_rtp(a, p, write_packet(p, (uint16_t)seq));
		assert_true(seal_open_rtp(b, p, (size_t)len) > 0);
	}
	seal_destroy(a);
	seal_destroy(b);
}

static void an_unknown_profile_makes_nothing(void **state)
{
	(void)state;
	struct seal_keys k = { .profile = 2 };
	struct seal *s = NULL;
	size_t key, salt;

	assert_int_equal(seal_create(&s, &k, 1), ERR_PROTOCOL);
	assert_null(s);
	assert_false(seal_lengths(2, &key, &salt));
	seal_destroy(NULL);
}

static int start(void **state)
{
	(void)state;
	return seal_start();
}

static int stop(void **state)
{
	(void)state;
	seal_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_profile_opens_what_it_sealed),
		cmocka_unit_test(a_changed_byte_is_noticed),
		cmocka_unit_test(the_same_packet_is_taken_once),
		cmocka_unit_test(a_late_packet_within_seconds_is_still_taken),
		cmocka_unit_test(sequence_numbers_may_roll_over),
		cmocka_unit_test(an_unknown_profile_makes_nothing),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
