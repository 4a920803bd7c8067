/*
 * Voices over plain requests: one a part, several at once, the bytes of the
 * answer as they come. The facade asks for the next part while the first
 * plays. On the loop.
 */
#include "provider/tts_int.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/str.h"
#include "base/thread.h"

#define ERROR_MAX (64 * 1024)

struct rest_conn;

struct rest_part {
	struct rest_conn *conn;
	struct rest_part *next;
	int part;
	struct http *http;
	struct sse *sse;        /* NULL: raw samples */
	struct tts_bytes bytes;
	struct buf error;       /* body of a refusal */
	struct buf decoded;
	struct failure failure;
	bool refused, failed;
	long status;
};

struct rest_conn {
	struct providers *p;
	const struct provider_choice *choice;
	const struct rest_dialect *dialect;
	tts_conn_h *fn;
	void *arg;
	struct rest_part *parts;
	bool fresh;             /* the next request, after a failure */
	int busy;
	bool over;
};

static void part_free(struct rest_part *t)
{
	sse_destroy(t->sse);
	tts_bytes_free(&t->bytes);
	buf_free(&t->error);
	buf_free(&t->decoded);
	free(t);
}

static void part_unlink(struct rest_part *t)
{
	struct rest_part **at = &t->conn->parts;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
}

static void conn_free(struct rest_conn *c)
{
	while (c->parts) {
		struct rest_part *t = c->parts;
		c->parts = t->next;
		part_free(t);
	}
	free(c);
}

static void leave(struct rest_conn *c)
{
	if (--c->busy == 0 && c->over)
		conn_free(c);
}

static void tell(struct rest_part *t, struct tts_conn_event *e)
{
	struct rest_conn *c = t->conn;

	e->part = t->part;
	if (!c->over)
		c->fn(c->arg, e);
}

static void part_failed(struct rest_part *t, int err, const char *why)
{
	if (t->failed)
		return;
	t->failed = true;
	failure_set(&t->failure, err, why);
}

static void pass_on(struct rest_part *t, const uint8_t *p, size_t n)
{
	struct tts_conn_event e = { .type = TTS_CONN_AUDIO };

	e.pcm = tts_samples(&t->bytes, p, n, &e.n);
	if (e.n)
		tell(t, &e);
}

/* ---- content ----------------------------------------------------------------- */

static bool type_is(const char *type, const char *name)
{
	return strncasecmp(type, name, strlen(name)) == 0;
}

int rest_content(const char *type)
{
	static const char *const packed[] = {
		"audio/mpeg", "audio/mp3", "audio/wav", "audio/x-wav",
		"audio/wave", "audio/ogg", "audio/flac", "audio/aac",
		"audio/opus", "audio/mulaw", "audio/basic",
		"application/json", "text/",
	};
	int rate;

	if (!type)
		return 0;
	if (type_is(type, "text/event-stream"))
		return 1;
	for (size_t i = 0; i < sizeof packed / sizeof *packed; i++) {
		if (type_is(type, packed[i]))
			return ERR_PROTOCOL;
	}
	const char *at = strstr(type, "rate=");
	if (at && sscanf(at, "rate=%d", &rate) == 1 && rate != TTS_RATE_HZ)
		return ERR_PROTOCOL;
	return 0;
}

int speech_event(struct buf *out, const char *data, size_t n)
{
	if (n >= 6 && strncmp(data, "[DONE]", 6) == 0)
		return 1;
	cJSON *e = json_parse(data, n);
	const char *type = json_str(e, "type");
	const char *audio = json_str(e, "audio");
	int r = 0;

	if (!type || strcmp(type, "error") == 0)
		r = ERR_PROTOCOL;
	else if (strcmp(type, "speech.audio.done") == 0)
		r = 1;
	else if (strcmp(type, "speech.audio.delta") == 0 && audio)
		r = base64_decode(out, audio);
	cJSON_Delete(e);
	return r;
}

static void on_event(void *arg, const char *event, const char *data, size_t n)
{
	struct rest_part *t = arg;

	(void)event;
	if (t->conn->over || t->failed)
		return;
	buf_reset(&t->decoded);
	if (speech_event(&t->decoded, data, n) < 0)
		part_failed(t, ERR_PROTOCOL, "unreadable speech event");
	else if (t->decoded.len)
		pass_on(t, t->decoded.p, t->decoded.len);
}

/* ---- the exchange --------------------------------------------------------------- */

static void on_headers(void *arg, long status)
{
	struct rest_part *t = arg;
	const struct net *net = t->conn->p->tables->net;
	int kind = rest_content(net->http_header(t->http, "content-type"));

	t->status = status;
	t->refused = status >= 300;
	if (t->refused)
		return;
	/* by what came, not by what was asked: servers ignore the wish */
	if (kind < 0)
		part_failed(t, kind, "not raw 24 kHz samples");
	else if (kind == 1 && !t->conn->dialect->sse)
		part_failed(t, ERR_PROTOCOL, "events, not samples");
	else if (kind == 1 && sse_create(&t->sse, on_event, t) < 0)
		part_failed(t, -ENOMEM, NULL);
}

static void on_data(void *arg, const uint8_t *p, size_t n)
{
	struct rest_part *t = arg;
	struct rest_conn *c = t->conn;

	if (c->over || t->failed)
		return;
	c->busy++;
	if (t->refused) {
		if (t->error.len + n <= ERROR_MAX)
			buf_add(&t->error, p, n);
	} else if (t->sse) {
		if (sse_feed(t->sse, p, n) < 0)
			part_failed(t, ERR_PROTOCOL, "event too long");
	} else {
		pass_on(t, p, n);
	}
	leave(c);
}

static void refused(struct rest_part *t, long status)
{
	const struct net *net = t->conn->p->tables->net;
	const struct retry_headers h = {
		.after_ms = net->http_header(t->http, "retry-after-ms"),
		.after = net->http_header(t->http, "retry-after"),
		.should = net->http_header(t->http, "x-should-retry"),
	};

	failure_http(&t->failure, status, buf_str(&t->error), t->error.len,
		     &h);
}

static void on_done(void *arg, int err, long status, const char *body,
		    size_t n)
{
	struct rest_part *t = arg;
	struct rest_conn *c = t->conn;
	struct tts_conn_event e = { .type = TTS_CONN_PART };

	(void)body;
	(void)n;
	if (t->refused || status >= 300)
		refused(t, status);
	else if (err < 0)
		part_failed(t, err, NULL);
	t->http = NULL;
	if (t->failure.err) {
		e.type = TTS_CONN_FAILED;
		e.failure = &t->failure;
	}
	c->busy++;
	part_unlink(t);
	tell(t, &e);
	part_free(t);
	leave(c);
}

static const struct http_ops exchange_ops = { on_headers, on_data, on_done };

int rest_open(void **ret_conn, struct providers *p,
	      const struct provider_choice *c, const struct rest_dialect *d,
	      bool fresh, tts_conn_h *fn, void *arg)
{
	ON_LOOP();
	struct rest_conn *r = calloc(1, sizeof *r);

	if (!r)
		return -ENOMEM;
	r->p = p;
	r->choice = c;
	r->dialect = d;
	r->fresh = fresh;
	r->fn = fn;
	r->arg = arg;
	*ret_conn = r;
	return 0;
}

int rest_speak(void *conn, int part, const char *text)
{
	ON_LOOP();
	struct rest_conn *c = conn;
	struct rest_part *t = calloc(1, sizeof *t);
	struct rest_request q = { 0 };

	if (!t)
		return -ENOMEM;
	t->conn = c;
	t->part = part;
	c->dialect->request(&q, c->p, c->choice, text);
	const char *headers[] = { "Content-Type: application/json", q.auth,
				  NULL };
	const struct http_cfg cfg = {
		.method = "POST", .url = q.url, .headers = headers,
		.body = q.body, .body_len = strlen(q.body),
		.connect_ms = 2000, .first_byte_ms = 10000, .idle_ms = 10000,
		.fresh = c->fresh,
	};
	c->fresh = false;
	int r = c->p->tables->net->http_start(&t->http, c->p->loop, &cfg,
					      &exchange_ops, t);
	free(q.url);
	free(q.body);
	if (r < 0) {
		part_free(t);
		return r;
	}
	t->next = c->parts;
	c->parts = t;
	return 0;
}

void rest_close(void *conn)
{
	ON_LOOP();
	struct rest_conn *c = conn;

	assert(!c->over);
	c->over = true;
	for (struct rest_part *t = c->parts; t; t = t->next) {
		c->p->tables->net->http_cancel(t->http);
		t->http = NULL;
	}
	if (!c->busy)
		conn_free(c);
}
