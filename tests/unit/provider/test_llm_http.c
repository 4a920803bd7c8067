/* The exchange with a language model, over the fake network. */
#include "fake_net.h"

#include "provider/llm_int.h"

static struct clock *clk;
static struct providers *prov;
static void *conn;
static char told[2048];
static struct failure failure;
static bool cancel_on_event;
static cJSON *messages;

static void note(void *arg, const struct llm_conn_event *e)
{
	static const char *const names[] = { "text", "alive", "tool", "done",
					     "failed" };
	size_t at = strlen(told);

	(void)arg;
	snprintf(told + at, sizeof told - at, "%s%s%s%s", at ? " " : "",
		 names[e->type], e->text ? ":" : "", e->text ? e->text : "");
	if (e->failure)
		failure = *e->failure;
	if (cancel_on_event) {
		llm_http_cancel(conn);
		conn = NULL;
	}
}

#define expect_told(text) \
	do { \
		assert_string_equal(told, text); \
		told[0] = 0; \
	} while (0)

static void begin_at(const char *base, const char *model)
{
	const struct providers_cfg cfg = { .openai_base_url = base,
					   .openai_key = "sk-x" };
	const struct provider_choice c = { .provider = "openai",
					   .model = model };
	const struct llm_request q = { .choice = &c, .temperature = -1,
				       .max_tokens = 10, .messages = messages };

	told[0] = 0;
	cancel_on_event = false;
	prov = fake_providers(&clk, &cfg);
	const struct llm_ops *ops = llm_ops_find(prov, &c, false);
	assert_int_equal(ops->start(&conn, prov, &q, note, NULL), 0);
}

static void begin(void)
{
	begin_at("http://127.0.0.1:1/v1/", "gpt-6-luna");
}

static void finish(void)
{
	if (conn)
		llm_http_cancel(conn);
	conn = NULL;
	fake_providers_end(prov, clk);
}

#define CHUNK(t) "data: {\"choices\":[{\"delta\":{\"content\":\"" t "\"}}]}\n\n"

static void the_request_is_well_addressed(void **state)
{
	(void)state;

	begin();
	assert_string_equal(requests[0]->url,
			    "http://127.0.0.1:1/v1/chat/completions");
	assert_string_equal(requests[0]->auth, "Authorization: Bearer sk-x");
	/* a model of theirs behind a proxy keeps their fields */
	assert_non_null(strstr(requests[0]->body,
			       "\"reasoning_effort\":\"none\""));
	finish();
	begin_at("http://127.0.0.1:1/v1", "llama3.1");
	assert_null(strstr(requests[0]->body, "store"));
	finish();
	begin_at(NULL, "gpt-6-astra");
	assert_string_equal(requests[0]->url,
			    "https://api.openai.com/v1/responses");
	finish();
	begin_at("https://x.openai.azure.com/openai/v1/", "dep");
	assert_string_equal(requests[0]->auth, "api-key: sk-x");
	finish();
}

static void a_stream_cut_anywhere_is_read(void **state)
{
	(void)state;
	const char *all = CHUNK("Hel") ": comment\r\n\r\n" CHUNK("l\xc3\xb6")
			  "data: [DONE]\n\n";

	for (size_t cut = 1; cut < strlen(all); cut += 7) {
		begin();
		http_answers(requests[0], 200, "text/event-stream");
		http_gives(requests[0], all, cut);
		http_says(requests[0], all + cut);
		expect_told("text:Hel text:l\xc3\xb6 done");
		http_ends(requests[0], 0, 200);
		expect_told("");
		finish();
	}
}

static void an_answer_that_is_not_streamed_is_read_too(void **state)
{
	(void)state;
	static const char *const types[] = { "application/json", NULL };
	const char *body = "{\"choices\":[{\"message\":{\"content\":\"Hi\"}}]}";

	for (size_t i = 0; i < 2; i++) {
		begin();
		http_answers(requests[0], 200, types[i]);
		http_says(requests[0], body);
		expect_told("");
		http_ends(requests[0], 0, 200);
		expect_told("text:Hi done");
		finish();
	}
}

static void a_refusal_is_read_with_its_headers(void **state)
{
	(void)state;

	begin();
	requests[0]->retry_after_ms = "120";
	http_answers(requests[0], 429, "application/json");
	http_says(requests[0], "{\"error\":{\"code\":\"rate_limit_");
	http_says(requests[0], "exceeded\"}}");
	http_ends(requests[0], 0, 429);
	expect_told("failed");
	assert_int_equal(failure.err, ERR_LIMIT);
	assert_int_equal(failure.retry_ms, 120);
	assert_string_equal(failure.why, "HTTP 429 rate_limit_exceeded");
	finish();
}

static void cut_and_broken_answers_fail(void **state)
{
	(void)state;

	begin();
	http_answers(requests[0], 200, "text/event-stream");
	http_says(requests[0], CHUNK("Hel"));
	http_ends(requests[0], 0, 200);
	expect_told("text:Hel failed");
	assert_int_equal(failure.err, ERR_CLOSED);
	finish();
	begin();
	http_ends(requests[0], -ECONNREFUSED, 0);
	expect_told("failed");
	assert_int_equal(failure.err, -ECONNREFUSED);
	finish();
	begin();
	http_answers(requests[0], 200, "text/event-stream");
	http_says(requests[0], "data: {\"error\":{\"code\":\"x\"}}\n\n"
		  CHUNK("late"));
	http_ends(requests[0], 0, 200);
	expect_told("failed");
	finish();
	begin();
	http_answers(requests[0], 200, "text/html");
	http_says(requests[0], "<html>");
	http_ends(requests[0], 0, 200);
	expect_told("failed");
	finish();
}

static void cancelling_an_open_answer_drops_the_request(void **state)
{
	(void)state;

	begin();
	http_answers(requests[0], 200, "text/event-stream");
	cancel_on_event = true;
	http_says(requests[0], CHUNK("one") CHUNK("two"));
	expect_told("text:one");
	assert_true(requests[0]->cancelled);
	finish();
}

static void a_finished_answer_keeps_its_connection(void **state)
{
	(void)state;

	begin();
	http_answers(requests[0], 200, "text/event-stream");
	http_says(requests[0], CHUNK("one") "data: [DONE]\n\n");
	llm_http_cancel(conn);
	conn = NULL;
	assert_false(requests[0]->cancelled);
	http_ends(requests[0], 0, 200);
	expect_told("text:one done");
	finish();
	/* but not for ever */
	begin();
	http_answers(requests[0], 200, "text/event-stream");
	http_says(requests[0], "data: [DONE]\n\n");
	llm_http_cancel(conn);
	conn = NULL;
	clock_advance(clk, 2000000);
	assert_true(requests[0]->cancelled);
	finish();
	/* and not beyond the process */
	begin();
	http_answers(requests[0], 200, "text/event-stream");
	http_says(requests[0], "data: [DONE]\n\n");
	llm_http_cancel(conn);
	conn = NULL;
	finish();
}

static void an_endless_error_page_is_cut(void **state)
{
	(void)state;
	static char page[600000];

	memset(page, 'x', sizeof page);
	begin();
	http_answers(requests[0], 500, "text/html");
	http_gives(requests[0], page, sizeof page);
	expect_told("");
	http_gives(requests[0], page, sizeof page);
	expect_told("failed");
	http_ends(requests[0], 0, 500);
	expect_told("");
	finish();
}

static int set_up(void **state)
{
	(void)state;
	messages = cJSON_Parse("[{\"role\":\"user\",\"content\":\"hi\"}]");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cJSON_Delete(messages);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_request_is_well_addressed),
		cmocka_unit_test(a_stream_cut_anywhere_is_read),
		cmocka_unit_test(an_answer_that_is_not_streamed_is_read_too),
		cmocka_unit_test(a_refusal_is_read_with_its_headers),
		cmocka_unit_test(cut_and_broken_answers_fail),
		cmocka_unit_test(cancelling_an_open_answer_drops_the_request),
		cmocka_unit_test(a_finished_answer_keeps_its_connection),
		cmocka_unit_test(an_endless_error_page_is_cut),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
