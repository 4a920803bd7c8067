/* RTCP written, walked, and what follows from its numbers. */
#include "unit.h"

#include "base/err.h"
#include "rtc/rtc.h"
#include "rtc/rtp_int.h"

static struct {
	struct rtcp_sender sender;
	struct rtcp_report report;
	int senders, reports, byes;
	uint32_t bye, nack_ssrc;
	uint16_t nacks[64];
	size_t n_nacks;
} got;

static void on_sender(void *arg, const struct rtcp_sender *s)
{
	(void)arg;
	got.sender = *s;
	got.senders++;
}

static void on_report(void *arg, const struct rtcp_report *r)
{
	(void)arg;
	got.report = *r;
	got.reports++;
}

static void on_nack(void *arg, uint32_t ssrc, uint16_t seq)
{
	(void)arg;
	got.nack_ssrc = ssrc;
	got.nacks[got.n_nacks++] = seq;
}

static void on_bye(void *arg, uint32_t ssrc)
{
	(void)arg;
	got.bye = ssrc;
	got.byes++;
}

static const struct rtcp_ops ops = { on_sender, on_report, on_nack, on_bye };

static int walk(const uint8_t *p, size_t n)
{
	memset(&got, 0, sizeof got);
	return rtcp_parse(p, n, &ops, NULL);
}

static void a_report_reads_back_the_same(void **state)
{
	(void)state;
	struct rtcp_sender self = { 1, 2, 3, 4, 5, 6 };
	struct rtcp_report about = { 7, 8, -9, 10, 11, 12, 13 };
	uint8_t out[RTCP_MAX];
	size_t n = rtcp_write(out, &self, &about, 1, "0123456789abcdef");

	assert_int_equal(walk(out, n), 0);
	assert_int_equal(got.senders, 1);
	assert_memory_equal(&got.sender, &self, sizeof self);
	assert_int_equal(got.reports, 1);
	assert_int_equal(got.report.lost, -9);
	assert_int_equal(got.report.ssrc, 7);
	assert_int_equal(got.report.fraction, 8);
	assert_int_equal(got.report.max_seq, 10);
	assert_int_equal(got.report.jitter, 11);
	assert_int_equal(got.report.last_sr, 12);
	assert_int_equal(got.report.delay, 13);
	assert_int_equal(rtc_packet_check(out, n), 0);
}

static void without_packets_sent_it_is_a_receivers_report(void **state)
{
	(void)state;
	struct rtcp_sender self = { .ssrc = 1 };
	struct rtcp_report many[RTCP_REPORTS_MAX] = { 0 };
	uint8_t out[RTCP_MAX];
	size_t n = rtcp_write(out, &self, many, RTCP_REPORTS_MAX, "x");

	assert_true(n <= sizeof out);
	assert_int_equal(out[1], 201);
	assert_int_equal(walk(out, n), 0);
	assert_int_equal(got.senders, 0);
	assert_int_equal(got.reports, RTCP_REPORTS_MAX);
}

static void the_cname_always_ends_with_a_zero(void **state)
{
	(void)state;
	static const char *const names[] = { "a", "ab", "abc", "abcd", "abcde" };
	struct rtcp_sender self = { .ssrc = 1 };
	uint8_t out[RTCP_MAX];

	for (size_t i = 0; i < 5; i++) {
		size_t n = rtcp_write(out, &self, NULL, 0, names[i]);
		assert_int_equal(n % 4, 0);
		assert_int_equal(out[n - 1], 0);
		assert_int_equal(out[8 + 9], i + 1);
		assert_int_equal(walk(out, n), 0);
	}
}

static void a_nack_names_each_lost_packet(void **state)
{
	(void)state;
	const uint8_t p[] = { 0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 9,
			      0xff, 0xfe, 0x80, 0x03 };

	assert_int_equal(walk(p, sizeof p), 0);
	assert_int_equal(got.nack_ssrc, 9);
	assert_int_equal(got.n_nacks, 4);
	assert_int_equal(got.nacks[0], 0xfffe);
	assert_int_equal(got.nacks[1], 0xffff);
	assert_int_equal(got.nacks[2], 0);
	assert_int_equal(got.nacks[3], 14);
}

static void a_farewell_names_its_source(void **state)
{
	(void)state;
	uint8_t out[RTCP_MAX];
	size_t n = rtcp_write_bye(out, 4711);

	assert_int_equal(walk(out, n), 0);
	assert_int_equal(got.byes, 1);
	assert_int_equal(got.bye, 4711);
}

static void wrong_lengths_are_refused(void **state)
{
	(void)state;
	struct rtcp_sender self = { 1, 2, 3, 4, 5, 6 };
	struct rtcp_report about = { 0 };
	uint8_t out[RTCP_MAX];
	size_t n = rtcp_write(out, &self, &about, 1, "name");

	for (size_t cut = 1; cut < n; cut++) {
		if (cut == 52) /* the whole first packet of two */
			continue;
		assert_int_equal(walk(out, cut), ERR_PROTOCOL);
	}
	out[0] = 0x9f; /* 31 blocks announced, one there */
	assert_int_equal(walk(out, n), ERR_PROTOCOL);
	const uint8_t padding[] = { 0xa0, 201, 0, 1, 0, 0, 0, 9 };
	assert_int_equal(walk(padding, 8), ERR_PROTOCOL);
	assert_int_equal(walk(padding, 0), ERR_PROTOCOL);
}

static void the_round_trip_leaves_out_the_other_sides_delay(void **state)
{
	(void)state;
	struct rtcp_report r = { .last_sr = 0xfffffff0, .delay = 65536 };

	assert_int_equal(rtcp_rtt_us(&r, 0xfffffff0u + 65536 + 6554), 100006);
	r.last_sr = 0;
	assert_int_equal(rtcp_rtt_us(&r, 5), -1);
	r.last_sr = 100; /* a clock that went backwards */
	assert_int_equal(rtcp_rtt_us(&r, 50), -1);
}

static void ntp_time_counts_from_1900(void **state)
{
	(void)state;
	uint32_t high, low;

	rtcp_ntp(1500000, &high, &low);
	assert_int_equal(high, 2208988801u);
	assert_int_equal(low, 0x80000000u);
}

static void a_report_says_when_the_last_one_came(void **state)
{
	(void)state;
	struct rtp_source s = { .last_sr = 77, .last_sr_us = 1000000 };
	struct rtp_packet p = { .ssrc = 3 };
	struct rtcp_report r;

	rtp_source_count(&s, &p, 0, 48000);
	rtcp_report_on(&r, &s, 1500000);
	assert_int_equal(r.last_sr, 77);
	assert_int_equal(r.delay, 32768);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_reads_back_the_same),
		cmocka_unit_test(without_packets_sent_it_is_a_receivers_report),
		cmocka_unit_test(the_cname_always_ends_with_a_zero),
		cmocka_unit_test(a_nack_names_each_lost_packet),
		cmocka_unit_test(a_farewell_names_its_source),
		cmocka_unit_test(wrong_lengths_are_refused),
		cmocka_unit_test(the_round_trip_leaves_out_the_other_sides_delay),
		cmocka_unit_test(ntp_time_counts_from_1900),
		cmocka_unit_test(a_report_says_when_the_last_one_came),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
