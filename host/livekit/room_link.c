/*
 * The link of a room, as a state machine over a socket (signal.c) and a peer
 * (room_media.c). On the loop.
 *
 *   JOINING --socket, join, media--> UP --socket lost--> RESUMING --> UP
 *                                     \--refused to resume, media failed,
 *                                        told to--> REJOINING --> UP
 *
 * A resume keeps the peer: audio flows on meanwhile. A rejoin is a new
 * session with a new peer. All attempts together have one limit; only a
 * refused token or a goodbye of the server ends it sooner.
 */
#include "livekit/room_int.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"

#define ATTEMPT_MS 15000     /* socket, session and media of one attempt */
#define LEAVE_ECHO_MS 300
#define SICK_ATTEMPTS 3      /* resumes tried while media is down too */
#define STABLE_MS 5000       /* up this long: pauses start small again */

/* The pauses of the other clients; jitter from the third on. */
static int64_t pause_ms(unsigned attempt)
{
	static const int64_t pauses[] = { 0, 300, 1200, 2700, 4800, 7000 };
	size_t last = sizeof pauses / sizeof *pauses - 1;
	int64_t ms = pauses[attempt < last ? attempt : last];
	uint16_t r;

	if (attempt < 2)
		return ms;
	random_bytes(&r, sizeof r);
	return ms + r % 1000;
}

static void drop_socket(struct room *r, int code)
{
	struct signalling *s = r->sig;

	r->sig = NULL;
	r->sig_ready = false;
	signal_close(s, code);
}

bool link_send(struct room *r, const Livekit__SignalRequest *m)
{
	return r->sig_ready && signal_send(r->sig, m) >= 0;
}

void link_prefer_url(struct room *r, const char *url)
{
	size_t i = 0;

	if (str_blank(url))
		return;
	while (i < r->n_urls && !str_eq(r->urls[i], url))
		i++;
	if (i == ROOM_MAX_URLS)
		return;
	if (i == r->n_urls)
		r->urls[r->n_urls++] = str_dup(url);
	r->url_at = i;
}

/* ---- attempts -------------------------------------------------------------- */

static void next_attempt(struct room *r)
{
	timer_stop(&r->limit);
	timer_start(&r->retry, pause_ms(r->attempt++));
}

/* This address did not do: the next one, after a pause. */
static void elsewhere(struct room *r)
{
	r->url_at = (r->url_at + 1) % r->n_urls;
	next_attempt(r);
}

static bool refused(struct room *r, int status, const char *why)
{
	bool final = status == 401 || status == 403 || status == 400;

	/* 404: no such room (auto_create off) or a server without /rtc/v1 */
	if (status == 404 && !r->was_up)
		final = true;
	if (final)
		room_finish(r, ROOM_REFUSED, why);
	return final;
}

static void on_close(void *arg, int err, int status, const char *why)
{
	struct room *r = arg;
	bool opened = r->sig_ready;

	r->sig = NULL;
	r->sig_ready = false;
	room_hold(r);
	log_event(LOG_INFO, "room.signal_lost", LOG_ERR("err", err),
		  LOG_INT("status", status), LOG_INT("phase", r->phase));
	if (r->phase == PHASE_LEAVING)
		room_finish(r, ROOM_LEFT, "");
	else if (!opened && refused(r, status, why))
		;
	else if (r->phase == PHASE_UP)
		link_resume(r);
	else if (r->phase == PHASE_RESUMING && status == 404)
		link_rejoin(r);
	else if (room_alive(r))
		elsewhere(r);
	room_release(r);
}

static void on_message(void *arg, const Livekit__SignalResponse *m)
{
	struct room *r = arg;

	room_hold(r);
	room_on_signal(r, m);
	room_release(r);
}

static void open_socket(struct room *r)
{
	static const struct signal_ops ops = { on_message, on_close };

	assert(!r->sig);
	timer_start(&r->limit, ATTEMPT_MS);
	if (join_open(r, r->phase == PHASE_RESUMING, &ops) < 0)
		elsewhere(r);
}

/* A session that was taken up but did not come to life, or a new one. */
static void fresh_session(struct room *r)
{
	r->joined_once = false;
	room_media_stop(r);
	data_reset(r);
	listen_forget(r);
	timer_start(&r->limit, ATTEMPT_MS);
	if (room_media_start(r) < 0)
		next_attempt(r);
}

static void on_retry(void *arg)
{
	struct room *r = arg;

	room_hold(r);
	if (r->sig)
		drop_socket(r, 1000);
	if (r->phase == PHASE_RESUMING) {
		if (!room_media_healthy(r) && r->attempt > SICK_ATTEMPTS)
			link_rejoin(r);
		else
			open_socket(r);
	} else if (r->m.first_offer && !r->joined_once &&
		   r->m.state != RTC_FAILED) {
		open_socket(r); /* the same offer: nobody has taken it yet */
	} else {
		fresh_session(r);
	}
	room_release(r);
}

static void on_limit(void *arg)
{
	struct room *r = arg;

	room_hold(r);
	log_event(LOG_WARN, "room.attempt_timeout", LOG_INT("phase", r->phase),
		  LOG_INT("attempt", r->attempt));
	if (r->sig)
		drop_socket(r, 1000);
	if (r->phase == PHASE_RESUMING && !room_media_healthy(r))
		link_rejoin(r);
	else if (room_alive(r))
		elsewhere(r);
	room_release(r);
}

static void on_give_up(void *arg)
{
	struct room *r = arg;

	room_hold(r);
	room_finish(r, ROOM_UNREACHABLE, "gave up reconnecting");
	room_release(r);
}

void link_offer_ready(struct room *r)
{
	bool first = r->phase == PHASE_JOINING || r->phase == PHASE_REJOINING;

	if (first && !r->sig && !timer_active(&r->retry))
		open_socket(r);
}

/* The link was up: count attempts anew, unless it keeps breaking. */
static void went_down(struct room *r)
{
	if (clock_now_ms(loop_clock(r->loop)) - r->settled_ms >= STABLE_MS)
		r->attempt = 0;
	timer_start(&r->give_up, r->give_up_ms);
}

/* ---- coming up ---------------------------------------------------------------- */

static void settle(struct room *r)
{
	r->phase = PHASE_UP;
	r->was_up = true;
	r->settled_ms = clock_now_ms(loop_clock(r->loop));
	timer_stop(&r->limit);
	timer_stop(&r->retry);
	timer_stop(&r->give_up);
}

static void check_up(struct room *r)
{
	enum room_phase was = r->phase;

	if (!r->sig_ready || !room_media_healthy(r))
		return;
	if (was != PHASE_JOINING && was != PHASE_REJOINING &&
	    was != PHASE_RESUMING)
		return;
	settle(r);
	attributes_repeat(r, was != PHASE_JOINING);
	listen_apply(r);
	room_tell_link(r, was == PHASE_JOINING ? ROOM_UP :
			  was == PHASE_RESUMING ? ROOM_RESUMED : ROOM_REJOINED);
}

void link_joined(struct room *r, const Livekit__JoinResponse *join)
{
	Livekit__ClientConfiguration *cc = join->client_configuration;

	if (r->phase == PHASE_RESUMING) {
		/* not resumed but started anew, without our offer */
		link_rejoin(r);
		return;
	}
	r->sig_ready = true;
	r->joined_once = true;
	signal_keepalive(r->sig, 1000 * join->ping_interval,
			 1000 * join->ping_timeout);
	link_prefer_url(r, join->alternative_url);
	if (cc && cc->force_relay == LIVEKIT__CLIENT_CONFIG_SETTING__ENABLED &&
	    !r->relay_only) {
		r->relay_only = true;
		next_attempt(r);
		return;
	}
	room_media_joined(r);
	room_media_add_relays(r, join->ice_servers, join->n_ice_servers);
	participants_reset(&r->who, join->other_participants,
			   join->n_other_participants);
	listen_apply(r);
	check_up(r);
}

void link_reconnected(struct room *r, uint32_t last_sequence)
{
	r->sig_ready = true;
	/* the reconnect answer carries no intervals: the usual ones */
	signal_keepalive(r->sig, 5000, 15000);
	join_sync_state(r);
	data_replay(r, last_sequence);
	room_media_resumed(r);
	check_up(r);
}

void link_media_changed(struct room *r)
{
	if (!room_alive(r))
		return;
	switch (r->m.state) {
	case RTC_CONNECTED:
		check_up(r);
		break;
	case RTC_DISCONNECTED:
		if (r->phase != PHASE_UP)
			break;
		/* signalling is fine: only the path must be found anew */
		went_down(r);
		r->phase = PHASE_RESUMING;
		timer_start(&r->limit, ATTEMPT_MS);
		room_tell_link(r, ROOM_RESUMING);
		room_media_offer(r, true);
		break;
	case RTC_FAILED:
		if (r->phase == PHASE_UP || r->phase == PHASE_RESUMING)
			link_rejoin(r);
		else if (!timer_active(&r->retry))
			next_attempt(r);
		break;
	default:
		break;
	}
}

/* ---- going down ---------------------------------------------------------------- */

void link_resume(struct room *r)
{
	if (r->phase != PHASE_UP && r->phase != PHASE_RESUMING)
		return;
	bool news = r->phase == PHASE_UP;
	r->phase = PHASE_RESUMING;
	if (r->sig)
		drop_socket(r, 0);
	if (news)
		went_down(r);
	next_attempt(r);
	if (news)
		room_tell_link(r, ROOM_RESUMING);
}

void link_rejoin(struct room *r)
{
	if (!room_alive(r))
		return;
	bool news = r->phase == PHASE_UP || r->phase == PHASE_RESUMING;
	if (r->phase == PHASE_UP)
		went_down(r);
	else if (r->phase == PHASE_RESUMING && r->attempt == 1)
		r->attempt = 0; /* refused at once: no reason to wait */
	if (r->phase != PHASE_JOINING)
		r->phase = PHASE_REJOINING;
	if (r->sig)
		drop_socket(r, 1000);
	room_media_stop(r);
	next_attempt(r);
	if (news)
		room_tell_link(r, ROOM_REJOINING);
}

/* What ends a call, and what is only a session gone wrong at the server. */
static bool is_final(Livekit__DisconnectReason reason, enum room_end *ret_end)
{
	switch (reason) {
	case LIVEKIT__DISCONNECT_REASON__CLIENT_INITIATED:
		*ret_end = ROOM_LEFT;
		return true;
	case LIVEKIT__DISCONNECT_REASON__DUPLICATE_IDENTITY:
		*ret_end = ROOM_REPLACED;
		return true;
	case LIVEKIT__DISCONNECT_REASON__PARTICIPANT_REMOVED:
	case LIVEKIT__DISCONNECT_REASON__USER_REJECTED:
	case LIVEKIT__DISCONNECT_REASON__USER_UNAVAILABLE:
		*ret_end = ROOM_REMOVED;
		return true;
	case LIVEKIT__DISCONNECT_REASON__STATE_MISMATCH:
	case LIVEKIT__DISCONNECT_REASON__JOIN_FAILURE:
	case LIVEKIT__DISCONNECT_REASON__MIGRATION:
	case LIVEKIT__DISCONNECT_REASON__SIGNAL_CLOSE:
	case LIVEKIT__DISCONNECT_REASON__CONNECTION_TIMEOUT:
	case LIVEKIT__DISCONNECT_REASON__MEDIA_FAILURE:
	case LIVEKIT__DISCONNECT_REASON__SERVER_SHUTDOWN:
		return false; /* we are alive, and so may the caller be */
	default:
		*ret_end = ROOM_CLOSED;
		return true;
	}
}

void link_leave(struct room *r, const Livekit__LeaveRequest *leave)
{
	enum room_end end = ROOM_CLOSED;
	const ProtobufCEnumValue *name = protobuf_c_enum_descriptor_get_value(
		&livekit__disconnect_reason__descriptor, (int)leave->reason);

	if (r->phase == PHASE_LEAVING) {
		room_finish(r, ROOM_LEFT, "");
		return;
	}
	/* nearest first: tried in that order, ours again after the last */
	for (size_t i = leave->regions ? leave->regions->n_regions : 0; i-- > 0;)
		link_prefer_url(r, leave->regions->regions[i]->url);
	log_event(LOG_INFO, "room.leave_from_server",
		  LOG_STR("reason", name ? name->name : "new"),
		  LOG_INT("action", leave->action));
	if (leave->action == LIVEKIT__LEAVE_REQUEST__ACTION__RESUME)
		link_resume(r);
	else if (leave->action == LIVEKIT__LEAVE_REQUEST__ACTION__RECONNECT ||
		 !is_final(leave->reason, &end))
		link_rejoin(r);
	else
		room_finish(r, end, name ? name->name : "");
}

static void leave_now(void *arg)
{
	struct room *r = arg;

	room_hold(r);
	room_finish(r, ROOM_LEFT, "");
	room_release(r);
}

void room_leave(struct room *r, int reason)
{
	ON_LOOP();
	Livekit__LeaveRequest leave = LIVEKIT__LEAVE_REQUEST__INIT;
	Livekit__SignalRequest m = LIVEKIT__SIGNAL_REQUEST__INIT;

	if (!room_alive(r))
		return;
	leave.reason = (Livekit__DisconnectReason)reason;
	m.message_case = LIVEKIT__SIGNAL_REQUEST__MESSAGE_LEAVE;
	m.leave = &leave;
	bool said = link_send(r, &m);
	r->phase = PHASE_LEAVING;
	timer_stop(&r->retry);
	timer_stop(&r->limit);
	timer_stop(&r->give_up);
	timer_start(&r->leave_limit, said ? LEAVE_ECHO_MS : 0);
}

/* ---- life ------------------------------------------------------------------------- */

void link_init(struct room *r)
{
	struct clock *clock = loop_clock(r->loop);

	timer_init(&r->retry, clock, on_retry, r);
	timer_init(&r->limit, clock, on_limit, r);
	timer_init(&r->give_up, clock, on_give_up, r);
	timer_init(&r->leave_limit, clock, leave_now, r);
}

void link_start(struct room *r)
{
	timer_start(&r->give_up, r->give_up_ms);
	timer_start(&r->limit, ATTEMPT_MS);
}

void link_stop(struct room *r)
{
	timer_stop(&r->retry);
	timer_stop(&r->limit);
	timer_stop(&r->give_up);
	timer_stop(&r->leave_limit);
	if (r->sig)
		drop_socket(r, 1000);
}
