/* Aura over REST: where the sockets of the project are used up. */
#include "provider/tts_int.h"

#include "base/str.h"

static void aura_request(struct rest_request *r, struct providers *p,
			 const struct provider_choice *c, const char *text)
{
	struct buf url = { 0 }, body = { 0 };

	buf_puts(&url, p->deepgram_http);
	aura_speak_path(&url, c, true);
	buf_puts(&body, "{\"text\":");
	str_json_quote(&body, text);
	buf_puts(&body, "}");
	r->url = buf_take(&url);
	r->body = buf_take(&body);
	r->auth = p->deepgram_auth;
}

static const struct rest_dialect dialect = { .request = aura_request };

static int aura_rest_open(void **ret_conn, struct providers *p,
			  const struct provider_choice *c, bool fresh,
			  tts_conn_h *fn, void *arg)
{
	return rest_open(ret_conn, p, c, &dialect, fresh, fn, arg);
}

const struct tts_ops tts_aura_rest = {
	.name = "aura-rest",
	.check = aura_check,
	.open = aura_rest_open,
	.speak = rest_speak,
	.close = rest_close,
};
