/* What waits, how it goes on, and how it ends when the call does. */
#include "script.h"

static void say_wait_goes_on_when_it_was_heard(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_start = function(call)\n"
		"local ok, why, code, heard = call:say_wait('One.')\n"
		"call:say(tostring(ok))\n"
		"ok, why, code, heard = call:say_wait('Two.')\n"
		"call:say(table.concat({ tostring(ok), why, code, heard }, '|'))\n"
		"ok, why, code, heard = call:say_wait('Three.')\n"
		"call:say(table.concat({ tostring(ok), code, heard }, '|')) end }");
	lua_policy_ops.on_start(s.policy);
	assert_string_equal(fake_log(&s.call), "say(One.)");
	fake_heard(&s.call, 1, 0, "One.");
	assert_string_equal(fake_log(&s.call), "say(true) say(Two.)");
	fake_heard(&s.call, 3, -ECANCELED, "Tw");
	assert_string_equal(fake_log(&s.call),
			    "say(nil|cut short|ECANCELED|Tw) say(Three.)");
	fake_heard(&s.call, 5, ERR_SERVER, NULL);
	assert_string_equal(fake_log(&s.call), "say(nil|ERR_SERVER|)");
	script_end(&s);
}

static void a_refusal_comes_back_as_nil_message_code(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_start = function(call)\n"
		"local function show(...) call.state.out = (call.state.out or '')\n"
		"  .. table.concat({ tostring((...)), select(2, ...) }, '|') .. ' ' end\n"
		"show(call:say('x')) show(call:say_wait('x')) show(call:say_line('filler'))\n"
		"show(call:transfer('+12345678')) show(call:send_dtmf('1'))\n"
		"show(call:set_language('xx')) end,\n"
		"on_dtmf = function(call) call:say(call.state.out) end }");
	s.call.refuse = ERR_FULL;
	lua_policy_ops.on_start(s.policy);
	s.call.refuse = 0;
	lua_policy_ops.on_dtmf(s.policy, '1');
	char *full = str_printf("nil|%s|ERR_FULL ", err_text(ERR_FULL));
	char *want = str_printf("say(%s%s%s%s%snil|the clinic has no language 'xx'"
				"|ERR_REQUEST )", full, full, full, full, full);
	assert_string_equal(fake_log(&s.call), want);
	free(want);
	free(full);
	script_end(&s);
}

static void sleep_waits_on_the_loops_clock(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_start = function(call)\n"
		"local from = now() sleep(250) call:say('after ' .. now() - from)\n"
		"end }");
	lua_policy_ops.on_start(s.policy);
	clock_advance(fake_clock, 249000);
	assert_string_equal(fake_log(&s.call), "");
	clock_advance(fake_clock, 1000);
	assert_string_equal(fake_log(&s.call), "say(after 250)");
	script_end(&s);
}

static void waiting_works_across_pcall_and_iterators(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_start = function(call)\n"
		"local ok, why = pcall(function() sleep(5) error('late', 0) end)\n"
		"call:say(tostring(why))\n"
		"local ok2, h = xpcall(function() sleep(5) error('later', 0) end,\n"
		"  function(e) return 'handled ' .. e end)\n"
		"call:say(h)\n"
		"for x in function(_, i) sleep(5) i = (i or 0) + 1\n"
		"  if i < 3 then return i end end do call:say('' .. x) end\n"
		"end }");
	lua_policy_ops.on_start(s.policy);
	clock_advance(fake_clock, 100000);
	assert_string_equal(fake_log(&s.call),
			    "say(late) say(handled later) say(1) say(2)");
	script_end(&s);
}

static void where_nothing_can_wait_it_is_said(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_start = function(call)\n"
		"local _, why = coroutine.resume(coroutine.create(function() sleep(5) end))\n"
		"call:say(why)\n"
		"_, why = pcall(table.sort, { 2, 1 }, function() sleep(5) end)\n"
		"call:say(why)\n"
		"_, why = pcall(string.gsub, 'x', 'x', function() call:say_wait('y') end)\n"
		"call:say(why)\n"
		"coroutine.yield() end }");
	lua_policy_ops.on_start(s.policy);
	assert_string_equal(fake_log(&s.call),
		"say(policy.lua:2: sleep cannot wait inside a coroutine of the "
		"script's own) "
		"say(policy.lua:4: sleep cannot wait inside a callback of a C "
		"function (sort, gsub)) "
		"say(policy.lua:6: call:say_wait cannot wait inside a callback of "
		"a C function (sort, gsub)) "
		"line(apology)");
	script_end(&s);
}

static void coroutines_of_the_script_work_as_ever(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_start = function(call)\n"
		"local function each(list) return coroutine.wrap(function()\n"
		"  for _, v in ipairs(list) do coroutine.yield(v) end end) end\n"
		"for v in each({ 'a', 'b' }) do call:say(v) sleep(1) end end }");
	lua_policy_ops.on_start(s.policy);
	clock_advance(fake_clock, 10000);
	assert_string_equal(fake_log(&s.call), "say(a) say(b)");
	script_end(&s);
}

static void closing_runs_the_hook_of_everything_that_waits(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return {\n"
		"on_start = function(call) call:say_wait('x') end,\n"
		"on_turn = function(call) sleep(1000) end,\n"
		"on_dtmf = function(call) call:transfer('+12345678') end }");
	lua_policy_ops.on_start(s.policy);
	script_turn(&s, 1, "hi");
	lua_policy_ops.on_dtmf(s.policy, '1');
	assert_int_equal(clock_timers(fake_clock), 1);
	fake_log(&s.call);
	lua_policy_ops.close(s.policy);
	assert_string_equal(fake_log(&s.call), "transfer_forget said_forget(1)");
	assert_int_equal(clock_timers(fake_clock), 0);
	s.policy = NULL;
	fake_finish(&s.call);
	script_end(&s);
}

static void a_new_turn_ends_the_one_that_still_waits(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_turn = function(call, turn)\n"
		"call:say_wait('You said ' .. turn.text) call:say('end ' .. turn.text)\n"
		"return true end }");
	script_turn(&s, 1, "a");
	script_turn(&s, 2, "b");
	assert_string_equal(fake_log(&s.call), "say(You said a) said_forget(1) "
			    "turn(1 handled) say(You said b)");
	fake_heard(&s.call, 2, 0, "You said b");
	assert_string_equal(fake_log(&s.call), "say(end b) turn(2 handled)");
	script_end(&s);
}

static void hang_up_ends_the_talk_and_lets_a_tool_finish(void **state)
{
	(void)state;
	struct script s;

	script_open_tool(&s, CLINIC, "slow",
		"return { name = 'slow', description = 'd', effect = 'commit',\n"
		"run = function(call) sleep(100)\n"
		"  local ok, why = pcall(call.say, call, 'done')\n"
		"  return { why = why } end }");
	lua_policy_ops.on_tool(s.policy, "t1", "slow", "{}");
	lua_policy_ops.on_hangup(s.policy, "caller");
	clock_advance(fake_clock, 100000);
	assert_string_equal(fake_log(&s.call),
			    "tool(t1 {\"why\":\"call is over\"})");
	script_end(&s);
}

static void heard_inside_a_hangup(struct call *c)
{
	fake_heard(c, 1, -ECANCELED, "On");
}

static void a_completion_inside_a_run_comes_after_it(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_start = function(call)\n"
		"local ok, why, code, heard = call:say_wait('One') call:say(heard) end,\n"
		"on_dtmf = function(call) call:hangup('x') call:say('first') end }");
	lua_policy_ops.on_start(s.policy);
	s.call.on_hangup = heard_inside_a_hangup;
	lua_policy_ops.on_dtmf(s.policy, '1');
	assert_string_equal(fake_log(&s.call), "say(One) hangup(x) say(first)");
	clock_advance(fake_clock, 0);
	assert_string_equal(fake_log(&s.call), "say(On)");
	script_end(&s);
}

static void transfer_tells_how_it_ended(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_dtmf = function(call)\n"
		"local ok, why, code, sip = call:transfer('sip:desk@example.com')\n"
		"call:say(tostring(ok) .. '|' .. tostring(code) .. '|' .. tostring(sip))\n"
		"end }");
	lua_policy_ops.on_dtmf(s.policy, '0');
	fake_transferred(&s.call, ERR_REQUEST, 486);
	assert_string_equal(fake_log(&s.call), "transfer(sip:desk@example.com) "
			    "say(nil|ERR_REQUEST|486)");
	lua_policy_ops.on_dtmf(s.policy, '0');
	fake_transferred(&s.call, 0, 0);
	assert_string_equal(fake_log(&s.call), "transfer(sip:desk@example.com) "
			    "say(true|nil|nil)");
	script_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(say_wait_goes_on_when_it_was_heard),
		cmocka_unit_test(a_refusal_comes_back_as_nil_message_code),
		cmocka_unit_test(sleep_waits_on_the_loops_clock),
		cmocka_unit_test(waiting_works_across_pcall_and_iterators),
		cmocka_unit_test(where_nothing_can_wait_it_is_said),
		cmocka_unit_test(coroutines_of_the_script_work_as_ever),
		cmocka_unit_test(closing_runs_the_hook_of_everything_that_waits),
		cmocka_unit_test(a_new_turn_ends_the_one_that_still_waits),
		cmocka_unit_test(hang_up_ends_the_talk_and_lets_a_tool_finish),
		cmocka_unit_test(a_completion_inside_a_run_comes_after_it),
		cmocka_unit_test(transfer_tells_how_it_ended),
	};
	return cmocka_run_group_tests(tests, script_setup, script_teardown);
}
