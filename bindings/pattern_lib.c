/*
 * string.find match gmatch gsub over our matcher: the syntax and results of
 * Lua 5.1, with ceilings. Inside vm_enter().
 */
#include "bindings/pattern_int.h"

#include <ctype.h>
#include <string.h>

#include "bindings/api_int.h"

#define RESULT_BYTES (1 << 20)

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
		return match_push(&m, s, e, true);
	lua_pushinteger(L, s - text + 1);
	lua_pushinteger(L, e - text);
	return 2 + match_push(&m, s, e, false);
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
	return match_push(&m, s, e, true);
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
		} else if (isdigit((unsigned char)pc[1])) {
			match_push_one(m, pc[1] - '1', s, e);
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
		match_push_one(m, 0, s, e);
		lua_gettable(L, 3);
		break;
	case LUA_TFUNCTION:
		budget_check(L); /* callbacks may nest on the C stack */
		lua_pushvalue(L, 3);
		lua_call(L, match_push(m, s, e, true), 1);
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

/* Goes through the text; the number of matches. */
static lua_Integer gsub_all(struct joiner *j, struct matcher *m,
			    const char *pat, bool anchored, lua_Integer most)
{
	const char *s = m->text;
	lua_Integer n = 0;

	while (n < most) {
		m->n_caps = 0;
		const char *e = match_here(m, s, pat);
		if (e) {
			n++;
			join_match(j, m, s, e);
		}
		if (e && e > s) {
			s = e;
		} else if (s < m->text_end) {
			/* Runs of unmatched text go out in one piece. */
			const char *from = s++;
			while (!e && !anchored && s < m->text_end) {
				m->n_caps = 0;
				e = match_here(m, s, pat);
				if (!e)
					s++;
			}
			join_text(j, from, s);
		} else {
			break;
		}
		if (anchored)
			break;
	}
	join_text(j, s, m->text_end);
	return n;
}

static int l_gsub(lua_State *L)
{
	size_t len, pat_len;
	const char *s = luaL_checklstring(L, 1, &len);
	const char *pat = luaL_checklstring(L, 2, &pat_len);
	int type = lua_type(L, 3);
	lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)len + 1);
	bool anchored = pat_len && *pat == '^';
	struct joiner j = { .L = L, .base = 3 };
	struct matcher m;

	luaL_argcheck(L, type == LUA_TNUMBER || type == LUA_TSTRING ||
		      type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
		      "string/function/table expected");
	lua_settop(L, 3);
	if (type == LUA_TNUMBER)
		lua_tostring(L, 3);
	luaL_checkstack(L, 100, "gsub");
	matcher_init(&m, L, s, len, pat + anchored, pat_len - anchored);
	lua_Integer n = gsub_all(&j, &m, pat + anchored, anchored, most);
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
