/*
 * The body of a refused handshake, which says why ("invalid credentials"). lws
 * parses the status, then closes, whether or not the body has arrived. So we
 * keep a duplicate of its descriptor and a reference to its TLS session and
 * read the rest ourselves, a little and for a short time.
 */
#include "io/ws_int.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/err.h"
#include "base/str.h"

enum { BODY_MS = 300 };

struct refusal {
	struct ws *ws;
	uv_poll_t poll;
	bool polling;
	int fd;
	SSL *tls;
	size_t want;   /* of body, as far as we keep it */
	bool chunked;
	struct buf body;
};

static void release(uv_handle_t *h)
{
	struct refusal *f = h->data;

	SSL_free(f->tls);
	if (f->fd >= 0)
		close(f->fd);
	buf_free(&f->body);
	free(f);
}

void refusal_destroy(struct refusal *f)
{
	if (!f)
		return;
	f->ws = NULL;
	if (f->polling)
		uv_close((uv_handle_t *)&f->poll, release);
	else
		release((uv_handle_t *)&f->poll);
}

/* The first chunk's size line goes; one chunk is a whole error text. */
static const char *unchunk(struct refusal *f)
{
	char *text = (char *)f->body.p;
	char *line = f->chunked && text ? strstr(text, "\r\n") : NULL;

	if (!line)
		return buf_str(&f->body);
	line += 2;
	char *end = strstr(line, "\r\n");
	if (end)
		*end = 0;
	return line;
}

void refusal_finish(struct refusal *f)
{
	struct ws *w = f->ws;

	str_copy(w->reason, sizeof w->reason, unchunk(f));
	ws_end(w, w->err, w->status, w->reason);
}

/* Bytes read, 0 at the end, -EAGAIN or another error. */
static int read_some(struct refusal *f, uint8_t *out, int cap)
{
	if (!f->tls) {
		ssize_t n = read(f->fd, out, (size_t)cap);
		return n < 0 ? -errno : (int)n;
	}
	int n = SSL_read(f->tls, out, cap);
	if (n > 0)
		return n;
	return SSL_get_error(f->tls, n) == SSL_ERROR_WANT_READ ? -EAGAIN : 0;
}

static bool enough(const struct refusal *f)
{
	return f->body.len >= f->want ||
	       (f->chunked && f->body.len &&
		strstr(buf_str(&f->body), "\r\n0\r\n"));
}

static void readable(uv_poll_t *p, int status, int events)
{
	struct refusal *f = p->data;
	uint8_t piece[512];
	int n = status < 0 ? 0 : -EAGAIN;

	(void)events;
	while (status == 0 && !enough(f)) {
		size_t left = f->want - f->body.len;
		n = read_some(f, piece, (int)(left < sizeof piece ?
					      left : sizeof piece));
		if (n <= 0)
			break;
		buf_add(&f->body, piece, (size_t)n);
	}
	if (enough(f) || n != -EAGAIN)
		refusal_finish(f);
}

static void read_header(struct refusal *f, struct lws *wsi)
{
	char text[32];

	f->want = sizeof f->ws->reason - 1;
	if (lws_hdr_copy(wsi, text, sizeof text,
			 WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0) {
		size_t n = (size_t)strtoul(text, NULL, 10);
		if (n < f->want)
			f->want = n;
	}
	if (lws_hdr_copy(wsi, text, sizeof text,
			 WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0)
		f->chunked = strstr(text, "chunked") != NULL;
}

void refusal_add(struct ws *w, const void *p, size_t n)
{
	if (w->refusal)
		buf_add(&w->refusal->body, p, n);
}

void refusal_begin(struct ws *w, struct lws *wsi, int status)
{
	struct refusal *f = calloc(1, sizeof *f);
	char piece[1024], *p = piece;
	int n = sizeof piece;

	if (!f)
		abort();
	int err = err_from_http(status);
	w->state = WS_REFUSED;
	w->status = status;
	w->err = err < 0 ? err : ERR_PROTOCOL;
	w->refusal = f;
	f->ws = w;
	f->poll.data = f;
	read_header(f, wsi);
	/* what came in one packet with the header is in lws's hands; it comes
	 * through refusal_add(), without chunking: that has to be enough */
	if (f->want && lws_http_client_read(wsi, &p, &n) < 0)
		f->want = f->body.len;
	if (f->chunked && f->body.len) {
		f->want = f->body.len;
		f->chunked = false;
	}
	f->fd = fcntl(lws_get_socket_fd(wsi), F_DUPFD_CLOEXEC, 0);
	f->tls = lws_get_ssl(wsi);
	if (f->tls)
		SSL_up_ref(f->tls);
	timer_start(&w->limit, BODY_MS);
}

void refusal_take_over(struct ws *w)
{
	struct refusal *f = w->refusal;

	if (enough(f) || f->fd < 0) {
		refusal_finish(f);
		return;
	}
	if (f->tls)
		SSL_set_fd(f->tls, f->fd);
	if (uv_poll_init(&w->host->loop->uv, &f->poll, f->fd) < 0) {
		refusal_finish(f);
		return;
	}
	f->polling = true;
	uv_poll_start(&f->poll, UV_READABLE, readable);
	/* TLS may hold decoded bytes that no poll announces */
	if (f->tls && SSL_pending(f->tls))
		readable(&f->poll, 0, UV_READABLE);
}
