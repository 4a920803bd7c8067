/*
 * The pause reflex as a small state machine without any audio in it, so that
 * its rules can be tested as such. Media thread.
 *
 * One run of the caller's voice pauses once: after a verdict "go on" the same
 * breath does not stop us again, the next one does.
 */
#include "audio/reflex_int.h"

#include <assert.h>

enum { VERDICT_DEFAULT_MS = 1000 };

void reflex_arm(struct reflex *r, const struct audio_reflex *arm)
{
	r->arm = *arm;
	if (r->arm.verdict_ms <= 0)
		r->arm.verdict_ms = VERDICT_DEFAULT_MS;
}

static bool fires(const struct reflex *r, int run_ms, bool busy)
{
	return busy && !r->paused && !r->spent && r->arm.interruptible &&
	       run_ms > 0 && run_ms >= r->arm.voiced_ms;
}

enum reflex_act reflex_step(struct reflex *r, int run_ms, bool busy,
			    int64_t now_us)
{
	if (!run_ms)
		r->spent = false;
	if (fires(r, run_ms, busy)) {
		r->spent = r->paused = r->by_reflex = true;
		r->epoch = r->arm.epoch;
		r->verdict_us = now_us + (int64_t)r->arm.verdict_ms * 1000;
		return REFLEX_PAUSE;
	}
	if (r->paused && r->by_reflex && now_us >= r->verdict_us) {
		r->paused = r->by_reflex = false;
		return REFLEX_RESUME;
	}
	assert(!r->by_reflex || r->paused);
	return REFLEX_NONE;
}

bool reflex_pause(struct reflex *r)
{
	bool was = r->paused;

	/* The loop has decided: no resuming by itself any more. */
	r->by_reflex = false;
	if (was)
		return false;
	r->paused = true;
	r->epoch = r->arm.epoch;
	return true;
}

bool reflex_resume(struct reflex *r, uint32_t epoch)
{
	if (!r->paused)
		return false;
	if (epoch && epoch != r->epoch && epoch != r->arm.epoch)
		return false; /* a verdict on an earlier interruption */
	r->paused = r->by_reflex = false;
	return true;
}

void reflex_cut(struct reflex *r)
{
	r->paused = r->by_reflex = r->spent = false;
}
