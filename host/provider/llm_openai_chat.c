/*
 * Chat Completions, of OpenAI and of the servers that copy it: the request's
 * body and the reader of its stream. Pure but for the row at the end.
 */
#include "provider/llm_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

/* ---- the request --------------------------------------------------------------- */

static void add_tools(cJSON *body, const cJSON *tools)
{
	const cJSON *tool;

	if (cJSON_GetArraySize(tools) == 0)
		return;
	cJSON *list = cJSON_AddArrayToObject(body, "tools");
	cJSON_ArrayForEach(tool, tools) {
		cJSON *one = cJSON_CreateObject();
		cJSON_AddStringToObject(one, "type", "function");
		cJSON_AddItemToObject(one, "function",
				      cJSON_Duplicate(tool, true));
		cJSON_AddItemToArray(list, one);
	}
}

static void add_schema(cJSON *body, const cJSON *schema)
{
	if (!schema)
		return;
	cJSON *format = cJSON_AddObjectToObject(body, "response_format");
	cJSON_AddStringToObject(format, "type", "json_schema");
	cJSON *inner = cJSON_Duplicate(schema, true);
	if (!json_get(inner, "strict"))
		cJSON_AddTrueToObject(inner, "strict");
	cJSON_AddItemToObject(format, "json_schema", inner);
}

/* Fields that only OpenAI knows; compatible servers answer some with 400. */
static void add_openai(cJSON *body, const struct llm_request *q)
{
	const char *effort = model_effort(q->choice);

	if (effort)
		cJSON_AddStringToObject(body, "reasoning_effort", effort);
	if (q->cache_key)
		cJSON_AddStringToObject(body, "prompt_cache_key", q->cache_key);
	if (q->user_hash)
		cJSON_AddStringToObject(body, "safety_identifier",
					q->user_hash);
	cJSON_AddNumberToObject(body, "max_completion_tokens", q->max_tokens);
	cJSON_AddFalseToObject(body, "store");
}

static char *chat_body(const struct llm_request *q, bool openai)
{
	cJSON *body = cJSON_CreateObject();

	cJSON_AddStringToObject(body, "model", q->choice->model);
	cJSON_AddTrueToObject(body, "stream");
	cJSON *options = cJSON_AddObjectToObject(body, "stream_options");
	cJSON_AddTrueToObject(options, "include_usage");
	if (openai) {
		cJSON_AddFalseToObject(options, "include_obfuscation");
		add_openai(body, q);
	} else {
		cJSON_AddNumberToObject(body, "max_tokens", q->max_tokens);
		if (q->choice->effort)
			cJSON_AddStringToObject(body, "reasoning_effort",
						q->choice->effort);
	}
	if (llm_temperature_ok(q, openai))
		cJSON_AddNumberToObject(body, "temperature", q->temperature);
	add_tools(body, q->tools);
	add_schema(body, q->schema);
	cJSON_AddItemToObject(body, "messages",
			      cJSON_Duplicate(q->messages, true));
	char *text = json_text(body);
	cJSON_Delete(body);
	return text;
}

/* ---- the stream ------------------------------------------------------------------- */

/* index may be missing (older Ollama), arguments may be an object. */
static int read_tool(struct llm_answer *a, const cJSON *item)
{
	const cJSON *fn = json_get(item, "function");
	const cJSON *args = json_get(fn, "arguments");
	double index = json_num(item, "index", -1);
	const char *id = json_str(item, "id");
	struct tool_call *c;
	char *text = NULL;

	if (!fn)
		return 0;
	c = tool_calls_for(&a->tools, index >= 0 && index < 1000 ? (int)index :
			   -1, id);
	if (!c)
		return llm_answer_fail(a, ERR_PROTOCOL, "too many tool calls");
	if (cJSON_IsObject(args))
		text = json_text(args);
	int r = tool_call_add(c, id, json_str(fn, "name"),
			      cJSON_IsString(args) ? args->valuestring : text);
	free(text);
	if (r < 0)
		return llm_answer_fail(a, r, "tool arguments too long");
	llm_answer_alive(a);
	return 0;
}

/* delta of a stream, or message of a whole answer */
static int read_delta(struct llm_answer *a, const cJSON *delta)
{
	const cJSON *item;

	/* a refusal is said like any other answer: it is words for the caller */
	llm_answer_text(a, json_str(delta, "content"));
	llm_answer_text(a, json_str(delta, "refusal"));
	cJSON_ArrayForEach(item, json_get(delta, "tool_calls")) {
		int r = read_tool(a, item);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_chunk(struct llm_answer *a, const cJSON *chunk,
		      const char *member)
{
	const cJSON *error = json_get(chunk, "error");
	const cJSON *choice = json_at(chunk, "choices", 0);
	const char *finish = json_str(choice, "finish_reason");

	if (error && !cJSON_IsNull(error))
		return llm_answer_refused(a, error);
	llm_answer_usage(a, json_get(chunk, "usage"), "prompt",
			 "completion");
	llm_answer_usage(a, json_get(json_get(chunk, "x_groq"), "usage"),
			 "prompt", "completion");
	int r = read_delta(a, json_get(choice, member));
	if (finish && r >= 0)
		str_copy(a->finish, sizeof a->finish, finish);
	return r;
}

static int chat_event(struct llm_answer *a, const char *data, size_t n)
{
	if (n >= 6 && strncmp(data, "[DONE]", 6) == 0) {
		llm_answer_end(a);
		return 0;
	}
	cJSON *chunk = json_parse(data, n);
	if (!cJSON_IsObject(chunk)) {
		cJSON_Delete(chunk);
		return llm_answer_fail(a, ERR_PROTOCOL, "chunk is no object");
	}
	int r = read_chunk(a, chunk, "delta");
	cJSON_Delete(chunk);
	return r;
}

static int chat_whole(struct llm_answer *a, const char *body, size_t n)
{
	cJSON *tree = json_parse(body, n);
	int r = ERR_PROTOCOL;

	if (json_at(tree, "choices", 0) || json_get(tree, "error"))
		r = read_chunk(a, tree, "message");
	else
		llm_answer_fail(a, r, "no choices");
	if (r >= 0)
		llm_answer_end(a);
	cJSON_Delete(tree);
	return r;
}

/* Some servers end without [DONE]; a cut stream has no finish_reason. */
static int chat_end(struct llm_answer *a)
{
	if (!a->ended && !a->finish[0])
		return llm_answer_fail(a, ERR_CLOSED, "stream was cut");
	llm_answer_end(a);
	return 0;
}

const struct llm_dialect llm_chat_dialect = {
	.path = "/chat/completions",
	.body = chat_body,
	.event = chat_event,
	.whole = chat_whole,
	.end = chat_end,
};

static int chat_start(void **ret_conn, struct providers *p,
		      const struct llm_request *q, llm_conn_h *fn, void *arg)
{
	return llm_http_start(ret_conn, p, q, &llm_chat_dialect, fn, arg);
}

const struct llm_ops llm_openai_chat = {
	.name = "openai",
	.check = llm_check,
	.start = chat_start,
	.cancel = llm_http_cancel,
};
