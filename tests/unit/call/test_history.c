/* history: each tool call is answered, whenever its result comes. */
#include "unit.h"

#include "base/json.h"
#include "base/buf.h"
#include "call/history.h"

static struct history h;

static int setup(void **state)
{
	(void)state;
	history_init(&h);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	history_finish(&h);
	return 0;
}

/* The roles and ids in order: "u a(1,2) t1 t2 a u", system is s; a lower-case
 * p behind a tool message marks a placeholder. */
static char *shape_of(const cJSON *all)
{
	struct buf b = { 0 };
	const cJSON *m, *call;

	cJSON_ArrayForEach(m, all) {
		const char *role = json_str(m, "role");
		const char *sep = "(";
		buf_printf(&b, "%s%c", b.len ? " " : "", *role);
		cJSON_ArrayForEach(call, json_get(m, "tool_calls")) {
			buf_printf(&b, "%s%s", sep, json_str(call, "id"));
			sep = ",";
		}
		buf_puts(&b, *sep == ',' ? ")" : "");
		if (*role != 't')
			continue;
		buf_puts(&b, json_str(m, "tool_call_id"));
		if (strstr(json_str(m, "content"), "still running"))
			buf_puts(&b, "p");
	}
	return buf_take(&b);
}

static void shape_is(const char *want)
{
	char *got = shape_of(h.messages);

	assert_string_equal(got, want);
	free(got);
}

static void model_sees(const char *want)
{
	cJSON *all = history_messages(&h, NULL, NULL);
	char *got = shape_of(all);

	assert_string_equal(got, want);
	free(got);
	cJSON_Delete(all);
}

static const char *content(int i)
{
	return json_str(cJSON_GetArrayItem(h.messages, i), "content");
}

static cJSON *asks(const char *id)
{
	cJSON *a = history_assistant(&h, NULL);

	history_tool_call(a, id, "find_slots", "{}");
	return a;
}

static void results_follow_the_message_that_asked(void **state)
{
	(void)state;
	history_user(&h, "Is Monday free?");
	cJSON *a = asks("1");
	history_tool_call(a, "2", "find_slots", "{\"day\":\"Tuesday\"}");
	assert_true(history_tool_result(&h, "1", "{\"free\":true}"));
	assert_true(history_tool_result(&h, "2", "{}"));
	shape_is("u a(1,2) t1 t2");
	assert_string_equal(content(2), "{\"free\":true}");
	const cJSON *call = json_at(a, "tool_calls", 1);
	assert_string_equal(json_str(call, "type"), "function");
	assert_string_equal(json_str(json_get(call, "function"), "name"),
			    "find_slots");
	assert_string_equal(json_str(json_get(call, "function"), "arguments"),
			    "{\"day\":\"Tuesday\"}");
}

static void results_may_come_in_any_order(void **state)
{
	(void)state;
	cJSON *a = asks("1");
	history_tool_call(a, "2", "book", "{}");
	assert_true(history_tool_result(&h, "2", "{}"));
	assert_true(history_tool_result(&h, "1", "{}"));
	shape_is("a(1,2) t2 t1");
	model_sees("a(1,2) t2 t1");
}

static void a_late_result_finds_its_place(void **state)
{
	(void)state;
	history_user(&h, "Book it.");
	asks("1");
	history_user(&h, "Wait.");
	history_assistant(&h, "Yes?");
	shape_is("u a(1) u a");
	model_sees("u a(1) t1p u a");
	assert_true(history_tool_result(&h, "1", "{\"booked\":true}"));
	shape_is("u a(1) t1 u a");
	model_sees("u a(1) t1 u a");
}

static void a_missing_result_has_a_placeholder_for_the_model_only(void **state)
{
	(void)state;
	cJSON *a = asks("1");
	history_tool_call(a, "2", "book", "{}");
	assert_true(history_tool_result(&h, "2", "{}"));
	model_sees("a(1,2) t2 t1p");
	shape_is("a(1,2) t2");
}

static void unknown_and_second_results_are_refused(void **state)
{
	(void)state;
	asks("1");
	assert_false(history_tool_result(&h, "9", "{}"));
	assert_true(history_tool_result(&h, "1", "{\"first\":1}"));
	assert_false(history_tool_result(&h, "1", "{\"second\":1}"));
	shape_is("a(1) t1");
	assert_string_equal(content(1), "{\"first\":1}");
}

static void an_id_used_twice_answers_the_latest(void **state)
{
	(void)state;
	asks("1");
	assert_true(history_tool_result(&h, "1", "{}"));
	history_user(&h, "Again.");
	asks("1");
	assert_true(history_tool_result(&h, "1", "{}"));
	shape_is("a(1) t1 u a(1) t1");
}

static void what_was_cut_is_what_was_heard(void **state)
{
	(void)state;
	cJSON *a = history_assistant(&h, "We have Tuesday at nine.");

	assert_true(history_cut(&h, a, "We have"));
	assert_string_equal(content(0), "We have");
	assert_int_equal(cJSON_GetArraySize(h.messages), 1);
}

static void what_nobody_heard_is_removed(void **state)
{
	(void)state;
	history_user(&h, "Hello?");
	cJSON *a = history_assistant(&h, "We have Tuesday at nine.");
	history_user(&h, "Stop.");
	assert_false(history_cut(&h, a, " "));
	shape_is("u u");
	a = history_assistant(&h, "Yes?");
	assert_false(history_cut(&h, a, NULL));
	shape_is("u u");
}

static void a_tool_call_stays_when_its_words_were_not_heard(void **state)
{
	(void)state;
	cJSON *a = history_assistant(&h, "Let me look.");

	history_tool_call(a, "1", "book", "{}");
	assert_true(history_cut(&h, a, ""));
	assert_null(json_get(a, "content"));
	assert_true(history_tool_result(&h, "1", "{}"));
	shape_is("a(1) t1");
}

static void instructions_come_first_and_the_extra_line_last(void **state)
{
	(void)state;
	history_user(&h, "Hi.");
	cJSON *all = history_messages(&h, "You answer the phone.", "Be brief.");
	char *got = shape_of(all);

	assert_string_equal(got, "s u s");
	assert_string_equal(json_str(cJSON_GetArrayItem(all, 0), "content"),
			    "You answer the phone.");
	assert_string_equal(json_str(cJSON_GetArrayItem(all, 2), "content"),
			    "Be brief.");
	free(got);
	cJSON_Delete(all);
	shape_is("u");
	all = history_messages(&h, "", " ");
	assert_int_equal(cJSON_GetArraySize(all), 1);
	cJSON_Delete(all);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(results_follow_the_message_that_asked),
		TEST(results_may_come_in_any_order),
		TEST(a_late_result_finds_its_place),
		TEST(a_missing_result_has_a_placeholder_for_the_model_only),
		TEST(unknown_and_second_results_are_refused),
		TEST(an_id_used_twice_answers_the_latest),
		TEST(what_was_cut_is_what_was_heard),
		TEST(what_nobody_heard_is_removed),
		TEST(a_tool_call_stays_when_its_words_were_not_heard),
		TEST(instructions_come_first_and_the_extra_line_last),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
