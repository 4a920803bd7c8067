/* The clinics that are shipped: the reference clinic and the smallest one. */
#include "script.h"

#include "bindings/api_int.h"

/* Monday 2026-11-23, 08:00 in Karachi (UTC+5). */
#define MONDAY_8 1795402800

static int64_t wall_s = MONDAY_8;

static int64_t wall(void)
{
	return wall_s;
}

struct clinic_test {
	struct bundle *bundle;
	struct call call[2];
	struct policy *policy[2];
};

static void open_clinic(struct clinic_test *t, const char *folder)
{
	char *why = NULL;

	memset(t, 0, sizeof *t);
	wall_s = MONDAY_8;
	api_time_set_wall(wall);
	int r = bundle_load(&t->bundle, folder, &why);
	if (r < 0)
		print_error("%s\n", why);
	assert_int_equal(r, 0);
	for (int i = 0; i < 2; i++) {
		fake_init(&t->call[i], bundle_clinic(t->bundle));
		assert_int_equal(lua_policy_ops.open(&t->policy[i], t->bundle,
						     &t->call[i]), 0);
	}
}

static void close_clinic(struct clinic_test *t)
{
	for (int i = 0; i < 2; i++) {
		lua_policy_ops.close(t->policy[i]);
		fake_finish(&t->call[i]);
	}
	bundle_unref(t->bundle);
	diary_clear();
	api_time_set_wall(NULL);
	assert_int_equal(bindings_memory(), 0);
}

static const char *ask(struct clinic_test *t, int call, const char *tool,
		       const char *args)
{
	lua_policy_ops.on_tool(t->policy[call], "c1", tool, args);
	return fake_log(&t->call[call]);
}

#define SMILE "scripts/clinics/bright-smile"
#define BOOK(time) \
	"{\"service\":\"checkup\",\"person\":\"khan\",\"date\":\"2026-11-24\"," \
	"\"time\":\"" time "\",\"name\":\"Ali Raza\",\"phone\":\"0300 1234567\"}"

static void bright_smile_greets_with_its_one_greeting(void **state)
{
	(void)state;
	struct clinic_test t;

	open_clinic(&t, SMILE);
	lua_policy_ops.on_start(t.policy[0]);
	assert_string_equal(fake_log(&t.call[0]), "say(Thank you for calling "
			    "Bright Smile Dental. How can I help you?)");
	assert_false(lua_policy_ops.wants_turns(t.policy[0]));
	close_clinic(&t);
}

static void bright_smile_is_configured_as_the_host_needs_it(void **state)
{
	(void)state;
	struct clinic_test t;

	open_clinic(&t, SMILE);
	const struct clinic *c = bundle_clinic(t.bundle);
	assert_string_equal(c->name, "bright-smile");
	assert_string_equal(c->title, "Bright Smile Dental");
	assert_string_equal(c->zone, "Asia/Karachi");
	assert_int_equal(c->n_languages, 2);
	assert_string_equal(c->languages[0].tag, "en");
	assert_string_equal(c->languages[0].stt[0].model, "nova-3");
	assert_string_equal(c->languages[0].stt[0].keyterms[0], "Bright Smile");
	assert_int_equal(c->languages[0].n_tts, 2);
	assert_string_equal(c->languages[0].tts[1].provider, "aura-rest");
	assert_string_equal(c->languages[1].stt[0].language, "ur");
	assert_string_equal(c->languages[1].tts[0].provider, "speech");
	assert_non_null(c->languages[1].tts[0].voice);
	assert_string_equal(c->llm[0].model, "gpt-6-luna");
	assert_int_equal(c->tool_ms, 8000);
	assert_int_equal(c->longest_call_s, 1800);
	assert_false(c->needs_supabase);
	assert_true(c->needs_openai);
	assert_int_equal(strlen(c->hash), 12);
	close_clinic(&t);
}

static void bright_smile_prompts_with_rules_date_and_tools(void **state)
{
	(void)state;
	struct clinic_test t;
	struct policy_prompt p;

	open_clinic(&t, SMILE);
	lua_policy_ops.prompt(t.policy[0], &p);
	assert_non_null(strstr(p.instructions, "2026-11-23, Monday; it is 08:00"));
	assert_non_null(strstr(p.instructions, "transfer_to_person"));
	assert_int_equal(cJSON_GetArraySize(p.tools), 7);
	const cJSON *book = cJSON_GetArrayItem(p.tools, 0);
	assert_string_equal(cJSON_GetObjectItem(book, "name")->valuestring,
			    "book_slot");
	const cJSON *schema = cJSON_GetObjectItem(book, "parameters");
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(schema, "required")), 6);
	free(p.instructions);
	cJSON_Delete(p.tools);
	close_clinic(&t);
}

static void the_hours_are_spoken_words(void **state)
{
	(void)state;
	struct clinic_test t;

	open_clinic(&t, SMILE);
	const char *r = ask(&t, 0, "clinic_info", "");
	assert_non_null(strstr(r, "\"Monday to Friday 9 AM to 5 PM\","
			       "\"Saturday 10 AM to 2 PM\""));
	assert_non_null(strstr(r, "Zamzama"));
	close_clinic(&t);
}

static void free_times_follow_hours_people_and_the_clock(void **state)
{
	(void)state;
	struct clinic_test t;

	open_clinic(&t, SMILE);
	const char *r = ask(&t, 0, "find_slots", "{\"service\":\"checkup\"}");
	assert_non_null(strstr(r, "\"spoken\":\"Monday, November 23 at 9 AM\",\"time\":\"09:00\""));
	/* Dr Siddiqui is not there on Tuesdays. */
	r = ask(&t, 0, "find_slots", "{\"service\":\"root_canal\",\"person\":"
		"\"siddiqui\",\"from\":\"2026-11-24\"}");
	assert_non_null(strstr(r, "\"slots\":[{\"date\":\"2026-11-25\""));
	/* Sunday is closed, Saturday begins at ten. */
	r = ask(&t, 0, "find_slots", "{\"service\":\"checkup\",\"from\":"
		"\"2026-11-28\",\"part\":\"morning\"}");
	assert_non_null(strstr(r, "\"slots\":[{\"date\":\"2026-11-28\",\"person\":"
			       "\"khan\",\"spoken\":\"Saturday, November 28 at 10 AM\""));
	assert_null(strstr(r, "2026-11-29"));
	/* An hour from now is the soonest. */
	wall_s += 7 * 3600;
	r = ask(&t, 0, "find_slots", "{\"service\":\"checkup\"}");
	assert_non_null(strstr(r, "\"slots\":[{\"date\":\"2026-11-23\",\"person\":"
			       "\"khan\",\"spoken\":\"Monday, November 23 at 4 PM\""));
	r = ask(&t, 0, "find_slots", "{\"service\":\"checkup\",\"from\":\"2026-11-01\"}");
	assert_non_null(strstr(r, "{\"error\":\"'from' is in the past; today is 2026-11-23\"}"));
	close_clinic(&t);
}

static void a_slot_is_booked_once_by_whoever_comes_first(void **state)
{
	(void)state;
	struct clinic_test t;

	open_clinic(&t, SMILE);
	assert_string_equal(ask(&t, 0, "book_slot", BOOK("09:30")),
		"tool(c1 {\"booked\":true,\"service\":\"check-up\",\"spoken\":"
		"\"Tuesday, November 24 at 9:30 AM\",\"with\":\"Dr Khan\"})");
	assert_string_equal(ask(&t, 1, "book_slot", BOOK("09:30")),
		"tool(c1 {\"error\":\"the slot is taken; nothing was booked, call "
		"find_slots for other times\"})");
	/* The same wish again: the same answer. */
	assert_non_null(strstr(ask(&t, 0, "book_slot", BOOK("09:30")),
			       "\"booked\":true"));
	/* One that overlaps is refused to the same caller, too. */
	assert_non_null(strstr(ask(&t, 0, "book_slot", BOOK("09:45")),
			       "the slot is taken"));
	/* A refusal took nothing: the cell behind is still free. */
	assert_non_null(strstr(ask(&t, 1, "book_slot", BOOK("10:00")),
			       "\"booked\":true"));
	assert_null(strstr(ask(&t, 1, "find_slots", "{\"service\":\"checkup\","
			       "\"person\":\"khan\",\"from\":\"2026-11-24\"}"),
			   "\"09:30\""));
	close_clinic(&t);
}

/* Nothing is free: all of two weeks is looked through. */
static void a_full_diary_is_looked_through_within_one_run(void **state)
{
	(void)state;
	struct clinic_test t;
	char args[256];
	int booked = 0;

	open_clinic(&t, SMILE);
	for (int day = 23; day <= 36; day++) {
		for (int half = 18; half < 34; half++) {
			snprintf(args, sizeof args, "{\"service\":\"checkup\","
				 "\"person\":\"khan\",\"date\":\"2026-%d-%02d\","
				 "\"time\":\"%02d:%02d\",\"name\":\"Ali\","
				 "\"phone\":\"03001234567\"}", day > 30 ? 12 : 11,
				 day > 30 ? day - 30 : day, half / 2, half % 2 * 30);
			if (strstr(ask(&t, 0, "book_slot", args), "\"booked\":true"))
				booked++;
		}
	}
	assert_int_equal(booked, 10 * 16 + 2 * 8);
	script_lines[0] = 0;
	assert_non_null(strstr(ask(&t, 0, "find_slots",
		"{\"service\":\"root_canal\",\"person\":\"khan\"}"),
		"nothing is free"));
	assert_null(strstr(script_lines, "policy.error"));
	close_clinic(&t);
}

static void times_out_of_hours_and_in_the_past_are_refused(void **state)
{
	(void)state;
	struct clinic_test t;

	open_clinic(&t, SMILE);
	assert_non_null(strstr(ask(&t, 0, "book_slot", BOOK("16:45")),
			       "Dr Khan does not work then"));
	assert_non_null(strstr(ask(&t, 0, "book_slot", BOOK("09:07")),
			       "Dr Khan does not work then"));
	wall_s += 7 * 86400;
	assert_non_null(strstr(ask(&t, 0, "book_slot", BOOK("09:30")),
			       "in the past"));
	close_clinic(&t);
}

static void nothing_personal_of_a_booking_is_in_the_log(void **state)
{
	(void)state;
	struct clinic_test t;

	open_clinic(&t, SMILE);
	script_lines[0] = 0;
	ask(&t, 0, "book_slot", BOOK("11:00"));
	ask(&t, 0, "take_message", "{\"name\":\"Ali Raza\",\"phone\":\"0300 1234567\","
	    "\"message\":\"my tooth hurts\"}");
	lua_policy_ops.on_hangup(t.policy[0], "caller");
	assert_non_null(strstr(script_lines, "booking.made"));
	assert_non_null(strstr(script_lines, "message.taken"));
	assert_non_null(strstr(script_lines, "call.summary"));
	assert_null(strstr(script_lines, "Ali"));
	assert_null(strstr(script_lines, "1234567"));
	assert_null(strstr(script_lines, "tooth"));
	close_clinic(&t);
}

static void a_transfer_that_fails_is_told_to_the_model(void **state)
{
	(void)state;
	struct clinic_test t;

	open_clinic(&t, SMILE);
	assert_string_equal(ask(&t, 0, "transfer_to_person",
				"{\"reason\":\"emergency\"}"),
			    "transfer(+922135550101)");
	clock_advance(fake_clock, 30 * 1000000); /* it may ring for long */
	assert_string_equal(fake_log(&t.call[0]), "");
	fake_transferred(&t.call[0], -ETIMEDOUT, 408);
	assert_non_null(strstr(fake_log(&t.call[0]), "call 1122 now"));
	ask(&t, 0, "transfer_to_person", "{\"reason\":\"asked\"}");
	fake_transferred(&t.call[0], 0, 0);
	assert_string_equal(fake_log(&t.call[0]),
			    "tool(c1 {\"transferred\":true})");
	close_clinic(&t);
}

static void the_language_changes_when_the_model_asks(void **state)
{
	(void)state;
	struct clinic_test t;

	open_clinic(&t, SMILE);
	assert_string_equal(ask(&t, 0, "change_language", "{\"language\":\"ur\"}"),
			    "tool(c1 {\"language\":\"ur\"})");
	assert_string_equal(t.call[0].language, "ur");
	assert_string_equal(ask(&t, 0, "change_language", "{\"language\":\"fr\"}"),
			    "tool(c1 {\"error\":\"'language' must be one of "
			    "[\\\"en\\\",\\\"ur\\\"]\"})");
	close_clinic(&t);
}

static void zero_is_a_person_and_silence_is_asked_after(void **state)
{
	(void)state;
	struct clinic_test t;

	open_clinic(&t, SMILE);
	lua_policy_ops.on_dtmf(t.policy[0], '5');
	assert_string_equal(fake_log(&t.call[0]), "");
	lua_policy_ops.on_dtmf(t.policy[0], '0');
	assert_string_equal(fake_log(&t.call[0]), "say(I connect you to our front "
			    "desk.) transfer(+922135550101)");
	assert_true(lua_policy_ops.on_silence(t.policy[1], 1));
	assert_string_equal(fake_log(&t.call[1]),
			    "say(Are you still there?|forget)");
	close_clinic(&t);
}

static void the_end_is_a_goodbye_that_is_heard_whole(void **state)
{
	(void)state;
	struct clinic_test t;

	open_clinic(&t, SMILE);
	assert_string_equal(ask(&t, 0, "end_call", "{}"),
		"say(Thank you for calling Bright Smile Dental. Goodbye.|whole) "
		"hangup(goodbye) tool(c1 {\"ended\":true})");
	close_clinic(&t);
}

static void hello_needs_no_model(void **state)
{
	(void)state;
	struct clinic_test t;

	open_clinic(&t, "examples/hello");
	assert_int_equal(bundle_clinic(t.bundle)->n_llm, 0);
	assert_false(bundle_clinic(t.bundle)->needs_openai);
	assert_true(lua_policy_ops.wants_turns(t.policy[0]));
	lua_policy_ops.on_start(t.policy[0]);
	lua_policy_ops.on_turn(t.policy[0], &(struct policy_turn){
		.id = 1, .text = "Your opening hours, please" });
	lua_policy_ops.on_turn(t.policy[0], &(struct policy_turn){
		.id = 2, .text = "Blah" });
	lua_policy_ops.on_dtmf(t.policy[0], '9');
	assert_string_equal(fake_log(&t.call[0]),
		"say(Hello, this is Hello Clinic. Say hours, address, or goodbye.) "
		"say(We are open every day from nine to five.) turn(1 handled) "
		"say(Sorry, I know hours, address, and goodbye.) turn(2 handled) "
		"say(Goodbye!) hangup(goodbye)");
	close_clinic(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bright_smile_greets_with_its_one_greeting),
		cmocka_unit_test(bright_smile_is_configured_as_the_host_needs_it),
		cmocka_unit_test(bright_smile_prompts_with_rules_date_and_tools),
		cmocka_unit_test(the_hours_are_spoken_words),
		cmocka_unit_test(free_times_follow_hours_people_and_the_clock),
		cmocka_unit_test(a_slot_is_booked_once_by_whoever_comes_first),
		cmocka_unit_test(a_full_diary_is_looked_through_within_one_run),
		cmocka_unit_test(times_out_of_hours_and_in_the_past_are_refused),
		cmocka_unit_test(nothing_personal_of_a_booking_is_in_the_log),
		cmocka_unit_test(a_transfer_that_fails_is_told_to_the_model),
		cmocka_unit_test(the_language_changes_when_the_model_asks),
		cmocka_unit_test(zero_is_a_person_and_silence_is_asked_after),
		cmocka_unit_test(the_end_is_a_goodbye_that_is_heard_whole),
		cmocka_unit_test(hello_needs_no_model),
	};
	return cmocka_run_group_tests(tests, script_setup, script_teardown);
}
