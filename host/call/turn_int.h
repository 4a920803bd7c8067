/*
 * The inside of the turn machine: turn.c (life, dispatch), turn_voice.c (the
 * caller's voice), turn_words.c (the caller's words), turn_text.c (comparing
 * them), turn_sound.c (what we say, and dead air). Nothing else includes this.
 */
#ifndef FD_CALL_TURN_INT_H
#define FD_CALL_TURN_INT_H

#include "call/turn.h"

enum {
	/* how soon to look again at a deadline that the caller's voice put
	 * off */
	TURN_LOOK_AGAIN_MS = 250,
	/* the longest that one utterance may sound before a hang-up */
	TURN_LAST_WORDS_MS = 60000,
};

static inline void turn_set(struct turn *t, enum turn_timer which,
			    int64_t due_ms)
{
	t->due_ms[which] = due_ms;
}

static inline void turn_off(struct turn *t, enum turn_timer which)
{
	t->due_ms[which] = -1;
}

/* turn.c */
void turn_act(struct turn_out *out, enum turn_action_type type,
	      const char *text, int n, bool flag);
void turn_state(struct turn *t, const char *state, struct turn_out *out);
/* Arms the reflex anew. */
void turn_arm(struct turn *t, struct turn_out *out);
void turn_resume(struct turn *t, struct turn_out *out);
/* Ends a call whose hang-up has nothing more to wait for. */
void turn_end_if_done(struct turn *t, struct turn_out *out);

/* turn_text.c */
/* Appends with a blank between; blank texts add nothing. */
void turn_join(struct buf *b, const char *text);
void turn_put(struct buf *b, const char *text);
/* What follows in text after the given words, whatever their case and
 * punctuation; NULL when text does not begin with them. It may point into the
 * middle of a word. */
const char *turn_after_words(const char *text, const char *words);
bool turn_same_words(const char *a, const char *b);
int turn_count_words(const char *s);
/* Digits in figures ("0300", "۰۳") and in words ("oh three double five"). */
int turn_count_digits(const char *s);

/* turn_voice.c */
/* Whether the caller speaks now; a voice without any words turns out to be
 * noise after a while. */
bool turn_talks(struct turn *t, int64_t now_ms);
/* Whether what sounds may be cut. */
bool turn_may_cut(const struct turn *t);
/* Whether the caller's voice was there lately, so that words are the caller's
 * and not our echo. */
bool turn_voice_lately(const struct turn *t, int64_t now_ms);
void turn_cut(struct turn *t, int64_t now_ms, struct turn_out *out);
void turn_on_speech_on(struct turn *t, const struct turn_event *e);
void turn_on_speech_off(struct turn *t, const struct turn_event *e,
			struct turn_out *out);
void turn_on_paused(struct turn *t, const struct turn_event *e,
		    struct turn_out *out);
void turn_on_resumed(struct turn *t, const struct turn_event *e,
		     struct turn_out *out);
void turn_on_verdict(struct turn *t, struct turn_out *out);
void turn_on_over(struct turn *t, int64_t now_ms, struct turn_out *out);

/* turn_words.c */
bool turn_have_words(const struct turn *t);
void turn_forget_words(struct turn *t);
void turn_speculate(struct turn *t, struct turn_out *out);
void turn_unspeculate(struct turn *t, struct turn_out *out);
/* Silence after which words are a turn, by what is awaited. */
int turn_patience_ms(const struct turn *t);
/* The caller's words so far are a turn. */
void turn_take(struct turn *t, int64_t now_ms, struct turn_out *out);
void turn_on_text(struct turn *t, const struct turn_event *e,
		  struct turn_out *out);
void turn_on_typed(struct turn *t, const struct turn_event *e,
		   struct turn_out *out);
void turn_on_provider_end(struct turn *t, const struct turn_event *e,
			  struct turn_out *out);
void turn_on_endpoint(struct turn *t, int64_t now_ms, struct turn_out *out);

/* turn_sound.c */
void turn_listen(struct turn *t, int64_t now_ms, struct turn_out *out);
/* since_ms: when the silence began that the first filler ends. */
void turn_think(struct turn *t, int64_t since_ms, int64_t now_ms,
		struct turn_out *out);
void turn_on_sound(struct turn *t, const struct turn_event *e,
		   struct turn_out *out);
void turn_on_sound_end(struct turn *t, const struct turn_event *e,
		       struct turn_out *out);
void turn_on_quiet(struct turn *t, const struct turn_event *e,
		   struct turn_out *out);
void turn_on_work(struct turn *t, const struct turn_event *e,
		  struct turn_out *out);
void turn_on_failed(struct turn *t, struct turn_out *out);
void turn_on_dead_air(struct turn *t, int64_t now_ms, struct turn_out *out);
void turn_on_give_up(struct turn *t, int64_t now_ms, struct turn_out *out);
void turn_on_idle(struct turn *t, int64_t now_ms, struct turn_out *out);

#endif
