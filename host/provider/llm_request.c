/* What both dialects ask of a request, and the check of a choice. Pure. */
#include "provider/llm_int.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"

void llm_content_text(struct buf *out, const cJSON *content)
{
	const cJSON *part;

	if (cJSON_IsString(content)) {
		buf_puts(out, content->valuestring);
		return;
	}
	if (!cJSON_IsArray(content))
		return;
	cJSON_ArrayForEach(part, content) {
		const char *text = json_str(part, "text");
		if (text)
			buf_puts(out, text);
	}
}

/* A reasoning model refuses it, unless its reasoning is off. A model that we
 * do not know on a server that is not OpenAI's is not one of those. */
bool llm_temperature_ok(const struct llm_request *q, bool openai)
{
	const char *effort = model_effort(q->choice);

	if (q->temperature < 0)
		return false;
	if (effort && strcmp(effort, "none") != 0)
		return false;
	return !openai || model_find(q->choice->model)->temperature;
}

static const char *const efforts[] = { "none", "minimal", "low", "medium",
				       "high", "xhigh", "max" };

int llm_check(const struct provider_choice *c, const char **ret_why)
{
	const struct model_row *row = model_find(c->model);
	bool found = !c->effort;

	if (str_has_prefix(row->prefix, "nova") ||
	    str_has_prefix(row->prefix, "aura") ||
	    str_has_prefix(row->prefix, "tts-1") ||
	    str_has_prefix(row->prefix, "gpt-4o-mini-t") ||
	    str_has_prefix(row->prefix, "gpt-4o-transcribe") ||
	    str_has_prefix(row->prefix, "gpt-realtime") ||
	    str_has_prefix(row->prefix, "whisper"))
		return check_fail(ret_why, "model \"%s\" is no chat model",
				  c->model);
	for (size_t i = 0; i < sizeof efforts / sizeof *efforts; i++)
		found = found || str_eq(c->effort, efforts[i]);
	if (!found)
		return check_fail(ret_why, "effort \"%s\" is unknown; none, "
				  "minimal, low, medium, high, xhigh or max",
				  c->effort);
	if (row->responses && str_eq(c->effort, "none"))
		return check_fail(ret_why, "model \"%s\" does not accept "
				  "effort \"none\"", c->model);
	return 0;
}
