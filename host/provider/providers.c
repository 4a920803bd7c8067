/*
 * The process's accounts, base addresses, limits and tables. On the loop.
 * Keys live in ready-made header lines and are never printed.
 */
#include "provider/provider_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/thread.h"
#include "provider/llm_int.h"
#include "provider/tts_int.h"

static const struct net real_net = {
	.ws_open = ws_open,
	.ws_send = ws_send,
	.ws_close = ws_close,
	.http_start = http_start,
	.http_header = http_header,
	.http_cancel = http_cancel,
	.http_warm = http_warm,
};

static const struct stt_ops *const stt_rows[] = { &stt_deepgram, NULL };
static const struct llm_ops *const llm_rows[] = {
	&llm_openai_chat, &llm_openai_responses, NULL
};
static const struct tts_ops *const tts_rows[] = {
	&tts_aura_ws, &tts_aura_rest, &tts_speech, NULL
};

const struct provider_tables provider_tables = {
	.net = &real_net, .stt = stt_rows, .llm = llm_rows, .tts = tts_rows,
};

/* scheme + the address without its scheme, trailing slashes and "/v1". */
static char *base_with(const char *scheme, const char *url, const char *version)
{
	const char *rest = strstr(url, "://");
	bool tls = str_has_prefix(url, "https:") || str_has_prefix(url, "wss:");
	char *out = str_printf("%s%s://%s", scheme, tls ? "s" : "",
			       rest ? rest + 3 : url);
	size_t n = strlen(out);

	while (n && out[n - 1] == '/')
		out[--n] = 0;
	size_t v = strlen(version);
	if (v && n > v && strcmp(out + n - v, version) == 0)
		out[n - v] = 0;
	return out;
}

static char *auth_line(const char *scheme, const char *key)
{
	return str_blank(key) ? NULL :
	       str_printf("Authorization: %s %s", scheme, key);
}

static const char *or_default(const char *s, const char *fallback)
{
	return str_blank(s) ? fallback : s;
}

static void set_addresses(struct providers *p, const struct providers_cfg *cfg)
{
	const char *dg = or_default(cfg->deepgram_url,
				    "wss://api.deepgram.com");
	const char *oa = or_default(cfg->openai_base_url,
				    "https://api.openai.com/v1");
	const char *sp = or_default(cfg->speech_base_url, oa);
	/* another company's server must not be shown OpenAI's key */
	const char *sp_key = str_blank(cfg->speech_base_url) &&
			     str_blank(cfg->speech_key) ?
			     cfg->openai_key : cfg->speech_key;

	p->deepgram_ws = base_with("ws", dg, "/v1");
	p->deepgram_http = base_with("http", dg, "/v1");
	p->deepgram_auth = auth_line("Token", cfg->deepgram_key);
	p->openai_url = base_with("http", oa, "");
	/* Azure's own header (its bearer tokens are something else) */
	p->openai_auth = strstr(oa, ".openai.azure.com") &&
			 !str_blank(cfg->openai_key) ?
			 str_printf("api-key: %s", cfg->openai_key) :
			 auth_line("Bearer", cfg->openai_key);
	p->speech_url = base_with("http", sp, "");
	p->speech_auth = auth_line("Bearer", sp_key);
}

int providers_create_with(struct providers **ret, struct loop *l,
			  struct clock *c, const struct provider_tables *t,
			  const struct providers_cfg *cfg)
{
	struct providers *p = calloc(1, sizeof *p);

	if (!p)
		return -ENOMEM;
	p->loop = l;
	p->clock = c;
	p->tables = t;
	set_addresses(p, cfg);
	p->stt_limit = cfg->stt_streams ? cfg->stt_streams : 150;
	int r = tts_pool_create(&p->pool, p,
				cfg->tts_sockets ? cfg->tts_sockets : 45,
				cfg->flushes_a_min ? cfg->flushes_a_min : 20);
	if (r < 0) {
		providers_close(p);
		return r;
	}
	*ret = p;
	return 0;
}

int providers_create(struct providers **ret, struct loop *l,
		     const struct providers_cfg *cfg)
{
	ON_LOOP();
	return providers_create_with(ret, l, loop_clock(l), &provider_tables,
				     cfg);
}

void providers_close(struct providers *p)
{
	ON_LOOP();
	if (!p)
		return;
	assert(p->streams == 0);
	llm_http_drop_lingering(p);
	tts_pool_close(p->pool);
	assert(p->stt_used == 0);
	free(p->deepgram_ws);
	free(p->deepgram_http);
	free(p->deepgram_auth);
	free(p->openai_url);
	free(p->openai_auth);
	free(p->speech_url);
	free(p->speech_auth);
	free(p);
}

bool providers_have_room(const struct providers *p)
{
	ON_LOOP();
	return p->stt_used < p->stt_limit && tts_pool_has_room(p->pool);
}

void providers_warm(struct providers *p)
{
	ON_LOOP();
	const struct net *net = p->tables->net;

	net->http_warm(p->loop, p->openai_url);
	if (strcmp(p->speech_url, p->openai_url) != 0)
		net->http_warm(p->loop, p->speech_url);
	net->http_warm(p->loop, p->deepgram_http);
	tts_pool_warm(p->pool, NULL);
}

void providers_warm_voice(struct providers *p, const struct provider_choice *c)
{
	ON_LOOP();
	if (str_eq(c->provider, tts_aura_ws.name))
		tts_pool_warm(p->pool, c->model);
}

const struct stt_ops *stt_ops_find(const struct providers *p, const char *name)
{
	for (const struct stt_ops *const *o = p->tables->stt; *o; o++) {
		if (str_eq((*o)->name, name))
			return *o;
	}
	return NULL;
}

const struct llm_ops *llm_ops_find(const struct providers *p,
				   const struct provider_choice *c,
				   bool has_tools)
{
	const char *name = c->provider;

	if (str_eq(name, llm_openai_chat.name) &&
	    model_wants_responses(c, has_tools))
		name = llm_openai_responses.name;
	for (const struct llm_ops *const *o = p->tables->llm; *o; o++) {
		if (str_eq((*o)->name, name))
			return *o;
	}
	return NULL;
}

const struct tts_ops *tts_ops_find(const struct providers *p, const char *name)
{
	for (const struct tts_ops *const *o = p->tables->tts; *o; o++) {
		if (str_eq((*o)->name, name))
			return *o;
	}
	return NULL;
}
