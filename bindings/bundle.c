/*
 * A clinic's folder as what its calls share: compiled chunks, the clinic's
 * data, the tools' schemas, the content's hash. Everything is compiled,
 * checked and run once here, so that a call finds no surprise. On the loop,
 * before or beside calls; never inside one.
 */
#include "bindings/bundle_int.h"

#include <assert.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "bindings/api_int.h"

struct arena_block {
	struct arena_block *next;
	max_align_t data[];
};

void *arena_alloc(struct arena *a, size_t n)
{
	struct arena_block *b = calloc(1, sizeof *b + n);

	if (!b)
		abort();
	b->next = a->blocks;
	a->blocks = b;
	return b->data;
}

char *arena_str(struct arena *a, const char *s)
{
	size_t n = s ? strlen(s) + 1 : 0;

	return s ? memcpy(arena_alloc(a, n), s, n) : NULL;
}

void arena_free(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *b = a->blocks;
		a->blocks = b->next;
		free(b);
	}
}

const struct chunk *bundle_chunk(const struct bundle *b, const char *module)
{
	for (size_t i = 0; i < b->n_chunks; i++) {
		if (!strcmp(b->chunks[i].module, module))
			return &b->chunks[i];
	}
	return NULL;
}

static bool begins_with_file(const struct bundle *b, const char *text)
{
	for (size_t i = 0; i < b->n_chunks; i++) {
		size_t n = strlen(b->chunks[i].file);
		if (!strncmp(text, b->chunks[i].file, n) && text[n] == ':')
			return true;
	}
	return false;
}

char *bundle_place(const struct bundle *b, const char *text)
{
	struct buf out = { 0 };

	for (bool start = true; *text; text++) {
		if (start && begins_with_file(b, text))
			buf_printf(&out, "%s/", b->clinic.name);
		buf_add(&out, text, 1);
		start = *text == ' ' || *text == '\n';
	}
	return buf_take(&out);
}

const struct tool *bundle_tool(const struct bundle *b, const char *name)
{
	for (size_t i = 0; i < b->n_tools; i++) {
		if (!strcmp(b->tools[i].name, name))
			return &b->tools[i];
	}
	return NULL;
}

void bundle_push_tool(lua_State *L, const struct tool *t)
{
	lua_pushfstring(L, "tools.%s", t->name);
	bundle_require(L, lua_tostring(L, -1));
	lua_remove(L, -2);
}

struct compiling {
	struct chunk *chunk;
	struct buf code;
};

static int add_code(lua_State *L, const void *p, size_t n, void *ud)
{
	struct compiling *c = ud;

	(void)L;
	buf_add(&c->code, p, n);
	return 0;
}

/* [inside vm_enter] Text only: no bytecode comes from a folder. */
static int compile(lua_State *L)
{
	struct compiling *c = lua_touserdata(L, 1);

	lua_pushfstring(L, "@%s", c->chunk->file);
	if (luaL_loadbufferx(L, c->chunk->source, c->chunk->source_len,
			     lua_tostring(L, -1), "t"))
		lua_error(L);
	lua_dump(L, add_code, c);
	return 0;
}

/* Most messages begin with their file and line already. */
static void add_blame(struct faults *f, const char *file, const char *why)
{
	if (strstr(why, ".lua:"))
		fault_add(f, "%s", why);
	else
		fault_add(f, "%s: %s", file, why);
}

static void compile_all(struct bundle *b, struct vm *vm, struct faults *f)
{
	for (size_t i = 0; i < b->n_chunks; i++) {
		struct compiling c = { .chunk = &b->chunks[i] };
		if (vm_enter(vm, compile, &c, VM_LOAD_US) != POLICY_OK) {
			add_blame(f, c.chunk->file, vm->fault.message);
			buf_free(&c.code);
			continue;
		}
		c.chunk->code_len = c.code.len;
		c.chunk->code = buf_take(&c.code);
	}
}

struct loading {
	struct bundle *bundle;
	struct faults *faults;
	const struct chunk *chunk;
};

/* [inside vm_enter] */
static int run_clinic(lua_State *L)
{
	struct loading *l = lua_touserdata(L, 1);

	bundle_require(L, "clinic");
	lua_pushvalue(L, -1);
	lua_setfield(L, LUA_REGISTRYINDEX, KEY_CLINIC);
	clinic_read(l->bundle, L, lua_gettop(L), l->faults);
	return 0;
}

static bool has_function(lua_State *L, int i, const char *key,
			 const char *file, struct faults *f)
{
	lua_getfield(L, i, key);
	bool there = lua_isfunction(L, -1);
	if (!there && !lua_isnil(L, -1))
		fault_add(f, "%s: %s is a %s (allowed: function)", file, key,
			  luaL_typename(L, -1));
	lua_pop(L, 1);
	return there;
}

static const char *const policy_keys[] = {
	"on_start", "on_turn", "on_tool", "on_dtmf", "on_silence",
	"on_hangup", "instructions", "tools", NULL
};

static bool is_policy_key(const char *key)
{
	for (const char *const *k = policy_keys; *k; k++) {
		if (!strcmp(*k, key))
			return true;
	}
	return false;
}

/* Names in a fixed list of tools must be there. */
static void check_tools_list(lua_State *L, int i, struct loading *l)
{
	lua_getfield(L, i, "tools");
	int type = lua_type(L, -1), list = lua_gettop(L);
	if (type != LUA_TNIL && type != LUA_TFUNCTION && type != LUA_TTABLE)
		fault_add(l->faults, "policy.lua: tools is a %s (allowed: list of "
			  "names, function)", luaL_typename(L, -1));
	for (int k = 1; type == LUA_TTABLE && k <= (int)lua_objlen(L, list); k++) {
		lua_rawgeti(L, list, k);
		const char *name = lua_type(L, -1) == LUA_TSTRING ?
				   lua_tostring(L, -1) : "?";
		if (!bundle_tool(l->bundle, name))
			fault_add(l->faults, "policy.lua: tools names '%s', but "
				  "there is no tools/%s.lua", name, name);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/* [inside vm_enter] */
static int run_policy(lua_State *L)
{
	struct loading *l = lua_touserdata(L, 1);
	struct faults *f = l->faults;

	bundle_require(L, "policy");
	if (!lua_istable(L, 2)) {
		fault_add(f, "policy.lua: returns a %s (allowed: the policy's "
			  "table)", luaL_typename(L, 2));
		return 0;
	}
	for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
		const char *key = lua_type(L, -2) == LUA_TSTRING ?
				  lua_tostring(L, -2) : "?";
		if (!is_policy_key(key))
			fault_add(f, "policy.lua: unknown key '%s' (allowed: "
				  "on_start, on_turn, on_tool, on_dtmf, on_silence, "
				  "on_hangup, instructions, tools)", key);
	}
	l->bundle->has_on_turn = has_function(L, 2, "on_turn", "policy.lua", f);
	l->bundle->has_on_silence = has_function(L, 2, "on_silence",
						 "policy.lua", f);
	has_function(L, 2, "on_start", "policy.lua", f);
	has_function(L, 2, "on_tool", "policy.lua", f);
	has_function(L, 2, "on_dtmf", "policy.lua", f);
	has_function(L, 2, "on_hangup", "policy.lua", f);
	lua_getfield(L, 2, "instructions");
	if (!lua_isnil(L, -1) && !lua_isfunction(L, -1) &&
	    lua_type(L, -1) != LUA_TSTRING)
		fault_add(f, "policy.lua: instructions is a %s (allowed: text, "
			  "function)", luaL_typename(L, -1));
	lua_pop(L, 1);
	check_tools_list(L, 2, l);
	return 0;
}

/* [inside vm_enter] */
static int run_tool(lua_State *L)
{
	struct loading *l = lua_touserdata(L, 1);
	struct bundle *b = l->bundle;
	char *why = NULL;
	struct tool t;

	bundle_require(L, l->chunk->module);
	if (tool_read(L, lua_gettop(L), &t, &why) < 0) {
		fault_add(l->faults, "%s: %s", l->chunk->file, why);
		free(why);
		return 0;
	}
	if (strcmp(t.name, l->chunk->module + strlen("tools."))) {
		fault_add(l->faults, "%s: name is '%s' (allowed: the file's own, "
			  "'%s')", l->chunk->file, t.name,
			  l->chunk->module + strlen("tools."));
		tool_free(&t);
		return 0;
	}
	b->tools = realloc(b->tools, (b->n_tools + 1) * sizeof *b->tools);
	if (!b->tools)
		abort();
	b->tools[b->n_tools++] = t;
	return 0;
}

static void run(struct vm *vm, lua_CFunction fn, struct loading *l,
		const char *file)
{
	if (vm_enter(vm, fn, l, VM_LOAD_US) != POLICY_OK)
		add_blame(l->faults, file, vm->fault.message);
}

/* Runs clinic.lua, the tools and policy.lua, in this order. */
static void run_all(struct bundle *b, struct vm *vm, struct faults *f)
{
	struct loading l = { .bundle = b, .faults = f };

	run(vm, run_clinic, &l, "clinic.lua");
	if (f->n)
		return;
	for (size_t i = 0; i < b->n_chunks; i++) {
		l.chunk = &b->chunks[i];
		if (str_has_prefix(l.chunk->module, "tools."))
			run(vm, run_tool, &l, l.chunk->file);
	}
	if (bundle_chunk(b, "policy"))
		run(vm, run_policy, &l, "policy.lua");
	if (!f->n && !b->clinic.n_llm && !b->has_on_turn)
		fault_add(f, "clinic.lua: nobody would answer (wanted: llm here, or "
			  "on_turn in policy.lua)");
}

char *bundle_name(const char *folder)
{
	size_t n = strlen(folder);

	while (n > 1 && folder[n - 1] == '/')
		n--;
	size_t from = n;
	while (from > 0 && folder[from - 1] != '/')
		from--;
	return str_printf("%.*s", (int)(n - from), folder + from);
}

static void bundle_free(struct bundle *b)
{
	for (size_t i = 0; i < b->n_chunks; i++) {
		free(b->chunks[i].module);
		free(b->chunks[i].file);
		free(b->chunks[i].source);
		free(b->chunks[i].code);
	}
	for (size_t i = 0; i < b->n_tools; i++)
		tool_free(&b->tools[i]);
	free(b->chunks);
	free(b->tools);
	free(b->folder);
	zone_destroy(b->zone);
	arena_free(&b->arena);
	free(b);
}

int bundle_load(struct bundle **ret_bundle, const char *folder, char **ret_why)
{
	ON_LOOP();
	struct bundle *b = calloc(1, sizeof *b);
	struct faults f = { 0 };
	struct vm *vm = NULL;
	if (!b)
		return -ENOMEM;
	b->refs = 1;
	b->folder = str_dup(folder);
	char *name = bundle_name(folder);
	b->clinic.name = arena_str(&b->arena, name);
	free(name);

	int r = files_read(b, &f);
	if (r == 0 && !bundle_chunk(b, "clinic"))
		fault_add(&f, "clinic.lua: missing in %s", folder);
	if (!f.n && vm_create(&vm, b, NULL) < 0)
		fault_add(&f, "%s: no memory for a Lua state", folder);
	if (!f.n)
		compile_all(b, vm, &f);
	if (!f.n)
		run_all(b, vm, &f);
	vm_destroy(vm);
	if (f.n) {
		*ret_why = buf_take(&f.text);
		bundle_free(b);
		return ERR_CONFIG;
	}
	b->clinic.hash = b->hash;
	*ret_bundle = b;
	return 0;
}

struct bundle *bundle_ref(struct bundle *b)
{
	assert(b->refs > 0);
	b->refs++;
	return b;
}

void bundle_unref(struct bundle *b)
{
	if (!b)
		return;
	assert(b->refs > 0);
	if (--b->refs == 0)
		bundle_free(b);
}

const struct clinic *bundle_clinic(const struct bundle *b)
{
	return &b->clinic;
}
