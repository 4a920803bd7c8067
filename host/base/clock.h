/*
 * Time and timers. A clock is either real (CLOCK_MONOTONIC, driven by the
 * loop) or virtual (moves only when a test says so). All deadlines of calls,
 * providers and the store are timers of a clock, so that tests run whole
 * calls without waiting. A clock belongs to one thread.
 */
#ifndef FD_BASE_CLOCK_H
#define FD_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct timer;
typedef void (timer_h)(void *arg);

/* Embedded in its owner; fields are private to clock.c. */
struct timer {
	struct clock *clock;
	timer_h *fn;
	void *arg;
	int64_t due_us;
	uint64_t order;
	size_t slot; /* 1-based place in the clock's heap, 0 when stopped */
};

/* [any] Monotonic microseconds, without a clock object. */
int64_t clock_mono_us(void);
/* [any] Wall clock, seconds and milliseconds since 1970 (tokens, logs). */
int64_t clock_wall_ms(void);

int clock_create_real(struct clock **ret_clock);
/* A virtual clock starts at start_us. */
int clock_create_virtual(struct clock **ret_clock, int64_t start_us);
/* Takes NULL. Asserts that no timer is running. */
void clock_destroy(struct clock *c);

int64_t clock_now_us(const struct clock *c);
int64_t clock_now_ms(const struct clock *c);

/* Called whenever the earliest deadline changes; the loop arms itself. */
void clock_on_change(struct clock *c, timer_h *fn, void *arg);
/* Microseconds until the earliest timer, 0 if due, -1 if there is none. */
int64_t clock_next_us(const struct clock *c);
/* Runs what is due now, in order of deadline, then of start. */
void clock_run_due(struct clock *c);
/* Virtual only: moves time by us, running each timer at its own moment. */
void clock_advance(struct clock *c, int64_t us);
/* How many timers run (leak checks). */
size_t clock_timers(const struct clock *c);

/* Prepares a timer; it does not run yet. */
void timer_init(struct timer *t, struct clock *c, timer_h *fn, void *arg);
/* (Re)starts it: fn(arg) once, after ms. Never fires inside this call. */
void timer_start(struct timer *t, int64_t ms);
/* Stops it; harmless when stopped or never started, or zeroed. */
void timer_stop(struct timer *t);
bool timer_active(const struct timer *t);

#endif
