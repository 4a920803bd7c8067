/*
 * The operations that a call asks of its clinic's scripts: one Lua state a
 * call, a task an event. On the loop.
 */
#include "bindings/policy_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "bindings/api_int.h"
#include "bindings/bundle_int.h"

static void policy_free(struct policy *p)
{
	assert(p->holds == 0 && !p->running);
	while (p->tasks)
		task_cancel(p->tasks);
	vm_destroy(p->vm);
	bundle_unref(p->bundle);
	free(p);
}

void policy_hold(struct policy *p)
{
	p->holds++;
}

void policy_release(struct policy *p)
{
	assert(p->holds > 0);
	if (--p->holds == 0 && !p->call)
		policy_free(p);
}

void policy_blame(struct policy *p, const char *what, enum policy_result r)
{
	char *message = bundle_place(p->bundle, p->vm->fault.message);
	char *trace = bundle_place(p->bundle, p->vm->fault.trace);

	log_event(LOG_ERROR, "policy.error",
		  LOG_STR("call", p->call ? call_id(p->call) : ""),
		  LOG_STR("clinic", p->bundle->clinic.name),
		  LOG_STR("bundle", p->bundle->hash), LOG_STR("what", what),
		  LOG_STR("kind", policy_result_name(r)),
		  LOG_PII("error", message), LOG_STR("trace", trace));
	free(message);
	free(trace);
}

/* [inside vm_enter] Loads policy.lua and what every task needs. */
static int load_policy(lua_State *L)
{
	struct policy *p = lua_touserdata(L, 1);

	lua_newtable(L);
	lua_setfield(L, LUA_REGISTRYINDEX, KEY_STATE);
	api_call_push(L, p);
	lua_setfield(L, LUA_REGISTRYINDEX, KEY_CALL);
	bundle_require(L, "clinic");
	lua_setfield(L, LUA_REGISTRYINDEX, KEY_CLINIC);
	if (bundle_chunk(p->bundle, "policy"))
		bundle_require(L, "policy");
	else
		lua_newtable(L);
	lua_setfield(L, LUA_REGISTRYINDEX, KEY_POLICY);
	return 0;
}

static int policy_open(struct policy **ret_policy, struct bundle *b, struct call *c)
{
	ON_LOOP();
	assert(b->refs > 0 && c);
	struct policy *p = calloc(1, sizeof *p);
	if (!p)
		return -ENOMEM;
	p->bundle = bundle_ref(b);
	p->call = c;
	p->phase = PHASE_LOAD;
	int r = vm_create(&p->vm, b, p);
	if (r < 0)
		goto fail;
	enum policy_result res = vm_enter(p->vm, load_policy, p, VM_LOAD_US);
	if (res != POLICY_OK) {
		policy_blame(p, "policy.lua", res);
		r = res == POLICY_NOMEM ? -ENOMEM : ERR_CONFIG;
		goto fail;
	}
	p->phase = 0;
	*ret_policy = p;
	return 0;

fail:
	p->call = NULL;
	policy_free(p);
	return r;
}

static void policy_close(struct policy *p)
{
	ON_LOOP();
	if (!p)
		return;
	policy_hold(p);
	task_cancel_all(p, ~0u); /* the hooks need the call */
	p->call = NULL;
	policy_release(p);
}

static void policy_on_start(struct policy *p)
{
	ON_LOOP();
	task_start(p, &(struct task_cfg){ .phase = PHASE_START });
}

static bool policy_wants_turns(struct policy *p)
{
	return p->bundle->has_on_turn;
}

static cJSON *words_json(const struct policy_turn *t)
{
	cJSON *a = cJSON_CreateArray();

	for (size_t i = 0; i < t->n_words; i++) {
		const struct stt_word *w = &t->words[i];
		cJSON *o = cJSON_CreateObject();
		cJSON_AddStringToObject(o, "text", w->text ? w->text : "");
		cJSON_AddNumberToObject(o, "start_s", w->start_s);
		cJSON_AddNumberToObject(o, "end_s", w->end_s);
		cJSON_AddNumberToObject(o, "confidence", (double)w->confidence);
		cJSON_AddItemToArray(a, o);
	}
	return a;
}

static cJSON *turn_json(const struct policy_turn *t)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "text", t->text ? t->text : "");
	if (t->language)
		cJSON_AddStringToObject(o, "language", t->language);
	cJSON_AddNumberToObject(o, "confidence", (double)t->confidence);
	cJSON_AddBoolToObject(o, "interrupted", t->interrupted);
	if (t->heard)
		cJSON_AddStringToObject(o, "heard", t->heard);
	cJSON_AddBoolToObject(o, "typed", t->typed);
	cJSON_AddItemToObject(o, "words", words_json(t));
	return o;
}

/* A turn that still waits when the next one comes is over: what it was about
 * to say has been talked over. */
static void end_older_turns(struct policy *p)
{
	struct task *t = p->tasks;

	while (t) {
		struct task *next = t->next;
		if (t->phase == PHASE_TURN && t->state != TASK_RUNNING &&
		    t->state != TASK_OVER) {
			uint32_t id = t->turn;
			task_cancel(t);
			call_turn_done(p->call, id, CALL_TURN_HANDLED);
			if (!p->call)
				return;
			next = p->tasks;
		}
		t = next;
	}
}

static void policy_on_turn(struct policy *p, const struct policy_turn *turn)
{
	ON_LOOP();
	policy_hold(p);
	end_older_turns(p);
	if (p->call && p->bundle->has_on_turn)
		task_start(p, &(struct task_cfg){ .phase = PHASE_TURN,
			   .turn = turn->id, .arg = turn_json(turn) });
	else if (p->call)
		call_turn_done(p->call, turn->id, CALL_TURN_REPLY);
	policy_release(p);
}

static void refuse_tool(struct policy *p, const char *id, char *why)
{
	char *result = tool_error(why);

	call_tool_done(p->call, id, result);
	free(result);
	free(why);
}

static void policy_on_tool(struct policy *p, const char *id, const char *name,
		      const char *arguments)
{
	ON_LOOP();
	const struct tool *t = bundle_tool(p->bundle, name);
	bool none = str_blank(arguments);
	cJSON *args = none ? cJSON_CreateObject()
			   : json_parse(arguments, strlen(arguments));
	char *why = NULL;

	policy_hold(p);
	if (!t)
		why = str_printf("there is no tool '%.64s'", name);
	else if (!args)
		why = str_dup("the arguments are not valid JSON; send one object");
	else
		tool_check(t, args, &why);
	if (why) {
		cJSON_Delete(args);
		refuse_tool(p, id, why);
	} else {
		task_start(p, &(struct task_cfg){ .phase = PHASE_TOOL,
			   .tool = t, .tool_id = id, .arg = args });
	}
	policy_release(p);
}

static void policy_on_dtmf(struct policy *p, char key)
{
	ON_LOOP();
	char text[2] = { key, 0 };

	task_start(p, &(struct task_cfg){ .phase = PHASE_DTMF,
		   .arg = cJSON_CreateString(text) });
}

static bool policy_on_silence(struct policy *p, int nth)
{
	ON_LOOP();
	if (!p->bundle->has_on_silence)
		return false;
	task_start(p, &(struct task_cfg){ .phase = PHASE_SILENCE,
		   .arg = cJSON_CreateNumber(nth) });
	return true;
}

/* Conversation ends with the caller; a tool that is at work may still finish
 * what it began, until the policy is closed. */
static void policy_on_hangup(struct policy *p, const char *reason)
{
	ON_LOOP();
	task_cancel_all(p, ~(unsigned)PHASE_TOOL);
	p->over = true;
	task_start(p, &(struct task_cfg){ .phase = PHASE_HANGUP,
		   .arg = cJSON_CreateString(reason ? reason : "") });
}

struct asked {
	char *instructions;
	cJSON *tools;
	struct policy *policy;
};

static void add_tool(struct asked *a, const struct tool *t)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "name", t->name);
	cJSON_AddStringToObject(o, "description", t->description);
	cJSON_AddItemToObject(o, "parameters", cJSON_Duplicate(t->schema, 1));
	cJSON_AddItemToArray(a->tools, o);
}

/* [inside vm_enter] prelude.prompt(policy, call) -> instructions or nil, list
 * of tool names or nil (all). */
static int ask_prompt(lua_State *L)
{
	struct asked *a = lua_touserdata(L, 1);
	struct bundle *b = a->policy->bundle;

	lua_getfield(L, LUA_REGISTRYINDEX, KEY_PRELUDE);
	lua_getfield(L, -1, "prompt");
	lua_getfield(L, LUA_REGISTRYINDEX, KEY_POLICY);
	lua_getfield(L, LUA_REGISTRYINDEX, KEY_CALL);
	lua_call(L, 2, 2);
	int top = lua_gettop(L);
	if (lua_isstring(L, top - 1))
		a->instructions = str_dup(lua_tostring(L, top - 1));
	if (lua_isnil(L, top)) {
		for (size_t i = 0; i < b->n_tools; i++)
			add_tool(a, &b->tools[i]);
		return 0;
	}
	luaL_checktype(L, top, LUA_TTABLE);
	for (int i = 1; i <= (int)lua_objlen(L, top); i++) {
		lua_rawgeti(L, top, i);
		const char *name = lua_tostring(L, -1);
		const struct tool *t = name ? bundle_tool(b, name) : NULL;
		if (!t)
			return luaL_error(L, "'tools' names '%s', which is not in "
					  "tools/", name ? name : "?");
		add_tool(a, t);
		lua_pop(L, 1);
	}
	return 0;
}

static char *plain_instructions(const struct clinic *c)
{
	return str_printf("You answer the phone of %s. Be short and kind. Ask "
			  "for the caller's name and number and say that the "
			  "clinic will call back.", c->title);
}

static void policy_prompt(struct policy *p, struct policy_prompt *out)
{
	ON_LOOP();
	struct asked a = { .policy = p, .tools = cJSON_CreateArray() };
	struct task *running = p->running; /* it asked for the reply */

	policy_hold(p);
	p->running = NULL;
	p->phase = PHASE_PROMPT;
	enum policy_result r = vm_enter(p->vm, ask_prompt, &a, 0);
	p->phase = 0;
	p->running = running;
	if (r != POLICY_OK)
		policy_blame(p, "instructions", r);
	if (!a.instructions)
		a.instructions = plain_instructions(&p->bundle->clinic);
	out->instructions = a.instructions;
	out->tools = a.tools;
	policy_release(p);
}

const struct policy_ops lua_policy_ops = {
	.open = policy_open,
	.close = policy_close,
	.on_start = policy_on_start,
	.wants_turns = policy_wants_turns,
	.on_turn = policy_on_turn,
	.on_tool = policy_on_tool,
	.on_dtmf = policy_on_dtmf,
	.on_silence = policy_on_silence,
	.on_hangup = policy_on_hangup,
	.prompt = policy_prompt,
};
