/*
 * What a call asks of its clinic's script. The table is implemented once, by
 * bindings/ (Lua); tests implement it in C. Everything on the loop. A policy
 * function starts work and returns at once; what it decides comes back
 * through the call_*() functions of call.h, now or later. None of them fails:
 * an error in the script is logged there and answered by the fallback
 * (CALL_TURN_FAILED, an error result for a tool).
 */
#ifndef FD_CALL_POLICY_H
#define FD_CALL_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "provider/provider.h"

struct call;
struct bundle; /* a clinic's compiled scripts, owned by bindings */
struct policy; /* one Lua state, one call */

struct policy_turn {
	uint32_t id;            /* to be given to call_turn_done() */
	const char *text;       /* what the caller said */
	const char *language;
	float confidence;
	const struct stt_word *words;
	size_t n_words;
	bool interrupted;       /* said over our last words */
	const char *heard;      /* of our last words, as far as heard */
	bool typed;             /* by chat, not by voice */
};

struct policy_prompt {
	char *instructions;     /* system message; fresh, free() */
	cJSON *tools;           /* [{name, description, parameters}]; fresh */
};

struct policy_ops {
	int (*open)(struct policy **ret_policy, struct bundle *b,
		    struct call *c);
	/* Ends running tasks through their cancel hooks; frees. No call_*()
	 * comes back afterwards. NULL is fine. */
	void (*close)(struct policy *p);

	void (*on_start)(struct policy *p);
	/* Whether the script has an on_turn of its own: without one the model
	 * answers and the host may start it before the turn is sure to be
	 * over. */
	bool (*wants_turns)(struct policy *p);
	void (*on_turn)(struct policy *p, const struct policy_turn *t);
	/* The model calls a tool; answer with call_tool_done(). */
	void (*on_tool)(struct policy *p, const char *id, const char *name,
			const char *arguments);
	void (*on_dtmf)(struct policy *p, char key);
	/* Nobody has spoken for idle_ms, for the nth time in a row. false:
	 * the script has no on_silence, the host says its own line. */
	bool (*on_silence)(struct policy *p, int nth);
	void (*on_hangup)(struct policy *p, const char *reason);
	/* Instructions and tools for the model, now. */
	void (*prompt)(struct policy *p, struct policy_prompt *out);
};

#endif
