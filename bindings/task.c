/*
 * Tasks: one coroutine an event, from its start through every wait to its
 * end. The only file that resumes coroutines. On the loop.
 *
 *	NEW -> RUNNING <-> WAITING (cancel hook armed) -> OVER
 *
 * A run never nests in another: an event that comes while a script runs (the
 * host answers a script's own request at once) starts on the next tick.
 */
#include "bindings/policy_int.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "bindings/api_int.h"
#include "bindings/bundle_int.h"

struct run {
	struct task *task;
	task_push_h *push;
	enum policy_result result;
};

const char *task_what(const struct task *t)
{
	switch (t->phase) {
	case PHASE_START: return "on_start";
	case PHASE_TURN: return "on_turn";
	case PHASE_TOOL: return t->tool->name;
	case PHASE_DTMF: return "on_dtmf";
	case PHASE_SILENCE: return "on_silence";
	case PHASE_HANGUP: return "on_hangup";
	default: return "?";
	}
}

static void anchor(lua_State *L, struct task *t)
{
	/* The coroutine is at the top; it stays there. */
	lua_pushlightuserdata(L, t);
	lua_pushvalue(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

static void unanchor(lua_State *L, struct task *t)
{
	lua_pushlightuserdata(L, t);
	lua_pushnil(L);
	lua_rawset(L, LUA_REGISTRYINDEX);
	t->co = NULL;
}

/* Pushes the function of the prelude that runs this phase, and its arguments:
 * the policy, the call and what the event brings. */
static int push_entry(lua_State *L, struct task *t)
{
	int top = lua_gettop(L);

	lua_getfield(L, LUA_REGISTRYINDEX, KEY_PRELUDE);
	lua_getfield(L, -1, t->phase == PHASE_TOOL ? "on_tool" : task_what(t));
	lua_remove(L, -2);
	lua_getfield(L, LUA_REGISTRYINDEX, KEY_POLICY);
	lua_getfield(L, LUA_REGISTRYINDEX, KEY_CALL);
	if (t->phase == PHASE_TOOL) {
		lua_pushstring(L, t->tool->name);
		bundle_push_tool(L, t->tool);
	}
	if (t->arg)
		marshal_push(L, t->arg);
	return lua_gettop(L) - top;
}

/* Puts on the coroutine what it is to go on with and says how many. Values
 * are pushed on L and moved: an error raised on a coroutine that does not run
 * would have no handler. */
static int feed(lua_State *L, struct run *run)
{
	struct task *t = run->task;
	int n;

	if (t->co) {
		n = run->push ? run->push(L, t) : 0;
		lua_xmove(L, t->co, n);
		return n;
	}
	lua_State *co = lua_newthread(L);
	anchor(L, t);
	t->co = co;
	n = push_entry(L, t);
	lua_xmove(L, co, n);
	return n - 1; /* the function itself is no argument */
}

static enum policy_result failed(struct vm *vm, lua_State *co, int status)
{
	char trace[sizeof vm->fault.trace];

	vm_trace(vm, co);
	str_copy(trace, sizeof trace, vm->fault.trace);
	enum policy_result r = vm_blame(vm, co, status);
	str_copy(vm->fault.trace, sizeof vm->fault.trace, trace);
	return r;
}

/* Keeps what the script returned, while there is a state to read it from. */
static void keep_results(lua_State *L, struct task *t)
{
	int n = lua_gettop(t->co);

	luaL_checkstack(L, n, "results");
	lua_xmove(t->co, L, n);
	t->said_true = n && lua_isboolean(L, -n) && lua_toboolean(L, -n);
	if (t->phase == PHASE_TOOL)
		t->result = tool_result(L, lua_gettop(L) - n + 1);
}

/* [inside vm_enter] One resume. */
static int resume(lua_State *L)
{
	struct run *run = lua_touserdata(L, 1);
	struct task *t = run->task;
	struct policy *p = t->policy;
	int n = feed(L, run);

	p->running = t;
	p->vm->cur = t->co;
	int status = lua_resume(t->co, n);
	p->vm->cur = L;
	p->running = NULL;

	if (status == LUA_YIELD && t->state == TASK_WAITING) {
		run->result = POLICY_YIELDED;
		return 0;
	}
	if (status == LUA_YIELD) {
		lua_settop(t->co, 0);
		lua_pushliteral(L, "coroutine.yield() outside of a coroutine "
				"that the script made");
		lua_xmove(L, t->co, 1);
		status = LUA_ERRRUN;
	}
	if (status)
		run->result = failed(p->vm, t->co, status);
	else
		keep_results(L, t);
	unanchor(L, t);
	return 0;
}

/* [inside vm_enter] */
static int forget(lua_State *L)
{
	unanchor(L, lua_touserdata(L, 1));
	return 0;
}

static void task_free(struct task *t)
{
	struct policy *p = t->policy;

	assert(t->state != TASK_RUNNING && !t->cancel);

	for (struct task **at = &p->tasks; *at; at = &(*at)->next) {
		if (*at == t) {
			*at = t->next;
			break;
		}
	}
	timer_stop(&t->sleep);
	timer_stop(&t->later);
	timer_stop(&t->limit);
	if (t->co)
		vm_enter(p->vm, forget, t, 0);
	cJSON_Delete(t->arg);
	free(t->tool_id);
	free(t->result);
	free(t->heard);
	free(t);
}

/* The host is told how the event ended, after the task is gone. */
static void answer(struct policy *p, struct task *t, enum policy_result r)
{
	struct call *c = p->call;
	enum phase phase = t->phase;
	uint32_t turn = t->turn;
	bool handled = t->said_true;
	char *id = t->tool_id, *result = t->result;

	if (phase == PHASE_TOOL && (r != POLICY_OK || !result)) {
		free(result);
		result = tool_failed(t->tool, r, t->timed_out);
	}
	t->tool_id = t->result = NULL;
	task_free(t);
	if (!c)
		goto out;
	if (phase == PHASE_TURN)
		call_turn_done(c, turn, r != POLICY_OK ? CALL_TURN_FAILED :
			       handled ? CALL_TURN_HANDLED : CALL_TURN_REPLY);
	else if (phase == PHASE_TOOL)
		call_tool_done(c, id, result);
	else if (phase != PHASE_HANGUP && r != POLICY_OK)
		call_say_line(c, "apology", &(uint32_t){ 0 });
out:
	free(id);
	free(result);
}

/* One run, and what follows from how it ended. t may be gone afterwards. */
static void task_run(struct task *t, task_push_h *push)
{
	struct policy *p = t->policy;
	struct run run = { .task = t, .push = push,
			   .result = POLICY_OK };
	int64_t left_us = VM_TASK_US - t->used_us;

	assert(p->vm->depth == 0 && t->state != TASK_RUNNING);
	policy_hold(p);
	t->state = TASK_RUNNING;
	enum policy_result r = vm_enter(p->vm, resume, &run,
					left_us < VM_RUN_US ? left_us > 0 ?
					left_us : 1 : VM_RUN_US);
	if (r == POLICY_OK)
		r = run.result;
	t->used_us += p->vm->run_us;
	if (p->vm->run_us > VM_WARN_US && p->call)
		log_event(LOG_WARN, "policy.slow", LOG_STR("call", call_id(p->call)),
			  LOG_STR("what", task_what(t)),
			  LOG_INT("run_us", p->vm->run_us));
	if (r == POLICY_YIELDED && p->call) {
		policy_release(p);
		return;
	}
	if (r == POLICY_YIELDED) { /* closed meanwhile: nothing to wait for */
		task_cancel(t);
		policy_release(p);
		return;
	}
	t->state = TASK_OVER;
	if (r != POLICY_OK)
		policy_blame(p, task_what(t), r);
	answer(p, t, r);
	policy_release(p);
}

static void task_begin(struct task *t)
{
	if (t->phase == PHASE_TOOL)
		timer_start(&t->limit, bundle_clinic(t->policy->bundle)->tool_ms);
	task_run(t, NULL);
}

/* [timer] What came inside a run happens now. */
static void now_then(void *arg)
{
	struct task *t = arg;

	if (t->state == TASK_NEW)
		task_begin(t);
	else
		task_wake(t, t->push);
}

/* [timer] The tool's time is up: the model hears so, the task ends. */
static void limit_reached(void *arg)
{
	struct task *t = arg;
	struct policy *p = t->policy;

	policy_hold(p);
	if (t->cancel) {
		task_cancel_h *cancel = t->cancel;
		t->cancel = NULL;
		cancel(t->cancel_arg);
	}
	t->timed_out = true;
	t->state = TASK_OVER;
	log_event(LOG_WARN, "tool.timeout", LOG_STR("call", call_id(p->call)),
		  LOG_STR("tool", task_what(t)));
	answer(p, t, POLICY_TIMEOUT);
	policy_release(p);
}

void task_start(struct policy *p, const struct task_cfg *cfg)
{
	struct task *t = calloc(1, sizeof *t);

	assert(p->call);
	if (!t)
		abort();
	struct clock *clock = loop_clock(call_loop(p->call));
	t->policy = p;
	t->phase = cfg->phase;
	t->arg = cfg->arg;
	t->turn = cfg->turn;
	t->tool_id = str_dup(cfg->tool_id);
	t->tool = cfg->tool;
	timer_init(&t->later, clock, now_then, t);
	timer_init(&t->limit, clock, limit_reached, t);
	t->next = p->tasks;
	p->tasks = t;
	if (p->vm->depth)
		timer_start(&t->later, 0);
	else
		task_begin(t);
}

struct task *task_check_wait(lua_State *L, const char *what)
{
	struct policy *p = check_live(L);
	struct task *t = p->running;

	if (!t || !(t->phase & PHASE_WAITS))
		luaL_error(L, "%s cannot wait in %s", what,
			   t ? task_what(t) : p->phase == PHASE_LOAD ?
			   "the body of a file" : "instructions or tools");
	if (t->co != L)
		luaL_error(L, "%s cannot wait inside a coroutine of the "
			   "script's own", what);
	if (!lua_isyieldable(L))
		luaL_error(L, "%s cannot wait inside a callback of a C function "
			   "(sort, gsub)", what);
	return t;
}

void task_wait(struct task *t, task_cancel_h *cancel, void *arg, bool pause)
{
	assert(t->state == TASK_RUNNING && !t->cancel && cancel);
	t->cancel = cancel;
	t->cancel_arg = arg;
	t->state = TASK_WAITING;
	t->paused = pause && timer_active(&t->limit);
	if (t->paused) {
		int64_t now_us = clock_now_us(t->limit.clock);
		t->left_ms = (t->limit.due_us - now_us) / 1000;
		timer_stop(&t->limit);
	}
}

void task_wake(struct task *t, task_push_h *push)
{
	assert(t->state == TASK_WAITING);
	t->cancel = NULL;
	if (t->policy->vm->depth) {
		t->push = push;
		timer_start(&t->later, 0);
		return;
	}
	if (t->paused) {
		t->paused = false;
		timer_start(&t->limit, t->left_ms);
	}
	task_run(t, push);
}

void task_cancel(struct task *t)
{
	assert(t->state != TASK_RUNNING || !t->policy->running);
	t->state = TASK_OVER;
	if (t->cancel) {
		task_cancel_h *cancel = t->cancel;
		t->cancel = NULL;
		cancel(t->cancel_arg);
	}
	task_free(t);
}

void task_cancel_all(struct policy *p, unsigned phases)
{
	struct task *next;

	for (struct task *t = p->tasks; t; t = next) {
		next = t->next;
		if ((t->phase & phases) && t->state != TASK_RUNNING &&
		    t->state != TASK_OVER)
			task_cancel(t);
	}
}
