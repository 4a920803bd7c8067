/*
 * The statistics behind the jitter buffer. A packet's transit is its arrival
 * minus its RTP time; the least transit of the last seconds is the path's
 * base, and what packets take above it is jitter. The wanted delay is what
 * covers 98 % of the packets of the last few seconds. Pure; media thread.
 */
#include "audio/delay_int.h"

#include <assert.h>
#include <string.h>

enum {
	WINDOW_US = 4000000,    /* two of them: 200 ppm of drift is 1.6 ms */
	MARGIN_US = 6000,       /* for beats that do not meet the packet's phase */
	LOSSY_TARGET_US = 40000, /* the next packet must be there for FEC */
};
static const float FORGET = 0.996f;      /* half-life of 3.5 s at 50 a second */
static const float LOSS_FORGET = 0.99f;
static const float COVER = 0.98f;
static const float LOSSY = 0.01f;

void delay_init(struct delay *d, int min_ms, int max_ms)
{
	assert(min_ms > 0 && max_ms >= min_ms);
	memset(d, 0, sizeof *d);
	d->min_us = (int64_t)min_ms * 1000;
	d->max_us = (int64_t)max_ms * 1000;
	d->target_us = d->min_us;
}

void delay_restart(struct delay *d, int64_t transit_us, int64_t arrival_us)
{
	memset(d->weight, 0, sizeof d->weight);
	d->total = 0;
	d->target_us = d->min_us;
	delay_rebase(d, transit_us, arrival_us);
}

void delay_rebase(struct delay *d, int64_t transit_us, int64_t arrival_us)
{
	d->base_us = d->now_min_us = d->old_min_us = transit_us;
	d->window_end_us = arrival_us + WINDOW_US;
}

static void note_base(struct delay *d, int64_t transit_us, int64_t arrival_us)
{
	if (arrival_us >= d->window_end_us) {
		d->old_min_us = d->now_min_us;
		d->now_min_us = transit_us;
		d->window_end_us = arrival_us + WINDOW_US;
	}
	if (transit_us < d->now_min_us)
		d->now_min_us = transit_us;
	d->base_us = d->now_min_us < d->old_min_us ?
		d->now_min_us : d->old_min_us;
}

static int64_t covering(const struct delay *d)
{
	float want = d->total * COVER, sum = 0;

	for (int i = 0; i < DELAY_BUCKETS; i++) {
		sum += d->weight[i];
		if (sum >= want)
			return (int64_t)(i + 1) * DELAY_BUCKET_US;
	}
	return (int64_t)DELAY_BUCKETS * DELAY_BUCKET_US;
}

static void set_target(struct delay *d)
{
	int64_t t = covering(d) + MARGIN_US;

	if (d->loss > LOSSY && t < LOSSY_TARGET_US)
		t = LOSSY_TARGET_US;
	if (t < d->min_us)
		t = d->min_us;
	d->target_us = t > d->max_us ? d->max_us : t;
}

void delay_note(struct delay *d, int64_t transit_us, int64_t arrival_us)
{
	note_base(d, transit_us, arrival_us);
	int64_t i = (transit_us - d->base_us) / DELAY_BUCKET_US;

	assert(i >= 0);
	if (i >= DELAY_BUCKETS)
		i = DELAY_BUCKETS - 1;
	for (int k = 0; k < DELAY_BUCKETS; k++)
		d->weight[k] *= FORGET;
	d->weight[i] += 1;
	d->total = d->total * FORGET + 1;
	set_target(d);
}

void delay_note_played(struct delay *d, int lost)
{
	if (lost > 10)
		lost = 10;
	for (int i = 0; i < lost; i++)
		d->loss = d->loss * LOSS_FORGET + (1 - LOSS_FORGET);
	d->loss *= LOSS_FORGET;
}
