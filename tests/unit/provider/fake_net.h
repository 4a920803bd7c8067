/*
 * The network seam without a network: what was opened and sent is recorded,
 * what comes back is said by the test. Closing frees at once, as io does.
 */
#ifndef FD_FAKE_NET_H
#define FD_FAKE_NET_H

#include "unit.h"

#include "base/buf.h"
#include "base/str.h"
#include "provider/provider_int.h"

#define FAKE __attribute__((unused)) static
#define FAKE_MAX 64

struct ws {
	const struct ws_ops *ops;
	void *arg;
	char *url, *auth;
	struct buf text;     /* text messages, one a line */
	size_t audio_bytes;
	size_t messages, empty_messages;
	int close_code;      /* -1 while open */
	int send_result;
};

struct http {
	const struct http_ops *ops;
	void *arg;
	char *url, *auth, *body;
	const char *type, *retry_after, *retry_after_ms;
	bool cancelled, done;
};

static struct ws *socks[FAKE_MAX];
static size_t n_socks;
static struct http *requests[FAKE_MAX];
static size_t n_requests, n_warmed;
static int net_result; /* of the next opens */

static const char *auth_of(const char *const *headers)
{
	for (; headers && *headers; headers++) {
		if (str_has_prefix(*headers, "Authorization: ") ||
		    str_has_prefix(*headers, "api-key: "))
			return *headers;
	}
	return NULL;
}

static int fake_ws_open(struct ws **ret, struct loop *l,
			const struct ws_cfg *cfg, const struct ws_ops *ops,
			void *arg)
{
	(void)l;
	if (net_result < 0)
		return net_result;
	struct ws *w = calloc(1, sizeof *w);
	assert_non_null(w);
	assert_true(n_socks < FAKE_MAX);
	*w = (struct ws){ .ops = ops, .arg = arg, .close_code = -1 };
	w->url = str_dup(cfg->url);
	w->auth = str_dup(auth_of(cfg->headers));
	socks[n_socks++] = w;
	*ret = w;
	return 0;
}

static int fake_ws_send(struct ws *w, const void *p, size_t n, bool text)
{
	assert_int_equal(w->close_code, -1);
	if (w->send_result < 0)
		return w->send_result;
	w->messages++;
	if (!n)
		w->empty_messages++;
	if (text) {
		buf_add(&w->text, p, n);
		buf_puts(&w->text, "\n");
	} else {
		w->audio_bytes += n;
	}
	return 0;
}

static void fake_ws_close(struct ws *w, int code)
{
	if (w)
		w->close_code = code;
}

static int fake_http_start(struct http **ret, struct loop *l,
			   const struct http_cfg *cfg,
			   const struct http_ops *ops, void *arg)
{
	(void)l;
	if (net_result < 0)
		return net_result;
	struct http *h = calloc(1, sizeof *h);
	struct buf body = { 0 };
	assert_non_null(h);
	assert_true(n_requests < FAKE_MAX);
	*h = (struct http){ .ops = ops, .arg = arg };
	h->url = str_dup(cfg->url);
	h->auth = str_dup(auth_of(cfg->headers));
	buf_add(&body, cfg->body, cfg->body_len);
	h->body = buf_take(&body);
	requests[n_requests++] = h;
	*ret = h;
	return 0;
}

static const char *fake_http_header(struct http *h, const char *name)
{
	if (str_eq(name, "content-type"))
		return h->type;
	if (str_eq(name, "retry-after"))
		return h->retry_after;
	if (str_eq(name, "retry-after-ms"))
		return h->retry_after_ms;
	return NULL;
}

static void fake_http_cancel(struct http *h)
{
	if (h) {
		assert_false(h->done);
		h->cancelled = true;
	}
}

static void fake_http_warm(struct loop *l, const char *url)
{
	(void)l;
	assert_non_null(url);
	n_warmed++;
}

static const struct net fake_net = {
	fake_ws_open, fake_ws_send, fake_ws_close, fake_http_start,
	fake_http_header, fake_http_cancel, fake_http_warm,
};

/* ---- what the other side does ------------------------------------------------ */

FAKE void sock_opens(struct ws *w)
{
	w->ops->on_open(w->arg);
}

FAKE void sock_says(struct ws *w, const char *text)
{
	/* io never calls an owner that closed */
	if (w->close_code < 0)
		w->ops->on_message(w->arg, (const uint8_t *)text, strlen(text),
				   true);
}

FAKE void sock_plays(struct ws *w, const void *p, size_t n)
{
	if (w->close_code < 0)
		w->ops->on_message(w->arg, p, n, false);
}

FAKE void sock_ends(struct ws *w, int err, int status, const char *reason)
{
	assert_int_equal(w->close_code, -1);
	w->close_code = status;
	w->ops->on_close(w->arg, err, status, reason);
}

FAKE void http_answers(struct http *h, long status, const char *type)
{
	h->type = type;
	if (!h->cancelled)
		h->ops->on_headers(h->arg, status);
}

FAKE void http_gives(struct http *h, const void *p, size_t n)
{
	if (!h->cancelled)
		h->ops->on_data(h->arg, p, n);
}

FAKE void http_says(struct http *h, const char *text)
{
	http_gives(h, text, strlen(text));
}

FAKE void http_ends(struct http *h, int err, long status)
{
	if (h->cancelled)
		return;
	h->ops->on_done(h->arg, err, status, "", 0);
	h->done = true;
}

FAKE bool sock_sent(const struct ws *w, const char *text)
{
	return strstr(buf_str(&w->text), text) != NULL;
}

FAKE void fake_net_clear(void)
{
	for (size_t i = 0; i < n_socks; i++) {
		free(socks[i]->url);
		free(socks[i]->auth);
		buf_free(&socks[i]->text);
		free(socks[i]);
	}
	for (size_t i = 0; i < n_requests; i++) {
		free(requests[i]->url);
		free(requests[i]->auth);
		free(requests[i]->body);
		free(requests[i]);
	}
	n_socks = n_requests = n_warmed = 0;
	net_result = 0;
}

/* ---- a process with the real tables over it ------------------------------------- */

static struct provider_tables over_fake_net;

FAKE struct providers *fake_providers(struct clock **ret_clock,
				      const struct providers_cfg *cfg)
{
	struct providers *p;

	over_fake_net = provider_tables;
	over_fake_net.net = &fake_net;
	assert_int_equal(clock_create_virtual(ret_clock, 0), 0);
	assert_int_equal(providers_create_with(&p, NULL, *ret_clock,
					       &over_fake_net, cfg), 0);
	return p;
}

FAKE void fake_providers_end(struct providers *p, struct clock *c)
{
	providers_close(p);
	assert_int_equal(clock_timers(c), 0);
	clock_destroy(c);
	for (size_t i = 0; i < n_socks; i++)
		assert_int_not_equal(socks[i]->close_code, -1);
	for (size_t i = 0; i < n_requests; i++)
		assert_true(requests[i]->cancelled || requests[i]->done);
	fake_net_clear();
}

#endif
