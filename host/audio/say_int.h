/* The loop's side of what we say: utterances and audio that wait for room in
 * the feed ring. All [loop]. */
#ifndef FD_AUDIO_SAY_INT_H
#define FD_AUDIO_SAY_INT_H

#include "audio/playout_int.h"

struct said;

/* Audio may come late for that many of the utterances that ended last; for an
 * older one it would be taken for a new utterance. */
enum { SAY_REMEMBERED = 256 };

/* Embedded. */
struct say {
	struct ring *feed;
	struct said *first;      /* utterances not yet told over, in order */
	bool slots[PLAYOUT_SLOTS];
	uint64_t fed;            /* messages written to the feed, ever */
	uint64_t queued;         /* samples accepted, ever */
	uint64_t dropped;        /* ... and cut before they were fed */
	uint32_t over[SAY_REMEMBERED]; /* the latest that ended */
	unsigned n_over;
	bool waiting;            /* the feed was full */
};

enum say_cut { SAY_UNKNOWN, SAY_WAITING, SAY_FED };

void say_init(struct say *s, struct ring *feed);
void say_finish(struct say *s);
/* Appends; 0 or ERR_FULL, -ENOMEM. unsent: samples that still wait. Audio of
 * an utterance that is over is swallowed. */
int say_pcm(struct say *s, uint32_t utterance, const int16_t *pcm, size_t n,
	    uint64_t unsent);
int say_line(struct say *s, uint32_t utterance, const struct audio_line *line,
	     uint64_t unsent);
/* No more audio. False when it never had any: it is over now. */
bool say_end(struct say *s, uint32_t utterance);
/* Forgets what waits. SAY_FED: media knows of it, in *ret_slot; it is over
 * when media says so. SAY_WAITING: it never left, and is over now. The next
 * one may be fed: pump afterwards. */
enum say_cut say_cut(struct say *s, uint32_t utterance, uint8_t *ret_slot);
/* Any utterance not yet cut, 0 none: for cutting all. */
uint32_t say_any(const struct say *s);
/* Whether it ended or was cut. */
bool say_is_over(const struct say *s, uint32_t utterance);
/* Media told its end. */
void say_ended(struct say *s, uint32_t utterance);
/* Moves what fits into the feed ring. */
void say_pump(struct say *s);

#endif
