/*
 * One request to a language model and its answer, streamed or whole. On the
 * loop. An exchange whose answer is complete is left to end by itself, so that
 * its connection stays warm for the next turn.
 */
#include "provider/llm_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/thread.h"

#define BODY_MAX (1024 * 1024)
#define LINGER_MS 2000

enum body_kind { BODY_UNKNOWN, BODY_EVENTS, BODY_JSON };

struct llm_http {
	struct providers *p;
	const struct llm_dialect *dialect;
	llm_conn_h *fn;
	void *arg;
	struct http *http;
	struct sse *sse;
	struct llm_answer answer;
	enum body_kind kind;
	long status;
	struct buf body;          /* JSON: an error or a whole answer */
	char *after_ms, *after, *should; /* struct retry_headers */
	bool failed;
	int busy;
	bool over;
	struct llm_http *next;    /* in p->lingering */
	struct timer linger;
};

static void conn_free(struct llm_http *c)
{
	timer_stop(&c->linger);
	c->p->tables->net->http_cancel(c->http);
	sse_destroy(c->sse);
	llm_answer_free(&c->answer);
	buf_free(&c->body);
	free(c->after_ms);
	free(c->after);
	free(c->should);
	free(c);
}

static void linger_leave(struct llm_http *c)
{
	for (struct llm_http **at = &c->p->lingering; *at; at = &(*at)->next) {
		if (*at == c) {
			*at = c->next;
			return;
		}
	}
}

static void on_linger(void *arg)
{
	struct llm_http *c = arg;

	linger_leave(c);
	conn_free(c);
}

/* Cancelled: gone at once, or when its complete exchange has ended. */
static void retire(struct llm_http *c)
{
	if (!c->http || !c->answer.ended) {
		conn_free(c);
		return;
	}
	c->next = c->p->lingering;
	c->p->lingering = c;
	timer_start(&c->linger, LINGER_MS);
}

static void leave(struct llm_http *c)
{
	if (--c->busy == 0 && c->over)
		retire(c);
}

static void emit(void *arg, const struct llm_conn_event *e)
{
	struct llm_http *c = arg;

	if (!c->over && !c->failed)
		c->fn(c->arg, e);
}

static void tell_failed(struct llm_http *c, const struct failure *f)
{
	const struct llm_conn_event e = {
		.type = LLM_CONN_FAILED, .failure = f,
	};

	emit(c, &e);
	c->failed = true;
}

static void on_event(void *arg, const char *event, const char *data, size_t n)
{
	struct llm_http *c = arg;

	(void)event;
	if (c->over || c->failed || c->answer.ended)
		return;
	if (c->dialect->event(&c->answer, data, n) < 0)
		tell_failed(c, &c->answer.failure);
}

static void on_headers(void *arg, long status)
{
	struct llm_http *c = arg;
	const struct net *net = c->p->tables->net;
	const char *type = net->http_header(c->http, "content-type");

	c->status = status;
	str_set(&c->after_ms, net->http_header(c->http, "retry-after-ms"));
	str_set(&c->after, net->http_header(c->http, "retry-after"));
	str_set(&c->should, net->http_header(c->http, "x-should-retry"));
	if (status >= 300)
		c->kind = BODY_JSON;
	else if (type && strstr(type, "text/event-stream"))
		c->kind = BODY_EVENTS;
	else if (type && strstr(type, "application/json"))
		c->kind = BODY_JSON;
}

/* Without a content type the first byte tells: an object, or lines. */
static void guess_kind(struct llm_http *c, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n && c->kind == BODY_UNKNOWN; i++) {
		if (!strchr(" \t\r\n", p[i]))
			c->kind = p[i] == '{' ? BODY_JSON : BODY_EVENTS;
	}
}

static void on_data(void *arg, const uint8_t *p, size_t n)
{
	struct llm_http *c = arg;
	struct failure f;

	if (c->over || c->failed)
		return;
	c->busy++;
	guess_kind(c, p, n);
	if (c->kind == BODY_EVENTS) {
		if (sse_feed(c->sse, p, n) < 0 && !c->failed) {
			failure_set(&f, ERR_PROTOCOL, "event too long");
			tell_failed(c, &f);
		}
	} else if (c->body.len + n <= BODY_MAX) {
		buf_add(&c->body, p, n);
	} else {
		failure_set(&f, ERR_PROTOCOL, "answer too long");
		tell_failed(c, &f);
	}
	leave(c);
}

static void conclude(struct llm_http *c, int err)
{
	const struct retry_headers h = { c->after_ms, c->after, c->should };
	struct failure f;

	if (c->status >= 300) {
		failure_http(&f, c->status, buf_str(&c->body), c->body.len, &h);
		tell_failed(c, &f);
	} else if (err < 0) {
		failure_set(&f, err, NULL);
		tell_failed(c, &f);
	} else if (c->kind == BODY_JSON) {
		if (c->dialect->whole(&c->answer, buf_str(&c->body),
				      c->body.len) < 0)
			tell_failed(c, &c->answer.failure);
	} else if (c->dialect->end(&c->answer) < 0) {
		tell_failed(c, &c->answer.failure);
	}
}

static void on_done(void *arg, int err, long status, const char *body,
		    size_t n)
{
	struct llm_http *c = arg;

	(void)body;
	(void)n;
	c->http = NULL;
	if (c->over) {
		assert(!c->busy);
		linger_leave(c);
		conn_free(c);
		return;
	}
	if (!c->status)
		c->status = status;
	c->busy++;
	if (!c->failed && !c->answer.ended)
		conclude(c, err);
	leave(c);
}

static const struct http_ops exchange_ops = { on_headers, on_data, on_done };

/* Real OpenAI, or a model of theirs behind a proxy. */
static bool is_openai(const struct providers *p, const char *model)
{
	return strstr(p->openai_url, ".openai.com") ||
	       strstr(p->openai_url, ".openai.azure.com") ||
	       model_known(model);
}

static int post(struct llm_http *c, const struct llm_request *q)
{
	const char *headers[] = { "Content-Type: application/json",
				  "Accept: text/event-stream",
				  c->p->openai_auth, NULL };
	char *url = str_printf("%s%s", c->p->openai_url, c->dialect->path);
	char *body = c->dialect->body(q, is_openai(c->p, q->choice->model));
	/* the facade's deadlines come first; these end what it forgot */
	const struct http_cfg cfg = {
		.method = "POST", .url = url, .headers = headers,
		.body = body, .body_len = strlen(body),
		.connect_ms = 2000, .first_byte_ms = 30000, .idle_ms = 30000,
		.fresh = q->fresh,
	};
	int r = c->p->tables->net->http_start(&c->http, c->p->loop, &cfg,
					      &exchange_ops, c);

	free(body);
	free(url);
	return r;
}

int llm_http_start(void **ret_conn, struct providers *p,
		   const struct llm_request *q, const struct llm_dialect *d,
		   llm_conn_h *fn, void *arg)
{
	ON_LOOP();
	struct llm_http *c = calloc(1, sizeof *c);

	if (!c)
		return -ENOMEM;
	c->p = p;
	c->dialect = d;
	c->fn = fn;
	c->arg = arg;
	llm_answer_init(&c->answer, emit, c);
	timer_init(&c->linger, p->clock, on_linger, c);
	int r = sse_create(&c->sse, on_event, c);
	if (r >= 0)
		r = post(c, q);
	if (r < 0) {
		conn_free(c);
		return r;
	}
	*ret_conn = c;
	return 0;
}

void llm_http_cancel(void *conn)
{
	ON_LOOP();
	struct llm_http *c = conn;

	assert(!c->over);
	c->over = true;
	if (!c->busy)
		retire(c);
}

void llm_http_drop_lingering(struct providers *p)
{
	while (p->lingering) {
		struct llm_http *c = p->lingering;
		p->lingering = c->next;
		conn_free(c);
	}
}
