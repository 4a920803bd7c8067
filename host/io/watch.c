/*
 * The watchdog: a thread of its own that expects the loop to turn. It sends
 * the loop a ping only when the loop seems idle, and when one stays without
 * an answer for too long, it reports the stall once and has the loop's
 * thread write its own stack from a signal handler.
 */
#include <assert.h>
#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/thread.h"
#include "io/loop_int.h"

enum { MAX_FRAMES = 64 };

struct watch {
	/* immutable */
	struct loop *loop;
	int64_t limit_ms;
	stall_h *fn;
	void *arg;
	pthread_t thread;
	/* written by the loop before it runs, read by the watchdog */
	_Atomic bool known;
	pthread_t loop_thread;
	/* protected by lock */
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool quit;
};

static int dump_signal(void)
{
	return SIGRTMIN + 3;
}

/* Runs on the loop's thread, wherever it hangs. */
static void dump_stack(int sig)
{
	static const char head[] = "the loop hangs here:\n";
	void *frames[MAX_FRAMES];
	int saved = errno;

	(void)sig;
	ssize_t n = write(STDERR_FILENO, head, sizeof head - 1);
	(void)n;
	backtrace_symbols_fd(frames, backtrace(frames, MAX_FRAMES),
			     STDERR_FILENO);
	errno = saved;
}

/* Sleeps for ms or until asked to quit; true to go on. */
static bool nap(struct watch *w, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&w->lock);
	while (!w->quit) {
		if (pthread_cond_timedwait(&w->cond, &w->lock, &until) != 0)
			break;
	}
	bool go_on = !w->quit;
	pthread_mutex_unlock(&w->lock);
	return go_on;
}

static void report(struct watch *w, int64_t stalled_us)
{
	pthread_kill(w->loop_thread, dump_signal());
	w->fn(w->arg, stalled_us / 1000);
}

static void *watch_main(void *arg)
{
	struct watch *w = arg;
	int64_t step_ms = w->limit_ms / 4 > 0 ? w->limit_ms / 4 : 1;
	uint64_t seen = 0;
	int64_t since_us = clock_mono_us(); /* when turns was last new */
	int64_t ping_us = 0;                /* unanswered since, 0: none */
	bool told = false;

	while (nap(w, step_ms)) {
		uint64_t turns = atomic_load_explicit(&w->loop->turns,
						      memory_order_relaxed);
		int64_t now_us = clock_mono_us();
		if (turns != seen || !atomic_load(&w->known)) {
			seen = turns;
			since_us = now_us;
			ping_us = 0;
			told = false;
		} else if (!ping_us) {
			ping_us = now_us;
			uv_async_send(&w->loop->async);
		} else if (!told && now_us - ping_us >= w->limit_ms * 1000) {
			told = true;
			report(w, now_us - since_us);
		}
	}
	return NULL;
}

static void learn_thread(void *arg)
{
	struct watch *w = arg;

	ON_LOOP();
	w->loop_thread = pthread_self();
	atomic_store(&w->known, true);
}

int loop_watch(struct loop *l, int64_t limit_ms, stall_h *fn, void *arg)
{
	struct sigaction sa = { .sa_handler = dump_stack,
				.sa_flags = SA_RESTART };
	pthread_condattr_t attr;
	void *warm[2];

	assert(!l->watch && limit_ms > 0);
	struct watch *w = calloc(1, sizeof *w);
	if (!w)
		return -ENOMEM;
	*w = (struct watch){ .loop = l, .limit_ms = limit_ms, .fn = fn,
			     .arg = arg };
	/* the first backtrace() loads a library, which a handler may not */
	backtrace(warm, 2);
	sigemptyset(&sa.sa_mask);
	sigaction(dump_signal(), &sa, NULL);
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->cond, &attr);
	pthread_condattr_destroy(&attr);
	int r = pthread_create(&w->thread, NULL, watch_main, w);
	if (r) {
		pthread_cond_destroy(&w->cond);
		pthread_mutex_destroy(&w->lock);
		free(w);
		return -r;
	}
	l->watch = w;
	loop_post(l, learn_thread, w);
	return 0;
}

void watch_destroy(struct watch *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->quit = true;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->cond);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
