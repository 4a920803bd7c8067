/*
 * The llm facade over a provider of the test's making, on virtual time: tries,
 * hedges, deadlines, and that nothing is tried again once words went out.
 */
#include "unit.h"

#include "base/json.h"
#include "base/str.h"
#include "provider/llm_int.h"

struct fake {
	char model[16];
	char provider[24];
	llm_conn_h *fn;
	void *arg;
	int64_t at_ms;
	bool cancelled;
};

static struct fake tries[64];
static size_t n_tries;
static int start_result;
static struct clock *clk;

static int fake_start(void **ret, struct providers *p,
		      const struct llm_request *q, llm_conn_h *fn, void *arg)
{
	assert_true(n_tries < 64);
	assert_non_null(q->messages);
	struct fake *f = &tries[n_tries++];
	*f = (struct fake){ .fn = fn, .arg = arg,
			    .at_ms = clock_now_ms(p->clock) };
	str_copy(f->model, sizeof f->model, q->choice->model);
	str_copy(f->provider, sizeof f->provider, q->choice->provider);
	if (start_result < 0) {
		f->cancelled = true;
		return start_result;
	}
	*ret = f;
	return 0;
}

static void fake_cancel(void *conn)
{
	struct fake *f = conn;

	assert_false(f->cancelled);
	f->cancelled = true;
}

static const struct llm_ops fake_a = { "a", NULL, fake_start, fake_cancel };
static const struct llm_ops fake_b = { "b", NULL, fake_start, fake_cancel };
static const struct llm_ops *const rows[] = { &fake_a, &fake_b, NULL };
static const struct provider_tables tables = { .llm = rows };

static struct providers *prov;
static struct llm *llm;
static char told[4096];
static bool cancel_on_event;
static int64_t told_ms;

static void note(void *arg, const struct llm_event *e)
{
	static const char *const names[] = { "text", "tool", "done", "failed" };
	size_t at = strlen(told);

	(void)arg;
	told_ms = clock_now_ms(clk);
	snprintf(told + at, sizeof told - at, "%s%s", at ? " " : "",
		 names[e->type]);
	const char *parts[] = { e->name, e->text, e->finish,
				e->err ? err_name(e->err) : NULL };
	for (size_t i = 0; i < 4; i++) {
		at = strlen(told);
		if (parts[i])
			snprintf(told + at, sizeof told - at, ":%s", parts[i]);
	}
	if (cancel_on_event) {
		llm_cancel(llm);
		llm = NULL;
	}
}

#define expect_told(text) \
	do { \
		assert_string_equal(told, text); \
		told[0] = 0; \
	} while (0)

static const struct provider_choice two[] = {
	{ .provider = "a", .model = "m1" }, { .provider = "b", .model = "m2" },
};

static void ask_with(const struct provider_choice *choices, size_t n,
		     int first_ms)
{
	cJSON *messages = cJSON_Parse("[{\"role\":\"user\","
				      "\"content\":\"hi\"}]");
	const struct llm_cfg cfg = {
		.choices = choices, .n_choices = n, .messages = messages,
		.first_ms = first_ms, .temperature = -1,
	};

	assert_int_equal(llm_start(&llm, prov, &cfg, note, NULL), 0);
	cJSON_Delete(messages); /* borrowed during the call only */
	assert_int_equal(n_tries, 0);
	clock_advance(clk, 0);
}

static void begin(void)
{
	const struct providers_cfg pcfg = { 0 };

	n_tries = 0;
	start_result = 0;
	told[0] = 0;
	cancel_on_event = false;
	assert_int_equal(clock_create_virtual(&clk, 0), 0);
	assert_int_equal(providers_create_with(&prov, NULL, clk, &tables,
					       &pcfg), 0);
}

static void finish(void)
{
	llm_cancel(llm);
	llm = NULL;
	for (size_t i = 0; i < n_tries; i++)
		assert_true(tries[i].cancelled);
	providers_close(prov);
	assert_int_equal(clock_timers(clk), 0);
	clock_destroy(clk);
}

static void gives(struct fake *f, struct llm_conn_event e)
{
	if (!f->cancelled)
		f->fn(f->arg, &e);
}

static void says(struct fake *f, const char *text)
{
	gives(f, (struct llm_conn_event){ .type = LLM_CONN_TEXT,
					  .text = text });
}

static void ends(struct fake *f)
{
	gives(f, (struct llm_conn_event){ .type = LLM_CONN_DONE,
					  .finish = "stop" });
}

static void breaks(struct fake *f, int err, int retry_ms, bool permanent)
{
	struct failure why;

	failure_set(&why, err, NULL);
	why.retry_ms = retry_ms;
	why.permanent = why.permanent || permanent;
	gives(f, (struct llm_conn_event){ .type = LLM_CONN_FAILED,
					  .failure = &why });
}

/* ---- the good way ---------------------------------- */

static void an_answer_passes_through(void **state)
{
	(void)state;

	begin();
	ask_with(two, 2, 0);
	says(&tries[0], "Hel");
	says(&tries[0], "lo");
	gives(&tries[0], (struct llm_conn_event){ .type = LLM_CONN_TOOL,
		.id = "c1", .name = "book", .text = "{}" });
	ends(&tries[0]);
	expect_told("text:Hel text:lo tool:book:{} done:stop");
	assert_int_equal(n_tries, 1);
	clock_advance(clk, 20000000);
	expect_told("");
	finish();
}

static void a_tool_call_alone_is_an_answer(void **state)
{
	(void)state;

	begin();
	ask_with(two, 2, 0);
	clock_advance(clk, 1000000);
	gives(&tries[0], (struct llm_conn_event){ .type = LLM_CONN_ALIVE });
	clock_advance(clk, 1900000); /* arguments still come: no hedge */
	assert_int_equal(n_tries, 1);
	gives(&tries[0], (struct llm_conn_event){ .type = LLM_CONN_TOOL,
		.id = "c1", .name = "book", .text = "{}" });
	ends(&tries[0]);
	expect_told("tool:book:{} done:stop");
	finish();
}

/* ---- failures before the first word ---------------------------------- */

static void a_server_error_is_retried_once_then_elsewhere(void **state)
{
	(void)state;

	begin();
	ask_with(two, 2, 0);
	breaks(&tries[0], ERR_SERVER, -1, false);
	clock_advance(clk, 100000);
	assert_int_equal(n_tries, 2);
	assert_string_equal(tries[1].provider, "a");
	breaks(&tries[1], ERR_SERVER, -1, false);
	clock_advance(clk, 0);
	assert_int_equal(n_tries, 3);
	assert_string_equal(tries[2].provider, "b");
	says(&tries[2], "hi");
	ends(&tries[2]);
	expect_told("text:hi done:stop");
	finish();
}

static void what_cannot_work_is_not_retried(void **state)
{
	(void)state;
	static const int errs[] = { ERR_AUTH, ERR_REQUEST };

	for (int i = 0; i < 3; i++) {
		begin();
		ask_with(two, 2, 0);
		/* the third: a quota that is used up */
		breaks(&tries[0], i < 2 ? errs[i] : ERR_LIMIT, 50, i == 2);
		clock_advance(clk, 0);
		assert_int_equal(n_tries, 2);
		assert_string_equal(tries[1].provider, "b");
		breaks(&tries[1], ERR_AUTH, -1, false);
		expect_told("failed:ERR_AUTH");
		clock_advance(clk, 5000000);
		assert_int_equal(n_tries, 2);
		finish();
	}
}

static void a_short_retry_after_is_honoured(void **state)
{
	(void)state;

	begin();
	ask_with(two, 1, 0);
	breaks(&tries[0], ERR_LIMIT, 700, false);
	clock_advance(clk, 699000);
	assert_int_equal(n_tries, 1);
	clock_advance(clk, 1000);
	assert_int_equal(n_tries, 2);
	says(&tries[1], "hi");
	ends(&tries[1]);
	expect_told("text:hi done:stop");
	finish();
}

static void a_long_retry_after_goes_elsewhere_or_fails_at_once(void **state)
{
	(void)state;

	begin();
	ask_with(two, 2, 0);
	breaks(&tries[0], ERR_LIMIT, 20000, false);
	clock_advance(clk, 0);
	assert_string_equal(tries[1].provider, "b");
	finish();
	begin();
	ask_with(two, 1, 0);
	breaks(&tries[0], ERR_LIMIT, 20000, false);
	/* one try would be left, but the server said when */
	expect_told("failed:ERR_LIMIT");
	clock_advance(clk, 5000000);
	assert_int_equal(n_tries, 1);
	finish();
}

static void a_start_that_fails_at_once_is_told_later(void **state)
{
	(void)state;

	begin();
	start_result = -ENOMEM;
	ask_with(two, 2, 0);
	clock_advance(clk, 500000);
	expect_told("failed:ENOMEM");
	assert_int_equal(n_tries, 4);
	finish();
}

static void an_empty_answer_is_a_failure(void **state)
{
	(void)state;

	begin();
	ask_with(two, 2, 0);
	ends(&tries[0]);
	clock_advance(clk, 100000);
	ends(&tries[1]);
	clock_advance(clk, 0);
	assert_string_equal(tries[2].provider, "b");
	says(&tries[2], "hi");
	ends(&tries[2]);
	expect_told("text:hi done:stop");
	finish();
}

/* ---- slow answers ---------------------------------- */

static void a_slow_first_try_gets_company_and_may_still_win(void **state)
{
	(void)state;

	begin();
	ask_with(two, 2, 0);
	clock_advance(clk, 1199000);
	assert_int_equal(n_tries, 1);
	clock_advance(clk, 1000);
	assert_int_equal(n_tries, 2);
	assert_string_equal(tries[1].provider, "b");
	clock_advance(clk, 200000);
	says(&tries[0], "slow but here");
	assert_true(tries[1].cancelled);
	assert_false(tries[0].cancelled);
	ends(&tries[0]);
	expect_told("text:slow but here done:stop");
	finish();
}

static void the_faster_one_wins_and_the_next_turn_knows(void **state)
{
	(void)state;

	begin();
	ask_with(two, 2, 0);
	clock_advance(clk, 1300000);
	says(&tries[1], "b");
	assert_true(tries[0].cancelled);
	says(&tries[0], "late");
	ends(&tries[1]);
	expect_told("text:b done:stop");
	llm_cancel(llm);
	n_tries = 0;
	ask_with(two, 2, 0);
	assert_string_equal(tries[0].provider, "b");
	finish();
}

static void one_choice_hedges_with_itself(void **state)
{
	(void)state;

	begin();
	ask_with(two, 1, 0);
	clock_advance(clk, 1200000);
	assert_int_equal(n_tries, 2);
	assert_string_equal(tries[1].provider, "a");
	says(&tries[1], "hi");
	ends(&tries[1]);
	expect_told("text:hi done:stop");
	finish();
}

static void silence_of_all_fails_in_time_for_a_stored_line(void **state)
{
	(void)state;

	begin();
	ask_with(two, 2, 0);
	clock_advance(clk, 10000000);
	expect_told("failed:ERR_STALLED");
	assert_int_equal(told_ms, 2200);
	finish();
	begin();
	ask_with(two, 2, 5000);
	clock_advance(clk, 10000000);
	assert_int_equal(told_ms, 5500);
	finish();
	/* a model that reasons first gets more time by itself */
	static const struct provider_choice thinks[] = {
		{ .provider = "a", .model = "gpt-6-luna", .effort = "low" },
	};
	begin();
	ask_with(thinks, 1, 0);
	clock_advance(clk, 10000000);
	assert_int_equal(told_ms, 4400);
	finish();
}

static void retries_and_silence_together_keep_the_deadline(void **state)
{
	(void)state;

	begin();
	ask_with(two, 2, 0);
	clock_advance(clk, 1000000);
	breaks(&tries[0], ERR_SERVER, -1, false);
	clock_advance(clk, 10000000);
	expect_told("failed:ERR_STALLED");
	assert_int_equal(told_ms, 2200);
	finish();
	begin();
	ask_with(two, 2, 0);
	clock_advance(clk, 2100000);
	breaks(&tries[0], ERR_SERVER, -1, false);
	breaks(&tries[1], ERR_CLOSED, -1, false);
	/* nothing useful fits into the last tenth of a second */
	expect_told("failed:ERR_CLOSED");
	finish();
}

static void a_failing_hedge_leaves_the_first_alone(void **state)
{
	(void)state;

	begin();
	ask_with(two, 2, 0);
	clock_advance(clk, 1200000);
	breaks(&tries[1], ERR_AUTH, -1, false);
	clock_advance(clk, 300000);
	assert_false(tries[0].cancelled);
	says(&tries[0], "hi");
	ends(&tries[0]);
	expect_told("text:hi done:stop");
	finish();
}

/* ---- failures after the first word ---------------------------------- */

static void nothing_is_tried_again_after_words(void **state)
{
	(void)state;

	begin();
	ask_with(two, 2, 0);
	says(&tries[0], "Your appoint");
	breaks(&tries[0], ERR_CLOSED, -1, false);
	expect_told("text:Your appoint failed:ERR_CLOSED");
	clock_advance(clk, 10000000);
	assert_int_equal(n_tries, 1);
	finish();
}

static void an_answer_that_stops_halfway_fails(void **state)
{
	(void)state;

	begin();
	ask_with(two, 2, 0);
	says(&tries[0], "one");
	clock_advance(clk, 1900000);
	says(&tries[0], "two");
	clock_advance(clk, 1999000);
	expect_told("text:one text:two");
	clock_advance(clk, 1000);
	expect_told("failed:ERR_STALLED");
	finish();
}

static void unsent_tool_arguments_do_not_forbid_a_retry(void **state)
{
	(void)state;

	begin();
	ask_with(two, 2, 0);
	clock_advance(clk, 500000);
	gives(&tries[0], (struct llm_conn_event){ .type = LLM_CONN_ALIVE });
	breaks(&tries[0], ERR_CLOSED, -1, false);
	clock_advance(clk, 100000);
	assert_int_equal(n_tries, 2);
	says(&tries[1], "hi");
	ends(&tries[1]);
	expect_told("text:hi done:stop");
	finish();
}

/* ---- cancel ---------------------------------- */

static void nothing_is_told_after_cancel(void **state)
{
	(void)state;

	begin();
	ask_with(two, 2, 0);
	says(&tries[0], "one");
	told[0] = 0;
	llm_cancel(llm);
	llm = NULL;
	says(&tries[0], "two");
	clock_advance(clk, 10000000);
	expect_told("");
	finish();
}

static void cancelling_inside_an_event_is_fine(void **state)
{
	(void)state;

	for (int kind = 0; kind < 5; kind++) {
		begin();
		ask_with(two, kind == 4 ? 1 : 2, 0);
		if (kind == 2)
			says(&tries[0], "one");
		cancel_on_event = true;
		if (kind == 0)
			says(&tries[0], "one");
		if (kind == 1)
			gives(&tries[0], (struct llm_conn_event){
				.type = LLM_CONN_TOOL, .name = "t",
				.text = "{}" });
		if (kind == 2)
			ends(&tries[0]);
		if (kind == 3)
			clock_advance(clk, 10000000);
		if (kind == 4)
			breaks(&tries[0], ERR_AUTH, -1, false);
		assert_null(llm);
		finish();
	}
}

static void an_unusable_request_is_refused(void **state)
{
	(void)state;
	struct llm_cfg cfg = { .choices = two, .n_choices = 0 };

	begin();
	assert_int_equal(llm_start(&llm, prov, &cfg, note, NULL), ERR_CONFIG);
	cfg.n_choices = 2;
	assert_int_equal(llm_start(&llm, prov, &cfg, note, NULL), ERR_REQUEST);
	assert_null(llm);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_passes_through),
		cmocka_unit_test(a_tool_call_alone_is_an_answer),
		cmocka_unit_test(a_server_error_is_retried_once_then_elsewhere),
		cmocka_unit_test(what_cannot_work_is_not_retried),
		cmocka_unit_test(a_short_retry_after_is_honoured),
		cmocka_unit_test(a_long_retry_after_goes_elsewhere_or_fails_at_once),
		cmocka_unit_test(a_start_that_fails_at_once_is_told_later),
		cmocka_unit_test(an_empty_answer_is_a_failure),
		cmocka_unit_test(a_slow_first_try_gets_company_and_may_still_win),
		cmocka_unit_test(the_faster_one_wins_and_the_next_turn_knows),
		cmocka_unit_test(one_choice_hedges_with_itself),
		cmocka_unit_test(silence_of_all_fails_in_time_for_a_stored_line),
		cmocka_unit_test(retries_and_silence_together_keep_the_deadline),
		cmocka_unit_test(a_failing_hedge_leaves_the_first_alone),
		cmocka_unit_test(nothing_is_tried_again_after_words),
		cmocka_unit_test(an_answer_that_stops_halfway_fails),
		cmocka_unit_test(unsent_tool_arguments_do_not_forbid_a_retry),
		cmocka_unit_test(nothing_is_told_after_cancel),
		cmocka_unit_test(cancelling_inside_an_event_is_fine),
		cmocka_unit_test(an_unusable_request_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
