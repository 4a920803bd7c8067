/*
 * Messages between two threads: one producer, one consumer, no lock, no
 * allocation after create. A message is a run of bytes with a length; it is
 * written whole or not at all.
 */
#ifndef FD_BASE_RING_H
#define FD_BASE_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring;

/* capacity is rounded up to a power of two of bytes; each message costs its
 * length plus 4, rounded up to 4. Returns 0 or -ENOMEM. */
int ring_create(struct ring **ret_ring, size_t capacity_bytes);
/* Takes NULL. Neither side may be using it any more. */
void ring_destroy(struct ring *r);

/* [producer] Writes head then body as one message. 0, or -ENOSPC when full:
 * the caller says what is lost then. body may be NULL with body_len 0. */
int ring_write(struct ring *r, const void *head, size_t head_len,
	       const void *body, size_t body_len);
/* [consumer] Copies the oldest message out and returns its length; -EAGAIN
 * when empty, -EMSGSIZE (message dropped) when cap is too small. */
int ring_read(struct ring *r, void *out, size_t cap);
/* [any] Bytes waiting, a snapshot. */
size_t ring_used(const struct ring *r);

#endif
