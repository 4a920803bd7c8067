/*
 * Whom we hear: one participant's microphone and no other track. On the loop;
 * want_mid tells the media thread which section that is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/thread.h"
#include "livekit/room_int.h"

/* What the server needs to have a subscribed track at hand. */
#define TRACK_READY_MS 15

static void subscribe(struct room *r, const char *track_sid, bool on)
{
	Livekit__UpdateSubscription sub = LIVEKIT__UPDATE_SUBSCRIPTION__INIT;
	Livekit__SignalRequest m = LIVEKIT__SIGNAL_REQUEST__INIT;
	char *sids[] = { (char *)track_sid };

	sub.n_track_sids = 1;
	sub.track_sids = sids;
	sub.subscribe = on;
	m.message_case = LIVEKIT__SIGNAL_REQUEST__MESSAGE_SUBSCRIPTION;
	m.subscription = &sub;
	link_send(r, &m);
}

/* Mids are short ("1"): they fit a word that media can read at once. */
static uint64_t mid_word(const char *mid)
{
	uint64_t word = 0;
	size_t n = strlen(mid);

	memcpy(&word, mid, n < sizeof word ? n : sizeof word);
	return word;
}

void listen_forget(struct room *r)
{
	free(r->listen_sid);
	r->listen_sid = NULL;
	atomic_store(&r->want_mid, 0);
}

void listen_apply(struct room *r)
{
	const struct participant *p = participants_find(&r->who, r->listen);
	const char *want = r->listen && p ? p->pub.audio_sid : NULL;

	if (!r->sig_ready || str_eq(want, r->listen_sid))
		return;
	if (r->listen_sid && participants_by_track(&r->who, r->listen_sid))
		subscribe(r, r->listen_sid, false);
	listen_forget(r);
	if (!want)
		return;
	r->listen_sid = str_dup(want);
	subscribe(r, want, true);
	/* A track is put on a section by an offer only. The server would ask
	 * for it by itself, but 150 ms later. */
	room_media_offer_in(r, TRACK_READY_MS);
}

/* An answer told which track is on which section now. */
void listen_mapped(struct room *r, void *const *mids, size_t n)
{
	uint64_t word = 0;

	for (size_t i = 0; i < n; i++) {
		const struct proto_entry *e = mids[i];
		if (r->listen_sid && str_eq(e->value, r->listen_sid))
			word = mid_word(e->key);
	}
	atomic_store(&r->want_mid, word);
	struct participant *p = participants_by_track(&r->who, r->listen_sid);
	if (p)
		participants_subscribed(&r->who, p, word != 0);
}

void room_listen(struct room *r, const char *identity)
{
	ON_LOOP();
	if (str_eq(identity, r->listen))
		return;
	struct participant *old = participants_find(&r->who, r->listen);
	str_set(&r->listen, identity);
	if (old)
		old->pub.audio_subscribed = false;
	listen_apply(r);
}
