/* The turn machine. Pure; on the loop. The map is in turn.h. */
#include "call/turn.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static void act(struct turn_out *out, enum turn_action_type type,
		const char *text, int n, bool flag)
{
	assert(out->n < TURN_ACTIONS_MAX);
	out->v[out->n++] = (struct turn_action){
		.type = type, .text = str_dup(text), .n = n, .flag = flag };
}

static void act_epoch(struct turn *t, struct turn_out *out,
		      enum turn_action_type type, bool flag)
{
	act(out, type, NULL, 0, flag);
	out->v[out->n - 1].epoch = t->epoch;
}

void turn_out_clear(struct turn_out *out)
{
	for (int i = 0; i < out->n; i++)
		free(out->v[i].text);
	out->n = 0;
}

/* ---- set-up -------------------------------------------------------------- */

static void fill(int *field, int value)
{
	if (!*field)
		*field = value;
}

void turn_init(struct turn *t, const struct turn_cfg *cfg)
{
	*t = (struct turn){ .speech_end_ms = -1, .end = -1 };
	if (cfg)
		t->cfg = *cfg;
	fill(&t->cfg.speech_off_ms, 200);
	fill(&t->cfg.endpointing_ms, 400);
	fill(&t->cfg.digits_ms, 1500);
	fill(&t->cfg.long_ms, 900);
	fill(&t->cfg.short_ms, 300);
	fill(&t->cfg.filler_ms, 1700);
	fill(&t->cfg.again_ms, 2200);
	fill(&t->cfg.give_up_ms, 9000);
	fill(&t->cfg.verdict_ms, 450);
	fill(&t->cfg.over_ms, 1200);
	fill(&t->cfg.idle_ms, 8000);
	fill(&t->cfg.idle_times, 3);
	fill(&t->cfg.longest_ms, 1800000);
	for (int i = 0; i < TT_N; i++)
		t->due_ms[i] = -1;
}

void turn_finish(struct turn *t)
{
	buf_free(&t->finals);
	buf_free(&t->interim);
	buf_free(&t->guess);
	buf_free(&t->taken);
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

static void set(struct turn *t, enum turn_timer which, int64_t due_ms)
{
	t->due_ms[which] = due_ms;
}

static void off(struct turn *t, enum turn_timer which)
{
	t->due_ms[which] = -1;
}

static void say_state(struct turn *t, const char *state, struct turn_out *out)
{
	if (str_eq(t->state, state))
		return;
	t->state = state;
	act(out, TA_STATE, state, 0, false);
}

/* ---- the caller's words ----------------------------------------------------- */

static void join(struct buf *b, const char *text)
{
	if (str_blank(text))
		return;
	if (b->len)
		buf_puts(b, " ");
	buf_puts(b, text);
}

static char *all_words(const struct turn *t)
{
	struct buf b = { 0 };

	join(&b, buf_str(&t->finals));
	join(&b, buf_str(&t->interim));
	return buf_take(&b);
}

static bool have_words(const struct turn *t)
{
	return t->finals.len || t->interim.len;
}

static void put(struct buf *b, const char *text)
{
	buf_reset(b);
	if (text)
		buf_puts(b, text);
}

/* The same words but for case and punctuation? */
static bool same_words(const char *a, const char *b)
{
	for (;;) {
		while (*a && (ispunct((unsigned char)*a) || *a == ' '))
			a++;
		while (*b && (ispunct((unsigned char)*b) || *b == ' '))
			b++;
		if (!*a || !*b)
			return *a == *b;
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		a++;
		b++;
	}
}

static void unspeculate(struct turn *t, struct turn_out *out)
{
	if (!t->guess.len)
		return;
	buf_reset(&t->guess);
	act(out, TA_UNSPECULATE, NULL, 0, false);
}

/* Digits come in groups with pauses: a guess would be wrong too often. */
static void speculate(struct turn *t, struct turn_out *out)
{
	char *words = all_words(t);

	if (*words && t->phase == TURN_LISTENING &&
	    t->await != CALL_AWAIT_DIGITS &&
	    !(t->guess.len && same_words(buf_str(&t->guess), words))) {
		unspeculate(t, out);
		put(&t->guess, words);
		act(out, TA_SPECULATE, words, 0, false);
	}
	free(words);
}

static int patience_ms(const struct turn *t)
{
	switch (t->await) {
	case CALL_AWAIT_SHORT:
		return t->cfg.short_ms;
	case CALL_AWAIT_DIGITS:
		return t->cfg.digits_ms;
	case CALL_AWAIT_LONG:
		return t->cfg.long_ms;
	case CALL_AWAIT_ANY:
		break;
	}
	return t->cfg.endpointing_ms;
}

/* ---- dead air ------------------------------------------------------------------ */

static void dead_air_from(struct turn *t, int64_t since_ms, int limit_ms)
{
	set(t, TT_DEAD_AIR, since_ms + limit_ms);
}

static void dead_air_off(struct turn *t)
{
	off(t, TT_DEAD_AIR);
}

/* ---- phases ----------------------------------------------------------------------- */

static void arm(struct turn *t, struct turn_out *out)
{
	bool can = !t->cfg.uninterruptible && !t->locked &&
		   t->phase != TURN_ENDING;

	t->epoch++;
	act_epoch(t, out, TA_ARM, can);
}

static void listen(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	t->phase = TURN_LISTENING;
	t->voice_over = false;
	t->paused = false;
	off(t, TT_VERDICT);
	off(t, TT_OVER);
	off(t, TT_GIVE_UP);
	dead_air_off(t);
	if (!t->caller_speaking)
		set(t, TT_IDLE, now_ms + t->cfg.idle_ms);
	say_state(t, "listening", out);
}

static void think(struct turn *t, int64_t since_ms, int64_t now_ms,
		  struct turn_out *out)
{
	t->phase = TURN_THINKING;
	off(t, TT_IDLE);
	if (t->due_ms[TT_DEAD_AIR] < 0)
		dead_air_from(t, since_ms, t->fillers ? t->cfg.again_ms :
						       t->cfg.filler_ms);
	if (t->due_ms[TT_GIVE_UP] < 0)
		set(t, TT_GIVE_UP, now_ms + t->cfg.give_up_ms);
	say_state(t, "thinking", out);
}

/* The caller's words so far are a turn. */
static void take_turn(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	char *words = all_words(t);
	int64_t since = t->speech_end_ms >= 0 ? t->speech_end_ms : now_ms;

	off(t, TT_ENDPOINT);
	if (t->guess.len && !same_words(buf_str(&t->guess), words))
		unspeculate(t, out);
	buf_reset(&t->guess); /* the guess, if any, becomes the reply */
	put(&t->taken, words);
	buf_reset(&t->finals);
	buf_reset(&t->interim);
	t->deaf = !t->caller_speaking;
	t->heard_voice = t->caller_speaking;
	t->waited_final = false;
	t->fillers = 0;
	t->idle_n = 0;
	t->working = true;
	off(t, TT_GIVE_UP);
	act(out, TA_TURN, words, 0, t->interrupted);
	t->interrupted = false;
	think(t, since, now_ms, out);
	free(words);
}

/* ---- the caller's voice -------------------------------------------------------------- */

static void on_speech_on(struct turn *t, const struct turn_event *e)
{
	t->caller_speaking = true;
	t->heard_voice = true;
	t->deaf = false;
	off(t, TT_ENDPOINT);
	off(t, TT_IDLE);
	if (t->phase == TURN_SPEAKING) {
		t->voice_over = true;
		if (!t->locked && !t->cfg.uninterruptible)
			set(t, TT_OVER, e->at_ms + t->cfg.over_ms);
	}
	if (t->phase == TURN_LISTENING)
		dead_air_off(t);
}

static void on_speech_off(struct turn *t, const struct turn_event *e,
			  struct turn_out *out)
{
	if (!t->caller_speaking)
		return;
	t->caller_speaking = false;
	t->speech_end_ms = e->at_ms - t->cfg.speech_off_ms;
	off(t, TT_OVER);
	act(out, TA_FLUSH, NULL, 0, false);
	if (t->paused)
		set(t, TT_VERDICT, e->at_ms + t->cfg.verdict_ms);
	if (t->phase != TURN_LISTENING)
		return;
	/* the clock of dead air starts with the silence, words or not */
	dead_air_from(t, t->speech_end_ms, t->cfg.filler_ms);
	set(t, TT_ENDPOINT, t->speech_end_ms + patience_ms(t));
	speculate(t, out);
}

static void cut(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	act(out, TA_CUT, NULL, 0, false);
	t->interrupted = true;
	t->working = false;
	t->filler_sounds = false;
	listen(t, now_ms, out);
	if (!t->caller_speaking)
		set(t, TT_ENDPOINT, now_ms + patience_ms(t));
}

/* The caller goes on though we had taken the turn and not sounded yet: what
 * was taken and what comes now are one turn. */
static void take_back(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	struct buf whole = { 0 };

	act(out, TA_CANCEL, NULL, 0, false);
	join(&whole, buf_str(&t->taken));
	join(&whole, buf_str(&t->finals));
	buf_free(&t->finals);
	t->finals = whole;
	buf_reset(&t->taken);
	t->working = false;
	listen(t, now_ms, out);
}

static bool may_interrupt(const struct turn *t)
{
	return !t->cfg.uninterruptible && !t->locked &&
	       (t->paused || t->voice_over);
}

/* New words, while e->text is already in finals or interim. */
static void words_came(struct turn *t, const struct turn_event *e,
		       struct turn_out *out)
{
	if (t->phase == TURN_SPEAKING && may_interrupt(t))
		cut(t, e->at_ms, out);
	else if (t->phase == TURN_THINKING && t->taken.len &&
		 (!t->fillers || t->filler_sounds))
		take_back(t, e->at_ms, out);
	if (t->phase != TURN_LISTENING)
		return;
	off(t, TT_IDLE);
	if (t->caller_speaking)
		return;
	/* late words: wait for more, but not for long */
	int64_t due = e->at_ms + t->cfg.short_ms;
	int64_t end = t->speech_end_ms + patience_ms(t);
	if (e->type == TE_FINAL && end > e->at_ms)
		due = end;
	else if (e->type == TE_FINAL)
		due = e->at_ms;
	set(t, TT_ENDPOINT, due);
	speculate(t, out);
}

static void on_text(struct turn *t, const struct turn_event *e,
		    struct turn_out *out)
{
	if (str_blank(e->text) && e->type == TE_INTERIM)
		return;
	if (t->deaf || t->phase == TURN_WAITING || t->phase >= TURN_ENDING)
		return;
	if (e->type == TE_FINAL) {
		join(&t->finals, e->text);
		buf_reset(&t->interim);
	} else {
		put(&t->interim, e->text);
	}
	if (!str_blank(e->text))
		words_came(t, e, out);
}

static void on_provider_end(struct turn *t, const struct turn_event *e,
			    struct turn_out *out)
{
	if (t->phase != TURN_LISTENING || !have_words(t) || t->deaf)
		return;
	int64_t since = t->speech_end_ms >= 0 ? t->speech_end_ms : e->at_ms;

	if (t->caller_speaking) /* noise keeps our VAD on, the words ended */
		set(t, TT_ENDPOINT, e->at_ms + t->cfg.long_ms);
	else if (t->await == CALL_AWAIT_DIGITS)
		set(t, TT_ENDPOINT, since + t->cfg.digits_ms);
	else
		take_turn(t, e->at_ms, out);
}

static void on_endpoint(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	off(t, TT_ENDPOINT);
	if (t->phase != TURN_LISTENING || !have_words(t))
		return;
	if (t->interim.len && !t->waited_final) {
		t->waited_final = true;
		set(t, TT_ENDPOINT, now_ms + t->cfg.short_ms);
		return;
	}
	take_turn(t, now_ms, out);
}

/* ---- our voice --------------------------------------------------------------------------- */

static void on_sound(struct turn *t, const struct turn_event *e,
		     struct turn_out *out)
{
	dead_air_off(t);
	off(t, TT_IDLE);
	if (t->phase >= TURN_ENDING)
		return;
	t->filler_sounds = e->flag;
	if (e->flag && t->phase == TURN_THINKING)
		return; /* a filler is no answer: we still think */
	off(t, TT_GIVE_UP);
	t->phase = TURN_SPEAKING;
	t->voice_over = t->caller_speaking;
	buf_reset(&t->taken);
	say_state(t, "speaking", out);
	arm(t, out);
}

static void finish_if_ending(struct turn *t, struct turn_out *out)
{
	if (t->phase != TURN_ENDING || t->working)
		return;
	t->phase = TURN_OVER;
	for (int i = 0; i < TT_N; i++)
		off(t, i);
	act(out, TA_END, NULL, t->end, false);
}

static void on_sound_end(struct turn *t, const struct turn_event *e,
			 struct turn_out *out)
{
	bool was_filler = t->filler_sounds;

	t->filler_sounds = false;
	if (e->flag) /* more is queued: its own TE_SOUND follows at once */
		return;
	if (t->phase == TURN_ENDING) {
		finish_if_ending(t, out);
		return;
	}
	if (t->phase == TURN_THINKING && was_filler)
		dead_air_from(t, e->at_ms, t->cfg.again_ms);
	if (t->phase != TURN_SPEAKING)
		return;
	t->speech_end_ms = e->at_ms;
	if (t->working)
		think(t, e->at_ms, e->at_ms, out);
	else
		listen(t, e->at_ms, out);
}

static void on_quiet(struct turn *t, const struct turn_event *e,
		     struct turn_out *out)
{
	t->working = false;
	if (t->phase == TURN_ENDING)
		finish_if_ending(t, out);
	else if (t->phase == TURN_THINKING && !t->filler_sounds)
		listen(t, e->at_ms, out);
}

static void on_work(struct turn *t, const struct turn_event *e,
		    struct turn_out *out)
{
	t->working = true;
	if (t->phase == TURN_LISTENING && !t->caller_speaking)
		think(t, e->at_ms, e->at_ms, out);
}

/* ---- time ---------------------------------------------------------------------------------- */

/* Something must sound now. Nothing understood yet: ask again; else keep the
 * caller company while we work. */
static void on_dead_air(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	dead_air_off(t);
	if (t->phase == TURN_LISTENING) {
		if (t->caller_speaking)
			return;
		if (have_words(t)) {
			take_turn(t, now_ms, out);
			t->due_ms[TT_DEAD_AIR] = -1;
		} else {
			t->deaf = true; /* too late: we ask for it again */
			act(out, TA_LINE, "pardon", 0, false);
			return;
		}
	}
	if (t->phase != TURN_THINKING)
		return;
	act(out, TA_LINE, t->fillers++ ? "hold" : "filler", 0, true);
	dead_air_from(t, now_ms, t->cfg.again_ms + 2000); /* if even that fails */
}

static void on_idle(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	off(t, TT_IDLE);
	if (t->phase != TURN_LISTENING || t->caller_speaking || have_words(t))
		return;
	if (++t->idle_n > t->cfg.idle_times) {
		act(out, TA_FAREWELL, NULL, CALL_END_SILENT, false);
		return;
	}
	set(t, TT_IDLE, now_ms + t->cfg.idle_ms);
	act(out, TA_SILENCE, NULL, t->idle_n, false);
}

static void on_verdict(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	(void)now_ms;
	off(t, TT_VERDICT);
	if (!t->paused)
		return;
	t->paused = false;
	t->voice_over = false;
	act_epoch(t, out, TA_RESUME, false);
	arm(t, out);
}

static void on_tick(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	for (int i = 0; i < TT_N; i++) {
		if (t->due_ms[i] < 0 || t->due_ms[i] > now_ms)
			continue;
		switch ((enum turn_timer)i) {
		case TT_ENDPOINT:
			on_endpoint(t, now_ms, out);
			break;
		case TT_VERDICT:
			on_verdict(t, now_ms, out);
			break;
		case TT_OVER:
			off(t, TT_OVER);
			if (t->phase == TURN_SPEAKING && t->caller_speaking)
				cut(t, now_ms, out);
			break;
		case TT_DEAD_AIR:
			on_dead_air(t, now_ms, out);
			break;
		case TT_GIVE_UP:
			off(t, TT_GIVE_UP);
			act(out, TA_CANCEL, NULL, 0, false);
			act(out, TA_LINE, "apology", 0, false);
			break;
		case TT_IDLE:
			on_idle(t, now_ms, out);
			break;
		case TT_LONGEST:
			off(t, TT_LONGEST);
			act(out, TA_FAREWELL, NULL, CALL_END_LONGEST, false);
			break;
		case TT_FAREWELL:
			off(t, TT_FAREWELL);
			t->working = false;
			finish_if_ending(t, out);
			break;
		case TT_N:
			break;
		}
	}
}

/* ---- the rest ---------------------------------------------------------------------------------- */

static void on_start(struct turn *t, const struct turn_event *e,
		     struct turn_out *out)
{
	if (t->phase != TURN_WAITING)
		return;
	set(t, TT_LONGEST, e->at_ms + t->cfg.longest_ms);
	t->working = true;
	think(t, e->at_ms, e->at_ms, out);
}

static void on_typed(struct turn *t, const struct turn_event *e,
		     struct turn_out *out)
{
	if (t->phase >= TURN_ENDING || str_blank(e->text))
		return;
	if (t->phase == TURN_SPEAKING || t->phase == TURN_THINKING)
		cut(t, e->at_ms, out);
	t->phase = TURN_LISTENING;
	t->deaf = false;
	buf_reset(&t->interim);
	join(&t->finals, e->text);
	t->speech_end_ms = e->at_ms;
	take_turn(t, e->at_ms, out);
}

static void on_paused(struct turn *t, const struct turn_event *e)
{
	if (e->epoch != t->epoch || t->phase != TURN_SPEAKING)
		return;
	t->paused = true;
	if (!t->caller_speaking)
		set(t, TT_VERDICT, e->at_ms + t->cfg.verdict_ms);
}

static void on_resumed(struct turn *t, const struct turn_event *e,
		       struct turn_out *out)
{
	if (e->epoch != t->epoch || !t->paused)
		return;
	t->paused = false;
	off(t, TT_VERDICT);
	arm(t, out);
}

static void on_failed(struct turn *t, const struct turn_event *e,
		      struct turn_out *out)
{
	(void)e;
	off(t, TT_GIVE_UP);
	if (t->phase < TURN_ENDING)
		act(out, TA_LINE, "apology", 0, false);
}

static void on_hangup(struct turn *t, const struct turn_event *e,
		      struct turn_out *out)
{
	if (t->phase >= TURN_ENDING)
		return;
	bool sounding = t->phase == TURN_SPEAKING || t->working;

	unspeculate(t, out);
	t->phase = TURN_ENDING;
	t->end = e->n;
	for (int i = 0; i < TT_N; i++)
		off(t, i);
	/* a hang-up that waits for words that never sound still ends */
	set(t, TT_FAREWELL, e->at_ms + 15000);
	arm(t, out);
	if (!sounding)
		finish_if_ending(t, out);
}

void turn_lock(struct turn *t, bool locked, struct turn_out *out)
{
	if (t->locked == locked)
		return;
	t->locked = locked;
	if (t->phase == TURN_SPEAKING)
		arm(t, out);
}

void turn_step(struct turn *t, const struct turn_event *e,
	       struct turn_out *out)
{
	if (t->phase == TURN_OVER)
		return;
	switch (e->type) {
	case TE_START:
		on_start(t, e, out);
		break;
	case TE_SPEECH_ON:
		on_speech_on(t, e);
		break;
	case TE_SPEECH_OFF:
		on_speech_off(t, e, out);
		break;
	case TE_PAUSED:
		on_paused(t, e);
		break;
	case TE_RESUMED:
		on_resumed(t, e, out);
		break;
	case TE_INTERIM:
	case TE_FINAL:
		on_text(t, e, out);
		break;
	case TE_END:
		on_provider_end(t, e, out);
		break;
	case TE_TYPED:
		on_typed(t, e, out);
		break;
	case TE_DTMF:
		if (t->phase == TURN_SPEAKING && !t->locked)
			cut(t, e->at_ms, out);
		break;
	case TE_SOUND:
		on_sound(t, e, out);
		break;
	case TE_SOUND_END:
		on_sound_end(t, e, out);
		break;
	case TE_QUIET:
		on_quiet(t, e, out);
		break;
	case TE_WORK:
		on_work(t, e, out);
		break;
	case TE_FAILED:
		on_failed(t, e, out);
		break;
	case TE_HANGUP:
		on_hangup(t, e, out);
		break;
	case TE_TICK:
		on_tick(t, e->at_ms, out);
		break;
	}
}
