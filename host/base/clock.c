/* A binary heap of timers over a real or virtual clock. */
#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

struct clock {
	bool virtual;
	int64_t now_us; /* virtual time */
	uint64_t order;
	struct timer **heap; /* 1-based */
	size_t n, cap;
	timer_h *change_fn;
	void *change_arg;
};

int64_t clock_mono_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int clock_create_real(struct clock **ret_clock)
{
	struct clock *c = calloc(1, sizeof *c);

	if (!c)
		return -ENOMEM;
	*ret_clock = c;
	return 0;
}

int clock_create_virtual(struct clock **ret_clock, int64_t start_us)
{
	int r = clock_create_real(ret_clock);

	if (r < 0)
		return r;
	(*ret_clock)->virtual = true;
	(*ret_clock)->now_us = start_us;
	return 0;
}

void clock_destroy(struct clock *c)
{
	if (!c)
		return;
	assert(c->n == 0);
	free(c->heap);
	free(c);
}

int64_t clock_now_us(const struct clock *c)
{
	return c->virtual ? c->now_us : clock_mono_us();
}

int64_t clock_now_ms(const struct clock *c)
{
	return clock_now_us(c) / 1000;
}

void clock_on_change(struct clock *c, timer_h *fn, void *arg)
{
	c->change_fn = fn;
	c->change_arg = arg;
}

int64_t clock_next_us(const struct clock *c)
{
	if (!c->n)
		return -1;
	int64_t left = c->heap[1]->due_us - clock_now_us(c);
	return left > 0 ? left : 0;
}

static bool before(const struct timer *a, const struct timer *b)
{
	if (a->due_us != b->due_us)
		return a->due_us < b->due_us;
	return a->order < b->order;
}

static void place(struct clock *c, size_t i, struct timer *t)
{
	c->heap[i] = t;
	t->slot = i;
}

static void sift(struct clock *c, size_t i)
{
	struct timer *t = c->heap[i];

	while (i > 1 && before(t, c->heap[i / 2])) {
		place(c, i, c->heap[i / 2]);
		i /= 2;
	}
	for (;;) {
		size_t k = 2 * i;
		if (k > c->n)
			break;
		if (k < c->n && before(c->heap[k + 1], c->heap[k]))
			k++;
		if (!before(c->heap[k], t))
			break;
		place(c, i, c->heap[k]);
		i = k;
	}
	place(c, i, t);
}

static void heap_remove(struct clock *c, struct timer *t)
{
	size_t i = t->slot;
	struct timer *last = c->heap[c->n--];

	assert(i >= 1 && c->heap[i] == t);
	t->slot = 0;
	if (last != t) {
		c->heap[i] = last;
		sift(c, i);
	}
}

static void changed(struct clock *c)
{
	if (c->change_fn)
		c->change_fn(c->change_arg);
}

void timer_init(struct timer *t, struct clock *c, timer_h *fn, void *arg)
{
	*t = (struct timer){ .clock = c, .fn = fn, .arg = arg };
}

void timer_start(struct timer *t, int64_t ms)
{
	struct clock *c = t->clock;

	assert(c && t->fn);
	if (t->slot)
		heap_remove(c, t);
	t->due_us = clock_now_us(c) + (ms > 0 ? ms : 0) * 1000;
	t->order = ++c->order;
	if (c->n + 2 > c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 32;
		struct timer **heap = realloc(c->heap, cap * sizeof *heap);
		if (!heap)
			abort();
		c->heap = heap;
		c->cap = cap;
	}
	c->heap[++c->n] = t;
	sift(c, c->n);
	if (c->heap[1] == t)
		changed(c);
}

void timer_stop(struct timer *t)
{
	if (t->slot)
		heap_remove(t->clock, t);
}

bool timer_active(const struct timer *t)
{
	return t->slot != 0;
}

/* Only timers that were started before this pass run in it. */
static void run_until(struct clock *c, int64_t now_us)
{
	uint64_t newest = c->order;

	while (c->n) {
		struct timer *t = c->heap[1];
		if (t->due_us > now_us || t->order > newest)
			break;
		heap_remove(c, t);
		t->fn(t->arg);
	}
}

void clock_run_due(struct clock *c)
{
	run_until(c, clock_now_us(c));
	changed(c);
}

void clock_advance(struct clock *c, int64_t us)
{
	assert(c->virtual && us >= 0);
	int64_t end = c->now_us + us;

	while (c->n && c->heap[1]->due_us <= end) {
		if (c->heap[1]->due_us > c->now_us)
			c->now_us = c->heap[1]->due_us;
		run_until(c, c->now_us);
	}
	c->now_us = end;
}

size_t clock_timers(const struct clock *c)
{
	return c->n;
}
