/* How long must a packet wait? Statistics of the path's delay. */
#ifndef FD_AUDIO_DELAY_INT_H
#define FD_AUDIO_DELAY_INT_H

#include <stdbool.h>
#include <stdint.h>

enum { DELAY_BUCKETS = 128, DELAY_BUCKET_US = 4000 };

/* Embedded; delay_init() first. All times in microseconds. */
struct delay {
	int64_t min_us, max_us;   /* bounds of the target */
	int64_t base_us;          /* least transit of the last seconds */
	int64_t now_min_us, old_min_us;
	int64_t window_end_us;
	float weight[DELAY_BUCKETS]; /* of delay above base, forgetting */
	float total;
	float loss;               /* share of packets lost, forgetting */
	int64_t target_us;
};

void delay_init(struct delay *d, int min_ms, int max_ms);
/* Forgets the path: transit_us is the first measurement of a new one. */
void delay_restart(struct delay *d, int64_t transit_us, int64_t arrival_us);
/* One packet took transit_us (arrival minus sender's time, any offset). */
void delay_note(struct delay *d, int64_t transit_us, int64_t arrival_us);
/* The path got longer for good: transit_us is its new least. */
void delay_rebase(struct delay *d, int64_t transit_us, int64_t arrival_us);
/* lost packets were missing before one that was played. */
void delay_note_played(struct delay *d, int lost);

#endif
