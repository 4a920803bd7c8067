/* How busy this process and machine are. Private to job. */
#ifndef FD_JOB_LOAD_H
#define FD_JOB_LOAD_H

#include <stdint.h>

struct load {
	int64_t at_us, cpu_us;
	float cpu; /* of all cores, 0..1, smoothed over some seconds */
};
/* Takes a sample; call it each second or so. */
void load_sample(struct load *l);
int load_cores(void);

#endif
