/*
 * sleeper: the control of every benchmark. Two threads that only sleep to the
 * next absolute 20 ms, as the media threads do, and count how often they come
 * more than 10 ms late. What they miss is the machine's doing. Until SIGTERM
 * or SIGINT; then one line of JSON.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum { THREADS = 2, PERIOD_NS = 20000000, LATE_NS = 10000000 };

static atomic_bool stop;
static _Atomic long late, all, worst_us;

static int64_t ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static struct timespec at(int64_t t_ns)
{
	return (struct timespec){ .tv_sec = t_ns / 1000000000,
				  .tv_nsec = t_ns % 1000000000 };
}

/* As io/beat.c counts: periods that were skipped whole were late as well. */
static int64_t note(int64_t due_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t over_ns = ns(&now) - due_ns;
	for (; over_ns > LATE_NS + PERIOD_NS; over_ns -= PERIOD_NS) {
		atomic_fetch_add(&late, 1);
		atomic_fetch_add(&all, 1);
		due_ns += PERIOD_NS;
	}
	atomic_fetch_add(&all, 1);
	if (over_ns > LATE_NS)
		atomic_fetch_add(&late, 1);
	return due_ns;
}

static void *sleeps(void *arg)
{
	struct timespec now;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &now);
	for (int64_t due_ns = ns(&now); !atomic_load(&stop);) {
		due_ns += PERIOD_NS;
		struct timespec due = at(due_ns);
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due,
				       NULL) != 0)
			continue;
		clock_gettime(CLOCK_MONOTONIC, &now);
		long over_us = (long)((ns(&now) - due_ns) / 1000);
		if (over_us > atomic_load(&worst_us))
			atomic_store(&worst_us, over_us);
		due_ns = note(due_ns);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	sigset_t set;
	int signum;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < THREADS; i++) {
		if (pthread_create(&threads[i], NULL, sleeps, NULL))
			return 1;
	}
	sigwait(&set, &signum);
	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("{\"late\":%ld,\"all\":%ld,\"worst_ms\":%.1f}\n",
	       atomic_load(&late), atomic_load(&all),
	       (double)atomic_load(&worst_us) / 1000);
	return 0;
}
