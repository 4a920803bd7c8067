/* SSRCs to sections, and packets that wait to learn theirs. [media] */
#include "rtc/demux_int.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum {
	SOURCES = 16,
	HELD = 32,
	HOLD_US = 500000,
	CLOCK_HZ = 48000, /* all that we decode is Opus */
};

struct source {
	bool used;
	uint32_t ssrc;
	char mid[16];
	int64_t first_us, last_us; /* packets, 0 none yet */
	bool heard;                /* since the last reports */
	struct rtp_source count;
};

struct held {
	struct rtc_rtp rtp;
	uint8_t bytes[];
};

struct demux {
	rtc_rtp_h *fn;
	void *arg;
	struct source sources[SOURCES];
	struct held *held[HELD]; /* oldest first */
	size_t n_held;
};

int demux_create(struct demux **ret_demux, rtc_rtp_h *fn, void *arg)
{
	struct demux *d = calloc(1, sizeof *d);

	if (!d)
		return -ENOMEM;
	d->fn = fn;
	d->arg = arg;
	*ret_demux = d;
	return 0;
}

void demux_destroy(struct demux *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n_held; i++)
		free(d->held[i]);
	free(d);
}

static struct source *find(struct demux *d, uint32_t ssrc)
{
	for (size_t i = 0; i < SOURCES; i++) {
		if (d->sources[i].used && d->sources[i].ssrc == ssrc)
			return &d->sources[i];
	}
	return NULL;
}

/* A place for a new source: a free one, else the one silent for longest. */
static struct source *add(struct demux *d, uint32_t ssrc)
{
	struct source *best = &d->sources[0];

	for (size_t i = 0; i < SOURCES; i++) {
		struct source *s = &d->sources[i];
		if (!s->used) {
			best = s;
			break;
		}
		if (s->last_us < best->last_us)
			best = s;
	}
	*best = (struct source){ .used = true, .ssrc = ssrc };
	return best;
}

/* ---- waiting ------------------------------------------------------------------ */

static void hold(struct demux *d, const struct rtc_rtp *r)
{
	struct held *h = malloc(sizeof *h + r->len);

	if (!h)
		return;
	if (d->n_held == HELD) {
		free(d->held[0]);
		memmove(d->held, d->held + 1, --d->n_held * sizeof *d->held);
	}
	h->rtp = *r;
	if (r->len)
		memcpy(h->bytes, r->payload, r->len);
	h->rtp.payload = h->bytes;
	d->held[d->n_held++] = h;
}

/* Hands over those whose section is known now, or that waited long enough. */
static void release(struct demux *d, int64_t now_us)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->n_held; i++) {
		struct held *h = d->held[i];
		struct source *s = find(d, h->rtp.ssrc);
		bool known = s && s->mid[0];

		if (!known && now_us - h->rtp.arrival_us < HOLD_US) {
			d->held[kept++] = h;
			continue;
		}
		if (known)
			str_copy(h->rtp.mid, sizeof h->rtp.mid, s->mid);
		d->fn(d->arg, &h->rtp);
		free(h);
	}
	d->n_held = kept;
}

void demux_expire(struct demux *d, int64_t now_us)
{
	if (d->n_held)
		release(d, now_us);
}

/* ---- the answer ------------------------------------------------------------------ */

void demux_map(struct demux *d, const struct sdp_section *s, size_t n,
	       int64_t now_us)
{
	/* what no answer names any more belongs to nobody */
	for (size_t i = 0; i < SOURCES; i++)
		d->sources[i].mid[0] = 0;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; s[i].sends && k < s[i].n_ssrcs; k++) {
			struct source *src = find(d, s[i].ssrcs[k]);
			if (!src)
				src = add(d, s[i].ssrcs[k]);
			src->last_us = now_us;
			str_copy(src->mid, sizeof src->mid, s[i].mid);
		}
	}
	release(d, now_us);
}

/* ---- packets --------------------------------------------------------------------- */

void demux_packet(struct demux *d, const struct rtp_packet *p, int64_t now_us)
{
	struct source *s = find(d, p->ssrc);

	if (!s)
		s = add(d, p->ssrc);
	if (!s->first_us)
		s->first_us = now_us;
	s->last_us = now_us;
	s->heard = true;
	rtp_source_count(&s->count, p, now_us, CLOCK_HZ);
	if (p->mid[0] && strcmp(s->mid, p->mid)) {
		str_copy(s->mid, sizeof s->mid, p->mid);
		release(d, now_us);
	}
	struct rtc_rtp r = {
		.ssrc = p->ssrc,
		.timestamp = p->timestamp,
		.seq = p->seq,
		.marker = p->marker,
		.payload_type = p->payload_type,
		.payload = p->payload,
		.len = p->len,
		.arrival_us = now_us,
	};
	str_copy(r.mid, sizeof r.mid, s->mid);
	demux_expire(d, now_us);
	if (!s->mid[0] && now_us - s->first_us < HOLD_US)
		hold(d, &r);
	else
		d->fn(d->arg, &r);
}

void demux_sender(struct demux *d, const struct rtcp_sender *sr, int64_t now_us)
{
	struct source *s = find(d, sr->ssrc);

	if (!s)
		return;
	s->count.last_sr = sr->ntp_high << 16 | sr->ntp_low >> 16;
	s->count.last_sr_us = now_us;
}

size_t demux_reports(struct demux *d, struct rtcp_report *out, size_t cap,
		     int64_t now_us)
{
	size_t n = 0;

	for (size_t i = 0; i < SOURCES && n < cap; i++) {
		struct source *s = &d->sources[i];
		if (!s->used || !s->heard || !s->count.begun)
			continue;
		s->heard = false;
		rtcp_report_on(&out[n++], &s->count, now_us);
	}
	return n;
}
