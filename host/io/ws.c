/*
 * Websockets as their owners see them: the order of events, queues, limits,
 * pings and the end, told exactly once. The wire is in ws_lws.c. Runs on the
 * loop only.
 */
#include "io/ws_int.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"

enum {
	CONNECT_MS = 10000,
	ATTEMPT_MS = 2000,      /* for one of several addresses */
	GOODBYE_MS = 2000,      /* to flush after ws_close() */
	PING_MS = 20000,
	PINGS_LOST = 2,
	MAX_MESSAGE = 2 << 20,
	MAX_QUEUED = 4 << 20,
	MAX_HOST = 118,
	KEEP_BUFFER = 64 << 10, /* bigger receive buffers are given back */
};

static void drop_queue(struct ws *w)
{
	while (w->out) {
		struct ws_message *next = w->out->next;
		free(w->out);
		w->out = next;
	}
	w->out_end = &w->out;
	w->queued = 0;
}

static void ws_free(struct ws *w)
{
	assert(!w->busy);
	ws_lws_drop(w);
	resolve_cancel(w->req);
	refusal_destroy(w->refusal);
	timer_stop(&w->limit);
	timer_stop(&w->attempt);
	timer_stop(&w->ping);
	drop_queue(w);
	*w->at = w->next;
	if (w->next)
		w->next->at = w->at;
	headers_free(w->headers);
	free(w->protocol);
	buf_free(&w->answer);
	buf_free(&w->in);
	free(w);
}

void ws_settle(struct ws *w)
{
	if (w->state == WS_ENDED && !w->busy)
		ws_free(w);
}

void ws_end(struct ws *w, int err, int status, const char *reason)
{
	const struct ws_ops *ops = w->ops;

	if (w->state == WS_ENDED)
		return;
	w->state = WS_ENDED;
	w->ops = NULL;
	/* reason may point into what the drop frees */
	if (reason != w->reason)
		str_copy(w->reason, sizeof w->reason, reason ? reason : "");
	w->busy++;
	if (ops)
		ops->on_close(w->arg, err, status, w->reason);
	w->busy--;
	ws_settle(w);
}

/* ---- opening ----------------------------------------------------------------- */

static void attempt(struct ws *w)
{
	w->state = WS_CONNECTING;
	w->connected = false;
	w->spoke = false;
	if (w->i_addr + 1 < w->n_addrs)
		timer_start(&w->attempt, ATTEMPT_MS);
	int r = ws_lws_connect(w);
	if (r < 0)
		ws_end(w, r, 0, err_text(r));
}

/* The next address, unless the server itself has spoken. */
void ws_attempt_failed(struct ws *w, int err, const char *reason)
{
	timer_stop(&w->attempt);
	if (w->spoke || w->i_addr + 1 >= w->n_addrs) {
		ws_end(w, err, w->status, reason);
		return;
	}
	w->i_addr++;
	w->wsi = NULL;
	/* not inside lws's callback about the one that failed */
	timer_start(&w->attempt, 0);
}

static void attempt_over(void *arg)
{
	struct ws *w = arg;

	if (w->state == WS_CLOSING) {
		ws_lws_goodbye(w);
		return;
	}
	if (w->wsi) {
		ws_lws_drop(w);
		w->i_addr++;
	}
	attempt(w);
}

static void resolved(void *arg, int status,
		     const struct sockaddr_storage *addrs, size_t n)
{
	struct ws *w = arg;

	w->req = NULL;
	if (status < 0) {
		ws_end(w, status, 0, "name not found");
		return;
	}
	w->n_addrs = n < WS_MAX_ADDRS ? n : WS_MAX_ADDRS;
	memcpy(w->addrs, addrs, w->n_addrs * sizeof *addrs);
	attempt(w);
}

static void over_limit(void *arg)
{
	struct ws *w = arg;

	if (w->state == WS_REFUSED)
		refusal_finish(w->refusal);
	else
		ws_end(w, -ETIMEDOUT, 0, "not open in time");
}

static void ping_due(void *arg)
{
	struct ws *w = arg;

	if (w->unanswered >= PINGS_LOST) {
		ws_end(w, ERR_STALLED, 1006, "pings stay unanswered");
		return;
	}
	w->unanswered++;
	w->want_ping = true;
	lws_callback_on_writable(w->wsi);
	timer_start(&w->ping, w->ping_ms);
}

static int set_up(struct ws *w, const struct ws_cfg *cfg)
{
	int r = url_parse(&w->url, cfg->url);

	if (r == 0 && w->url.scheme[0] != 'w')
		r = ERR_CONFIG;
	if (r == 0)
		r = proxy_find(&w->proxy, &w->url);
	if (r < 0)
		return r;
	w->headers = headers_copy(cfg->headers);
	if (!w->headers)
		return -EINVAL;
	w->protocol = str_dup(cfg->protocol);
	bool usual = w->url.port == (w->url.tls ? 443 : 80);
	bool v6 = strchr(w->url.host, ':') != NULL;
	snprintf(w->host_header, sizeof w->host_header, v6 ? "[%s]" : "%s",
		 w->url.host);
	if (!usual) {
		size_t n = strlen(w->host_header);
		snprintf(w->host_header + n, sizeof w->host_header - n, ":%d",
			 w->url.port);
	}
	/* lws cuts a Host line at 128 bytes without a word */
	if (strlen(w->host_header) > MAX_HOST)
		return ERR_CONFIG;
	w->max_message = cfg->max_message ? cfg->max_message : MAX_MESSAGE;
	w->ping_ms = cfg->ping_ms ? cfg->ping_ms : PING_MS;
	return 0;
}

int ws_open(struct ws **ret_ws, struct loop *l, const struct ws_cfg *cfg,
	    const struct ws_ops *ops, void *arg)
{
	ON_LOOP();
	assert(ops->on_open && ops->on_message && ops->on_close);
	struct ws *w = calloc(1, sizeof *w);
	if (!w)
		return -ENOMEM;
	w->host = l->ws;
	w->ops = ops;
	w->arg = arg;
	w->out_end = &w->out;
	w->at = &l->ws->all;
	w->next = l->ws->all;
	if (w->next)
		w->next->at = &w->next;
	l->ws->all = w;
	timer_init(&w->limit, l->clock, over_limit, w);
	timer_init(&w->attempt, l->clock, attempt_over, w);
	timer_init(&w->ping, l->clock, ping_due, w);
	int r = set_up(w, cfg);
	if (r == 0)
		r = resolve_start(&w->req, l, w->proxy.host[0] ?
				  w->proxy.host : w->url.host, resolved, w);
	if (r < 0) {
		ws_free(w);
		return r;
	}
	timer_start(&w->limit, cfg->connect_ms ? cfg->connect_ms : CONNECT_MS);
	*ret_ws = w;
	return 0;
}

void ws_opened(struct ws *w)
{
	w->state = WS_OPEN;
	timer_stop(&w->limit);
	timer_stop(&w->attempt);
	timer_start(&w->ping, w->ping_ms);
	w->ops->on_open(w->arg);
}

/* ---- messages -------------------------------------------------------------------- */

void ws_received(struct ws *w, const uint8_t *p, size_t n, bool text)
{
	const struct ws_ops *ops = w->ops;

	w->unanswered = 0;
	if (ops)
		ops->on_message(w->arg, p, n, text);
	if (w->in.cap > KEEP_BUFFER)
		buf_free(&w->in);
	else
		buf_reset(&w->in);
}

int ws_send(struct ws *w, const void *p, size_t n, bool text)
{
	ON_LOOP();
	if (w->state != WS_OPEN)
		return ERR_CLOSED;
	if (w->queued + n > MAX_QUEUED)
		return ERR_FULL;
	struct ws_message *m = malloc(sizeof *m + LWS_PRE + n);
	if (!m)
		return -ENOMEM;
	m->next = NULL;
	m->n = n;
	m->text = text;
	if (n)
		memcpy(m->bytes + LWS_PRE, p, n);
	*w->out_end = m;
	w->out_end = &m->next;
	w->queued += n;
	lws_callback_on_writable(w->wsi);
	return 0;
}

size_t ws_queued(const struct ws *w)
{
	ON_LOOP();
	return w->queued;
}

/* ---- closing ----------------------------------------------------------------------- */

static void say_goodbye(struct ws *w, int code)
{
	timer_stop(&w->ping);
	w->state = WS_CLOSING;
	w->close_code = code;
	timer_start(&w->limit, GOODBYE_MS);
	lws_callback_on_writable(w->wsi);
}

void ws_flushed(struct ws *w)
{
	timer_start(&w->attempt, 0);
}

void ws_give_up(struct ws *w, int err, int status, const char *reason)
{
	const struct ws_ops *ops = w->ops;

	assert(w->state == WS_OPEN && w->busy);
	w->ops = NULL;
	drop_queue(w);
	buf_free(&w->in);
	say_goodbye(w, status);
	ops->on_close(w->arg, err, status, reason);
}

void ws_close(struct ws *w, int code)
{
	ON_LOOP();
	/* without ops it has said, or is saying, goodbye already */
	if (!w || !w->ops)
		return;
	bool polite = w->state == WS_OPEN && code;
	w->ops = NULL;
	if (polite) {
		say_goodbye(w, code);
	} else {
		w->state = WS_ENDED;
		ws_settle(w);
	}
}
