/*
 * The call's side of its room: who the caller is, when they can hear us, what
 * they type and press, and when they are gone. On the loop but for on_rtp.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "call/call_int.h"

enum { CALLER_BACK_MS = 15000 };

/* [media] */
static void on_rtp(void *arg, const struct rtc_rtp *p)
{
	struct call *c = arg;
	struct audio_rtp rtp = {
		.ssrc = p->ssrc, .timestamp = p->timestamp, .seq = p->seq,
		.payload = p->payload, .len = p->len,
		.arrival_us = p->arrival_us };

	if (c->media_live)
		audio_rx(c->audio, &rtp);
}

/* An outbound leg is there before anybody has picked it up. */
static bool leg_active(const struct call *c, const struct room_participant *p)
{
	const char *status = room_attribute(p, "sip.callStatus");

	(void)c;
	return p->kind != LK_SIP || !status || str_eq(status, "active");
}

static void check_answered(struct call *c)
{
	const struct room_participant *p =
		c->caller ? room_find(c->room, c->caller) : NULL;

	if (c->answered || !c->up || !c->subscribed || !p || !leg_active(c, p))
		return;
	call_answered(c);
}

static bool may_be_caller(const struct call *c,
			  const struct room_participant *p)
{
	if (c->want_caller)
		return str_eq(p->identity, c->want_caller);
	if (p->kind != LK_STANDARD && p->kind != LK_SIP &&
	    p->kind != LK_CONNECTOR)
		return false;
	return !room_attribute(p, "lk.publish_on_behalf");
}

static void take_caller(struct call *c, const struct room_participant *p)
{
	str_set(&c->caller, p->identity);
	c->caller_kind = p->kind;
	str_set(&c->caller_sid, p->audio_sid);
	timer_start(&c->wait, CALLER_WAIT_MS); /* until they can hear us */
	room_listen(c->room, p->identity);
}

/* Reasons that mean the caller meant it (DisconnectReason). */
static bool left_for_good(int reason)
{
	enum { CLIENT_INITIATED = 1, PARTICIPANT_REMOVED = 4, ROOM_DELETED = 5,
	       USER_UNAVAILABLE = 11, USER_REJECTED = 12,
	       SIP_TRUNK_FAILURE = 13 };

	return reason == CLIENT_INITIATED || reason == PARTICIPANT_REMOVED ||
	       reason == ROOM_DELETED || reason == USER_UNAVAILABLE ||
	       reason == USER_REJECTED || reason == SIP_TRUNK_FAILURE;
}

static void caller_left(struct call *c, const struct room_participant *p)
{
	if (left_for_good(p->leave_reason)) {
		call_finish(c, c->answered ? CALL_END_CALLER :
					     CALL_END_NO_CALLER);
		return;
	}
	log_event(LOG_INFO, "call.caller_lost", LOG_STR("call", c->id),
		  LOG_INT("reason", p->leave_reason));
	timer_start(&c->wait, CALLER_BACK_MS);
}

static void on_participant(void *arg, const struct room_participant *p,
			   enum room_change change)
{
	struct call *c = arg;
	bool is_caller = str_eq(p->identity, c->caller);

	ON_LOOP();
	if (c->ended)
		return;
	if (change == ROOM_P_LEFT) {
		if (is_caller)
			caller_left(c, p);
		return;
	}
	if (!c->caller && may_be_caller(c, p))
		take_caller(c, p);
	else if (is_caller) {
		str_set(&c->caller_sid, p->audio_sid);
		if (change == ROOM_P_JOINED && c->answered)
			timer_stop(&c->wait);
		else if (change == ROOM_P_JOINED)
			timer_start(&c->wait, CALLER_WAIT_MS);
		if (str_eq(room_attribute(p, "sip.callStatus"), "hangup"))
			call_finish(c, CALL_END_CALLER);
	}
	if (!c->ended)
		check_answered(c);
}

/* The server takes the rejoin for the end of our job, at some moment between
 * its beginning and its end. */
static void tell_rejoin(struct call *c)
{
	if (c->host->on_rejoin)
		c->host->on_rejoin(c->host->arg, c);
}

static void on_link(void *arg, enum room_link link)
{
	struct call *c = arg;

	if (c->ended)
		return;
	switch (link) {
	case ROOM_UP:
		c->up = true;
		call_note(c, NOTE_JOINED, NULL, 0);
		transcript_state(c, "initializing");
		if (!c->stt)
			call_ears_open(c);
		leg_dial(c);
		check_answered(c);
		break;
	case ROOM_REJOINED:
		tell_rejoin(c);
		if (c->turn.state)
			transcript_state(c, c->turn.state);
		if (c->caller)
			room_listen(c->room, c->caller);
		break;
	case ROOM_REJOINING:
		tell_rejoin(c);
		/* fall through */
	case ROOM_RESUMING:
		call_note(c, NOTE_TROUBLE, "connection to the room lost", 0);
		break;
	case ROOM_RESUMED:
		break;
	}
}

static void on_subscribed(void *arg)
{
	struct call *c = arg;

	if (c->ended)
		return;
	c->subscribed = true;
	check_answered(c);
}

static void on_text(void *arg, const char *identity, const char *topic,
		    const char *text, const struct lk_pair *attrs)
{
	struct call *c = arg;

	(void)attrs;
	if (c->ended || !c->answered || !str_eq(topic, "lk.chat") ||
	    !str_eq(identity, c->caller))
		return;
	call_feed(c, TE_TYPED, text, 0, 0, false);
}

static void on_dtmf(void *arg, const char *identity, char key)
{
	struct call *c = arg;

	if (c->ended || !c->answered || !str_eq(identity, c->caller))
		return;
	call_feed(c, TE_DTMF, NULL, 0, key, false);
	c->host->policy->on_dtmf(c->policy, key);
	call_busy_check(c);
}

static void on_end(void *arg, enum room_end end, const char *why)
{
	struct call *c = arg;

	if (end != ROOM_LEFT)
		log_event(end == ROOM_CLOSED ? LOG_INFO : LOG_WARN,
			  "call.room_ended", LOG_STR("call", c->id),
			  LOG_INT("end", end), LOG_STR("why", why));
	if (end == ROOM_CLOSED)
		call_finish(c, c->answered ? CALL_END_CALLER :
					     CALL_END_NO_CALLER);
	else
		call_finish(c, CALL_END_LOST);
}

const struct room_ops call_room_ops = {
	.on_link = on_link,
	.on_participant = on_participant,
	.on_subscribed = on_subscribed,
	.on_text = on_text,
	.on_dtmf = on_dtmf,
	.on_end = on_end,
	.on_rtp = on_rtp,
};
