/*
 * The names a script sees: an allow-list. No io, debug, ffi, jit, package, no
 * load of text or bytecode; patterns, rep and format are ours (ceilings).
 * Globals are a read-only view: writing one or reading an unknown one raises.
 */
#include "bindings/api_int.h"

#include <stdlib.h>
#include <string.h>

#include <lualib.h>

#define TEXT_BYTES (64 << 10) /* most bytes rep() and format() make */

static const char *const base_names[] = {
	"assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall",
	"rawequal", "rawget", "select", "setmetatable", "tonumber", "tostring",
	"type", "unpack", NULL
};
static const char *const string_names[] = {
	"byte", "char", "len", "lower", "reverse", "sub", "upper", NULL
};
static const char *const table_names[] = {
	"concat", "insert", "maxn", "remove", "sort", NULL
};
static const char *const coroutine_names[] = {
	"create", "resume", "running", "status", "wrap", "yield", NULL
};
static const char *const math_names[] = {
	"abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "deg",
	"exp", "floor", "fmod", "frexp", "huge", "ldexp", "log", "log10",
	"max", "min", "modf", "pi", "pow", "rad", "random", "randomseed",
	"sin", "sinh", "sqrt", "tan", "tanh", NULL
};
static const char *const bit_names[] = {
	"arshift", "band", "bnot", "bor", "bswap", "bxor", "lshift", "rol",
	"ror", "rshift", "tobit", "tohex", NULL
};

/* What people reach for, and what there is instead. */
static const char *const hints[][2] = {
	{ "print", "log.info(\"name\", { field = value })" },
	{ "io", "nothing: a script has no files" },
	{ "debug", "nothing: errors are logged with a traceback" },
	{ "load", "require(\"module\")" },
	{ "loadstring", "require(\"module\")" },
	{ "dofile", "require(\"module\")" },
	{ "rawset", "setmetatable() with __newindex" },
	{ "collectgarbage", "nothing: memory is collected by itself" },
	{ "package", "require(\"module\")" },
	{ "ffi", "nothing: C is not reachable" },
	{ "jit", "nothing: scripts are interpreted" },
};

/* string.rep(s, n [, sep]), at most 64 KiB. */
static int l_string_rep(lua_State *L)
{
	size_t len, sep_len = 0;
	const char *s = luaL_checklstring(L, 1, &len);
	lua_Number n = luaL_checknumber(L, 2);
	const char *sep = luaL_optlstring(L, 3, "", &sep_len);

	if (!(n >= 1)) {
		lua_pushliteral(L, "");
		return 1;
	}
	if ((lua_Number)(len + sep_len) * n > TEXT_BYTES)
		return luaL_error(L, "string.rep makes more than %d bytes",
				  TEXT_BYTES);
	if (len + sep_len == 0) {
		lua_pushliteral(L, "");
		return 1;
	}
	luaL_Buffer b;
	luaL_buffinit(L, &b);
	for (int i = 0, times = (int)n; i < times; i++) {
		luaL_addlstring(&b, s, len);
		if (i + 1 < times)
			luaL_addlstring(&b, sep, sep_len);
	}
	luaL_pushresult(&b);
	return 1;
}

/* string.format(fmt, ...): LuaJIT's own, once the sum of what goes in shows
 * that at most about 64 KiB come out (widths have two digits at most). */
static int l_string_format(lua_State *L)
{
	size_t sum = 0;
	int n = lua_gettop(L);

	for (int i = 1; i <= n; i++) {
		if (lua_type(L, i) == LUA_TSTRING)
			sum += lua_objlen(L, i);
	}
	if (sum > TEXT_BYTES)
		return luaL_error(L, "string.format of more than %d bytes",
				  TEXT_BYTES);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, n, 1);
	return 1;
}

static int l_readonly(lua_State *L)
{
	const char *what = lua_tostring(L, lua_upvalueindex(1));
	const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";

	return luaL_error(L, "%s is read-only: '%s' cannot be written", what, key);
}

void sandbox_freeze(lua_State *L, const char *what)
{
	lua_newtable(L);                      /* t view */
	lua_createtable(L, 0, 3);             /* t view mt */
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pushstring(L, what);
	lua_pushcclosure(L, l_readonly, 1);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);              /* t view */
	lua_remove(L, -2);                    /* view */
}

static int l_unknown_global(lua_State *L)
{
	const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";

	for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
		if (!strcmp(hints[i][0], key))
			return luaL_error(L, "'%s' is not there for scripts; use %s",
					  key, hints[i][1]);
	}
	return luaL_error(L, "unknown global '%s' (a typo, or a missing local?)",
			  key);
}

static int l_global_write(lua_State *L)
{
	const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";

	return luaL_error(L, "globals are not written: put 'local' before '%s'",
			  key);
}

/* Copies the named fields of the table at from into the one at to. */
static void copy_names(lua_State *L, int from, int to,
		       const char *const *names)
{
	for (; *names; names++) {
		lua_getfield(L, from, *names);
		lua_setfield(L, to, *names);
	}
}

static void open_library(lua_State *L, lua_CFunction open, const char *name)
{
	lua_pushcfunction(L, open);
	lua_pushstring(L, name);
	lua_call(L, 1, 0);
}

/* Moves a library into the names at env, cut to the list and frozen. */
static void keep_library(lua_State *L, int env, const char *name,
			 const char *const *names)
{
	lua_getglobal(L, name);
	lua_newtable(L);
	copy_names(L, lua_gettop(L) - 1, lua_gettop(L), names);
	sandbox_freeze(L, name);
	lua_setfield(L, env, name);
	lua_pop(L, 1);
}

/* string: ours for what can take long, and the metatable of every string. */
static void keep_string(lua_State *L, int env)
{
	lua_getglobal(L, "string");             /* lib */
	lua_newtable(L);                        /* lib t */
	copy_names(L, lua_gettop(L) - 1, lua_gettop(L), string_names);
	pattern_register(L);
	lua_pushcfunction(L, l_string_rep);
	lua_setfield(L, -2, "rep");
	lua_getfield(L, -2, "format");
	lua_pushcclosure(L, l_string_format, 1);
	lua_setfield(L, -2, "format");

	lua_pushliteral(L, "");
	lua_getmetatable(L, -1);                /* lib t "" mt */
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 2);                          /* lib t */
	sandbox_freeze(L, "string");
	lua_setfield(L, env, "string");
	lua_pop(L, 1);
}

/* Puts the view of the names at env in the place of the globals. */
static void replace_globals(lua_State *L, int env)
{
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, l_unknown_global);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, env);

	lua_newtable(L);                        /* G */
	lua_createtable(L, 0, 3);               /* G mt */
	lua_pushvalue(L, env);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, l_global_write);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_replace(L, LUA_GLOBALSINDEX);
	lua_pushnil(L);
	lua_setfield(L, LUA_REGISTRYINDEX, "_LOADED");
}

void sandbox_open(lua_State *L)
{
	open_library(L, luaopen_base, "");
	open_library(L, luaopen_string, "string");
	open_library(L, luaopen_table, "table");
	open_library(L, luaopen_math, "math");
	open_library(L, luaopen_bit, "bit");

	lua_newtable(L);
	int env = lua_gettop(L);
	copy_names(L, LUA_GLOBALSINDEX, env, base_names);
	lua_pushliteral(L, "Lua 5.1");
	lua_setfield(L, env, "_VERSION");
	keep_string(L, env);
	keep_library(L, env, "table", table_names);
	keep_library(L, env, "coroutine", coroutine_names);
	keep_library(L, env, "math", math_names);
	keep_library(L, env, "bit", bit_names);
	replace_globals(L, env);
	api_register(L, env);
	lua_settop(L, 0);
}
