/*
 * The beat's timer: 20 phase slots of 1 ms, each due every 20 ms. One timerfd
 * with an absolute deadline, set to the next slot that has beats, so a thread
 * with one call wakes 50 times a second and an empty one never.
 *
 *	slot    0 1 2 3 ... 19 | 0 1 2 3 ... 19 |
 *	beats   a b . . ...  . | a b . . ...  . |
 *
 * Deadlines never drift: a slot is due at its last due time plus 20 ms. A
 * late slot catches up at most CATCH_UP periods at once; what is older than
 * that is given up, because sound that old helps nobody.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "io/media_int.h"

enum {
	SLOTS = 20,
	SLOT_US = 1000,
	PERIOD_US = SLOTS * SLOT_US,
	LATE_US = 10000,
	CATCH_UP = 3,
};

struct beat {
	beat_h *beat; /* NULL: removed while the slot runs */
	beat_h *idle;
	void *arg;
	bool wants_idle;
};

struct slot {
	struct beat *beats;
	size_t n, cap;
	int64_t due_us;
};

struct beats {
	struct slot slots[SLOTS];
	int fd;
	GSource *source;
	bool running;  /* inside a beat or idle: no compaction */
	bool holes;
	_Atomic uint64_t n_late, n_all;
};

struct beat_source {
	GSource base;
	struct beats *beats;
	gpointer tag;
};

/* The occupied slot that is due first, NULL when there is none. */
static struct slot *earliest(struct beats *b)
{
	struct slot *first = NULL;

	for (int i = 0; i < SLOTS; i++) {
		struct slot *s = &b->slots[i];
		if (s->n && (!first || s->due_us < first->due_us))
			first = s;
	}
	return first;
}

static void arm(struct beats *b)
{
	const struct slot *s = earliest(b);
	struct itimerspec at = { 0 };

	if (s) {
		at.it_value.tv_sec = s->due_us / 1000000;
		at.it_value.tv_nsec = s->due_us % 1000000 * 1000;
	}
	int r = timerfd_settime(b->fd, TFD_TIMER_ABSTIME, &at, NULL);
	assert(r == 0);
}

static void count(_Atomic uint64_t *n, uint64_t add)
{
	/* one writer: no need for a locked add */
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) +
			      add, memory_order_relaxed);
}

/* By index and by copy: a beat may add or remove others. */
static void run_once(struct beats *b, struct slot *s, int64_t now_us)
{
	size_t n = s->n;

	for (size_t i = 0; i < n; i++) {
		struct beat x = s->beats[i];
		if (!x.beat)
			continue;
		x.beat(x.arg, now_us);
		s->beats[i].wants_idle = s->beats[i].beat && x.idle;
		count(&b->n_all, 1);
	}
}

static void run_slot(struct beats *b, struct slot *s, int64_t now_us)
{
	int64_t behind = (now_us - s->due_us) / PERIOD_US + 1;

	if (behind > CATCH_UP) {
		uint64_t lost = (uint64_t)(behind - CATCH_UP) * s->n;
		s->due_us += (behind - CATCH_UP) * PERIOD_US;
		count(&b->n_late, lost);
		count(&b->n_all, lost);
	}
	while (s->due_us <= now_us) {
		if (now_us - s->due_us > LATE_US)
			count(&b->n_late, s->n);
		s->due_us += PERIOD_US;
		run_once(b, s, now_us);
		now_us = clock_mono_us();
	}
}

static struct beat *next_idle(struct beats *b)
{
	for (int i = 0; i < SLOTS; i++) {
		for (size_t k = 0; k < b->slots[i].n; k++) {
			if (b->slots[i].beats[k].wants_idle)
				return &b->slots[i].beats[k];
		}
	}
	return NULL;
}

/* Idle work of slots that ran, as long as no slot is due. */
static void run_idles(struct beats *b)
{
	struct beat *x;

	while ((x = next_idle(b))) {
		const struct slot *s = earliest(b);
		int64_t now_us = clock_mono_us();
		if (s && s->due_us <= now_us)
			return;
		x->wants_idle = false;
		if (x->beat)
			x->idle(x->arg, now_us);
	}
}

static void compact(struct beats *b)
{
	for (int i = 0; b->holes && i < SLOTS; i++) {
		struct slot *s = &b->slots[i];
		size_t kept = 0;
		for (size_t k = 0; k < s->n; k++) {
			if (s->beats[k].beat)
				s->beats[kept++] = s->beats[k];
		}
		s->n = kept;
	}
	b->holes = false;
}

static gboolean tick(GSource *source, GSourceFunc fn, gpointer arg)
{
	struct beats *b = ((struct beat_source *)source)->beats;
	uint64_t times;
	struct slot *s;

	(void)fn;
	(void)arg;
	if (read(b->fd, &times, sizeof times) < 0 && errno == EAGAIN)
		return G_SOURCE_CONTINUE;
	b->running = true;
	/* at most one round: sockets on this thread must have their turn */
	for (int i = 0; i < SLOTS && (s = earliest(b)); i++) {
		int64_t now_us = clock_mono_us();
		if (s->due_us > now_us)
			break;
		run_slot(b, s, now_us);
		run_idles(b);
	}
	b->running = false;
	compact(b);
	arm(b);
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs beat_funcs = { .dispatch = tick };

int beats_create(struct beats **ret_beats, GMainContext *context)
{
	struct beats *b = calloc(1, sizeof *b);

	if (!b)
		return -ENOMEM;
	b->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (b->fd < 0) {
		int r = -errno;
		free(b);
		return r;
	}
	int64_t now_us = clock_mono_us();
	for (int i = 0; i < SLOTS; i++)
		b->slots[i].due_us = now_us + i * SLOT_US;
	b->source = g_source_new(&beat_funcs, sizeof(struct beat_source));
	struct beat_source *bs = (struct beat_source *)b->source;
	bs->beats = b;
	bs->tag = g_source_add_unix_fd(b->source, b->fd, G_IO_IN);
	g_source_set_priority(b->source, G_PRIORITY_HIGH);
	g_source_attach(b->source, context);
	*ret_beats = b;
	return 0;
}

void beats_destroy(struct beats *b)
{
	if (!b)
		return;
	for (int i = 0; i < SLOTS; i++) {
		assert(b->slots[i].n == 0);
		free(b->slots[i].beats);
	}
	g_source_destroy(b->source);
	g_source_unref(b->source);
	close(b->fd);
	free(b);
}

/* The emptiest slot; among equals the one farthest from its neighbours'
 * work, so that two calls do not sit side by side in an idle thread. */
static struct slot *emptiest(struct beats *b)
{
	static const int order[SLOTS] = { 0, 10, 5, 15, 2, 12, 7, 17, 4, 14,
					  9, 19, 1, 11, 6, 16, 3, 13, 8, 18 };
	struct slot *best = &b->slots[order[0]];

	for (int i = 1; i < SLOTS; i++) {
		if (b->slots[order[i]].n < best->n)
			best = &b->slots[order[i]];
	}
	return best;
}

int beats_add(struct beats *b, beat_h *beat, beat_h *idle, void *arg)
{
	struct slot *s = emptiest(b);

	assert(beat);
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 4;
		struct beat *p = realloc(s->beats, cap * sizeof *p);
		if (!p)
			return -ENOMEM;
		s->beats = p;
		s->cap = cap;
	}
	int64_t now_us = clock_mono_us();
	if (!s->n && s->due_us <= now_us)
		/* empty slots stand still: the next of its own moments */
		s->due_us += ((now_us - s->due_us) / PERIOD_US + 1) * PERIOD_US;
	s->beats[s->n++] = (struct beat){ .beat = beat, .idle = idle,
					  .arg = arg };
	if (!b->running)
		arm(b);
	return 0;
}

void beats_remove(struct beats *b, void *arg)
{
	for (int i = 0; i < SLOTS; i++) {
		struct slot *s = &b->slots[i];
		for (size_t k = 0; k < s->n; k++) {
			if (s->beats[k].arg != arg)
				continue;
			s->beats[k].beat = NULL;
			s->beats[k].wants_idle = false;
			b->holes = true;
		}
	}
	if (!b->running) {
		compact(b);
		arm(b);
	}
}

void beats_count(struct beats *b, uint64_t *ret_late, uint64_t *ret_all)
{
	*ret_late = atomic_load_explicit(&b->n_late, memory_order_relaxed);
	*ret_all = atomic_load_explicit(&b->n_all, memory_order_relaxed);
}
