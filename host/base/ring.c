/* Single-producer single-consumer ring of length-prefixed messages. */
#include "base/ring.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct ring {
	size_t mask;                /* immutable */
	uint8_t *bytes;             /* immutable pointer */
	_Alignas(64) _Atomic size_t head; /* written by the producer */
	_Alignas(64) _Atomic size_t tail; /* written by the consumer */
};

enum { PREFIX = sizeof(uint32_t) };

static size_t padded(size_t n)
{
	return (n + PREFIX - 1) & ~(size_t)(PREFIX - 1);
}

int ring_create(struct ring **ret_ring, size_t capacity_bytes)
{
	size_t cap = 64;

	while (cap < capacity_bytes)
		cap *= 2;
	struct ring *r = aligned_alloc(64, sizeof *r);
	if (!r)
		return -ENOMEM;
	memset(r, 0, sizeof *r);
	r->mask = cap - 1;
	r->bytes = calloc(1, cap);
	if (!r->bytes) {
		free(r);
		return -ENOMEM;
	}
	*ret_ring = r;
	return 0;
}

void ring_destroy(struct ring *r)
{
	if (!r)
		return;
	free(r->bytes);
	free(r);
}

static void put(struct ring *r, size_t at, const void *src, size_t n)
{
	size_t i = at & r->mask;
	size_t first = r->mask + 1 - i;

	if (!n)
		return;
	if (first > n)
		first = n;
	memcpy(r->bytes + i, src, first);
	memcpy(r->bytes, (const uint8_t *)src + first, n - first);
}

static void get(const struct ring *r, size_t at, void *dst, size_t n)
{
	size_t i = at & r->mask;
	size_t first = r->mask + 1 - i;

	if (!n)
		return;
	if (first > n)
		first = n;
	memcpy(dst, r->bytes + i, first);
	memcpy((uint8_t *)dst + first, r->bytes, n - first);
}

int ring_write(struct ring *r, const void *head, size_t head_len,
	       const void *body, size_t body_len)
{
	size_t len = head_len + body_len;
	size_t cost = PREFIX + padded(len);
	size_t at = atomic_load_explicit(&r->head, memory_order_relaxed);
	size_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);

	assert(len <= UINT32_MAX);
	if (cost > r->mask + 1 - (at - tail))
		return -ENOSPC;
	uint32_t prefix = (uint32_t)len;
	put(r, at, &prefix, PREFIX);
	put(r, at + PREFIX, head, head_len);
	put(r, at + PREFIX + head_len, body, body_len);
	atomic_store_explicit(&r->head, at + cost, memory_order_release);
	return 0;
}

int ring_read(struct ring *r, void *out, size_t cap)
{
	size_t at = atomic_load_explicit(&r->tail, memory_order_relaxed);
	size_t head = atomic_load_explicit(&r->head, memory_order_acquire);

	if (at == head)
		return -EAGAIN;
	uint32_t len;
	get(r, at, &len, PREFIX);
	int result = -EMSGSIZE;
	if (len <= cap) {
		get(r, at + PREFIX, out, len);
		result = (int)len;
	}
	atomic_store_explicit(&r->tail, at + PREFIX + padded(len),
			      memory_order_release);
	return result;
}

size_t ring_used(const struct ring *r)
{
	return atomic_load_explicit(&r->head, memory_order_acquire) -
	       atomic_load_explicit(&r->tail, memory_order_acquire);
}
