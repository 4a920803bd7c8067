/*
 * The door: what the loop calls, posted to the threads that do it, and their
 * answers posted back. A peer's memory goes with the last post that knows it.
 */
#include "rtc/peer_int.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "rtc/channel_int.h"
#include "rtc/sctp_int.h"
#include "rtc/seal_int.h"

static struct media *sctp_owner;

/* ---- the process ----------------------------------------------------------------- */

static void start_sctp(void *arg)
{
	int *result = arg;

	*result = assoc_start(media_context(sctp_owner));
}

int rtc_start(struct loop *l, struct media *owner)
{
	ON_LOOP();
	assert(!sctp_owner);
	int r;

	(void)l;
	ice_warm();
	r = dtls_start();
	if (r < 0)
		return r;
	r = seal_start();
	if (r < 0)
		goto no_seal;
	sctp_owner = owner;
	media_sync(owner, start_sctp, &r);
	if (r == 0)
		return 0;
	sctp_owner = NULL;
	seal_stop();
no_seal:
	dtls_stop();
	return r;
}

static void stop_sctp(void *arg)
{
	(void)arg;
	assoc_stop();
}

void rtc_stop(void)
{
	ON_LOOP();
	if (!sctp_owner)
		return;
	/* relays that are being released need their threads a moment longer */
	for (int ms = 0; ms < 500 && ice_closing(); ms++)
		usleep(1000);
	media_sync(sctp_owner, stop_sctp, NULL);
	sctp_owner = NULL;
	peer_turn_stop();
	seal_stop();
	dtls_stop();
}

/* ---- posts --------------------------------------------------------------------------- */

static void peer_free(struct rtc_peer *p)
{
	free(p->stream_id);
	free(p->track_cid);
	free(p->ca_file);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static void unref(struct rtc_peer *p)
{
	if (atomic_fetch_sub(&p->refs, 1) == 1)
		peer_free(p);
}

static struct task *task_new(struct rtc_peer *p, task_h *fn, uint32_t num,
			     int kind, const void *bytes, size_t n)
{
	struct task *t = malloc(sizeof *t + n + 1);

	if (!t)
		abort();
	*t = (struct task){ .peer = p, .fn = fn, .num = num, .kind = kind,
			    .n = n };
	if (n)
		memcpy(t->bytes, bytes, n);
	t->bytes[n] = 0;
	atomic_fetch_add(&p->refs, 1);
	return t;
}

static void task_done(struct task *t)
{
	unref(t->peer);
	free(t);
}

static void run_on_loop(void *arg)
{
	struct task *t = arg;

	if (!t->peer->closed)
		t->fn(t->peer, t);
	task_done(t);
}

static void run_on_media(void *arg)
{
	struct task *t = arg;

	if (!t->peer->ended)
		t->fn(t->peer, t);
	task_done(t);
}

static void run_on_owner(void *arg)
{
	struct task *t = arg;

	if (!t->peer->data_closed)
		t->fn(t->peer, t);
	task_done(t);
}

void peer_to_loop(struct rtc_peer *p, task_h *fn, uint32_t num, int kind,
		  const void *bytes, size_t n)
{
	loop_post(p->loop, run_on_loop, task_new(p, fn, num, kind, bytes, n));
}

void peer_to_media(struct rtc_peer *p, task_h *fn, uint32_t num, int kind,
		   const void *bytes, size_t n)
{
	media_post(p->media, run_on_media, task_new(p, fn, num, kind, bytes, n));
}

void peer_to_owner(struct rtc_peer *p, task_h *fn, uint32_t num, int kind,
		   const void *bytes, size_t n)
{
	media_post(p->owner, run_on_owner, task_new(p, fn, num, kind, bytes, n));
}

/* ---- create and close -------------------------------------------------------------------- */

static void init_sections(struct rtc_peer *p, int recv_sections)
{
	assert(recv_sections >= 0 && recv_sections < SDP_SECTIONS_MAX - 2);
	p->sections[p->n_sections++] = SDP_SEND_AUDIO;
	for (int i = 0; i < recv_sections; i++)
		p->sections[p->n_sections++] = SDP_RECV_AUDIO;
	p->sections[p->n_sections++] = SDP_DATA;
}

static void init_numbers(struct rtc_peer *p)
{
	uint64_t name;

	random_bytes(&name, sizeof name);
	snprintf(p->cname, sizeof p->cname, "%016llx", (unsigned long long)name);
	random_bytes(&p->session_id, sizeof p->session_id);
	p->session_id >>= 2; /* RFC 8829, 5.2.1: it must fit a signed number */
	random_bytes(&p->ssrc, sizeof p->ssrc);
	if (!p->ssrc)
		p->ssrc = 1;
	random_bytes(&p->seq, sizeof p->seq);
	p->seq &= 0x7fff; /* RFC 3711, 3.3.1: no early roll-over */
	random_bytes(&p->first_timestamp, sizeof p->first_timestamp);
}

int rtc_peer_create(struct rtc_peer **ret_peer, struct loop *l,
		    struct media *m, const struct rtc_cfg *cfg,
		    const struct rtc_ops *ops, void *arg)
{
	ON_LOOP();
	assert(sctp_owner && ops->on_offer && ops->on_state);
	struct rtc_peer *p = calloc(1, sizeof *p);
	if (!p)
		return -ENOMEM;
	p->loop = l;
	p->media = m;
	p->owner = sctp_owner;
	p->stream_id = str_dup(cfg->stream_id);
	p->track_cid = str_dup(cfg->track_cid);
	p->ca_file = str_dup(cfg->ca_file);
	p->ice_cfg = (struct ice_cfg){ .no_udp = cfg->no_udp,
				       .relay_only = cfg->relay_only,
				       .loopback = cfg->loopback };
	p->ops = *ops;
	p->arg = arg;
	p->opus_pt = SDP_PT_OPUS;
	atomic_init(&p->refs, 1);
	pthread_mutex_init(&p->lock, NULL);
	init_sections(p, cfg->recv_sections);
	init_numbers(p);
	int r = peer_rtp_create(p);
	if (r == 0)
		r = peer_data_create(p);
	if (r < 0) {
		peer_rtp_destroy(p);
		peer_free(p);
		return r;
	}
	peer_to_media(p, peer_begin, 0, 0, NULL, 0);
	*ret_peer = p;
	return 0;
}

static void close_data(void *arg)
{
	peer_data_close(arg);
}

static void end_media(void *arg)
{
	peer_end(arg);
}

void rtc_peer_close(struct rtc_peer *p)
{
	if (!p)
		return;
	ON_LOOP();
	p->closed = true;
	peer_turn_cancel(p);
	/* SCTP's farewell still leaves over the path, so data goes first */
	media_sync(p->owner, close_data, p);
	media_sync(p->media, end_media, p);
	unref(p);
}

/* ---- small calls --------------------------------------------------------------------------- */

struct listener {
	struct rtc_peer *peer;
	rtc_rtp_h *fn;
	void *arg;
};

static void set_listener(void *arg)
{
	struct listener *s = arg;

	s->peer->on_rtp = s->fn;
	s->peer->on_rtp_arg = s->arg;
}

void rtc_on_rtp(struct rtc_peer *p, rtc_rtp_h *fn, void *arg)
{
	ON_LOOP();
	struct listener s = { .peer = p, .fn = fn, .arg = arg };

	media_sync(p->media, set_listener, &s);
}

void rtc_offer(struct rtc_peer *p, bool restart_ice)
{
	ON_LOOP();
	peer_to_media(p, peer_make_offer, ++p->n_offers, restart_ice, NULL, 0);
}

void rtc_add_sections(struct rtc_peer *p, int audio, int video)
{
	ON_LOOP();
	assert(audio >= 0 && video >= 0);
	peer_to_media(p, peer_add_sections, (uint32_t)audio, video, NULL, 0);
}

void rtc_answer(struct rtc_peer *p, uint32_t id, const char *sdp)
{
	ON_LOOP();
	peer_to_media(p, peer_take_answer, id, 0, sdp, strlen(sdp));
}

void rtc_remote_candidate(struct rtc_peer *p, const char *candidate)
{
	ON_LOOP();
	peer_to_media(p, peer_take_candidate, 0, 0, candidate,
		      strlen(candidate));
}

void rtc_add_turn(struct rtc_peer *p, const struct rtc_turn *servers, size_t n)
{
	ON_LOOP();
	for (size_t i = 0; i < n; i++)
		peer_turn_add(p, &servers[i]);
}

int rtc_send(struct rtc_peer *p, enum rtc_channel ch, const void *bytes,
	     size_t n)
{
	ON_LOOP();
	if (n > CHANNELS_MESSAGE_MAX)
		return -EMSGSIZE;
	if (atomic_load(&p->queued) + n > CHANNELS_QUEUE_MAX)
		return ERR_FULL;
	atomic_fetch_add(&p->queued, n);
	peer_to_owner(p, peer_data_send, 0, (int)ch, bytes, n);
	return 0;
}

size_t rtc_queued(const struct rtc_peer *p)
{
	return atomic_load(&p->queued);
}

void rtc_peer_stats(struct rtc_peer *p, struct rtc_stats *out)
{
	*out = (struct rtc_stats){
		.packets_sent = atomic_load(&p->packets_sent),
		.bytes_sent = atomic_load(&p->bytes_sent),
		.packets_received = atomic_load(&p->packets_received),
		.bytes_received = atomic_load(&p->bytes_received),
		.nacks_received = atomic_load(&p->nacks_received),
		.resent = atomic_load(&p->resent),
		.srtp_errors = atomic_load(&p->srtp_errors),
		.first_sent_us = atomic_load(&p->first_sent_us),
		.rtt_ms = atomic_load(&p->rtt_ms),
		.remote_lost = atomic_load(&p->remote_lost),
	};
	pthread_mutex_lock(&p->lock);
	str_copy(out->pair, sizeof out->pair, p->pair);
	pthread_mutex_unlock(&p->lock);
}
