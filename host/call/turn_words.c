/*
 * The turn machine's part about the caller's words: gathering them, guessing,
 * when they are a turn, and when a turn was taken too early. Pure; on the
 * loop.
 */
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>

#include "base/str.h"
#include "call/turn_int.h"

/* "okay", "yes thanks" after a filler keep us company, no more. */
enum { COMPANY_WORDS = 2 };

static char *all_words(const struct turn *t)
{
	struct buf b = { 0 };

	turn_join(&b, buf_str(&t->finals));
	turn_join(&b, buf_str(&t->interim));
	return buf_take(&b);
}

bool turn_have_words(const struct turn *t)
{
	return t->finals.len || t->interim.len;
}

void turn_forget_words(struct turn *t)
{
	buf_reset(&t->finals);
	buf_reset(&t->interim);
}

/* ---- guessing ------------------------------------------------------------- */

void turn_unspeculate(struct turn *t, struct turn_out *out)
{
	if (!t->guess.len)
		return;
	buf_reset(&t->guess);
	turn_act(out, TA_UNSPECULATE, NULL, 0, false);
}

/* Digits come in groups with pauses: a guess would be wrong too often. */
void turn_speculate(struct turn *t, struct turn_out *out)
{
	char *words = all_words(t);

	if (*words && t->phase == TURN_LISTENING &&
	    t->await != CALL_AWAIT_DIGITS &&
	    !(t->guess.len && turn_same_words(buf_str(&t->guess), words))) {
		turn_unspeculate(t, out);
		turn_put(&t->guess, words);
		turn_act(out, TA_SPECULATE, words, 0, false);
	}
	free(words);
}

/* ---- a turn ------------------------------------------------------------------ */

int turn_patience_ms(const struct turn *t)
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

/* When the caller stopped speaking, as far as can be known: without a voice
 * that explains the words, when the last of them came. */
static int64_t words_end_ms(const struct turn *t, int64_t now_ms)
{
	if (t->caller_speaking)
		return now_ms;
	if (turn_voice_lately(t, now_ms))
		return t->speech_end_ms;
	return t->words_ms >= 0 ? t->words_ms : now_ms;
}

void turn_take(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	char *words = all_words(t);

	assert(*words && t->phase != TURN_WAITING && t->phase < TURN_ENDING);
	t->speech_end_ms = words_end_ms(t, now_ms);
	if (t->guess.len && !turn_same_words(buf_str(&t->guess), words))
		turn_unspeculate(t, out);
	buf_reset(&t->guess); /* the guess, if any, becomes the reply */
	turn_put(&t->taken, buf_str(&t->finals));
	turn_put(&t->tail, buf_str(&t->interim));
	turn_forget_words(t);
	t->taken_ms = now_ms;
	t->deaf = !t->caller_speaking;
	t->taken_interrupted = t->interrupted;
	t->taken_await = t->await;
	t->taken_digits = t->await_digits;
	t->await = CALL_AWAIT_ANY;
	t->await_digits = 0;
	t->interrupted = t->unanswered = t->waited_final = false;
	t->fillers = 0;
	t->idle_n = 0;
	t->working = true;
	turn_off(t, TT_ENDPOINT);
	turn_off(t, TT_GIVE_UP);
	turn_act(out, TA_TURN, words, t->typed, t->taken_interrupted);
	t->typed = false;
	turn_think(t, t->speech_end_ms, now_ms, out);
	free(words);
}

static bool is_taken(const struct turn *t)
{
	return t->phase == TURN_THINKING && (t->taken.len || t->tail.len);
}

/* The caller goes on though we had taken the turn and not sounded yet: what
 * was taken and what comes now are one turn. The interim tail is left out:
 * the words that come now say it again. */
static void take_back(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	struct buf whole = { 0 };

	assert(is_taken(t));
	turn_act(out, TA_CANCEL, NULL, 0, false);
	turn_join(&whole, buf_str(&t->taken));
	turn_join(&whole, buf_str(&t->finals));
	buf_free(&t->finals);
	t->finals = whole;
	buf_reset(&t->taken);
	buf_reset(&t->tail);
	t->taken_ms = -1;
	t->interrupted = t->taken_interrupted;
	t->await = t->taken_await;
	t->await_digits = t->taken_digits;
	t->working = false;
	t->filler_sounds = false;
	turn_listen(t, now_ms, out);
}

void turn_on_endpoint(struct turn *t, int64_t now_ms, struct turn_out *out)
{
	if (!turn_have_words(t) || t->phase >= TURN_ENDING)
		return;
	if (t->phase != TURN_LISTENING) {
		/* the script began to speak on its own while words waited */
		if (!turn_may_cut(t))
			return;
		turn_cut(t, now_ms, out);
	}
	if (t->interim.len && !t->waited_final) {
		t->waited_final = true;
		turn_set(t, TT_ENDPOINT, now_ms + t->cfg.final_ms);
		return;
	}
	t->noisy = t->caller_speaking; /* the words ended, the VAD did not */
	turn_take(t, now_ms, out);
}

void turn_on_provider_end(struct turn *t, const struct turn_event *e,
			  struct turn_out *out)
{
	if (t->phase != TURN_LISTENING || !turn_have_words(t))
		return;
	if (t->caller_speaking) /* or noise keeps our VAD on */
		turn_set(t, TT_ENDPOINT, e->at_ms + t->cfg.long_ms);
	else if (t->cfg.patient || t->await == CALL_AWAIT_DIGITS ||
		 t->await == CALL_AWAIT_LONG)
		turn_set(t, TT_ENDPOINT, words_end_ms(t, e->at_ms) +
						 turn_patience_ms(t));
	else
		turn_take(t, e->at_ms, out);
}

/* ---- words -------------------------------------------------------------------- */

/* When the words so far are a turn, if nothing else comes. */
static int64_t endpoint_ms(const struct turn *t, const struct turn_event *e)
{
	int64_t due = words_end_ms(t, e->at_ms) + turn_patience_ms(t);
	int64_t least = e->at_ms;

	if (t->caller_speaking)
		return e->at_ms + t->cfg.stale_ms;
	if (e->type == TE_INTERIM) /* more of it is on its way */
		least += turn_voice_lately(t, e->at_ms) ? t->cfg.short_ms :
							  t->cfg.long_ms;
	return due > least ? due : least;
}

/* A number of known length ends at its last digit. */
static bool number_is_whole(const struct turn *t)
{
	if (t->await != CALL_AWAIT_DIGITS || !t->await_digits)
		return false;
	char *words = all_words(t);
	bool whole = turn_count_digits(words) >= t->await_digits;
	free(words);
	return whole;
}

/* New words, which finals or interim have already. */
static void words_came(struct turn *t, const struct turn_event *e,
		       struct turn_out *out)
{
	if (t->phase == TURN_SPEAKING && turn_may_cut(t)) {
		turn_cut(t, e->at_ms, out);
	} else if (is_taken(t)) {
		char *words = all_words(t);
		int n = turn_count_words(words);
		free(words);
		if (t->fillers && n <= COMPANY_WORDS)
			return;
		take_back(t, e->at_ms, out);
	} else if (t->phase == TURN_THINKING) {
		turn_cut(t, e->at_ms, out);
	}
	if (t->phase != TURN_LISTENING)
		return;
	if (number_is_whole(t)) {
		turn_take(t, e->at_ms, out);
		return;
	}
	t->unanswered = true;
	turn_set(t, TT_IDLE, e->at_ms + t->cfg.idle_ms);
	if (t->due_ms[TT_DEAD_AIR] < 0 && !t->caller_speaking)
		turn_set(t, TT_DEAD_AIR, e->at_ms + t->cfg.filler_ms);
	turn_set(t, TT_ENDPOINT, endpoint_ms(t, e));
	/* without a voice each interim would be a guess: that costs */
	if (!t->caller_speaking && (e->type == TE_FINAL ||
				    turn_voice_lately(t, e->at_ms)))
		turn_speculate(t, out);
}

/* The interim words of a taken turn come again, as its final or with more
 * behind them. Returns what is news of it, NULL if nothing is. */
static const char *news(struct turn *t, const struct turn_event *e)
{
	const char *rest;

	if (!t->tail.len)
		return e->text;
	rest = str_blank(e->text) ? "" :
	       turn_after_words(e->text, buf_str(&t->tail));
	if (rest && !*rest) { /* what was taken was right */
		if (e->type == TE_FINAL) {
			turn_join(&t->taken, buf_str(&t->tail));
			buf_reset(&t->tail);
		}
		return NULL;
	}
	if (is_taken(t)) {
		/* better words before we sound, whenever they come */
		if (e->type == TE_FINAL)
			t->deaf = false;
		return e->text;
	}
	if (e->type == TE_FINAL)
		buf_reset(&t->tail);
	if (!rest)
		return e->text;
	/* the tail is answered already, and so is the rest of its last word */
	while (isalnum((unsigned char)rest[-1]) && isalnum((unsigned char)*rest))
		rest++;
	return rest;
}

/* Words that are not the caller's, or were answered already. */
static bool not_for_us(const struct turn *t, int64_t now_ms)
{
	if (t->deaf && now_ms - t->taken_ms < t->cfg.late_ms)
		return true;
	if (t->phase == TURN_THINKING && !t->greeted)
		return true; /* "hello?": our greeting answers that */
	return t->phase == TURN_SPEAKING && !turn_voice_lately(t, now_ms);
}

void turn_on_text(struct turn *t, const struct turn_event *e,
		  struct turn_out *out)
{
	if (t->phase >= TURN_ENDING)
		return;
	if (e->at_ms - t->taken_ms >= t->cfg.late_ms)
		buf_reset(&t->tail);
	const char *text = news(t, e);
	if (!text || not_for_us(t, e->at_ms))
		return;
	if (str_blank(text) && e->type == TE_INTERIM)
		return;
	if (e->type == TE_FINAL) {
		turn_join(&t->finals, text);
		buf_reset(&t->interim);
	} else {
		turn_put(&t->interim, text);
	}
	if (str_blank(text))
		return;
	t->words_ms = e->at_ms;
	words_came(t, e, out);
}

void turn_on_typed(struct turn *t, const struct turn_event *e,
		   struct turn_out *out)
{
	if (t->phase >= TURN_ENDING || str_blank(e->text))
		return;
	buf_reset(&t->interim);
	turn_join(&t->finals, e->text);
	t->typed = true;
	t->words_ms = e->at_ms;
	if (t->phase == TURN_SPEAKING && !turn_may_cut(t))
		return; /* it waits, like spoken words */
	if (t->phase != TURN_LISTENING)
		turn_cut(t, e->at_ms, out);
	t->speech_end_ms = e->at_ms;
	turn_take(t, e->at_ms, out);
}
