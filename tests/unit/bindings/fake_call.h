/*
 * A call that only remembers what scripts asked of it, on virtual time. It
 * defines the call_*() functions, loop_clock() and provider_check(), so that
 * the real ones are not linked.
 */
#ifndef FAKE_CALL_H
#define FAKE_CALL_H

#include "bindings/bindings.h"

struct fake_said {
	uint32_t id;
	call_said_h *fn;
	void *arg;
};

struct call {
	char log[8192];         /* "say(Hello) hangup(goodbye) ..." */
	const struct clinic *clinic;
	uint32_t utterances;
	struct fake_said said[16];
	size_t n_said;
	call_transfer_h *transfer_fn;
	void *transfer_arg;
	cJSON *history;
	int refuse;             /* result of say, transfer, send_dtmf */
	bool over;
	/* Called in the middle of call_hangup() and call_reply(). */
	void (*on_hangup)(struct call *c);
	void (*on_reply)(struct call *c);
	struct policy *policy;
	const char *number, *metadata;
	char language[16];
};

/* The clock of all fake calls; created and destroyed by the tests. */
extern struct clock *fake_clock;

void fake_init(struct call *c, const struct clinic *clinic);
void fake_finish(struct call *c); /* asserts that nothing is left waiting */
/* Ends an utterance for those who wait for it. */
void fake_heard(struct call *c, uint32_t id, int status, const char *heard);
void fake_transferred(struct call *c, int err, int sip_status);
/* What was remembered since the last time; borrowed until the next. */
const char *fake_log(struct call *c);

#endif
