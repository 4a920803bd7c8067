/*
 * clause: cuts a growing text into pieces that can be spoken one by one, as
 * early as the ear allows. Pure.
 */
#ifndef FD_CALL_CLAUSE_H
#define FD_CALL_CLAUSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct clauser {
	struct buf text; /* not yet handed out */
	int n;           /* clauses handed out */
};
void clauser_finish(struct clauser *c);
/* Adds a delta (may end inside a UTF-8 character). */
void clauser_add(struct clauser *c, const char *text);
/* The next whole clause in fresh memory, NULL when none is whole yet. last:
 * the text will not grow, hand out what is left. Markup that nobody should
 * hear (* _ # `) is taken out; clauses without a letter or digit are skipped. */
char *clauser_next(struct clauser *c, bool last);

#endif
