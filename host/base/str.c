/* Small text helpers. */
#include "base/str.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/err.h"

char *str_dup(const char *s)
{
	if (!s)
		return NULL;
	char *copy = strdup(s);
	if (!copy)
		abort();
	return copy;
}

void str_set(char **dst, const char *src)
{
	char *copy = str_dup(src);

	free(*dst);
	*dst = copy;
}

char *str_printf(const char *fmt, ...)
{
	va_list ap;
	char *out;

	va_start(ap, fmt);
	int n = vasprintf(&out, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	return out;
}

bool str_eq(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

bool str_has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_blank(const char *s)
{
	for (; s && *s; s++) {
		if (!isspace((unsigned char)*s))
			return false;
	}
	return true;
}

bool str_copy(char *out, size_t cap, const char *s)
{
	size_t n = strlen(s);
	bool whole = n < cap;

	assert(cap > 0);
	if (!whole)
		n = cap - 1;
	memcpy(out, s, n);
	out[n] = 0;
	return whole;
}

void random_bytes(void *p, size_t n)
{
	uint8_t *at = p;

	while (n) {
		size_t step = n > 256 ? 256 : n;
		ssize_t got = getrandom(at, step, 0);
		if (got < 0) {
			if (errno == EINTR)
				continue;
			abort();
		}
		at += got;
		n -= (size_t)got;
	}
}

char *random_id(const char *prefix, size_t n)
{
	static const char letters[] =
		"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
	size_t p = strlen(prefix);
	char *id = malloc(p + n + 1);

	if (!id)
		abort();
	memcpy(id, prefix, p);
	random_bytes(id + p, n);
	for (size_t i = p; i < p + n; i++)
		id[i] = letters[(uint8_t)id[i] % (sizeof letters - 1)];
	id[p + n] = 0;
	return id;
}

static const char b64url[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_add(struct buf *out, const void *p, size_t n, bool pad)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t v = (uint32_t)b[i] << 16;
		if (left > 1)
			v |= (uint32_t)b[i + 1] << 8;
		if (left > 2)
			v |= b[i + 2];
		char q[4] = { b64url[v >> 18], b64url[v >> 12 & 63],
			      b64url[v >> 6 & 63], b64url[v & 63] };
		size_t used = left > 2 ? 4 : left + 1;
		buf_add(out, q, used);
		for (; pad && used < 4; used++)
			buf_puts(out, "=");
	}
}

static int b64_value(char c)
{
	if (c == '+')
		c = '-';
	if (c == '/')
		c = '_';
	const char *at = c ? strchr(b64url, c) : NULL;
	return at ? (int)(at - b64url) : -1;
}

int base64_decode(struct buf *out, const char *text)
{
	uint32_t acc = 0;
	int bits = 0;

	for (; *text && *text != '='; text++) {
		int v = b64_value(*text);
		if (v < 0)
			return ERR_PROTOCOL;
		acc = (acc << 6 | (uint32_t)v) & 0xffffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			uint8_t byte = (uint8_t)(acc >> bits);
			buf_add(out, &byte, 1);
		}
	}
	return 0;
}

/* Bytes of the UTF-8 sequence at s (n left), 0 when malformed. */
static size_t utf8_len(const uint8_t *s, size_t n)
{
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 :
		     s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (!len || len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	/* overlong forms and surrogates (RFC 3629, section 3) */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

void str_json_quote(struct buf *out, const char *s)
{
	size_t n = strlen(s);

	buf_puts(out, "\"");
	while (n) {
		const uint8_t *u = (const uint8_t *)s;
		size_t len = utf8_len(u, n);
		if (!len) {
			buf_puts(out, "\xef\xbf\xbd");
			len = 1;
		} else if (*s == '"' || *s == '\\') {
			buf_printf(out, "\\%c", *s);
		} else if (*u < 0x20) {
			buf_printf(out, "\\u%04x", *u);
		} else {
			buf_add(out, s, len);
		}
		s += len;
		n -= len;
	}
	buf_puts(out, "\"");
}

void str_url_quote(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (isalnum((unsigned char)*s) || strchr("-._~", *s))
			buf_add(out, s, 1);
		else
			buf_printf(out, "%%%02X", (uint8_t)*s);
	}
}

char *utf8_clean(const char *s)
{
	struct buf b = { 0 };

	if (!s)
		return NULL;
	for (size_t n = strlen(s); n;) {
		size_t len = utf8_len((const uint8_t *)s, n);
		if (len)
			buf_add(&b, s, len);
		else
			buf_puts(&b, "\xef\xbf\xbd");
		len = len ? len : 1;
		s += len;
		n -= len;
	}
	return buf_take(&b);
}

size_t utf8_whole(const char *s, size_t n)
{
	size_t i = n;

	/* step back over a tail whose sequence is not complete yet */
	while (i > 0 && n - i < 3 && ((uint8_t)s[i - 1] & 0xc0) == 0x80)
		i--;
	if (i == 0)
		return n;
	uint8_t lead = (uint8_t)s[i - 1];
	size_t want = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 :
		      lead >= 0xc0 ? 2 : 1;
	return n - (i - 1) < want ? i - 1 : n;
}
