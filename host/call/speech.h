/*
 * speech: what we say. A queue of utterances, each made of clauses; text goes
 * to TTS one utterance at a time, audio to playout as it comes, and what the
 * caller heard of it is known at every moment. On the loop. Private to call.
 */
#ifndef FD_CALL_SPEECH_H
#define FD_CALL_SPEECH_H

#include <stdbool.h>
#include <stdint.h>

#include "audio/audio.h"
#include "call/clause.h"
#include "call/call.h"

struct speech;

struct speech_clause {
	char *text;
	size_t samples; /* of its audio so far, 24 kHz */
};

struct speech_watch {
	struct speech_watch *next;
	call_said_h *fn;
	void *arg;
};

struct utterance {
	struct utterance *next;
	struct speech *speech;
	uint32_t id;
	const struct clinic_language *language;
	struct clauser clauser;
	struct speech_clause *clauses;
	size_t n_clauses;
	size_t n_pushed;      /* given to TTS */
	struct tts *tts;
	bool open;            /* more text may come */
	bool finished;        /* TTS knows that no more text comes */
	bool complete;        /* all its audio is with playout */
	bool started, ended;
	bool cut;             /* its end is on its way */
	bool uninterruptible, forget;
	bool filler;          /* a stored line that is no answer */
	const struct audio_line *line;
	int err;              /* why it was not spoken whole */
	int64_t started_ms;   /* on the loop's clock */
	int64_t paused_ms;    /* when a pause began; 0 none */
	cJSON *entry;         /* of the history, borrowed; NULL none */
	struct speech_watch *watches;
};

struct speech_ops {
	void (*on_started)(void *arg, struct utterance *u);
	/* heard: fresh text, taken by the receiver's caller (borrowed). */
	void (*on_ended)(void *arg, struct utterance *u, const char *heard,
			 bool cut);
	void (*on_failed)(void *arg, struct utterance *u, int err);
	void (*on_change)(void *arg); /* busy may have changed */
};

int speech_create(struct speech **ret_speech, struct loop *l,
		  struct providers *p, struct audio *a,
		  const struct speech_ops *ops, void *arg);
void speech_destroy(struct speech *s); /* NULL is fine; watchers are told */

/* A new utterance at the end of the queue. Text may be added until closed. */
struct utterance *speech_open(struct speech *s,
			      const struct clinic_language *language);
void speech_add(struct utterance *u, const char *text);
void speech_close(struct utterance *u);
/* A stored line; now: before everything that does not sound yet. */
struct utterance *speech_line(struct speech *s, const struct audio_line *line,
			      const char *text, bool filler);
/* The id that the media thread's armed filler will have. */
uint32_t speech_arm_filler(struct speech *s, const struct audio_line *line,
			   const char *text, int after_ms);
/* Ends all of it: cut with a fade, nothing more is spoken. */
void speech_cut(struct speech *s);
/* From the audio path. */
void speech_on_audio(struct speech *s, const struct audio_event *e);
/* Something is not with playout yet, or has not begun to sound. */
bool speech_busy(const struct speech *s);
bool speech_more_queued(const struct speech *s);
struct utterance *speech_find(struct speech *s, uint32_t id);
/* The utterance that sounds now, NULL if none. */
struct utterance *speech_sounding(const struct speech *s);
/* Its words up to heard_ms, in fresh memory. */
char *speech_heard(const struct utterance *u, int heard_ms);
/* How much of it has sounded by now, an estimate between events. */
int speech_heard_ms(const struct utterance *u, int64_t now_ms);
void speech_watch(struct speech *s, uint32_t id, call_said_h *fn, void *arg);
void speech_unwatch(struct speech *s, void *arg);

#endif
