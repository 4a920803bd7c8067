/*
 * Matching of Lua 5.1 patterns with a count of steps: LuaJIT's own cannot be
 * interrupted, and one pattern of 13 bytes ran 36 s on a text of 200. Raises;
 * allocates nothing.
 */
#include "bindings/pattern_int.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#define MOST_STEPS 1000000  /* a call; some 10 ms */
#define CHECK_STEPS 10000   /* between looks at the clock */
#define MOST_DEPTH 200      /* of recursion on the C stack */

enum { CAP_OPEN = -1, CAP_POSITION = -2 };

static void step(struct matcher *m)
{
	if (++m->steps % CHECK_STEPS == 0)
		budget_check(m->L);
	if (m->steps > MOST_STEPS)
		luaL_error(m->L, "pattern takes more than %d steps",
			   MOST_STEPS);
}

static unsigned char byte(const char *s)
{
	return (unsigned char)*s;
}

/* Where the single item (a character, class or set) at p ends. */
static const char *item_end(struct matcher *m, const char *p)
{
	if (*p == '%') {
		if (p + 1 >= m->pat_end)
			luaL_error(m->L, "malformed pattern (ends with '%%')");
		return p + 2;
	}
	if (*p != '[')
		return p + 1;
	p++;
	if (p < m->pat_end && *p == '^')
		p++;
	for (bool first = true;; first = false) {
		if (p >= m->pat_end)
			luaL_error(m->L, "malformed pattern (missing ']')");
		if (*p == ']' && !first)
			return p + 1;
		if (*p == '%' && p + 1 < m->pat_end)
			p++;
		p++;
	}
}

static bool in_class(int c, int cls)
{
	bool in;

	switch (tolower(cls)) {
	case 'a': in = isalpha(c); break;
	case 'c': in = iscntrl(c); break;
	case 'd': in = isdigit(c); break;
	case 'g': in = isgraph(c); break;
	case 'l': in = islower(c); break;
	case 'p': in = ispunct(c); break;
	case 's': in = isspace(c); break;
	case 'u': in = isupper(c); break;
	case 'w': in = isalnum(c); break;
	case 'x': in = isxdigit(c); break;
	case 'z': in = c == 0; break;
	default: return cls == c;
	}
	return isupper(cls) ? !in : in;
}

/* The set from p ('[') to end (behind its ']'). */
static bool in_set(int c, const char *p, const char *end)
{
	const char *last = end - 1;
	bool yes = true;

	p++;
	if (p < last && *p == '^') {
		yes = false;
		p++;
	}
	while (p < last) {
		if (*p == '%' && p + 1 < last) {
			if (in_class(c, byte(p + 1)))
				return yes;
			p += 2;
		} else if (p + 2 < last && p[1] == '-') {
			if (byte(p) <= c && c <= byte(p + 2))
				return yes;
			p += 3;
		} else {
			if (byte(p) == c)
				return yes;
			p++;
		}
	}
	return !yes;
}

static bool item_matches(struct matcher *m, const char *s, const char *p,
			 const char *end)
{
	if (s >= m->text_end)
		return false;
	step(m);
	switch (*p) {
	case '.': return true;
	case '%': return in_class(byte(s), byte(p + 1));
	case '[': return in_set(byte(s), p, end);
	default: return byte(p) == byte(s);
	}
}

static const char *match_most(struct matcher *m, const char *s, const char *p,
			      const char *end, ptrdiff_t least)
{
	ptrdiff_t n = 0;

	while (item_matches(m, s + n, p, end))
		n++;
	for (; n >= least; n--) {
		const char *r = match_here(m, s + n, end + 1);
		if (r)
			return r;
	}
	return NULL;
}

static const char *match_least(struct matcher *m, const char *s, const char *p,
			       const char *end)
{
	for (;; s++) {
		const char *r = match_here(m, s, end + 1);
		if (r)
			return r;
		if (!item_matches(m, s, p, end))
			return NULL;
	}
}

/* %bxy: from x to its y. */
static const char *match_balance(struct matcher *m, const char *s,
				 const char *p)
{
	if (p + 1 >= m->pat_end)
		luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
	if (s >= m->text_end || *s != p[0])
		return NULL;
	int open = 1;
	for (s++; s < m->text_end; s++) {
		step(m);
		if (*s == p[1]) {
			if (--open == 0)
				return s + 1;
		} else if (*s == p[0]) {
			open++;
		}
	}
	return NULL;
}

/* %f[set]: between a character outside the set and one inside. p at '['. */
static bool match_frontier(struct matcher *m, const char *s, const char *p,
			   const char *end)
{
	int before = s == m->text ? 0 : byte(s - 1);
	int here = s < m->text_end ? byte(s) : 0;

	return !in_set(before, p, end) && in_set(here, p, end);
}

static const char *start_capture(struct matcher *m, const char *s,
				 const char *p, ptrdiff_t what)
{
	if (m->n_caps >= MOST_CAPTURES)
		luaL_error(m->L, "too many captures");
	m->caps[m->n_caps].at = s;
	m->caps[m->n_caps].len = what;
	m->n_caps++;
	const char *r = match_here(m, s, p);
	if (!r)
		m->n_caps--;
	return r;
}

static const char *end_capture(struct matcher *m, const char *s, const char *p)
{
	int i = m->n_caps - 1;

	while (i >= 0 && m->caps[i].len != CAP_OPEN)
		i--;
	if (i < 0)
		luaL_error(m->L, "invalid pattern capture");
	m->caps[i].len = s - m->caps[i].at;
	const char *r = match_here(m, s, p);
	if (!r)
		m->caps[i].len = CAP_OPEN;
	return r;
}

/* %1: the same text as the capture. */
static const char *match_again(struct matcher *m, const char *s, int digit)
{
	int i = digit - '1';

	if (i < 0 || i >= m->n_caps || m->caps[i].len == CAP_OPEN)
		luaL_error(m->L, "invalid capture index");
	ptrdiff_t len = m->caps[i].len;
	if (len < 0) /* a position: stands for no text */
		len = 0;
	m->steps += (int)(len / 16);
	step(m);
	if (m->text_end - s < len || memcmp(m->caps[i].at, s, (size_t)len))
		return NULL;
	return s + len;
}

/* The items that begin with '%' and are more than a class. *ret is the rest
 * of the match; false: not such an item. */
static bool match_escape(struct matcher *m, const char *s, const char *p,
			 const char **ret)
{
	if (p + 1 >= m->pat_end)
		return false;
	if (p[1] == 'b') {
		s = match_balance(m, s, p + 2);
		*ret = s ? match_here(m, s, p + 4) : NULL;
		return true;
	}
	if (p[1] == 'f') {
		if (p + 2 >= m->pat_end || p[2] != '[')
			luaL_error(m->L, "missing '[' after '%%f' in pattern");
		const char *end = item_end(m, p + 2);
		*ret = match_frontier(m, s, p + 2, end) ? match_here(m, s, end)
							: NULL;
		return true;
	}
	if (isdigit(byte(p + 1))) {
		s = match_again(m, s, byte(p + 1));
		*ret = s ? match_here(m, s, p + 2) : NULL;
		return true;
	}
	return false;
}

/* One item with its repetition. *ret_s, *ret_p: where to go on when it was a
 * single one; otherwise the result comes back. */
static const char *match_item(struct matcher *m, const char **s,
			      const char **p, bool *ret_more)
{
	const char *end = item_end(m, *p);
	char repeat = end < m->pat_end ? *end : 0;
	const char *r;

	*ret_more = false;
	switch (repeat) {
	case '?':
		if (item_matches(m, *s, *p, end) &&
		    (r = match_here(m, *s + 1, end + 1)))
			return r;
		*p = end + 1;
		*ret_more = true;
		return NULL;
	case '*': return match_most(m, *s, *p, end, 0);
	case '+': return match_most(m, *s, *p, end, 1);
	case '-': return match_least(m, *s, *p, end);
	default:
		if (!item_matches(m, *s, *p, end))
			return NULL;
		++*s;
		*p = end;
		*ret_more = true;
		return NULL;
	}
}

/* Where the match of the pattern from p on ends in the text, or NULL. */
const char *match_here(struct matcher *m, const char *s, const char *p)
{
	const char *r = NULL;

	if (++m->depth > MOST_DEPTH)
		luaL_error(m->L, "pattern too complex");
	step(m);
	for (bool more = true; more;) {
		if (p >= m->pat_end) {
			r = s;
			break;
		}
		if (*p == '(') {
			bool pos = p + 1 < m->pat_end && p[1] == ')';
			r = start_capture(m, s, p + (pos ? 2 : 1),
					  pos ? CAP_POSITION : CAP_OPEN);
			break;
		}
		if (*p == ')') {
			r = end_capture(m, s, p + 1);
			break;
		}
		if (*p == '$' && p + 1 == m->pat_end) {
			r = s == m->text_end ? s : NULL;
			break;
		}
		if (*p == '%' && match_escape(m, s, p, &r))
			break;
		r = match_item(m, &s, &p, &more);
	}
	assert(m->depth > 0 && m->n_caps >= 0 && m->n_caps <= MOST_CAPTURES);
	m->depth--;
	return r;
}

void match_push_one(struct matcher *m, int i, const char *s,
			 const char *e)
{
	if (i >= m->n_caps) {
		if (i)
			luaL_error(m->L, "invalid capture index");
		lua_pushlstring(m->L, s, (size_t)(e - s));
		return;
	}
	if (m->caps[i].len == CAP_POSITION)
		lua_pushinteger(m->L, m->caps[i].at - m->text + 1);
	else if (m->caps[i].len == CAP_OPEN)
		luaL_error(m->L, "unfinished capture");
	else
		lua_pushlstring(m->L, m->caps[i].at, (size_t)m->caps[i].len);
}

int match_push(struct matcher *m, const char *s, const char *e,
			 bool whole)
{
	int n = m->n_caps == 0 && whole ? 1 : m->n_caps;

	luaL_checkstack(m->L, n, "too many captures");
	for (int i = 0; i < n; i++)
		match_push_one(m, i, s, e);
	return n;
}

void matcher_init(struct matcher *m, lua_State *L, const char *text,
			 size_t len, const char *pat, size_t pat_len)
{
	m->L = L;
	m->text = text;
	m->text_end = text + len;
	m->pat_end = pat + pat_len;
	m->depth = m->steps = m->n_caps = 0;
}

const char *match_from(struct matcher *m, const char *s,
			      const char *pat, bool anchored,
			      const char **ret_s)
{
	for (;; s++) {
		m->n_caps = 0;
		const char *e = match_here(m, s, pat);
		if (e) {
			*ret_s = s;
			return e;
		}
		if (anchored || s >= m->text_end)
			return NULL;
	}
}
