/* Scripts that mean harm: each ends, its call goes on, nobody else notices. */
#include "script.h"

#include "base/clock.h"
#include "bindings/policy_int.h"
#include "bindings/vm_int.h"

/* The longest that a run may take here, with sanitizers, on a busy machine:
 * processor time, so it does not depend on others. */
#define RUN_MOST_US 400000

/* Which of two ceilings is met first depends on the machine's speed. */
#define EITHER ""

/* Runs body as on_start: it fails with the kind, and the next event works. */
static void assert_ends(const char *body, const char *kind)
{
	struct script s;
	char want[64];
	char *policy = str_printf("return { on_start = function(call)\n%s\nend,\n"
				  "on_dtmf = function(call) call:say('alive') end }",
				  body);

	script_open(&s, policy);
	if (!strcmp(kind, "memory")) /* reached long before the time is up */
		s.policy->vm->ceiling = s.policy->vm->bytes + (1 << 20);
	script_lines[0] = 0;
	lua_policy_ops.on_start(s.policy);
	assert_in_range(s.policy->vm->run_us, 0, RUN_MOST_US);
	assert_string_equal(fake_log(&s.call), "line(apology)");
	snprintf(want, sizeof want, "\"kind\":\"%s", kind);
	if (!strstr(script_lines, want))
		print_error("%s\n", script_lines);
	assert_non_null(strstr(script_lines, want));
	lua_policy_ops.on_dtmf(s.policy, '1');
	assert_string_equal(fake_log(&s.call), "say(alive)");
	script_end(&s);
	free(policy);
}

static void a_loop_is_cut(void **state)
{
	(void)state;
	assert_ends("local i = 0 while true do i = i + 1 end", "timeout");
	assert_ends("while true do end", "timeout");
	assert_ends("repeat until false", "timeout");
}

static void a_loop_around_pcall_is_cut(void **state)
{
	(void)state;
	assert_ends("local function spin() while true do end end\n"
		    "while true do pcall(spin) end", "timeout");
	assert_ends("while true do pcall(error, 'x') end", "timeout");
	assert_ends("local function f() return pcall(f) end\n"
		    "while true do pcall(f) end", "timeout");
}

static void an_error_handler_that_spins_is_cut(void **state)
{
	(void)state;
	assert_ends("local function spin() while true do end end\n"
		    "while true do xpcall(spin, spin) end", "timeout");
	assert_ends("xpcall(error, function() while true do end end)", "timeout");
}

static void loops_in_coroutines_are_cut(void **state)
{
	(void)state;
	assert_ends("local function spin() while true do end end\n"
		    "while true do coroutine.resume(coroutine.create(spin)) end",
		    "timeout");
	assert_ends("local co = coroutine.wrap(function()\n"
		    "  while true do coroutine.yield() end end)\n"
		    "while true do co() end", "timeout");
}

static void a_metamethod_that_spins_is_cut(void **state)
{
	(void)state;
	assert_ends("local t = setmetatable({}, { __index = function(t, k)\n"
		    "  while true do end end })\nreturn t.x", "timeout");
	assert_ends("local t = setmetatable({}, { __tostring = function()\n"
		    "  while true do end end })\nreturn tostring(t)", "timeout");
}

static void a_hoard_of_memory_ends_at_the_ceiling(void **state)
{
	(void)state;
	assert_ends("local t = {} local x = ('x'):rep(60000)\n"
		    "for i = 1, 1e9 do t[i] = x .. i end", "memory");
	assert_ends("local s = 'x' while true do s = s .. s end", "memory");
}

static void a_hoard_around_pcall_is_cut_in_time(void **state)
{
	(void)state;
	assert_ends("local keep = {}\n"
		    "local function hoard() local x = ('x'):rep(60000)\n"
		    "  for i = 1, 1e9 do keep[#keep + 1] = x .. i end end\n"
		    "while true do pcall(hoard) end", "timeout");
}

static void memory_of_all_states_has_a_ceiling_too(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_start = function(call)\n"
		"local t = {} for i = 1, 1e5 do t[i] = { i } end end,\n"
		"on_dtmf = function(call) call:say('alive') end }");
	bindings_set_memory_limit(bindings_memory() + (1 << 20));
	lua_policy_ops.on_start(s.policy);
	assert_string_equal(fake_log(&s.call), "line(apology)");
	lua_policy_ops.on_dtmf(s.policy, '1');
	assert_string_equal(fake_log(&s.call), "say(alive)");
	/* No room for another state: the call is refused, not the process. */
	struct policy *p = NULL;
	bindings_set_memory_limit(bindings_memory() + 1000);
	assert_int_equal(lua_policy_ops.open(&p, s.bundle, &s.call), -ENOMEM);
	assert_null(p);
	bindings_set_memory_limit(0);
	script_end(&s);
}

/* With one more KiB each time, opening fails at every other place. */
static void opening_survives_running_out_of_memory_anywhere(void **state)
{
	(void)state;
	struct script s;
	int fine = 0;

	script_open(&s, "return { instructions = 'x' }");
	lua_policy_ops.close(s.policy);
	for (size_t kib = 1; !fine && kib < 200; kib++) {
		bindings_set_memory_limit(kib << 10);
		int r = lua_policy_ops.open(&s.policy, s.bundle, &s.call);
		fine = r == 0;
		if (r < 0) {
			assert_int_equal(r, -ENOMEM);
			assert_int_equal(bindings_memory(), 0);
			s.policy = NULL;
		}
	}
	bindings_set_memory_limit(0);
	assert_true(fine);
	script_end(&s);
}

/* 32 bytes more each time, until all goes well: a throw outside of the one
 * protected door would abort the process. */
static void events_survive_running_out_of_memory_anywhere(void **state)
{
	(void)state;
	struct script s;
	const struct stt_word words[] = { { "one", 0, 1, 1 }, { "two", 1, 2, 1 } };
	size_t room = 0;
	bool fine = false;

	script_open_tool(&s, CLINIC, "t", "return { name = 't', description = 'd',\n"
		"effect = 'read', parameters = { n = { type = 'integer' } },\n"
		"run = function(call, args) call:say_wait('x' .. args.n)\n"
		"  local co = coroutine.wrap(function() coroutine.yield(1) end) co()\n"
		"  return { meta = call.metadata, text = ('a b'):gsub('%a', '%0%0'),\n"
		"    json = json.decode(json.encode({ 1, { 2 }, 'three' })) } end }");
	s.call.metadata = "{\"a\":[1,2,{\"b\":\"c\"}]}";
	for (; !fine && room < 64 << 10; room += 32) {
		struct policy_prompt p;
		lua_policy_ops.close(s.policy);
		assert_int_equal(lua_policy_ops.open(&s.policy, s.bundle, &s.call), 0);
		struct vm *vm = s.policy->vm;
		vm->ceiling = vm->bytes + room;
		lua_policy_ops.on_start(s.policy);
		lua_policy_ops.on_turn(s.policy, &(struct policy_turn){
			.id = 1, .text = "hi", .words = words, .n_words = 2 });
		lua_policy_ops.on_tool(s.policy, "c", "t", "{\"n\":1}");
		if (s.call.n_said)
			fake_heard(&s.call, s.call.said[0].id, -ECANCELED, "x");
		lua_policy_ops.prompt(s.policy, &p);
		free(p.instructions);
		cJSON_Delete(p.tools);
		fine = strstr(fake_log(&s.call), "\"three\"") != NULL;
	}
	assert_true(fine);
	assert_true(room > 1024);
	script_end(&s);
}

static void recursion_ends_with_an_error(void **state)
{
	(void)state;
	assert_ends("local function f() return 1 + f() end f()", EITHER);
	assert_ends("local t = setmetatable({}, {})\n"
		    "getmetatable(t).__index = function(t, k) return t[k] end\n"
		    "return t.x", EITHER);
}

static void callbacks_of_c_functions_do_not_use_up_the_stack(void **state)
{
	(void)state;
	assert_ends("local function f() return (('x'):gsub('x', f)) end f()",
		    EITHER);
	assert_ends("local function f() table.sort({ 3, 2, 1 }, f) end f()",
		    EITHER);
	assert_ends("local function f() return coroutine.wrap(f)() end f()",
		    EITHER);
	assert_ends("local function f() return coroutine.wrap(function()\n"
		    "  return (('x'):gsub('x', f)) end)() end f()", EITHER);
}

static void a_pattern_bomb_is_cut(void **state)
{
	(void)state;
	assert_ends("return (('a'):rep(200)):find(('a-'):rep(4) .. 'b')", EITHER);
	assert_ends("while true do\n"
		    "  pcall(string.find, ('a'):rep(200), ('a-'):rep(4) .. 'b')\n"
		    "end", "timeout");
	assert_ends("return (('a'):rep(300)):gsub(('a*'):rep(20) .. 'b', '')",
		    EITHER);
	assert_ends("return (('('):rep(60000)):find(('%b()'):rep(3))", EITHER);
}

static void long_texts_are_refused(void **state)
{
	(void)state;
	assert_ends("return ('x'):rep(1e9)", "raised");
	assert_ends("return ('x'):rep(1e308)", "raised");
	assert_ends("return (''):rep(1e9, 'ab')", "raised");
	assert_ends("return ('%s%s'):format(('x'):rep(60000), ('x'):rep(60000))",
		    "raised");
	assert_ends("return (('x'):rep(1000)):gsub('x', ('y'):rep(60000))",
		    "raised");
}

static void slow_instructions_are_cut_too(void **state)
{
	(void)state;
	/* Each compares or copies much at once. */
	assert_ends("local a, b = {}, ('x'):rep(60000)\n"
		    "for i = 1, 15 do a[i] = b end\n"
		    "local s = table.concat(a)\n"
		    "local x, y = s .. 'a', s .. 'b'\n"
		    "while true do local z = x < y end", "timeout");
	assert_ends("local x = ('x'):rep(60000)\n"
		    "while true do local z = x .. x .. x .. x end", "timeout");
	assert_ends("local x = ('x'):rep(60000)\n"
		    "while true do x:upper() end", "timeout");
}

static void a_run_asks_only_so_much_of_the_call(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_start = function(call)\n"
		"while true do call:say('x') end end,\n"
		"on_dtmf = function(call) for i = 1, 1000 do log.info('spam') end end }");
	lua_policy_ops.on_start(s.policy);
	const char *log = fake_log(&s.call);
	int n = 0;
	for (const char *p = log; (p = strstr(p, "say(x)")); p++)
		n++;
	assert_int_equal(n, VM_RUN_REQUESTS);
	script_lines[0] = 0;
	lua_policy_ops.on_dtmf(s.policy, '1');
	n = 0;
	for (const char *p = script_lines; (p = strchr(p, '\n')); p++)
		n++;
	assert_int_equal(n, VM_RUN_EVENTS);
	assert_non_null(strstr(script_lines, "log.full"));
	script_end(&s);
}

static void error_objects_of_any_kind_are_reported(void **state)
{
	(void)state;
	assert_ends("error({ code = 5 })", "raised");
	assert_ends("error(setmetatable({}, { __tostring = function()\n"
		    "  while true do end end }))", "raised");
	assert_ends("error(nil)", "raised");
	assert_ends("error(call)", "raised");
	assert_ends("error(coroutine.create(function() end))", "raised");
}

static void time_adds_up_over_the_runs_of_a_task(void **state)
{
	(void)state;
	struct script s;

	/* 8 ms at a time, 40 times: more than 250 ms in one task. */
	script_open(&s, "return { on_start = function(call)\n"
		"for i = 1, 40 do\n"
		"  local from = os.clock()\n"
		"  while os.clock() - from < 0.008 do end\n"
		"  sleep(100)\n"
		"end call:say('too far') end }");
	lua_policy_ops.on_start(s.policy);
	clock_advance(fake_clock, 10 * 1000000);
	assert_string_equal(fake_log(&s.call), "line(apology)");
	script_end(&s);
}

static void a_slow_run_is_warned_about(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_start = function(call)\n"
		"local from = os.clock() while os.clock() - from < 0.008 do end\n"
		"call:say('done') end }");
	script_lines[0] = 0;
	lua_policy_ops.on_start(s.policy);
	assert_string_equal(fake_log(&s.call), "say(done)");
	assert_non_null(strstr(script_lines, "policy.slow"));
	script_end(&s);
}

static void instructions_that_spin_are_cut(void **state)
{
	(void)state;
	struct script s;
	struct policy_prompt p;

	script_open(&s, "return { instructions = function() while true do end end }");
	lua_policy_ops.prompt(s.policy, &p);
	assert_non_null(strstr(p.instructions, "You answer the phone"));
	assert_in_range(s.policy->vm->run_us, 0, RUN_MOST_US);
	free(p.instructions);
	cJSON_Delete(p.tools);
	script_end(&s);
}

static void a_clinic_that_spins_at_load_is_refused(void **state)
{
	(void)state;
	struct script s;
	const char *const files[] = { "clinic.lua", CLINIC, "policy.lua",
				      "while true do end", NULL };

	assert_int_equal(script_load(&s, files), ERR_CONFIG);
	assert_string_equal(s.why, "policy.lua:1: script ran longer than 500 ms");
	script_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loop_is_cut),
		cmocka_unit_test(a_loop_around_pcall_is_cut),
		cmocka_unit_test(an_error_handler_that_spins_is_cut),
		cmocka_unit_test(loops_in_coroutines_are_cut),
		cmocka_unit_test(a_metamethod_that_spins_is_cut),
		cmocka_unit_test(a_hoard_of_memory_ends_at_the_ceiling),
		cmocka_unit_test(a_hoard_around_pcall_is_cut_in_time),
		cmocka_unit_test(memory_of_all_states_has_a_ceiling_too),
		cmocka_unit_test(opening_survives_running_out_of_memory_anywhere),
		cmocka_unit_test(events_survive_running_out_of_memory_anywhere),
		cmocka_unit_test(recursion_ends_with_an_error),
		cmocka_unit_test(callbacks_of_c_functions_do_not_use_up_the_stack),
		cmocka_unit_test(a_pattern_bomb_is_cut),
		cmocka_unit_test(long_texts_are_refused),
		cmocka_unit_test(slow_instructions_are_cut_too),
		cmocka_unit_test(a_run_asks_only_so_much_of_the_call),
		cmocka_unit_test(error_objects_of_any_kind_are_reported),
		cmocka_unit_test(time_adds_up_over_the_runs_of_a_task),
		cmocka_unit_test(a_slow_run_is_warned_about),
		cmocka_unit_test(instructions_that_spin_are_cut),
		cmocka_unit_test(a_clinic_that_spins_at_load_is_refused),
	};
	return cmocka_run_group_tests(tests, script_setup, script_teardown);
}
