/*
 * The process's Aura sockets: leased for an utterance, kept warm between. On
 * the loop. Holds to the project's limit of sockets and to the flushes a
 * minute of each; a socket that was cancelled is cleared before the next use,
 * and what still arrives until "Cleared" is dropped by state, not by time.
 *
 *	opening -> leased <-> idle -> closed
 *	              `-> clearing -^
 */
#include "provider/tts_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define IDLE_MS 30000
#define CLEAR_MS 2000
#define OPENING_MS 1000 /* one that takes longer to open is not waited for */
#define OLD_MS (50 * 60 * 1000) /* sessions end after about an hour */

enum sock_state { STATE_LEASED, STATE_CLEARING, STATE_IDLE };

struct aura_sock {
	struct tts_pool *pool;
	struct aura_sock *next;
	struct ws *ws;
	char *model;
	enum sock_state state;
	bool open;
	int64_t born_ms;
	struct flushes flushes;
	struct timer timer;  /* idle or clearing for too long */
	sock_h *fn;          /* while leased */
	void *arg;
	int busy;
	bool gone;
};

struct tts_pool {
	struct providers *p;
	struct aura_sock *first;
	int max, flushes_a_min;
	char *last_model;
};

static void sock_free(struct aura_sock *s)
{
	free(s->model);
	free(s);
}

/* Out of the pool; freed when no callback of it is on the stack. */
static void sock_drop(struct aura_sock *s)
{
	for (struct aura_sock **at = &s->pool->first; *at; at = &(*at)->next) {
		if (*at == s) {
			*at = s->next;
			break;
		}
	}
	timer_stop(&s->timer);
	if (s->ws)
		s->pool->p->tables->net->ws_close(s->ws, s->open ? 1000 : 0);
	s->ws = NULL;
	s->gone = true;
	s->fn = NULL;
	if (!s->busy)
		sock_free(s);
}

static int send_text(struct aura_sock *s, const char *text)
{
	if (!s->open)
		return ERR_CLOSED;
	return s->pool->p->tables->net->ws_send(s->ws, text, strlen(text),
						true);
}

static void go_idle(struct aura_sock *s)
{
	s->state = STATE_IDLE;
	timer_start(&s->timer, IDLE_MS);
}

static void on_timer(void *arg)
{
	struct aura_sock *s = arg;

	assert(s->state != STATE_LEASED);
	send_text(s, "{\"type\":\"Close\"}");
	sock_drop(s);
}

static void tell(struct aura_sock *s, const struct sock_event *e)
{
	if (s->fn)
		s->fn(s->arg, e);
}

static void leave(struct aura_sock *s)
{
	if (--s->busy == 0 && s->gone)
		sock_free(s);
}

static void on_open(void *arg)
{
	struct aura_sock *s = arg;
	const struct sock_event e = { .type = SOCK_OPEN };

	s->busy++;
	s->open = true;
	tell(s, &e);
	leave(s);
}

static void on_text(struct aura_sock *s, const uint8_t *p, size_t n)
{
	char code[48];
	int type = aura_message_read(p, n, code);
	struct sock_event e = { .type = SOCK_FLUSHED };

	if (type == AURA_CLEARED && s->state == STATE_CLEARING) {
		go_idle(s);
	} else if (type == AURA_FLUSHED) {
		tell(s, &e);
	} else if (type == AURA_WARNING) {
		e.type = SOCK_WARNING;
		e.code = code;
		tell(s, &e);
	}
}

static void on_message(void *arg, const uint8_t *p, size_t n, bool text)
{
	struct aura_sock *s = arg;
	const struct sock_event e = { .type = SOCK_AUDIO, .p = p, .n = n };

	if (s->gone)
		return;
	s->busy++;
	if (text)
		on_text(s, p, n);
	else
		tell(s, &e);
	leave(s);
}

static void on_close(void *arg, int err, int status, const char *reason)
{
	struct aura_sock *s = arg;
	sock_h *fn = s->fn;
	void *fn_arg = s->arg;
	struct failure f;
	const struct sock_event e = { .type = SOCK_FAILED, .failure = &f };

	failure_ws(&f, s->open, err, status, reason);
	s->ws = NULL;
	s->open = false;
	sock_drop(s);
	if (fn)
		fn(fn_arg, &e);
}

static const struct ws_ops socket_ops = { on_open, on_message, on_close };

/* ---- leases ------------------------------------------------------------------ */

static int64_t now_ms(const struct tts_pool *pool)
{
	return clock_now_ms(pool->p->clock);
}

int tts_pool_count(const struct tts_pool *pool)
{
	int n = 0;

	for (const struct aura_sock *s = pool->first; s; s = s->next)
		n++;
	return n;
}

/* An open one before one that is still opening. */
static struct aura_sock *find_idle(struct tts_pool *pool, const char *model)
{
	struct aura_sock *opening = NULL;

	for (struct aura_sock *s = pool->first; s; s = s->next) {
		int64_t age_ms = now_ms(pool) - s->born_ms;
		if (s->state != STATE_IDLE || !str_eq(s->model, model) ||
		    flushes_left(&s->flushes, now_ms(pool)) <= 0)
			continue;
		if (s->open && age_ms < OLD_MS)
			return s;
		if (!s->open && age_ms < OPENING_MS)
			opening = s;
	}
	return opening;
}

/* Makes room by closing an idle socket that cannot serve. */
static bool evict(struct tts_pool *pool)
{
	for (struct aura_sock *s = pool->first; s; s = s->next) {
		if (s->state == STATE_IDLE) {
			sock_drop(s);
			return true;
		}
	}
	return false;
}

static int sock_create(struct aura_sock **ret, struct tts_pool *pool,
		       const struct provider_choice *c)
{
	const char *headers[] = { pool->p->deepgram_auth, NULL };
	struct aura_sock *s = calloc(1, sizeof *s);
	struct buf url = { 0 };

	if (!s)
		return -ENOMEM;
	s->pool = pool;
	s->model = str_dup(c->model);
	s->born_ms = now_ms(pool);
	flushes_init(&s->flushes, pool->flushes_a_min);
	timer_init(&s->timer, pool->p->clock, on_timer, s);
	buf_puts(&url, pool->p->deepgram_ws);
	aura_speak_path(&url, c, false);
	const struct ws_cfg cfg = {
		.url = buf_str(&url), .headers = headers, .connect_ms = 5000,
	};
	int r = pool->p->tables->net->ws_open(&s->ws, pool->p->loop, &cfg,
					      &socket_ops, s);
	buf_free(&url);
	if (r < 0) {
		sock_free(s);
		return r;
	}
	s->next = pool->first;
	pool->first = s;
	*ret = s;
	return 0;
}

static int make_room(struct tts_pool *pool)
{
	if (tts_pool_count(pool) >= pool->max && !evict(pool))
		return ERR_FULL;
	return 0;
}

int aura_lease(struct aura_sock **ret, struct tts_pool *pool,
	       const struct provider_choice *c, bool fresh, sock_h *fn,
	       void *arg, bool *ret_open)
{
	struct aura_sock *s = fresh ? NULL : find_idle(pool, c->model);
	int r = 0;

	if (!s) {
		r = make_room(pool);
		if (r >= 0)
			r = sock_create(&s, pool, c);
		if (r < 0)
			return r;
	}
	timer_stop(&s->timer);
	s->state = STATE_LEASED;
	s->fn = fn;
	s->arg = arg;
	if (!str_eq(pool->last_model, c->model))
		str_set(&pool->last_model, c->model);
	*ret_open = s->open;
	*ret = s;
	return 0;
}

int aura_flushes_left(struct aura_sock *s)
{
	return flushes_left(&s->flushes, now_ms(s->pool));
}

int aura_speak(struct aura_sock *s, const char *text)
{
	struct buf out = { 0 };

	if (aura_flushes_left(s) <= 0)
		return ERR_LIMIT;
	aura_speak_text(&out, text, strlen(text));
	int r = send_text(s, buf_str(&out));
	buf_free(&out);
	if (r < 0)
		return r;
	flushes_add(&s->flushes, now_ms(s->pool));
	return send_text(s, "{\"type\":\"Flush\"}");
}

void aura_release(struct aura_sock *s, bool clean)
{
	assert(s->state == STATE_LEASED);
	s->fn = NULL;
	if (clean) {
		go_idle(s);
		return;
	}
	s->state = STATE_CLEARING;
	timer_start(&s->timer, CLEAR_MS);
	if (send_text(s, "{\"type\":\"Clear\"}") < 0)
		sock_drop(s);
}

/* ---- the pool ------------------------------------------------------------------- */

int tts_pool_create(struct tts_pool **ret, struct providers *p,
		    int max_sockets, int flushes_a_min)
{
	struct tts_pool *pool = calloc(1, sizeof *pool);

	if (!pool)
		return -ENOMEM;
	pool->p = p;
	pool->max = max_sockets;
	pool->flushes_a_min = flushes_a_min;
	*ret = pool;
	return 0;
}

void tts_pool_close(struct tts_pool *pool)
{
	if (!pool)
		return;
	while (pool->first)
		sock_drop(pool->first);
	free(pool->last_model);
	free(pool);
}

bool tts_pool_has_room(const struct tts_pool *pool)
{
	int leased = 0;

	for (const struct aura_sock *s = pool->first; s; s = s->next)
		leased += s->state != STATE_IDLE;
	return leased < pool->max;
}

void tts_pool_warm(struct tts_pool *pool, const char *model)
{
	struct provider_choice c = { .model = model ? model :
					      pool->last_model };
	struct aura_sock *s;

	if (!c.model || find_idle(pool, c.model) ||
	    tts_pool_count(pool) >= pool->max)
		return;
	if (sock_create(&s, pool, &c) >= 0)
		go_idle(s);
}
