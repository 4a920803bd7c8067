/*
 * The table of participants. A participant is known by its identity: when it
 * comes back with a new sid it is the same person with new tracks. On the
 * loop; calls back, never sends.
 */
#include "livekit/participants_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

void participants_init(struct participants *ps, participant_h *fn, void *arg)
{
	*ps = (struct participants){ .fn = fn, .arg = arg };
}

static void free_participant(struct participant *p)
{
	free((char *)p->pub.sid);
	free((char *)p->pub.identity);
	free((char *)p->pub.name);
	free((char *)p->pub.metadata);
	free((char *)p->pub.audio_sid);
	free(p->video_sids);
	pairs_free(p->attributes);
	free(p);
}

void participants_finish(struct participants *ps)
{
	for (size_t i = 0; i < ps->n; i++)
		free_participant(ps->list[i]);
	free(ps->list);
	*ps = (struct participants){ 0 };
}

struct participant *participants_find(const struct participants *ps,
				      const char *identity)
{
	for (size_t i = 0; i < ps->n; i++) {
		if (str_eq(ps->list[i]->pub.identity, identity))
			return ps->list[i];
	}
	return NULL;
}

struct participant *participants_by_track(const struct participants *ps,
					  const char *audio_sid)
{
	for (size_t i = 0; audio_sid && i < ps->n; i++) {
		if (str_eq(ps->list[i]->pub.audio_sid, audio_sid))
			return ps->list[i];
	}
	return NULL;
}

const char *room_attribute(const struct room_participant *p, const char *key)
{
	return pairs_get(((const struct participant *)p)->attributes, key);
}

static struct participant *add(struct participants *ps, const char *identity)
{
	struct participant *p = calloc(1, sizeof *p);

	if (ps->n == ps->cap) {
		ps->cap = ps->cap ? 2 * ps->cap : 4;
		ps->list = realloc(ps->list, ps->cap * sizeof *ps->list);
	}
	if (!p || !ps->list)
		abort();
	p->pub.identity = str_dup(identity);
	ps->list[ps->n++] = p;
	return p;
}

static void remove_at(struct participants *ps, size_t i, int reason)
{
	struct participant *p = ps->list[i];

	/* out of the table first: the callback may look around */
	ps->list[i] = ps->list[--ps->n];
	p->pub.active = false;
	p->pub.leave_reason = reason;
	ps->fn(ps->arg, &p->pub, ROOM_P_LEFT);
	free_participant(p);
}

/* The audio to listen to: a microphone; else one of unknown source. What is
 * encrypted end to end cannot be decoded here and counts as absent. */
static const Livekit__TrackInfo *voice_track(const Livekit__ParticipantInfo *in)
{
	const Livekit__TrackInfo *other = NULL;

	for (size_t i = 0; i < in->n_tracks; i++) {
		const Livekit__TrackInfo *t = in->tracks[i];
		if (t->type != LIVEKIT__TRACK_TYPE__AUDIO ||
		    t->encryption != LIVEKIT__ENCRYPTION__TYPE__NONE)
			continue;
		if (t->source == LIVEKIT__TRACK_SOURCE__MICROPHONE)
			return t;
		if (t->source == LIVEKIT__TRACK_SOURCE__UNKNOWN && !other)
			other = t;
	}
	return other;
}

static void note_videos(struct participant *p, const Livekit__ParticipantInfo *in)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < in->n_tracks; i++) {
		if (in->tracks[i]->type == LIVEKIT__TRACK_TYPE__VIDEO)
			buf_printf(&b, "%s ", in->tracks[i]->sid);
	}
	free(p->video_sids);
	p->video_sids = buf_take(&b);
}

static void set_str(const char **dst, const char *src)
{
	if (!str_eq(*dst, src))
		str_set((char **)dst, src);
}

static void fill(struct participant *p, const Livekit__ParticipantInfo *in)
{
	const Livekit__TrackInfo *t = voice_track(in);
	struct lk_pair *view = proto_pairs((void **)in->attributes,
					   in->n_attributes);

	if (!t || !str_eq(p->pub.audio_sid, t->sid))
		p->pub.audio_subscribed = false;
	set_str(&p->pub.sid, in->sid);
	set_str(&p->pub.name, in->name);
	set_str(&p->pub.metadata, in->metadata);
	set_str(&p->pub.audio_sid, t ? t->sid : NULL);
	p->pub.audio_muted = t && t->muted;
	p->pub.kind = (enum lk_kind)in->kind;
	p->pub.active = in->state == LIVEKIT__PARTICIPANT_INFO__STATE__ACTIVE;
	p->pub.client_protocol = in->client_protocol;
	p->version = in->version;
	pairs_free(p->attributes);
	p->attributes = pairs_copy(view);
	note_videos(p, in);
	free(view);
}

static size_t index_of(const struct participants *ps, const char *identity)
{
	size_t i = 0;

	while (i < ps->n && !str_eq(ps->list[i]->pub.identity, identity))
		i++;
	return i;
}

void participants_apply(struct participants *ps,
			const Livekit__ParticipantInfo *in)
{
	bool gone = in->state == LIVEKIT__PARTICIPANT_INFO__STATE__DISCONNECTED;
	size_t i = index_of(ps, in->identity);

	if (str_blank(in->identity))
		return; /* hidden, or an entry we cannot name */
	if (i == ps->n) {
		if (gone)
			return;
		struct participant *p = add(ps, in->identity);
		fill(p, in);
		ps->fn(ps->arg, &p->pub, ROOM_P_JOINED);
		return;
	}
	struct participant *p = ps->list[i];
	bool same = str_eq(p->pub.sid, in->sid);
	if (gone) {
		/* of an older session of the same person: not this one */
		if (same)
			remove_at(ps, i, in->disconnect_reason);
		return;
	}
	if (same && in->version < p->version)
		return;
	fill(p, in);
	ps->fn(ps->arg, &p->pub, ROOM_P_UPDATED);
}

void participants_reset(struct participants *ps,
			Livekit__ParticipantInfo *const *all, size_t n)
{
	for (size_t i = 0; i < ps->n; i++) {
		ps->list[i]->seen = false;
		/* a new session: nothing of ours reaches us until it says so */
		ps->list[i]->pub.audio_subscribed = false;
		ps->list[i]->version = 0;
	}
	for (size_t i = 0; i < n; i++) {
		struct participant *p = participants_find(ps, all[i]->identity);
		if (p)
			p->seen = true;
	}
	for (size_t i = ps->n; i-- > 0;) {
		/* a callback cannot shrink the table: only updates do */
		if (!ps->list[i]->seen)
			remove_at(ps, i, 0);
	}
	for (size_t i = 0; i < n; i++)
		participants_apply(ps, all[i]);
}

void participants_subscribed(struct participants *ps, struct participant *p,
			     bool on)
{
	if (p->pub.audio_subscribed == on)
		return;
	p->pub.audio_subscribed = on;
	ps->fn(ps->arg, &p->pub, ROOM_P_UPDATED);
}
