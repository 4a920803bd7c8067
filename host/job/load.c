/* CPU time of this process against the cores it may use. */
#include "job/load.h"

#include <sched.h>
#include <sys/resource.h>

#include "base/clock.h"

int load_cores(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return 1;
	return CPU_COUNT(&set);
}

static int64_t micro(struct timeval t)
{
	return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

void load_sample(struct load *l)
{
	struct rusage use;
	int64_t now = clock_mono_us();

	getrusage(RUSAGE_SELF, &use);
	int64_t cpu = micro(use.ru_utime) + micro(use.ru_stime);
	if (l->at_us && now > l->at_us) {
		float share = (float)(cpu - l->cpu_us) /
			      (float)((now - l->at_us) * load_cores());
		l->cpu += 0.3f * (share - l->cpu);
	}
	l->at_us = now;
	l->cpu_us = cpu;
}
