/* How many flushes a socket has left in its sliding minute. Pure. */
#include "provider/tts_int.h"

#include <assert.h>

/* A second more than the vendor's minute: clocks and networks differ. */
#define WINDOW_MS 61000

void flushes_init(struct flushes *f, int limit)
{
	*f = (struct flushes){
		.limit = limit < FLUSHES_MAX ? limit : FLUSHES_MAX,
	};
}

int flushes_left(struct flushes *f, int64_t now_ms)
{
	while (f->n && now_ms - f->at_ms[f->first] >= WINDOW_MS) {
		f->first = (f->first + 1) % FLUSHES_MAX;
		f->n--;
	}
	return f->limit - f->n;
}

void flushes_add(struct flushes *f, int64_t now_ms)
{
	assert(f->n < f->limit);
	f->at_ms[(f->first + f->n) % FLUSHES_MAX] = now_ms;
	f->n++;
}
