/*
 * curl's multi handle driven by the loop: sockets are uv_poll handles, its
 * timeout is a timer of the loop's clock. Nothing here calls an owner but
 * http_news(), at the end of each event.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "io/http_int.h"

struct sock {
	uv_poll_t poll;
	struct http_host *host;
	curl_socket_t fd;
};

static void collect_done(struct http_host *h)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left))) {
		struct http *x = NULL;
		if (m->msg != CURLMSG_DONE)
			continue;
		CURLcode c = m->data.result;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x);
		/* the verdict of one of our own limits stands */
		if (!x->done && !x->err)
			x->err = http_err_from_curl(c, x->easy);
		x->done = true;
	}
}

static void act(struct http_host *h, curl_socket_t fd, int mask)
{
	int running;

	h->in_curl = true;
	curl_multi_socket_action(h->multi, fd, mask, &running);
	h->in_curl = false;
	collect_done(h);
	http_news(h);
}

static void sock_ready(uv_poll_t *p, int status, int events)
{
	const struct sock *s = p->data;
	int mask = 0;

	if (status < 0)
		mask = CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		mask |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		mask |= CURL_CSELECT_OUT;
	act(s->host, s->fd, mask);
}

static void sock_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static struct sock *sock_create(struct http_host *h, curl_socket_t fd)
{
	struct sock *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->host = h;
	s->fd = fd;
	s->poll.data = s;
	if (uv_poll_init_socket(&h->loop->uv, &s->poll, fd) < 0) {
		free(s);
		return NULL;
	}
	curl_multi_assign(h->multi, fd, s);
	return s;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
		     void *sock)
{
	struct http_host *h = arg;
	struct sock *s = sock;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s) {
			curl_multi_assign(h->multi, fd, NULL);
			uv_close((uv_handle_t *)&s->poll, sock_closed);
		}
		return 0;
	}
	if (!s)
		s = sock_create(h, fd);
	if (!s)
		return -1;
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	return uv_poll_start(&s->poll, events, sock_ready);
}

static void timer_due(void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
	struct http_host *h = arg;

	(void)multi;
	if (ms < 0)
		timer_stop(&h->timer);
	else
		timer_start(&h->timer, ms);
	return 0;
}

int http_curl_create(struct http_host *h)
{
	h->multi = curl_multi_init();
	if (!h->multi)
		return -ENOMEM;
	timer_init(&h->timer, h->loop->clock, timer_due, h);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, 32L);
	return 0;
}

void http_curl_destroy(struct http_host *h)
{
	if (h->multi)
		curl_multi_cleanup(h->multi);
	h->multi = NULL;
	timer_stop(&h->timer);
}

size_t http_take_header(char *p, size_t size, size_t n, void *arg)
{
	struct http *x = arg;
	long status = 0;

	n *= size;
	if (x->headers_whole)
		return n; /* trailers */
	if (n > 5 && p[0] == 'H' && p[1] == 'T' && p[4] == '/')
		buf_reset(&x->headers); /* of a 100 or 103 before */
	headers_add(&x->headers, p, n);
	if (n > 2)
		return n;
	curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200) {
		x->status = status;
		x->headers_whole = true;
		timer_stop(&x->first_byte);
		timer_start(&x->idle, x->idle_ms);
	}
	return n;
}

size_t http_take_body(char *p, size_t size, size_t n, void *arg)
{
	struct http *x = arg;

	n *= size;
	if (x->ops && !x->ops->on_data && x->data.len + n > x->max_body) {
		x->err = -EMSGSIZE;
		return 0;
	}
	timer_start(&x->idle, x->idle_ms);
	buf_add(&x->data, p, n);
	return n;
}

int http_err_from_curl(CURLcode c, CURL *easy)
{
	long os = 0;

	switch (c) {
	case CURLE_OK:
		return 0;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return UV_EAI_NONAME;
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os);
		return os ? -(int)os : -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2_STREAM:
		return ERR_CLOSED;
	case CURLE_SSL_CACERT_BADFILE:
		return ERR_CONFIG;
	default:
		return ERR_PROTOCOL;
	}
}
