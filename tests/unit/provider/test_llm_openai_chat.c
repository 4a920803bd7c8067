/* Chat Completions: the request's fields and every way to stream an answer. */
#include "unit.h"

#include "base/json.h"
#include "base/str.h"
#include "provider/llm_int.h"

/* ---- reading ------------------------------------------------------------------- */

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
	return llm_chat_dialect.event(&answer, data, strlen(data));
}

static void delta(const char *text)
{
	char *chunk = str_printf("{\"choices\":[{\"index\":0,\"delta\":%s,"
				 "\"finish_reason\":null}],\"usage\":null}",
				 text);

	assert_int_equal(feed(chunk), 0);
	free(chunk);
}

static void tool(const char *item)
{
	char *text = str_printf("{\"tool_calls\":[%s]}", item);

	delta(text);
	free(text);
}

static void finished(const char *reason)
{
	char *chunk = str_printf("{\"choices\":[{\"delta\":{},"
				 "\"finish_reason\":\"%s\"}]}", reason);

	assert_int_equal(feed(chunk), 0);
	free(chunk);
}

#define expect_told(text) \
	do { \
		llm_answer_free(&answer); \
		assert_string_equal(told, text); \
	} while (0)

static void words_and_usage_are_read(void **state)
{
	(void)state;

	begin();
	delta("{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}");
	delta("{\"content\":\"Hel\"}");
	delta("{\"content\":\"lo\"}");
	finished("stop");
	assert_int_equal(feed("{\"obfuscation\":\"x\",\"choices\":[],\"usage\":"
		"{\"prompt_tokens\":37,\"completion_tokens\":11,"
		"\"prompt_tokens_details\":{\"cached_tokens\":20}}}"), 0);
	assert_int_equal(feed("[DONE]"), 0);
	expect_told("[Hel] [lo] stop 37/20/11");
}

static void a_tool_call_is_merged_from_its_pieces(void **state)
{
	(void)state;

	begin();
	delta("{\"content\":\"One moment.\"}");
	tool("{\"index\":0,\"id\":\"c1\",\"type\":\"function\",\"function\":"
	     "{\"name\":\"book\",\"arguments\":\"\"}}");
	tool("{\"index\":1,\"id\":\"c2\",\"function\":{\"name\":\"look\","
	     "\"arguments\":\"{\"}}");
	tool("{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\":\"}}");
	tool("{\"index\":1,\"function\":{\"arguments\":\"}\"}}");
	tool("{\"index\":0,\"function\":{\"arguments\":\"1}\"}}");
	finished("tool_calls");
	feed("[DONE]");
	expect_told("[One moment.] c1=book{\"a\":1} c2=look{} "
		    "tool_calls -1/-1/-1");
}

static void a_new_id_on_a_used_index_is_a_new_call(void **state)
{
	(void)state;

	begin();
	tool("{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"a\","
	     "\"arguments\":\"{}\"}}");
	tool("{\"index\":0,\"id\":\"c2\",\"function\":{\"name\":\"b\","
	     "\"arguments\":\"{\"}}");
	tool("{\"index\":0,\"function\":{\"arguments\":\"}\"}}");
	finished("stop"); /* whatever it says */
	feed("[DONE]");
	expect_told("c1=a{} c2=b{} stop -1/-1/-1");
}

static void calls_without_index_are_told_apart_by_id(void **state)
{
	(void)state;

	begin();
	tool("{\"id\":\"c1\",\"function\":{\"name\":\"a\",\"arguments\":"
	     "{\"day\":\"Mon\"}}}");
	tool("{\"id\":\"c2\",\"function\":{\"name\":\"b\",\"arguments\":"
	     "\"{\\\"x\\\"\"}}");
	tool("{\"function\":{\"arguments\":\":2}\"}}");
	finished("tool_calls");
	feed("[DONE]");
	expect_told("c1=a{\"day\":\"Mon\"} c2=b{\"x\":2} tool_calls -1/-1/-1");
}

static void repeated_ids_and_names_are_set_once(void **state)
{
	(void)state;

	begin();
	tool("{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"book\","
	     "\"arguments\":\"{\"}}");
	tool("{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"book\","
	     "\"arguments\":\"}\"}}");
	feed("[DONE]");
	expect_told("c1=book{} tool_calls -1/-1/-1");
}

static void a_call_without_id_gets_one_and_without_name_is_dropped(void **state)
{
	(void)state;

	begin();
	tool("{\"index\":0,\"function\":{\"name\":\"book\"}}");
	tool("{\"index\":1,\"function\":{\"arguments\":\"{}\"}}");
	feed("[DONE]");
	llm_answer_free(&answer);
	assert_true(str_has_prefix(told, "call_"));
	assert_non_null(strstr(told, "=book{} tool_calls"));
	assert_null(strstr(told + 5, "call_"));
}

static void refusals_are_words(void **state)
{
	(void)state;

	begin();
	delta("{\"refusal\":\"I cannot help\"}");
	finished("stop");
	feed("[DONE]");
	expect_told("[I cannot help] stop -1/-1/-1");
}

static void odd_servers_are_understood(void **state)
{
	(void)state;

	begin();
	assert_int_equal(feed("{\"choices\":[],\"prompt_filter_results\":[]}"),
			 0);
	assert_int_equal(feed("{\"choices\":[{\"index\":0}]}"), 0);
	assert_int_equal(feed("{\"choices\":[{\"delta\":{\"content\":null,"
			      "\"reasoning_content\":\"hm\"}}]}"), 0);
	assert_int_equal(feed("{\"choices\":[{\"delta\":{\"content\":\"hi\"},"
			      "\"finish_reason\":\"eos\"}],\"usage\":"
			      "{\"prompt_tokens\":3}}"), 0);
	assert_int_equal(feed("{\"choices\":[],\"x_groq\":{\"usage\":"
			      "{\"completion_tokens\":4}}}"), 0);
	/* no [DONE], but it had finished */
	assert_int_equal(llm_chat_dialect.end(&answer), 0);
	expect_told("[hi] eos 3/-1/4");
}

static void a_cut_stream_is_a_failure(void **state)
{
	(void)state;

	begin();
	delta("{\"content\":\"Hel\"}");
	assert_int_equal(llm_chat_dialect.end(&answer), ERR_CLOSED);
	assert_int_equal(answer.failure.err, ERR_CLOSED);
	expect_told("[Hel]");
}

static void an_error_in_the_stream_is_a_failure(void **state)
{
	(void)state;

	begin();
	assert_int_equal(feed("{\"error\":{\"message\":\"the server had an "
			      "error\",\"code\":\"server_error\"}}"),
			 ERR_SERVER);
	assert_string_equal(answer.failure.why, "error server_error");
	assert_int_equal(feed("not json"), ERR_PROTOCOL);
	assert_int_equal(feed("[1]"), ERR_PROTOCOL);
	expect_told("");
}

static void endless_calls_are_a_failure(void **state)
{
	(void)state;
	int r = 0;

	begin();
	for (int i = 0; i < 100 && r == 0; i++) {
		char *c = str_printf("{\"choices\":[{\"delta\":{\"tool_calls\":"
			"[{\"index\":%d,\"function\":{\"name\":\"f\"}}]}}]}", i);
		r = feed(c);
		free(c);
	}
	assert_int_equal(r, ERR_PROTOCOL);
	llm_answer_free(&answer);
}

static void a_whole_answer_is_one_too(void **state)
{
	(void)state;
	const char *body = "{\"object\":\"chat.completion\",\"choices\":[{"
		"\"message\":{\"role\":\"assistant\",\"content\":\"Sure.\","
		"\"tool_calls\":[{\"id\":\"c1\",\"function\":{\"name\":\"f\","
		"\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}],"
		"\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}";

	begin();
	assert_int_equal(llm_chat_dialect.whole(&answer, body, strlen(body)),
			 0);
	expect_told("[Sure.] c1=f{} tool_calls 1/-1/2");
	begin();
	assert_int_equal(llm_chat_dialect.whole(&answer, "{}", 2),
			 ERR_PROTOCOL);
	assert_int_equal(answer.failure.err, ERR_PROTOCOL);
	expect_told("");
}

/* ---- asking ------------------------------------------------------------------------ */

static cJSON *body_of(struct llm_request q, bool openai)
{
	char *text = llm_chat_dialect.body(&q, openai);
	cJSON *tree = cJSON_Parse(text);

	assert_non_null(tree);
	free(text);
	return tree;
}

static void openai_gets_its_own_fields(void **state)
{
	(void)state;
	const struct provider_choice c = { .model = "gpt-6-luna" };
	cJSON *messages = cJSON_Parse("[{\"role\":\"user\"}]");
	cJSON *tools = cJSON_Parse("[{\"name\":\"book\",\"description\":\"d\","
				   "\"parameters\":{\"type\":\"object\"}}]");
	cJSON *b = body_of((struct llm_request){
		.choice = &c, .messages = messages, .tools = tools,
		.cache_key = "k", .user_hash = "h", .max_tokens = 400,
		.temperature = 0.3 }, true);

	assert_string_equal(json_str(b, "model"), "gpt-6-luna");
	assert_true(json_bool(b, "stream", false));
	assert_true(json_bool(json_get(b, "stream_options"), "include_usage",
			      false));
	assert_false(json_bool(json_get(b, "stream_options"),
			       "include_obfuscation", true));
	assert_string_equal(json_str(b, "reasoning_effort"), "none");
	assert_string_equal(json_str(b, "prompt_cache_key"), "k");
	assert_string_equal(json_str(b, "safety_identifier"), "h");
	assert_true(json_num(b, "max_completion_tokens", 0) == 400);
	assert_null(json_get(b, "max_tokens"));
	assert_false(json_bool(b, "store", true));
	assert_true(json_num(b, "temperature", 9) < 0.31);
	const cJSON *tool1 = json_at(b, "tools", 0);
	assert_string_equal(json_str(tool1, "type"), "function");
	assert_string_equal(json_str(json_get(tool1, "function"), "name"),
			    "book");
	assert_non_null(json_at(b, "messages", 0));
	cJSON_Delete(b);
	cJSON_Delete(messages);
	cJSON_Delete(tools);
}

static void reasoning_models_get_no_temperature(void **state)
{
	(void)state;
	static const struct {
		const char *model, *effort;
		bool openai, sent;
	} rows[] = {
		{ "gpt-6-luna", NULL, true, true },
		{ "gpt-6-luna", "low", true, false },
		{ "gpt-5-mini", NULL, true, false },
		{ "gpt-4.1", NULL, true, true },
		{ "gpt-7-new", NULL, true, false },
		{ "llama3.1", NULL, false, true },
	};
	cJSON *messages = cJSON_CreateArray();

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct provider_choice c = { .model = rows[i].model,
						   .effort = rows[i].effort };
		cJSON *b = body_of((struct llm_request){ .choice = &c,
			.messages = messages, .temperature = 0.5 },
			rows[i].openai);
		assert_int_equal(json_get(b, "temperature") != NULL,
				 rows[i].sent);
		cJSON_Delete(b);
	}
	cJSON_Delete(messages);
}

static void compatible_servers_get_the_common_fields(void **state)
{
	(void)state;
	const struct provider_choice c = { .model = "llama3.1" };
	cJSON *messages = cJSON_CreateArray(), *tools = cJSON_CreateArray();
	cJSON *b = body_of((struct llm_request){
		.choice = &c, .messages = messages, .tools = tools,
		.cache_key = "k", .user_hash = "h", .max_tokens = 100,
		.temperature = -1 }, false);

	assert_true(json_num(b, "max_tokens", 0) == 100);
	static const char *const absent[] = {
		"max_completion_tokens", "prompt_cache_key", "store",
		"safety_identifier", "reasoning_effort", "temperature",
		"tools", /* an empty list is refused by some */
		"response_format",
	};
	for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
		assert_null(json_get(b, absent[i]));
	cJSON_Delete(b);
	cJSON_Delete(messages);
	cJSON_Delete(tools);
}

static void a_schema_is_strict_unless_told_otherwise(void **state)
{
	(void)state;
	const struct provider_choice c = { .model = "gpt-6-luna" };
	cJSON *messages = cJSON_CreateArray();
	cJSON *schema = cJSON_Parse("{\"name\":\"intent\",\"schema\":"
				    "{\"type\":\"object\"}}");
	cJSON *b = body_of((struct llm_request){ .choice = &c,
		.messages = messages, .schema = schema }, true);
	const cJSON *format = json_get(b, "response_format");
	const cJSON *inner = json_get(format, "json_schema");

	assert_string_equal(json_str(format, "type"), "json_schema");
	assert_string_equal(json_str(inner, "name"), "intent");
	assert_true(json_bool(inner, "strict", false));
	cJSON_Delete(b);
	cJSON_Delete(messages);
	cJSON_Delete(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_and_usage_are_read),
		cmocka_unit_test(a_tool_call_is_merged_from_its_pieces),
		cmocka_unit_test(a_new_id_on_a_used_index_is_a_new_call),
		cmocka_unit_test(calls_without_index_are_told_apart_by_id),
		cmocka_unit_test(repeated_ids_and_names_are_set_once),
		cmocka_unit_test(a_call_without_id_gets_one_and_without_name_is_dropped),
		cmocka_unit_test(refusals_are_words),
		cmocka_unit_test(odd_servers_are_understood),
		cmocka_unit_test(a_cut_stream_is_a_failure),
		cmocka_unit_test(an_error_in_the_stream_is_a_failure),
		cmocka_unit_test(endless_calls_are_a_failure),
		cmocka_unit_test(a_whole_answer_is_one_too),
		cmocka_unit_test(openai_gets_its_own_fields),
		cmocka_unit_test(reasoning_models_get_no_temperature),
		cmocka_unit_test(compatible_servers_get_the_common_fields),
		cmocka_unit_test(a_schema_is_strict_unless_told_otherwise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
