/*
 * The call object: fields to look at, methods that speak, wait and end. Each
 * method checks, acts, pushes. On the loop, inside vm_enter().
 */
#include "bindings/api_int.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "bindings/bundle_int.h"
#include "bindings/policy_int.h"

#define TEXT_MOST 4000 /* bytes of one text to say: some four minutes */

/* Text at 2, options at 3: { language, interruptible, remember }. */
static struct call_say check_say(lua_State *L, struct call *c)
{
	size_t len;
	struct call_say s = { .text = luaL_checklstring(L, 2, &len) };

	luaL_argcheck(L, !str_blank(s.text), 2, "text is empty");
	luaL_argcheck(L, len <= TEXT_MOST && strlen(s.text) == len, 2,
		      "text is longer than 4,000 bytes or has NUL in it");
	(void)c;
	if (lua_isnoneornil(L, 3))
		return s;
	luaL_checktype(L, 3, LUA_TTABLE);
	lua_settop(L, 3);
	for (lua_pushnil(L); lua_next(L, 3); lua_pop(L, 1)) {
		const char *key = lua_type(L, -2) == LUA_TSTRING ?
				  lua_tostring(L, -2) : "?";
		if (!strcmp(key, "language") && lua_type(L, -1) == LUA_TSTRING)
			s.language = lua_tostring(L, -1); /* held by 3 */
		else if (!strcmp(key, "interruptible") && lua_isboolean(L, -1))
			s.uninterruptible = !lua_toboolean(L, -1);
		else if (!strcmp(key, "remember") && lua_isboolean(L, -1))
			s.forget = !lua_toboolean(L, -1);
		else
			luaL_error(L, "bad argument #2 to 'say' (option '%s': "
				   "there are language = text, interruptible = "
				   "boolean, remember = boolean)", key);
	}
	return s;
}

/* call:say(text [, options]) */
static int l_call_say(lua_State *L)
{
	struct call *c = check_live_call(L);
	struct call_say s = check_say(L, c);
	uint32_t id;

	int r = call_say(c, &s, &id);
	if (r < 0)
		return push_err(L, r);
	lua_pushboolean(L, 1);
	return 1;
}

static int push_said(lua_State *L, struct task *t)
{
	if (t->status == 0) {
		lua_pushboolean(L, 1);
		return 1;
	}
	if (t->status == -ECANCELED)
		push_fail(L, "ECANCELED", "cut short");
	else
		push_err(L, t->status);
	lua_pushstring(L, t->heard ? t->heard : "");
	return 4;
}

static void said(void *arg, int status, const char *heard)
{
	struct task *t = arg;

	assert(t->state == TASK_WAITING);
	t->status = status;
	str_set(&t->heard, heard);
	task_wake(t, push_said);
}

static void forget_said(void *arg)
{
	struct task *t = arg;

	if (t->policy->call)
		call_said_forget(t->policy->call, t);
}

/* call:say_wait(text [, options]) */
static int l_call_say_wait(lua_State *L)
{
	struct call *c = check_live_call(L);
	struct call_say s = check_say(L, c);
	struct task *t = task_check_wait(L, "call:say_wait");
	uint32_t id;

	int r = call_say(c, &s, &id);
	if (r < 0)
		return push_err(L, r);
	check_live(L); /* what was said last may have ended it */
	task_wait(t, forget_said, t, true);
	call_on_said(c, id, said, t);
	return lua_yield(L, 0);
}

/* call:say_line(name) */
static int l_call_say_line(lua_State *L)
{
	struct call *c = check_live_call(L);
	const char *name = luaL_checkstring(L, 2);
	uint32_t id;

	int r = call_say_line(c, name, &id);
	if (r < 0)
		return push_err(L, r);
	lua_pushboolean(L, 1);
	return 1;
}

/* call:reply([extra]) */
static int l_call_reply(lua_State *L)
{
	struct call *c = check_live_call(L);

	call_reply(c, luaL_optstring(L, 2, NULL));
	return 0;
}

/* call:hangup([reason]) */
static int l_call_hangup(lua_State *L)
{
	struct call *c = check_live_call(L);

	call_hangup(c, luaL_optstring(L, 2, "script"));
	return 0;
}

static int push_transferred(lua_State *L, struct task *t)
{
	if (t->status == 0) {
		lua_pushboolean(L, 1);
		return 1;
	}
	push_err(L, t->status);
	lua_pushinteger(L, t->sip_status);
	return 4;
}

static void transferred(void *arg, int err, int sip_status)
{
	struct task *t = arg;

	assert(t->state == TASK_WAITING);
	t->status = err;
	t->sip_status = sip_status;
	task_wake(t, push_transferred);
}

static void forget_transfer(void *arg)
{
	struct task *t = arg;

	if (t->policy->call)
		call_transfer_forget(t->policy->call);
}

/* call:transfer(to) */
static int l_call_transfer(lua_State *L)
{
	struct call *c = check_live_call(L);
	const char *to = luaL_checkstring(L, 2);
	struct task *t = task_check_wait(L, "call:transfer");

	luaL_argcheck(L, to[0] == '+' || strchr(to, ':'), 2,
		      "a number with + and country code, or a SIP address");
	int r = call_transfer(c, to, transferred, t);
	if (r < 0)
		return push_err(L, r);
	check_live(L);
	task_wait(t, forget_transfer, t, true);
	return lua_yield(L, 0);
}

/* call:set_language(tag) */
static int l_call_set_language(lua_State *L)
{
	struct call *c = check_live_call(L);
	const char *tag = luaL_checkstring(L, 2);

	int r = call_set_language(c, tag);
	if (r == ERR_REQUEST)
		return push_fail(L, "ERR_REQUEST", "the clinic has no language "
				 "'%s'", tag);
	if (r < 0)
		return push_err(L, r);
	lua_pushboolean(L, 1);
	return 1;
}

/* call:await(what [, digits]) */
static int l_call_await(lua_State *L)
{
	static const char *const names[] = { "any", "short", "digits", "long",
					     NULL };
	struct call *c = check_live_call(L);

	int what = luaL_checkoption(L, 2, NULL, names);
	lua_Number digits = luaL_optnumber(L, 3, 0);

	luaL_argcheck(L, lua_isnoneornil(L, 3) || what == CALL_AWAIT_DIGITS, 3,
		      "only \"digits\" has a number of them");
	luaL_argcheck(L, lua_isnoneornil(L, 3) || (digits >= 1 && digits <= 32 &&
		      digits == (int)digits), 3, "a whole number from 1 to 32");
	call_await(c, (enum call_await)what, (int)digits);
	return 0;
}

/* call:send_dtmf(keys) */
static int l_call_send_dtmf(lua_State *L)
{
	struct call *c = check_live_call(L);
	size_t len;
	const char *keys = luaL_checklstring(L, 2, &len);

	luaL_argcheck(L, len > 0 && len <= 64 &&
		      strspn(keys, "0123456789*#ABCD") == len, 2,
		      "1 to 64 keys of 0-9 * # A-D");
	int r = call_send_dtmf(c, keys);
	if (r < 0)
		return push_err(L, r);
	lua_pushboolean(L, 1);
	return 1;
}

/* call:attribute(key) */
static int l_call_attribute(lua_State *L)
{
	struct call *c = check_call(L);

	lua_pushstring(L, call_caller_attribute(c, luaL_checkstring(L, 2)));
	return 1;
}

/* call:set_attribute(key, value) */
static int l_call_set_attribute(lua_State *L)
{
	struct call *c = check_live_call(L);
	const char *key = luaL_checkstring(L, 2);

	call_set_attribute(c, key, luaL_checkstring(L, 3));
	return 0;
}

const luaL_Reg api_call_methods[] = {
	{ "say", l_call_say },
	{ "say_wait", l_call_say_wait },
	{ "say_line", l_call_say_line },
	{ "reply", l_call_reply },
	{ "hangup", l_call_hangup },
	{ "transfer", l_call_transfer },
	{ "set_language", l_call_set_language },
	{ "await", l_call_await },
	{ "send_dtmf", l_call_send_dtmf },
	{ "attribute", l_call_attribute },
	{ "set_attribute", l_call_set_attribute },
	{ NULL, NULL }
};

static void push_metadata(lua_State *L, struct call *c)
{
	const char *text = call_metadata(c);

	if (*text != '{' || !json_push_text(L, text, strlen(text)))
		lua_pushstring(L, text);
}

/* Fields, read anew each time. */
static int push_field(lua_State *L, struct call *c, const char *key)
{
	if (!strcmp(key, "id"))
		lua_pushstring(L, call_id(c));
	else if (!strcmp(key, "room"))
		lua_pushstring(L, call_room(c));
	else if (!strcmp(key, "caller"))
		lua_pushstring(L, call_caller_number(c));
	else if (!strcmp(key, "number_called"))
		lua_pushstring(L, call_number_called(c));
	else if (!strcmp(key, "language"))
		lua_pushstring(L, call_language(c));
	else if (!strcmp(key, "elapsed_ms"))
		lua_pushnumber(L, call_ms(c));
	else if (!strcmp(key, "clinic"))
		lua_getfield(L, LUA_REGISTRYINDEX, KEY_CLINIC);
	else if (!strcmp(key, "state"))
		lua_getfield(L, LUA_REGISTRYINDEX, KEY_STATE);
	else if (!strcmp(key, "metadata"))
		push_metadata(L, c);
	else if (!strcmp(key, "history"))
		marshal_push(L, call_history(c));
	else
		return luaL_error(L, "a call has no '%s'", key);
	return 1;
}

static int l_call_index(lua_State *L)
{
	const char *key = luaL_checkstring(L, 2);

	lua_pushvalue(L, 2);
	lua_rawget(L, lua_upvalueindex(1));
	if (!lua_isnil(L, -1))
		return 1;
	return push_field(L, check_call(L), key);
}

static int l_call_newindex(lua_State *L)
{
	return luaL_error(L, "a call's fields are not written: keep your own in "
			  "call.state");
}

void api_call_register(lua_State *L)
{
	luaL_newmetatable(L, "call");           /* mt */
	lua_newtable(L);                        /* mt methods */
	luaL_setfuncs(L, api_call_methods, 0);
	lua_pushcclosure(L, l_call_index, 1);   /* mt index */
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, l_call_newindex);
	lua_setfield(L, -2, "__newindex");
	lua_pushliteral(L, "call");
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 1);
}

void api_call_push(lua_State *L, struct policy *p)
{
	*(struct policy **)lua_newuserdata(L, sizeof p) = p;
	luaL_getmetatable(L, "call");
	lua_setmetatable(L, -2);
}
