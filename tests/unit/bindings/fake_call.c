/* A call that only remembers what scripts asked of it. */
#include "fake_call.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

struct clock *fake_clock;

__attribute__((format(printf, 2, 3)))
static void note(struct call *c, const char *fmt, ...)
{
	size_t n = strlen(c->log);
	va_list ap;

	if (n && n + 1 < sizeof c->log)
		c->log[n++] = ' ';
	va_start(ap, fmt);
	vsnprintf(c->log + n, sizeof c->log - n, fmt, ap);
	va_end(ap);
}

void fake_init(struct call *c, const struct clinic *clinic)
{
	*c = (struct call){ .clinic = clinic, .number = "+923001234567",
			    .metadata = "" };
	c->history = cJSON_CreateArray();
	snprintf(c->language, sizeof c->language, "en");
}

void fake_finish(struct call *c)
{
	assert(c->n_said == 0);
	assert(!c->transfer_fn);
	cJSON_Delete(c->history);
}

const char *fake_log(struct call *c)
{
	static char out[sizeof c->log];

	memcpy(out, c->log, sizeof out);
	c->log[0] = 0;
	return out;
}

void fake_heard(struct call *c, uint32_t id, int status, const char *heard)
{
	for (size_t i = 0; i < c->n_said; i++) {
		struct fake_said s = c->said[i];
		if (s.id != id)
			continue;
		c->said[i] = c->said[--c->n_said];
		s.fn(s.arg, status, heard);
		return;
	}
	assert(!"nobody waits for this utterance");
}

void fake_transferred(struct call *c, int err, int sip_status)
{
	call_transfer_h *fn = c->transfer_fn;

	assert(fn);
	c->transfer_fn = NULL;
	fn(c->transfer_arg, err, sip_status);
}

/* ---- call.h ------------------------------------------------------------------ */

const char *call_end_name(enum call_end e)
{
	(void)e;
	return "end";
}

int call_start(struct call **ret_call, struct call_host *h,
	       const struct call_cfg *cfg, call_end_h *fn, void *arg)
{
	(void)ret_call;
	(void)h;
	(void)cfg;
	(void)fn;
	(void)arg;
	return -ENOSYS;
}

void call_shut(struct call *c, enum call_end end, int grace_ms)
{
	(void)end;
	(void)grace_ms;
	note(c, "shut");
}

const char *call_id(const struct call *c)
{
	static char id[32];

	snprintf(id, sizeof id, "AJ_%u", (unsigned)((uintptr_t)c >> 4));
	return id;
}

const char *call_room(const struct call *c)
{
	(void)c;
	return "room-1";
}

const char *call_metadata(const struct call *c)
{
	return c->metadata;
}

const char *call_caller_number(const struct call *c)
{
	return c->number;
}

const char *call_number_called(const struct call *c)
{
	(void)c;
	return "+922135550100";
}

const char *call_caller_attribute(const struct call *c, const char *key)
{
	(void)c;
	return strcmp(key, "sip.trunkID") ? NULL : "ST_1";
}

const char *call_language(const struct call *c)
{
	return c->language;
}

int call_set_language(struct call *c, const char *tag)
{
	for (size_t i = 0; c->clinic && i < c->clinic->n_languages; i++) {
		if (strcmp(c->clinic->languages[i].tag, tag))
			continue;
		snprintf(c->language, sizeof c->language, "%s", tag);
		return 0;
	}
	return ERR_REQUEST;
}

struct loop *call_loop(const struct call *c)
{
	(void)c;
	return NULL;
}

struct clock *loop_clock(struct loop *l)
{
	(void)l;
	return fake_clock;
}

int64_t call_ms(const struct call *c)
{
	(void)c;
	return clock_now_ms(fake_clock);
}

int call_say(struct call *c, const struct call_say *s, uint32_t *ret_utterance)
{
	if (c->refuse < 0)
		return c->refuse;
	*ret_utterance = ++c->utterances;
	note(c, "say(%s%s%s%s%s)", s->text, s->language ? "|" : "",
	     s->language ? s->language : "", s->uninterruptible ? "|whole" : "",
	     s->forget ? "|forget" : "");
	return 0;
}

int call_say_line(struct call *c, const char *name, uint32_t *ret_utterance)
{
	if (c->refuse < 0)
		return c->refuse;
	*ret_utterance = ++c->utterances;
	note(c, "line(%s)", name);
	return 0;
}

void call_on_said(struct call *c, uint32_t utterance, call_said_h *fn, void *arg)
{
	assert(c->n_said < 16);
	c->said[c->n_said++] = (struct fake_said){ utterance, fn, arg };
}

void call_said_forget(struct call *c, void *arg)
{
	size_t keep = 0;

	for (size_t i = 0; i < c->n_said; i++) {
		if (c->said[i].arg != arg)
			c->said[keep++] = c->said[i];
	}
	note(c, "said_forget(%zu)", c->n_said - keep);
	c->n_said = keep;
}

void call_reply(struct call *c, const char *extra)
{
	note(c, "reply(%s)", extra ? extra : "");
	if (c->on_reply)
		c->on_reply(c);
}

void call_hangup(struct call *c, const char *reason)
{
	note(c, "hangup(%s)", reason);
	if (c->on_hangup)
		c->on_hangup(c);
}

int call_transfer(struct call *c, const char *to, call_transfer_h *fn, void *arg)
{
	if (c->refuse < 0)
		return c->refuse;
	note(c, "transfer(%s)", to);
	c->transfer_fn = fn;
	c->transfer_arg = arg;
	return 0;
}

void call_transfer_forget(struct call *c)
{
	note(c, "transfer_forget");
	c->transfer_fn = NULL;
}

int call_send_dtmf(struct call *c, const char *keys)
{
	if (c->refuse < 0)
		return c->refuse;
	note(c, "dtmf(%s)", keys);
	return 0;
}

void call_set_attribute(struct call *c, const char *key, const char *value)
{
	note(c, "attribute(%s=%s)", key, value);
}

void call_await(struct call *c, enum call_await what, int digits)
{
	note(c, digits ? "await(%d %d)" : "await(%d)", (int)what, digits);
}

const cJSON *call_history(const struct call *c)
{
	return c->history;
}

void call_turn_done(struct call *c, uint32_t turn, enum call_turn_result r)
{
	static const char *const names[] = { "reply", "handled", "failed" };

	note(c, "turn(%u %s)", turn, names[r]);
}

void call_tool_done(struct call *c, const char *id, const char *result)
{
	note(c, "tool(%s %s)", id, result);
}

/* ---- provider.h: the names of the reference clinic ---------------------------- */

int provider_check(char kind, const struct provider_choice *c,
		   const char **ret_why)
{
	const char *known = kind == 's' ? "deepgram" : kind == 'l' ? "openai" :
			    "aura aura-rest speech";

	if (strstr(known, c->provider))
		return 0;
	*ret_why = kind == 's' ? "provider is unknown (allowed: deepgram)" :
		   kind == 'l' ? "provider is unknown (allowed: openai)" :
		   "provider is unknown (allowed: aura, aura-rest, speech)";
	return ERR_CONFIG;
}
