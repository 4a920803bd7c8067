/* RTP headers, extensions, and what a receiver counts. */
#include "unit.h"

#include "base/err.h"
#include "rtc/rtc.h"
#include "rtc/rtp_int.h"

static const struct rtp_ext ext = { .mid = 1, .level = 2 };

static struct rtp_packet packet(const char *mid)
{
	struct rtp_packet p = {
		.ssrc = 0xdeadbeef, .timestamp = 0x01020304, .seq = 65535,
		.marker = true, .payload_type = 111,
		.has_level = true, .level = 35, .voice = true,
	};
	strcpy(p.mid, mid);
	return p;
}

static void a_written_packet_reads_back_the_same(void **state)
{
	(void)state;
	static const char *const mids[] = { "0", "12", "abc", "fifteen-letters" };

	for (size_t i = 0; i < 4; i++) {
		struct rtp_packet out = packet(mids[i]), in;
		uint8_t bytes[RTP_HEAD_MAX + 4];
		size_t n = rtp_write_head(bytes, &out, &ext);

		assert_int_equal(n % 4, 0);
		memcpy(bytes + n, "opus", 4);
		assert_int_equal(rtp_parse(&in, bytes, n + 4, &ext), 0);
		assert_int_equal(in.ssrc, out.ssrc);
		assert_int_equal(in.timestamp, out.timestamp);
		assert_int_equal(in.seq, 65535);
		assert_true(in.marker && in.has_level && in.voice);
		assert_int_equal(in.payload_type, 111);
		assert_int_equal(in.level, 35);
		assert_string_equal(in.mid, mids[i]);
		assert_int_equal(in.len, 4);
		assert_memory_equal(in.payload, "opus", 4);
	}
}

static void refused_extensions_are_left_out(void **state)
{
	(void)state;
	struct rtp_packet out = packet("0");
	uint8_t bytes[RTP_HEAD_MAX];

	assert_int_equal(rtp_write_head(bytes, &out, &(struct rtp_ext){ 0 }), 12);
	assert_int_equal(bytes[0], 0x80);
}

static void csrcs_padding_and_two_byte_extensions_are_read(void **state)
{
	(void)state;
	const uint8_t p[] = {
		0xb1, 111, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, /* padding, ext, 1 CSRC */
		9, 9, 9, 9,
		0x10, 0, 0, 2, 1, 2, 'a', 'b', 2, 1, 0x85, 0,
		'x', 'y', 0, 2,
	};
	struct rtp_packet in;

	assert_int_equal(rtp_parse(&in, p, sizeof p, &ext), 0);
	assert_string_equal(in.mid, "ab");
	assert_true(in.voice);
	assert_int_equal(in.level, 5);
	assert_int_equal(in.len, 2);
	assert_memory_equal(in.payload, "xy", 2);
}

static void broken_packets_are_refused(void **state)
{
	(void)state;
	const uint8_t good[] = { 0x90, 111, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2,
				 0xbe, 0xde, 0, 1, 0x10, '0', 0, 0, 'x' };
	struct rtp_packet in;

	assert_int_equal(rtp_parse(&in, good, sizeof good, &ext), 0);
	for (size_t n = 0; n < 20; n++)
		assert_int_equal(rtp_parse(&in, good, n, &ext), ERR_PROTOCOL);
	const uint8_t version[12] = { 0x40 };
	assert_int_equal(rtp_parse(&in, version, 12, &ext), ERR_PROTOCOL);
	const uint8_t all_padding[13] = { 0xa0, [12] = 2 };
	assert_int_equal(rtp_parse(&in, all_padding, 13, &ext), ERR_PROTOCOL);
	assert_int_equal(rtc_packet_check(good, sizeof good), 0);
}

static void an_extension_that_runs_out_is_not_read_past(void **state)
{
	(void)state;
	const uint8_t p[] = { 0x90, 111, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2,
			      0xbe, 0xde, 0, 1, 0, 0, 0x1f, '0' };
	struct rtp_packet in;

	assert_int_equal(rtp_parse(&in, p, sizeof p, &ext), 0);
	assert_string_equal(in.mid, "");
}

static void loss_and_wrap_are_counted(void **state)
{
	(void)state;
	struct rtp_source s = { 0 };
	struct rtp_packet p = { .ssrc = 5 };
	struct rtcp_report r;
	uint16_t seqs[] = { 65533, 65534, 0, 65535, 1, 3 }; /* 2 is lost */

	for (size_t i = 0; i < 6; i++) {
		p.seq = seqs[i];
		p.timestamp = (uint32_t)(i * 960);
		rtp_source_count(&s, &p, (int64_t)i * 20000, 48000);
	}
	rtcp_report_on(&r, &s, 0);
	assert_int_equal(r.ssrc, 5);
	assert_int_equal(r.max_seq, 0x10003);
	assert_int_equal(r.lost, 1);
	assert_int_equal(r.fraction, 256 / 7);
	assert_int_equal(r.jitter, 0);
	rtcp_report_on(&r, &s, 0);
	assert_int_equal(r.fraction, 0);
}

static void jitter_follows_uneven_arrival(void **state)
{
	(void)state;
	struct rtp_source s = { 0 };
	struct rtcp_report r;

	for (uint32_t i = 0; i < 200; i++) {
		struct rtp_packet p = { .seq = (uint16_t)i, .timestamp = i * 960 };
		int64_t late = i % 2 ? 10000 : 0;
		rtp_source_count(&s, &p, i * 20000LL + late, 48000);
	}
	rtcp_report_on(&r, &s, 0);
	assert_in_range(r.jitter, 470, 480); /* 10 ms are 480 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_written_packet_reads_back_the_same),
		cmocka_unit_test(refused_extensions_are_left_out),
		cmocka_unit_test(csrcs_padding_and_two_byte_extensions_are_read),
		cmocka_unit_test(broken_packets_are_refused),
		cmocka_unit_test(an_extension_that_runs_out_is_not_read_past),
		cmocka_unit_test(loss_and_wrap_are_counted),
		cmocka_unit_test(jitter_follows_uneven_arrival),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
