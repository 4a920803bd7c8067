/* The audio object: what the loop owns, what media owns, and the rings. */
#ifndef FD_AUDIO_AUDIO_INT_H
#define FD_AUDIO_AUDIO_INT_H

#include <stdatomic.h>

#include "audio/audio.h"
#include "audio/decode_int.h"
#include "audio/input_int.h"
#include "audio/jitter_int.h"
#include "audio/playout_int.h"
#include "audio/reflex_int.h"
#include "audio/say_int.h"
#include "base/buf.h"
#include "base/ring.h"

enum {
	FEED_BYTES = 1 << 16,     /* 67 frames of PCM: 1.3 s */
	COMMAND_BYTES = 1 << 12,
	REPORT_BYTES = 1 << 16,   /* 48 posts of 40 ms: 1.9 s, and events */
	REPORT_RESERVE = 1 << 13, /* left free by PCM, for events */
	FILLERS_KEPT = 8,
	POST_MAX_MS = 100,
	POST_MAX = AUDIO_IN_HZ / 1000 * POST_MAX_MS,
};

/* Loop to media, small and at once; sound goes through the feed ring. */
enum command_type {
	COMMAND_CUT,        /* utterance in slot */
	COMMAND_CUT_ALL,    /* after a CUT for each: filler and pause */
	COMMAND_PAUSE,
	COMMAND_RESUME,     /* epoch */
	COMMAND_ARM,        /* reflex */
	COMMAND_FILLER,     /* utterance, line (NULL disarms), ms */
};

struct command {
	enum command_type type;
	uint32_t utterance;
	uint8_t slot;
	int ms;
	uint32_t epoch;
	uint64_t fed;       /* CUT: messages in the feed before it */
	const struct audio_line *line;
	struct audio_reflex reflex;
};

/* Media to loop: an event, or the head of PCM that follows. */
struct report {
	bool pcm;
	uint16_t n;
	float voice_prob;
	int64_t at_us;
	struct audio_event event;
};

struct counters {
	_Atomic uint64_t received, late, lost, concealed, fec_used, resets,
		beats, sent, underruns, dropped;
	_Atomic uint32_t jitter_ms;
};

struct audio {
	/* immutable after create and attach */
	struct audio_ops ops;
	void *arg;
	size_t post_samples;
	struct ring *feed, *commands, *reports;
	struct wake *wake;
	struct media *media;
	struct loop *loop;

	/* [loop] */
	struct say say;
	struct buf unsent;        /* commands that found no room */
	struct buf ended;         /* events of utterances media never saw */
	uint32_t fillers[FILLERS_KEPT]; /* ids armed lately */
	unsigned n_fillers;
	bool filler_armed;        /* as far as the loop knows */
	bool *gone;               /* set by audio_close() inside a callback */

	/* [media] */
	struct jitter *jitter;
	struct decode *decode;
	struct input input;
	struct reflex reflex;
	struct playout *playout;
	const struct audio_line *filler_line; /* armed, or NULL */
	uint32_t filler_utterance;
	int64_t filler_us;        /* when it begins */
	int64_t due_us;           /* when this beat should have been, 0: none yet */
	int64_t least_late_us;    /* of the last phase_beats beats */
	int phase_beats;
	uint32_t ticks;
	int64_t now_us;           /* of the present beat */
	bool news;                /* the loop should look into reports */
	size_t post_n;
	int16_t post[POST_MAX];

	/* [any] */
	_Atomic bool loop_waits;  /* the loop has more than fits */
	_Atomic int64_t beat_us;  /* of the latest beat */
	struct counters counters;
};

#endif
