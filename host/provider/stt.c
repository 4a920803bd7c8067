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
#define STEADY_MS 5000   /* a connection that lived so long was a good one */
#define DEAD_RETRY_MS 5000

static void connect_now(struct stt *s);

/* ---- events ------------------------------------------------------------------ */

static void tell(struct stt *s, enum stt_event_type type,
		 const struct failure *f)
{
	const struct stt_event e = {
		.type = type, .err = f ? f->err : 0, .why = f ? f->why : NULL,
	};

	if (!s->over)
		s->fn(s->arg, &e);
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
		tell(s, STT_DEAD, f);
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
		tell(s, STT_TROUBLE, f);
}

void stt_fail(struct stt *s, int err, const char *why)
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
	stt_fail(s, -ETIMEDOUT, "not open in time");
	leave(s);
}

/* ---- the connection ------------------------------------------------------------------ */

static void on_flush(void *arg)
{
	struct stt *s = arg;

	s->busy++;
	stt_hear_nothing(s);
	leave(s);
}

static void watch_stall(struct stt *s, int64_t ms)
{
	if (s->open && s->voiced >= VOICED_MIN && !timer_active(&s->stall))
		timer_start(&s->stall, ms);
}

static void on_stall(void *arg)
{
	struct stt *s = arg;

	s->busy++;
	stt_fail(s, ERR_STALLED, "voice sent, no word");
	leave(s);
}

int64_t stt_position(const struct stt *s, double at_s)
{
	int64_t n = (int64_t)(at_s * STT_RATE_HZ);

	return s->base + n + (n > s->replayed ? s->skipped : 0);
}

/* The voice that is not finalised goes first: the new ear must hear it too.
 * The silence around it stays out: a provider hears little faster than real
 * time (Deepgram: 1.25 times), and would stay as late as what it is sent. */
static int replay(struct stt *s)
{
	const int16_t *pcm;
	int64_t to, pos;
	int r = 0;

	stt_audio_voice(&s->audio, &s->base, &to);
	for (pos = s->base; r >= 0 && pos < to;) {
		size_t n = stt_audio_at(&s->audio, pos, &pcm);
		if ((int64_t)n > to - pos)
			n = (size_t)(to - pos);
		assert(n > 0);
		r = s->ops->push(s->conn, pcm, n);
		pos += (int64_t)n;
	}
	s->replayed = to - s->base;
	s->skipped = s->audio.end - to;
	return r;
}

static void on_open(struct stt *s)
{
	s->open = true;
	s->dead = false;
	s->opened_ms = clock_now_ms(s->p->clock);
	timer_stop(&s->open_limit);
	int r = replay(s);
	int64_t replay_ms = s->replayed * 1000 / STT_RATE_HZ;
	if (r >= 0 && s->flushing) {
		timer_start(&s->flush, STT_FLUSH_MS + replay_ms);
		r = s->ops->flush(s->conn);
	}
	watch_stall(s, s->stall_ms + replay_ms);
	if (r < 0)
		fail_later(s, r);
	tell(s, STT_OPEN, NULL);
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
		tell(s, STT_SPEECH, NULL);
		break;
	case STT_CONN_RESULT:
		stt_hear_result(s, e->result);
		break;
	case STT_CONN_UTTERANCE_END:
		stt_hear_end(s);
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
	s->open_ms = cfg->open_ms ? cfg->open_ms : 2000;
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
	stt_audio_add(&s->audio, pcm, n, voiced);
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
	bool waiting = s->voiced >= STT_FLUSH_MIN ||
		       stt_text_has_interim(&s->text) ||
		       (s->unheard >= STT_WORDS_MIN && !s->suspected);

	if (!waiting && !stt_text_has_finals(&s->text))
		return;
	s->flushing = true;
	/* all that was voiced is settled already: the end needs no answer */
	if (!waiting && s->final_to >= s->voice_last) {
		timer_start(&s->flush, 0);
		return;
	}
	timer_start(&s->flush, STT_FLUSH_MS);
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
