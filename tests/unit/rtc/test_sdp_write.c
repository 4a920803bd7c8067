/* The offer's text. */
#include "unit.h"

#include "base/buf.h"
#include "rtc/sdp_int.h"

static const enum sdp_section_kind sections[] = {
	SDP_SEND_AUDIO, SDP_RECV_AUDIO, SDP_DATA, SDP_RECV_VIDEO,
};
static const char *const candidates[] = {
	"candidate:1 1 UDP 2015363327 127.0.0.1 40000 typ host",
};

static struct sdp_offer offer(void)
{
	return (struct sdp_offer){
		.session_id = 77,
		.version = 3,
		.stream_id = "stream",
		.track_cid = "cid",
		.cname = "name",
		.ssrc = 1234,
		.ufrag = "uuuu",
		.pwd = "pppppppppppppppppppppp",
		.fingerprint = "sha-256 AB:CD",
		.sections = sections,
		.n_sections = 4,
		.candidates = candidates,
		.n_candidates = 1,
	};
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (text = strstr(text, what); text; text = strstr(text + 1, what))
		n++;
	return n;
}

static void every_section_is_bundled_and_has_its_place_as_mid(void **state)
{
	(void)state;
	struct sdp_offer o = offer();
	struct buf b = { 0 };

	sdp_write_offer(&b, &o);
	const char *s = buf_str(&b);
	assert_non_null(strstr(s, "o=- 77 3 IN IP4 0.0.0.0\r\n"));
	assert_non_null(strstr(s, "a=group:BUNDLE 0 1 2 3\r\n"));
	assert_int_equal(count(s, "a=mid:"), 4);
	assert_int_equal(count(s, "a=ice-ufrag:uuuu\r\n"), 4);
	assert_int_equal(count(s, "a=setup:actpass\r\n"), 4);
	assert_int_equal(count(s, "a=fingerprint:sha-256 AB:CD\r\n"), 4);
	buf_free(&b);
}

static void our_track_is_named_only_in_the_section_that_sends(void **state)
{
	(void)state;
	struct sdp_offer o = offer();
	struct buf b = { 0 };

	sdp_write_offer(&b, &o);
	const char *s = buf_str(&b);
	const char *second = strstr(strstr(s, "m=audio") + 1, "m=audio");
	assert_int_equal(count(s, "a=msid:stream cid\r\n"), 1);
	assert_true(strstr(s, "a=msid:") < second);
	assert_int_equal(count(s, "a=ssrc:1234 "), 2);
	assert_int_equal(count(s, "a=sendonly"), 1);
	assert_int_equal(count(s, "a=recvonly"), 2);
	buf_free(&b);
}

static void candidates_stand_in_the_first_section_only(void **state)
{
	(void)state;
	struct sdp_offer o = offer();
	struct buf b = { 0 };

	sdp_write_offer(&b, &o);
	const char *s = buf_str(&b);
	assert_int_equal(count(s, "a=candidate:"), 1);
	assert_true(strstr(s, "a=candidate:") <
		    strstr(strstr(s, "m=audio") + 1, "m=audio"));
	buf_free(&b);
}

static void data_and_video_sections_say_what_they_are(void **state)
{
	(void)state;
	struct sdp_offer o = offer();
	struct buf b = { 0 };

	sdp_write_offer(&b, &o);
	const char *s = buf_str(&b);
	assert_non_null(strstr(s, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"));
	assert_non_null(strstr(s, "a=sctp-port:5000\r\n"));
	assert_non_null(strstr(s, "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"));
	assert_non_null(strstr(s, "a=rtpmap:96 VP8/90000\r\n"));
	assert_null(strstr(s, "\n\n"));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_section_is_bundled_and_has_its_place_as_mid),
		cmocka_unit_test(our_track_is_named_only_in_the_section_that_sends),
		cmocka_unit_test(candidates_stand_in_the_first_section_only),
		cmocka_unit_test(data_and_video_sections_say_what_they_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
