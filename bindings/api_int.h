/*
 * What the files that register functions for scripts share. Everything here
 * runs inside vm_enter() and may raise. Private to bindings/.
 */
#ifndef FD_BINDINGS_API_INT_H
#define FD_BINDINGS_API_INT_H

#include <cjson/cJSON.h>

#include "bindings/vm_int.h"

struct call;
struct policy;

/* Fills the table at env with all that scripts get; loads the prelude. */
void api_register(lua_State *L, int env);
/* nil, message, code: the world failed. */
int push_err(lua_State *L, int r);
/* nil, message, code with a message of its own. */
int push_fail(lua_State *L, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The policy whose call goes on, whether its script may act or only look:
 * raises "call is over". */
struct policy *check_policy(lua_State *L);
struct policy *check_live(lua_State *L);
/* The same for a method: argument 1 must be the call. */
struct call *check_call(lua_State *L);
struct call *check_live_call(lua_State *L);

/* ---- one registration a file: a table at the top, or names into env --------- */

void pattern_register(lua_State *L);           /* into the table at the top */
void api_call_register(lua_State *L);          /* the metatable of calls */
void api_call_push(lua_State *L, struct policy *p); /* a new call object */
void api_log_register(lua_State *L, int env);
void api_time_register(lua_State *L, int env);
void api_json_register(lua_State *L, int env);
void api_host_register(lua_State *L, int env); /* host, require */
void api_diary_push(lua_State *L);             /* the table host.diary */
/* Parses JSON and pushes it as Lua values; false (nothing pushed): not JSON. */
bool json_push_text(lua_State *L, const char *text, size_t n);
/* Wall clock of scripts, in seconds; tests set one. NULL: the real one. */
typedef int64_t (wall_h)(void);
void api_time_set_wall(wall_h *fn);
int64_t api_time_wall_s(void);
/* Forgets what a clinic's calls put down (tests). */
void diary_clear(void);

/* ---- the registered names, for the test that compares them with the manual --- */

extern const luaL_Reg api_call_methods[], api_log_functions[],
	api_time_functions[], api_os_functions[], api_json_functions[],
	api_diary_functions[], api_globals[];

/* ---- shipped modules, embedded at build ------------------------------------------ */

struct shipped_lua {
	const char *name; /* "prelude" */
	const unsigned char *text;
	size_t len;
};
extern const struct shipped_lua shipped_lua[];
extern const size_t shipped_lua_n;
const struct shipped_lua *shipped_lua_find(const char *name);

/* ---- marshal.c --------------------------------------------------------------------- */

#define MARSHAL_DEPTH 32
#define MARSHAL_NODES 10000
#define MARSHAL_BYTES (256 << 10)

/* Pushes a tree as Lua values; nulls become json.null inside arrays and are
 * left out of objects. Raises when deeper than MARSHAL_DEPTH. */
void marshal_push(lua_State *L, const cJSON *tree);
/* Reads the value at i into a fresh tree. 0, or ERR_REQUEST with *ret_why
 * (static text). Raises only before anything is allocated. */
int marshal_read(lua_State *L, int i, cJSON **ret_tree, const char **ret_why);
/* Marks the table at the top as an array, so that {} becomes []. */
void marshal_mark_array(lua_State *L);
void marshal_register(lua_State *L);

#endif
