/*
 * What leaves: frames made ahead from what the loop feeds, one packet a beat.
 * All [media] except create and destroy.
 */
#ifndef FD_AUDIO_PLAYOUT_INT_H
#define FD_AUDIO_PLAYOUT_INT_H

#include "audio/audio.h"
#include "base/ring.h"

enum {
	PLAYOUT_SLOTS = 8,     /* utterances that media knows at once */
	PLAYOUT_FILLER = 8,    /* the slot of the armed filler, after those */
	PLAYOUT_AHEAD = 20,    /* frames encoded ahead: 400 ms */
};

/* Messages of the feed ring, loop to media: a head, then PCM (n samples) or
 * one Opus packet (n bytes). BEGIN binds a slot to an utterance. */
enum feed_type { FEED_BEGIN, FEED_PCM, FEED_PACKET, FEED_END };

struct feed {
	uint8_t type;
	uint8_t slot;
	uint16_t n;
	uint32_t utterance;
};

struct playout;

/* STARTED and ENDED. Below 0: could not be told now, ENDED is tried again. */
typedef int (playout_note_h)(void *arg, enum audio_event_type type,
			     uint32_t utterance, uint32_t heard_ms, bool cut);

int playout_create(struct playout **ret_playout, const struct audio_cfg *cfg,
		   struct ring *feed, playout_note_h *note, void *arg);
void playout_destroy(struct playout *p); /* NULL is fine */

/* Makes one more frame ahead; false when there is nothing or no room. */
bool playout_fill(struct playout *p);
/* The packet of this beat: sound, fade or silence. Always one. */
void playout_next(struct playout *p, struct audio_packet *out);

void playout_pause(struct playout *p);
void playout_resume(struct playout *p);
/* Ends the utterance in that slot; returns whether it was the one playing
 * (or next to play). fed: messages written to the feed before the cut. */
bool playout_cut(struct playout *p, uint8_t slot, uint32_t utterance,
		 uint64_t fed);
/* Plays a line as the filler's utterance; only when not playout_busy(). */
void playout_filler(struct playout *p, uint32_t utterance,
		    const struct audio_line *line);
/* The filler's id while it plays, else 0. */
uint32_t playout_filler_id(const struct playout *p);

/* Something plays, waits or is open. Looks into the feed. */
bool playout_busy(struct playout *p);
/* The utterance that plays (or plays next), 0 none; *ret_heard_ms of it. */
uint32_t playout_current(const struct playout *p, uint32_t *ret_heard_ms);
/* Samples taken from the feed that were sent or thrown away. [any] */
uint64_t playout_consumed(const struct playout *p);
uint64_t playout_underruns(const struct playout *p);

#endif
