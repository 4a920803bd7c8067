/* Loading a clinic: every fault names its file, its line and what is right. */
#include "script.h"

#include "bindings/bundle_int.h"

static void assert_fault(const char *clinic, const char *why)
{
	struct script s;
	const char *const files[] = { "clinic.lua", clinic, NULL };

	assert_int_equal(script_load(&s, files), ERR_CONFIG);
	assert_string_equal(s.why, why);
	script_end(&s);
}

static void clinic_faults_say_where_and_what_is_allowed(void **state)
{
	(void)state;
	assert_fault(CLINIC_WITH("colour = 'red',\n"),
		"clinic.lua:7: colour: unknown key (allowed: title, zone, languages, "
		"llm, greeting, phone, address, numbers, front_desk, hours, holidays, "
		"people, services, chairs, limits, interruptible, needs, config)");
	assert_fault(CLINIC_WITH("greeting = 5,\n"),
		"clinic.lua:7: greeting: is a number (allowed: text; the first words "
		"of a call)");
	assert_fault(CLINIC_WITH("limits = {\n  idle_ms = 5,\n  tool_ms = 1e9,\n},\n"),
		"clinic.lua:8: limits.idle_ms: is 5 (allowed: 2000 to 60000)\n"
		"clinic.lua:9: limits.tool_ms: is 1e+09 (allowed: 500 to 60000)");
	assert_fault(CLINIC_WITH("interruptible = 'no',\n"),
		"clinic.lua:7: interruptible: is a string (allowed: true or false; "
		"callers may talk over us; true)");
	assert_fault(CLINIC_WITH("hours = {\n  mon = { '9-5' },\n  mo = {},\n},\n"),
		"clinic.lua:8: hours.mon[1]: is '9-5' (allowed: a span of time like "
		"\"09:00-17:00\")\n"
		"clinic.lua:9: hours.mo: unknown key (allowed: mon, tue, wed, thu, "
		"fri, sat, sun)");
	assert_fault(CLINIC_WITH("services = {\n  { id = 'a', name = 'A', minutes = 30 "
				 "},\n  { id = 'b', name = 'B' },\n},\n"),
		"clinic.lua:9: services[2]: 'minutes' is missing (how long it takes)");
	assert_fault("return 5", "clinic.lua: returns a number (allowed: the table "
		     "of the clinic's data)");
	assert_fault("return {", "clinic.lua:1: unexpected symbol near '<eof>'");
	assert_fault("return { title = 'T', zone = 'UTC', languages = { { tag = 'en',\n"
		     "  stt = { { provider = 'deepgram', model = 'm' } },\n"
		     "  tts = { { provider = 'aura', model = 'm' } } } } }",
		"clinic.lua: nobody would answer (wanted: llm here, or on_turn in "
		"policy.lua)");
	assert_fault("return { title = missing }", "clinic.lua:1: unknown global "
		     "'missing' (a typo, or a missing local?)");
}

static void a_language_needs_an_ear_and_a_voice(void **state)
{
	(void)state;
	assert_fault("return { title = 'T', zone = 'UTC',\n"
		     "languages = {\n"
		     "  { tag = 'en', stt = {}, tts = { { provider = 'aura',\n"
		     "    model = 'x' } } },\n"
		     "  { tag = 'ur', stt = { { provider = 'deepgram', model = 'm' } } },\n"
		     "} }",
		"clinic.lua:3: languages[1].stt: is empty (allowed: the ears, at "
		"least one, in order of preference)\n"
		"clinic.lua:5: languages[2]: 'tts' is missing (the voices, at least "
		"one, in order of preference)");
	assert_fault("return { title = 'T', zone = 'UTC', languages = {} }",
		"clinic.lua:1: languages: is empty (allowed: at least one; the first "
		"is the default)");
}

static void providers_and_zones_are_known_ones(void **state)
{
	(void)state;
	assert_fault("return {\n"
		     "title = 'T', zone = 'Mars/Olympus',\n"
		     "languages = { { tag = 'en',\n"
		     "  stt = { { provider = 'deepgram', model = 'nova-3' },\n"
		     "          { provider = 'ears', model = 'x' } },\n"
		     "  tts = { { provider = 'aura', model = 'x' } } },\n"
		     "  { tag = 'en', stt = { { provider = 'deepgram', model = 'm' } },\n"
		     "    tts = { { provider = 'aura', model = 'x' } } } },\n"
		     "llm = { { provider = 'mind', model = 'y' } } }",
		"clinic.lua:5: languages[1].stt[2]: provider is unknown (allowed: "
		"deepgram)\n"
		"clinic.lua:7: languages[2]: the tag 'en' is there twice\n"
		"clinic.lua:9: llm[1]: provider is unknown (allowed: openai)\n"
		"clinic.lua:2: zone: is 'Mars/Olympus' (allowed: a name of the IANA "
		"time zones, like \"Asia/Karachi\")");
}

static void what_is_left_out_has_its_default(void **state)
{
	(void)state;
	struct script s;
	const char *const files[] = { "clinic.lua", CLINIC, NULL };

	assert_int_equal(script_load(&s, files), 0);
	const struct clinic *c = bundle_clinic(s.bundle);
	assert_int_equal(c->longest_call_s, 1800);
	assert_int_equal(c->idle_ms, 8000);
	assert_int_equal(c->idle_times, 3);
	assert_int_equal(c->endpointing_ms, 0); /* the ear judges */
	assert_int_equal(c->tool_ms, 8000);
	assert_true(c->interruptible);
	assert_true(c->needs_supabase && c->needs_openai && c->needs_deepgram);
	assert_string_equal(c->languages[0].stt[0].language, "en");
	script_end(&s);
}

static void assert_policy_fault(const char *policy, const char *why)
{
	struct script s;
	const char *const files[] = { "clinic.lua", CLINIC, "policy.lua", policy,
				      NULL };

	assert_int_equal(script_load(&s, files), ERR_CONFIG);
	assert_string_equal(s.why, why);
	script_end(&s);
}

static void policy_faults_name_what_a_policy_may_have(void **state)
{
	(void)state;
	assert_policy_fault("return 1", "policy.lua: returns a number (allowed: the "
			    "policy's table)");
	assert_policy_fault("return { on_trun = function() end }",
		"policy.lua: unknown key 'on_trun' (allowed: on_start, on_turn, "
		"on_tool, on_dtmf, on_silence, on_hangup, instructions, tools)");
	assert_policy_fault("return { on_turn = 'yes', instructions = 5 }",
		"policy.lua: on_turn is a string (allowed: function)\n"
		"policy.lua: instructions is a number (allowed: text, function)");
	assert_policy_fault("return { tools = { 'book' } }",
		"policy.lua: tools names 'book', but there is no tools/book.lua");
	assert_policy_fault("local M = {}\nfunction M.on_start(call)\n  call:say(\nend",
		"policy.lua:4: unexpected symbol near 'end'");
	assert_policy_fault("x = 1", "policy.lua:1: globals are not written: put "
			    "'local' before 'x'");
	assert_policy_fault("require('menu')", "policy.lua:1: there is no module "
			    "'menu' in the clinic's folder or among the shipped ones");
	assert_policy_fault("sleep(5)", "policy.lua:1: there is no call while a "
			    "clinic is loaded");
	assert_policy_fault("\033LJ\002", "policy.lua: attempt to load chunk with "
			    "wrong mode");
}

static void assert_tool_fault(const char *tool, const char *why)
{
	struct script s;
	const char *const files[] = { "clinic.lua", CLINIC, "tools/t.lua", tool,
				      NULL };

	assert_int_equal(script_load(&s, files), ERR_CONFIG);
	assert_string_equal(s.why, why);
	script_end(&s);
}

#define HEAD "return { name = 't', description = 'd', effect = 'read', " \
	     "run = function() end, "

static void tool_faults_name_the_parameter(void **state)
{
	(void)state;
	assert_tool_fault("return {}", "tools/t.lua: 'name' is wanted: letters, "
			  "digits, _ and -, at most 64");
	assert_tool_fault("return { name = 'x', description = 'd', effect = 'read', "
			  "run = function() end }", "tools/t.lua: name is 'x' "
			  "(allowed: the file's own, 't')");
	assert_tool_fault("return { name = 't', description = 'd', effect = 'write', "
			  "run = function() end }", "tools/t.lua: 'effect' is wanted: "
			  "\"read\", \"hold\" or \"commit\"");
	assert_tool_fault("return { name = 't', effect = 'read' }", "tools/t.lua: "
			  "'description' is wanted: it tells the model when to call");
	assert_tool_fault(HEAD "strict = true }", "tools/t.lua: unknown key (allowed: "
			  "name, description, parameters, effect, run)");
	assert_tool_fault(HEAD "parameters = { a = { typ = 'string' } } }",
		"tools/t.lua: parameters.a: unknown key 'typ' (allowed: type, "
		"description, optional, enum, min, max, max_length, format, items, "
		"properties)");
	assert_tool_fault(HEAD "parameters = { a = { type = 'text' } } }",
		"tools/t.lua: parameters.a: type is 'text' (allowed: string, integer, "
		"number, boolean, array, object)");
	assert_tool_fault(HEAD "parameters = { a = 'string' } }",
		"tools/t.lua: parameters.a: a table { type = ..., description = ... } "
		"is wanted");
	assert_tool_fault(HEAD "parameters = { a = { type = 'array' } } }",
		"tools/t.lua: parameters.a: an array needs 'items'");
	assert_tool_fault(HEAD "parameters = { a = { type = 'object', properties = {\n"
		"b = { type = 'string', format = 'email' } } } } }",
		"tools/t.lua: parameters.a.b: format is 'email' (allowed: date "
		"(2026-11-23), time (14:30), phone (+923001234567))");
}

static void the_hash_changes_with_names_and_content_only(void **state)
{
	(void)state;
	struct script a, b, c;
	const char *const one[] = { "clinic.lua", CLINIC, "m.lua", "return 1", NULL };
	const char *const two[] = { "m.lua", "return 1", "clinic.lua", CLINIC,
				    "tests/x.lua", "broken(", NULL };
	const char *const three[] = { "clinic.lua", CLINIC, "m.lua", "return 2", NULL };

	assert_int_equal(script_load(&a, one), 0);
	assert_int_equal(script_load(&b, two), 0);
	assert_int_equal(script_load(&c, three), 0);
	assert_string_equal(bundle_clinic(a.bundle)->hash, bundle_clinic(b.bundle)->hash);
	assert_string_not_equal(bundle_clinic(a.bundle)->hash,
				bundle_clinic(c.bundle)->hash);
	bundle_unref(a.bundle);
	bundle_unref(b.bundle);
	a.bundle = b.bundle = NULL;
	script_end(&c);
	script_end(&b);
	script_end(&a);
}

static void all_faults_of_all_clinics_come_at_once(void **state)
{
	(void)state;
	struct script s;
	struct bundles all;
	char *why = NULL;
	const char *const files[] = {
		"clinic.lua", CLINIC, "below/a/clinic.lua", "return {",
		"below/b/clinic.lua", CLINIC, "below/c/clinic.lua", "return 1",
		"below/none/x.txt", "", NULL
	};

	script_load(&s, files);
	char *below = str_printf("%s/below", s.folder);
	assert_int_equal(bundles_load(&all, below, &why), ERR_CONFIG);
	assert_string_equal(why,
		"a/clinic.lua:1: unexpected symbol near '<eof>'\n"
		"c/clinic.lua: returns a number (allowed: the table of the clinic's "
		"data)");
	free(why);
	script_write(s.folder, "below/a/clinic.lua", CLINIC);
	script_write(s.folder, "below/c/clinic.lua", CLINIC);
	assert_int_equal(bundles_load(&all, below, &why), 0);
	assert_int_equal(all.n, 3);
	assert_string_equal(bundle_clinic(bundles_find(&all, "b"))->name, "b");
	assert_null(bundles_find(&all, "x"));
	assert_null(bundles_find(&all, ""));
	bundles_free(&all);
	free(below);
	below = str_printf("%s/below/b/", s.folder); /* a clinic itself */
	assert_int_equal(bundles_load(&all, below, &why), 0);
	assert_int_equal(all.n, 1);
	bundles_free(&all);
	script_write(s.folder, "below/b/policy.lua", "return {\n\n");
	assert_int_equal(bundles_load(&all, below, &why), ERR_CONFIG);
	assert_true(str_has_prefix(why, "b/policy.lua:"));
	free(why);
	free(below);
	below = str_printf("%s/nowhere", s.folder);
	assert_int_equal(bundles_load(&all, below, &why), ERR_CONFIG);
	assert_non_null(strstr(why, "nowhere: No such file"));
	free(why);
	free(below);
	below = str_printf("%s/below/none", s.folder);
	assert_int_equal(bundles_load(&all, below, &why), ERR_CONFIG);
	assert_non_null(strstr(why, "no folder with a clinic.lua in it"));
	free(why);
	free(below);
	script_end(&s);
}

static void lines_are_found_in_any_layout_of_data(void **state)
{
	(void)state;
	const char *text =
		"-- a comment { with = 'braces'\n"
		"--[[ and a\n"
		"long one ]]\n"
		"local x = 'a{b'\n"
		"return {\n"
		"  a = 1, b = {\n"
		"    { c = [[long\n"
		"text]], d = 2 }, { c = 3,\n"
		"      d = \"}\" },\n"
		"    ['e'] = { 'x',\n"
		"      'y' },\n"
		"  },\n"
		"}\n";
	size_t n = strlen(text);

	assert_int_equal(clinic_line(text, n, "a"), 6);
	assert_int_equal(clinic_line(text, n, "b"), 6);
	assert_int_equal(clinic_line(text, n, "b[1].c"), 7);
	assert_int_equal(clinic_line(text, n, "b[1].d"), 8);
	assert_int_equal(clinic_line(text, n, "b[2]"), 8);
	assert_int_equal(clinic_line(text, n, "b[2].d"), 9);
	assert_int_equal(clinic_line(text, n, "b.e[2]"), 11);
	assert_int_equal(clinic_line(text, n, "b.f.g"), 6);
	assert_int_equal(clinic_line(text, n, "nothing"), 0);
	assert_int_equal(clinic_line("{{{", 3, "a.b"), 0);
	assert_int_equal(clinic_line("return { a = 'unfinished", 24, "a"), 1);
}

static void modules_are_those_of_the_folder_and_the_shipped(void **state)
{
	(void)state;
	struct script s;
	const char *const files[] = {
		"clinic.lua", CLINIC,
		"flows/menu.lua", "local n = 0 return { next = function() n = n + 1 return n end }",
		"loop.lua", "return { 1, pcall(require, 'loop') }",
		"policy.lua",
		"local menu = require('flows.menu')\n"
		"return { on_start = function(call)\n"
		"  menu.next() call:say(require('flows.menu').next() .. ' '\n"
		"    .. require('speak').list({ 'a', 'b' }))\n"
		"  call:say(require('loop')[3])\n"
		"  for _, name in ipairs({ '../x', '/etc/passwd', 'flows/menu', '' }) do\n"
		"    if pcall(require, name) then call:say(name) end end\n"
		"end }", NULL
	};

	assert_int_equal(script_load(&s, files), 0);
	fake_init(&s.call, bundle_clinic(s.bundle));
	assert_int_equal(lua_policy_ops.open(&s.policy, s.bundle, &s.call), 0);
	lua_policy_ops.on_start(s.policy);
	assert_string_equal(fake_log(&s.call), "say(2 a and b) "
			    "say(module 'loop' requires itself)");
	script_end(&s);
	const char *const taken[] = { "clinic.lua", CLINIC, "speak.lua", "", NULL };
	assert_int_equal(script_load(&s, taken), ERR_CONFIG);
	assert_string_equal(s.why, "speak.lua: the name is that of a shipped module");
	script_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clinic_faults_say_where_and_what_is_allowed),
		cmocka_unit_test(a_language_needs_an_ear_and_a_voice),
		cmocka_unit_test(providers_and_zones_are_known_ones),
		cmocka_unit_test(what_is_left_out_has_its_default),
		cmocka_unit_test(policy_faults_name_what_a_policy_may_have),
		cmocka_unit_test(tool_faults_name_the_parameter),
		cmocka_unit_test(the_hash_changes_with_names_and_content_only),
		cmocka_unit_test(all_faults_of_all_clinics_come_at_once),
		cmocka_unit_test(lines_are_found_in_any_layout_of_data),
		cmocka_unit_test(modules_are_those_of_the_folder_and_the_shipped),
	};
	return cmocka_run_group_tests(tests, script_setup, script_teardown);
}
