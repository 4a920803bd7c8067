/*
 * The Responses API: messages and tools in its flat form, nothing stored, and
 * the reader of its events. Pure but for the row at the end.
 */
#include "provider/llm_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

/* ---- the request --------------------------------------------------------------- */

static void add_message(cJSON *input, const char *role, const cJSON *content)
{
	bool assistant = strcmp(role, "assistant") == 0;
	struct buf text = { 0 };

	llm_content_text(&text, content);
	if (text.len) {
		cJSON *item = cJSON_CreateObject();
		cJSON_AddStringToObject(item, "role", role);
		cJSON *parts = cJSON_AddArrayToObject(item, "content");
		cJSON *part = cJSON_CreateObject();
		cJSON_AddStringToObject(part, "type", assistant ?
					"output_text" : "input_text");
		cJSON_AddStringToObject(part, "text", buf_str(&text));
		cJSON_AddItemToArray(parts, part);
		cJSON_AddItemToArray(input, item);
	}
	buf_free(&text);
}

static void add_calls(cJSON *input, const cJSON *message)
{
	const cJSON *call;

	cJSON_ArrayForEach(call, json_get(message, "tool_calls")) {
		const cJSON *fn = json_get(call, "function");
		const char *id = json_str(call, "id");
		const char *name = json_str(fn, "name");
		const char *args = json_str(fn, "arguments");
		if (!id || !name)
			continue;
		cJSON *item = cJSON_CreateObject();
		cJSON_AddStringToObject(item, "type", "function_call");
		cJSON_AddStringToObject(item, "call_id", id);
		cJSON_AddStringToObject(item, "name", name);
		cJSON_AddStringToObject(item, "arguments", args ? args : "{}");
		cJSON_AddItemToArray(input, item);
	}
}

static void add_result(cJSON *input, const cJSON *message)
{
	const char *id = json_str(message, "tool_call_id");
	struct buf text = { 0 };

	if (!id)
		return;
	llm_content_text(&text, json_get(message, "content"));
	cJSON *item = cJSON_CreateObject();
	cJSON_AddStringToObject(item, "type", "function_call_output");
	cJSON_AddStringToObject(item, "call_id", id);
	cJSON_AddStringToObject(item, "output", buf_str(&text));
	cJSON_AddItemToArray(input, item);
	buf_free(&text);
}

static void add_input(cJSON *body, const cJSON *messages)
{
	cJSON *input = cJSON_AddArrayToObject(body, "input");
	const cJSON *m;

	cJSON_ArrayForEach(m, messages) {
		const char *role = json_str(m, "role");
		if (!role)
			continue;
		if (strcmp(role, "tool") == 0) {
			add_result(input, m);
			continue;
		}
		add_message(input, role, json_get(m, "content"));
		add_calls(input, m);
	}
}

/* strict is on by default here and asks for schemas that few tools have. */
static void add_tools(cJSON *body, const cJSON *tools)
{
	const cJSON *tool;

	if (cJSON_GetArraySize(tools) == 0)
		return;
	cJSON *list = cJSON_AddArrayToObject(body, "tools");
	cJSON_ArrayForEach(tool, tools) {
		cJSON *one = cJSON_Duplicate(tool, true);
		if (!cJSON_IsObject(one)) {
			cJSON_Delete(one);
			continue;
		}
		cJSON_AddStringToObject(one, "type", "function");
		if (!json_get(one, "strict"))
			cJSON_AddFalseToObject(one, "strict");
		cJSON_AddItemToArray(list, one);
	}
}

static void add_schema(cJSON *body, const cJSON *schema)
{
	cJSON *text = cJSON_CreateObject();
	cJSON *format = cJSON_Duplicate(schema, true);

	cJSON_AddStringToObject(format, "type", "json_schema");
	if (!json_get(format, "strict"))
		cJSON_AddTrueToObject(format, "strict");
	cJSON_AddItemToObject(text, "format", format);
	cJSON_AddItemToObject(body, "text", text);
}

static char *responses_body(const struct llm_request *q, bool openai)
{
	const char *effort = model_effort(q->choice);
	cJSON *body = cJSON_CreateObject();

	cJSON_AddStringToObject(body, "model", q->choice->model);
	cJSON_AddTrueToObject(body, "stream");
	cJSON_AddFalseToObject(body, "store");
	if (effort) {
		cJSON *r = cJSON_AddObjectToObject(body, "reasoning");
		cJSON_AddStringToObject(r, "effort", effort);
	}
	if (openai) {
		cJSON *o = cJSON_AddObjectToObject(body, "stream_options");
		cJSON_AddFalseToObject(o, "include_obfuscation");
	}
	if (q->cache_key)
		cJSON_AddStringToObject(body, "prompt_cache_key", q->cache_key);
	if (q->user_hash)
		cJSON_AddStringToObject(body, "safety_identifier",
					q->user_hash);
	cJSON_AddNumberToObject(body, "max_output_tokens", q->max_tokens);
	if (llm_temperature_ok(q, openai))
		cJSON_AddNumberToObject(body, "temperature", q->temperature);
	add_tools(body, q->tools);
	if (q->schema)
		add_schema(body, q->schema);
	add_input(body, q->messages);
	char *text = json_text(body);
	cJSON_Delete(body);
	return text;
}

/* ---- the events ------------------------------------------------------------------- */

/* Calls are known by their output_index; name and id come with the item. */
static int read_item(struct llm_answer *a, const cJSON *item, int index,
		     bool whole)
{
	const char *type = json_str(item, "type");
	const char *id = json_str(item, "call_id");
	struct tool_call *c;

	if (!type || strcmp(type, "function_call") != 0)
		return 0;
	c = tool_calls_for(&a->tools, index, id);
	if (!c)
		return llm_answer_fail(a, ERR_PROTOCOL, "too many tool calls");
	/* the finished item repeats arguments that came as deltas */
	bool args = whole && !c->args.len;
	int r = tool_call_add(c, id, json_str(item, "name"),
			      args ? json_str(item, "arguments") : NULL);
	if (r < 0)
		return llm_answer_fail(a, r, "tool arguments too long");
	llm_answer_alive(a);
	return 0;
}

static int read_args(struct llm_answer *a, const cJSON *e, int index,
		     const char *member)
{
	struct tool_call *c = tool_calls_for(&a->tools, index, NULL);
	const char *args = json_str(e, member);

	if (!c)
		return llm_answer_fail(a, ERR_PROTOCOL, "too many tool calls");
	if (strcmp(member, "arguments") == 0 && c->args.len)
		return 0;
	if (tool_call_add(c, NULL, NULL, args) < 0)
		return llm_answer_fail(a, ERR_PROTOCOL,
				       "tool arguments too long");
	llm_answer_alive(a);
	return 0;
}

/* completed and incomplete: the latter in the words of Chat Completions */
static int finished(struct llm_answer *a, const cJSON *response)
{
	const char *reason = json_str(json_get(response, "incomplete_details"),
				      "reason");

	if (reason && strcmp(reason, "max_output_tokens") == 0)
		reason = "length";
	if (reason)
		str_copy(a->finish, sizeof a->finish, reason);
	llm_answer_usage(a, json_get(response, "usage"), "input",
			 "output");
	llm_answer_end(a);
	return 0;
}

static int dispatch(struct llm_answer *a, const cJSON *e, const char *type)
{
	double at = json_num(e, "output_index", -1);
	int index = at >= 0 && at < 1000 ? (int)at : -1;
	const cJSON *response = json_get(e, "response");

	if (strcmp(type, "response.output_text.delta") == 0 ||
	    strcmp(type, "response.refusal.delta") == 0)
		llm_answer_text(a, json_str(e, "delta"));
	else if (strcmp(type, "response.output_item.added") == 0)
		return read_item(a, json_get(e, "item"), index, false);
	else if (strcmp(type, "response.output_item.done") == 0)
		return read_item(a, json_get(e, "item"), index, true);
	else if (strcmp(type, "response.function_call_arguments.delta") == 0)
		return read_args(a, e, index, "delta");
	else if (strcmp(type, "response.function_call_arguments.done") == 0)
		return read_args(a, e, index, "arguments");
	else if (strcmp(type, "response.completed") == 0 ||
		 strcmp(type, "response.incomplete") == 0)
		return finished(a, response);
	else if (strcmp(type, "response.failed") == 0)
		return llm_answer_refused(a, json_get(response, "error"));
	else if (strcmp(type, "error") == 0)
		return llm_answer_refused(a, json_get(e, "error") ?
					  json_get(e, "error") : e);
	return 0;
}

static int responses_event(struct llm_answer *a, const char *data, size_t n)
{
	if (n >= 6 && strncmp(data, "[DONE]", 6) == 0)
		return 0;
	cJSON *e = json_parse(data, n);
	const char *type = json_str(e, "type");
	int r;

	if (!type)
		r = llm_answer_fail(a, ERR_PROTOCOL, "event without type");
	else
		r = dispatch(a, e, type);
	cJSON_Delete(e);
	return r;
}

static int whole_item(struct llm_answer *a, const cJSON *item, int index)
{
	const cJSON *part;

	cJSON_ArrayForEach(part, json_get(item, "content")) {
		llm_answer_text(a, json_str(part, "text"));
		llm_answer_text(a, json_str(part, "refusal"));
	}
	return read_item(a, item, index, true);
}

static int responses_whole(struct llm_answer *a, const char *body, size_t n)
{
	cJSON *tree = json_parse(body, n);
	const cJSON *output = json_get(tree, "output");
	const cJSON *error = json_get(tree, "error");
	const cJSON *item;
	int index = 0, r = 0;

	if (error && !cJSON_IsNull(error))
		r = llm_answer_refused(a, error);
	else if (!cJSON_IsArray(output))
		r = llm_answer_fail(a, ERR_PROTOCOL, "no output");
	cJSON_ArrayForEach(item, output) {
		if (r >= 0)
			r = whole_item(a, item, index++);
	}
	if (r >= 0)
		finished(a, tree);
	cJSON_Delete(tree);
	return r;
}

/* There is no [DONE]; without one of the last events it was cut. */
static int responses_end(struct llm_answer *a)
{
	return a->ended ? 0 :
	       llm_answer_fail(a, ERR_CLOSED, "stream was cut");
}

const struct llm_dialect llm_responses_dialect = {
	.path = "/responses",
	.body = responses_body,
	.event = responses_event,
	.whole = responses_whole,
	.end = responses_end,
};

static int responses_start(void **ret_conn, struct providers *p,
			   const struct llm_request *q, llm_conn_h *fn,
			   void *arg)
{
	return llm_http_start(ret_conn, p, q, &llm_responses_dialect, fn, arg);
}

const struct llm_ops llm_openai_responses = {
	.name = "openai-responses",
	.check = llm_check,
	.start = responses_start,
	.cancel = llm_http_cancel,
};
