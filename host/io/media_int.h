/* A media thread and its beats, inside the folder. */
#ifndef FD_IO_MEDIA_INT_H
#define FD_IO_MEDIA_INT_H

#include <glib.h>

#include "io/loop_int.h"

struct beats;

struct media {
	/* immutable after media_create() */
	char name[16];
	pthread_t thread;
	bool running;
	GMainContext *context;
	GSource *source;

	/* [media] */
	struct beats *beats;
	bool quit;

	/* protected by lock */
	pthread_mutex_t lock;
	struct posts posts;

	/* [any] */
	_Atomic bool posted;
};

/* The slots of one thread and the timer that runs them. [media] but create
 * and destroy, which are for before and after the thread. */
int beats_create(struct beats **ret_beats, GMainContext *context);
void beats_destroy(struct beats *b);
int beats_add(struct beats *b, beat_h *beat, beat_h *idle, void *arg);
void beats_remove(struct beats *b, void *arg);
void beats_count(struct beats *b, uint64_t *ret_late, uint64_t *ret_all); /* [any] */

#endif
