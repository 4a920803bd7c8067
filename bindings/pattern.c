/*
 * string.find match gmatch gsub, with the syntax of Lua 5.1 patterns and a
 * count of steps: LuaJIT's own cannot be interrupted, and one pattern of 13
 * bytes ran 36 s on a text of 200. Raises; never allocates but through Lua.
 */
#include "bindings/api_int.h"

#include <ctype.h>
#include <string.h>

#define MOST_STEPS 1000000  /* a call; some 10 ms */
#define CHECK_STEPS 10000   /* between looks at the clock */
#define MOST_DEPTH 200      /* of recursion on the C stack */
#define MOST_CAPTURES 32
#define RESULT_BYTES (1 << 20)

enum { CAP_OPEN = -1, CAP_POSITION = -2 };

struct matcher {
	lua_State *L;
	const char *text, *text_end;
	const char *pat_end;
	int depth;
	int steps;
	int n_caps;
	struct {
		const char *at;
		ptrdiff_t len; /* or CAP_OPEN, CAP_POSITION */
	} caps[MOST_CAPTURES];
};

static const char *match_here(struct matcher *m, const char *s, const char *p);

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
static const char *match_here(struct matcher *m, const char *s, const char *p)
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
	m->depth--;
	return r;
}

/* Pushes capture i; without captures, i 0 is the whole match. */
static void push_capture(struct matcher *m, int i, const char *s,
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

static int push_captures(struct matcher *m, const char *s, const char *e,
			 bool whole)
{
	int n = m->n_caps == 0 && whole ? 1 : m->n_caps;

	luaL_checkstack(m->L, n, "too many captures");
	for (int i = 0; i < n; i++)
		push_capture(m, i, s, e);
	return n;
}

static void matcher_init(struct matcher *m, lua_State *L, const char *text,
			 size_t len, const char *pat, size_t pat_len)
{
	m->L = L;
	m->text = text;
	m->text_end = text + len;
	m->pat_end = pat + pat_len;
	m->depth = m->steps = m->n_caps = 0;
}

/* The first match at or behind s; *ret_s is where it begins. */
static const char *match_from(struct matcher *m, const char *s,
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

static bool is_plain(const char *pat, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (pat[i] && strchr("^$*+?.([%-", pat[i]))
			return false;
	}
	return true;
}

static const char *find_plain(lua_State *L, const char *s, const char *end,
			      const char *what, size_t n)
{
	/* memmem() is linear; what it costs is known by the lengths. */
	if ((size_t)(end - s) > 256u << 10)
		budget_check(L);
	return memmem(s, (size_t)(end - s), what, n);
}

/* Index (from 1, negative from the end) as an offset within [0, len]. */
static size_t start_of(lua_State *L, int arg, size_t len)
{
	lua_Integer i = luaL_optinteger(L, arg, 1);

	if (i < 0)
		i += (lua_Integer)len + 1;
	if (i < 1)
		i = 1;
	return (size_t)i - 1 > len ? len : (size_t)i - 1;
}

static int find_or_match(lua_State *L, bool find)
{
	size_t len, pat_len;
	const char *text = luaL_checklstring(L, 1, &len);
	const char *pat = luaL_checklstring(L, 2, &pat_len);
	const char *s = text + start_of(L, 3, len);
	const char *e;

	if (find && (lua_toboolean(L, 4) || is_plain(pat, pat_len))) {
		s = find_plain(L, s, text + len, pat, pat_len);
		if (!s) {
			lua_pushnil(L);
			return 1;
		}
		lua_pushinteger(L, s - text + 1);
		lua_pushinteger(L, s - text + (lua_Integer)pat_len);
		return 2;
	}
	struct matcher m;
	bool anchored = pat_len && *pat == '^';
	matcher_init(&m, L, text, len, pat, pat_len);
	e = match_from(&m, s, pat + anchored, anchored, &s);
	if (!e) {
		lua_pushnil(L);
		return 1;
	}
	if (!find)
		return push_captures(&m, s, e, true);
	lua_pushinteger(L, s - text + 1);
	lua_pushinteger(L, e - text);
	return 2 + push_captures(&m, s, e, false);
}

static int l_find(lua_State *L)
{
	return find_or_match(L, true);
}

static int l_match(lua_State *L)
{
	return find_or_match(L, false);
}

/* Upvalues: text, pattern, offset of the next try. */
static int gmatch_next(lua_State *L)
{
	size_t len, pat_len;
	const char *text = lua_tolstring(L, lua_upvalueindex(1), &len);
	const char *pat = lua_tolstring(L, lua_upvalueindex(2), &pat_len);
	size_t at = (size_t)lua_tointeger(L, lua_upvalueindex(3));
	const char *s;
	struct matcher m;

	if (at > len)
		return 0;
	matcher_init(&m, L, text, len, pat, pat_len);
	const char *e = match_from(&m, text + at, pat, false, &s);
	if (!e) {
		lua_pushinteger(L, (lua_Integer)len + 1);
		lua_replace(L, lua_upvalueindex(3));
		return 0;
	}
	/* An empty match moves on by one, or it would be found for ever. */
	lua_pushinteger(L, e - text + (e == s));
	lua_replace(L, lua_upvalueindex(3));
	return push_captures(&m, s, e, true);
}

static int l_gmatch(lua_State *L)
{
	luaL_checkstring(L, 1);
	luaL_checkstring(L, 2);
	lua_settop(L, 2);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, gmatch_next, 3);
	return 1;
}

/* What gsub has made so far: pieces on the Lua stack, joined when there are
 * many. A luaL_Buffer would put 8 KiB on the C stack at every nesting. */
struct joiner {
	lua_State *L;
	int base;       /* stack index under the first piece */
	size_t bytes;
};

static void join_all(struct joiner *j)
{
	int n = lua_gettop(j->L) - j->base;

	if (n > 1)
		lua_concat(j->L, n);
	else if (n == 0)
		lua_pushliteral(j->L, "");
}

/* The piece at the top of the stack was added. */
static void joined(struct joiner *j)
{
	j->bytes += lua_objlen(j->L, -1);
	if (j->bytes > RESULT_BYTES)
		luaL_error(j->L, "string.gsub makes more than %d bytes",
			   RESULT_BYTES);
	if (lua_gettop(j->L) - j->base >= 64)
		join_all(j);
}

static void join_text(struct joiner *j, const char *s, const char *e)
{
	if (s == e)
		return;
	lua_pushlstring(j->L, s, (size_t)(e - s));
	joined(j);
}

/* The replacement is a text with %0-%9 and %%. */
static void join_template(struct joiner *j, struct matcher *m, const char *s,
			  const char *e)
{
	size_t len;
	const char *r = lua_tolstring(m->L, 3, &len), *end = r + len;

	while (r < end) {
		const char *pc = memchr(r, '%', (size_t)(end - r));
		join_text(j, r, pc ? pc : end);
		if (!pc)
			return;
		if (pc + 1 == end)
			luaL_error(m->L, "replacement ends with '%%'");
		if (pc[1] == '0') {
			join_text(j, s, e);
		} else if (isdigit(byte(pc + 1))) {
			push_capture(m, pc[1] - '1', s, e);
			lua_tostring(m->L, -1); /* positions are numbers */
			joined(j);
		} else {
			join_text(j, pc + 1, pc + 2);
		}
		r = pc + 2;
	}
}

/* One match: the replacement by text, table or function. */
static void join_match(struct joiner *j, struct matcher *m, const char *s,
		       const char *e)
{
	lua_State *L = m->L;

	switch (lua_type(L, 3)) {
	case LUA_TTABLE:
		push_capture(m, 0, s, e);
		lua_gettable(L, 3);
		break;
	case LUA_TFUNCTION:
		budget_check(L); /* callbacks may nest on the C stack */
		lua_pushvalue(L, 3);
		lua_call(L, push_captures(m, s, e, true), 1);
		break;
	default:
		join_template(j, m, s, e);
		return;
	}
	if (!lua_toboolean(L, -1)) {
		lua_pop(L, 1);
		join_text(j, s, e);
		return;
	}
	if (!lua_isstring(L, -1))
		luaL_error(L, "invalid replacement value (a %s)",
			   luaL_typename(L, -1));
	lua_tostring(L, -1);
	joined(j);
}

static int l_gsub(lua_State *L)
{
	size_t len, pat_len;
	const char *s = luaL_checklstring(L, 1, &len);
	const char *pat = luaL_checklstring(L, 2, &pat_len);
	int type = lua_type(L, 3);
	lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)len + 1);
	bool anchored = pat_len && *pat == '^';
	lua_Integer n = 0;
	struct matcher m;

	luaL_argcheck(L, type == LUA_TNUMBER || type == LUA_TSTRING ||
		      type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
		      "string/function/table expected");
	lua_settop(L, 3);
	if (type == LUA_TNUMBER)
		lua_tostring(L, 3);
	luaL_checkstack(L, 100, "gsub");
	struct joiner j = { .L = L, .base = 3 };
	matcher_init(&m, L, s, len, pat + anchored, pat_len - anchored);
	while (n < most) {
		m.n_caps = 0;
		const char *e = match_here(&m, s, pat + anchored);
		if (e) {
			n++;
			join_match(&j, &m, s, e);
		}
		if (e && e > s) {
			s = e;
		} else if (s < m.text_end) {
			/* Runs of unmatched text go out in one piece. */
			const char *from = s++;
			while (!e && !anchored && s < m.text_end) {
				m.n_caps = 0;
				e = match_here(&m, s, pat);
				if (!e)
					s++;
			}
			join_text(&j, from, s);
		} else {
			break;
		}
		if (anchored)
			break;
	}
	join_text(&j, s, m.text_end);
	join_all(&j);
	lua_pushinteger(L, n);
	return 2;
}

void pattern_register(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "find", l_find },
		{ "match", l_match },
		{ "gmatch", l_gmatch },
		{ "gsub", l_gsub },
		{ NULL, NULL }
	};

	luaL_setfuncs(L, functions, 0);
}
