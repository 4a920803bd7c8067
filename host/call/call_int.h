/* The inside of a call; shared by the files of this folder only. */
#ifndef FD_CALL_CALL_INT_H
#define FD_CALL_CALL_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "call/call.h"
#include "call/history.h"
#include "call/speech.h"
#include "call/turn.h"

enum { TOOLS_MAX = 16, TOOL_ROUNDS_MAX = 6,
       CALLER_WAIT_MS = 180000 }; /* for the caller to come, and to hear us */

struct reply_tool {
	char *id, *name, *arguments;
	bool done;
};

/* The model's answer that is being made. */
struct reply {
	struct llm *llm;
	bool running;          /* of this turn: model, or tools it asked for */
	bool guess;            /* started before the turn was sure */
	bool guess_done;       /* the guess's stream has ended ... */
	int guess_err;         /* ... so (0, or below 0) */
	struct buf held;       /* its text, until it is taken */
	uint32_t utterance;    /* being spoken; 0 none yet */
	cJSON *entry;          /* of this round in the history; NULL none yet */
	struct buf text;       /* of this round */
	struct reply_tool tools[TOOLS_MAX];
	int n_tools;
	int rounds;
};

/* What is told to front ends as text streams. */
struct transcript {
	struct room_text *agent;  /* open while an utterance sounds */
	char *agent_segment;
	char *agent_told;         /* what was written of it */
	char *user_segment;       /* NULL between utterances */
	char *user_last;          /* of the last turn */
	int64_t user_sent_ms;
	struct timer tick;
};

struct feed { /* a turn event that waits its turn */
	struct feed *next;
	struct turn_event e;
	char *text;
};

struct call {
	struct call_host *host;
	struct bundle *bundle;
	const struct clinic *clinic;
	char *id, *room_name, *metadata, *want_caller;
	call_end_h *end_fn;
	void *end_arg;
	int64_t started_ms;

	struct media *media;
	struct audio *audio;
	struct room *room;
	bool media_live;        /* [media]: the hand-overs below may run */
	struct stt *stt;
	const struct clinic_language *language;
	struct policy *policy;
	bool policy_turn;       /* the script works on a turn */
	uint32_t turn_id;

	char *caller;           /* identity; NULL: nobody yet */
	enum lk_kind caller_kind;
	char *caller_sid;       /* of the caller's track, for transcripts */
	bool up, subscribed, answered, ended;
	enum call_end end;
	struct timer wait;      /* for the caller to come, hear us, come back */
	struct timer tick;      /* turn_due() */
	struct timer finish;    /* the end, outside of callbacks */

	struct turn turn;
	struct feed *feeds;
	bool feeding, busy;
	char *last_heard;       /* of our last utterance */
	char *last_text;        /* the caller's last turn */
	struct stt_word *words; /* of the present turn */
	size_t n_words;
	float confidence;
	int64_t speech_end_ms;  /* for the latency figure; -1 taken */

	struct speech *speech;
	struct reply reply;
	struct history history;
	struct transcript transcript;

	call_transfer_h *transfer_fn;
	void *transfer_arg;
	char *transfer_to;
	struct lk_call *transfer_req, *dial_req;
	bool dialled;
};

/* call.c */
int64_t call_now_ms(const struct call *c);
void call_note(struct call *c, enum call_note_type type, const char *text,
	       int ms);
void call_finish(struct call *c, enum call_end end);
/* The caller can hear us: the script begins. */
void call_answered(struct call *c);
const struct clinic_language *call_find_language(const struct call *c,
						 const char *tag);
/* room.c */
extern const struct room_ops call_room_ops;
/* ears.c */
int call_ears_open(struct call *c);
extern const struct audio_ops call_audio_ops;
/* conduct.c: the turn machine's surroundings */
void call_feed(struct call *c, enum turn_event_type type, const char *text,
	       uint32_t epoch, int n, bool flag);
void call_busy_check(struct call *c);
/* Of the present turn, as the provider timed them. */
void call_forget_words(struct call *c);
extern const struct speech_ops call_speech_ops;
/* The stored line of that name in the call's language. */
const struct audio_line *call_line(struct call *c, const char *name,
				   const char **ret_text);
/* reply.c */
void reply_guess(struct call *c, const char *text);
void reply_unguess(struct call *c);
void reply_start(struct call *c, const char *extra);
void reply_cancel(struct call *c);
/* An utterance of the reply ended; heard replaces its words if cut. */
void reply_said(struct call *c, struct utterance *u, const char *heard, bool cut);
bool reply_busy(const struct call *c);
/* transcript.c */
void transcript_init(struct call *c);
void transcript_finish(struct call *c);
void transcript_state(struct call *c, const char *state);
void transcript_user(struct call *c, const char *text, bool final);
/* The last turn was taken back: what comes now replaces its words. */
void transcript_user_again(struct call *c);
void transcript_agent_begin(struct call *c, struct utterance *u);
void transcript_agent_end(struct call *c, const char *heard);
/* leg.c: the phone leg */
void leg_dial(struct call *c);
void leg_hang_up(struct call *c);
void leg_transfer_start(struct call *c);
void leg_finish(struct call *c);

#endif
