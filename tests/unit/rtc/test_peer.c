/*
 * A whole peer through its door, with an answerer made of the folder's own
 * parts. The peer lives on one media thread; the answerer on another, which
 * also owns SCTP: everything crosses threads.
 */
#include "unit.h"

#include <pthread.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "rtc/channel_int.h"
#include "rtc/dtls_int.h"
#include "rtc/ice_int.h"
#include "rtc/rtc.h"
#include "rtc/rtp_int.h"
#include "rtc/sctp_int.h"
#include "rtc/sdp_int.h"
#include "rtc/seal_int.h"

enum { THEIR_SSRC = 4242 };

/* GLib's own locks are futexes that thread sanitizer cannot see: memory that
 * goes from thread to thread through its allocator and its tables of names
 * looks unguarded. Functions, not the library, so that our callbacks under
 * its loop stay watched. */
__attribute__((visibility("default"))) const char *
__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "race:g_slice_alloc\nrace:g_slice_free\nrace:g_strdup\n"
	       "race:g_rw_lock_reader_lock\n";
}

/* ---- the other side [media0] --------------------------------------------------- */

struct answerer {
	struct ice *ice;
	struct dtls *dtls;
	struct seal *seal;
	struct assoc *assoc;
	struct channels *channels;
	bool wrong_print;
	_Atomic bool gone; /* hears nothing and says nothing */
	/* read by the test when nothing is sent any more */
	int rtp, reports;
	_Atomic int resent; /* read by the test as it goes */
	uint16_t seqs[400];
	char mid[16];
	uint8_t level;
	uint32_t their_ssrc;
	uint16_t seq;
	struct sdp_answer offer; /* the offer, read by the same reader */
	struct buf answer;
};

static struct media *media0, *media1;
static struct loop *loop;
static struct answerer other;

static int give(void *arg, uint16_t stream, uint32_t ppid, bool lossy,
		const uint8_t *p, size_t n)
{
	(void)arg;
	return assoc_send(other.assoc, stream, ppid, lossy, p, n);
}

static void other_open(void *arg)
{
	(void)arg;
}

static void echo(void *arg, enum rtc_channel ch, const uint8_t *p, size_t n)
{
	(void)arg;
	channels_send(other.channels, ch, p, n);
}

static const struct channels_ops channels_ops = { give, other_open, echo };

static void sctp_out(void *arg, const uint8_t *p, size_t n)
{
	(void)arg;
	dtls_write(other.dtls, p, n);
}

static void sctp_in(void *arg, uint16_t stream, uint32_t ppid, const uint8_t *p,
		    size_t n, bool end)
{
	(void)arg;
	channels_input(other.channels, stream, ppid, p, n, end);
}

static void sctp_up(void *arg)
{
	(void)arg;
	channels_up(other.channels, false);
}

static void sctp_lost(void *arg)
{
	(void)arg;
}

static void sctp_room(void *arg)
{
	(void)arg;
	channels_flush(other.channels);
}

static const struct assoc_ops assoc_ops = { sctp_out, sctp_in, sctp_up,
					    sctp_lost, sctp_room };

static void send_rtp(struct answerer *a)
{
	uint8_t out[200];
	struct rtp_packet p = { .ssrc = THEIR_SSRC, .seq = a->seq++,
				.payload_type = 111 };
	size_t n = rtp_write_head(out, &p, &(struct rtp_ext){ 0 });

	memcpy(out + n, "voice", 5);
	int len = seal_rtp(a->seal, out, n + 5);
	assert_true(len > 0);
	ice_send(a->ice, out, (size_t)len);
}

static void take_rtp(struct answerer *a, uint8_t *p, size_t n)
{
	static const struct rtp_ext ext = { SDP_EXT_MID, SDP_EXT_LEVEL };
	static const struct rtcp_ops none = { 0 };
	struct rtp_packet pkt;

	if (!a->seal)
		return;
	if (p[1] >= 192 && p[1] <= 223) {
		int len = seal_open_rtcp(a->seal, p, n);
		if (len > 0 && rtcp_parse(p, (size_t)len, &none, NULL) == 0)
			a->reports++;
		return;
	}
	int len = seal_open_rtp(a->seal, p, n);
	if (len == -EALREADY)
		a->resent++;
	if (len < 0 || rtp_parse(&pkt, p, (size_t)len, &ext) < 0)
		return;
	if (a->rtp < 400)
		a->seqs[a->rtp] = pkt.seq;
	a->rtp++;
	a->their_ssrc = pkt.ssrc;
	a->level = pkt.level;
	memcpy(a->mid, pkt.mid, sizeof a->mid);
	send_rtp(a);
}

static void after_dtls(struct answerer *a, enum dtls_state s)
{
	struct seal_keys keys;

	if (s != DTLS_UP || a->seal)
		return;
	assert_int_equal(dtls_export(a->dtls, &keys), 0);
	assert_int_equal(seal_create(&a->seal, &keys, THEIR_SSRC), 0);
	assert_int_equal(channels_create(&a->channels, &channels_ops, a), 0);
	assert_int_equal(assoc_create(&a->assoc, &assoc_ops, a), 0);
}

static void on_packet(void *arg, uint8_t *p, size_t n)
{
	struct answerer *a = arg;

	if (a->gone)
		return;
	if (p[0] >= 128)
		take_rtp(a, p, n);
	else if (a->dtls)
		after_dtls(a, dtls_input(a->dtls, p, n));
}

static void on_candidate(void *arg, const char *c)
{
	(void)arg, (void)c;
}

static void on_ice_state(void *arg, enum ice_state s)
{
	struct answerer *a = arg;

	if (s == ICE_READY)
		after_dtls(a, dtls_step(a->dtls));
}

static void on_pair(void *arg, const char *pair)
{
	(void)arg, (void)pair;
}

static const struct ice_ops ice_ops = { on_packet, on_candidate, on_ice_state, on_pair };

static void dtls_out(void *arg, const uint8_t *p, size_t n)
{
	struct answerer *a = arg;

	if (!a->gone)
		ice_send(a->ice, p, n);
}

static void dtls_in(void *arg, const uint8_t *p, size_t n)
{
	struct answerer *a = arg;

	if (a->assoc)
		assoc_input(a->assoc, p, n);
}

static const struct dtls_ops dtls_ops = { dtls_out, dtls_in };

static void write_answer(struct answerer *a)
{
	size_t n;
	const char *const *c = ice_candidates(a->ice, &n);
	const char *print = a->wrong_print ?
		"sha-256 00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:"
		"00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00" : dtls_fingerprint();

	buf_printf(&a->answer, "v=0\r\na=fingerprint:%s\r\na=setup:active\r\n"
		   "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", print, ice_ufrag(a->ice),
		   ice_pwd(a->ice));
	buf_puts(&a->answer, "m=audio 9 X 111\r\na=mid:0\r\na=recvonly\r\n"
		 "a=rtpmap:111 opus/48000/2\r\n"
		 "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
		 "a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n");
	for (size_t i = 0; i < n; i++)
		buf_printf(&a->answer, "a=%s\r\n", c[i]);
	buf_printf(&a->answer, "m=audio 9 X 111\r\na=mid:1\r\na=sendonly\r\n"
		   "a=rtpmap:111 opus/48000/2\r\na=ssrc:%d cname:x\r\n"
		   "m=application 9 Y z\r\na=mid:2\r\na=sctp-port:5000\r\n", THEIR_SSRC);
}

/* arg: the offer's text. Offers read like answers, but for their DTLS role. */
static void open_other(void *arg)
{
	struct answerer *a = &other;
	static const struct ice_cfg cfg = { .loopback = true };
	struct buf text = { 0 };
	const char *why = "", *role;
	struct dtls_expect e;

	buf_puts(&text, arg);
	while ((role = strstr(buf_str(&text), "actpass")))
		memcpy((char *)role, "active ", 7);
	int r = sdp_parse_answer(&a->offer, buf_str(&text), text.len, &why);
	assert_string_equal(why, "");
	assert_int_equal(r, 0);
	assert_int_equal(ice_create(&a->ice, media_context(media0), &cfg, &ice_ops, a), 0);
	memcpy(e.hash, a->offer.hash, sizeof e.hash);
	memcpy(e.digest, a->offer.digest, sizeof e.digest);
	e.digest_len = a->offer.digest_len;
	assert_int_equal(dtls_create(&a->dtls, false, &e, &dtls_ops, a), 0);
	write_answer(a);
	ice_set_remote(a->ice, a->offer.ufrag, a->offer.pwd);
	for (size_t i = 0; i < a->offer.n_candidates; i++)
		ice_add_remote(a->ice, a->offer.candidates[i]);
	buf_free(&text);
}

static void send_nack(void *arg)
{
	struct answerer *a = &other;
	uint8_t out[64] = { 0x81, 205, 0, 3 };

	(void)arg;
	put_be32(out + 4, THEIR_SSRC);
	put_be32(out + 8, a->their_ssrc);
	put_be16(out + 12, a->seqs[2]);
	put_be16(out + 14, 1); /* and the one after it */
	int n = seal_rtcp(a->seal, out, 16);
	assert_true(n > 0);
	ice_send(a->ice, out, (size_t)n);
}

static void close_other(void *arg)
{
	struct answerer *a = &other;

	(void)arg;
	assoc_close(a->assoc);
	channels_destroy(a->channels);
	dtls_destroy(a->dtls);
	seal_destroy(a->seal);
	ice_close(a->ice, NULL, NULL);
	buf_free(&a->answer);
	memset(a, 0, sizeof *a);
}

/* ---- our side [loop] --------------------------------------------------------------------- */

static struct {
	struct rtc_peer *peer;
	enum rtc_state states[16];
	int n_states;
	char why[128];
	int offers, opened, messages;
	enum rtc_channel ch;
	size_t message_len;
	char message[64];
	uint32_t beats; /* [media1] */
	_Atomic int heard;
	char mid[16];   /* [media1], read after heard */
	bool (*done)(void);
	bool late;
	struct timer limit, look;
} us;

static void on_offer(void *arg, uint32_t id, const char *sdp)
{
	(void)arg;
	if (++us.offers > 1)
		return;
	assert_int_equal(id, 1);
	media_sync(media0, open_other, (void *)sdp);
	rtc_answer(us.peer, id, buf_str(&other.answer));
}

static void on_state(void *arg, enum rtc_state s, const char *why)
{
	(void)arg;
	assert_true(us.n_states < 16);
	us.states[us.n_states++] = s;
	snprintf(us.why, sizeof us.why, "%s", why);
}

static void on_channels_open(void *arg)
{
	(void)arg;
	us.opened++;
}

static void on_message(void *arg, enum rtc_channel ch, const uint8_t *p, size_t n)
{
	(void)arg;
	us.messages++;
	us.ch = ch;
	us.message_len = n;
	memcpy(us.message, p, n < 64 ? n : 64);
}

static const struct rtc_ops ops = { on_offer, NULL, on_state, on_channels_open,
				    on_message };

static void on_rtp(void *arg, const struct rtc_rtp *r)
{
	(void)arg;
	assert_int_equal(r->len, 5);
	assert_memory_equal(r->payload, "voice", 5);
	memcpy(us.mid, r->mid, sizeof us.mid);
	us.heard++;
}

static void on_beat(void *arg, int64_t now_us)
{
	(void)arg, (void)now_us;
	rtc_send_audio(us.peer, (const uint8_t *)"\xf8\xff\xfe", 3,
		       us.beats++ * 960, false, 45, true);
}

static void beat_on(void *arg)
{
	assert_int_equal(media_beat_add(media1, on_beat, NULL, arg), 0);
}

static void beat_off(void *arg)
{
	media_beat_remove(media1, arg);
}

static void on_look(void *arg)
{
	(void)arg;
	if (us.done())
		loop_stop(loop);
	else
		timer_start(&us.look, 5);
}

static void on_limit(void *arg)
{
	(void)arg;
	us.late = true;
	loop_stop(loop);
}

static void open_us(void)
{
	struct rtc_cfg cfg = { .stream_id = "s", .track_cid = "t",
			       .recv_sections = 1, .loopback = true };

	memset(&us, 0, sizeof us);
	assert_int_equal(loop_create(&loop, NULL), 0);
	assert_int_equal(media_create(&media0, 0), 0);
	assert_int_equal(media_create(&media1, 1), 0);
	assert_int_equal(rtc_start(loop, media0), 0);
	assert_int_equal(rtc_peer_create(&us.peer, loop, media1, &cfg, &ops, NULL), 0);
	rtc_on_rtp(us.peer, on_rtp, NULL);
	media_sync(media1, beat_on, &us);
	rtc_offer(us.peer, false);
}

static void run(bool (*done)(void), int limit_ms)
{
	us.done = done;
	timer_init(&us.limit, loop_clock(loop), on_limit, NULL);
	timer_init(&us.look, loop_clock(loop), on_look, NULL);
	timer_start(&us.limit, limit_ms);
	timer_start(&us.look, 5);
	loop_run(loop);
	timer_stop(&us.limit);
	timer_stop(&us.look);
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

static void close_us(void)
{
	media_sync(media1, beat_off, &us);
	rtc_peer_close(us.peer);
	media_sync(media0, close_other, NULL);
	/* what was posted before the end still holds memory */
	int states = us.n_states, messages = us.messages, offers = us.offers;
	loop_post(loop, stop_loop, loop);
	loop_run(loop);
	assert_int_equal(us.n_states, states);
	assert_int_equal(us.messages, messages);
	assert_int_equal(us.offers, offers);
	rtc_stop();
	media_destroy(media1);
	media_destroy(media0);
	loop_destroy(loop);
}

/* ---- tests ------------------------------------------------------------------------------------ */

static bool talked(void)
{
	static bool sent;

	if (us.n_states < 2)
		sent = false;
	if (us.opened && !sent) {
		sent = true;
		assert_int_equal(rtc_send(us.peer, RTC_LOSSY, "over there", 10), 0);
	}
	return us.messages && us.heard > 20;
}

static void a_peer_connects_and_everything_passes(void **state)
{
	(void)state;
	struct rtc_stats s;

	open_us();
	run(talked, 10000);
	assert_false(us.late);
	assert_int_equal(us.n_states, 2);
	assert_int_equal(us.states[0], RTC_CONNECTING);
	assert_int_equal(us.states[1], RTC_CONNECTED);
	assert_int_equal(us.opened, 1);
	assert_int_equal(us.ch, RTC_LOSSY);
	assert_int_equal(us.message_len, 10);
	assert_memory_equal(us.message, "over there", 10);
	rtc_on_rtp(us.peer, NULL, NULL);
	assert_string_equal(us.mid, "1");
	rtc_peer_stats(us.peer, &s);
	assert_true(s.packets_sent > 20 && s.packets_received > 20);
	assert_int_equal(s.srtp_errors, 0);
	assert_memory_equal(s.pair, "udp host ", 9);
	media_sync(media1, beat_off, &us);
	assert_string_equal(other.mid, "0");
	assert_int_equal(other.level, 45);
	for (int i = 1; i < other.rtp && i < 400; i++)
		assert_int_equal((uint16_t)(other.seqs[i] - other.seqs[i - 1]), 1);
	media_sync(media1, beat_on, &us);
	close_us();
}

static bool nacked(void)
{
	struct rtc_stats s;
	static int asked;

	rtc_peer_stats(us.peer, &s);
	if (us.heard < 10)
		asked = 0;
	else if (!asked++)
		media_sync(media0, send_nack, NULL);
	return s.resent >= 2 && other.resent >= 2;
}

static void packets_that_are_asked_for_come_again(void **state)
{
	(void)state;
	struct rtc_stats s;

	open_us();
	run(nacked, 10000);
	assert_false(us.late);
	rtc_peer_stats(us.peer, &s);
	assert_int_equal(s.nacks_received, 2);
	assert_int_equal(s.resent, 2);
	close_us();
}

static bool failed(void)
{
	return us.n_states && us.states[us.n_states - 1] == RTC_FAILED;
}

static void a_stranger_is_refused(void **state)
{
	(void)state;
	open_us();
	other.wrong_print = true;
	run(failed, 10000);
	assert_false(us.late);
	assert_non_null(strstr(us.why, "fingerprint"));
	close_us();
}

static bool first_offer(void)
{
	return us.offers > 0;
}

static void closing_in_the_middle_leaves_nothing(void **state)
{
	(void)state;
	/* before the offer, and while the path is being found */
	open_us();
	close_us();
	open_us();
	run(first_offer, 10000);
	assert_false(us.late);
	close_us();
	rtc_peer_close(NULL);
}

static bool ended(void)
{
	static bool gone;

	if (us.n_states < 2)
		gone = false;
	if (us.opened && !gone) {
		gone = true;
		media_sync(media0, close_other, NULL);
	}
	return us.n_states > 2;
}

static void the_end_of_the_other_side_is_told(void **state)
{
	(void)state;
	open_us();
	run(ended, 10000);
	assert_false(us.late);
	assert_true(us.states[2] == RTC_CLOSED || us.states[2] == RTC_FAILED);
	assert_string_not_equal(us.why, "");
	close_us();
}

static int64_t quiet_since;

/* 7 s without a word, then a server that is gone until it is noticed, then back. */
static bool back_again(void)
{
	if (!us.opened)
		return false;
	if (!quiet_since) {
		media_sync(media1, beat_off, &us);
		quiet_since = clock_mono_us();
	}
	if (clock_mono_us() - quiet_since < 7000000)
		return us.n_states > 2; /* too early: the test fails */
	if (us.n_states == 2)
		other.gone = true;
	else
		other.gone = false;
	return us.n_states > 3;
}

static void silence_is_life_while_somebody_answers(void **state)
{
	(void)state;
	open_us();
	quiet_since = 0;
	run(back_again, 30000);
	assert_false(us.late);
	assert_int_equal(us.states[2], RTC_DISCONNECTED);
	assert_int_equal(us.states[3], RTC_CONNECTED);
	media_sync(media1, beat_on, &us);
	close_us();
}

static void a_queue_that_is_full_says_so(void **state)
{
	(void)state;
	static char big[200 * 1024];
	int r = 0, n = 0;

	open_us();
	while ((r = rtc_send(us.peer, RTC_RELIABLE, big, sizeof big)) == 0)
		n++;
	assert_int_equal(r, ERR_FULL);
	assert_int_equal(n, 5);
	assert_int_equal(rtc_queued(us.peer), 5 * sizeof big);
	assert_int_equal(rtc_send(us.peer, RTC_RELIABLE, big, 300 * 1024), -EMSGSIZE);
	close_us();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_connects_and_everything_passes),
		cmocka_unit_test(packets_that_are_asked_for_come_again),
		cmocka_unit_test(a_stranger_is_refused),
		cmocka_unit_test(closing_in_the_middle_leaves_nothing),
		cmocka_unit_test(the_end_of_the_other_side_is_told),
		cmocka_unit_test(silence_is_life_while_somebody_answers),
		cmocka_unit_test(a_queue_that_is_full_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
