/*
 * Who is in the room: full snapshots ordered by version. No socket, no
 * thread, no room; events go to a callback.
 */
#ifndef FD_LIVEKIT_PARTICIPANTS_INT_H
#define FD_LIVEKIT_PARTICIPANTS_INT_H

#include "livekit/proto_int.h"

struct participant {
	struct room_participant pub; /* first: handed out as such */
	struct lk_pair *attributes;
	uint32_t version;
	char *video_sids;            /* its video tracks, ended by blanks */
	bool seen;                   /* while a snapshot of all is applied */
};

typedef void (participant_h)(void *arg, const struct room_participant *p,
			     enum room_change change);

struct participants {
	struct participant **list;
	size_t n, cap;
	participant_h *fn;
	void *arg;
};

void participants_init(struct participants *ps, participant_h *fn, void *arg);
void participants_finish(struct participants *ps);
/* One entry of an update. Ours (sid or identity equal to own) is not for us. */
void participants_apply(struct participants *ps,
			const Livekit__ParticipantInfo *info);
/* All that are present, own excluded: who is missing has left. */
void participants_reset(struct participants *ps,
			Livekit__ParticipantInfo *const *all, size_t n);
struct participant *participants_find(const struct participants *ps,
				      const char *identity);
struct participant *participants_by_track(const struct participants *ps,
					  const char *audio_sid);
/* Notes that its audio track reaches us, or no more. */
void participants_subscribed(struct participants *ps, struct participant *p,
			     bool on);

#endif
