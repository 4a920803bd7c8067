/* Reading answers, good ones and others. */
#include "unit.h"

#include "base/buf.h"
#include "base/err.h"
#include "rtc/rtc.h"
#include "rtc/sdp_int.h"

#define DIGEST "0A:1b:2C:3D:4E:5F:60:71:82:93:A4:B5:C6:D7:E8:F9:" \
	       "0A:1B:2C:3D:4E:5F:60:71:82:93:A4:B5:C6:D7:E8:F9"
#define HEAD "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
#define KEYS "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n" \
	     "a=setup:active\r\n"

/* As the server sends it: fingerprint in the session, the rest in sections. */
static const char server_answer[] = HEAD
	"a=group:BUNDLE 0 1 2\r\n"
	"a=fingerprint:sha-256 " DIGEST "\r\n"
	"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n"
	KEYS "a=mid:0\r\na=recvonly\r\na=rtpmap:111 opus/48000/2\r\n"
	"a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\n"
	"a=rtcp-fb:111 nack\r\n"
	"a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
	"a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
	"a=candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host ufrag abcd\r\n"
	"a=candidate:1 2 udp 2130706431 127.0.0.1 7882 typ host ufrag abcd\r\n"
	"a=end-of-candidates\r\n"
	"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n"
	KEYS "a=mid:1\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n"
	"a=msid:PA_x|TR_y TR_y\r\na=ssrc:4000000001 cname:TR_y\r\n"
	"a=ssrc:4000000001 msid:PA_x|TR_y TR_y\r\n"
	"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
	KEYS "a=mid:2\r\na=sctp-port:5000\r\na=max-message-size:65535\r\n";

static int parse(struct sdp_answer *a, const char *text, const char **why)
{
	*why = NULL;
	return sdp_parse_answer(a, text, strlen(text), why);
}

static void a_servers_answer_is_read_whole(void **state)
{
	(void)state;
	struct sdp_answer a;
	const char *why;

	assert_int_equal(parse(&a, server_answer, &why), 0);
	assert_string_equal(a.ufrag, "abcd");
	assert_string_equal(a.pwd, "0123456789012345678901");
	assert_string_equal(a.hash, "sha-256");
	assert_int_equal(a.digest_len, 32);
	assert_int_equal(a.digest[1], 0x1b);
	assert_int_equal(a.setup, SDP_ACTIVE);
	assert_false(a.ice_lite);
	assert_int_equal(a.sctp_port, 5000);
	assert_int_equal(a.max_message, 65535);
	assert_int_equal(a.n_candidates, 2);
	assert_int_equal(a.n_sections, 3);

	const struct sdp_section *own = &a.sections[0], *in = &a.sections[1];
	assert_int_equal(own->opus_pt, 111);
	assert_true(own->receives && !own->sends && own->nack);
	assert_int_equal(own->ext_mid, 1);
	assert_int_equal(own->ext_level, 2);
	assert_true(in->sends && !in->receives);
	assert_string_equal(in->mid, "1");
	assert_int_equal(in->n_ssrcs, 1);
	assert_int_equal(in->ssrcs[0], 4000000001u);
	assert_int_equal(in->ext_mid, 0);
	assert_int_equal(a.sections[2].media, SDP_APPLICATION);
}

static void an_ice_lite_server_is_passive(void **state)
{
	(void)state;
	struct sdp_answer a;
	const char *why;

	assert_int_equal(parse(&a, HEAD "a=ice-lite\r\na=fingerprint:sha-256 " DIGEST
			"\r\na=setup:passive\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\n"
			"m=audio 9 X 111\r\na=rtpmap:111 opus/48000/2\r\n", &why), 0);
	assert_true(a.ice_lite);
	assert_int_equal(a.setup, SDP_PASSIVE);
	assert_true(a.sections[0].sends && a.sections[0].receives);
}

static void lines_may_end_without_cr_and_the_last_without_any(void **state)
{
	(void)state;
	struct sdp_answer a;
	const char *why;

	assert_int_equal(parse(&a, "v=0\na=fingerprint:sha-256 " DIGEST "\n"
			"a=setup:active\na=ice-ufrag:u\na=ice-pwd:p\n"
			"m=audio 0 X 111\na=mid:zero", &why), 0);
	assert_true(a.sections[0].rejected);
	assert_string_equal(a.sections[0].mid, "zero");
}

static void what_is_missing_is_named(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "no section" },
		{ HEAD "m=audio 9 X 111\r\n", "no ICE user name or password" },
		{ HEAD KEYS "m=audio 9 X 111\r\n", "no fingerprint" },
		{ HEAD "a=ice-ufrag:u\r\na=ice-pwd:p\r\na=fingerprint:sha-256 "
		  DIGEST "\r\nm=audio 9 X 111\r\n", "no DTLS role" },
		{ HEAD KEYS "a=fingerprint:sha-256 AB:CX\r\nm=audio 9 X 111\r\n",
		  "fingerprint is not readable" },
		{ HEAD "a=ice-ufrag:\r\n", "ice-ufrag is empty or too long" },
	};
	struct sdp_answer a;
	const char *why;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(parse(&a, bad[i].text, &why), ERR_PROTOCOL);
		assert_string_equal(why, bad[i].why);
	}
}

static void too_much_of_anything_is_bounded(void **state)
{
	(void)state;
	struct sdp_answer a;
	const char *why;
	struct buf b = { 0 };

	buf_puts(&b, HEAD KEYS "a=fingerprint:sha-256 " DIGEST "\r\nm=audio 9 X 111\r\n");
	for (int i = 0; i < 200; i++)
		buf_printf(&b, "a=candidate:1 1 udp 1 127.0.0.1 %d typ host\r\n"
			       "a=ssrc:%d cname:x\r\n", i + 1, i);
	assert_int_equal(parse(&a, buf_str(&b), &why), 0);
	assert_int_equal(a.n_candidates, SDP_CANDIDATES_MAX);
	assert_int_equal(a.sections[0].n_ssrcs, SDP_SSRCS_MAX);
	for (int i = 0; i < SDP_SECTIONS_MAX; i++)
		buf_puts(&b, "m=audio 9 X 111\r\n");
	assert_int_equal(parse(&a, buf_str(&b), &why), ERR_PROTOCOL);
	assert_string_equal(why, "too many sections");
	buf_free(&b);
}

static void long_lines_and_zero_bytes_are_skipped(void **state)
{
	(void)state;
	struct buf b = { 0 };

	buf_puts(&b, server_answer);
	buf_puts(&b, "a=x");
	memset(buf_reserve(&b, 5000), 'y', 5000);
	b.len += 5000;
	buf_add(&b, "\r\na=\0q\r\n", 8);
	assert_int_equal(rtc_sdp_check((char *)b.p, b.len), 0);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_servers_answer_is_read_whole),
		cmocka_unit_test(an_ice_lite_server_is_passive),
		cmocka_unit_test(lines_may_end_without_cr_and_the_last_without_any),
		cmocka_unit_test(what_is_missing_is_named),
		cmocka_unit_test(too_much_of_anything_is_bounded),
		cmocka_unit_test(long_lines_and_zero_bytes_are_skipped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
