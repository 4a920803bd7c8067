/*
 * The peer of a room: one offer outstanding at a time, media sections as the
 * server asks for them, candidates, and our audio out. On the loop, but for
 * room_send_audio() and on_rtp(), which run on the media thread and meet the
 * loop in three atomics only: a beat that took the old peer's address runs to
 * its end before rtc_peer_close() can have the peer freed.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "livekit/room_int.h"

#define ANSWER_MS 15000
#define DEBOUNCE_MS 150
#define FIRST_SECTIONS 2     /* the caller, and whom the call is passed to */
#define MAX_SECTIONS 16
#define MAX_RELAYS 16

/* ---- audio, on the media thread ------------------------------------------------ */

void room_send_audio(struct room *r, const uint8_t *opus, size_t n,
		     uint32_t ticks, bool marker, uint8_t level, bool voice)
{
	struct rtc_peer *peer = atomic_load_explicit(&r->tx,
						     memory_order_acquire);

	ON_MEDIA();
	if (peer && !atomic_load_explicit(&r->muted, memory_order_relaxed))
		rtc_send_audio(peer, opus, n, ticks, marker, level, voice);
}

static void on_rtp(void *arg, const struct rtc_rtp *p)
{
	struct room *r = arg;
	uint64_t want = atomic_load_explicit(&r->want_mid,
					     memory_order_relaxed);
	uint64_t mid = 0;

	memcpy(&mid, p->mid, strnlen(p->mid, sizeof mid));
	/* packets of the one heard before may still be on their way */
	if (want && mid && mid != want)
		return;
	r->ops.on_rtp(r->arg, p);
}

/* ---- offers ----------------------------------------------------------------------- */

bool room_media_healthy(const struct room *r)
{
	return r->m.peer && r->m.state == RTC_CONNECTED;
}

static void offer_now(struct room *r)
{
	struct room_media *m = &r->m;
	bool restart = m->again_restart;

	assert(!m->waiting);
	m->again = m->again_restart = false;
	m->waiting = true;
	m->offered_ms = clock_now_ms(loop_clock(r->loop));
	if (!m->first_offer)
		m->offered_ms -= DEBOUNCE_MS; /* the one after it need not wait */
	timer_start(&m->answer_limit, ANSWER_MS);
	rtc_offer(m->peer, restart);
}

/* Offers as soon as that is right: after the answer to the one outstanding,
 * and not in a burst (the first at once, the next ones gathered). */
void room_media_offer(struct room *r, bool restart_ice)
{
	struct room_media *m = &r->m;
	int64_t since_ms = clock_now_ms(loop_clock(r->loop)) - m->offered_ms;

	if (!m->peer)
		return;
	m->again = true;
	m->again_restart |= restart_ice;
	if (m->waiting || timer_active(&m->debounce))
		return;
	if (since_ms >= DEBOUNCE_MS || restart_ice)
		offer_now(r);
	else
		timer_start(&m->debounce, DEBOUNCE_MS - since_ms);
}

void room_media_offer_in(struct room *r, int64_t ms)
{
	struct room_media *m = &r->m;

	if (!m->peer)
		return;
	m->again = true;
	if (!m->waiting && !timer_active(&m->debounce))
		timer_start(&m->debounce, ms);
}

static void on_debounced(void *arg)
{
	struct room *r = arg;

	if (r->m.again && !r->m.waiting)
		offer_now(r);
}

static void no_answer(void *arg)
{
	struct room *r = arg;

	room_hold(r);
	r->m.waiting = false;
	log_event(LOG_WARN, "room.no_answer", LOG_INT("offer", r->m.offer_id));
	if (r->phase == PHASE_UP || r->phase == PHASE_RESUMING)
		link_rejoin(r);
	room_release(r);
}

static void send_offer(struct room *r)
{
	Livekit__SessionDescription offer = LIVEKIT__SESSION_DESCRIPTION__INIT;
	Livekit__SignalRequest m = LIVEKIT__SIGNAL_REQUEST__INIT;

	offer.type = "offer";
	offer.sdp = r->m.offer;
	offer.id = r->m.offer_id;
	m.message_case = LIVEKIT__SIGNAL_REQUEST__MESSAGE_OFFER;
	m.offer = &offer;
	if (link_send(r, &m))
		return;
	/* no socket: room_media_resumed() offers again */
	r->m.waiting = false;
	r->m.again = true;
	timer_stop(&r->m.answer_limit);
}

static void on_offer(void *arg, uint32_t id, const char *sdp)
{
	struct room *r = arg;
	bool first = !r->m.first_offer;

	room_hold(r);
	r->m.offer_id = id;
	str_set(&r->m.offer, sdp);
	if (first) {
		str_set(&r->m.first_offer, sdp);
		link_offer_ready(r);
	} else {
		send_offer(r);
	}
	room_release(r);
}

void room_media_on_answer(struct room *r, const Livekit__SessionDescription *a)
{
	struct room_media *m = &r->m;

	if (!m->peer || !m->waiting || (a->id && a->id != m->offer_id))
		return; /* to an offer that is no longer ours */
	m->waiting = false;
	m->answer_id = m->offer_id;
	timer_stop(&m->answer_limit);
	str_set(&m->answer, a->sdp);
	rtc_answer(m->peer, m->offer_id, a->sdp);
	listen_mapped(r, (void **)a->mid_to_track_id, a->n_mid_to_track_id);
	if (m->again)
		room_media_offer(r, false);
}

/* Resumed on the same peer. An offer on the way was lost with the socket. */
void room_media_resumed(struct room *r)
{
	struct room_media *m = &r->m;
	bool lost = m->waiting || m->again;

	m->waiting = false;
	timer_stop(&m->answer_limit);
	timer_stop(&m->debounce);
	if (!room_media_healthy(r))
		room_media_offer(r, true);
	else if (lost)
		room_media_offer(r, false);
}

/* ---- sections ------------------------------------------------------------------------ */

/* We ask for no video; where a server sends some all the same, say no: an
 * offer without the sections makes it repeat the wish for ever. */
static void refuse_videos(struct room *r)
{
	Livekit__UpdateSubscription sub = LIVEKIT__UPDATE_SUBSCRIPTION__INIT;
	Livekit__SignalRequest m = LIVEKIT__SIGNAL_REQUEST__INIT;
	struct buf sids = { 0 };

	for (size_t i = 0; i < r->who.n; i++)
		buf_puts(&sids, r->who.list[i]->video_sids);
	char *list[64], *save = NULL;
	char *text = buf_take(&sids);
	for (char *sid = strtok_r(text, " ", &save);
	     sid && sub.n_track_sids < sizeof list / sizeof *list;
	     sid = strtok_r(NULL, " ", &save))
		list[sub.n_track_sids++] = sid;
	sub.track_sids = list;
	sub.subscribe = false;
	m.message_case = LIVEKIT__SIGNAL_REQUEST__MESSAGE_SUBSCRIPTION;
	m.subscription = &sub;
	if (sub.n_track_sids)
		link_send(r, &m);
	free(text);
}

void room_media_on_requirement(struct room *r,
			  const Livekit__MediaSectionsRequirement *need)
{
	struct room_media *m = &r->m;
	int audios = need->num_audios > MAX_SECTIONS ? MAX_SECTIONS :
						       (int)need->num_audios;

	if (!m->peer)
		return;
	if (need->num_videos) {
		refuse_videos(r);
		/* once: the answer may free what it asked for; then silence */
		if (m->unmet_videos++)
			return;
	} else {
		m->unmet_videos = 0;
	}
	if (m->sections + audios > MAX_SECTIONS)
		audios = MAX_SECTIONS - m->sections;
	if (audios > 0) {
		m->sections += audios;
		rtc_add_sections(m->peer, audios, 0);
	} else if (need->num_audios) {
		return; /* more than we will ever hear */
	}
	/* also when nothing is missing: tracks are attached by an offer only */
	room_media_offer(r, false);
}

/* ---- candidates ------------------------------------------------------------------------ */

void room_media_on_candidate(struct room *r, const Livekit__TrickleRequest *t)
{
	cJSON *init = t->candidateinit ? json_parse(t->candidateinit,
						    strlen(t->candidateinit)) :
					 NULL;
	const char *candidate = json_str(init, "candidate");

	if (r->m.peer && !str_blank(candidate))
		rtc_remote_candidate(r->m.peer, candidate);
	cJSON_Delete(init);
}

static void on_candidate(void *arg, const char *candidate)
{
	struct room *r = arg;
	Livekit__TrickleRequest t = LIVEKIT__TRICKLE_REQUEST__INIT;
	Livekit__SignalRequest m = LIVEKIT__SIGNAL_REQUEST__INIT;
	struct buf init = { 0 };

	buf_puts(&init, "{\"candidate\":");
	str_json_quote(&init, candidate);
	buf_puts(&init, ",\"sdpMid\":\"0\",\"sdpMLineIndex\":0}");
	t.candidateinit = (char *)buf_str(&init);
	t.target = LIVEKIT__SIGNAL_TARGET__PUBLISHER;
	m.message_case = LIVEKIT__SIGNAL_REQUEST__MESSAGE_TRICKLE;
	m.trickle = &t;
	link_send(r, &m);
	buf_free(&init);
}

void room_media_joined(struct room *r)
{
	const char *at = r->m.trickle_first ? r->m.first_offer : NULL;

	r->m.trickle_first = false;
	while (at && (at = strstr(at, "a=candidate:"))) {
		char *line = str_printf("%.*s", (int)strcspn(at + 2, "\r\n"),
					at + 2);
		on_candidate(r, line);
		free(line);
		at += 2;
	}
}

void room_media_add_relays(struct room *r, Livekit__ICEServer *const *s, size_t n)
{
	struct rtc_turn list[MAX_RELAYS];
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t u = 0; u < s[i]->n_urls && used < MAX_RELAYS; u++) {
			/* a server on this very machine needs no public STUN */
			if (r->loopback && str_has_prefix(s[i]->urls[u], "stun"))
				continue;
			list[used++] = (struct rtc_turn){ s[i]->urls[u],
				s[i]->username, s[i]->credential };
		}
	}
	if (used && r->m.peer)
		rtc_add_turn(r->m.peer, list, used);
}

/* ---- life ------------------------------------------------------------------------------- */

static void on_state(void *arg, enum rtc_state state, const char *why)
{
	struct room *r = arg;

	room_hold(r);
	if (state == RTC_FAILED && room_alive(r))
		log_event(LOG_WARN, "room.media_failed", LOG_STR("why", why));
	r->m.state = state;
	link_media_changed(r);
	room_release(r);
}

static void on_message(void *arg, enum rtc_channel ch, const uint8_t *p,
		       size_t n)
{
	struct room *r = arg;

	room_hold(r);
	if (room_alive(r))
		data_on_message(r, ch == RTC_RELIABLE, p, n);
	room_release(r);
}

static void on_channels_open(void *arg)
{
	(void)arg; /* rtc_send() has queued what was sent before */
}

void room_media_init(struct room *r)
{
	struct clock *clock = loop_clock(r->loop);

	timer_init(&r->m.answer_limit, clock, no_answer, r);
	timer_init(&r->m.debounce, clock, on_debounced, r);
}

int room_media_start(struct room *r)
{
	static const struct rtc_ops ops = { on_offer, on_candidate, on_state,
					    on_channels_open, on_message };
	struct room_media *m = &r->m;

	assert(!m->peer);
	/* fresh names: the same cid twice is queued by the server for ever */
	m->cid = random_id("TR_", 16);
	m->stream_id = random_id("ST_", 12);
	struct rtc_cfg cfg = {
		.stream_id = m->stream_id, .track_cid = m->cid,
		.recv_sections = FIRST_SECTIONS,
		.no_udp = r->no_udp, .relay_only = r->relay_only,
		.loopback = r->loopback, .ca_file = r->ca_file,
	};
	int err = rtc_peer_create(&m->peer, r->loop, r->media, &cfg, &ops, r);
	if (err < 0) {
		room_media_stop(r);
		return err;
	}
	m->sections = FIRST_SECTIONS;
	m->state = RTC_NEW;
	if (r->ops.on_rtp)
		rtc_on_rtp(m->peer, on_rtp, r);
	if (r->track_name)
		atomic_store_explicit(&r->tx, m->peer, memory_order_release);
	offer_now(r);
	return 0;
}

void room_media_stop(struct room *r)
{
	struct room_media *m = &r->m;

	atomic_store_explicit(&r->tx, NULL, memory_order_release);
	atomic_store(&r->want_mid, 0);
	atomic_store(&r->muted, false);
	timer_stop(&m->answer_limit);
	timer_stop(&m->debounce);
	rtc_peer_close(m->peer);
	m->peer = NULL;
	m->state = RTC_CLOSED;
	m->waiting = m->again = m->again_restart = m->trickle_first = false;
	m->offer_id = m->answer_id = 0;
	m->unmet_videos = 0;
	m->offered_ms = 0;
	free(m->cid);
	free(m->stream_id);
	free(m->first_offer);
	free(m->offer);
	free(m->answer);
	m->cid = m->stream_id = m->first_offer = m->offer = m->answer = NULL;
	buf_free(&m->published);
	str_set(&m->track_sid, "");
}
