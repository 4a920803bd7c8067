/*
 * A peer on its media thread: offers and answers, the path (ICE), the keys
 * (DTLS), and the state that follows from them.
 *
 * Alive means: something that passed authentication arrived (SRTP, SRTCP, or
 * DTLS, of which SCTP's heartbeats make an answer every 2 s). Seconds without
 * are counted, not measured, so that a machine that was stopped and goes on
 * does not find everybody dead.
 */
#include "rtc/peer_int.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "rtc/seal_int.h"
#include "rtc/turn_tls_int.h"

enum {
	CONNECT_LIMIT_S = 20,
	QUIET_S = 5,       /* then RTC_DISCONNECTED */
	DEAD_S = 30,       /* then RTC_FAILED (RFC 7675, 5.1) */
	REPORT_EVERY_S = 2,
};

/* ---- state ---------------------------------------------------------------------- */

static void tell_state(struct rtc_peer *p, const struct task *t)
{
	p->ops.on_state(p->arg, (enum rtc_state)t->kind,
			(const char *)t->bytes);
}

void peer_set_state(struct rtc_peer *p, enum rtc_state s, const char *why)
{
	if (p->state == s)
		return;
	p->state = s;
	if (s == RTC_CONNECTING)
		p->connecting_s = 0;
	peer_to_loop(p, tell_state, 0, (int)s, why, strlen(why));
}

static void refuse(struct rtc_peer *p, const char *why)
{
	p->refused = true;
	peer_set_state(p, RTC_FAILED, why);
}

static void no_path(struct rtc_peer *p)
{
	char why[256];

	if (p->ice_ready)
		str_copy(why, sizeof why, "DTLS handshake was not answered");
	else if (p->relay_why[0])
		snprintf(why, sizeof why, "no path to the server; relay: %s",
			 p->relay_why);
	else
		str_copy(why, sizeof why, "no path to the server");
	peer_set_state(p, RTC_FAILED, why);
}

static void set_timer(struct rtc_peer *p, GSource **timer, int ms,
		      GSourceFunc fn)
{
	if (*timer) {
		g_source_destroy(*timer);
		g_source_unref(*timer);
		*timer = NULL;
	}
	if (ms < 0)
		return;
	*timer = g_timeout_source_new((guint)ms);
	g_source_set_callback(*timer, fn, p, NULL);
	g_source_attach(*timer, media_context(p->media));
}

static void count_silence(struct rtc_peer *p)
{
	p->silent_s = p->heard ? 0 : p->silent_s + 1;
	if (p->heard && p->state != RTC_CONNECTED)
		peer_set_state(p, RTC_CONNECTED, "");
	else if (p->silent_s >= DEAD_S)
		peer_set_state(p, RTC_FAILED, "nothing was heard for 30 s");
	else if (p->silent_s >= QUIET_S && p->state == RTC_CONNECTED)
		peer_set_state(p, RTC_DISCONNECTED, "nothing heard for 5 s");
	p->heard = false;
}

/* Once a second. */
static gboolean on_tick(gpointer arg)
{
	struct rtc_peer *p = arg;

	if (p->state == RTC_FAILED || p->state == RTC_CLOSED)
		return G_SOURCE_CONTINUE;
	p->ticks++;
	if (p->state == RTC_CONNECTING && ++p->connecting_s >= CONNECT_LIMIT_S)
		no_path(p);
	if (p->seal) {
		count_silence(p);
		if (p->ticks % REPORT_EVERY_S == 0)
			peer_send_reports(p);
	}
	return G_SOURCE_CONTINUE;
}

/* ---- keys ------------------------------------------------------------------------- */

static void after_dtls(struct rtc_peer *p, enum dtls_state s);

static gboolean on_dtls_timer(gpointer arg)
{
	struct rtc_peer *p = arg;

	after_dtls(p, dtls_step(p->dtls));
	return G_SOURCE_REMOVE; /* after_dtls() has made a new one */
}

static void keys_are_in(struct rtc_peer *p)
{
	struct seal_keys keys;
	int r = dtls_export(p->dtls, &keys);

	if (r == 0)
		r = seal_create(&p->seal, &keys, p->ssrc);
	memset(&keys, 0, sizeof keys);
	if (r < 0) {
		refuse(p, "no SRTP keys");
		return;
	}
	peer_to_owner(p, peer_data_open, dtls_is_server(p->dtls), 0, NULL, 0);
	p->silent_s = 0;
	peer_set_state(p, RTC_CONNECTED, "");
}

static void after_dtls(struct rtc_peer *p, enum dtls_state s)
{
	if (s == DTLS_REFUSED) {
		char why[200];
		snprintf(why, sizeof why, "DTLS: %s", dtls_why(p->dtls));
		refuse(p, why);
	} else if (s == DTLS_ENDED) {
		p->refused = true;
		peer_set_state(p, RTC_CLOSED, "closed by the other side");
	} else if (s == DTLS_UP && !p->seal) {
		keys_are_in(p);
	}
	set_timer(p, &p->dtls_timer, dtls_timeout_ms(p->dtls), on_dtls_timer);
}

static void on_dtls_send(void *arg, const uint8_t *bytes, size_t n)
{
	struct rtc_peer *p = arg;

	ice_send(p->ice, bytes, n);
}

static void sctp_input(struct rtc_peer *p, const struct task *t)
{
	peer_data_input(p, t->bytes, t->n);
}

static void on_dtls_data(void *arg, const uint8_t *bytes, size_t n)
{
	struct rtc_peer *p = arg;

	p->heard = true;
	if (p->owner != p->media)
		peer_to_owner(p, sctp_input, 0, 0, bytes, n);
	else if (!p->data_closed)
		peer_data_input(p, bytes, n);
}

static const struct dtls_ops dtls_ops = {
	.send = on_dtls_send,
	.on_data = on_dtls_data,
};

static void sctp_output(struct rtc_peer *p, const struct task *t)
{
	if (p->dtls)
		dtls_write(p->dtls, t->bytes, t->n);
}

void peer_send_sctp(struct rtc_peer *p, const uint8_t *bytes, size_t n)
{
	if (p->owner != p->media)
		peer_to_media(p, sctp_output, 0, 0, bytes, n);
	else if (p->dtls)
		dtls_write(p->dtls, bytes, n);
}

void peer_association_lost(struct rtc_peer *p, const struct task *t)
{
	(void)t;
	refuse(p, "data channels were closed by the other side");
}

/* ---- the path ------------------------------------------------------------------------ */

void peer_dtls_input(struct rtc_peer *p, const uint8_t *bytes, size_t n)
{
	after_dtls(p, dtls_input(p->dtls, bytes, n));
}

/* Nothing of ours could leave yet: an answer would be lost, and the other side
 * repeats its first flight only after 100 ms. */
static void keep_early(struct rtc_peer *p, const uint8_t *bytes, size_t n)
{
	if (n > sizeof p->early)
		return;
	memcpy(p->early, bytes, n);
	p->n_early = n;
}

/* RFC 7983: who is meant shows in the first byte (STUN stays in libnice). */
static void on_packet(void *arg, uint8_t *bytes, size_t n)
{
	struct rtc_peer *p = arg;

	if (n && bytes[0] >= 128 && bytes[0] <= 191)
		peer_rtp_input(p, bytes, n);
	else if (!n || bytes[0] < 20 || bytes[0] > 63)
		return;
	else if (!p->seal && (!p->ice_ready || !p->dtls))
		keep_early(p, bytes, n);
	else if (!p->dtls)
		return;
	else if (p->seal)
		peer_dtls_input(p, bytes, n);
	else
		handshake_queue(p, bytes, n);
}

static void tell_candidate(struct rtc_peer *p, const struct task *t)
{
	if (p->ops.on_candidate)
		p->ops.on_candidate(p->arg, (const char *)t->bytes);
}

static void on_candidate(void *arg, const char *candidate)
{
	peer_to_loop(arg, tell_candidate, 0, 0, candidate, strlen(candidate));
}

static void on_ice_state(void *arg, enum ice_state s)
{
	struct rtc_peer *p = arg;

	p->ice_ready = s == ICE_READY;
	if (s == ICE_READY && p->dtls)
		after_dtls(p, dtls_step(p->dtls));
	if (s == ICE_READY && p->dtls && p->n_early) {
		handshake_queue(p, p->early, p->n_early);
		p->n_early = 0;
	}
	else if (s == ICE_FAILED && p->seal)
		peer_set_state(p, RTC_FAILED, "path lost");
}

static void on_pair(void *arg, const char *pair)
{
	struct rtc_peer *p = arg;

	pthread_mutex_lock(&p->lock);
	str_copy(p->pair, sizeof p->pair, pair);
	pthread_mutex_unlock(&p->lock);
}

static const struct ice_ops ice_ops = {
	.on_packet = on_packet,
	.on_candidate = on_candidate,
	.on_state = on_ice_state,
	.on_pair = on_pair,
};

/* ---- offers and answers ------------------------------------------------------------------ */

void peer_begin(struct rtc_peer *p, const struct task *t)
{
	ON_MEDIA();
	(void)t;
	int r = ice_create(&p->ice, media_context(p->media), &p->ice_cfg,
			   &ice_ops, p);
	if (r < 0) {
		refuse(p, "no local address to use");
		return;
	}
	set_timer(p, &p->tick, 1000, on_tick);
}

static void tell_offer(struct rtc_peer *p, const struct task *t)
{
	p->ops.on_offer(p->arg, t->num, (const char *)t->bytes);
}

static void restart(struct rtc_peer *p)
{
	if (p->refused || ice_restart(p->ice) < 0)
		return;
	p->silent_s = 0;
	p->ice_ready = false;
	if (p->state == RTC_FAILED || p->state == RTC_DISCONNECTED)
		peer_set_state(p, RTC_CONNECTING, "");
}

void peer_make_offer(struct rtc_peer *p, const struct task *t)
{
	ON_MEDIA();
	struct buf out = { 0 };

	if (!p->ice)
		return;
	if (t->kind)
		restart(p);
	p->version = t->num;
	struct sdp_offer o = {
		.session_id = p->session_id,
		.version = p->version,
		.stream_id = p->stream_id,
		.track_cid = p->track_cid,
		.cname = p->cname,
		.ssrc = p->ssrc,
		.ufrag = ice_ufrag(p->ice),
		.pwd = ice_pwd(p->ice),
		.fingerprint = dtls_fingerprint(),
		.sections = p->sections,
		.n_sections = p->n_sections,
	};
	o.candidates = ice_candidates(p->ice, &o.n_candidates);
	sdp_write_offer(&out, &o);
	peer_to_loop(p, tell_offer, t->num, 0, out.p, out.len);
	buf_free(&out);
}

static void append(struct rtc_peer *p, enum sdp_section_kind kind, size_t n)
{
	while (n-- && p->n_sections < SDP_SECTIONS_MAX)
		p->sections[p->n_sections++] = kind;
}

void peer_add_sections(struct rtc_peer *p, const struct task *t)
{
	append(p, SDP_RECV_AUDIO, t->num);
	append(p, SDP_RECV_VIDEO, (size_t)t->kind);
}

static int open_dtls(struct rtc_peer *p, const struct sdp_answer *a)
{
	struct dtls_expect e = { .digest_len = a->digest_len };

	memcpy(e.hash, a->hash, sizeof e.hash);
	memcpy(e.digest, a->digest, sizeof e.digest);
	/* they are the active one: they connect, we accept */
	return dtls_create(&p->dtls, a->setup == SDP_ACTIVE, &e, &dtls_ops, p);
}

static const char *use_answer(struct rtc_peer *p, const struct sdp_answer *a)
{
	const struct sdp_section *own = &a->sections[0];

	if (a->n_sections > p->n_sections)
		return "more sections than offered";
	if (own->rejected || !own->opus_pt)
		return "our audio was refused";
	if (!p->dtls && open_dtls(p, a) < 0)
		return "fingerprint of an unknown kind";
	peer_rtp_answer(p, a);
	if (ice_set_remote(p->ice, a->ufrag, a->pwd) < 0)
		return "ICE credentials were not accepted";
	for (size_t i = 0; i < a->n_candidates; i++)
		ice_add_remote(p->ice, a->candidates[i]);
	return NULL;
}

void peer_take_answer(struct rtc_peer *p, const struct task *t)
{
	ON_MEDIA();
	struct sdp_answer a;
	const char *why;
	char text[128];

	/* an answer to an older offer does not fit any more */
	if (!p->ice || t->num != p->version || p->refused)
		return;
	if (p->state == RTC_NEW)
		peer_set_state(p, RTC_CONNECTING, "");
	if (sdp_parse_answer(&a, (const char *)t->bytes, t->n, &why) == 0)
		why = use_answer(p, &a);
	if (!why)
		return;
	snprintf(text, sizeof text, "answer: %s", why);
	refuse(p, text);
}

void peer_take_candidate(struct rtc_peer *p, const struct task *t)
{
	ON_MEDIA();
	if (p->ice)
		ice_add_remote(p->ice, (const char *)t->bytes);
}

static void drop_tunnels(void *arg)
{
	tunnels_destroy(arg);
}

void peer_end(struct rtc_peer *p)
{
	ON_MEDIA();
	assert(p->data_closed && !p->ended);
	p->ended = true;
	handshake_forget(p);
	peer_send_bye(p);
	set_timer(p, &p->tick, -1, NULL);
	set_timer(p, &p->dtls_timer, -1, NULL);
	dtls_destroy(p->dtls);
	p->dtls = NULL;
	/* relays say goodbye through their tunnels, so those go last */
	tunnels_forget_owner(p->tunnels);
	ice_close(p->ice, drop_tunnels, p->tunnels);
	p->ice = NULL;
	p->tunnels = NULL;
	peer_rtp_destroy(p);
}
