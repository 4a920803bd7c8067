/*
 * call: one caller, from the job's assignment to the end of the phone leg.
 * Puts together room, audio, providers and policy around the turn machine
 * (turn.c, pure). On the loop; the two audio hand-overs run on media.
 *
 *	LiveKit -> rtc -> audio (VAD, reflex) -> stt -> turn machine -> policy
 *	LiveKit <- rtc <- audio (playout)     <- tts <- clauses <- llm <-'
 */
#ifndef FD_CALL_CALL_H
#define FD_CALL_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audio/audio.h"
#include "call/clinic.h"
#include "call/policy.h"
#include "livekit/livekit.h"

struct call;

/* Why a call ended; names in logs and records by call_end_name(). */
enum call_end {
	CALL_END_CALLER,      /* the caller hung up */
	CALL_END_AGENT,       /* the script or the model ended it */
	CALL_END_TRANSFERRED,
	CALL_END_SILENT,      /* nobody spoke for too long */
	CALL_END_LONGEST,     /* longest_call_s reached */
	CALL_END_SHUTDOWN,    /* SIGTERM, end of the shift */
	CALL_END_NO_CALLER,   /* nobody came, or the outbound leg failed */
	CALL_END_LOST,        /* room unreachable, or removed from it */
	CALL_END_ERROR,
};
const char *call_end_name(enum call_end e); /* [any] */

/* What happens in a call, for terminals, tests and records. text is personal.
 * at_ms counts from the call's start. */
enum call_note_type {
	NOTE_JOINED, NOTE_ANSWERED, NOTE_CALLER_TEXT, NOTE_AGENT_TEXT,
	NOTE_TOOL, NOTE_TOOL_DONE, NOTE_INTERRUPTED, NOTE_LATENCY,
	NOTE_TROUBLE, NOTE_ENDED,
};
struct call_note {
	enum call_note_type type;
	int64_t at_ms;
	const char *text;   /* words, tool name, trouble */
	int ms;             /* LATENCY: end of speech to first sound; durations */
};

struct call_host { /* what all calls share; borrowed */
	struct loop *loop;
	struct media *const *media;
	int n_media;
	struct providers *providers;
	struct lk_api *api;
	const struct policy_ops *policy;
	const char *ca_file;
	bool no_udp, loopback;
	/* A note of any call; may be NULL. */
	void (*on_note)(void *arg, struct call *c, const struct call_note *n);
	/* A call's room is being joined anew, or was: the server may end its
	 * job for that, which is no end of the call. May be NULL. */
	void (*on_rejoin)(void *arg, struct call *c);
	/* A call has left its room and is freed, or its phone leg has been hung
	 * up: n_open may be 0 now. May be NULL. */
	void (*on_gone)(void *arg);
	void *arg;
	int n_open; /* calls not yet freed, and legs being hung up */
};

struct call_cfg { /* strings are copied */
	const char *id;          /* job id */
	const char *room_url, *token;
	const char *room_name;
	const char *metadata;    /* of the job */
	const char *caller;      /* identity to wait for; NULL: the first */
	struct bundle *bundle;
	const struct clinic *clinic;
};
/* The call has ended, told exactly once and before the room is left, so that
 * the job's status goes out first. c must not be used after it returns; the
 * host's on_gone tells when its memory is free. */
typedef void (call_end_h)(void *arg, struct call *c, enum call_end end);

/* Starts joining. fn runs later, never inside. */
int call_start(struct call **ret_call, struct call_host *h,
	       const struct call_cfg *cfg, call_end_h *fn, void *arg);
/* Ends it: says the clinic's goodbye first when grace_ms allows (0: at once,
 * silently), ends the phone leg. */
void call_shut(struct call *c, enum call_end end, int grace_ms);

/* ---- what scripts may ask [loop] ------------------------------------------- */

const char *call_id(const struct call *c);
const char *call_room(const struct call *c);
const char *call_metadata(const struct call *c);   /* of the job, "" none */
const char *call_caller_number(const struct call *c); /* "" unknown */
const char *call_number_called(const struct call *c); /* "" unknown */
const char *call_caller_attribute(const struct call *c, const char *key);
const char *call_language(const struct call *c);
/* A tag of the clinic's list, else ERR_REQUEST. STT changes at once, the voice
 * with what is said next. */
int call_set_language(struct call *c, const char *tag);
struct loop *call_loop(const struct call *c);
int64_t call_ms(const struct call *c);              /* since its start */

struct call_say {
	const char *text;
	const char *language;   /* NULL: the call's */
	bool uninterruptible;
	bool forget;            /* keep it out of the model's history */
};
/* Says a text after what is queued already; *ret_utterance names it. */
int call_say(struct call *c, const struct call_say *s, uint32_t *ret_utterance);
/* A shipped line ("apology", "emergency", ...): needs no provider. */
int call_say_line(struct call *c, const char *name, uint32_t *ret_utterance);
/* fn once when the utterance is over: status 0 heard whole, -ECANCELED cut
 * short, else why it was not spoken; heard: the words that were heard. At
 * once (but not inside this call) when it is over already. */
typedef void (call_said_h)(void *arg, int status, const char *heard);
void call_on_said(struct call *c, uint32_t utterance, call_said_h *fn, void *arg);
/* Forgets all watchers with this arg. */
void call_said_forget(struct call *c, void *arg);
/* The model answers now, with an extra instruction for this once (or NULL). */
void call_reply(struct call *c, const char *extra);
/* Hangs up when what is queued has been heard. */
void call_hangup(struct call *c, const char *reason);
/* Transfers the phone leg to a number ("+92...") or SIP address when what is
 * queued has been heard. fn(0): the caller is gone, the call ends. Else the
 * call goes on; sip_status is 0 or the phone's answer. Not a phone leg:
 * ERR_REQUEST. */
typedef void (call_transfer_h)(void *arg, int err, int sip_status);
int call_transfer(struct call *c, const char *to, call_transfer_h *fn, void *arg);
void call_transfer_forget(struct call *c); /* fn will not run */
int call_send_dtmf(struct call *c, const char *keys);
void call_set_attribute(struct call *c, const char *key, const char *value);
/* What kind of answer is awaited next: digits get more patience, a yes less.
 * digits: how many the number has, it ends at its last; 0 unknown. */
enum call_await { CALL_AWAIT_ANY, CALL_AWAIT_SHORT, CALL_AWAIT_DIGITS,
		  CALL_AWAIT_LONG };
void call_await(struct call *c, enum call_await what, int digits);
/* The conversation so far: [{role, content}], borrowed until next change. */
const cJSON *call_history(const struct call *c);

/* Answers to policy_ops: how on_turn ended. REPLY: the model answers. */
enum call_turn_result { CALL_TURN_REPLY, CALL_TURN_HANDLED, CALL_TURN_FAILED };
void call_turn_done(struct call *c, uint32_t turn, enum call_turn_result r);
/* The tool's result, JSON text; unknown and late ids are kept for the model's
 * next turn, never lost. */
void call_tool_done(struct call *c, const char *id, const char *result);

#endif
