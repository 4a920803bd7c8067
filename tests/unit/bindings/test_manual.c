/* The manual says what there is: data, registration tables, generated files
 * and examples agree. */
#include "script.h"

#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>

#include "bindings/api_int.h"
#include "bindings/clinic_int.h"

/* A stock state with api (bindings/api.lua) and gen (gen_api.lua). */
static lua_State *open_manual(void)
{
	lua_State *L = luaL_newstate();

	luaL_openlibs(L);
	if (luaL_dofile(L, "bindings/api.lua"))
		fail_msg("%s", lua_tostring(L, -1));
	lua_setglobal(L, "api");
	if (luaL_dofile(L, "bindings/gen_api.lua"))
		fail_msg("%s", lua_tostring(L, -1));
	lua_setglobal(L, "gen");
	if (luaL_dostring(L, "entries, fields = {}, {}\n"
			"for _, g in ipairs(api.groups) do\n"
			"  for _, e in ipairs(g.entries) do entries[e.name] = e end end\n"
			"for _, f in ipairs(api.clinic) do fields[f[1]] = f[2] end"))
		fail_msg("%s", lua_tostring(L, -1));
	return L;
}

static void assert_file_is(lua_State *L, const char *code, const char *path)
{
	static char have[262144];
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	have[fread(have, 1, sizeof have - 1, f)] = 0;
	fclose(f);
	if (luaL_dostring(L, code))
		fail_msg("%s", lua_tostring(L, -1));
	if (strcmp(have, lua_tostring(L, -1)))
		fail_msg("%s is old: run luajit bindings/gen_api.lua", path);
}

static void the_generated_files_are_those_of_the_data(void **state)
{
	(void)state;
	lua_State *L = open_manual();

	assert_file_is(L, "return (gen.markdown(api))", "bindings/API.md");
	assert_file_is(L, "return gen.meta(api)", "bindings/meta.lua");
	lua_close(L);
}

/* Takes the documented name away; what is left at the end is not there. */
static void take(lua_State *L, const char *table, const char *prefix,
		 const char *name)
{
	char *full = str_printf("%s%s", prefix, name);

	lua_getglobal(L, table);
	lua_getfield(L, -1, full);
	if (lua_isnil(L, -1))
		fail_msg("%s is not in bindings/api.lua", full);
	lua_pop(L, 1);
	lua_pushnil(L);
	lua_setfield(L, -2, full);
	lua_pop(L, 1);
	free(full);
}

static void assert_none_left(lua_State *L, const char *table)
{
	lua_getglobal(L, table);
	lua_pushnil(L);
	if (lua_next(L, -2))
		fail_msg("%s is in bindings/api.lua, but not there",
			 lua_tostring(L, -2));
}

static void every_function_is_documented_and_the_reverse(void **state)
{
	(void)state;
	lua_State *L = open_manual();
	static const struct {
		const char *prefix;
		const luaL_Reg *functions;
	} lists[] = {
		{ "call:", api_call_methods }, { "log.", api_log_functions },
		{ "", api_time_functions }, { "os.", api_os_functions },
		{ "json.", api_json_functions },
		{ "host.diary.", api_diary_functions }, { "", api_globals },
	};

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		for (const luaL_Reg *r = lists[i].functions; r->name; r++)
			take(L, "entries", lists[i].prefix, r->name);
	}
	assert_none_left(L, "entries");
	lua_close(L);
}

/* Sub tables that are documented once are passed over the next time. */
static bool documented_elsewhere(const char *path)
{
	return strstr(path, "tts[].") || str_has_prefix(path, "llm[].") ||
	       str_has_prefix(path, "people[].hours.");
}

static void take_fields(lua_State *L, const struct clinic_field *f,
			const char *prefix)
{
	for (; f->key; f++) {
		char *path = str_printf("%s%s", prefix, f->key);
		if (!documented_elsewhere(path)) {
			lua_getglobal(L, "fields");
			lua_getfield(L, -1, path);
			if (!lua_isnil(L, -1))
				assert_string_equal(lua_tostring(L, -1), f->about);
			lua_pop(L, 2);
			take(L, "fields", "", path);
		}
		if (f->sub) {
			char *below = str_printf("%s%s.", path,
					f->kind == FIELD_LIST ? "[]" : "");
			take_fields(L, f->sub, below);
			free(below);
		}
		free(path);
	}
}

static void every_key_of_clinic_lua_is_documented_and_the_reverse(void **state)
{
	(void)state;
	lua_State *L = open_manual();

	take_fields(L, clinic_fields, "");
	assert_none_left(L, "fields");
	lua_close(L);
}

/* Each example is the body of an on_start that ends well. */
static void run_example(const char *name, const char *code)
{
	struct script s;
	char *policy = str_printf("return { on_start = function(call)\n%s\n"
				  "call.state.done = true end,\n"
				  "on_dtmf = function(call) call:say(tostring("
				  "call.state.done)) end }", code);

	script_open(&s, policy);
	script_lines[0] = 0;
	lua_policy_ops.on_start(s.policy);
	clock_advance(fake_clock, 1000000);
	if (s.call.n_said)
		fake_heard(&s.call, s.call.said[0].id, -ECANCELED, "We have");
	if (s.call.transfer_fn)
		fake_transferred(&s.call, ERR_REQUEST, 486);
	fake_log(&s.call);
	lua_policy_ops.on_dtmf(s.policy, '1');
	if (strcmp(fake_log(&s.call), "say(true)"))
		fail_msg("the example of %s fails: %s", name, script_lines);
	script_end(&s);
	free(policy);
	diary_clear();
}

static void every_example_runs(void **state)
{
	(void)state;
	lua_State *L = open_manual();
	int n = 0;

	lua_getglobal(L, "entries");
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		lua_getfield(L, -1, "example");
		assert_non_null(lua_tostring(L, -1));
		run_example(lua_tostring(L, -3), lua_tostring(L, -1));
		lua_pop(L, 1);
		n++;
	}
	assert_in_range(n, 25, 1000);
	lua_close(L);
}

static void the_tool_of_the_manual_works(void **state)
{
	(void)state;
	lua_State *L = open_manual();
	struct script s;

	if (luaL_dostring(L, "return gen.tools_chapter:match('```lua\\n(.-)```')"))
		fail_msg("%s", lua_tostring(L, -1));
	script_open_tool(&s, CLINIC_WITH("hours = { mon = { '09:00-17:00' } },\n"),
			 "opening_hours", lua_tostring(L, -1));
	lua_policy_ops.on_tool(s.policy, "c", "opening_hours", "");
	assert_string_equal(fake_log(&s.call),
			    "tool(c {\"hours\":[\"Monday 9 AM to 5 PM\"]})");
	script_end(&s);
	lua_close(L);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_generated_files_are_those_of_the_data),
		cmocka_unit_test(every_function_is_documented_and_the_reverse),
		cmocka_unit_test(every_key_of_clinic_lua_is_documented_and_the_reverse),
		cmocka_unit_test(every_example_runs),
		cmocka_unit_test(the_tool_of_the_manual_works),
	};
	return cmocka_run_group_tests(tests, script_setup, script_teardown);
}
