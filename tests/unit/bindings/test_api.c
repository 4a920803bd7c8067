/* The names that scripts see, and what each does with right and wrong use. */
#include "script.h"

#include "bindings/api_int.h"

#define PRE \
	"local function show(call, ...)\n" \
	"  local t = {} for i = 1, select('#', ...) do\n" \
	"    t[i] = tostring((select(i, ...))) end\n" \
	"  call:say(table.concat(t, '|')) end\n" \
	"return { on_start = function(call)\n" \
	"local function try(f, ...) show(call, select(2, pcall(f, ...))) end\n"

/* Runs body as on_start(call), which has show(call, ...) and try(f, ...). */
static void assert_says(const char *body, const char *want)
{
	struct script s;
	char *policy = str_printf(PRE "%s\nend }", body);

	script_open(&s, policy);
	script_lines[0] = 0;
	lua_policy_ops.on_start(s.policy);
	clock_advance(fake_clock, 1000000);
	const char *said = fake_log(&s.call);
	if (strcmp(said, want))
		print_error("%s\n", script_lines);
	assert_string_equal(said, want);
	script_end(&s);
	free(policy);
	diary_clear();
}

static void dangerous_names_are_not_there(void **state)
{
	(void)state;
	static const char *const names[] = {
		"io", "debug", "ffi", "jit", "package", "load", "loadstring",
		"dofile", "loadfile", "setfenv", "getfenv", "newproxy", "rawset",
		"collectgarbage", "module", "gcinfo", "print", "_G",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char *body = str_printf("show(call, (pcall(function() return %s end)))",
					names[i]);
		assert_says(body, "say(false)");
		free(body);
	}
	assert_says("show(call, os.execute, os.getenv, os.exit, os.remove, string.dump,\n"
		    "  ('x').dump, math.x, table.foreach)",
		    "say(nil|nil|nil|nil|nil|nil|nil|nil)");
	assert_says("try(function() return prnt end)",
		    "say(policy.lua:7: unknown global 'prnt' (a typo, or a missing "
		    "local?))");
	assert_says("try(function() return print end)",
		    "say(policy.lua:7: 'print' is not there for scripts; use "
		    "log.info(\"name\", { field = value }))");
}

static void what_is_there_is_not_changed(void **state)
{
	(void)state;
	assert_says("try(function() x = 1 end)", "say(policy.lua:7: globals are not "
		    "written: put 'local' before 'x')");
	assert_says("try(function() pcall = error end)", "say(policy.lua:7: globals are "
		    "not written: put 'local' before 'pcall')");
	assert_says("try(function() string.find = error end)", "say(policy.lua:7: string "
		    "is read-only: 'find' cannot be written)");
	assert_says("try(function() host.clinic = {} end)", "say(policy.lua:7: host is "
		    "read-only: 'clinic' cannot be written)");
	assert_says("try(function() host.diary.take = nil end)", "say(policy.lua:7: "
		    "host.diary is read-only: 'take' cannot be written)");
	assert_says("try(function() call.id = 'x' end)", "say(policy.lua:7: a call's "
		    "fields are not written: keep your own in call.state)");
	assert_says("show(call, getmetatable(''), getmetatable(host), getmetatable(call))\n"
		    "try(setmetatable, string, {})",
		    "say(false|false|call) say(cannot change a protected metatable)");
}

static void a_call_shows_its_fields(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, PRE
		"show(call, call.room, call.caller, call.number_called, call.language,\n"
		"  call.elapsed_ms, call.clinic.title, call.metadata.lead,\n"
		"  #call.history, call.history[1].content, call:attribute('sip.trunkID'),\n"
		"  call:attribute('none'))\n"
		"try(function() return call.sai end)\n"
		"try(function() return call.say('x') end)\n"
		"try(call.say, {}, 'x')\nend }");
	s.call.metadata = "{\"lead\":\"L1\"}";
	cJSON *m = cJSON_CreateObject();
	cJSON_AddStringToObject(m, "role", "user");
	cJSON_AddStringToObject(m, "content", "hi");
	cJSON_AddItemToArray(s.call.history, m);
	lua_policy_ops.on_start(s.policy);
	char *want = str_printf(
		"say(room-1|+923001234567|+922135550100|en|%d|Test|L1|1|hi|ST_1|nil) "
		"say(policy.lua:11: a call has no 'sai') "
		"say(bad argument #1 (the call itself: write call:name(), not "
		"call.name())) "
		"say(bad argument #1 (the call itself: write call:name(), not "
		"call.name()))", (int)clock_now_ms(fake_clock));
	assert_string_equal(fake_log(&s.call), want);
	free(want);
	script_end(&s);
}

static void wrong_arguments_name_themselves(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "call.say, call", "bad argument #2 to '?' (string expected, got no value)" },
		{ "call.say, call, '  '", "bad argument #2 to '?' (text is empty)" },
		{ "call.say, call, 'x', { loud = true }", "bad argument #2 to 'say' (option "
		  "'loud': there are language = text, interruptible = boolean, remember = "
		  "boolean)" },
		{ "call.await, call, 'forever'", "bad argument #2 to '?' (invalid option "
		  "'forever')" },
		{ "call.await, call, 'short', 3", "bad argument #3 to '?' (only "
		  "\"digits\" has a number of them)" },
		{ "call.await, call, 'digits', 0", "bad argument #3 to '?' (a whole "
		  "number from 1 to 32)" },
		{ "call.await, call, 'digits', 1.5", "bad argument #3 to '?' (a whole "
		  "number from 1 to 32)" },
		{ "call.send_dtmf, call, '12x'", "bad argument #2 to '?' (1 to 64 keys of "
		  "0-9 * # A-D)" },
		{ "call.transfer, call, '1122'", "bad argument #2 to '?' (a number with + and "
		  "country code, or a SIP address)" },
		{ "sleep, -1", "bad argument #1 to '?' (0 to 600,000 milliseconds)" },
		{ "sleep, 0/0", "bad argument #1 to '?' (0 to 600,000 milliseconds)" },
		{ "log.info, 'Caller said hello'", "bad argument #1 to '?' (a constant name "
		  "like \"slots.none\"; put values into the fields)" },
		{ "json.encode, { f = sleep }", "bad argument #1 to 'encode' (a "
		  "value that JSON does not have (function, thread, userdata))" },
		{ "json.encode, { [1] = 1, x = 2 }", "bad argument #1 to 'encode' (the keys "
		  "of a table are neither 1..n nor texts)" },
		{ "json.encode, 0/0", "bad argument #1 to 'encode' (a number that is not "
		  "finite)" },
		{ "host.diary.take, 'x', 'y', 5", "bad argument #3 to '?' (a time to come, in "
		  "seconds)" },
		{ "os.time, { year = 2026 }", "field 'day' missing in date table" },
		{ "os.date, ('%c'):rep(60)", "bad argument #1 to '?' (format is too long)" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *body = str_printf("try(%s)", cases[i][0]);
		char *want = str_printf("say(%s)", cases[i][1]);
		assert_says(body, want);
		free(want);
		free(body);
	}
}

static void json_goes_both_ways_within_limits(void **state)
{
	(void)state;
	assert_says("show(call, json.encode({ b = { 1, 2.5, 'x\"y' }, a = true, c = {},\n"
		    "  d = json.array(), e = { json.null } }))",
		    "say({\"a\":true,\"b\":[1,2.5,\"x\\\"y\"],\"c\":{},\"d\":[],"
		    "\"e\":[null]})");
	assert_says("local v = json.decode('{\"a\":[1,null,{}],\"n\":null,\"t\":\"\\\\u00e9\"}')\n"
		    "show(call, #v.a, v.a[2] == json.null, v.n, v.t, json.encode(v))",
		    "say(3|true|nil|\303\251|{\"a\":[1,null,{}],\"t\":\"\303\251\"})");
	assert_says("show(call, json.encode(json.decode('[]')), json.encode('x'),\n"
		    "  json.encode(1e15), json.encode(false))",
		    "say([]|\"x\"|1e+15|false)");
	assert_says("show(call, json.decode('{'))", "say(nil|not JSON|ERR_PROTOCOL)");
	assert_says("show(call, json.decode((' '):rep(60000) .. ('x'):rep(60000) ..\n"
		    "  (' '):rep(60000) .. ('x'):rep(60000) .. ('x'):rep(60000)))",
		    "say(nil|more than 256 KiB of JSON|EMSGSIZE)");
	assert_says("local t = {} t.t = t try(json.encode, t)",
		    "say(bad argument #1 to 'encode' (tables nest deeper than 32 (or "
		    "contain themselves)))");
	assert_says("local t = {} for i = 1, 10001 do t[i] = i end try(json.encode, t)",
		    "say(bad argument #1 to 'encode' (more than 10,000 values))");
	assert_says("try(json.decode, ('['):rep(40) .. (']'):rep(40))",
		    "say(JSON nests deeper than 32)");
}

static void texts_in_the_log_are_personal_unless_vouched_for(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_start = function(call)\n"
		"log.warn('slots.none', { why = 'asked by Ali', n = 3, late = true,\n"
		"  service = log.public('checkup'), t = {} }) end }");
	script_lines[0] = 0;
	lua_policy_ops.on_start(s.policy);
	assert_non_null(strstr(script_lines, "\"WARNING\""));
	assert_non_null(strstr(script_lines, "slots.none"));
	assert_non_null(strstr(script_lines, "\"n\":3"));
	assert_non_null(strstr(script_lines, "checkup"));
	assert_non_null(strstr(script_lines, "\"t\":\"table\""));
	assert_null(strstr(script_lines, "Ali"));
	script_end(&s);
}

static int64_t wall(void)
{
	return 1795402800; /* 2026-11-23 03:00:00 UTC */
}

static void civil_time_is_that_of_the_clinics_zone(void **state)
{
	(void)state;
	api_time_set_wall(wall);
	assert_says("show(call, os.time(), os.date('%Y-%m-%d %H:%M %Z'), os.date('!%H:%M'))",
		    "say(1795402800|2026-11-23 08:00 PKT|03:00)");
	assert_says("local d = os.date('*t')\n"
		    "show(call, d.year, d.month, d.day, d.hour, d.wday, d.yday, d.isdst)\n"
		    "show(call, os.time(d) == os.time(),\n"
		    "  os.date('%Y-%m-%d', os.time({ year = 2026, month = 12, day = 32 })))",
		    "say(2026|11|23|8|2|327|false) say(true|2027-01-01)");
	api_time_set_wall(NULL);
}

static void the_diary_is_one_for_all_calls_of_a_clinic(void **state)
{
	(void)state;
	struct script s;
	struct call second;
	struct policy *p;

	script_open(&s, PRE
		"show(call, host.diary.take('nine', call.id, os.time() + 60))\n"
		"show(call, host.diary.holder('nine') == call.id)\n"
		"show(call, host.diary.release('nine', 'nobody'))\nend,\n"
		"on_dtmf = function(call) host.diary.release('nine', call.id) end }");
	fake_init(&second, bundle_clinic(s.bundle));
	assert_int_equal(lua_policy_ops.open(&p, s.bundle, &second), 0);
	lua_policy_ops.on_start(s.policy);
	assert_string_equal(fake_log(&s.call), "say(true) say(true) say(false)");
	lua_policy_ops.on_start(p);
	assert_string_equal(fake_log(&second), "say(nil|the slot is taken|EEXIST) "
			    "say(false) say(false)");
	lua_policy_ops.on_dtmf(s.policy, '1');
	lua_policy_ops.on_start(p);
	assert_string_equal(fake_log(&second), "say(true) say(true) say(false)");
	lua_policy_ops.close(p);
	fake_finish(&second);
	script_end(&s);
	diary_clear();
}

static int64_t later_s;

static int64_t later(void)
{
	return 1795402800 + later_s;
}

static void what_is_taken_in_the_diary_ends_by_itself(void **state)
{
	(void)state;
	struct script s;

	api_time_set_wall(later);
	later_s = 0;
	script_open(&s, PRE
		"host.diary.take('x', 'a', os.time() + 60)\nend,\n"
		"on_dtmf = function(call) show(call, host.diary.holder('x')) end }");
	lua_policy_ops.on_start(s.policy);
	later_s = 59;
	lua_policy_ops.on_dtmf(s.policy, '1');
	later_s = 60;
	lua_policy_ops.on_dtmf(s.policy, '1');
	assert_string_equal(fake_log(&s.call), "say(a) say(nil)");
	script_end(&s);
	api_time_set_wall(NULL);
	diary_clear();
}

static void a_full_diary_refuses(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, PRE
		"local ok, why, code\n"
		"for i = 1, 2000 do\n"
		"  ok, why, code = host.diary.take('s' .. call.state.n .. '/' .. i, 'a',\n"
		"    os.time() + 600)\n"
		"end show(call, ok, code)\nend,\n"
		"on_dtmf = function(call) call.state.n = (call.state.n or 0) + 1 end }");
	for (int i = 0; i < 11; i++) {
		lua_policy_ops.on_dtmf(s.policy, '1');
		lua_policy_ops.on_start(s.policy);
		assert_string_equal(fake_log(&s.call), i < 10 ? "say(true|nil)" :
				    "say(nil|ERR_FULL)");
	}
	script_end(&s);
	diary_clear();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dangerous_names_are_not_there),
		cmocka_unit_test(what_is_there_is_not_changed),
		cmocka_unit_test(a_call_shows_its_fields),
		cmocka_unit_test(wrong_arguments_name_themselves),
		cmocka_unit_test(json_goes_both_ways_within_limits),
		cmocka_unit_test(texts_in_the_log_are_personal_unless_vouched_for),
		cmocka_unit_test(civil_time_is_that_of_the_clinics_zone),
		cmocka_unit_test(the_diary_is_one_for_all_calls_of_a_clinic),
		cmocka_unit_test(what_is_taken_in_the_diary_ends_by_itself),
		cmocka_unit_test(a_full_diary_refuses),
	};
	return cmocka_run_group_tests(tests, script_setup, script_teardown);
}
