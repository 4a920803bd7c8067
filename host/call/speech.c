/* What we say: utterances from text to playout. On the loop. */
#include "call/speech.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"

struct speech {
	struct loop *loop;
	struct providers *providers;
	struct audio *audio;
	const struct speech_ops *ops;
	void *arg;
	struct utterance *first;
	uint32_t last_id;
	uint32_t filler_id;            /* armed on media; 0 none */
	const struct audio_line *filler_line;
	char *filler_text;
	struct timer pump;             /* next step, outside of callers */
};

static void pump(void *arg);

int speech_create(struct speech **ret_speech, struct loop *l,
		  struct providers *p, struct audio *a,
		  const struct speech_ops *ops, void *arg)
{
	struct speech *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	s->loop = l;
	s->providers = p;
	s->audio = a;
	s->ops = ops;
	s->arg = arg;
	timer_init(&s->pump, loop_clock(l), pump, s);
	*ret_speech = s;
	return 0;
}

static void tell_watches(struct utterance *u, int status, const char *heard)
{
	while (u->watches) {
		struct speech_watch *w = u->watches;
		u->watches = w->next;
		w->fn(w->arg, status, heard);
		free(w);
	}
}

static void utterance_free(struct utterance *u)
{
	tts_close(u->tts);
	clauser_finish(&u->clauser);
	for (size_t i = 0; i < u->n_clauses; i++)
		free(u->clauses[i].text);
	free(u->clauses);
	free(u);
}

static void unlink_utterance(struct speech *s, struct utterance *u)
{
	struct utterance **at = &s->first;

	while (*at != u)
		at = &(*at)->next;
	*at = u->next;
}

void speech_destroy(struct speech *s)
{
	if (!s)
		return;
	while (s->first) {
		struct utterance *u = s->first;
		s->first = u->next;
		tell_watches(u, -ECANCELED, "");
		utterance_free(u);
	}
	timer_stop(&s->pump); /* a watcher may have said something */
	free(s->filler_text);
	free(s);
}

/* ---- the queue ------------------------------------------------------------- */

static struct utterance *append(struct speech *s, uint32_t id)
{
	struct utterance *u = calloc(1, sizeof *u);
	struct utterance **at = &s->first;

	if (!u)
		abort();
	u->speech = s;
	u->id = id;
	while (*at)
		at = &(*at)->next;
	*at = u;
	return u;
}

struct utterance *speech_find(struct speech *s, uint32_t id)
{
	struct utterance *u = s->first;

	while (u && u->id != id)
		u = u->next;
	return u;
}

struct utterance *speech_sounding(const struct speech *s)
{
	struct utterance *u = s->first;

	while (u && (!u->started || u->ended))
		u = u->next;
	return u;
}

bool speech_busy(const struct speech *s)
{
	for (const struct utterance *u = s->first; u; u = u->next) {
		if (!u->filler && !u->cut && (!u->complete || !u->started))
			return true;
	}
	return false;
}

bool speech_more_queued(const struct speech *s)
{
	for (const struct utterance *u = s->first; u; u = u->next) {
		if (!u->ended && !u->cut && u->complete && !u->err)
			return true;
	}
	return false;
}

static void add_clause(struct utterance *u, char *text, size_t samples)
{
	struct speech_clause *v =
		realloc(u->clauses, (u->n_clauses + 1) * sizeof *v);

	if (!v)
		abort();
	v[u->n_clauses] = (struct speech_clause){ .text = text,
						     .samples = samples };
	u->clauses = v;
	u->n_clauses++;
}

static void add_line(struct utterance *u, const struct audio_line *line,
		     const char *text)
{
	add_clause(u, str_dup(text ? text : ""),
		   (size_t)audio_line_ms(line) * (AUDIO_OUT_HZ / 1000));
}

struct utterance *speech_open(struct speech *s,
			      const struct clinic_language *language)
{
	ON_LOOP();
	struct utterance *u = append(s, ++s->last_id);

	u->language = language;
	u->open = true;
	return u;
}

static void take_clauses(struct utterance *u, bool last)
{
	char *clause;

	while ((clause = clauser_next(&u->clauser, last)))
		add_clause(u, clause, 0);
	timer_start(&u->speech->pump, 0);
}

void speech_add(struct utterance *u, const char *text)
{
	assert(u->open);
	clauser_add(&u->clauser, text);
	take_clauses(u, false);
}

void speech_close(struct utterance *u)
{
	if (!u->open)
		return;
	u->open = false;
	take_clauses(u, true);
}

struct utterance *speech_line(struct speech *s, const struct audio_line *line,
			      const char *text, bool filler)
{
	ON_LOOP();
	struct utterance *u = append(s, ++s->last_id);

	u->line = line;
	u->filler = filler;
	u->complete = true;
	add_line(u, line, text);
	u->n_pushed = 1;
	audio_say_line(s->audio, u->id, line);
	audio_say_end(s->audio, u->id);
	return u;
}

uint32_t speech_arm_filler(struct speech *s, const struct audio_line *line,
			   const char *text, int after_ms)
{
	s->filler_id = line ? ++s->last_id : 0;
	s->filler_line = line;
	str_set(&s->filler_text, text);
	audio_arm_filler(s->audio, s->filler_id, line, after_ms);
	return s->filler_id;
}

/* ---- text to audio -------------------------------------------------------------- */

/* All audio there will be is with playout. */
static void complete(struct utterance *u, int err)
{
	struct speech *s = u->speech;

	tts_close(u->tts);
	u->tts = NULL;
	u->complete = true;
	u->err = err;
	audio_say_end(s->audio, u->id);
	if (err < 0)
		s->ops->on_failed(s->arg, u, err);
	timer_start(&s->pump, 0);
	s->ops->on_change(s->arg);
}

static void on_tts(void *arg, const struct tts_event *e)
{
	struct utterance *u = arg;

	switch (e->type) {
	case TTS_AUDIO:
		assert(e->clause >= 0);
		if ((size_t)e->clause < u->n_clauses)
			u->clauses[e->clause].samples += e->n;
		audio_say(u->speech->audio, u->id, e->pcm, e->n);
		break;
	case TTS_CLAUSE:
		break;
	case TTS_DONE:
		complete(u, 0);
		break;
	case TTS_FAILED:
		complete(u, e->err < 0 ? e->err : ERR_SERVER);
		break;
	}
}

static int start_tts(struct utterance *u)
{
	struct speech *s = u->speech;
	struct tts_cfg cfg = { .choices = u->language->tts,
			       .n_choices = u->language->n_tts };

	return tts_open(&u->tts, s->providers, &cfg, on_tts, u);
}

/* One utterance at a time is with TTS, so that they sound in order. */
static void pump(void *arg)
{
	struct speech *s = arg;
	struct utterance *u = s->first;

	while (u && u->complete)
		u = u->next;
	if (!u)
		return;
	if (!u->tts && u->n_pushed < u->n_clauses) {
		int r = start_tts(u);
		if (r < 0) {
			complete(u, r);
			return;
		}
	}
	if (!u->tts) { /* no word of it yet */
		if (!u->open)
			complete(u, 0);
		return;
	}
	while (u->n_pushed < u->n_clauses)
		tts_push(u->tts, u->clauses[u->n_pushed++].text);
	if (!u->open && !u->finished) {
		u->finished = true;
		tts_finish(u->tts);
	}
}

/* ---- what was heard ---------------------------------------------------------------- */

static void add_words(struct buf *out, const char *text, double share)
{
	size_t n = strlen(text);

	if (share < 1) {
		n = utf8_whole(text, (size_t)((double)n * share));
		while (n && text[n] && text[n] != ' ')
			n--;
	}
	if (!n)
		return;
	if (out->len)
		buf_puts(out, " ");
	buf_add(out, text, n);
}

char *speech_heard(const struct utterance *u, int heard_ms)
{
	struct buf out = { 0 };
	double left = (double)heard_ms * (AUDIO_OUT_HZ / 1000);

	for (size_t i = 0; i < u->n_clauses && left > 0; i++) {
		double samples = (double)u->clauses[i].samples;
		if (samples <= 0)
			break;
		/* the last 60 ms of a clause are its closing silence */
		double share = left >= samples - 1440 ? 1 : left / samples;
		add_words(&out, u->clauses[i].text, share);
		left -= samples;
	}
	return buf_take(&out);
}

int speech_heard_ms(const struct utterance *u, int64_t now_ms)
{
	if (!u->started)
		return 0;
	int64_t until = u->paused_ms ? u->paused_ms : now_ms;
	return (int)(until - u->started_ms);
}

void speech_watch(struct speech *s, uint32_t id, call_said_h *fn, void *arg)
{
	struct utterance *u = speech_find(s, id);
	struct speech_watch *w = calloc(1, sizeof *w);

	if (!w)
		abort();
	*w = (struct speech_watch){ .fn = fn, .arg = arg };
	if (!u) { /* over already: told with the next step */
		u = append(s, ++s->last_id);
		u->complete = u->cut = true; /* nothing of it will sound */
		u->forget = true;
		audio_say_end(s->audio, u->id);
	}
	w->next = u->watches;
	u->watches = w;
}

void speech_unwatch(struct speech *s, void *arg)
{
	for (struct utterance *u = s->first; u; u = u->next) {
		struct speech_watch **at = &u->watches;
		while (*at) {
			struct speech_watch *w = *at;
			if (w->arg != arg) {
				at = &w->next;
				continue;
			}
			*at = w->next;
			free(w);
		}
	}
}

/* ---- from playout ---------------------------------------------------------------------- */

static void started(struct speech *s, uint32_t id)
{
	struct utterance *u = speech_find(s, id);

	if (!u || u->started)
		return;
	u->started = true;
	u->started_ms = clock_now_ms(loop_clock(s->loop));
	s->ops->on_started(s->arg, u);
	s->ops->on_change(s->arg);
}

static void ended(struct speech *s, const struct audio_event *e)
{
	struct utterance *u = speech_find(s, e->utterance);

	if (!u)
		return;
	int ms = (int)e->heard_ms;
	char *heard = speech_heard(u, ms);

	u->ended = u->complete = true;
	unlink_utterance(s, u);
	s->ops->on_ended(s->arg, u, heard, e->cut);
	tell_watches(u, e->cut ? -ECANCELED : u->err, heard);
	utterance_free(u);
	free(heard);
	timer_start(&s->pump, 0);
	s->ops->on_change(s->arg);
}

void speech_on_audio(struct speech *s, const struct audio_event *e)
{
	struct utterance *u = speech_find(s, e->utterance);
	int64_t now_ms = clock_now_ms(loop_clock(s->loop));

	switch (e->type) {
	case AUDIO_FILLER:
		if (e->utterance == s->filler_id && !u) {
			u = append(s, s->filler_id);
			u->line = s->filler_line;
			u->filler = u->complete = true;
			add_line(u, s->filler_line, s->filler_text);
		}
		started(s, e->utterance);
		break;
	case AUDIO_STARTED:
		started(s, e->utterance);
		break;
	case AUDIO_PAUSED:
		if (u)
			u->paused_ms = now_ms;
		break;
	case AUDIO_RESUMED:
		for (u = s->first; u; u = u->next) {
			if (u->paused_ms)
				u->started_ms += now_ms - u->paused_ms;
			u->paused_ms = 0;
		}
		break;
	case AUDIO_ENDED:
		ended(s, e);
		break;
	default:
		break;
	}
}

void speech_cut(struct speech *s)
{
	/* what has not reached playout at all must end too, in order */
	for (struct utterance *u = s->first; u; u = u->next) {
		u->cut = true;
		if (u->complete)
			continue;
		tts_close(u->tts);
		u->tts = NULL;
		u->open = false;
		u->complete = true;
		audio_say_end(s->audio, u->id);
	}
	audio_cut(s->audio, 0);
	s->ops->on_change(s->arg);
}
