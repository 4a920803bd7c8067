/* What both kinds of stream fill while they are read. Pure. */
#include "provider/llm_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

void llm_answer_init(struct llm_answer *a, llm_conn_h *emit, void *arg)
{
	*a = (struct llm_answer){
		.emit = emit, .arg = arg,
		.tokens_in = -1, .tokens_cached = -1, .tokens_out = -1,
	};
}

void llm_answer_text(struct llm_answer *a, const char *text)
{
	const struct llm_conn_event e = { .type = LLM_CONN_TEXT, .text = text };

	if (!text || !*text)
		return;
	a->any = true;
	a->emit(a->arg, &e);
}

void llm_answer_alive(struct llm_answer *a)
{
	const struct llm_conn_event e = { .type = LLM_CONN_ALIVE };

	a->any = true;
	a->emit(a->arg, &e);
}

/* A call without a name cannot be run; one without an id gets one, because
 * the history needs it to pair call and result. */
static void hand_out(struct llm_answer *a, struct tool_call *c)
{
	if (!c->name)
		return;
	if (!c->id)
		c->id = random_id("call_", 16);
	const struct llm_conn_event e = {
		.type = LLM_CONN_TOOL, .id = c->id, .name = c->name,
		.text = c->args.len ? buf_str(&c->args) : "{}",
	};
	a->emit(a->arg, &e);
}

void llm_answer_end(struct llm_answer *a)
{
	if (a->ended)
		return;
	a->ended = true;
	for (size_t i = 0; i < a->tools.n; i++)
		hand_out(a, &a->tools.call[i]);
	const struct llm_conn_event e = {
		.type = LLM_CONN_DONE,
		.finish = a->finish[0] ? a->finish :
			  a->tools.n ? "tool_calls" : "stop",
		.tokens_in = a->tokens_in,
		.tokens_cached = a->tokens_cached,
		.tokens_out = a->tokens_out,
	};
	a->emit(a->arg, &e);
}

static void tokens(int *ret_n, const cJSON *usage, const char *kind)
{
	char *key = str_printf("%s_tokens", kind);
	double n = json_num(usage, key, -1);

	free(key);
	if (n >= 0 && n < 1e9)
		*ret_n = (int)n;
}

void llm_answer_usage(struct llm_answer *a, const cJSON *usage,
		      const char *in, const char *out)
{
	char *key = str_printf("%s_tokens_details", in);

	tokens(&a->tokens_in, usage, in);
	tokens(&a->tokens_out, usage, out);
	tokens(&a->tokens_cached, json_get(usage, key), "cached");
	free(key);
}

int llm_answer_fail(struct llm_answer *a, int err, const char *why)
{
	failure_set(&a->failure, err, why);
	return err;
}

int llm_answer_refused(struct llm_answer *a, const cJSON *error)
{
	failure_error(&a->failure, error);
	return a->failure.err;
}

void llm_answer_free(struct llm_answer *a)
{
	tool_calls_free(&a->tools);
}
