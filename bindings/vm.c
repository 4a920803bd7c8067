/*
 * One Lua state: own allocator (a ceiling a state and one for the process),
 * compiler off, one protected entry. On the loop.
 *
 * LuaJIT throws through its own C frames; a throw outside of vm_enter() ends
 * the process in panic(). So nothing but vm_enter() touches a state.
 */
#include "bindings/vm_int.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <luajit.h>

#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "bindings/bindings.h"

#define MEMORY_DEFAULT ((size_t)512 << 20)
#define VM_FRESH_BYTES ((size_t)16 << 10) /* of a state without libraries */
/* Bytes allocated after which the hook looks at the time: copying 256 KiB
 * takes some 50 us, as long as the 1,000 instructions between hooks. */
#define CHURN_BYTES ((size_t)256 << 10)

static size_t memory_bytes;
static size_t memory_limit = MEMORY_DEFAULT;

size_t bindings_memory(void)
{
	return memory_bytes;
}

void bindings_set_memory_limit(size_t bytes)
{
	memory_limit = bytes ? bytes : MEMORY_DEFAULT;
}

const char *policy_result_name(enum policy_result r)
{
	static const char *const names[] = {
		[POLICY_OK] = "ok",
		[POLICY_YIELDED] = "yielded",
		[POLICY_RAISED] = "raised",
		[POLICY_TIMEOUT] = "timeout",
		[POLICY_NOMEM] = "memory",
	};
	return names[r];
}

static bool may_grow(const struct vm *vm, size_t nsize, size_t more)
{
	/* lua_newstate() crashes where a part of it is refused. */
	if (!vm->L)
		return true;
	return nsize <= VM_BLOCK_BYTES && vm->bytes + more <= vm->ceiling &&
	       memory_bytes + more <= memory_limit;
}

static void *vm_alloc(void *ud, void *p, size_t osize, size_t nsize)
{
	struct vm *vm = ud;

	if (nsize > osize && !may_grow(vm, nsize, nsize - osize)) {
		vm->starved = true;
		return NULL;
	}
	void *to = NULL;
	if (nsize) {
		to = realloc(p, nsize);
		if (!to)
			return NULL;
	} else {
		free(p);
	}
	assert(vm->bytes >= osize && memory_bytes >= osize);
	vm->bytes = vm->bytes - osize + nsize;
	memory_bytes = memory_bytes - osize + nsize;
	if (nsize > osize) {
		vm->churn += nsize;
		if (vm->churn > CHURN_BYTES && vm->depth)
			budget_hurry(vm);
	}
	return to;
}

static int panic(lua_State *L)
{
	const char *s = lua_tostring(L, -1);

	log_event(LOG_ERROR, "lua.panic", LOG_PII("why", s ? s : "?"));
	abort();
}

struct vm *vm_of(lua_State *L)
{
	void *ud;

	lua_getallocf(L, &ud);
	return ud;
}

static int open_state(lua_State *L)
{
	/* Small heaps: begin a new cycle at 1.3 times what lived, so that
	 * garbage alone does not reach the ceiling. */
	lua_gc(L, LUA_GCSETPAUSE, 130);
	lua_gc(L, LUA_GCSETSTEPMUL, 300);
	sandbox_open(L);
	return 0;
}

int vm_create(struct vm **ret_vm, struct bundle *b, struct policy *p)
{
	ON_LOOP();
	if (memory_bytes + VM_FRESH_BYTES > memory_limit)
		return -ENOMEM;
	struct vm *vm = calloc(1, sizeof *vm);
	if (!vm)
		return -ENOMEM;
	vm->ceiling = VM_STATE_BYTES;
	vm->bundle = b;
	vm->policy = p;
	vm->L = lua_newstate(vm_alloc, vm);
	if (!vm->L)
		goto fail;
	vm->cur = vm->L;
	lua_atpanic(vm->L, panic);
	/* Hooks do not fire in compiled code: without this no ceiling of
	 * time works. Scripts cannot see the switch. */
	luaJIT_setmode(vm->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
	budget_arm(vm->L);
	enum policy_result r = vm_enter(vm, open_state, NULL, VM_LOAD_US);
	if (r != POLICY_OK)
		goto fail;
	*ret_vm = vm;
	return 0;

fail:
	vm_destroy(vm);
	return -ENOMEM;
}

void vm_destroy(struct vm *vm)
{
	if (!vm)
		return;
	assert(vm->depth == 0);
	if (vm->L)
		lua_close(vm->L);
	assert(vm->bytes == 0);
	free(vm);
}

/* A value as text without running any metamethod: the script may be what has
 * just been killed. */
static void describe(lua_State *L, int i, char *out, size_t cap)
{
	if (lua_type(L, i) == LUA_TSTRING) {
		str_copy(out, cap, lua_tostring(L, i));
		return;
	}
	if (lua_type(L, i) == LUA_TTABLE) {
		lua_pushliteral(L, "message");
		lua_rawget(L, i < 0 ? i - 1 : i);
		if (lua_type(L, -1) == LUA_TSTRING)
			str_copy(out, cap, lua_tostring(L, -1));
		else
			str_copy(out, cap, "(error object is a table)");
		lua_pop(L, 1);
		return;
	}
	snprintf(out, cap, "(error object is a %s)", luaL_typename(L, i));
}

static const char no_memory[] = "not enough memory"; /* LuaJIT's words */

enum policy_result vm_blame(struct vm *vm, lua_State *co, int status)
{
	struct vm_fault *f = &vm->fault;

	f->trace[0] = 0;
	if (status == LUA_ERRMEM)
		str_copy(f->message, sizeof f->message, no_memory);
	else
		describe(co, -1, f->message, sizeof f->message);
	/* Caught and raised again, it is an error like any other to Lua. */
	if (vm->starved && !strcmp(f->message, no_memory))
		return POLICY_NOMEM;
	return vm->budget.killed ? POLICY_TIMEOUT : POLICY_RAISED;
}

/* The lines of the stack that failed, innermost first, without values. */
static void trace_stack(struct vm_fault *f, lua_State *co, int level)
{
	size_t n = 0;
	lua_Debug ar;

	for (int shown = 0; shown < 20 && lua_getstack(co, level, &ar); level++) {
		lua_getinfo(co, "nSl", &ar);
		if (ar.currentline < 0)
			continue;
		int w = snprintf(f->trace + n, sizeof f->trace - n, "%s%s:%d %s",
				 n ? " < " : "", ar.short_src, ar.currentline,
				 ar.name ? ar.name : *ar.what == 'm' ? "main" : "?");
		if (w < 0 || n + (size_t)w >= sizeof f->trace)
			break;
		n += (size_t)w;
		shown++;
	}
}

void vm_trace(struct vm *vm, lua_State *co)
{
	vm->fault.trace[0] = 0;
	trace_stack(&vm->fault, co, 0);
}

static int on_error(lua_State *L)
{
	vm_trace(vm_of(L), L);
	return 1;
}

struct entry {
	lua_CFunction fn;
	void *arg;
	enum policy_result result;
};

static int enter(lua_State *L)
{
	struct entry *e = lua_touserdata(L, 1);
	struct vm *vm = vm_of(L);

	lua_settop(L, 0);
	lua_pushcfunction(L, on_error);
	lua_pushcfunction(L, e->fn);
	lua_pushlightuserdata(L, e->arg);
	int status = lua_pcall(L, 1, 0, 1);
	if (status) {
		char trace[sizeof vm->fault.trace];
		memcpy(trace, vm->fault.trace, sizeof trace);
		e->result = vm_blame(vm, L, status);
		memcpy(vm->fault.trace, trace, sizeof trace);
	}
	return 0;
}

enum policy_result vm_enter(struct vm *vm, lua_CFunction fn, void *arg,
			    int64_t limit_us)
{
	ON_LOOP();
	struct entry e = { .fn = fn, .arg = arg };
	bool outermost = vm->depth == 0;
	lua_State *L = vm->cur;

	if (outermost) {
		assert(L == vm->L);
		vm->fault.message[0] = vm->fault.trace[0] = 0;
		vm->requests = vm->events = 0;
		budget_start(vm, limit_us ? limit_us : VM_RUN_US);
	}
	vm->depth++;
	int top = lua_gettop(L);
	int status = lua_cpcall(L, enter, &e);
	if (status)
		e.result = vm_blame(vm, L, status);
	lua_settop(L, top);
	vm->cur = L;
	/* A full pass takes milliseconds: only where the next run would hit
	 * a ceiling. Not inside lua_cpcall(), which would allocate first; it
	 * cannot raise, as our finalizers do not. */
	if (outermost && (vm->starved || vm->bytes > vm->ceiling / 4 * 3)) {
		lua_gc(L, LUA_GCCOLLECT, 0);
		vm->starved = false;
	}
	assert(vm->depth > 0);
	vm->depth--;
	if (outermost)
		budget_end(vm);
	return e.result;
}
