/*
 * What every file of the API shares: failures as values, checks of the call,
 * and the order in which the names are put together. Inside vm_enter().
 */
#include "bindings/api_int.h"

#include <stdarg.h>

#include "base/err.h"
#include "bindings/policy_int.h"

int push_err(lua_State *L, int r)
{
	lua_pushnil(L);
	lua_pushstring(L, err_text(r));
	lua_pushstring(L, err_name(r));
	return 3;
}

int push_fail(lua_State *L, const char *code, const char *fmt, ...)
{
	va_list ap;

	lua_pushnil(L);
	va_start(ap, fmt);
	lua_pushvfstring(L, fmt, ap);
	va_end(ap);
	lua_pushstring(L, code);
	return 3;
}

struct policy *check_policy(lua_State *L)
{
	struct vm *vm = vm_of(L);
	struct policy *p = vm->policy;

	if (!p)
		luaL_error(L, "there is no call while a clinic is loaded");
	if (!p->call)
		luaL_error(L, "call is over");
	/* What the host asks back meanwhile enters through this state. */
	vm->cur = L;
	return p;
}

struct policy *check_live(lua_State *L)
{
	struct policy *p = check_policy(L);

	if (p->over)
		luaL_error(L, "call is over");
	return p;
}

static void check_self(lua_State *L)
{
	if (!luaL_testudata(L, 1, "call"))
		luaL_error(L, "bad argument #1 (the call itself: write "
			   "call:name(), not call.name())");
}

struct call *check_call(lua_State *L)
{
	check_self(L);
	return check_policy(L)->call;
}

/* A script in a loop would fill the host's queues long before its time is
 * up. */
struct call *check_live_call(lua_State *L)
{
	check_self(L);
	struct policy *p = check_live(L);
	if (++p->vm->requests > VM_RUN_REQUESTS)
		luaL_error(L, "more than %d requests of the call in one run",
			   VM_RUN_REQUESTS);
	return p->call;
}

static void load_prelude(lua_State *L, int env)
{
	const struct shipped_lua *s = shipped_lua_find("prelude");

	if (luaL_loadbuffer(L, (const char *)s->text, s->len, "=prelude"))
		lua_error(L);
	lua_call(L, 0, 1);
	lua_getfield(L, -1, "xpcall");
	lua_setfield(L, env, "xpcall");
	lua_setfield(L, LUA_REGISTRYINDEX, KEY_PRELUDE);
}

void api_register(lua_State *L, int env)
{
	marshal_register(L);
	lua_newtable(L);
	lua_setfield(L, LUA_REGISTRYINDEX, KEY_MODULES);
	api_call_register(L);
	api_log_register(L, env);
	api_time_register(L, env);
	api_json_register(L, env);
	api_host_register(L, env);
	load_prelude(L, env);
}
