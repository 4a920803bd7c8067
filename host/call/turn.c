/*
 * The turn machine: its life, what event goes where, hang-ups. Pure; on the
 * loop. The map is in turn.h.
 */
#include "call/turn.h"

#include <assert.h>
#include <stdlib.h>

#include "base/str.h"
#include "call/turn_int.h"

/* Words that were to sound before a hang-up, and never did. */
enum { LAST_WORDS_START_MS = 15000 };

void turn_act(struct turn_out *out, enum turn_action_type type,
	      const char *text, int n, bool flag)
{
	assert(out->n < TURN_ACTIONS_MAX);
	out->v[out->n++] = (struct turn_action){
		.type = type, .text = str_dup(text), .n = n, .flag = flag };
}

void turn_out_clear(struct turn_out *out)
{
	for (int i = 0; i < out->n; i++)
		free(out->v[i].text);
	out->n = 0;
}

static void fill(int *field, int value)
{
	if (!*field)
		*field = value;
}

void turn_init(struct turn *t, const struct turn_cfg *cfg)
{
	*t = (struct turn){ .speech_on_ms = -1, .speech_end_ms = -1,
			    .words_ms = -1, .taken_ms = -1, .end = -1 };
	if (cfg)
		t->cfg = *cfg;
	fill(&t->cfg.speech_off_ms, 200);
	fill(&t->cfg.endpointing_ms, 400);
	fill(&t->cfg.digits_ms, 1500);
	fill(&t->cfg.long_ms, 900);
	fill(&t->cfg.short_ms, 300);
	fill(&t->cfg.final_ms, 800);
	fill(&t->cfg.stale_ms, 2000);
	fill(&t->cfg.voice_ms, 300);
	fill(&t->cfg.noise_ms, 3000);
	fill(&t->cfg.late_ms, 2500);
	fill(&t->cfg.filler_ms, 1700);
	fill(&t->cfg.again_ms, 2200);
	fill(&t->cfg.give_up_ms, 9000);
	fill(&t->cfg.verdict_ms, 450);
	fill(&t->cfg.over_ms, 1200);
	fill(&t->cfg.idle_ms, 8000);
	fill(&t->cfg.idle_times, 3);
	fill(&t->cfg.longest_ms, 1800000);
	for (int i = 0; i < TT_N; i++)
		turn_off(t, i);
}

void turn_finish(struct turn *t)
{
	buf_free(&t->finals);
	buf_free(&t->interim);
	buf_free(&t->guess);
	buf_free(&t->taken);
	buf_free(&t->tail);
}

int64_t turn_due(const struct turn *t)
{
	int64_t first = -1;

	for (int i = 0; i < TT_N; i++) {
		int64_t due = t->due_ms[i];
		if (due >= 0 && (first < 0 || due < first))
			first = due;
	}
	return first;
}

void turn_state(struct turn *t, const char *state, struct turn_out *out)
{
	if (str_eq(t->state, state))
		return;
	t->state = state;
	turn_act(out, TA_STATE, state, 0, false);
}

/* ---- the reflex ------------------------------------------------------------ */

void turn_arm(struct turn *t, struct turn_out *out)
{
	bool can = turn_may_cut(t) && t->phase != TURN_ENDING && !t->noisy;

	turn_act(out, TA_ARM, NULL, 0, can);
	out->v[out->n - 1].epoch = ++t->epoch;
}

void turn_resume(struct turn *t, struct turn_out *out)
{
	assert(t->paused);
	t->paused = false;
	turn_off(t, TT_VERDICT);
	turn_act(out, TA_RESUME, NULL, 0, false);
	out->v[out->n - 1].epoch = t->paused_epoch;
}

void turn_lock(struct turn *t, bool locked, struct turn_out *out)
{
	if (t->locked == locked)
		return;
	t->locked = locked;
	if (t->phase == TURN_SPEAKING)
		turn_arm(t, out);
}

/* ---- beginning and end ---------------------------------------------------------- */

static void on_start(struct turn *t, const struct turn_event *e,
		     struct turn_out *out)
{
	if (t->phase != TURN_WAITING)
		return;
	turn_set(t, TT_LONGEST, e->at_ms + t->cfg.longest_ms);
	t->working = true;
	turn_think(t, e->at_ms, e->at_ms, out);
}

void turn_end_if_done(struct turn *t, struct turn_out *out)
{
	if (t->phase != TURN_ENDING || t->working || t->sounding)
		return;
	t->phase = TURN_OVER;
	for (int i = 0; i < TT_N; i++)
		turn_off(t, i);
	turn_act(out, TA_END, NULL, t->end, false);
}

static void on_hangup(struct turn *t, const struct turn_event *e,
		      struct turn_out *out)
{
	if (t->phase >= TURN_ENDING)
		return;
	turn_unspeculate(t, out);
	t->phase = TURN_ENDING;
	t->end = e->n;
	for (int i = 0; i < TT_N; i++)
		turn_off(t, i);
	turn_set(t, TT_FAREWELL, e->at_ms + (t->sounding ?
			TURN_LAST_WORDS_MS : LAST_WORDS_START_MS));
	if (t->paused)
		turn_resume(t, out);
	turn_arm(t, out);
	turn_end_if_done(t, out);
}

/* A hang-up that waits for words that never sound, or never end. */
static void on_farewell(struct turn *t, struct turn_out *out)
{
	t->working = t->sounding = false;
	turn_end_if_done(t, out);
}

static void on_dtmf(struct turn *t, const struct turn_event *e,
		    struct turn_out *out)
{
	t->idle_n = 0;
	if (t->phase == TURN_SPEAKING && !t->locked)
		turn_cut(t, e->at_ms, out);
	else if (t->phase == TURN_LISTENING)
		turn_set(t, TT_IDLE, e->at_ms + t->cfg.idle_ms);
}

/* ---- dispatch ------------------------------------------------------------------------ */

static void run_timer(struct turn *t, enum turn_timer which, int64_t now_ms,
		      struct turn_out *out)
{
	turn_off(t, which);
	switch (which) {
	case TT_ENDPOINT:
		turn_on_endpoint(t, now_ms, out);
		break;
	case TT_VERDICT:
		turn_on_verdict(t, out);
		break;
	case TT_OVER:
		turn_on_over(t, now_ms, out);
		break;
	case TT_DEAD_AIR:
		turn_on_dead_air(t, now_ms, out);
		break;
	case TT_GIVE_UP:
		turn_on_give_up(t, now_ms, out);
		break;
	case TT_IDLE:
		turn_on_idle(t, now_ms, out);
		break;
	case TT_LONGEST:
		turn_act(out, TA_FAREWELL, NULL, CALL_END_LONGEST, false);
		break;
	case TT_FAREWELL:
		on_farewell(t, out);
		break;
	case TT_N:
		break;
	}
}

/* The earliest only: what it does may take the others' ground away. The next
 * tick comes at once when more is due. */
static void on_tick(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	int first = -1;

	for (int i = 0; i < TT_N; i++) {
		if (t->due_ms[i] >= 0 && t->due_ms[i] <= now_ms &&
		    (first < 0 || t->due_ms[i] < t->due_ms[first]))
			first = i;
	}
	if (first >= 0)
		run_timer(t, first, now_ms, out);
}

/* Before the caller can hear us only a few things matter. */
static bool too_early(const struct turn *t, enum turn_event_type type)
{
	return t->phase == TURN_WAITING && type != TE_START &&
	       type != TE_SPEECH_ON && type != TE_SPEECH_OFF &&
	       type != TE_HANGUP;
}

/* One line an event, so that the whole of it can be seen. */
void turn_step(struct turn *t, const struct turn_event *e,
	       struct turn_out *out)
{
	if (t->phase == TURN_OVER || too_early(t, e->type))
		return;
	switch (e->type) {
	case TE_START:      on_start(t, e, out); break;
	case TE_SPEECH_ON:  turn_on_speech_on(t, e); break;
	case TE_SPEECH_OFF: turn_on_speech_off(t, e, out); break;
	case TE_PAUSED:     turn_on_paused(t, e, out); break;
	case TE_RESUMED:    turn_on_resumed(t, e, out); break;
	case TE_INTERIM:
	case TE_FINAL:      turn_on_text(t, e, out); break;
	case TE_END:        turn_on_provider_end(t, e, out); break;
	case TE_TYPED:      turn_on_typed(t, e, out); break;
	case TE_DTMF:       on_dtmf(t, e, out); break;
	case TE_SOUND:      turn_on_sound(t, e, out); break;
	case TE_SOUND_END:  turn_on_sound_end(t, e, out); break;
	case TE_QUIET:      turn_on_quiet(t, e, out); break;
	case TE_WORK:       turn_on_work(t, e, out); break;
	case TE_FAILED:     turn_on_failed(t, out); break;
	case TE_HANGUP:     on_hangup(t, e, out); break;
	case TE_TICK:       on_tick(t, e->at_ms, out); break;
	}
}
