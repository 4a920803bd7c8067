/*
 * The llm facade: one answer over as many tries as it takes. Owns the limit to
 * the first delta, the one retry a choice, the failover, and a hedge: when the
 * first try is slow a second starts beside it and the first delta wins. After
 * something was passed on nothing is tried again. On the loop.
 *
 *	0 ms   try 1 (choice 0)
 *	1,200  no delta: try 2 beside it (choice 1, or 0 again)
 *	2,200  neither spoke: LLM_FAILED, time for a stored line
 */
#include "provider/llm_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/thread.h"

#define TRIES_A_CHOICE 2
#define ROOM_MS 250       /* a try with less time left is not worth its tokens */
#define RETRY_MS 100
#define MAX_CHOICES 16

struct llm;

struct llm_try { /* a request under way */
	struct llm *llm;
	const struct llm_ops *ops;
	void *conn;           /* NULL: free */
	struct llm_request request;
	size_t choice;
};

struct llm {
	struct providers *p;
	llm_h *fn;
	void *arg;
	const struct provider_choice *choices;
	size_t n_choices;
	struct llm_request request;   /* without its choice */
	cJSON *messages, *tools, *schema;
	char *cache_key, *user_hash;
	int first_ms, idle_ms;

	struct llm_try tries[2];
	struct llm_try *winner;       /* gave the first delta */
	uint8_t tried[MAX_CHOICES];   /* TRIES_A_CHOICE: not again */
	size_t at;
	int n_started;
	int64_t deadline_ms;          /* of the first delta */
	struct timer limit, hedge, retry;
	struct failure failure;       /* the newest */
	bool passed_on, ended;
	int busy;
	bool over;
};

static void start_try(struct llm *l);

static void llm_free(struct llm *l)
{
	cJSON_Delete(l->messages);
	cJSON_Delete(l->tools);
	cJSON_Delete(l->schema);
	free(l->cache_key);
	free(l->user_hash);
	free(l);
}

static void leave(struct llm *l)
{
	if (--l->busy == 0 && l->over)
		llm_free(l);
}

static void tell(struct llm *l, const struct llm_event *e)
{
	if (!l->over)
		l->fn(l->arg, e);
}

/* ---- ends -------------------------------------------------------------------- */

static void drop_try(struct llm_try *t)
{
	if (t->conn)
		t->ops->cancel(t->conn);
	t->conn = NULL;
}

static void stop_all(struct llm *l)
{
	timer_stop(&l->limit);
	timer_stop(&l->hedge);
	timer_stop(&l->retry);
	drop_try(&l->tries[0]);
	drop_try(&l->tries[1]);
}

static void finish_failed(struct llm *l)
{
	const struct llm_event e = {
		.type = LLM_FAILED, .err = l->failure.err,
		.why = l->failure.why, .tokens_in = -1, .tokens_cached = -1,
		.tokens_out = -1,
	};

	assert(!l->ended);
	l->ended = true;
	stop_all(l);
	tell(l, &e);
}

static void on_limit(void *arg)
{
	struct llm *l = arg;

	l->busy++;
	for (size_t i = 0; i < 2; i++) {
		struct llm_try *t = &l->tries[i];
		if (t->conn)
			health_bad(l->p, 'l', &l->choices[t->choice],
				   ERR_STALLED);
	}
	failure_set(&l->failure, ERR_STALLED, l->winner ?
		    "answer stopped halfway" : "no answer in time");
	finish_failed(l);
	leave(l);
}

/* ---- what to try next ------------------------------------------------------------ */

static bool usable(const struct llm *l, size_t choice)
{
	return l->tried[choice] < TRIES_A_CHOICE;
}

/* After choice `from`: the next one that is usable; from itself comes last. */
static bool pick_other(struct llm *l, size_t from)
{
	for (size_t i = 1; i <= l->n_choices; i++) {
		size_t k = (from + i) % l->n_choices;
		if (usable(l, k)) {
			l->at = k;
			return true;
		}
	}
	return false;
}

static int64_t left_ms(const struct llm *l)
{
	return l->deadline_ms - clock_now_ms(l->p->clock);
}

/* How long to wait before the same choice is asked again; -1: do not. */
static int64_t same_delay_ms(const struct llm *l, const struct llm_try *t,
			     const struct failure *f)
{
	int64_t wait = f->retry_ms >= 0 ? f->retry_ms : RETRY_MS;

	if (f->permanent || !usable(l, t->choice) ||
	    wait > left_ms(l) - 2 * ROOM_MS)
		return -1;
	/* somebody else can answer at once: only a short wait is worth it */
	return l->n_choices > 1 && wait > 300 ? -1 : wait;
}

static void try_failed(struct llm *l, struct llm_try *t,
		       const struct failure *f)
{
	size_t choice = t->choice;
	bool mine = !l->winner || l->winner == t;

	drop_try(t);
	l->failure = *f;
	/* it said when to come again, and nobody waits that long */
	if (f->permanent || f->retry_ms > left_ms(l))
		l->tried[choice] = TRIES_A_CHOICE;
	if (!mine)
		return;
	if (l->passed_on) {
		finish_failed(l);
		return;
	}
	l->winner = NULL;
	int64_t wait = same_delay_ms(l, t, f);
	if (wait >= 0)
		l->at = choice;
	else
		health_bad(l->p, 'l', &l->choices[choice], f->err);
	if (l->tries[0].conn || l->tries[1].conn)
		return; /* the other one is still running */
	if ((wait < 0 && !pick_other(l, choice)) || left_ms(l) < ROOM_MS) {
		finish_failed(l);
		return;
	}
	timer_stop(&l->hedge);
	timer_start(&l->limit, left_ms(l));
	timer_start(&l->retry, wait < 0 ? 0 : wait);
}

static void on_retry(void *arg)
{
	struct llm *l = arg;

	l->busy++;
	start_try(l);
	leave(l);
}

static void on_hedge(void *arg)
{
	struct llm *l = arg;

	l->busy++;
	if (!l->winner && pick_other(l, l->at))
		start_try(l);
	leave(l);
}

/* ---- events of a try ---------------------------------------------------------------- */

/* The first sign of an answer decides; the other try is dropped. */
static void progress(struct llm *l, struct llm_try *t)
{
	struct llm_try *other = &l->tries[t == &l->tries[0]];

	if (!l->winner) {
		l->winner = t;
		timer_stop(&l->hedge);
		timer_stop(&l->retry);
		/* the next turn need not wait for the slow one again */
		if (other->conn && other->choice != t->choice &&
		    other == &l->tries[0])
			health_bad(l->p, 'l', &l->choices[other->choice],
				   ERR_STALLED);
		drop_try(other);
	}
	timer_start(&l->limit, l->idle_ms);
}

static void on_done(struct llm *l, struct llm_try *t,
		    const struct llm_conn_event *e)
{
	struct failure f;

	if (!l->passed_on) {
		failure_set(&f, ERR_EMPTY, "answer without text or tools");
		try_failed(l, t, &f);
		return;
	}
	health_good(l->p, 'l', &l->choices[t->choice]);
	const struct llm_event out = {
		.type = LLM_DONE, .finish = e->finish,
		.tokens_in = e->tokens_in, .tokens_cached = e->tokens_cached,
		.tokens_out = e->tokens_out,
	};
	l->ended = true;
	stop_all(l);
	tell(l, &out);
}

static void pass_on(struct llm *l, enum llm_event_type type,
		    const struct llm_conn_event *e)
{
	const struct llm_event out = {
		.type = type, .text = e->text, .id = e->id, .name = e->name,
		.tokens_in = -1, .tokens_cached = -1, .tokens_out = -1,
	};

	l->passed_on = true;
	tell(l, &out);
}

static void on_conn(void *arg, const struct llm_conn_event *e)
{
	struct llm_try *t = arg;
	struct llm *l = t->llm;

	l->busy++;
	switch (e->type) {
	case LLM_CONN_TEXT:
		progress(l, t);
		pass_on(l, LLM_TEXT, e);
		break;
	case LLM_CONN_ALIVE:
		progress(l, t);
		break;
	case LLM_CONN_TOOL:
		progress(l, t);
		pass_on(l, LLM_TOOL, e);
		break;
	case LLM_CONN_DONE:
		on_done(l, t, e);
		break;
	case LLM_CONN_FAILED:
		try_failed(l, t, e->failure);
		break;
	}
	leave(l);
}

static void start_try(struct llm *l)
{
	struct llm_try *t = l->tries[0].conn ? &l->tries[1] : &l->tries[0];
	const struct provider_choice *c = &l->choices[l->at];
	struct failure f;

	assert(!t->conn && !l->winner);
	l->tried[l->at]++;
	t->choice = l->at;
	t->request = l->request;
	t->request.choice = c;
	/* a connection that died silently would swallow every try */
	t->request.fresh = l->n_started++ > 0;
	t->ops = llm_ops_find(l->p, c, l->tools != NULL);
	int r = t->ops ? t->ops->start(&t->conn, l->p, &t->request, on_conn, t)
		       : ERR_CONFIG;
	if (r < 0) {
		t->conn = NULL;
		failure_set(&f, r, NULL);
		try_failed(l, t, &f);
		return;
	}
	/* beside a slow first try, once */
	if (t == &l->tries[0])
		timer_start(&l->hedge, l->first_ms * 6 / 10);
}

/* ---- the door ------------------------------------------------------------------------- */

static int copy_request(struct llm *l, const struct llm_cfg *cfg)
{
	l->messages = cJSON_Duplicate(cfg->messages, true);
	l->tools = cJSON_GetArraySize(cfg->tools) > 0 ?
		   cJSON_Duplicate(cfg->tools, true) : NULL;
	l->schema = cfg->schema ? cJSON_Duplicate(cfg->schema, true) : NULL;
	if (!l->messages)
		return ERR_REQUEST;
	l->cache_key = str_dup(cfg->cache_key);
	l->user_hash = str_dup(cfg->user_hash);
	l->request = (struct llm_request){
		.messages = l->messages, .tools = l->tools,
		.schema = l->schema,
		.cache_key = l->cache_key, .user_hash = l->user_hash,
		.max_tokens = cfg->max_tokens ? cfg->max_tokens : 400,
		.temperature = cfg->temperature,
	};
	return 0;
}

/* A model that thinks first must be given the time, or it never answers. */
static int default_first_ms(const struct provider_choice *c)
{
	const char *effort = model_effort(c);
	bool thinks = effort && strcmp(effort, "none") != 0 &&
		      strcmp(effort, "minimal") != 0;

	return thinks ? 4000 : 2000;
}

int llm_start(struct llm **ret_llm, struct providers *p,
	      const struct llm_cfg *cfg, llm_h *fn, void *arg)
{
	ON_LOOP();
	if (cfg->n_choices == 0 || cfg->n_choices > MAX_CHOICES)
		return ERR_CONFIG;
	struct llm *l = calloc(1, sizeof *l);
	if (!l)
		return -ENOMEM;
	l->p = p;
	l->fn = fn;
	l->arg = arg;
	l->choices = cfg->choices;
	l->n_choices = cfg->n_choices;
	l->at = health_first(p, 'l', cfg->choices, cfg->n_choices);
	l->first_ms = cfg->first_ms ? cfg->first_ms :
		      default_first_ms(&cfg->choices[l->at]);
	l->idle_ms = cfg->idle_ms ? cfg->idle_ms : 2000;
	l->tries[0].llm = l->tries[1].llm = l;
	timer_init(&l->limit, p->clock, on_limit, l);
	timer_init(&l->hedge, p->clock, on_hedge, l);
	timer_init(&l->retry, p->clock, on_retry, l);
	int r = copy_request(l, cfg);
	if (r < 0) {
		llm_free(l);
		return r;
	}
	/* room for the second try's answer, still within three seconds */
	int64_t total_ms = l->first_ms + l->first_ms / 10;
	l->deadline_ms = clock_now_ms(p->clock) + total_ms;
	timer_start(&l->limit, total_ms);
	/* not in here: a failure at once must not be told from inside */
	timer_start(&l->retry, 0);
	p->streams++;
	*ret_llm = l;
	return 0;
}

void llm_cancel(struct llm *l)
{
	ON_LOOP();
	if (!l)
		return;
	assert(!l->over);
	l->over = true;
	stop_all(l);
	l->p->streams--;
	if (!l->busy)
		llm_free(l);
}
