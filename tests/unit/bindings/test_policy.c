/* What a call asks of its policy, and what comes back through the call. */
#include "script.h"

static void a_policy_greets_answers_and_says_goodbye(void **state)
{
	(void)state;
	struct script s;

	script_open(&s,
		"local M = {}\n"
		"function M.on_start(call) call:say('Hello') end\n"
		"function M.on_turn(call, turn)\n"
		"  if turn.text == 'bye' then call:hangup('done') return true end\n"
		"end\n"
		"return M\n");
	assert_true(lua_policy_ops.wants_turns(s.policy));
	lua_policy_ops.on_start(s.policy);
	assert_string_equal(fake_log(&s.call), "say(Hello)");
	script_turn(&s, 7, "what?");
	assert_string_equal(fake_log(&s.call), "turn(7 reply)");
	script_turn(&s, 8, "bye");
	assert_string_equal(fake_log(&s.call), "hangup(done) turn(8 handled)");
	script_end(&s);
}

static void without_a_policy_the_greeting_is_said_and_the_model_answers(void **state)
{
	(void)state;
	struct script s;
	const char *const files[] = {
		"clinic.lua", CLINIC_WITH("greeting = 'Welcome',\n"), NULL
	};

	assert_int_equal(script_load(&s, files), 0);
	fake_init(&s.call, bundle_clinic(s.bundle));
	assert_int_equal(lua_policy_ops.open(&s.policy, s.bundle, &s.call), 0);
	assert_false(lua_policy_ops.wants_turns(s.policy));
	lua_policy_ops.on_start(s.policy);
	script_turn(&s, 1, "hi");
	assert_false(lua_policy_ops.on_silence(s.policy, 1));
	lua_policy_ops.on_dtmf(s.policy, '5');
	assert_string_equal(fake_log(&s.call), "say(Welcome) turn(1 reply)");
	script_end(&s);
}

static void the_turn_carries_words_and_what_was_heard(void **state)
{
	(void)state;
	struct script s;
	const struct stt_word words[] = { { "Tuesday", 0.5, 0.9, 0.75f } };

	script_open(&s,
		"return { on_turn = function(call, turn)\n"
		"  local w = turn.words[1]\n"
		"  call:say(('%s %s %.2f %s %s %s'):format(turn.text, w.text,\n"
		"    w.end_s, turn.heard, tostring(turn.interrupted),\n"
		"    tostring(turn.typed)))\n"
		"end }");
	lua_policy_ops.on_turn(s.policy, &(struct policy_turn){
		.id = 1, .text = "on Tuesday", .words = words, .n_words = 1,
		.interrupted = true, .heard = "We have" });
	assert_string_equal(fake_log(&s.call),
		"say(on Tuesday Tuesday 0.90 We have true false) turn(1 reply)");
	script_end(&s);
}

static void an_error_in_on_turn_fails_the_turn_and_is_logged_without_words(void **state)
{
	(void)state;
	struct script s;

	script_lines[0] = 0;
	script_open(&s,
		"local M = {}\n"
		"local function deep(turn) error('cannot: ' .. turn.text) end\n"
		"function M.on_turn(call, turn) deep(turn) end\n"
		"return M\n");
	script_turn(&s, 3, "Fatima Bibi");
	assert_string_equal(fake_log(&s.call), "turn(3 failed)");
	assert_non_null(strstr(script_lines, "policy.error"));
	assert_non_null(strstr(script_lines, "policy.lua:2"));
	assert_non_null(strstr(script_lines, "policy.lua:3 "));
	char *place = str_printf("%s/policy.lua:3 ", bundle_clinic(s.bundle)->name);
	assert_non_null(strstr(script_lines, place)); /* of many clinics, which */
	free(place);
	assert_non_null(strstr(script_lines, bundle_clinic(s.bundle)->hash));
	assert_null(strstr(script_lines, "Fatima"));
	assert_null(strstr(strstr(script_lines, "policy.error") + 1, "policy.error"));
	script_turn(&s, 4, "again");
	assert_string_equal(fake_log(&s.call), "turn(4 failed)");
	script_end(&s);
}

static void an_error_elsewhere_says_the_apology(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_start = function() error({ code = 1 }) end,\n"
			"on_dtmf = function() local x = nil; x.y = 1 end }");
	lua_policy_ops.on_start(s.policy);
	assert_string_equal(fake_log(&s.call), "line(apology)");
	lua_policy_ops.on_dtmf(s.policy, '1');
	assert_string_equal(fake_log(&s.call), "line(apology)");
	script_end(&s);
}

static void state_lives_as_long_as_the_call(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_dtmf = function(call, key)\n"
			"  call.state.keys = (call.state.keys or '') .. key\n"
			"  call:say(call.state.keys)\n"
			"end }");
	lua_policy_ops.on_dtmf(s.policy, '4');
	lua_policy_ops.on_dtmf(s.policy, '2');
	assert_string_equal(fake_log(&s.call), "say(4) say(42)");
	script_end(&s);
}

static void instructions_and_tools_come_from_functions_too(void **state)
{
	(void)state;
	struct script s;
	struct policy_prompt prompt;
	const char *const tool = "return { name = '%s', description = 'd', "
				 "effect = 'read', run = function() end }";
	char *a = str_printf("return { name = 'a', description = 'd', effect = "
			     "'read', run = function() end }");
	char *b = str_printf("return { name = 'b', description = 'd', effect = "
			     "'read', run = function() end }");
	const char *const files[] = {
		"clinic.lua", CLINIC, "tools/a.lua", a, "tools/b.lua", b,
		"policy.lua",
		"return { instructions = function(call) return 'For ' .. call.caller end,\n"
		"tools = function(call) return { 'b' } end }", NULL
	};

	(void)tool;
	assert_int_equal(script_load(&s, files), 0);
	fake_init(&s.call, bundle_clinic(s.bundle));
	assert_int_equal(lua_policy_ops.open(&s.policy, s.bundle, &s.call), 0);
	lua_policy_ops.prompt(s.policy, &prompt);
	assert_string_equal(prompt.instructions, "For +923001234567");
	assert_int_equal(cJSON_GetArraySize(prompt.tools), 1);
	free(prompt.instructions);
	cJSON_Delete(prompt.tools);
	script_end(&s);
	free(a);
	free(b);
}

static void broken_instructions_leave_plain_ones(void **state)
{
	(void)state;
	struct script s;
	struct policy_prompt prompt;

	script_open(&s, "return { instructions = function() sleep(10) end }");
	script_lines[0] = 0;
	lua_policy_ops.prompt(s.policy, &prompt);
	assert_non_null(strstr(prompt.instructions, "You answer the phone of Test"));
	assert_int_equal(cJSON_GetArraySize(prompt.tools), 0);
	assert_non_null(strstr(script_lines, "policy.error"));
	free(prompt.instructions);
	cJSON_Delete(prompt.tools);
	script_end(&s);
}

static void ask_prompt_now(struct call *c)
{
	struct policy_prompt prompt;

	lua_policy_ops.prompt(c->policy, &prompt);
	free(prompt.instructions);
	cJSON_Delete(prompt.tools);
}

static void the_host_may_ask_for_the_prompt_inside_a_reply(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "local asked = 0\n"
		"return { instructions = function() asked = asked + 1 return 'x' end,\n"
		"on_start = function(call) call:reply('briefly')\n"
		"  sleep(5) call:say('asked ' .. asked) end }");
	s.call.on_reply = ask_prompt_now;
	lua_policy_ops.on_start(s.policy);
	clock_advance(fake_clock, 5000);
	assert_string_equal(fake_log(&s.call), "reply(briefly) say(asked 1)");
	script_end(&s);
}

static void close_now(struct call *c)
{
	lua_policy_ops.close(c->policy);
	c->policy = NULL;
}

static void closing_inside_a_hangup_ends_the_script_at_its_next_call(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_start = function(call)\n"
		"  call:hangup('now') call:say('never') end }");
	s.call.on_hangup = close_now;
	lua_policy_ops.on_start(s.policy);
	assert_string_equal(fake_log(&s.call), "hangup(now)");
	fake_finish(&s.call);
	s.policy = NULL;
	script_end(&s);
}

static void closing_inside_a_hangup_ends_a_script_that_goes_to_sleep(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_start = function(call)\n"
		"  call:hangup('now') pcall(sleep, 10) end }");
	s.call.on_hangup = close_now;
	lua_policy_ops.on_start(s.policy);
	fake_finish(&s.call);
	s.policy = NULL;
	script_end(&s);
}

static void key_now(struct call *c)
{
	c->on_hangup = NULL;
	lua_policy_ops.on_dtmf(c->policy, '7');
}

static void an_event_inside_a_run_comes_after_it(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_start = function(call)\n"
		"  call:hangup('x') call:say('first') end,\n"
		"on_dtmf = function(call, key) call:say('key ' .. key) end }");
	s.call.on_hangup = key_now;
	lua_policy_ops.on_start(s.policy);
	assert_string_equal(fake_log(&s.call), "hangup(x) say(first)");
	clock_advance(fake_clock, 0);
	assert_string_equal(fake_log(&s.call), "say(key 7)");
	script_end(&s);
}

static void after_hang_up_looking_is_allowed_and_acting_is_not(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_hangup = function(call, reason)\n"
		"  local ok, why = pcall(call.say, call, 'hello?')\n"
		"  host.diary.take('note', reason .. '/' .. call.id:sub(1, 3) .. '/'\n"
		"    .. tostring(why), os.time() + 60)\n"
		"  pcall(function() host.diary.take('n2', tostring(select(2, pcall(sleep, 5))),\n"
		"    os.time() + 60) end)\n"
		"end,\n"
		"on_start = function(call) call:say(host.diary.holder('note'))\n"
		"  call:say(host.diary.holder('n2')) end }");
	lua_policy_ops.on_hangup(s.policy, "caller");
	assert_string_equal(fake_log(&s.call), "");
	lua_policy_ops.close(s.policy);
	assert_int_equal(lua_policy_ops.open(&s.policy, s.bundle, &s.call), 0);
	lua_policy_ops.on_start(s.policy);
	assert_string_equal(fake_log(&s.call),
			    "say(caller/AJ_/call is over) say(call is over)");
	script_end(&s);
}

static void a_thousand_policies_leave_nothing(void **state)
{
	(void)state;
	struct script s;

	script_open(&s, "return { on_start = function(call) call:say_wait('x') end }");
	lua_policy_ops.close(s.policy);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(lua_policy_ops.open(&s.policy, s.bundle, &s.call), 0);
		lua_policy_ops.on_start(s.policy);
		assert_int_equal(s.call.n_said, 1);
		lua_policy_ops.close(s.policy);
		assert_int_equal(s.call.n_said, 0);
		assert_int_equal(bindings_memory(), 0);
		s.call.log[0] = 0;
	}
	s.policy = NULL;
	fake_finish(&s.call);
	script_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_greets_answers_and_says_goodbye),
		cmocka_unit_test(without_a_policy_the_greeting_is_said_and_the_model_answers),
		cmocka_unit_test(the_turn_carries_words_and_what_was_heard),
		cmocka_unit_test(an_error_in_on_turn_fails_the_turn_and_is_logged_without_words),
		cmocka_unit_test(an_error_elsewhere_says_the_apology),
		cmocka_unit_test(state_lives_as_long_as_the_call),
		cmocka_unit_test(instructions_and_tools_come_from_functions_too),
		cmocka_unit_test(broken_instructions_leave_plain_ones),
		cmocka_unit_test(the_host_may_ask_for_the_prompt_inside_a_reply),
		cmocka_unit_test(closing_inside_a_hangup_ends_the_script_at_its_next_call),
		cmocka_unit_test(closing_inside_a_hangup_ends_a_script_that_goes_to_sleep),
		cmocka_unit_test(an_event_inside_a_run_comes_after_it),
		cmocka_unit_test(after_hang_up_looking_is_allowed_and_acting_is_not),
		cmocka_unit_test(a_thousand_policies_leave_nothing),
	};
	return cmocka_run_group_tests(tests, script_setup, script_teardown);
}
