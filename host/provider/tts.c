/*
 * The tts facade: one utterance, clause by clause, over as many connections as
 * it takes. Owns the limit to the first audio, the stall detector, the retry
 * and the failover of a clause, and the order: the next part is asked for
 * while the head's audio arrives, and held until the head is done. On the
 * loop.
 *
 *	parts:  done | done | head: sent, passing on | sent, held | waiting
 */
#include "provider/tts_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/thread.h"

#define AHEAD 2           /* parts under way */
#define TRIES_A_CHOICE 2
#define MAX_CHOICES 16

enum part_state { PART_WAITING, PART_SENT, PART_DONE };

struct part {
	int clause;
	bool last;          /* of its clause */
	char *text;
	enum part_state state;
	bool blocked;       /* failed while not the head: judged then */
	struct failure failure;
	size_t got, passed; /* samples: of this try, of all tries */
	struct buf held;
};

struct tts {
	struct providers *p;
	tts_h *fn;
	void *arg;
	const struct provider_choice *choices;
	size_t n_choices;
	int first_ms, idle_ms;

	size_t at;
	bool overflowed;     /* the choice's overflow serves it */
	const struct tts_ops *ops;
	void *conn;
	int generation;      /* of the connection: old parts' events are stale */
	bool fresh;
	uint8_t tried[MAX_CHOICES]; /* failures since a part succeeded */

	struct part *parts;
	size_t n, cap, head;
	int clauses;
	bool finished, ended;
	int64_t budget_ms;   /* the head's audio by then, over all tries; 0 off */
	struct timer kick, limit;
	int busy;
	bool over;
};

static void pump(struct tts *t);

/* ---- ends ---------------------------------- */

static void tts_free(struct tts *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->parts[i].text);
		buf_free(&t->parts[i].held);
	}
	free(t->parts);
	free(t);
}

static void leave(struct tts *t)
{
	if (--t->busy == 0 && t->over)
		tts_free(t);
}

static void tell(struct tts *t, const struct tts_event *e)
{
	if (!t->over)
		t->fn(t->arg, e);
}

static void drop_conn(struct tts *t)
{
	if (t->conn)
		t->ops->close(t->conn);
	t->conn = NULL;
}

static void stop(struct tts *t)
{
	timer_stop(&t->kick);
	timer_stop(&t->limit);
	drop_conn(t);
}

static void finish_failed(struct tts *t, const struct failure *f)
{
	struct failure copy = *f;
	const struct tts_event e = {
		.type = TTS_FAILED, .err = copy.err, .why = copy.why,
		.clause = t->head < t->n ? t->parts[t->head].clause :
			  t->clauses,
	};

	assert(!t->ended);
	t->ended = true;
	stop(t);
	tell(t, &e);
}

/* ---- failover ---------------------------------- */

static bool usable(const struct tts *t, size_t choice)
{
	return t->tried[choice] < TRIES_A_CHOICE;
}

/* The same choice once more when that promises something, else the next. */
static bool pick(struct tts *t, const struct failure *f)
{
	bool full = f->err == ERR_FULL || f->err == ERR_LIMIT;
	bool again = !f->permanent && !full && f->err != ERR_STALLED &&
		     f->err != -ETIMEDOUT;

	if (full && !t->overflowed && t->ops && t->ops->overflow) {
		t->overflowed = true;
		return true;
	}
	t->tried[t->at] = f->permanent ? TRIES_A_CHOICE :
			  (uint8_t)(t->tried[t->at] + 1);
	if (again && usable(t, t->at))
		return true;
	/* one that is full does not empty at once: others only */
	for (size_t i = 1; i < t->n_choices + !full; i++) {
		size_t k = (t->at + i) % t->n_choices;
		if (usable(t, k)) {
			t->at = k;
			t->overflowed = false;
			return true;
		}
	}
	return false;
}

static int64_t now_ms(const struct tts *t)
{
	return clock_now_ms(t->p->clock);
}

/* The connection is given up; what it owed is asked for again elsewhere. A
 * head that was heard in part goes on where it stopped. */
static void head_failed(struct tts *t, const struct failure *f)
{
	const struct provider_choice *c = &t->choices[t->at];
	struct failure copy = *f;

	drop_conn(t);
	timer_stop(&t->limit);
	t->fresh = true;
	if (!pick(t, &copy) || (t->budget_ms && now_ms(t) >= t->budget_ms)) {
		health_bad(t->p, 't', c, copy.err);
		finish_failed(t, &copy);
		return;
	}
	if (c != &t->choices[t->at])
		health_bad(t->p, 't', c, copy.err);
	for (size_t i = t->head; i < t->n; i++) {
		struct part *part = &t->parts[i];
		if (part->state != PART_SENT && !part->blocked)
			continue;
		part->state = PART_WAITING;
		part->blocked = false;
		part->got = 0;
		buf_reset(&part->held);
	}
	timer_start(&t->kick, 0);
}

static void on_limit(void *arg)
{
	struct tts *t = arg;
	struct failure f;

	t->busy++;
	failure_set(&f, ERR_STALLED, t->parts[t->head].got ?
		    "audio stopped halfway" : "no audio in time");
	head_failed(t, &f);
	leave(t);
}

/* ---- the head ---------------------------------- */

/* The limit of what the head waits for now. */
static void watch(struct tts *t)
{
	const struct part *head = &t->parts[t->head];
	int64_t ms = head->got ? t->idle_ms : t->first_ms;

	if (head->got) {
		t->budget_ms = 0;
	} else {
		if (!t->budget_ms)
			t->budget_ms = now_ms(t) + t->first_ms * 8 / 5;
		if (ms > t->budget_ms - now_ms(t))
			ms = t->budget_ms - now_ms(t);
	}
	timer_start(&t->limit, ms);
}

static void pass_on(struct tts *t, struct part *part, const int16_t *pcm,
		    size_t n)
{
	size_t before = part->got;

	part->got += n;
	if (part->got <= part->passed)
		return; /* a second try of what was heard already */
	size_t skip = before < part->passed ? part->passed - before : 0;
	part->passed = part->got;
	const struct tts_event e = {
		.type = TTS_AUDIO, .clause = part->clause,
		.pcm = pcm + skip, .n = n - skip,
	};
	tell(t, &e);
}

static void release_held(struct tts *t, size_t i)
{
	struct buf held = t->parts[i].held;

	t->parts[i].held = (struct buf){ 0 };
	if (held.len) {
		t->parts[i].got = 0;
		pass_on(t, &t->parts[i],
			(const int16_t *)(const void *)held.p, held.len / 2);
	}
	buf_free(&held);
}

/* Moves the head over everything that is done; told in order. */
static void advance(struct tts *t)
{
	while (!t->over && t->head < t->n &&
	       t->parts[t->head].state == PART_DONE) {
		struct part *part = &t->parts[t->head++];
		const struct tts_event e = {
			.type = TTS_CLAUSE, .clause = part->clause,
		};
		timer_stop(&t->limit);
		t->budget_ms = 0;
		if (part->last)
			tell(t, &e);
		if (!t->over && t->head < t->n)
			release_held(t, t->head);
	}
	if (t->over || t->ended || t->head == t->n)
		return;
	struct part *head = &t->parts[t->head];
	if (head->blocked)
		head_failed(t, &head->failure);
	else if (head->state == PART_SENT)
		watch(t);
}

static void maybe_done(struct tts *t)
{
	const struct tts_event e = { .type = TTS_DONE,
				     .clause = t->clauses };

	if (t->over || t->ended || !t->finished || t->head < t->n)
		return;
	t->ended = true;
	stop(t);
	tell(t, &e);
}

/* ---- events of the connection ---------------------------------- */

static void part_failed(struct tts *t, size_t i, const struct failure *f)
{
	struct part *part = &t->parts[i];

	if (i == t->head) {
		head_failed(t, f);
		return;
	}
	/* what was said before it may still come whole */
	part->state = PART_WAITING;
	part->blocked = true;
	part->failure = *f;
	part->got = 0;
	buf_reset(&part->held);
}

static void part_done(struct tts *t, size_t i)
{
	struct part *part = &t->parts[i];
	struct failure f;

	if (!part->got) {
		failure_set(&f, ERR_EMPTY, "no audio for a clause");
		part_failed(t, i, &f);
		return;
	}
	part->state = PART_DONE;
	memset(t->tried, 0, sizeof t->tried);
	t->fresh = false;
	health_good(t->p, 't', &t->choices[t->at]);
	advance(t);
}

static void part_audio(struct tts *t, size_t i, const int16_t *pcm, size_t n)
{
	struct part *part = &t->parts[i];

	if (i == t->head) {
		pass_on(t, part, pcm, n);
		if (!t->over)
			watch(t);
	} else {
		buf_add(&part->held, pcm, n * sizeof *pcm);
		part->got += n;
	}
}

/* Part numbers carry the connection's generation. */
#define PARTS_MAX (1 << 16)

static void on_conn(void *arg, const struct tts_conn_event *e)
{
	struct tts *t = arg;
	size_t i = (size_t)(e->part % PARTS_MAX);

	if (e->part / PARTS_MAX != t->generation || i >= t->n ||
	    t->parts[i].state != PART_SENT)
		return;
	t->busy++;
	if (e->type == TTS_CONN_AUDIO)
		part_audio(t, i, e->pcm, e->n);
	else if (e->type == TTS_CONN_PART)
		part_done(t, i);
	else
		part_failed(t, i, e->failure);
	if (!t->over && !t->ended)
		pump(t);
	leave(t);
}

/* ---- asking ---------------------------------- */

static int ensure_conn(struct tts *t)
{
	const struct provider_choice *c = &t->choices[t->at];

	if (t->conn)
		return 0;
	t->ops = tts_ops_find(t->p, c->provider);
	if (t->ops && t->overflowed)
		t->ops = tts_ops_find(t->p, t->ops->overflow);
	t->generation = (t->generation + 1) % 0x7000;
	return t->ops ? t->ops->open(&t->conn, t->p, c, t->fresh, on_conn, t)
		      : ERR_CONFIG;
}

static void ask(struct tts *t, size_t i)
{
	struct part *part = &t->parts[i];
	struct failure f;

	part->got = 0;
	part->state = PART_SENT;
	int r = ensure_conn(t);
	if (r >= 0)
		r = t->ops->speak(t->conn, t->generation * PARTS_MAX + (int)i,
				  part->text);
	if (r < 0) {
		failure_set(&f, r, NULL);
		part_failed(t, i, &f);
	} else if (i == t->head) {
		watch(t);
	}
}

/* Asks for what may be asked: the head, and the next once the head speaks. */
static void pump(struct tts *t)
{
	advance(t);
	for (size_t i = t->head; !t->over && !t->ended && i < t->n &&
	     i < t->head + AHEAD; i++) {
		struct part *part = &t->parts[i];
		bool early = i > t->head && !t->parts[t->head].got;
		if (part->blocked || early || timer_active(&t->kick))
			break;
		if (part->state == PART_WAITING)
			ask(t, i);
	}
	maybe_done(t);
}

static void on_kick(void *arg)
{
	struct tts *t = arg;

	t->busy++;
	pump(t);
	leave(t);
}

/* ---- the door ---------------------------------- */

int tts_open(struct tts **ret_tts, struct providers *p,
	     const struct tts_cfg *cfg, tts_h *fn, void *arg)
{
	ON_LOOP();
	if (cfg->n_choices == 0 || cfg->n_choices > MAX_CHOICES)
		return ERR_CONFIG;
	struct tts *t = calloc(1, sizeof *t);
	if (!t)
		return -ENOMEM;
	t->p = p;
	t->fn = fn;
	t->arg = arg;
	t->choices = cfg->choices;
	t->n_choices = cfg->n_choices;
	t->first_ms = cfg->first_ms ? cfg->first_ms : 1500;
	t->idle_ms = cfg->idle_ms ? cfg->idle_ms : 2000;
	timer_init(&t->kick, p->clock, on_kick, t);
	timer_init(&t->limit, p->clock, on_limit, t);
	t->at = health_first(p, 't', cfg->choices, cfg->n_choices);
	p->streams++;
	*ret_tts = t;
	return 0;
}

static void add_part(struct tts *t, const char *text, size_t n, bool last)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 8;
		struct part *parts = realloc(t->parts, cap * sizeof *parts);
		if (!parts)
			abort();
		t->parts = parts;
		t->cap = cap;
	}
	assert(t->n < PARTS_MAX);
	struct part *part = &t->parts[t->n++];
	*part = (struct part){ .clause = t->clauses, .last = last };
	part->text = str_printf("%.*s", (int)n, text);
	/* dashes and dots alone have no sound, and none is no failure */
	if (!tts_speakable(part->text))
		part->state = PART_DONE;
}

void tts_push(struct tts *t, const char *text)
{
	ON_LOOP();
	assert(!t->finished);
	if (t->ended)
		return;
	do {
		size_t n = tts_part_len(text);
		add_part(t, text, n, text[n] == 0);
		text += n;
	} while (*text);
	t->clauses++;
	timer_start(&t->kick, 0);
}

void tts_finish(struct tts *t)
{
	ON_LOOP();
	t->finished = true;
	if (!t->ended)
		timer_start(&t->kick, 0);
}

void tts_close(struct tts *t)
{
	ON_LOOP();
	if (!t)
		return;
	assert(!t->over);
	t->over = true;
	stop(t);
	t->p->streams--;
	if (!t->busy)
		tts_free(t);
}
