/*
 * What the server says, message by message. On the loop; called with the
 * room held. Messages we do not know are skipped: every release adds some.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "livekit/room_int.h"

/* Ourselves: sid, and whether the server calls us by another name. */
static void take_self(struct room *r, const Livekit__ParticipantInfo *me)
{
	if (!str_blank(me->sid))
		str_set(&r->sid, me->sid);
	if (!str_blank(me->identity))
		str_set(&r->identity, me->identity);
}

static void take_room(struct room *r, const Livekit__Room *room)
{
	if (room && !str_blank(room->name))
		str_set(&r->name, room->name);
}

static void on_join(struct room *r, const Livekit__JoinResponse *join)
{
	if (join->participant)
		take_self(r, join->participant);
	take_room(r, join->room);
	link_joined(r, join);
}

static void on_update(struct room *r, const Livekit__ParticipantUpdate *u)
{
	for (size_t i = 0; i < u->n_participants && room_alive(r); i++) {
		const Livekit__ParticipantInfo *p = u->participants[i];
		if (str_eq(p->identity, r->identity)) {
			/* an old session of ours may be reported as gone */
			if (p->state !=
			    LIVEKIT__PARTICIPANT_INFO__STATE__DISCONNECTED)
				take_self(r, p);
			continue;
		}
		participants_apply(&r->who, p);
	}
	if (room_alive(r))
		listen_apply(r);
}

static void on_published(struct room *r,
			 const Livekit__TrackPublishedResponse *p)
{
	if (!p->track || !str_eq(p->cid, r->m.cid))
		return;
	str_set(&r->m.track_sid, p->track->sid);
	buf_reset(&r->m.published);
	proto_pack(&r->m.published, p);
}

static void on_moved(struct room *r, const Livekit__RoomMovedResponse *m)
{
	if (!str_blank(m->token))
		str_set(&r->token, m->token);
	take_room(r, m->room);
	if (m->participant)
		take_self(r, m->participant);
	participants_reset(&r->who, m->other_participants,
			   m->n_other_participants);
	listen_forget(r);
	listen_apply(r);
}

static void on_refused(const Livekit__RequestResponse *res)
{
	if (res->reason == LIVEKIT__REQUEST_RESPONSE__REASON__OK ||
	    res->reason == LIVEKIT__REQUEST_RESPONSE__REASON__QUEUED)
		return;
	log_event(LOG_WARN, "room.request_refused",
		  LOG_INT("reason", res->reason), LOG_INT("id", res->request_id),
		  LOG_STR("message", res->message));
}

static void on_subscription(struct room *r,
			    const Livekit__SubscriptionResponse *res)
{
	if (res->err == LIVEKIT__SUBSCRIPTION_ERROR__SE_UNKNOWN ||
	    !str_eq(res->track_sid, r->listen_sid))
		return;
	log_event(LOG_WARN, "room.subscription_failed", LOG_INT("err", res->err));
	/* asked for again with the next update of who is there */
	listen_forget(r);
}

/* The messages about tracks and media. */
static void on_media(struct room *r, const Livekit__SignalResponse *m)
{
	switch (m->message_case) {
	case LIVEKIT__SIGNAL_RESPONSE__MESSAGE_ANSWER:
		room_media_on_answer(r, m->answer);
		break;
	case LIVEKIT__SIGNAL_RESPONSE__MESSAGE_TRICKLE:
		room_media_on_candidate(r, m->trickle);
		break;
	case LIVEKIT__SIGNAL_RESPONSE__MESSAGE_MEDIA_SECTIONS_REQUIREMENT:
		room_media_on_requirement(r, m->media_sections_requirement);
		break;
	case LIVEKIT__SIGNAL_RESPONSE__MESSAGE_TRACK_PUBLISHED:
		on_published(r, m->track_published);
		break;
	case LIVEKIT__SIGNAL_RESPONSE__MESSAGE_TRACK_SUBSCRIBED:
		if (str_eq(m->track_subscribed->track_sid, r->m.track_sid) &&
		    r->ops.on_subscribed)
			r->ops.on_subscribed(r->arg);
		break;
	case LIVEKIT__SIGNAL_RESPONSE__MESSAGE_SUBSCRIPTION_RESPONSE:
		on_subscription(r, m->subscription_response);
		break;
	case LIVEKIT__SIGNAL_RESPONSE__MESSAGE_MUTE:
		if (str_eq(m->mute->sid, r->m.track_sid))
			atomic_store(&r->muted, m->mute->muted);
		break;
	default:
		break;
	}
}

void room_on_signal(struct room *r, const Livekit__SignalResponse *m)
{
	assert(r->depth > 0);
	if (!room_alive(r) &&
	    m->message_case != LIVEKIT__SIGNAL_RESPONSE__MESSAGE_LEAVE)
		return;
	switch (m->message_case) {
	case LIVEKIT__SIGNAL_RESPONSE__MESSAGE_JOIN:
		on_join(r, m->join);
		break;
	case LIVEKIT__SIGNAL_RESPONSE__MESSAGE_RECONNECT:
		room_media_add_relays(r, m->reconnect->ice_servers,
				 m->reconnect->n_ice_servers);
		link_reconnected(r, m->reconnect->last_message_seq);
		break;
	case LIVEKIT__SIGNAL_RESPONSE__MESSAGE_LEAVE:
		link_leave(r, m->leave);
		break;
	case LIVEKIT__SIGNAL_RESPONSE__MESSAGE_UPDATE:
		on_update(r, m->update);
		break;
	case LIVEKIT__SIGNAL_RESPONSE__MESSAGE_ROOM_UPDATE:
		take_room(r, m->room_update->room);
		break;
	case LIVEKIT__SIGNAL_RESPONSE__MESSAGE_REFRESH_TOKEN:
		if (!str_blank(m->refresh_token))
			str_set(&r->token, m->refresh_token);
		break;
	case LIVEKIT__SIGNAL_RESPONSE__MESSAGE_ROOM_MOVED:
		on_moved(r, m->room_moved);
		break;
	case LIVEKIT__SIGNAL_RESPONSE__MESSAGE_REQUEST_RESPONSE:
		on_refused(m->request_response);
		break;
	default:
		on_media(r, m);
	}
}
