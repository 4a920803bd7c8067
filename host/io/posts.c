/* The queue behind loop_post() and media_post(). */
#include <stdlib.h>

#include "io/loop_int.h"

void posts_init(struct posts *q)
{
	q->first = NULL;
	q->end = &q->first;
}

void posts_add(struct posts *q, post_h *fn, void *arg)
{
	struct post *p = malloc(sizeof *p);

	if (!p)
		abort();
	*p = (struct post){ .fn = fn, .arg = arg };
	*q->end = p;
	q->end = &p->next;
}

void posts_run(struct posts *q)
{
	struct post *p = q->first;

	posts_init(q);
	while (p) {
		struct post *next = p->next;
		p->fn(p->arg);
		free(p);
		p = next;
	}
}

void posts_drop(struct posts *q)
{
	while (q->first) {
		struct post *next = q->first->next;
		free(q->first);
		q->first = next;
	}
	posts_init(q);
}
