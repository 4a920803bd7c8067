/*
 * log.info, log.warn, log.error: events, not sentences. The name is a
 * constant by its form; values are personal unless they are numbers, truths
 * or marked by log.public(). Inside vm_enter().
 */
#include "bindings/api_int.h"

#include <string.h>

#include "base/log.h"
#include "bindings/policy_int.h"

#define MOST_FIELDS 16

/* A name has no room for what somebody said: one word, lower case. */
static const char *check_name(lua_State *L)
{
	size_t len;
	const char *s = luaL_checklstring(L, 1, &len);

	luaL_argcheck(L, len > 0 && len <= 48 && *s >= 'a' && *s <= 'z' &&
		      strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._") == len,
		      1, "a constant name like \"slots.none\"; put values into "
		      "the fields");
	return s;
}

/* The field's value at the top; texts are borrowed from the table. */
static struct log_field field_of(lua_State *L, const char *key)
{
	switch (lua_type(L, -1)) {
	case LUA_TNUMBER:
		return (struct log_field)LOG_REAL(key, lua_tonumber(L, -1));
	case LUA_TBOOLEAN:
		return (struct log_field)LOG_STR(key, lua_toboolean(L, -1) ?
						 "true" : "false");
	case LUA_TSTRING:
		return (struct log_field)LOG_PII(key, lua_tostring(L, -1));
	case LUA_TUSERDATA:
		if (luaL_testudata(L, -1, "fd.public"))
			return (struct log_field)LOG_STR(key,
							 lua_touserdata(L, -1));
		/* fall through */
	default:
		return (struct log_field)LOG_STR(key, luaL_typename(L, -1));
	}
}

static size_t read_fields(lua_State *L, struct log_field *f, size_t most)
{
	size_t n = 0;

	if (lua_isnoneornil(L, 2))
		return 0;
	luaL_checktype(L, 2, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
		luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING, 2,
			      "the fields' names are texts");
		luaL_argcheck(L, n < most, 2, "at most 16 fields");
		f[n++] = field_of(L, lua_tostring(L, -2));
	}
	return n;
}

static int write_event(lua_State *L, enum log_level level)
{
	struct log_field f[MOST_FIELDS + 4];
	const char *name = check_name(L);
	struct vm *vm = vm_of(L);
	struct policy *p = vm->policy;

	if (++vm->events > VM_RUN_EVENTS)
		return 0; /* writing more would hold up the loop */
	if (vm->events == VM_RUN_EVENTS)
		name = "log.full";
	lua_settop(L, 2);
	size_t n = read_fields(L, f, MOST_FIELDS);
	if (p && p->call) {
		f[n++] = (struct log_field)LOG_STR("call", call_id(p->call));
		f[n++] = (struct log_field)LOG_STR("clinic",
				bundle_clinic(p->bundle)->name);
	}
	f[n++] = (struct log_field)LOG_STR("script", name);
	f[n] = (struct log_field){ 0 };
	log_write(level, "script", f);
	return 0;
}

/* log.info(name [, fields]) */
static int l_log_info(lua_State *L)
{
	return write_event(L, LOG_INFO);
}

/* log.warn(name [, fields]) */
static int l_log_warn(lua_State *L)
{
	return write_event(L, LOG_WARN);
}

/* log.error(name [, fields]) */
static int l_log_error(lua_State *L)
{
	return write_event(L, LOG_ERROR);
}

/* log.public(text): the script vouches that nothing in it is personal. */
static int l_log_public(lua_State *L)
{
	size_t len;
	const char *s = luaL_checklstring(L, 1, &len);

	luaL_argcheck(L, len <= 200, 1, "at most 200 bytes");
	memcpy(lua_newuserdata(L, len + 1), s, len + 1);
	luaL_newmetatable(L, "fd.public");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	return 1;
}

const luaL_Reg api_log_functions[] = {
	{ "info", l_log_info },
	{ "warn", l_log_warn },
	{ "error", l_log_error },
	{ "public", l_log_public },
	{ NULL, NULL }
};

void api_log_register(lua_State *L, int env)
{
	lua_newtable(L);
	luaL_setfuncs(L, api_log_functions, 0);
	sandbox_freeze(L, "log");
	lua_setfield(L, env, "log");
}
