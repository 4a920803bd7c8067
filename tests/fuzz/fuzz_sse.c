/*
 * Server-sent events from strangers. The first byte is the size of the pieces
 * in which the rest is fed; any cut must give the same events.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "io/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void note(void *arg, const char *event, const char *data, size_t n)
{
	struct buf *out = arg;

	if (strlen(event) == 0 || data[n])
		abort();
	buf_puts(out, event);
	buf_add(out, data, n);
	buf_puts(out, "\n");
}

static void feed(const uint8_t *p, size_t n, size_t step, struct buf *out)
{
	struct sse *s;

	if (sse_create(&s, note, out) < 0)
		abort();
	for (size_t i = 0; i < n; i += step)
		sse_feed(s, p + i, n - i < step ? n - i : step);
	sse_destroy(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf whole = { 0 }, cut = { 0 };

	if (!n)
		return 0;
	size_t step = p[0] % 16 + 1;
	feed(p + 1, n - 1, n, &whole);
	feed(p + 1, n - 1, step, &cut);
	if (whole.len != cut.len ||
	    (whole.len && memcmp(whole.p, cut.p, whole.len) != 0))
		abort();
	buf_free(&whole);
	buf_free(&cut);
	return 0;
}
