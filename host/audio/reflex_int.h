/* When playout falls silent by itself, and when it goes on by itself. */
#ifndef FD_AUDIO_REFLEX_INT_H
#define FD_AUDIO_REFLEX_INT_H

#include "audio/audio.h"

/* Embedded; zeroed is disarmed. */
struct reflex {
	struct audio_reflex arm;
	bool spent;          /* fired in this run of the caller's voice */
	bool paused;
	bool by_reflex;      /* ... with a verdict awaited */
	uint32_t epoch;      /* of the arming in force when it paused */
	int64_t verdict_us;  /* when it resumes by itself */
};

enum reflex_act { REFLEX_NONE, REFLEX_PAUSE, REFLEX_RESUME };

/* [media], all. */
void reflex_arm(struct reflex *r, const struct audio_reflex *arm);
/* run_ms: length of the caller's present run of voice, 0 none. busy: there
 * is something of ours that plays or waits. */
enum reflex_act reflex_step(struct reflex *r, int run_ms, bool busy,
			    int64_t now_us);
/* The loop's orders: true when something changes. */
bool reflex_pause(struct reflex *r);
bool reflex_resume(struct reflex *r, uint32_t epoch);
/* What was paused is cut: the pause is over, and the next voice counts anew. */
void reflex_cut(struct reflex *r);

#endif
