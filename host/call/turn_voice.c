/*
 * The turn machine's part about the caller's voice: VAD, the pause reflex and
 * its verdict, interruption. Pure; on the loop.
 */
#include <assert.h>

#include "call/turn_int.h"

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

bool turn_talks(struct turn *t, int64_t now_ms)
{
	int64_t since = later(t->speech_on_ms, t->words_ms);

	if (t->caller_speaking && now_ms - since >= t->cfg.noise_ms)
		t->noisy = true;
	return t->caller_speaking && !t->noisy;
}

bool turn_may_cut(const struct turn *t)
{
	return !t->cfg.uninterruptible && !t->locked;
}

bool turn_voice_lately(const struct turn *t, int64_t now_ms)
{
	if (t->caller_speaking || t->paused)
		return true;
	return t->speech_end_ms > t->taken_ms &&
	       now_ms - t->speech_end_ms < t->cfg.late_ms;
}

void turn_on_speech_on(struct turn *t, const struct turn_event *e)
{
	if (t->caller_speaking)
		return;
	t->caller_speaking = true;
	t->noisy = false;
	t->speech_on_ms = e->at_ms;
	t->deaf = false;
	turn_off(t, TT_VERDICT); /* it comes when the voice ends, or words */
	turn_off(t, TT_ENDPOINT);
	if (t->phase == TURN_LISTENING && turn_have_words(t))
		turn_set(t, TT_ENDPOINT, e->at_ms + t->cfg.stale_ms);
	if (t->phase == TURN_SPEAKING)
		turn_set(t, TT_OVER, e->at_ms + t->cfg.over_ms);
	/* dead air and idle time go on: they look whether somebody talks */
}

/* The voice was long enough to be speech: somebody waits for an answer. */
static void wants_answer(struct turn *t, int64_t now_ms)
{
	switch (t->phase) {
	case TURN_LISTENING:
		t->unanswered = true;
		turn_set(t, TT_DEAD_AIR, t->speech_end_ms + t->cfg.filler_ms);
		turn_set(t, TT_IDLE, now_ms + t->cfg.idle_ms);
		break;
	case TURN_THINKING:
		t->unanswered = true;
		if (!t->filler_sounds)
			turn_set(t, TT_DEAD_AIR,
				 t->speech_end_ms + t->cfg.filler_ms);
		break;
	case TURN_SPEAKING:
		t->unanswered = turn_may_cut(t);
		break;
	default:
		break;
	}
}

void turn_on_speech_off(struct turn *t, const struct turn_event *e,
			struct turn_out *out)
{
	bool was_noisy = t->noisy;

	if (!t->caller_speaking)
		return;
	t->caller_speaking = t->noisy = false;
	t->speech_end_ms = later(e->at_ms - t->cfg.speech_off_ms,
				 t->speech_on_ms);
	turn_off(t, TT_OVER);
	turn_act(out, TA_FLUSH, NULL, 0, false);
	if (t->paused)
		turn_set(t, TT_VERDICT, e->at_ms + t->cfg.verdict_ms);
	if (was_noisy && t->phase == TURN_SPEAKING)
		turn_arm(t, out);
	if (t->speech_end_ms - t->speech_on_ms >= t->cfg.voice_ms)
		wants_answer(t, e->at_ms);
	if (t->phase != TURN_LISTENING || !turn_have_words(t))
		return;
	turn_set(t, TT_ENDPOINT, t->speech_end_ms + turn_patience_ms(t));
	turn_speculate(t, out);
}

/* ---- interruption ------------------------------------------------------------ */

void turn_cut(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	assert(t->phase == TURN_SPEAKING || t->phase == TURN_THINKING);
	turn_act(out, TA_CUT, NULL, 0, false);
	if (t->phase == TURN_SPEAKING)
		t->interrupted = true;
	t->working = false;
	t->filler_sounds = false;
	buf_reset(&t->taken);
	turn_listen(t, now_ms, out);
}

/* 1.2 s of voice over us: somebody speaks, even if no transcript says so. */
void turn_on_over(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	if (t->phase != TURN_SPEAKING || !turn_may_cut(t) ||
	    !turn_talks(t, now_ms))
		return;
	turn_cut(t, now_ms, out);
	/* should it have been noise, we ask when that is known */
	t->unanswered = true;
	turn_set(t, TT_DEAD_AIR, now_ms + t->cfg.filler_ms);
}

/* Events come in the media thread's order: a pause that is older than our
 * last arming is a pause all the same. While we think, words were held back
 * that were about to begin. */
void turn_on_paused(struct turn *t, const struct turn_event *e,
		    struct turn_out *out)
{
	if (t->phase == TURN_LISTENING)
		return;
	t->paused = true;
	t->paused_epoch = e->epoch;
	if (t->phase == TURN_ENDING || !turn_may_cut(t))
		turn_resume(t, out);
	else if (!t->caller_speaking)
		turn_set(t, TT_VERDICT, e->at_ms + t->cfg.verdict_ms);
}

void turn_on_resumed(struct turn *t, const struct turn_event *e,
		     struct turn_out *out)
{
	if (!t->paused || e->epoch != t->paused_epoch)
		return;
	t->paused = false;
	turn_off(t, TT_VERDICT);
	/* so long a voice without words: it shall not pause us again */
	t->noisy = t->caller_speaking;
	turn_arm(t, out);
}

/* No words followed: a cough. We go on where we stopped. */
void turn_on_verdict(struct turn *t, struct turn_out *out)
{
	if (!t->paused || t->caller_speaking)
		return;
	turn_resume(t, out);
	t->unanswered = false;
	if (t->phase == TURN_SPEAKING)
		turn_arm(t, out);
}
