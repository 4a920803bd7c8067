/*
 * history: the conversation as Chat Completions messages. Keeps the rule that
 * each assistant tool call is answered by a tool message, also when results
 * come late. Pure. Private to call.
 */
#ifndef FD_CALL_HISTORY_H
#define FD_CALL_HISTORY_H

#include <stdbool.h>

#include <cjson/cJSON.h>

struct history {
	cJSON *messages; /* without the system message */
};
void history_init(struct history *h);
void history_finish(struct history *h);
void history_user(struct history *h, const char *text);
/* A new assistant message; the entry is borrowed, for history_cut(). */
cJSON *history_assistant(struct history *h, const char *text);
/* Sets what was heard of an entry; an entry without words and tool calls is
 * removed (returns false: do not use it any more). */
bool history_cut(struct history *h, cJSON *entry, const char *heard);
/* Adds a tool call to an assistant entry. */
void history_tool_call(cJSON *entry, const char *id, const char *name,
		       const char *arguments);
/* Whether a tool call of that id is in it. */
bool history_has_call(const struct history *h, const char *id);
/* The result of a call, put behind the message that asked for it, whenever it
 * comes. false: nobody asked for that id, or it was answered already. */
bool history_tool_result(struct history *h, const char *id,
			 const char *result);
/* All messages for the model: system first, placeholders for results still
 * missing. Fresh, cJSON_Delete(). extra: one more system line, may be NULL. */
cJSON *history_messages(const struct history *h, const char *instructions,
			const char *extra);

#endif
