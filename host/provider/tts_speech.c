/*
 * /audio/speech, the shape that many servers share. OpenAI's own models behind
 * it end on 2027-01-06; the client stays for the others. There is no way to
 * stream text in: one request a part.
 */
#include "provider/tts_int.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"

static void speech_request(struct rest_request *r, struct providers *p,
			   const struct provider_choice *c, const char *text)
{
	struct buf body = { 0 };

	buf_puts(&body, "{\"model\":");
	str_json_quote(&body, c->model);
	buf_puts(&body, ",\"voice\":");
	str_json_quote(&body, c->voice ? c->voice : "");
	buf_puts(&body, ",\"response_format\":\"pcm\",\"input\":");
	str_json_quote(&body, text);
	buf_puts(&body, "}");
	r->url = str_printf("%s/audio/speech", p->speech_url);
	r->body = buf_take(&body);
	r->auth = p->speech_auth;
}

static const struct rest_dialect dialect = {
	.request = speech_request, .sse = true,
};

static int speech_open(void **ret_conn, struct providers *p,
		       const struct provider_choice *c, bool fresh,
		       tts_conn_h *fn, void *arg)
{
	return rest_open(ret_conn, p, c, &dialect, fresh, fn, arg);
}

static int speech_check(const struct provider_choice *c, const char **ret_why)
{
	if (str_blank(c->voice))
		return check_fail(ret_why, "speech needs a voice, such as "
				  "\"coral\"");
	if (str_has_prefix(c->model, "aura"))
		return check_fail(ret_why, "model \"%s\" is Deepgram's: "
				  "provider \"aura\"", c->model);
	if (str_has_prefix(c->model, "gpt-realtime"))
		return check_fail(ret_why, "model \"%s\" is not accepted by "
				  "/audio/speech", c->model);
	return 0;
}

const struct tts_ops tts_speech = {
	.name = "speech",
	.check = speech_check,
	.open = speech_open,
	.speak = rest_speak,
	.close = rest_close,
};
