/*
 * Lua values and JSON trees, both ways, within limits of depth and size.
 * A table is an array when its keys are 1..n, or when it was marked; an empty
 * one is an object unless marked. On the loop, inside vm_enter().
 */
#include "bindings/api_int.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static const char array_key; /* its address names the metatable */

struct reader {
	lua_State *L;
	int nodes;
	size_t bytes;
	const char *why;
};

void marshal_register(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)&array_key);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "array");
	lua_setfield(L, -2, "__metatable");
	lua_rawset(L, LUA_REGISTRYINDEX);
}

void marshal_mark_array(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)&array_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	lua_setmetatable(L, -2);
}

static void push_at(lua_State *L, const cJSON *t, int depth)
{
	if (depth > MARSHAL_DEPTH)
		luaL_error(L, "JSON nests deeper than %d", MARSHAL_DEPTH);
	luaL_checkstack(L, 4, "JSON");
	if (cJSON_IsString(t)) {
		lua_pushstring(L, t->valuestring);
	} else if (cJSON_IsNumber(t)) {
		lua_pushnumber(L, t->valuedouble);
	} else if (cJSON_IsBool(t)) {
		lua_pushboolean(L, cJSON_IsTrue(t));
	} else if (cJSON_IsArray(t)) {
		int i = 0;
		lua_newtable(L);
		marshal_mark_array(L);
		for (const cJSON *e = t->child; e; e = e->next) {
			push_at(L, e, depth + 1);
			lua_rawseti(L, -2, ++i);
		}
	} else if (cJSON_IsObject(t)) {
		lua_newtable(L);
		for (const cJSON *e = t->child; e; e = e->next) {
			if (cJSON_IsNull(e))
				continue;
			lua_pushstring(L, e->string);
			push_at(L, e, depth + 1);
			lua_rawset(L, -3);
		}
	} else {
		lua_pushlightuserdata(L, NULL); /* json.null */
	}
}

void marshal_push(lua_State *L, const cJSON *tree)
{
	push_at(L, tree, 0);
}

static cJSON *read_at(struct reader *r, int i, int depth);

static bool is_array(lua_State *L, int i, size_t *ret_n)
{
	size_t n = lua_objlen(L, i), keys = 0;

	if (n == 0 && lua_getmetatable(L, i)) {
		lua_pushlightuserdata(L, (void *)&array_key);
		lua_rawget(L, LUA_REGISTRYINDEX);
		bool marked = lua_rawequal(L, -1, -2);
		lua_pop(L, 2);
		if (marked) {
			*ret_n = 0;
			return true;
		}
	}
	lua_pushnil(L);
	while (lua_next(L, i)) {
		lua_pop(L, 1);
		if (lua_type(L, -1) != LUA_TNUMBER || ++keys > n) {
			lua_pop(L, 1);
			return false;
		}
	}
	*ret_n = n;
	return n > 0 && keys == n;
}

static cJSON *read_array(struct reader *r, int i, size_t n, int depth)
{
	lua_State *L = r->L;
	cJSON *a = cJSON_CreateArray();

	for (size_t k = 1; a && k <= n; k++) {
		lua_rawgeti(L, i, (int)k);
		cJSON *e = read_at(r, lua_gettop(L), depth + 1);
		lua_pop(L, 1);
		if (!e || !cJSON_AddItemToArray(a, e)) {
			cJSON_Delete(e);
			cJSON_Delete(a);
			return NULL;
		}
	}
	return a;
}

static cJSON *read_object(struct reader *r, int i, int depth)
{
	lua_State *L = r->L;
	cJSON *o = cJSON_CreateObject();

	lua_pushnil(L);
	while (o && lua_next(L, i)) {
		cJSON *e = NULL;
		if (lua_type(L, -2) != LUA_TSTRING)
			r->why = "the keys of a table are neither 1..n nor texts";
		else
			e = read_at(r, lua_gettop(L), depth + 1);
		if (!e || !cJSON_AddItemToObject(o, lua_tostring(L, -2), e)) {
			cJSON_Delete(e);
			cJSON_Delete(o);
			lua_pop(L, 2);
			return NULL;
		}
		r->bytes += lua_objlen(L, -2);
		lua_pop(L, 1);
	}
	return o;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(cJSON *const *)a)->string, (*(cJSON *const *)b)->string);
}

/* Lua's order of keys changes from state to state; a prompt that is the same
 * must be the same bytes, or no provider caches it. */
static void sort_members(cJSON *o)
{
	size_t n = (size_t)cJSON_GetArraySize(o), i = 0;
	cJSON **v = n > 1 ? malloc(n * sizeof *v) : NULL;

	if (!v)
		return;
	while (o->child)
		v[i++] = cJSON_DetachItemViaPointer(o, o->child);
	qsort(v, n, sizeof *v, by_name);
	for (i = 0; i < n; i++)
		cJSON_AddItemToArray(o, v[i]); /* keeps ->string */
	free(v);
}

static cJSON *read_table(struct reader *r, int i, int depth)
{
	size_t n = 0;

	if (depth > MARSHAL_DEPTH) {
		r->why = "tables nest deeper than 32 (or contain themselves)";
		return NULL;
	}
	if (is_array(r->L, i, &n))
		return read_array(r, i, n, depth);
	cJSON *o = read_object(r, i, depth);
	if (o)
		sort_members(o);
	return o;
}

static cJSON *read_at(struct reader *r, int i, int depth)
{
	lua_State *L = r->L;
	double d;

	if (++r->nodes > MARSHAL_NODES) {
		r->why = "more than 10,000 values";
		return NULL;
	}
	switch (lua_type(L, i)) {
	case LUA_TSTRING:
		r->bytes += lua_objlen(L, i);
		if (r->bytes > MARSHAL_BYTES) {
			r->why = "more than 256 KiB of text";
			return NULL;
		}
		return cJSON_CreateString(lua_tostring(L, i));
	case LUA_TNUMBER:
		d = lua_tonumber(L, i);
		if (!isfinite(d)) {
			r->why = "a number that is not finite";
			return NULL;
		}
		return cJSON_CreateNumber(d);
	case LUA_TBOOLEAN:
		return cJSON_CreateBool(lua_toboolean(L, i));
	case LUA_TTABLE:
		return read_table(r, i, depth);
	case LUA_TLIGHTUSERDATA:
		if (!lua_touserdata(L, i))
			return cJSON_CreateNull();
		break;
	}
	r->why = "a value that JSON does not have (function, thread, userdata)";
	return NULL;
}

int marshal_read(lua_State *L, int i, cJSON **ret_tree, const char **ret_why)
{
	struct reader r = { .L = L, .why = "out of memory" };
	int top = lua_gettop(L);

	if (i < 0)
		i = top + 1 + i;
	assert(i >= 1 && i <= top);
	luaL_checkstack(L, 4 * MARSHAL_DEPTH + 16, "JSON");
	if (lua_type(L, i) == LUA_TNIL) {
		*ret_tree = cJSON_CreateNull();
		return 0;
	}
	cJSON *t = read_at(&r, i, 0);
	lua_settop(L, top);
	if (!t) {
		*ret_why = r.why;
		return ERR_REQUEST;
	}
	*ret_tree = t;
	return 0;
}
