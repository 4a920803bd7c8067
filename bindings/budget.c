/*
 * The time a script may take. A count hook looks at the clock each 1,000
 * instructions (5 to 10 us without the compiler), and earlier when much was
 * allocated, since one instruction may copy a long string. On the loop.
 */
#include "bindings/vm_int.h"

#include <assert.h>
#include <time.h>

#include "base/clock.h"

#define HOOK_COUNT 1000
/* Coroutines and callbacks of C functions nest on the C stack, which LuaJIT
 * does not watch; threads have 8 MiB. Room for 1,000 more instructions. */
#define C_STACK_BYTES (1 << 20)

static void hook(lua_State *L, lua_Debug *ar);

static int64_t cpu_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void budget_arm(lua_State *L)
{
	lua_sethook(L, hook, LUA_MASKCOUNT, HOOK_COUNT);
}

void budget_start(struct vm *vm, int64_t limit_us)
{
	struct budget *b = &vm->budget;

	assert(limit_us > 0 && vm->depth == 0);
	b->limit_us = limit_us;
	b->wall_us = clock_mono_us();
	b->cpu_us = cpu_now_us();
	b->c_stack = __builtin_frame_address(0);
	b->killed = false;
	vm->churn = 0;
}

int64_t budget_used_us(const struct vm *vm)
{
	return cpu_now_us() - vm->budget.cpu_us;
}

void budget_end(struct vm *vm)
{
	struct budget *b = &vm->budget;

	assert(vm->depth == 0);
	vm->run_us = budget_used_us(vm);
	if (b->killed || b->hurried)
		budget_arm(vm->L);
	b->killed = b->hurried = false;
}

void budget_hurry(struct vm *vm)
{
	if (!vm->L || vm->budget.hurried || vm->budget.killed)
		return;
	vm->budget.hurried = true;
	lua_sethook(vm->L, hook, LUA_MASKCOUNT, 1);
}

/* Processor time cannot exceed wall time, which is the cheaper one to ask.
 * What counts is the former: a machine that steals time kills no script. */
static bool spent(const struct vm *vm)
{
	const struct budget *b = &vm->budget;

	return clock_mono_us() - b->wall_us > b->limit_us &&
	       budget_used_us(vm) > b->limit_us;
}

static bool too_deep(const struct vm *vm)
{
	const char *here = __builtin_frame_address(0);

	return vm->budget.c_stack - here > C_STACK_BYTES;
}

/* level: of the Lua function to name; the hook stands in it. */
static void die(lua_State *L, struct vm *vm, int level)
{
	/* pcall() would swallow a single error; one on every instruction
	 * leaves nothing that could go on. */
	vm->budget.killed = true;
	lua_sethook(vm->L, hook, LUA_MASKCOUNT | LUA_MASKLINE, 1);
	luaL_where(L, level);
	lua_pushfstring(L, "script ran longer than %d ms",
			(int)(vm->budget.limit_us / 1000));
	lua_concat(L, 2);
	lua_error(L);
}

static void check(lua_State *L, int level)
{
	struct vm *vm = vm_of(L);

	vm->churn = 0;
	if (vm->budget.killed || spent(vm))
		die(L, vm, level);
	if (too_deep(vm)) {
		luaL_where(L, level);
		lua_pushliteral(L, "calls nest too deep");
		lua_concat(L, 2);
		lua_error(L);
	}
}

void budget_check(lua_State *L)
{
	check(L, 1);
}

static void hook(lua_State *L, lua_Debug *ar)
{
	struct vm *vm = vm_of(L);

	(void)ar;
	if (vm->budget.hurried && !vm->budget.killed) {
		vm->budget.hurried = false;
		budget_arm(vm->L);
	}
	check(L, 0);
}
