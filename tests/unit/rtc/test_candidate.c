/* Candidate lines as signalling brings them. */
#include "unit.h"

#include "rtc/candidate_int.h"

static void lines_are_cleaned_or_left_out_for_a_reason(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		enum candidate_use use;
		const char *out;
	} all[] = {
		{ "candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host ufrag abcd",
		  CANDIDATE_OK,
		  "candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host" },
		{ "a=candidate:f 1 UDP 5 10.0.0.1 9 typ srflx raddr 0.0.0.0 rport 0 generation 0\r\n",
		  CANDIDATE_OK,
		  "candidate:f 1 UDP 5 10.0.0.1 9 typ srflx raddr 0.0.0.0 rport 0" },
		{ "candidate:1 1 tcp 7 fd00::1 7881 typ host tcptype passive",
		  CANDIDATE_OK,
		  "candidate:1 1 tcp 7 fd00::1 7881 typ host tcptype passive" },
		{ "candidate:1 2 udp 5 127.0.0.1 7882 typ host", CANDIDATE_COMPONENT, NULL },
		{ "candidate:1 1 udp 5 0f3a.local 7882 typ host", CANDIDATE_NAME, NULL },
		{ "candidate:1 1 tcp 5 127.0.0.1 9 typ host tcptype active", CANDIDATE_ACTIVE, NULL },
		{ "candidate:1 1 tcp 5 127.0.0.1 9 typ host", CANDIDATE_ACTIVE, NULL },
		{ "candidate:1 1 ssltcp 5 127.0.0.1 9 typ host", CANDIDATE_FAMILY, NULL },
		{ "candidate:1 1 udp 5 127.0.0.1 99999 typ host", CANDIDATE_BAD, NULL },
		{ "candidate:1 1 udp -5 127.0.0.1 9 typ host", CANDIDATE_BAD, NULL },
		{ "candidate:1 1 udp 5 127.0.0.1 9 type host", CANDIDATE_BAD, NULL },
		{ "candidate:1 1 udp 5 127.0.0.1", CANDIDATE_BAD, NULL },
		{ "candidate:", CANDIDATE_BAD, NULL },
		{ "", CANDIDATE_BAD, NULL },
	};
	char out[256];

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		assert_int_equal(candidate_clean(out, sizeof out, all[i].in),
				 all[i].use);
		if (all[i].out)
			assert_string_equal(out, all[i].out);
	}
}

static void a_result_that_does_not_fit_is_no_candidate(void **state)
{
	(void)state;
	char out[16], long_line[2000];

	assert_int_equal(candidate_clean(out, sizeof out,
			 "candidate:1 1 udp 5 127.0.0.1 9 typ host"), CANDIDATE_BAD);
	memset(long_line, 'x', sizeof long_line);
	memcpy(long_line, "candidate:", 10);
	long_line[sizeof long_line - 1] = 0;
	assert_int_equal(candidate_clean(out, sizeof out, long_line), CANDIDATE_BAD);
	for (size_t i = 10; i < sizeof long_line - 1; i += 2)
		long_line[i] = ' ';
	assert_int_equal(candidate_clean(out, sizeof out, long_line), CANDIDATE_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_cleaned_or_left_out_for_a_reason),
		cmocka_unit_test(a_result_that_does_not_fit_is_no_candidate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
