/* Data channel control messages. */
#include "unit.h"

#include "base/err.h"
#include "rtc/channel_int.h"

static void an_open_reads_back_the_same(void **state)
{
	(void)state;
	uint8_t p[DCEP_MAX];
	struct dcep d;
	size_t n = dcep_write_open(p, DCEP_REXMIT_UNORDERED, "_lossy");

	assert_int_equal(n, 18);
	assert_int_equal(dcep_parse(&d, p, n), 0);
	assert_int_equal(d.type, DCEP_OPEN);
	assert_int_equal(d.channel, 0x81);
	assert_int_equal(d.reliability, 0);
	assert_int_equal(d.label_len, 6);
	assert_memory_equal(d.label, "_lossy", 6);
	assert_int_equal(d.protocol_len, 0);
}

static void lengths_beyond_the_end_are_refused(void **state)
{
	(void)state;
	uint8_t p[DCEP_MAX];
	struct dcep d;
	size_t n = dcep_write_open(p, DCEP_RELIABLE, "_reliable");

	for (size_t cut = 0; cut < n; cut++)
		assert_int_equal(dcep_parse(&d, p, cut), ERR_PROTOCOL);
	p[11] = 1; /* a protocol that is not there */
	assert_int_equal(dcep_parse(&d, p, n), ERR_PROTOCOL);
}

static void an_ack_is_one_byte_and_others_are_unknown(void **state)
{
	(void)state;
	struct dcep d;

	assert_int_equal(dcep_parse(&d, (const uint8_t *)"\2", 1), 0);
	assert_int_equal(d.type, DCEP_ACK);
	assert_int_equal(rtc_dcep_check((const uint8_t *)"\7", 1), ERR_PROTOCOL);
	assert_int_equal(rtc_dcep_check(NULL, 0), ERR_PROTOCOL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_open_reads_back_the_same),
		cmocka_unit_test(lengths_beyond_the_end_are_refused),
		cmocka_unit_test(an_ack_is_one_byte_and_others_are_unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
