/* The Responses API: the flat form of a request and the events of an answer. */
#include "unit.h"

#include "base/json.h"
#include "base/str.h"
#include "provider/llm_int.h"

static char told[4096];
static struct llm_answer answer;

static void note(void *arg, const struct llm_conn_event *e)
{
	size_t at = strlen(told);
	char *to = told + at;
	size_t cap = sizeof told - at;
	const char *gap = at ? " " : "";

	(void)arg;
	if (e->type == LLM_CONN_TEXT)
		snprintf(to, cap, "%s[%s]", gap, e->text);
	else if (e->type == LLM_CONN_TOOL)
		snprintf(to, cap, "%s%s=%s%s", gap, e->id, e->name, e->text);
	else if (e->type == LLM_CONN_DONE)
		snprintf(to, cap, "%s%s %d/%d/%d", gap, e->finish,
			 e->tokens_in, e->tokens_cached, e->tokens_out);
}

static void begin(void)
{
	told[0] = 0;
	llm_answer_init(&answer, note, NULL);
}

static int feed(const char *data)
{
	return llm_responses_dialect.event(&answer, data, strlen(data));
}

#define expect_told(text) \
	do { \
		llm_answer_free(&answer); \
		assert_string_equal(told, text); \
	} while (0)

static void words_and_a_call_are_read(void **state)
{
	(void)state;
	static const char *const events[] = {
		"{\"type\":\"response.created\",\"sequence_number\":0}",
		"{\"type\":\"response.in_progress\"}",
		"{\"type\":\"response.output_item.added\",\"output_index\":0,"
		"\"item\":{\"type\":\"message\"}}",
		"{\"type\":\"response.content_part.added\"}",
		"{\"type\":\"response.output_text.delta\",\"output_index\":0,"
		"\"delta\":\"Sure\"}",
		"{\"type\":\"response.output_text.done\",\"text\":\"Sure\"}",
		"{\"type\":\"response.output_item.added\",\"output_index\":1,"
		"\"item\":{\"type\":\"function_call\",\"call_id\":\"c1\","
		"\"name\":\"book\",\"arguments\":\"\"}}",
		"{\"type\":\"response.function_call_arguments.delta\","
		"\"output_index\":1,\"delta\":\"{\\\"a\\\"\"}",
		"{\"type\":\"response.function_call_arguments.delta\","
		"\"output_index\":1,\"delta\":\":1}\"}",
		"{\"type\":\"response.function_call_arguments.done\","
		"\"output_index\":1,\"arguments\":\"{\\\"a\\\":1}\"}",
		"{\"type\":\"response.output_item.done\",\"output_index\":1,"
		"\"item\":{\"type\":\"function_call\",\"call_id\":\"c1\","
		"\"name\":\"book\",\"arguments\":\"{\\\"a\\\":1}\"}}",
		"{\"type\":\"response.completed\",\"response\":{\"usage\":"
		"{\"input_tokens\":37,\"input_tokens_details\":"
		"{\"cached_tokens\":5},\"output_tokens\":11}}}",
	};

	begin();
	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		assert_int_equal(feed(events[i]), 0);
	assert_int_equal(llm_responses_dialect.end(&answer), 0);
	expect_told("[Sure] c1=book{\"a\":1} tool_calls 37/5/11");
}

static void a_call_that_comes_only_when_done_is_whole(void **state)
{
	(void)state;

	begin();
	feed("{\"type\":\"response.output_item.done\",\"output_index\":0,"
	     "\"item\":{\"type\":\"function_call\",\"call_id\":\"c9\","
	     "\"name\":\"f\",\"arguments\":\"{}\"}}");
	feed("{\"type\":\"response.completed\",\"response\":{}}");
	expect_told("c9=f{} tool_calls -1/-1/-1");
}

static void refusals_are_words(void **state)
{
	(void)state;

	begin();
	feed("{\"type\":\"response.refusal.delta\",\"delta\":\"No.\"}");
	feed("{\"type\":\"response.completed\",\"response\":{}}");
	expect_told("[No.] stop -1/-1/-1");
}

static void an_incomplete_answer_says_why(void **state)
{
	(void)state;

	begin();
	feed("{\"type\":\"response.output_text.delta\",\"delta\":\"x\"}");
	feed("{\"type\":\"response.incomplete\",\"response\":"
	     "{\"incomplete_details\":{\"reason\":\"max_output_tokens\"}}}");
	expect_told("[x] length -1/-1/-1");
}

static void failed_and_error_events_are_failures(void **state)
{
	(void)state;

	begin();
	assert_int_equal(feed("{\"type\":\"response.failed\",\"response\":"
		"{\"error\":{\"code\":\"server_error\",\"message\":\"m\"}}}"),
		ERR_SERVER);
	assert_string_equal(answer.failure.why, "error server_error");
	assert_int_equal(feed("{\"type\":\"error\",\"code\":"
		"\"rate_limit_exceeded\",\"message\":\"m\"}"), ERR_LIMIT);
	assert_int_equal(feed("{\"type\":\"error\",\"error\":{\"code\":"
		"\"insufficient_quota\"}}"), ERR_LIMIT);
	assert_true(answer.failure.permanent);
	assert_int_equal(feed("{}"), ERR_PROTOCOL);
	assert_int_equal(feed("[]"), ERR_PROTOCOL);
	assert_int_equal(feed("{\"type\":\"response.new_thing\"}"), 0);
	assert_int_equal(llm_responses_dialect.end(&answer), ERR_CLOSED);
	expect_told("");
}

static void a_whole_answer_is_one_too(void **state)
{
	(void)state;
	const char *body = "{\"object\":\"response\",\"status\":\"completed\","
		"\"error\":null,\"output\":[{\"type\":\"message\",\"content\":"
		"[{\"type\":\"output_text\",\"text\":\"Hi\"}]},"
		"{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\","
		"\"arguments\":\"{}\"}],\"usage\":{\"input_tokens\":1}}";

	begin();
	assert_int_equal(llm_responses_dialect.whole(&answer, body,
						     strlen(body)), 0);
	expect_told("[Hi] c1=f{} tool_calls 1/-1/-1");
	begin();
	assert_int_equal(llm_responses_dialect.whole(&answer, "{}", 2),
			 ERR_PROTOCOL);
	expect_told("");
}

static void the_conversation_becomes_flat_items(void **state)
{
	(void)state;
	const struct provider_choice c = { .model = "gpt-6-astra" };
	cJSON *messages = cJSON_Parse(
		"[{\"role\":\"system\",\"content\":\"Be brief.\"},"
		"{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
		"\"Book me\"}]},"
		"{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{"
		"\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":"
		"\"book\",\"arguments\":\"{\\\"d\\\":1}\"}}]},"
		"{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":"
		"\"done\"},"
		"{\"role\":\"assistant\",\"content\":\"Booked.\"}]");
	cJSON *tools = cJSON_Parse("[{\"name\":\"book\",\"parameters\":{}}]");
	const struct llm_request q = {
		.choice = &c, .messages = messages, .tools = tools,
		.max_tokens = 99, .temperature = 0.5,
	};
	char *text = llm_responses_dialect.body(&q, true);
	cJSON *b = cJSON_Parse(text);

	assert_false(json_bool(b, "store", true));
	assert_string_equal(json_str(json_get(b, "reasoning"), "effort"),
			    "low");
	assert_null(json_get(b, "temperature"));
	assert_true(json_num(b, "max_output_tokens", 0) == 99);
	const cJSON *tool = json_at(b, "tools", 0);
	assert_string_equal(json_str(tool, "type"), "function");
	assert_string_equal(json_str(tool, "name"), "book");
	assert_false(json_bool(tool, "strict", true));
	assert_int_equal(cJSON_GetArraySize(json_get(b, "input")), 5);
	const cJSON *user = json_at(b, "input", 1);
	const cJSON *part = json_at(user, "content", 0);
	assert_string_equal(json_str(part, "type"), "input_text");
	assert_string_equal(json_str(part, "text"), "Book me");
	const cJSON *call = json_at(b, "input", 2);
	assert_string_equal(json_str(call, "type"), "function_call");
	assert_string_equal(json_str(call, "arguments"), "{\"d\":1}");
	const cJSON *result = json_at(b, "input", 3);
	assert_string_equal(json_str(result, "type"), "function_call_output");
	assert_string_equal(json_str(result, "output"), "done");
	part = json_at(json_at(b, "input", 4), "content", 0);
	assert_string_equal(json_str(part, "type"), "output_text");
	cJSON_Delete(b);
	free(text);
	cJSON_Delete(messages);
	cJSON_Delete(tools);
}

static void a_schema_becomes_a_text_format(void **state)
{
	(void)state;
	const struct provider_choice c = { .model = "gpt-6-astra" };
	cJSON *messages = cJSON_CreateArray();
	cJSON *schema = cJSON_Parse("{\"name\":\"intent\",\"schema\":{}}");
	const struct llm_request q = { .choice = &c, .messages = messages,
				       .schema = schema, .temperature = -1 };
	char *text = llm_responses_dialect.body(&q, true);
	cJSON *b = cJSON_Parse(text);
	const cJSON *format = json_get(json_get(b, "text"), "format");

	assert_string_equal(json_str(format, "type"), "json_schema");
	assert_string_equal(json_str(format, "name"), "intent");
	assert_true(json_bool(format, "strict", false));
	cJSON_Delete(b);
	free(text);
	cJSON_Delete(messages);
	cJSON_Delete(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_and_a_call_are_read),
		cmocka_unit_test(a_call_that_comes_only_when_done_is_whole),
		cmocka_unit_test(refusals_are_words),
		cmocka_unit_test(an_incomplete_answer_says_why),
		cmocka_unit_test(failed_and_error_events_are_failures),
		cmocka_unit_test(a_whole_answer_is_one_too),
		cmocka_unit_test(the_conversation_becomes_flat_items),
		cmocka_unit_test(a_schema_becomes_a_text_format),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
