/* json.encode, json.decode, json.array, json.null. Inside vm_enter(). */
#include "bindings/api_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* A tree that outlives a raise: it hangs on a userdata with a finalizer. */
static int collect_tree(lua_State *L)
{
	cJSON **box = lua_touserdata(L, 1);

	cJSON_Delete(*box);
	*box = NULL;
	return 0;
}

static cJSON **push_box(lua_State *L)
{
	cJSON **box = lua_newuserdata(L, sizeof *box);

	*box = NULL;
	if (luaL_newmetatable(L, "fd.tree")) {
		lua_pushcfunction(L, collect_tree);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return box;
}

bool json_push_text(lua_State *L, const char *text, size_t n)
{
	cJSON **box = push_box(L);

	*box = json_parse(text, n);
	if (*box) {
		marshal_push(L, *box);
		lua_remove(L, -2);
		return true;
	}
	lua_pop(L, 1);
	return false;
}

/* json.encode(value) */
static int l_json_encode(lua_State *L)
{
	const char *why;
	cJSON *tree;

	luaL_checkany(L, 1);
	cJSON **box = push_box(L);
	if (marshal_read(L, 1, &tree, &why) < 0)
		return luaL_error(L, "bad argument #1 to 'encode' (%s)", why);
	/* The text hangs in the box while pushing it may raise. */
	char *text = json_text(tree);
	cJSON_Delete(tree);
	*box = cJSON_CreateRaw(text);
	free(text);
	lua_pushstring(L, *box ? (*box)->valuestring : "null");
	return 1;
}

/* json.decode(text) */
static int l_json_decode(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);

	if (len > MARSHAL_BYTES)
		return push_fail(L, "EMSGSIZE", "more than 256 KiB of JSON");
	if (!json_push_text(L, text, len))
		return push_fail(L, "ERR_PROTOCOL", "not JSON");
	return 1;
}

/* json.array([table]) */
static int l_json_array(lua_State *L)
{
	lua_settop(L, 1);
	if (lua_isnil(L, 1)) {
		lua_newtable(L);
		lua_replace(L, 1);
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	marshal_mark_array(L);
	return 1;
}

const luaL_Reg api_json_functions[] = {
	{ "encode", l_json_encode },
	{ "decode", l_json_decode },
	{ "array", l_json_array },
	{ NULL, NULL }
};

void api_json_register(lua_State *L, int env)
{
	lua_newtable(L);
	luaL_setfuncs(L, api_json_functions, 0);
	lua_pushlightuserdata(L, NULL);
	lua_setfield(L, -2, "null");
	sandbox_freeze(L, "json");
	lua_setfield(L, env, "json");
}
