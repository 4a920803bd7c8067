/* One match of a pattern. Shared by pattern.c and pattern_lib.c only. */
#ifndef FD_BINDINGS_PATTERN_INT_H
#define FD_BINDINGS_PATTERN_INT_H

#include "bindings/vm_int.h"

#define MOST_CAPTURES 32

struct matcher {
	lua_State *L;
	const char *text, *text_end;
	const char *pat_end;
	int depth;  /* of match_here() */
	int steps;  /* of the whole call */
	int n_caps; /* set to 0 before each try */
	struct {
		const char *at;
		ptrdiff_t len; /* or a mark: still open, a position */
	} caps[MOST_CAPTURES];
};

void matcher_init(struct matcher *m, lua_State *L, const char *text,
		  size_t len, const char *pat, size_t pat_len);
/* Where the match of the pattern from p on ends in the text, or NULL. Raises
 * on a malformed pattern and at the ceiling of steps. */
const char *match_here(struct matcher *m, const char *s, const char *p);
/* The first match at or behind s; *ret_s is where it begins. */
const char *match_from(struct matcher *m, const char *s, const char *pat,
		       bool anchored, const char **ret_s);
/* Pushes capture i; without captures, i 0 is the whole match s..e. */
void match_push_one(struct matcher *m, int i, const char *s, const char *e);
/* Pushes all captures and says how many; without any, the whole match if
 * whole. */
int match_push(struct matcher *m, const char *s, const char *e, bool whole);

#endif
