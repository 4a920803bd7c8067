/*
 * The turn machine's part about our own voice: what sounds, what is being
 * made, and the clocks that end silence. Pure; on the loop.
 */
#include <assert.h>

#include "call/turn_int.h"

/* ---- phases ---------------------------------------------------------------- */

void turn_listen(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	bool voice = t->unanswered && turn_voice_lately(t, now_ms);

	assert(t->phase < TURN_ENDING); /* a hang-up is not taken back */
	t->phase = TURN_LISTENING;
	t->paused = false;
	turn_off(t, TT_VERDICT);
	turn_off(t, TT_OVER);
	turn_off(t, TT_GIVE_UP);
	turn_set(t, TT_IDLE, now_ms + t->cfg.idle_ms);
	turn_state(t, "listening", out);
	t->unanswered = voice || turn_have_words(t);
	if (!t->unanswered)
		turn_off(t, TT_DEAD_AIR);
	else if (t->due_ms[TT_DEAD_AIR] < 0 && !t->caller_speaking)
		turn_set(t, TT_DEAD_AIR, now_ms + t->cfg.filler_ms);
	if (turn_have_words(t)) /* said over what may not be cut */
		turn_set(t, TT_ENDPOINT, now_ms + (t->caller_speaking ?
				t->cfg.stale_ms : t->cfg.short_ms));
}

void turn_think(struct turn *t, int64_t since_ms, int64_t now_ms,
		struct turn_out *out)
{
	assert(t->phase < TURN_ENDING);
	t->phase = TURN_THINKING;
	turn_off(t, TT_IDLE);
	if (t->due_ms[TT_DEAD_AIR] < 0)
		turn_set(t, TT_DEAD_AIR, since_ms + (t->fillers ?
				t->cfg.again_ms : t->cfg.filler_ms));
	if (t->due_ms[TT_GIVE_UP] < 0)
		turn_set(t, TT_GIVE_UP, now_ms + t->cfg.give_up_ms);
	turn_state(t, "thinking", out);
}

/* ---- what sounds -------------------------------------------------------------- */

/* Words that were too few to stop us, or that came before our first sound,
 * are answered by what sounds now. */
static void answer_sounds(struct turn *t, int64_t now_ms)
{
	if (t->phase == TURN_THINKING && !turn_talks(t, now_ms))
		turn_forget_words(t);
	if (!t->greeted && !t->caller_speaking)
		t->taken_ms = now_ms;
	t->greeted = true;
	t->unanswered = false;
	if (!turn_have_words(t))
		t->interrupted = false;
	buf_reset(&t->taken);
}

void turn_on_sound(struct turn *t, const struct turn_event *e,
		   struct turn_out *out)
{
	turn_off(t, TT_DEAD_AIR);
	t->sounding = true;
	if (t->phase == TURN_ENDING) {
		turn_set(t, TT_FAREWELL, e->at_ms + TURN_LAST_WORDS_MS);
		return;
	}
	t->filler_sounds = e->flag;
	if (e->flag && t->phase == TURN_THINKING)
		return; /* a filler is no answer: we still think */
	turn_off(t, TT_GIVE_UP);
	turn_off(t, TT_IDLE);
	turn_off(t, TT_OVER);
	answer_sounds(t, e->at_ms);
	t->phase = TURN_SPEAKING;
	turn_state(t, "speaking", out);
	if (turn_talks(t, e->at_ms))
		turn_set(t, TT_OVER, e->at_ms + t->cfg.over_ms);
	turn_arm(t, out);
}

void turn_on_sound_end(struct turn *t, const struct turn_event *e,
		       struct turn_out *out)
{
	bool was_filler = t->filler_sounds;

	t->filler_sounds = false;
	if (e->flag) /* more is queued: its own TE_SOUND follows at once */
		return;
	t->sounding = t->paused = false;
	turn_off(t, TT_VERDICT);
	if (t->phase == TURN_ENDING) {
		turn_end_if_done(t, out);
	} else if (t->phase == TURN_THINKING && was_filler) {
		if (t->working)
			turn_set(t, TT_DEAD_AIR, e->at_ms + t->cfg.again_ms);
		else
			turn_listen(t, e->at_ms, out);
	} else if (t->phase == TURN_SPEAKING) {
		if (t->working)
			turn_think(t, e->at_ms, e->at_ms, out);
		else
			turn_listen(t, e->at_ms, out);
	}
}

/* ---- what is being made ----------------------------------------------------------- */

void turn_on_quiet(struct turn *t, const struct turn_event *e,
		   struct turn_out *out)
{
	t->working = false;
	if (t->phase == TURN_ENDING)
		turn_end_if_done(t, out);
	else if (t->phase == TURN_THINKING && !t->filler_sounds)
		turn_listen(t, e->at_ms, out);
}

void turn_on_work(struct turn *t, const struct turn_event *e,
		  struct turn_out *out)
{
	t->working = true;
	if (t->phase == TURN_LISTENING && !turn_have_words(t) &&
	    !turn_talks(t, e->at_ms))
		turn_think(t, e->at_ms, e->at_ms, out);
}

/* The reply could not be made: the stored words say so. */
void turn_on_failed(struct turn *t, struct turn_out *out)
{
	turn_off(t, TT_GIVE_UP);
	if (t->phase < TURN_ENDING) {
		turn_act(out, TA_LINE, "apology", 0, false);
	} else if (!t->goodbye) {
		t->goodbye = true;
		turn_act(out, TA_LINE, "goodbye", 0, false);
	}
}

/* ---- silence ------------------------------------------------------------------------- */

/* Nothing was understood: what comes of it now comes too late. */
static void ask_again(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	t->unanswered = false;
	t->deaf = true;
	t->taken_ms = now_ms;
	buf_reset(&t->tail);
	turn_act(out, TA_LINE, "pardon", 0, false);
}

void turn_on_dead_air(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	/* what is paused would sound before any line: its verdict is near */
	if (turn_talks(t, now_ms) || t->paused) {
		turn_set(t, TT_DEAD_AIR, now_ms + TURN_LOOK_AGAIN_MS);
		return;
	}
	if (t->phase == TURN_LISTENING && turn_have_words(t))
		turn_take(t, now_ms, out);
	else if (t->phase == TURN_LISTENING && t->unanswered)
		ask_again(t, now_ms, out);
	if (t->phase != TURN_THINKING)
		return;
	turn_act(out, TA_LINE, t->fillers++ ? "hold" : "filler", 0, true);
	/* TE_SOUND stops this; it is for a line that does not sound */
	turn_set(t, TT_DEAD_AIR, now_ms + t->cfg.again_ms);
}

void turn_on_give_up(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	if (t->phase != TURN_THINKING)
		return;
	if (turn_talks(t, now_ms) || t->filler_sounds) {
		turn_set(t, TT_GIVE_UP, now_ms + TURN_LOOK_AGAIN_MS);
		return;
	}
	t->working = t->paused = false;
	turn_off(t, TT_VERDICT);
	turn_act(out, TA_CUT, NULL, 0, false);
	turn_act(out, TA_LINE, "apology", 0, false);
}

void turn_on_idle(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	if (t->phase != TURN_LISTENING)
		return;
	if (turn_talks(t, now_ms) || turn_have_words(t) || t->unanswered) {
		turn_set(t, TT_IDLE, now_ms + TURN_LOOK_AGAIN_MS);
		return;
	}
	if (++t->idle_n > t->cfg.idle_times) {
		turn_act(out, TA_FAREWELL, NULL, CALL_END_SILENT, false);
		return;
	}
	turn_set(t, TT_IDLE, now_ms + t->cfg.idle_ms);
	turn_act(out, TA_SILENCE, NULL, t->idle_n, false);
}
