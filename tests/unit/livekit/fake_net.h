/*
 * The doors of io and rtc, played by the test: sockets, requests and peers
 * that do what the test says, on virtual time. The real ones are not linked,
 * because these names are already there. Included once by a test program.
 */
#ifndef FD_FAKE_NET_H
#define FD_FAKE_NET_H

#include "unit.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "io/io.h"
#include "livekit/proto_int.h"
#include "rtc/rtc.h"

#define MAX_FAKES 64

/* ---- loop ---- */

struct loop {
	struct clock *clock;
};
static struct loop fake_loop;

struct clock *loop_clock(struct loop *l)
{
	return l->clock;
}

static inline void pass_ms(int64_t ms)
{
	clock_advance(fake_loop.clock, ms * 1000);
}

/* ---- websockets ---- */

struct ws {
	struct ws_ops ops;
	void *arg;
	char *url, *auth;
	struct buf sent[256];
	size_t n_sent, n_read;
	bool closed;         /* by us */
	bool ended;          /* by the other side */
	int close_code;
};
static struct ws *sockets[MAX_FAKES];
static size_t n_sockets;
static int fail_ws_open;

int ws_open(struct ws **ret_ws, struct loop *l, const struct ws_cfg *cfg,
	    const struct ws_ops *ops, void *arg)
{
	(void)l;
	if (fail_ws_open)
		return fail_ws_open;
	struct ws *w = calloc(1, sizeof *w);
	w->ops = *ops;
	w->arg = arg;
	w->url = str_dup(cfg->url);
	w->auth = str_dup(cfg->headers ? cfg->headers[0] : NULL);
	assert_true(n_sockets < MAX_FAKES);
	sockets[n_sockets++] = w;
	*ret_ws = w;
	return 0;
}

int ws_send(struct ws *w, const void *p, size_t n, bool text)
{
	assert_false(w->closed || w->ended || text);
	assert_true(w->n_sent < 256);
	buf_add(&w->sent[w->n_sent++], p, n);
	return 0;
}

void ws_close(struct ws *w, int code)
{
	if (!w)
		return;
	assert_false(w->closed || w->ended);
	w->closed = true;
	w->close_code = code;
}

/* The newest socket. */
static inline struct ws *socket_now(void)
{
	assert_true(n_sockets > 0);
	return sockets[n_sockets - 1];
}

static inline void socket_ends(struct ws *w, int err, int status, const char *why)
{
	w->ended = true;
	w->ops.on_close(w->arg, err, status, why);
}

/* ---- http ---- */

struct http {
	struct http_ops ops;
	void *arg;
	char *url, *body, *auth;
	int total_ms;
	bool cancelled, done;
};
static struct http *requests[MAX_FAKES];
static size_t n_requests;
static int fail_http_start;

int http_start(struct http **ret_req, struct loop *l, const struct http_cfg *cfg,
	       const struct http_ops *ops, void *arg)
{
	(void)l;
	if (fail_http_start)
		return fail_http_start;
	struct http *h = calloc(1, sizeof *h);
	h->ops = *ops;
	h->arg = arg;
	h->url = str_dup(cfg->url);
	h->auth = str_dup(cfg->headers[0]);
	h->body = str_printf("%.*s", (int)cfg->body_len,
			     (const char *)cfg->body);
	h->total_ms = cfg->total_ms;
	requests[n_requests++] = h;
	*ret_req = h;
	return 0;
}

void http_cancel(struct http *h)
{
	if (h)
		h->cancelled = true;
}

/* ---- peers ---- */

struct rtc_peer {
	struct rtc_ops ops;
	void *arg;
	rtc_rtp_h *rtp;
	void *rtp_arg;
	uint32_t offers;     /* asked for */
	uint32_t made;       /* and delivered */
	unsigned restarts;
	int sections;
	char *answer;
	struct buf sent[256];
	size_t n_sent;
	size_t n_audio, n_candidates, n_turn;
	bool closed;
	int fail_send;
};
static struct rtc_peer *peers[MAX_FAKES];
static size_t n_peers;

int rtc_peer_create(struct rtc_peer **ret_peer, struct loop *l, struct media *m,
		    const struct rtc_cfg *cfg, const struct rtc_ops *ops,
		    void *arg)
{
	(void)l;
	(void)m;
	assert_non_null(cfg->track_cid);
	struct rtc_peer *p = calloc(1, sizeof *p);
	p->ops = *ops;
	p->arg = arg;
	p->sections = cfg->recv_sections;
	assert_true(n_peers < MAX_FAKES);
	peers[n_peers++] = p;
	*ret_peer = p;
	return 0;
}

void rtc_peer_close(struct rtc_peer *p)
{
	if (!p)
		return;
	assert_false(p->closed);
	p->closed = true;
}

void rtc_on_rtp(struct rtc_peer *p, rtc_rtp_h *fn, void *arg)
{
	p->rtp = fn;
	p->rtp_arg = arg;
}

void rtc_offer(struct rtc_peer *p, bool restart_ice)
{
	assert_false(p->closed);
	p->offers++;
	p->restarts += restart_ice;
}

void rtc_add_sections(struct rtc_peer *p, int audio, int video)
{
	p->sections += audio + video;
}

void rtc_answer(struct rtc_peer *p, uint32_t id, const char *sdp)
{
	assert_int_equal(id, p->made);
	str_set(&p->answer, sdp);
}

void rtc_remote_candidate(struct rtc_peer *p, const char *candidate)
{
	assert_true(str_has_prefix(candidate, "candidate:"));
	p->n_candidates++;
}

void rtc_add_turn(struct rtc_peer *p, const struct rtc_turn *servers, size_t n)
{
	(void)servers;
	p->n_turn += n;
}

void rtc_send_audio(struct rtc_peer *p, const uint8_t *opus, size_t n,
		    uint32_t ticks, bool marker, uint8_t level, bool voice)
{
	(void)opus;
	(void)n;
	(void)ticks;
	(void)marker;
	(void)level;
	(void)voice;
	assert_false(p->closed);
	p->n_audio++;
}

int rtc_send(struct rtc_peer *p, enum rtc_channel ch, const void *bytes, size_t n)
{
	(void)ch;
	if (p->fail_send)
		return p->fail_send;
	assert_true(p->n_sent < 256);
	buf_add(&p->sent[p->n_sent++], bytes, n);
	return 0;
}

void rtc_peer_stats(struct rtc_peer *p, struct rtc_stats *out)
{
	(void)p;
	*out = (struct rtc_stats){ .packets_sent = 7 };
}

static inline struct rtc_peer *peer_now(void)
{
	assert_true(n_peers > 0);
	return peers[n_peers - 1];
}

/* Delivers the offer that was asked for. */
static inline void peer_offers(struct rtc_peer *p)
{
	char *sdp;

	assert_true(p->made < p->offers);
	p->made = p->offers;
	sdp = str_printf("v=0 offer %u", p->made);
	p->ops.on_offer(p->arg, p->made, sdp);
	free(sdp);
}

static inline void peer_state(struct rtc_peer *p, enum rtc_state s)
{
	p->ops.on_state(p->arg, s, "test");
}

/* ---- all ---- */

static inline int fake_setup(void **state)
{
	(void)state;
	n_sockets = n_requests = n_peers = 0;
	fail_ws_open = fail_http_start = 0;
	return clock_create_virtual(&fake_loop.clock, 1000000000);
}

static inline int fake_teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_sockets; i++) {
		struct ws *w = sockets[i];
		assert_true(w->closed || w->ended);
		for (size_t k = 0; k < w->n_sent; k++)
			buf_free(&w->sent[k]);
		free(w->url);
		free(w->auth);
		free(w);
	}
	for (size_t i = 0; i < n_requests; i++) {
		free(requests[i]->url);
		free(requests[i]->body);
		free(requests[i]->auth);
		free(requests[i]);
	}
	for (size_t i = 0; i < n_peers; i++) {
		assert_true(peers[i]->closed);
		for (size_t k = 0; k < peers[i]->n_sent; k++)
			buf_free(&peers[i]->sent[k]);
		free(peers[i]->answer);
		free(peers[i]);
	}
	assert_int_equal(clock_timers(fake_loop.clock), 0);
	clock_destroy(fake_loop.clock);
	return 0;
}

/* Packs a message of the server and lets it arrive. */
static inline void socket_says(struct ws *w, const void *msg)
{
	struct buf b = { 0 };

	proto_pack(&b, msg);
	w->ops.on_message(w->arg, b.p, b.len, false);
	buf_free(&b);
}

#endif
