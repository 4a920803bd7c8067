/*
 * A policy (one call's scripts) and its tasks (one coroutine an event).
 * Private to bindings/. On the loop.
 */
#ifndef FD_BINDINGS_POLICY_INT_H
#define FD_BINDINGS_POLICY_INT_H

#include <cjson/cJSON.h>

#include "base/clock.h"
#include "bindings/bindings.h"
#include "bindings/vm_int.h"

/* When a function is called: each API function says in which it may be. */
enum phase {
	PHASE_LOAD = 1 << 0,
	PHASE_START = 1 << 1,
	PHASE_TURN = 1 << 2,
	PHASE_TOOL = 1 << 3,
	PHASE_DTMF = 1 << 4,
	PHASE_SILENCE = 1 << 5,
	PHASE_HANGUP = 1 << 6,
	PHASE_PROMPT = 1 << 7,
};
#define PHASE_WAITS (PHASE_START | PHASE_TURN | PHASE_TOOL | PHASE_DTMF | \
		     PHASE_SILENCE)

enum task_state { TASK_NEW, TASK_RUNNING, TASK_WAITING, TASK_OVER };

typedef void (task_cancel_h)(void *arg);
struct task;
/* Pushes what the waiting function returns (read from the task's fields) and
 * says how many. May raise. */
typedef int (task_push_h)(lua_State *L, struct task *t);

struct task {
	struct policy *policy;
	struct task *next;
	enum phase phase;
	enum task_state state;
	lua_State *co;          /* anchored in the registry under the task */
	int64_t used_us;        /* processor time of all runs */
	cJSON *arg;             /* what the event brings; owned */
	uint32_t turn;          /* TURN */
	char *tool_id;          /* TOOL */
	const struct tool *tool;
	bool said_true;         /* it returned true */
	char *result;           /* TOOL: JSON text; owned */
	task_cancel_h *cancel;  /* how to end what it waits for */
	void *cancel_arg;
	struct timer sleep;     /* sleep() */
	struct timer later;     /* start or wake that came inside a run */
	task_push_h *push;      /* of a wake put off */
	struct timer limit;     /* clinic.tool_ms */
	int64_t left_ms;        /* of the limit while it stands still */
	bool paused;
	bool timed_out;
	int status, sip_status; /* what the wait brought, for push */
	char *heard;
};

struct policy {
	struct vm *vm;
	struct bundle *bundle;
	struct call *call;      /* NULL once closed */
	struct task *tasks, *running;
	int holds;              /* runs and completions on the C stack */
	bool over;              /* on_hangup came: only looking is allowed */
	enum phase phase;       /* of a run that is no task (load, prompt) */
};

/* Registry keys. */
#define KEY_POLICY "fd.policy" /* the table that policy.lua returned */
#define KEY_CALL "fd.call"
#define KEY_STATE "fd.state"   /* call.state */
#define KEY_CLINIC "fd.clinic" /* what clinic.lua returned */
#define KEY_MODULES "fd.modules"
#define KEY_PRELUDE "fd.prelude"

/* The policy may go at the last release: nothing of it is touched after. */
void policy_hold(struct policy *p);
void policy_release(struct policy *p);
/* Logs the vm's fault, once. */
void policy_blame(struct policy *p, const char *what, enum policy_result r);

/* ---- task.c: the only lua_resume ------------------------------------------------ */

/* Starts a task for an event (arg is taken). Inside a run it starts when that
 * run is over. turn, tool and id as the phase needs. */
struct task_cfg {
	enum phase phase;
	cJSON *arg;
	uint32_t turn;
	const char *tool_id;
	const struct tool *tool;
};
void task_start(struct policy *p, const struct task_cfg *cfg);
const char *task_what(const struct task *t);

/* The task that runs L, which must be able to wait here; raises. what names
 * the function in the error. */
struct task *task_check_wait(lua_State *L, const char *what);
/* Arms the way out; then the caller yields. One hook a task. pause: the time
 * does not count against the tool's limit (someone speaks meanwhile). */
void task_wait(struct task *t, task_cancel_h *cancel, void *arg, bool pause);
/* Goes on with what push pushes (NULL: nothing). t may be gone afterwards. */
void task_wake(struct task *t, task_push_h *push);
/* Ends a task through its cancel hook, without an answer to the host. */
void task_cancel(struct task *t);
/* Ends those of the given phases that wait or have not started. */
void task_cancel_all(struct policy *p, unsigned phases);

/* ---- tool.c ----------------------------------------------------------------------- */

enum tool_effect { TOOL_READ, TOOL_HOLD, TOOL_COMMIT };
struct tool {
	char *name, *description;
	enum tool_effect effect;
	cJSON *schema; /* JSON schema of the parameters */
};
/* Reads the table that a tool file returned (at i). 0 or ERR_CONFIG with
 * *ret_why fresh. Raises only before allocating. */
int tool_read(lua_State *L, int i, struct tool *out, char **ret_why);
void tool_free(struct tool *t);
/* Checks the model's arguments; 0, or ERR_REQUEST with *ret_why fresh: a
 * sentence that lets the model mend its call. */
int tool_check(const struct tool *t, const cJSON *args, char **ret_why);
/* What a tool's function returned (from stack index from on) as JSON text;
 * fresh. Raises only before allocating. */
char *tool_result(lua_State *L, int from);
/* {"error": why} as fresh text. */
char *tool_error(const char *why);
/* What the model is told when the script of a tool failed. */
char *tool_failed(const struct tool *t, enum policy_result r, bool timed_out);

#endif
