/* Whose packet is it? */
#include "unit.h"

#include "rtc/demux_int.h"

enum { MS = 1000 };

static struct {
	struct rtc_rtp last;
	uint8_t first_byte;
	int n;
} got;

static void on_rtp(void *arg, const struct rtc_rtp *r)
{
	(void)arg;
	got.last = *r;
	got.first_byte = r->len ? r->payload[0] : 0;
	got.n++;
}

static struct demux *fresh(void)
{
	struct demux *d;

	memset(&got, 0, sizeof got);
	assert_int_equal(demux_create(&d, on_rtp, NULL), 0);
	return d;
}

static void packet(struct demux *d, uint32_t ssrc, const char *mid, uint16_t seq,
		   int64_t at_us)
{
	uint8_t payload[] = { (uint8_t)seq };
	struct rtp_packet p = { .ssrc = ssrc, .seq = seq, .payload = payload, .len = 1 };

	strcpy(p.mid, mid);
	demux_packet(d, &p, at_us);
	memset(payload, 0xff, sizeof payload);
}

static struct sdp_section section(const char *mid, uint32_t ssrc)
{
	struct sdp_section s = { .sends = true, .ssrcs = { ssrc }, .n_ssrcs = 1 };

	strcpy(s.mid, mid);
	return s;
}

static void the_answers_ssrcs_name_the_section(void **state)
{
	(void)state;
	struct demux *d = fresh();
	struct sdp_section s[] = { section("1", 100), section("2", 200) };

	demux_map(d, s, 2, 0);
	packet(d, 200, "", 1, 10);
	assert_int_equal(got.n, 1);
	assert_string_equal(got.last.mid, "2");
	packet(d, 100, "", 1, 20);
	assert_string_equal(got.last.mid, "1");
	demux_destroy(d);
}

static void a_packet_may_name_its_section_itself(void **state)
{
	(void)state;
	struct demux *d = fresh();

	packet(d, 7, "5", 1, 10);
	packet(d, 7, "", 2, 20);
	assert_int_equal(got.n, 2);
	assert_string_equal(got.last.mid, "5");
	demux_destroy(d);
}

static void early_packets_wait_for_their_answer_in_order(void **state)
{
	(void)state;
	struct demux *d = fresh();
	struct sdp_section s = section("1", 9);

	packet(d, 9, "", 41, 1 * MS);
	packet(d, 9, "", 42, 21 * MS);
	assert_int_equal(got.n, 0);
	demux_map(d, &s, 1, 30 * MS);
	assert_int_equal(got.n, 2);
	assert_int_equal(got.last.seq, 42);
	assert_int_equal(got.first_byte, 42);
	assert_int_equal(got.last.arrival_us, 21 * MS);
	assert_string_equal(got.last.mid, "1");
	demux_destroy(d);
}

static void after_half_a_second_nobody_waits_any_more(void **state)
{
	(void)state;
	struct demux *d = fresh();

	packet(d, 9, "", 1, 1 * MS);
	demux_expire(d, 400 * MS);
	assert_int_equal(got.n, 0);
	demux_expire(d, 502 * MS);
	assert_int_equal(got.n, 1);
	assert_string_equal(got.last.mid, "");
	packet(d, 9, "", 2, 600 * MS);
	assert_int_equal(got.n, 2);
	demux_destroy(d);
}

static void what_waits_is_bounded_and_the_oldest_goes(void **state)
{
	(void)state;
	struct demux *d = fresh();
	struct sdp_section s = section("1", 9);

	for (uint16_t i = 0; i < 100; i++)
		packet(d, 9, "", i, 1 * MS);
	demux_map(d, &s, 1, 2 * MS);
	assert_int_equal(got.n, 32);
	assert_int_equal(got.last.seq, 99);
	packet(d, 8, "", 1, 3 * MS);
	demux_destroy(d); /* with one that still waits */
	demux_destroy(NULL);
}

static void a_reused_section_belongs_to_the_new_source_alone(void **state)
{
	(void)state;
	struct demux *d = fresh();
	struct sdp_section first = section("1", 100), second = section("1", 200);

	demux_map(d, &first, 1, 0);
	packet(d, 100, "", 1, 1 * MS);
	demux_map(d, &second, 1, 2 * MS);
	packet(d, 200, "", 1, 3 * MS);
	assert_string_equal(got.last.mid, "1");
	packet(d, 100, "", 2, 900 * MS);
	assert_string_equal(got.last.mid, "");
	demux_destroy(d);
}

static void many_sources_push_out_the_silent_one(void **state)
{
	(void)state;
	struct demux *d = fresh();
	struct sdp_section s = section("1", 100);

	demux_map(d, &s, 1, 0);
	for (uint32_t i = 0; i < 40; i++) {
		packet(d, 100, "", (uint16_t)i, (int64_t)(i + 1) * MS);
		assert_string_equal(got.last.mid, "1");
		packet(d, 1000 + i, "9", 1, (int64_t)(i + 1) * MS);
	}
	demux_destroy(d);
}

static void reports_are_about_sources_that_were_heard(void **state)
{
	(void)state;
	struct demux *d = fresh();
	struct rtcp_report r[4];
	struct rtcp_sender sr = { .ssrc = 7, .ntp_high = 0x11112222, .ntp_low = 0x33334444 };

	packet(d, 7, "1", 10, 1 * MS);
	packet(d, 7, "1", 12, 2 * MS);
	demux_sender(d, &sr, 1000 * MS);
	assert_int_equal(demux_reports(d, r, 4, 2000 * MS), 1);
	assert_int_equal(r[0].ssrc, 7);
	assert_int_equal(r[0].lost, 1);
	assert_int_equal(r[0].last_sr, 0x22223333);
	assert_int_equal(r[0].delay, 65536);
	assert_int_equal(demux_reports(d, r, 4, 3000 * MS), 0);
	demux_destroy(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_answers_ssrcs_name_the_section),
		cmocka_unit_test(a_packet_may_name_its_section_itself),
		cmocka_unit_test(early_packets_wait_for_their_answer_in_order),
		cmocka_unit_test(after_half_a_second_nobody_waits_any_more),
		cmocka_unit_test(what_waits_is_bounded_and_the_oldest_goes),
		cmocka_unit_test(a_reused_section_belongs_to_the_new_source_alone),
		cmocka_unit_test(many_sources_push_out_the_silent_one),
		cmocka_unit_test(reports_are_about_sources_that_were_heard),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
