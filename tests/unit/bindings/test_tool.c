/* Tools: their schema, the model's arguments, their results and failures. */
#include "script.h"

#include "base/json.h"
#include "bindings/bundle_int.h"

#define TOOL(params, run) \
	"return { name = 'book', description = 'Books.', effect = 'commit',\n" \
	"parameters = {" params "},\n" \
	"run = function(call, args) " run " end }"

static const char *use(struct script *s, const char *args)
{
	lua_policy_ops.on_tool(s->policy, "c", "book", args);
	return fake_log(&s->call);
}

static void the_schema_is_what_models_understand(void **state)
{
	(void)state;
	struct script s;
	struct policy_prompt p;

	script_open_tool(&s, CLINIC, "book", TOOL(
		"date = { type = 'string', format = 'date', description = 'day' },\n"
		"count = { type = 'integer', min = 1, max = 4, optional = true },\n"
		"tags = { type = 'array', items = { type = 'string', enum = { 'a', 'b' } },\n"
		"  optional = true },\n"
		"who = { type = 'object', properties = { name = { type = 'string',\n"
		"  max_length = 20 } } }", ""));
	lua_policy_ops.prompt(s.policy, &p);
	char *text = json_text(p.tools);
	assert_string_equal(text,
		"[{\"name\":\"book\",\"description\":\"Books.\",\"parameters\":"
		"{\"type\":\"object\",\"properties\":{"
		"\"count\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":4},"
		"\"date\":{\"type\":\"string\",\"description\":\"day\",\"format\":\"date\"},"
		"\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\","
		"\"enum\":[\"a\",\"b\"]}},"
		"\"who\":{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\","
		"\"maxLength\":20}},\"required\":[\"name\"],\"additionalProperties\":false}},"
		"\"required\":[\"date\",\"who\"],\"additionalProperties\":false}}]");
	free(text);
	free(p.instructions);
	cJSON_Delete(p.tools);
	assert_int_equal(bundle_tool(s.bundle, "book")->effect, TOOL_COMMIT);
	script_end(&s);
}

static void wrong_arguments_are_answered_so_that_the_model_can_mend(void **state)
{
	(void)state;
	struct script s;
	static const char *const cases[][2] = {
		{ "{", "the arguments are not valid JSON; send one object" },
		{ "[]", "'arguments' must be of type object, not an array" },
		{ "{}", "'date' is missing; ask the caller if you do not know it" },
		{ "{\"date\":null}", "'date' is missing; ask the caller if you do not know it" },
		{ "{\"date\":5}", "'date' must be of type string, not a number" },
		{ "{\"date\":\"tomorrow\"}", "'date' must be a date like 2026-11-23" },
		{ "{\"date\":\"2027-02-29\"}", "'date' must be a date like 2026-11-23" },
		{ "{\"date\":\"2026-11-23\",\"time\":\"25:00\"}",
		  "'time' must be a time like 14:30" },
		{ "{\"date\":\"2026-11-23\",\"phone\":\"12\"}", "'phone' must be a telephone "
		  "number of 7 to 15 digits; ask the caller for it again" },
		{ "{\"date\":\"2026-11-23\",\"n\":2.5}",
		  "'n' must be of type integer, not a number" },
		{ "{\"date\":\"2026-11-23\",\"n\":\"3\"}",
		  "'n' must be of type integer, not a text" },
		{ "{\"date\":\"2026-11-23\",\"n\":0}", "'n' must be at least 1" },
		{ "{\"date\":\"2026-11-23\",\"n\":9}", "'n' must be at most 4" },
		{ "{\"date\":\"2026-11-23\",\"kind\":\"x\"}",
		  "'kind' must be one of [\"a\",\"b\"]" },
		{ "{\"date\":\"2026-11-23\",\"tags\":[\"ab\",\"abcdef\"]}", "'tags[1]' is longer "
		  "than 3 characters" },
		{ "{\"date\":\"2026-11-23\",\"who\":{}}", "'who.name' is missing; ask the caller "
		  "if you do not know it" },
		{ "{\"date\":\"2026-11-23\",\"what\":1}", "there is no argument 'what' (there "
		  "are: date, kind, n, phone, tags, time, who)" },
	};

	script_open_tool(&s, CLINIC, "book", TOOL(
		"date = { type = 'string', format = 'date' },\n"
		"time = { type = 'string', format = 'time', optional = true },\n"
		"phone = { type = 'string', format = 'phone', optional = true },\n"
		"n = { type = 'integer', min = 1, max = 4, optional = true },\n"
		"kind = { type = 'string', enum = { 'a', 'b' }, optional = true },\n"
		"tags = { type = 'array', optional = true, items = { type = 'string',\n"
		"  max_length = 3 } },\n"
		"who = { type = 'object', optional = true, properties = {\n"
		"  name = { type = 'string' } } }", "call:say('ran')"));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cJSON *o = cJSON_CreateObject();
		cJSON_AddStringToObject(o, "error", cases[i][1]);
		char *text = json_text(o);
		char *want = str_printf("tool(c %s)", text);
		assert_string_equal(use(&s, cases[i][0]), want);
		free(want);
		free(text);
		cJSON_Delete(o);
	}
	assert_string_equal(use(&s, "{\"date\":\"2028-02-29\",\"n\":null}"),
			    "say(ran) tool(c {\"ok\":true})");
	lua_policy_ops.on_tool(s.policy, "c", "cook", "{}");
	assert_string_equal(fake_log(&s.call),
			    "tool(c {\"error\":\"there is no tool 'cook'\"})");
	script_end(&s);
}

static void results_of_each_kind_become_json(void **state)
{
	(void)state;
	struct script s;
	static const char *const want[] = {
		"tool(c {\"a\":1,\"b\":[\"x\",\"y\"]})",
		"tool(c {\"result\":\"done\"})",
		"tool(c {\"ok\":true})",
		"tool(c {\"list\":[]})",
		"tool(c 5)",
		"tool(c {})",
		"tool(c {\"error\":\"no room\"})",
		"tool(c {\"ok\":true})",
	};

	script_open_tool(&s, CLINIC, "book", TOOL("n = { type = 'integer' }",
		"local r = { { a = 1, b = { 'x', 'y' } }, 'done', true,\n"
		"  { list = json.array() }, 5, {} }\n"
		"if args.n == 7 then return nil, 'no room' end\n"
		"if args.n == 9 then return { f = function() end } end\n"
		"return r[args.n]"));
	for (int i = 0; i < 8; i++) {
		char args[32];
		snprintf(args, sizeof args, "{\"n\":%d}", i + 1);
		assert_string_equal(use(&s, args), want[i]);
	}
	script_lines[0] = 0;
	assert_non_null(strstr(use(&s, "{\"n\":9}"), "the tool failed"));
	assert_non_null(strstr(script_lines, "policy.error"));
	script_end(&s);
}

static void a_tool_that_raises_does_not_claim_anything(void **state)
{
	(void)state;
	struct script s;

	script_open_tool(&s, CLINIC, "book", TOOL("", "error('db password is x')"));
	assert_string_equal(use(&s, "{}"),
		"tool(c {\"error\":\"the tool failed; it is not known whether it "
		"took effect: do not say that it did; offer that a person calls "
		"back\"})");
	script_end(&s);
}

static void a_tool_that_hangs_is_answered_at_its_limit(void **state)
{
	(void)state;
	struct script s;

	script_open_tool(&s, CLINIC_WITH("limits = { tool_ms = 2000 },\n"), "book",
		TOOL("", "pcall(sleep, 60000) call:say('too late') return 'x'"));
	assert_string_equal(use(&s, ""), "");
	clock_advance(fake_clock, 1999000);
	assert_string_equal(fake_log(&s.call), "");
	clock_advance(fake_clock, 1000);
	assert_non_null(strstr(fake_log(&s.call), "the tool took too long"));
	clock_advance(fake_clock, 100000000);
	assert_string_equal(fake_log(&s.call), "");
	script_end(&s);
}

static void time_spent_speaking_is_not_the_tools(void **state)
{
	(void)state;
	struct script s;

	script_open_tool(&s, CLINIC_WITH("limits = { tool_ms = 2000 },\n"), "book",
		TOOL("", "call:say_wait('A long sentence.') sleep(1900) return 'x'"));
	assert_string_equal(use(&s, ""), "say(A long sentence.)");
	clock_advance(fake_clock, 5000000);
	fake_heard(&s.call, 1, 0, "A long sentence.");
	clock_advance(fake_clock, 1900000);
	assert_string_equal(fake_log(&s.call), "tool(c {\"result\":\"x\"})");
	script_end(&s);
}

static void two_tools_run_side_by_side(void **state)
{
	(void)state;
	struct script s;

	script_open_tool(&s, CLINIC, "book", TOOL("n = { type = 'integer' }",
		"sleep(args.n) return { n = args.n }"));
	lua_policy_ops.on_tool(s.policy, "a", "book", "{\"n\":200}");
	lua_policy_ops.on_tool(s.policy, "b", "book", "{\"n\":100}");
	clock_advance(fake_clock, 300000);
	assert_string_equal(fake_log(&s.call), "tool(b {\"n\":100}) tool(a {\"n\":200})");
	script_end(&s);
}

static void on_tool_may_answer_in_the_tools_place(void **state)
{
	(void)state;
	struct script s;
	const char *const files[] = {
		"clinic.lua", CLINIC,
		"tools/book.lua", TOOL("n = { type = 'integer' }", "return 'ran'"),
		"policy.lua", "return { on_tool = function(call, name, args)\n"
		"  if args.n == 1 then return { refused = name } end\n"
		"  if args.n == 2 then return nil, 'not today' end end }", NULL
	};

	assert_int_equal(script_load(&s, files), 0);
	fake_init(&s.call, bundle_clinic(s.bundle));
	assert_int_equal(lua_policy_ops.open(&s.policy, s.bundle, &s.call), 0);
	assert_string_equal(use(&s, "{\"n\":1}"), "tool(c {\"refused\":\"book\"})");
	assert_string_equal(use(&s, "{\"n\":2}"), "tool(c {\"error\":\"not today\"})");
	assert_string_equal(use(&s, "{\"n\":3}"), "tool(c {\"result\":\"ran\"})");
	script_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_schema_is_what_models_understand),
		cmocka_unit_test(wrong_arguments_are_answered_so_that_the_model_can_mend),
		cmocka_unit_test(results_of_each_kind_become_json),
		cmocka_unit_test(a_tool_that_raises_does_not_claim_anything),
		cmocka_unit_test(a_tool_that_hangs_is_answered_at_its_limit),
		cmocka_unit_test(time_spent_speaking_is_not_the_tools),
		cmocka_unit_test(two_tools_run_side_by_side),
		cmocka_unit_test(on_tool_may_answer_in_the_tools_place),
	};
	return cmocka_run_group_tests(tests, script_setup, script_teardown);
}
