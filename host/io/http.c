/*
 * HTTP requests on the loop. A request resolves its name first (curl's own
 * resolver would make a cancel wait for its thread), then goes to curl. What
 * curl hands over is noted and told at the end of the event, so that owners
 * may start and cancel requests inside their callbacks.
 */
#include "io/http_int.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"

enum {
	CONNECT_MS = 2000,
	FIRST_BYTE_MS = 5000,
	IDLE_MS = 5000,
	MAX_BODY = 4 << 20,
};

static void http_free(struct http *x)
{
	assert(!x->host->in_curl);
	timer_stop(&x->first_byte);
	timer_stop(&x->idle);
	timer_stop(&x->total);
	resolve_cancel(x->req);
	if (x->added)
		curl_multi_remove_handle(x->host->multi, x->easy);
	if (x->easy)
		curl_easy_cleanup(x->easy);
	curl_slist_free_all(x->lines);
	curl_slist_free_all(x->pinned);
	*x->at = x->next;
	if (x->next)
		x->next->at = x->at;
	free(x->body);
	buf_free(&x->headers);
	buf_free(&x->data);
	free(x);
}

/* ---- telling the owner ---------------------------------------------------- */

/* One piece of news of x; afterwards x may be gone. */
static void tell(struct http *x)
{
	const struct http_ops *ops = x->ops;

	if (x->headers_whole && !x->headers_told) {
		x->headers_told = true;
		if (ops->on_headers)
			ops->on_headers(x->arg, x->status);
	} else if (ops->on_data && x->headers_told && x->data.len) {
		struct buf piece = x->data;
		x->data = (struct buf){ 0 };
		ops->on_data(x->arg, piece.p, piece.len);
		buf_free(&piece);
	} else {
		assert(x->done);
		const char *body = ops->on_data ? "" : buf_str(&x->data);
		x->ops = NULL;
		ops->on_done(x->arg, x->err, x->status, body, x->data.len);
		http_free(x);
	}
}

static bool has_news(const struct http *x)
{
	if (x->done || (x->headers_whole && !x->headers_told))
		return true;
	return x->ops->on_data && x->headers_told && x->data.len;
}

/* From the start after each: a callback may cancel any of them. */
void http_news(struct http_host *h)
{
	for (;;) {
		struct http *x = h->all;
		while (x && !has_news(x))
			x = x->next;
		if (!x || h->closing)
			return;
		tell(x);
	}
}

static void deliver(void *arg)
{
	http_news(arg);
}

/* Ends x soon, outside the current call. */
static void fail(struct http *x, int err)
{
	if (x->done)
		return;
	x->err = err;
	x->done = true;
	timer_start(&x->host->deliver, 0);
}

static void too_late(void *arg)
{
	struct http *x = arg;

	/* the next request must not wait on the same dead connection */
	curl_easy_setopt(x->easy, CURLOPT_FORBID_REUSE, 1L);
	fail(x, -ETIMEDOUT);
}

/* ---- the request ------------------------------------------------------------ */

static void set_proxy(struct http *x)
{
	struct buf text = { 0 };

	if (x->proxy.host[0]) {
		bool v6 = strchr(x->proxy.host, ':') != NULL;
		buf_printf(&text, v6 ? "http://[%s]:%d" : "http://%s:%d",
			   x->proxy.host, x->proxy.port);
	}
	/* an empty text keeps curl from reading the environment itself */
	curl_easy_setopt(x->easy, CURLOPT_PROXY, buf_str(&text));
	if (x->proxy.auth[0])
		curl_easy_setopt(x->easy, CURLOPT_PROXYUSERPWD, x->proxy.auth);
	buf_free(&text);
}

static int set_method(struct http *x, const struct http_cfg *cfg)
{
	const char *method = cfg->method ? cfg->method : "GET";

	if (strcmp(method, "HEAD") == 0)
		curl_easy_setopt(x->easy, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, method);
	if (!cfg->body)
		return 0;
	x->body = malloc(cfg->body_len ? cfg->body_len : 1);
	if (!x->body)
		return -ENOMEM;
	memcpy(x->body, cfg->body, cfg->body_len);
	curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE,
			 (curl_off_t)cfg->body_len);
	curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, x->body);
	return 0;
}

static int set_headers(struct http *x, const char *const *list)
{
	bool typed = false;

	for (; list && *list; list++) {
		typed |= strncasecmp(*list, "content-type:", 13) == 0;
		if (strpbrk(*list, "\r\n"))
			return -EINVAL;
		struct curl_slist *more = curl_slist_append(x->lines, *list);
		if (!more)
			return -ENOMEM;
		x->lines = more;
	}
	/* no "100 Continue" round trip, no form type that nobody asked for */
	x->lines = curl_slist_append(x->lines, "Expect:");
	if (x->body && !typed)
		x->lines = curl_slist_append(x->lines, "Content-Type:");
	curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->lines);
	return 0;
}

/* curl makes a context a connection and would read the bundle for itself. */
static CURLcode share_certificates(CURL *easy, void *ssl_ctx, void *arg)
{
	const struct http *x = arg;

	(void)easy;
	SSL_CTX_set1_cert_store(ssl_ctx,
				SSL_CTX_get_cert_store(x->host->loop->tls));
	return CURLE_OK;
}

static int set_tls(struct http *x)
{
	SSL_CTX *trusted;

	curl_easy_setopt(x->easy, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(x->easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(x->easy, CURLOPT_SSL_CTX_FUNCTION,
			 share_certificates);
	curl_easy_setopt(x->easy, CURLOPT_SSL_CTX_DATA, x);
	curl_easy_setopt(x->easy, CURLOPT_SSLVERSION,
			 (long)CURL_SSLVERSION_TLSv1_2);
	return tls_client(x->host->loop, &trusted);
}

static int set_up(struct http *x, const struct http_cfg *cfg)
{
	CURL *e = x->easy = curl_easy_init();
	int r;

	if (!e)
		return -ENOMEM;
	curl_easy_setopt(e, CURLOPT_URL, cfg->url);
	curl_easy_setopt(e, CURLOPT_PRIVATE, x);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "frontdesk/" FD_VERSION);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
			 (long)CURL_HTTP_VERSION_2TLS);
	/* over plain TCP there is nothing to share: a mute server would hold
	 * every other request up until its first answer */
	curl_easy_setopt(e, CURLOPT_PIPEWAIT, x->url.tls && !cfg->fresh ? 1L :
			 0L);
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, cfg->fresh ? 1L : 0L);
	/* a kept connection that died unseen is found before its next use */
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, 15L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, 5L);
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(cfg->connect_ms ? cfg->connect_ms :
				CONNECT_MS));
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, http_take_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, http_take_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, x);
	set_proxy(x);
	r = x->url.tls ? set_tls(x) : 0;
	if (r == 0)
		r = set_method(x, cfg);
	if (r < 0)
		return r;
	return set_headers(x, cfg->headers);
}

/* Tells curl the addresses of the host it will connect to. "+" lets them
 * expire like its own. */
static void pin(struct http *x, const struct sockaddr_storage *addrs, size_t n)
{
	bool via = x->proxy.host[0];
	struct buf line = { 0 };
	char text[64];

	buf_printf(&line, "+%s:%d:", via ? x->proxy.host : x->url.host,
		   via ? x->proxy.port : x->url.port);
	for (size_t i = 0; i < n; i++) {
		addr_text(&addrs[i], text, sizeof text);
		buf_printf(&line, addrs[i].ss_family == AF_INET6 ?
			   "%s[%s]" : "%s%s", i ? "," : "", text);
	}
	x->pinned = curl_slist_append(NULL, buf_str(&line));
	curl_easy_setopt(x->easy, CURLOPT_RESOLVE, x->pinned);
	buf_free(&line);
}

static void resolved(void *arg, int status,
		     const struct sockaddr_storage *addrs, size_t n)
{
	struct http *x = arg;
	const char *host = x->proxy.host[0] ? x->proxy.host : x->url.host;

	x->req = NULL;
	if (x->done)
		return;
	if (status < 0) {
		fail(x, status);
		return;
	}
	if (!strchr(host, ':'))
		pin(x, addrs, n);
	if (curl_multi_add_handle(x->host->multi, x->easy) != CURLM_OK)
		fail(x, -ENOMEM);
	else
		x->added = true;
}

static int look_up(struct http *x, const struct http_cfg *cfg)
{
	int r = url_parse(&x->url, cfg->url);

	if (r == 0 && x->url.scheme[0] != 'h')
		r = ERR_CONFIG;
	if (r == 0)
		r = proxy_find(&x->proxy, &x->url);
	if (r == 0)
		r = set_up(x, cfg);
	if (r < 0)
		return r;
	return resolve_start(&x->req, x->host->loop,
			     x->proxy.host[0] ? x->proxy.host : x->url.host,
			     resolved, x);
}

static void start_limits(struct http *x, const struct http_cfg *cfg)
{
	struct clock *c = x->host->loop->clock;

	x->first_byte_ms = cfg->first_byte_ms ? cfg->first_byte_ms :
			   FIRST_BYTE_MS;
	x->idle_ms = cfg->idle_ms ? cfg->idle_ms : IDLE_MS;
	x->max_body = cfg->max_body ? cfg->max_body : MAX_BODY;
	timer_init(&x->first_byte, c, too_late, x);
	timer_init(&x->idle, c, too_late, x);
	timer_init(&x->total, c, too_late, x);
	timer_start(&x->first_byte, x->first_byte_ms);
	if (cfg->total_ms)
		timer_start(&x->total, cfg->total_ms);
}

int http_start(struct http **ret_req, struct loop *l,
	       const struct http_cfg *cfg, const struct http_ops *ops,
	       void *arg)
{
	ON_LOOP();
	assert(ops->on_done);
	struct http *x = calloc(1, sizeof *x);
	if (!x)
		return -ENOMEM;
	x->host = l->http;
	x->ops = ops;
	x->arg = arg;
	x->at = &l->http->all;
	x->next = l->http->all;
	if (x->next)
		x->next->at = &x->next;
	l->http->all = x;
	start_limits(x, cfg);
	int r = look_up(x, cfg);
	if (r < 0) {
		http_free(x);
		return r;
	}
	*ret_req = x;
	return 0;
}

const char *http_header(struct http *h, const char *name)
{
	ON_LOOP();
	return headers_find(&h->headers, name);
}

void http_cancel(struct http *h)
{
	ON_LOOP();
	/* inside its own on_done it ends by itself */
	if (h && h->ops)
		http_free(h);
}

/* ---- warming ------------------------------------------------------------------ */

static void warmed(void *arg, int err, long status, const char *body, size_t n)
{
	(void)arg;
	(void)err;
	(void)status;
	(void)body;
	(void)n;
}

/* A HEAD of the root: curl keeps no connection that carried no request. */
void http_warm(struct loop *l, const char *url)
{
	static const struct http_ops ops = { .on_done = warmed };
	struct http *ignored;
	struct url u;

	ON_LOOP();
	if (url_parse(&u, url) < 0)
		return;
	bool v6 = strchr(u.host, ':') != NULL;
	char *root = str_printf(v6 ? "%s://[%s]:%d/" : "%s://%s:%d/",
				u.tls ? "https" : "http", u.host, u.port);
	const struct http_cfg cfg = { .method = "HEAD", .url = root };
	http_start(&ignored, l, &cfg, &ops, NULL);
	free(root);
}

/* ---- host ----------------------------------------------------------------------- */

int http_host_create(struct http_host **ret_host, struct loop *l)
{
	struct http_host *h = calloc(1, sizeof *h);

	if (!h)
		return -ENOMEM;
	h->loop = l;
	timer_init(&h->deliver, l->clock, deliver, h);
	int r = http_curl_create(h);
	if (r < 0) {
		free(h);
		return r;
	}
	*ret_host = h;
	return 0;
}

void http_host_close(struct http_host *h)
{
	if (!h)
		return;
	h->closing = true;
	while (h->all)
		http_free(h->all);
	timer_stop(&h->deliver);
	http_curl_destroy(h);
}

void http_host_destroy(struct http_host *h)
{
	free(h);
}
