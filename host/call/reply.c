/*
 * The model's answer: started on the caller's turn (or, as a guess, on a turn
 * that is likely over), spoken clause by clause while the model still writes,
 * interrupted by tool calls whose results start the next round. On the loop.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "call/call_int.h"

static void on_llm(void *arg, const struct llm_event *e);
static void round_over(struct call *c);

/* ---- starting ------------------------------------------------------------- */

static void forget_tools(struct reply *r)
{
	for (int i = 0; i < r->n_tools; i++) {
		free(r->tools[i].id);
		free(r->tools[i].name);
		free(r->tools[i].arguments);
	}
	r->n_tools = 0;
}

/* guess_text: what the caller will turn out to have said; NULL for a turn
 * that is in the history. */
static int start_llm(struct call *c, const char *guess_text, const char *extra)
{
	struct reply *r = &c->reply;
	struct policy_prompt prompt = { 0 };

	c->host->policy->prompt(c->policy, &prompt);
	cJSON *messages = history_messages(&c->history, prompt.instructions,
					   extra);
	if (guess_text) {
		cJSON *m = cJSON_CreateObject();
		cJSON_AddStringToObject(m, "role", "user");
		cJSON_AddStringToObject(m, "content", guess_text);
		cJSON_AddItemToArray(messages, m);
	}
	struct llm_cfg cfg = {
		.choices = c->clinic->llm,
		.n_choices = c->clinic->n_llm,
		.messages = messages,
		.tools = r->rounds < TOOL_ROUNDS_MAX ? prompt.tools : NULL,
		.cache_key = c->clinic->name,
		.temperature = -1,
	};
	assert(!r->llm);
	buf_reset(&r->text);
	r->entry = NULL;
	int err = llm_start(&r->llm, c->host->providers, &cfg, on_llm, c);
	cJSON_Delete(messages);
	cJSON_Delete(prompt.tools);
	free(prompt.instructions);
	return err;
}

/* The words of this round are all there will be: into the history with them,
 * and no more text for their utterance. What is heard of it is put in when
 * the utterance ends. */
static void end_text(struct call *c)
{
	struct reply *r = &c->reply;
	struct utterance *u = r->utterance ?
		speech_find(c->speech, r->utterance) : NULL;

	r->entry = NULL;
	if (!str_blank(buf_str(&r->text)))
		r->entry = history_assistant(&c->history, buf_str(&r->text));
	buf_reset(&r->text);
	r->utterance = 0;
	if (!u)
		return;
	u->entry = r->entry;
	speech_close(u); /* left open it would hold back all that follows */
}

static void failed(struct call *c, int err, const char *why)
{
	end_text(c);
	c->reply.entry = NULL;
	log_event(LOG_WARN, "reply.failed", LOG_STR("call", c->id),
		  LOG_ERR("why", err), LOG_STR("detail", why ? why : ""));
	call_note(c, NOTE_TROUBLE, why ? why : err_text(err), 0);
	c->reply.running = false;
	call_feed(c, TE_FAILED, NULL, 0, 0, false);
	call_busy_check(c);
}

void reply_guess(struct call *c, const char *text)
{
	struct reply *r = &c->reply;

	ON_LOOP();
	if (r->running || r->llm || c->policy_turn ||
	    c->host->policy->wants_turns(c->policy))
		return;
	r->rounds = 0;
	forget_tools(r);
	r->guess = start_llm(c, text, NULL) == 0;
	r->guess_done = false;
	r->guess_err = 0;
}

void reply_unguess(struct call *c)
{
	struct reply *r = &c->reply;

	if (!r->guess)
		return;
	llm_cancel(r->llm);
	r->llm = NULL;
	r->guess = false;
	buf_reset(&r->held);
	forget_tools(r);
}

static void speak(struct call *c, const char *text)
{
	struct reply *r = &c->reply;
	struct utterance *u = r->utterance ?
		speech_find(c->speech, r->utterance) : NULL;

	buf_puts(&r->text, text);
	if (!u || !u->open) {
		u = speech_open(c->speech, c->language);
		r->utterance = u->id;
	}
	speech_add(u, text);
}

/* The guess was right: what it has said so far is the reply. */
static void take_guess(struct call *c)
{
	struct reply *r = &c->reply;

	r->guess = false;
	if (r->held.len)
		speak(c, buf_str(&r->held));
	buf_reset(&r->held);
	if (!r->guess_done)
		return;
	llm_cancel(r->llm);
	r->llm = NULL;
	if (r->guess_err < 0)
		failed(c, r->guess_err, NULL);
	else
		round_over(c);
}

void reply_start(struct call *c, const char *extra)
{
	struct reply *r = &c->reply;

	ON_LOOP();
	if (c->ended || r->running)
		return;
	r->running = true;
	r->utterance = 0;
	if (r->guess && !extra) {
		take_guess(c);
		call_busy_check(c);
		return;
	}
	reply_unguess(c);
	forget_tools(r);
	r->rounds = 0;
	int err = start_llm(c, NULL, extra);
	if (err < 0)
		failed(c, err, NULL);
	call_busy_check(c);
}

void reply_cancel(struct call *c)
{
	struct reply *r = &c->reply;

	reply_unguess(c);
	llm_cancel(r->llm);
	r->llm = NULL;
	if (r->running)
		end_text(c);
	r->running = false;
	r->entry = NULL;
	/* tools go on: their results find their place in the history */
	call_busy_check(c);
}

/* ---- what the model says -------------------------------------------------------- */

/* Some servers count their calls from 0 in each answer, or name all alike: a
 * result must find its own call. */
static bool id_is_used(const struct call *c, const char *id)
{
	for (int i = 0; i < c->reply.n_tools; i++) {
		if (str_eq(c->reply.tools[i].id, id))
			return true;
	}
	return history_has_call(&c->history, id);
}

static void add_tool(struct call *c, const struct llm_event *e)
{
	struct reply *r = &c->reply;
	bool own = !str_blank(e->id) && !id_is_used(c, e->id);

	if (r->n_tools == TOOLS_MAX) {
		log_event(LOG_WARN, "reply.too_many_tools",
			  LOG_STR("call", c->id));
		return;
	}
	r->tools[r->n_tools++] = (struct reply_tool){
		.id = own ? str_dup(e->id) : random_id("call_", 16),
		.name = str_dup(e->name), .arguments = str_dup(e->text) };
}

static void on_llm(void *arg, const struct llm_event *e)
{
	struct call *c = arg;
	struct reply *r = &c->reply;

	switch (e->type) {
	case LLM_TEXT:
		if (r->guess)
			buf_puts(&r->held, e->text);
		else
			speak(c, e->text);
		break;
	case LLM_TOOL:
		add_tool(c, e);
		break;
	case LLM_DONE:
	case LLM_FAILED:
		if (r->guess) {
			r->guess_done = true;
			r->guess_err = e->type == LLM_DONE ? 0 : e->err;
			break;
		}
		llm_cancel(r->llm);
		r->llm = NULL;
		if (e->type == LLM_FAILED)
			failed(c, e->err, e->why);
		else
			round_over(c);
		break;
	}
}

static void run_tools(struct call *c)
{
	struct reply *r = &c->reply;

	for (int i = 0; i < r->n_tools; i++)
		history_tool_call(r->entry, r->tools[i].id, r->tools[i].name,
				  r->tools[i].arguments);
	r->entry = NULL;
	r->rounds++;
	/* a tool may answer at once; the list must not change under us */
	int n = r->n_tools;
	for (int i = 0; i < n && r->running && !c->ended; i++) {
		const struct reply_tool *t = &r->tools[i];
		assert(n == r->n_tools && !t->done);
		call_note(c, NOTE_TOOL, t->name, 0);
		c->host->policy->on_tool(c->policy, t->id, t->name,
					 t->arguments);
	}
}

/* The model has ended a message: speak the rest, run its tools, or be done. */
static void round_over(struct call *c)
{
	struct reply *r = &c->reply;

	if (!r->n_tools && str_blank(buf_str(&r->text))) {
		failed(c, ERR_EMPTY, "the model said nothing");
		return;
	}
	end_text(c);
	if (r->n_tools) {
		if (!r->entry)
			r->entry = history_assistant(&c->history, NULL);
		run_tools(c);
	} else {
		r->running = false;
		r->entry = NULL;
	}
	call_busy_check(c);
}

void call_tool_done(struct call *c, const char *id, const char *result)
{
	struct reply *r = &c->reply;
	int open = 0, mine = 0;

	ON_LOOP();
	if (c->ended)
		return;
	for (int i = 0; i < r->n_tools; i++) {
		if (!str_eq(r->tools[i].id, id)) {
			open += !r->tools[i].done;
			continue;
		}
		mine = 1;
		r->tools[i].done = true;
		call_note(c, NOTE_TOOL_DONE, r->tools[i].name, 0);
	}
	if (!history_tool_result(&c->history, id, result))
		log_event(LOG_WARN, "tool.unasked", LOG_STR("call", c->id));
	if (!r->running || !mine || open)
		return;
	/* a hang-up or a transfer by the tool needs no more words */
	if (c->turn.phase >= TURN_ENDING) {
		r->running = false;
		call_busy_check(c);
		return;
	}
	forget_tools(r);
	int err = start_llm(c, NULL, NULL);
	if (err < 0)
		failed(c, err, NULL);
	call_busy_check(c);
}

void reply_said(struct call *c, struct utterance *u, const char *heard,
		bool cut)
{
	if (!u->entry)
		return;
	if (cut && !history_cut(&c->history, u->entry, heard) &&
	    c->reply.entry == u->entry)
		c->reply.entry = NULL;
	u->entry = NULL;
}

bool reply_busy(const struct call *c)
{
	return c->reply.running;
}

void call_reply(struct call *c, const char *extra)
{
	reply_start(c, extra);
}
