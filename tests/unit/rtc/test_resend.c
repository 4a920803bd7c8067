/* The store of sent packets. */
#include "unit.h"

#include "rtc/rtp_int.h"

static void a_kept_packet_is_found_until_its_place_is_needed(void **state)
{
	(void)state;
	struct resend *r;
	size_t n;

	assert_int_equal(resend_create(&r), 0);
	for (int i = 0; i <= RESEND_SLOTS; i++) {
		uint8_t b[2] = { (uint8_t)i, (uint8_t)(i >> 8) };
		resend_store(r, (uint16_t)(65500 + i), b, 2);
	}
	assert_null(resend_find(r, 65500, 0, 0, &n));
	const uint8_t *p = resend_find(r, 65501, 0, 0, &n);
	assert_non_null(p);
	assert_int_equal(n, 2);
	assert_int_equal(p[0], 1);
	assert_non_null(resend_find(r, (uint16_t)(65500 + RESEND_SLOTS), 0, 0, &n));
	resend_destroy(r);
}

static void a_packet_is_not_repeated_twice_at_once(void **state)
{
	(void)state;
	struct resend *r;
	size_t n;

	assert_int_equal(resend_create(&r), 0);
	resend_store(r, 9, (const uint8_t *)"x", 1);
	assert_non_null(resend_find(r, 9, 1000, 500, &n));
	assert_null(resend_find(r, 9, 1499, 500, &n));
	assert_non_null(resend_find(r, 9, 1500, 500, &n));
	resend_destroy(r);
}

static void what_was_never_sent_or_is_too_long_is_not_there(void **state)
{
	(void)state;
	static const uint8_t big[RESEND_BYTES + 1];
	struct resend *r;
	size_t n;

	assert_int_equal(resend_create(&r), 0);
	assert_null(resend_find(r, 0, 0, 0, &n));
	resend_store(r, 3, big, RESEND_BYTES);
	assert_non_null(resend_find(r, 3, 0, 0, &n));
	resend_store(r, 3, big, RESEND_BYTES + 1);
	assert_null(resend_find(r, 3, 0, 0, &n));
	resend_destroy(r);
	resend_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kept_packet_is_found_until_its_place_is_needed),
		cmocka_unit_test(a_packet_is_not_repeated_twice_at_once),
		cmocka_unit_test(what_was_never_sent_or_is_too_long_is_not_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
