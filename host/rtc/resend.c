/* The last protected packets, kept in place of their sequence number. [media],
 * storing is safe on the beat: no allocation after create. */
#include "rtc/rtp_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct slot {
	uint16_t seq;
	uint16_t len;        /* 0: empty */
	int64_t repeated_us; /* last time it was handed out */
	uint8_t bytes[RESEND_BYTES];
};

struct resend {
	struct slot slots[RESEND_SLOTS];
};

int resend_create(struct resend **ret_resend)
{
	struct resend *r = calloc(1, sizeof *r);

	if (!r)
		return -ENOMEM;
	*ret_resend = r;
	return 0;
}

void resend_destroy(struct resend *r)
{
	free(r);
}

void resend_store(struct resend *r, uint16_t seq, const uint8_t *p, size_t n)
{
	struct slot *s = &r->slots[seq % RESEND_SLOTS];

	s->len = 0;
	if (n > RESEND_BYTES)
		return;
	memcpy(s->bytes, p, n);
	s->seq = seq;
	s->len = (uint16_t)n;
	s->repeated_us = INT64_MIN;
}

const uint8_t *resend_find(struct resend *r, uint16_t seq, int64_t now_us,
			   int64_t min_gap_us, size_t *ret_n)
{
	struct slot *s = &r->slots[seq % RESEND_SLOTS];

	if (!s->len || s->seq != seq)
		return NULL;
	if (s->repeated_us != INT64_MIN && now_us - s->repeated_us < min_gap_us)
		return NULL;
	s->repeated_us = now_us;
	*ret_n = s->len;
	return s->bytes;
}
