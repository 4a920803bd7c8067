/*
 * The stt facade: one stream a call that outlives its connections. Owns the
 * deadline to open, the stall detector (voice sent, no word), reconnecting and
 * failing over with the audio that was not finalised, and the utterance. On
 * the loop. Speaks no protocol.
 *
 *	push -> ring -> conn of choices[at] -> results -> text -> events
 *	          ^------- replay ------' failure, stall
 */
#include "provider/stt_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/thread.h"

#define VOICED_MIN (STT_RATE_HZ * 3 / 10) /* less is a cough, not a stall */
#define FLUSH_MIN (STT_RATE_HZ / 10)      /* less may give no words at all */
#define COVER_MIN (STT_RATE_HZ / 5)
#define WORDS_MIN STT_RATE_HZ             /* so much voice has words in it */
#define FLUSH_MS 1000
#define STEADY_MS 5000   /* a connection that lived so long was a good one */
#define DEAD_RETRY_MS 5000

struct stt {
	struct providers *p;
	stt_h *fn;
	void *arg;
	const struct provider_choice *choices;
	size_t n_choices;
	int endpointing_ms, open_ms, stall_ms;

	/* the connection */
	size_t at;
	const struct stt_ops *ops;
	void *conn;
	bool open, healthy;
	int64_t opened_ms;
	int64_t base;           /* position of its first sample */
	struct timer open_limit, retry, stall, flush;
	struct failure late;    /* found where no event may be sent */
	bool late_set;

	/* failures since the last steady connection */
	int failures;
	uint64_t refused;       /* bits of choices that cannot work */
	bool dead;

	/* the audio and what it gave */
	struct stt_audio audio;
	struct stt_text text;
	int64_t final_to;       /* text is settled up to here */
	int64_t interim_to;
	int64_t voice_from, voice_to, voiced; /* unanswered voice, samples */
	int64_t voice_last;     /* end of the newest voice */
	int64_t empty_voiced;   /* voice answered by nothing but silence */
	int64_t unheard_from, unheard; /* voice of this turn without a word */
	bool suspected;         /* looked elsewhere once for that already */
	bool flushing;

	struct stt_word *words;
	size_t words_cap;
	int busy;
	bool over;
};

static void connect_now(struct stt *s);

/* ---- events ------------------------------------------------------------------ */

static void tell(struct stt *s, const struct stt_event *e)
{
	if (!s->over)
		s->fn(s->arg, e);
}

static void tell_plain(struct stt *s, enum stt_event_type type)
{
	const struct stt_event e = { .type = type };

	tell(s, &e);
}

static void tell_failure(struct stt *s, enum stt_event_type type,
			 const struct failure *f)
{
	const struct stt_event e = {
		.type = type, .err = f->err, .why = f->why,
	};

	tell(s, &e);
}

static void stt_free(struct stt *s)
{
	stt_audio_free(&s->audio);
	stt_text_free(&s->text);
	free(s->words);
	free(s);
}

static void leave(struct stt *s)
{
	if (--s->busy == 0 && s->over)
		stt_free(s);
}

/* ---- failures ------------------------------------------------------------------ */

static void drop_conn(struct stt *s)
{
	if (s->conn)
		s->ops->close(s->conn);
	s->conn = NULL;
	s->open = false;
	timer_stop(&s->open_limit);
	timer_stop(&s->stall);
}

/* Moves to the next choice that is not refused; false when none is left. */
static bool next_choice(struct stt *s)
{
	for (size_t i = 1; i <= s->n_choices; i++) {
		size_t k = (s->at + i) % s->n_choices;
		if (!(s->refused >> k & 1)) {
			s->at = k;
			return true;
		}
	}
	return false;
}

/* The first attempts follow at once; then callers of one host spread out. */
static int64_t retry_delay_ms(const struct stt *s)
{
	int late = s->failures - (int)s->n_choices;
	uint8_t jitter;

	if (late <= 0)
		return 0;
	random_bytes(&jitter, 1);
	return (250 << (late > 4 ? 4 : late - 1)) + jitter / 4;
}

static void give_up_for_now(struct stt *s, const struct failure *f)
{
	bool news = !s->dead;

	s->dead = true;
	s->refused = 0;
	timer_start(&s->retry, DEAD_RETRY_MS);
	if (news)
		tell_failure(s, STT_DEAD, f);
}

/* The connection is of no use any more: another one, here or elsewhere. */
static void conn_failed(struct stt *s, const struct failure *f)
{
	const struct provider_choice *c = &s->choices[s->at];
	bool steady = s->healthy && clock_now_ms(s->p->clock) - s->opened_ms >=
		      STEADY_MS;
	bool stay = steady && !f->permanent && f->err != ERR_STALLED &&
		    f->err != ERR_EMPTY;

	drop_conn(s);
	if (steady)
		s->failures = 0;
	s->failures++;
	if (f->permanent)
		s->refused |= 1ull << s->at;
	/* a noisy line gives voice without words too: no news for others */
	if (!stay && f->err != ERR_EMPTY)
		health_bad(s->p, 's', c, f->err);
	bool left = stay || next_choice(s);
	if (!left || s->failures >= (int)s->n_choices + 2) {
		give_up_for_now(s, f);
		return;
	}
	timer_start(&s->retry, retry_delay_ms(s));
	if (!s->dead)
		tell_failure(s, STT_TROUBLE, f);
}

static void fail(struct stt *s, int err, const char *why)
{
	struct failure f;

	failure_set(&f, err, why);
	conn_failed(s, &f);
}

/* For places where no event may be sent: the timer sends it. */
static void fail_later(struct stt *s, int err)
{
	failure_set(&s->late, err, NULL);
	s->late_set = true;
	s->open = false;
	timer_start(&s->retry, 0);
}

static void on_retry(void *arg)
{
	struct stt *s = arg;

	s->busy++;
	if (s->late_set) {
		struct failure f = s->late;
		s->late_set = false;
		conn_failed(s, &f);
	} else if (!s->conn) {
		connect_now(s);
	}
	leave(s);
}

static void on_open_limit(void *arg)
{
	struct stt *s = arg;

	s->busy++;
	fail(s, -ETIMEDOUT, "not open in time");
	leave(s);
}

/* ---- the utterance ---------------------------------------------------------------- */

static void end_utterance(struct stt *s)
{
	s->flushing = false;
	timer_stop(&s->flush);
	if (stt_text_has_finals(&s->text)) {
		const struct stt_event e = {
			.type = STT_END,
			.text = stt_text_all(&s->text),
			.confidence = s->text.confidence,
			.language = s->text.language[0] ? s->text.language :
				    NULL,
		};
		tell(s, &e);
	}
	stt_text_reset(&s->text);
	s->unheard = 0;
}

/* The provider left us with a guess: it is the best there is. */
static void settle_interim(struct stt *s)
{
	char *guess = str_dup(buf_str(&s->text.interim));

	stt_text_final(&s->text, guess, 0.5f, NULL);
	const struct stt_event e = {
		.type = STT_FINAL, .text = guess, .confidence = 0.5f,
	};
	tell(s, &e);
	free(guess);
	s->final_to = s->interim_to;
	stt_audio_drop(&s->audio, s->final_to);
	end_utterance(s);
}

static void on_flush(void *arg)
{
	struct stt *s = arg;

	s->busy++;
	if (stt_text_has_interim(&s->text)) {
		settle_interim(s);
		s->voiced = 0;
		if (!s->over && s->open)
			fail(s, ERR_STALLED, "no answer to flush");
	} else if (s->voiced >= FLUSH_MIN) {
		/* still unheard; while reconnecting the replay asks again */
		if (s->open)
			fail(s, ERR_STALLED, "no answer to flush");
	} else {
		end_utterance(s);
	}
	leave(s);
}

/* Voice answered by silence only: one look elsewhere, until a word comes. */
static bool suspect(struct stt *s)
{
	if (s->suspected || !s->open)
		return false;
	s->suspected = true;
	s->empty_voiced = 0;
	fail(s, ERR_EMPTY, "voice, but no words");
	return true;
}

/* Something was heard of the audio up to pos. */
static void answered(struct stt *s, int64_t pos, bool words)
{
	s->healthy = true;
	if (words) {
		s->empty_voiced = s->unheard = 0;
		s->suspected = false;
	} else if (!s->voiced || pos < s->voice_from + COVER_MIN) {
		return;
	} else {
		s->empty_voiced += s->voiced;
	}
	s->voiced = 0;
	timer_stop(&s->stall);
	if (s->empty_voiced >= (int64_t)s->stall_ms * 3 * STT_RATE_HZ / 1000)
		suspect(s);
}

static void grow_words(struct stt *s, size_t n)
{
	if (n <= s->words_cap)
		return;
	struct stt_word *w = realloc(s->words, n * sizeof *w);
	if (!w)
		abort();
	s->words = w;
	s->words_cap = n;
}

static void on_final(struct stt *s, const struct stt_result *r)
{
	double offset_s = (double)s->base / STT_RATE_HZ;

	stt_text_final(&s->text, r->text, r->confidence, r->language);
	if (str_blank(r->text))
		return;
	grow_words(s, r->n_words);
	for (size_t i = 0; i < r->n_words; i++) {
		s->words[i] = r->words[i];
		s->words[i].start_s += offset_s;
		s->words[i].end_s += offset_s;
	}
	const struct stt_event e = {
		.type = STT_FINAL, .text = r->text,
		.confidence = r->confidence, .language = r->language,
		.words = s->words, .n_words = r->n_words,
	};
	tell(s, &e);
}

static void on_interim(struct stt *s, const struct stt_result *r, int64_t end)
{
	stt_text_interim(&s->text, r->text);
	s->interim_to = end;
	if (str_blank(r->text))
		return;
	const struct stt_event e = {
		.type = STT_INTERIM, .text = stt_text_all(&s->text),
		.confidence = r->confidence, .language = r->language,
	};
	tell(s, &e);
}

/* The audio up to end needs no replay, unless voice in it gave no word. */
static void settle(struct stt *s, int64_t end, bool words)
{
	int64_t keep = s->audio.end;

	if (!words && s->unheard && !s->suspected)
		keep = s->unheard_from;
	if (end > s->final_to)
		s->final_to = end;
	stt_audio_drop(&s->audio, s->final_to < keep ? s->final_to : keep);
}

static void on_result(struct stt *s, const struct stt_result *r)
{
	int64_t end = s->base + (int64_t)(r->end_s * STT_RATE_HZ);
	bool words = !str_blank(r->text);

	if (words)
		health_good(s->p, 's', &s->choices[s->at]);
	if (r->final) {
		on_final(s, r);
		settle(s, end, words);
	} else {
		on_interim(s, r, end);
	}
	if (s->over)
		return;
	bool answer = s->flushing && r->final &&
		      (r->flushed || end >= s->voice_last);
	if ((answer || r->ends) && !words && s->unheard >= WORDS_MIN &&
	    !stt_text_has_finals(&s->text) && suspect(s))
		return;
	if (r->ends || answer)
		end_utterance(s);
	if (!s->over)
		answered(s, end, words);
}

/* ---- the connection ------------------------------------------------------------------ */

static void watch_stall(struct stt *s, int64_t ms)
{
	if (s->open && s->voiced >= VOICED_MIN && !timer_active(&s->stall))
		timer_start(&s->stall, ms);
}

static void on_stall(void *arg)
{
	struct stt *s = arg;

	s->busy++;
	fail(s, ERR_STALLED, "voice sent, no word");
	leave(s);
}

/* Everything not finalised goes first: the new ear must hear it too. */
static void on_open(struct stt *s)
{
	const int16_t *pcm;
	size_t n;
	int r = 0;

	s->open = true;
	s->dead = false;
	s->opened_ms = clock_now_ms(s->p->clock);
	timer_stop(&s->open_limit);
	s->base = s->audio.begin;
	for (int64_t pos = s->base; r >= 0; pos += (int64_t)n) {
		n = stt_audio_at(&s->audio, pos, &pcm);
		if (!n)
			break;
		r = s->ops->push(s->conn, pcm, n);
	}
	if (r >= 0 && s->flushing) {
		timer_start(&s->flush, FLUSH_MS +
			    (s->audio.end - s->base) * 1000 / STT_RATE_HZ);
		r = s->ops->flush(s->conn);
	}
	watch_stall(s, s->stall_ms);
	if (r < 0)
		fail_later(s, r);
	tell_plain(s, STT_OPEN);
}

static void on_conn(void *arg, const struct stt_conn_event *e)
{
	struct stt *s = arg;

	s->busy++;
	switch (e->type) {
	case STT_CONN_OPEN:
		on_open(s);
		break;
	case STT_CONN_SPEECH:
		tell_plain(s, STT_SPEECH);
		break;
	case STT_CONN_RESULT:
		on_result(s, e->result);
		break;
	case STT_CONN_UTTERANCE_END:
		/* after speech_final it repeats what was said already */
		if (stt_text_has_finals(&s->text))
			end_utterance(s);
		break;
	case STT_CONN_FAILED:
		s->late_set = false;
		conn_failed(s, e->failure);
		break;
	}
	leave(s);
}

static void connect_now(struct stt *s)
{
	const struct provider_choice *c = &s->choices[s->at];
	int endpointing = s->endpointing_ms;

	assert(!s->conn);
	/* switching languages: the vendor's advice is a short pause */
	if (!endpointing)
		endpointing = str_eq(c->language, "multi") ? 100 : 300;
	s->healthy = false;
	s->ops = stt_ops_find(s->p, c->provider);
	int r = s->ops ? s->ops->open(&s->conn, s->p, c, endpointing, on_conn,
				      s) : ERR_CONFIG;
	if (r < 0)
		fail_later(s, r);
	else
		timer_start(&s->open_limit, s->open_ms);
}

/* ---- the door ---------------------------------------------------------------------------- */

int stt_open(struct stt **ret_stt, struct providers *p,
	     const struct stt_cfg *cfg, stt_h *fn, void *arg)
{
	ON_LOOP();
	if (cfg->n_choices == 0 || cfg->n_choices > 64)
		return ERR_CONFIG;
	struct stt *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->p = p;
	s->fn = fn;
	s->arg = arg;
	s->choices = cfg->choices;
	s->n_choices = cfg->n_choices;
	s->endpointing_ms = cfg->endpointing_ms;
	s->open_ms = cfg->open_ms ? cfg->open_ms : 3000;
	s->stall_ms = cfg->stall_ms ? cfg->stall_ms : 2500;
	timer_init(&s->open_limit, p->clock, on_open_limit, s);
	timer_init(&s->retry, p->clock, on_retry, s);
	timer_init(&s->stall, p->clock, on_stall, s);
	timer_init(&s->flush, p->clock, on_flush, s);
	s->at = health_first(p, 's', cfg->choices, cfg->n_choices);
	p->streams++;
	connect_now(s);
	*ret_stt = s;
	return 0;
}

void stt_push(struct stt *s, const int16_t *pcm, size_t n, bool voiced)
{
	ON_LOOP();
	if (!n)
		return;
	stt_audio_add(&s->audio, pcm, n);
	if (voiced) {
		if (!s->voiced)
			s->voice_from = s->audio.end - (int64_t)n;
		if (!s->unheard)
			s->unheard_from = s->audio.end - (int64_t)n;
		s->voiced += (int64_t)n;
		s->unheard += (int64_t)n;
		s->voice_last = s->audio.end;
	}
	if (!s->open)
		return;
	int r = s->ops->push(s->conn, pcm, n);
	if (r < 0)
		fail_later(s, r);
	else
		watch_stall(s, s->stall_ms - VOICED_MIN * 1000 / STT_RATE_HZ);
}

void stt_flush(struct stt *s)
{
	ON_LOOP();
	bool waiting = s->voiced >= FLUSH_MIN ||
		       stt_text_has_interim(&s->text) ||
		       (s->unheard >= WORDS_MIN && !s->suspected);

	if (!waiting && !stt_text_has_finals(&s->text))
		return;
	s->flushing = true;
	/* all that was voiced is settled already: the end needs no answer */
	if (!waiting && s->final_to >= s->voice_last) {
		timer_start(&s->flush, 0);
		return;
	}
	timer_start(&s->flush, FLUSH_MS);
	if (s->open) {
		int r = s->ops->flush(s->conn);
		if (r < 0)
			fail_later(s, r);
	}
}

void stt_close(struct stt *s)
{
	ON_LOOP();
	if (!s)
		return;
	assert(!s->over);
	s->over = true;
	drop_conn(s);
	timer_stop(&s->retry);
	timer_stop(&s->flush);
	s->p->streams--;
	if (!s->busy)
		stt_free(s);
}
