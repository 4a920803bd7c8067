/*
 * Server-sent events (WHATWG HTML, 9.2.6), fed in pieces cut anywhere. Pure:
 * no thread of its own, no clock, no socket.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/io.h"

enum { MAX_EVENT = 4 << 20 };

struct sse {
	sse_h *fn;
	void *arg;
	struct buf line;
	struct buf data;
	struct buf event;
	bool first;     /* a byte order mark may still come */
	bool after_cr;  /* a LF now belongs to that CR */
	bool has_data;
	bool failed;
	bool busy;      /* inside fn */
	bool dead;      /* destroyed by fn */
};

int sse_create(struct sse **ret_sse, sse_h *fn, void *arg)
{
	struct sse *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	s->fn = fn;
	s->arg = arg;
	s->first = true;
	*ret_sse = s;
	return 0;
}

void sse_destroy(struct sse *s)
{
	if (!s)
		return;
	if (s->busy) {
		s->dead = true;
		return;
	}
	buf_free(&s->line);
	buf_free(&s->data);
	buf_free(&s->event);
	free(s);
}

static void dispatch(struct sse *s)
{
	if (s->has_data) {
		s->busy = true;
		const char *name = buf_str(&s->event);
		s->fn(s->arg, *name ? name : "message",
		      buf_str(&s->data), s->data.len);
		s->busy = false;
	}
	buf_reset(&s->data);
	buf_reset(&s->event);
	s->has_data = false;
}

static bool is_field(const char *line, size_t n, const char *name)
{
	return strlen(name) == n && memcmp(line, name, n) == 0;
}

/* id and retry serve reconnecting, which our requests never do. */
static void take_line(struct sse *s)
{
	const char *line = buf_str(&s->line);
	size_t n = s->line.len;

	if (!n) {
		dispatch(s);
		return;
	}
	const char *colon = memchr(line, ':', n);
	size_t name = colon ? (size_t)(colon - line) : n;
	size_t at = colon ? name + 1 : n;
	if (at < n && line[at] == ' ')
		at++;
	if (is_field(line, name, "data")) {
		if (s->has_data)
			buf_add(&s->data, "\n", 1);
		buf_add(&s->data, line + at, n - at);
		s->has_data = true;
	} else if (is_field(line, name, "event")) {
		buf_reset(&s->event);
		buf_add(&s->event, line + at, n - at);
	}
}

static void end_line(struct sse *s)
{
	static const char mark[] = "\xef\xbb\xbf";

	if (s->first && s->line.len >= 3 && memcmp(s->line.p, mark, 3) == 0)
		buf_shift(&s->line, 3);
	s->first = false;
	take_line(s);
	if (!s->dead)
		buf_reset(&s->line);
}

/* Bytes up to the end of the line or of the input. */
static size_t line_part(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] != '\n' && p[i] != '\r')
		i++;
	return i;
}

int sse_feed(struct sse *s, const uint8_t *p, size_t n)
{
	if (s->failed)
		return ERR_PROTOCOL;
	while (n && !s->dead) {
		if (s->after_cr && *p == '\n') {
			s->after_cr = false;
			p++;
			n--;
			continue;
		}
		s->after_cr = false;
		size_t part = line_part(p, n);
		if (s->line.len + s->data.len + part > MAX_EVENT) {
			s->failed = true;
			return ERR_PROTOCOL;
		}
		buf_add(&s->line, p, part);
		p += part;
		n -= part;
		if (n) {
			s->after_cr = *p == '\r';
			p++;
			n--;
			end_line(s);
		}
	}
	if (s->dead)
		sse_destroy(s);
	return 0;
}
