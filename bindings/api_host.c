/*
 * host (read-only: clinic, bundle, version, diary) and require(). Inside
 * vm_enter(). require() reads no file: a module is a compiled chunk of the
 * bundle or a library shipped inside the program.
 */
#include "bindings/api_int.h"

#include <string.h>

#include "base/str.h"
#include "bindings/bundle_int.h"

const struct shipped_lua *shipped_lua_find(const char *name)
{
	for (size_t i = 0; i < shipped_lua_n; i++) {
		if (!strcmp(shipped_lua[i].name, name))
			return &shipped_lua[i];
	}
	return NULL;
}

/* Pushes the module's function. */
static void push_loader(lua_State *L, const char *module)
{
	const struct bundle *b = vm_of(L)->bundle;
	const struct chunk *c = b ? bundle_chunk(b, module) : NULL;
	const struct shipped_lua *s = shipped_lua_find(module);
	int r;

	if (s) {
		lua_pushfstring(L, "=lib/%s.lua", module);
		r = luaL_loadbuffer(L, (const char *)s->text, s->len,
				    lua_tostring(L, -1));
		lua_remove(L, -2);
	} else if (c && c->code) {
		r = luaL_loadbuffer(L, c->code, c->code_len, c->file);
	} else {
		luaL_error(L, "there is no module '%s' in the clinic's folder or "
			   "among the shipped ones", module);
		return;
	}
	if (r)
		lua_error(L);
}

void bundle_require(lua_State *L, const char *module)
{
	budget_check(L); /* modules that require each other nest */
	lua_getfield(L, LUA_REGISTRYINDEX, KEY_MODULES); /* mods */
	lua_getfield(L, -1, module);                     /* mods v */
	if (!lua_isnil(L, -1)) {
		if (lua_islightuserdata(L, -1))
			luaL_error(L, "module '%s' requires itself", module);
		lua_remove(L, -2);
		return;
	}
	lua_pop(L, 1);
	push_loader(L, module);                          /* mods f */
	lua_pushlightuserdata(L, (void *)module);
	lua_setfield(L, -3, module);                     /* being loaded */
	if (lua_pcall(L, 0, 1, 0)) {
		lua_pushnil(L);
		lua_setfield(L, -3, module);
		lua_error(L);
	}
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_pushboolean(L, 1);
	}
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, module);                     /* mods v */
	lua_remove(L, -2);
}

/* require(module) */
static int l_require(lua_State *L)
{
	size_t len;
	const char *module = luaL_checklstring(L, 1, &len);

	luaL_argcheck(L, len > 0 && len < 100 && !strpbrk(module, "/\\") &&
		      !strstr(module, ".."), 1,
		      "a module's name, like \"menu\" or \"flows.booking\"");
	bundle_require(L, module);
	return 1;
}

const luaL_Reg api_globals[] = {
	{ "require", l_require },
	{ NULL, NULL }
};

/* host.x for what is not known before the clinic is loaded. */
static int l_host_index(lua_State *L)
{
	struct bundle *b = vm_of(L)->bundle;
	const char *key = luaL_checkstring(L, 2);

	if (!strcmp(key, "clinic")) {
		lua_getfield(L, LUA_REGISTRYINDEX, KEY_CLINIC);
	} else if (!strcmp(key, "bundle")) {
		lua_pushstring(L, b ? b->hash : "");
	} else if (!strcmp(key, "name")) {
		lua_pushstring(L, b ? b->clinic.name : "");
	} else {
		return luaL_error(L, "host has no '%s'", key);
	}
	return 1;
}

void api_host_register(lua_State *L, int env)
{
	lua_newtable(L);
	lua_pushliteral(L, FD_VERSION);
	lua_setfield(L, -2, "version");
	api_diary_push(L);
	lua_setfield(L, -2, "diary");
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, l_host_index);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	sandbox_freeze(L, "host");
	lua_setfield(L, env, "host");
	lua_pushvalue(L, env);
	luaL_setfuncs(L, api_globals, 0);
	lua_pop(L, 1);
}
