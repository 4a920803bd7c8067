/*
 * What we say about ourselves. Each update is a broadcast and a new token at
 * the server, so changes of 50 ms go out together. All ever set is kept: a
 * new session is told everything again. On the loop.
 */
#include <stdlib.h>

#include "base/str.h"
#include "base/thread.h"
#include "livekit/room_int.h"

#define GATHER_MS 50

static void say(void *arg)
{
	struct room *r = arg;
	Livekit__UpdateParticipantMetadata u =
		LIVEKIT__UPDATE_PARTICIPANT_METADATA__INIT;
	Livekit__SignalRequest m = LIVEKIT__SIGNAL_REQUEST__INIT;
	struct proto_map map;

	if (!pairs_count(r->unsaid))
		return;
	proto_map_init(&map,
		&livekit__update_participant_metadata__attributes_entry__descriptor,
		r->unsaid);
	u.n_attributes = map.n;
	u.attributes = (void *)map.ptrs;
	u.request_id = ++r->request_id;
	m.message_case = LIVEKIT__SIGNAL_REQUEST__MESSAGE_UPDATE_METADATA;
	m.update_metadata = &u;
	/* without a socket they stay unsaid until attributes_repeat() */
	if (link_send(r, &m)) {
		pairs_free(r->unsaid);
		r->unsaid = NULL;
	}
	proto_map_free(&map);
}

void attributes_init(struct room *r)
{
	timer_init(&r->say_timer, loop_clock(r->loop), say, r);
}

void attributes_finish(struct room *r)
{
	timer_stop(&r->say_timer);
	pairs_free(r->own);
	pairs_free(r->unsaid);
	r->own = r->unsaid = NULL;
}

void attributes_repeat(struct room *r, bool all)
{
	if (all) {
		pairs_free(r->unsaid);
		r->unsaid = pairs_copy(r->own);
	}
	if (pairs_count(r->unsaid))
		timer_start(&r->say_timer, 0);
}

void room_set_attributes(struct room *r, const struct lk_pair *attrs)
{
	ON_LOOP();
	for (; room_alive(r) && attrs && attrs->key; attrs++) {
		if (str_eq(pairs_get(r->own, attrs->key),
			   attrs->value ? attrs->value : ""))
			continue;
		pairs_set(&r->own, attrs->key, attrs->value);
		pairs_set(&r->unsaid, attrs->key, attrs->value);
	}
	if (pairs_count(r->unsaid) && !timer_active(&r->say_timer) &&
	    room_alive(r))
		timer_start(&r->say_timer, GATHER_MS);
}
