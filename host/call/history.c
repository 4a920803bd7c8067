/* The conversation for the model. Pure. */
#include "call/history.h"

#include <assert.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/str.h"

void history_init(struct history *h)
{
	h->messages = cJSON_CreateArray();
	if (!h->messages)
		abort();
}

void history_finish(struct history *h)
{
	cJSON_Delete(h->messages);
	h->messages = NULL;
}

static cJSON *message(const char *role, const char *text)
{
	cJSON *m = cJSON_CreateObject();

	cJSON_AddStringToObject(m, "role", role);
	if (text)
		cJSON_AddStringToObject(m, "content", text);
	return m;
}

void history_user(struct history *h, const char *text)
{
	cJSON_AddItemToArray(h->messages, message("user", text));
}

cJSON *history_assistant(struct history *h, const char *text)
{
	cJSON *m = message("assistant", text);

	cJSON_AddItemToArray(h->messages, m);
	return m;
}

bool history_cut(struct history *h, cJSON *entry, const char *heard)
{
	if (str_blank(heard) && !json_get(entry, "tool_calls")) {
		cJSON_Delete(cJSON_DetachItemViaPointer(h->messages, entry));
		return false;
	}
	cJSON_DeleteItemFromObjectCaseSensitive(entry, "content");
	if (!str_blank(heard))
		cJSON_AddStringToObject(entry, "content", heard);
	return true;
}

void history_tool_call(cJSON *entry, const char *id, const char *name,
		       const char *arguments)
{
	cJSON *calls = cJSON_GetObjectItemCaseSensitive(entry, "tool_calls");

	if (!calls)
		calls = cJSON_AddArrayToObject(entry, "tool_calls");
	cJSON *call = cJSON_CreateObject();
	cJSON_AddStringToObject(call, "id", id);
	cJSON_AddStringToObject(call, "type", "function");
	cJSON *fn = cJSON_AddObjectToObject(call, "function");
	cJSON_AddStringToObject(fn, "name", name);
	cJSON_AddStringToObject(fn, "arguments", arguments);
	cJSON_AddItemToArray(calls, call);
}

/* Debian's cJSON 1.7.15 refuses to insert anywhere but in front: append, then
 * move what belongs behind it. Messages keep their addresses. */
static void insert(cJSON *all, int place, cJSON *item)
{
	int n = cJSON_GetArraySize(all);

	assert(place >= 0 && place <= n);
	cJSON_AddItemToArray(all, item);
	for (; place < n; n--)
		cJSON_AddItemToArray(all,
				     cJSON_DetachItemFromArray(all, place));
}

static bool asks_for(const cJSON *m, const char *id)
{
	const cJSON *call;

	cJSON_ArrayForEach(call, json_get(m, "tool_calls")) {
		if (str_eq(json_str(call, "id"), id))
			return true;
	}
	return false;
}

bool history_has_call(const struct history *h, const char *id)
{
	const cJSON *m;

	cJSON_ArrayForEach(m, h->messages) {
		if (asks_for(m, id))
			return true;
	}
	return false;
}

static cJSON *tool_message(const char *id, const char *result)
{
	cJSON *m = message("tool", result);

	cJSON_AddStringToObject(m, "tool_call_id", id);
	return m;
}

/* Whether one of the tool messages right behind place answers id; *ret_next
 * is the place after them. */
static bool answered(const cJSON *all, int place, const char *id,
		     int *ret_next)
{
	bool found = false;
	int i = place + 1;

	for (; i < cJSON_GetArraySize(all); i++) {
		const cJSON *m = cJSON_GetArrayItem(all, i);
		if (!str_eq(json_str(m, "role"), "tool"))
			break;
		if (str_eq(json_str(m, "tool_call_id"), id))
			found = true;
	}
	*ret_next = i;
	return found;
}

bool history_tool_result(struct history *h, const char *id, const char *result)
{
	for (int i = cJSON_GetArraySize(h->messages) - 1; i >= 0; i--) {
		int next;
		if (!asks_for(cJSON_GetArrayItem(h->messages, i), id))
			continue;
		if (answered(h->messages, i, id, &next))
			return false;
		insert(h->messages, next, tool_message(id, result));
		return true;
	}
	return false;
}

static void add_placeholders(cJSON *all, int place)
{
	const cJSON *call;

	cJSON_ArrayForEach(call, json_get(cJSON_GetArrayItem(all, place),
					  "tool_calls")) {
		const char *id = json_str(call, "id");
		int next;
		if (!id || answered(all, place, id, &next))
			continue;
		insert(all, next, tool_message(id,
			"{\"status\":\"still running, no result yet\"}"));
	}
}

cJSON *history_messages(const struct history *h, const char *instructions,
			const char *extra)
{
	cJSON *all = cJSON_Duplicate(h->messages, true);

	if (!all)
		abort();
	if (!str_blank(instructions))
		insert(all, 0, message("system", instructions));
	for (int i = 0; i < cJSON_GetArraySize(all); i++)
		add_placeholders(all, i);
	if (!str_blank(extra))
		cJSON_AddItemToArray(all, message("system", extra));
	return all;
}
