/*
 * One Lua state and the one protected door into it. Private to bindings/.
 * A state belongs to one policy (one call) or to the loading of a bundle.
 */
#ifndef FD_BINDINGS_VM_INT_H
#define FD_BINDINGS_VM_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>
#include <lauxlib.h>

struct policy;
struct bundle;

enum policy_result {
	POLICY_OK,
	POLICY_YIELDED,
	POLICY_RAISED,
	POLICY_TIMEOUT,
	POLICY_NOMEM,
};
const char *policy_result_name(enum policy_result r);

#define VM_STATE_BYTES (16u << 20)
#define VM_BLOCK_BYTES (2u << 20)   /* most bytes of one string or table part */
#define VM_RUN_US 20000             /* one run, from entry to return or yield */
#define VM_WARN_US 5000
#define VM_TASK_US 250000           /* all runs of one task */
#define VM_LOAD_US 500000           /* loading a bundle */
#define VM_RUN_REQUESTS 64          /* what a run may ask of the call */
#define VM_RUN_EVENTS 64            /* what a run may log */

/* What went wrong last. message may hold what a caller said: LOG_PII only.
 * trace has function names and lines, no values. */
struct vm_fault {
	char message[512];
	char trace[1500];
};

/* Time on the processor, and the depth of the C stack, of the present run. */
struct budget {
	int64_t limit_us;
	int64_t wall_us, cpu_us; /* at its start */
	const char *c_stack;     /* at its start */
	bool killed;             /* time is up: every line raises from now on */
	bool hurried;            /* the next hook comes at the next instruction */
};

struct vm {
	lua_State *L;
	lua_State *cur;       /* L, or the coroutine that called into C */
	size_t bytes, ceiling;
	size_t churn;         /* allocated since the hook ran last */
	bool starved;         /* something was refused: collect after the run */
	struct budget budget;
	int depth;            /* of vm_enter() */
	int requests, events; /* of the present run */
	int64_t run_us;       /* what the last run took */
	struct policy *policy; /* NULL while a bundle is loaded */
	struct bundle *bundle; /* where require() looks */
	struct vm_fault fault;
};

/* Creates a state with the compiler off and the sandbox in place. Borrowed
 * bundle and policy. 0, -ENOMEM. [loop] */
int vm_create(struct vm **ret_vm, struct bundle *b, struct policy *p);
/* NULL is fine. Never inside a run. */
void vm_destroy(struct vm *vm);
/* The vm a state (or coroutine) belongs to. */
struct vm *vm_of(lua_State *L);

/* Calls fn(L) with arg as light userdata at index 1, protected, for at most
 * limit_us of processor time (0: VM_RUN_US). Nested calls share the budget of
 * the outermost. On failure vm->fault is filled. Results of fn are dropped. */
enum policy_result vm_enter(struct vm *vm, lua_CFunction fn, void *arg,
			    int64_t limit_us);
/* Fills the fault from the error value at the top of co (its stack is still
 * whole) and says which kind status was. */
enum policy_result vm_blame(struct vm *vm, lua_State *co, int status);

/* Fills fault.trace from a stack that is still whole. */
void vm_trace(struct vm *vm, lua_State *co);

/* ---- budget.c -------------------------------------------------------------- */

void budget_arm(lua_State *L);
void budget_start(struct vm *vm, int64_t limit_us);
/* Microseconds of processor time since budget_start(). */
int64_t budget_used_us(const struct vm *vm);
void budget_end(struct vm *vm);
/* Makes the hook run at the next instruction (safe inside the allocator). */
void budget_hurry(struct vm *vm);
/* Raises when the time is up or C calls nest too deep: for C functions that
 * loop or call back. */
void budget_check(lua_State *L);

/* ---- sandbox.c, api.c ---------------------------------------------------------- */

/* Replaces the globals by the allow-list; raises. */
void sandbox_open(lua_State *L);
/* The table at the top becomes a read-only view of itself. what names it in
 * the error ("host"). */
void sandbox_freeze(lua_State *L, const char *what);

#endif
