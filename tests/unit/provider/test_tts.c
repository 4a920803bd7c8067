/*
 * The tts facade over a voice of the test's making, on virtual time: order of
 * clauses, deadlines, retries that go on where the first voice stopped.
 */
#include "unit.h"

#include "base/str.h"
#include "provider/tts_int.h"

struct fake {
	char provider[16];
	tts_conn_h *fn;
	void *arg;
	bool fresh, closed;
	int parts[16];
	char *texts[16];
	int n;
};

static struct fake conns[64];
static size_t n_conns;
static int open_result, speak_result;

static int fake_open(void **ret, struct providers *p,
		     const struct provider_choice *c, bool fresh,
		     tts_conn_h *fn, void *arg)
{
	(void)p;
	assert_true(n_conns < 64);
	if (open_result < 0)
		return open_result;
	struct fake *f = &conns[n_conns++];
	*f = (struct fake){ .fn = fn, .arg = arg, .fresh = fresh };
	str_copy(f->provider, sizeof f->provider, c->provider);
	*ret = f;
	return 0;
}

static int fake_speak(void *conn, int part, const char *text)
{
	struct fake *f = conn;

	assert_false(f->closed);
	assert_true(f->n < 16);
	if (speak_result < 0)
		return speak_result;
	f->parts[f->n] = part;
	f->texts[f->n++] = str_dup(text);
	return 0;
}

static void fake_close(void *conn)
{
	struct fake *f = conn;

	assert_false(f->closed);
	f->closed = true;
}

static const struct tts_ops fake_a = { "a", NULL, NULL, fake_open, fake_speak,
				       fake_close };
static const struct tts_ops fake_b = { "b", NULL, NULL, fake_open, fake_speak,
				       fake_close };
static const struct tts_ops narrow = { "narrow", "b", NULL, fake_open,
				       fake_speak, fake_close };
static const struct tts_ops *const rows[] = { &fake_a, &fake_b, &narrow,
					      NULL };
static const struct provider_tables tables = { .tts = rows };

static struct clock *clk;
static struct providers *prov;
static struct tts *tts;
static char told[4096];     /* "0:100 clause0 done" */
static int16_t heard[100000];
static size_t n_heard;
static int64_t told_ms;
static bool close_on_event, push_on_event;

static void note(void *arg, const struct tts_event *e)
{
	size_t at = strlen(told);
	char *to = told + at;
	size_t cap = sizeof told - at;
	const char *gap = at ? " " : "";

	(void)arg;
	told_ms = clock_now_ms(clk);
	switch (e->type) {
	case TTS_AUDIO:
		snprintf(to, cap, "%s%d:%zu", gap, e->clause, e->n);
		assert_true(n_heard + e->n <= 100000);
		memcpy(heard + n_heard, e->pcm, e->n * sizeof *e->pcm);
		n_heard += e->n;
		break;
	case TTS_CLAUSE:
		snprintf(to, cap, "%sclause%d", gap, e->clause);
		break;
	case TTS_DONE:
		snprintf(to, cap, "%sdone", gap);
		break;
	case TTS_FAILED:
		snprintf(to, cap, "%sfailed%d:%s", gap, e->clause,
			 err_name(e->err));
		break;
	}
	if (push_on_event)
		tts_push(tts, "more");
	if (close_on_event) {
		tts_close(tts);
		tts = NULL;
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

static void open_with(size_t n_choices)
{
	const struct tts_cfg cfg = { .choices = two, .n_choices = n_choices };

	assert_int_equal(tts_open(&tts, prov, &cfg, note, NULL), 0);
}

static void begin(size_t n_choices)
{
	const struct providers_cfg pcfg = { 0 };

	n_conns = n_heard = 0;
	open_result = speak_result = 0;
	told[0] = 0;
	close_on_event = push_on_event = false;
	assert_int_equal(clock_create_virtual(&clk, 0), 0);
	assert_int_equal(providers_create_with(&prov, NULL, clk, &tables,
					       &pcfg), 0);
	open_with(n_choices);
}

static void finish(void)
{
	tts_close(tts);
	tts = NULL;
	for (size_t i = 0; i < n_conns; i++) {
		assert_true(conns[i].closed);
		for (int k = 0; k < conns[i].n; k++)
			free(conns[i].texts[k]);
	}
	providers_close(prov);
	assert_int_equal(clock_timers(clk), 0);
	clock_destroy(clk);
}

static void push(const char *text)
{
	size_t before = strlen(told);

	tts_push(tts, text);
	assert_int_equal(strlen(told), before); /* never from inside */
	clock_advance(clk, 0);
}

static void plays(struct fake *f, int i, size_t n, int16_t value)
{
	int16_t pcm[4096];
	struct tts_conn_event e = { .type = TTS_CONN_AUDIO, .pcm = pcm,
				    .n = n, .part = f->parts[i] };

	assert_true(n <= 4096);
	for (size_t k = 0; k < n; k++)
		pcm[k] = (int16_t)(value + (int16_t)k);
	if (!f->closed)
		f->fn(f->arg, &e);
}

static void ends(struct fake *f, int i)
{
	const struct tts_conn_event e = { .type = TTS_CONN_PART,
					  .part = f->parts[i] };

	if (!f->closed)
		f->fn(f->arg, &e);
}

static void breaks(struct fake *f, int i, int err)
{
	struct failure why;
	const struct tts_conn_event e = { .type = TTS_CONN_FAILED,
					  .part = f->parts[i],
					  .failure = &why };

	failure_set(&why, err, NULL);
	if (!f->closed)
		f->fn(f->arg, &e);
}

/* ---- the good way ---------------------------------------------------------------- */

static void clauses_come_in_order(void **state)
{
	(void)state;

	begin(2);
	push("One.");
	push("Two.");
	push("Three.");
	assert_int_equal(conns[0].n, 1);
	plays(&conns[0], 0, 100, 0);
	/* while the first plays the second is asked for */
	assert_int_equal(conns[0].n, 2);
	plays(&conns[0], 1, 50, 0);
	plays(&conns[0], 1, 20, 0);
	expect_told("0:100");
	plays(&conns[0], 0, 10, 0);
	ends(&conns[0], 0);
	expect_told("0:10 clause0 1:70");
	assert_int_equal(conns[0].n, 3);
	ends(&conns[0], 1);
	plays(&conns[0], 2, 5, 0);
	tts_finish(tts);
	clock_advance(clk, 0);
	ends(&conns[0], 2);
	expect_told("clause1 2:5 clause2 done");
	assert_string_equal(conns[0].texts[1], "Two.");
	clock_advance(clk, 60000000);
	expect_told("");
	finish();
}

static void a_clause_ready_early_waits_for_its_turn(void **state)
{
	(void)state;

	begin(1);
	push("One.");
	push("Two.");
	plays(&conns[0], 0, 100, 0);
	plays(&conns[0], 1, 50, 0);
	ends(&conns[0], 1);
	expect_told("0:100");
	ends(&conns[0], 0);
	expect_told("clause0 1:50 clause1");
	finish();
}

static void nothing_pushed_is_done_at_once(void **state)
{
	(void)state;

	begin(1);
	tts_finish(tts);
	expect_told("");
	clock_advance(clk, 0);
	expect_told("done");
	assert_int_equal(n_conns, 0);
	finish();
}

static void dashes_need_no_voice(void **state)
{
	(void)state;

	begin(1);
	push(" \xe2\x80\x94 ... ");
	expect_told("clause0");
	assert_int_equal(n_conns, 0);
	push("Hi");
	plays(&conns[0], 0, 9, 0);
	ends(&conns[0], 0);
	expect_told("1:9 clause1");
	finish();
}

static void a_long_text_goes_out_in_parts_of_one_clause(void **state)
{
	(void)state;
	char text[5000];

	for (size_t i = 0; i < sizeof text; i += 10)
		memcpy(text + i, "some word ", 10);
	text[sizeof text - 1] = 0;
	begin(1);
	push(text);
	for (int i = 0; i < 3; i++) {
		assert_true(strlen(conns[0].texts[i]) <= TTS_PART_BYTES);
		plays(&conns[0], i, 7, 0);
		ends(&conns[0], i);
	}
	expect_told("0:7 0:7 0:7 clause0");
	finish();
}

/* ---- failures ---------------------------------------------------------------------------- */

static void a_mute_voice_is_replaced_in_time(void **state)
{
	(void)state;

	begin(2);
	push("One.");
	clock_advance(clk, 1499000);
	assert_int_equal(n_conns, 1);
	clock_advance(clk, 1000);
	assert_true(conns[0].closed);
	assert_int_equal(n_conns, 2);
	assert_string_equal(conns[1].provider, "b");
	plays(&conns[1], 0, 10, 0);
	ends(&conns[1], 0);
	expect_told("0:10 clause0");
	/* the next utterance does not wait for it again */
	tts_close(tts);
	open_with(2);
	push("Two.");
	assert_string_equal(conns[2].provider, "b");
	finish();
}

static void all_mute_fails_within_three_seconds(void **state)
{
	(void)state;

	for (size_t n = 1; n <= 2; n++) {
		begin(n);
		push("One.");
		clock_advance(clk, 10000000);
		expect_told("failed0:ERR_STALLED");
		assert_int_equal(told_ms, 2400);
		assert_true(conns[1].fresh);
		finish();
	}
}

static void a_broken_connection_is_retried_fresh_then_elsewhere(void **state)
{
	(void)state;

	begin(2);
	push("One.");
	assert_false(conns[0].fresh);
	breaks(&conns[0], 0, ERR_CLOSED);
	clock_advance(clk, 0);
	assert_string_equal(conns[1].provider, "a");
	assert_true(conns[1].fresh);
	breaks(&conns[1], 0, ERR_CLOSED);
	clock_advance(clk, 0);
	assert_string_equal(conns[2].provider, "b");
	plays(&conns[2], 0, 10, 0);
	ends(&conns[2], 0);
	expect_told("0:10 clause0");
	finish();
}

static void a_full_pool_or_wrong_key_goes_elsewhere_at_once(void **state)
{
	(void)state;
	static const int errs[] = { ERR_FULL, ERR_LIMIT, ERR_AUTH };

	for (size_t i = 0; i < 3; i++) {
		begin(2);
		push("One.");
		breaks(&conns[0], 0, errs[i]);
		clock_advance(clk, 0);
		assert_int_equal(n_conns, 2);
		assert_string_equal(conns[1].provider, "b");
		finish();
	}
}

static void a_full_row_has_an_overflow(void **state)
{
	(void)state;
	static const struct provider_choice one = { .provider = "narrow",
						    .model = "m" };
	const struct tts_cfg cfg = { .choices = &one, .n_choices = 1 };

	begin(1);
	tts_close(tts);
	assert_int_equal(tts_open(&tts, prov, &cfg, note, NULL), 0);
	push("One.");
	breaks(&conns[0], 0, ERR_FULL);
	clock_advance(clk, 0);
	assert_int_equal(n_conns, 2);
	/* served by the row "b", for the same choice */
	assert_int_equal(conns[1].n, 1);
	plays(&conns[1], 0, 10, 0);
	ends(&conns[1], 0);
	push("Two.");
	breaks(&conns[1], 1, ERR_LIMIT);
	clock_advance(clk, 0);
	breaks(&conns[2], 0, ERR_LIMIT);
	expect_told("0:10 clause0 failed1:ERR_LIMIT");
	finish();
}

static void the_second_voice_goes_on_where_the_first_stopped(void **state)
{
	(void)state;

	begin(1);
	push("One.");
	push("Two.");
	plays(&conns[0], 0, 100, 0);
	plays(&conns[0], 1, 30, 500);
	breaks(&conns[0], 0, ERR_CLOSED);
	clock_advance(clk, 0);
	assert_string_equal(conns[1].texts[0], "One.");
	plays(&conns[1], 0, 60, 0);
	plays(&conns[1], 0, 60, 60);
	/* and the clause that was held is asked for anew */
	assert_int_equal(conns[1].n, 2);
	plays(&conns[1], 1, 30, 500);
	ends(&conns[1], 0);
	ends(&conns[1], 1);
	expect_told("0:100 0:20 clause0 1:30 clause1");
	for (int16_t i = 0; i < 120; i++)
		assert_int_equal(heard[i], i);
	finish();
}

static void audio_that_stops_halfway_is_a_failure(void **state)
{
	(void)state;

	begin(2);
	push("One.");
	plays(&conns[0], 0, 100, 0);
	clock_advance(clk, 1999000);
	assert_int_equal(n_conns, 1);
	clock_advance(clk, 1000);
	assert_int_equal(n_conns, 2);
	plays(&conns[1], 0, 150, 0);
	ends(&conns[1], 0);
	expect_told("0:100 0:50 clause0");
	finish();
}

static void a_clause_without_audio_is_a_failure(void **state)
{
	(void)state;

	begin(1);
	push("One.");
	ends(&conns[0], 0);
	clock_advance(clk, 0);
	ends(&conns[1], 0);
	expect_told("failed0:ERR_EMPTY");
	finish();
}

static void trouble_with_the_next_clause_waits_for_this_one(void **state)
{
	(void)state;

	begin(2);
	push("One.");
	push("Two.");
	plays(&conns[0], 0, 100, 0);
	breaks(&conns[0], 1, ERR_AUTH);
	assert_false(conns[0].closed);
	plays(&conns[0], 0, 100, 0);
	ends(&conns[0], 0);
	clock_advance(clk, 0);
	assert_string_equal(conns[1].provider, "b");
	assert_string_equal(conns[1].texts[0], "Two.");
	plays(&conns[1], 0, 10, 0);
	ends(&conns[1], 0);
	expect_told("0:100 0:100 clause0 1:10 clause1");
	finish();
}

static void failures_at_once_are_told_later(void **state)
{
	(void)state;

	begin(2);
	speak_result = ERR_FULL;
	push("One.");
	clock_advance(clk, 100000);
	expect_told("failed0:ERR_FULL");
	finish();
	begin(2);
	open_result = -ENOMEM;
	push("One.");
	clock_advance(clk, 100000);
	expect_told("failed0:ENOMEM");
	tts_push(tts, "too late");
	tts_finish(tts);
	clock_advance(clk, 100000);
	expect_told("");
	finish();
}

static void success_forgives_earlier_failures(void **state)
{
	(void)state;

	begin(1);
	for (int i = 0; i < 4; i++) {
		push("Clause.");
		breaks(&conns[i], conns[i].n - 1, ERR_CLOSED);
		clock_advance(clk, 0);
		plays(&conns[i + 1], 0, 10, 0);
		ends(&conns[i + 1], 0);
	}
	expect_told("0:10 clause0 1:10 clause1 2:10 clause2 3:10 clause3");
	finish();
}

/* ---- ends ----------------------------------------------------------------------------------- */

static void nothing_is_told_after_close(void **state)
{
	(void)state;

	begin(2);
	push("One.");
	plays(&conns[0], 0, 10, 0);
	told[0] = 0;
	tts_close(tts);
	tts = NULL;
	plays(&conns[0], 0, 10, 0);
	clock_advance(clk, 10000000);
	expect_told("");
	assert_int_equal(n_conns, 1);
	finish();
}

static void closing_inside_an_event_is_fine(void **state)
{
	(void)state;

	for (int kind = 0; kind < 5; kind++) {
		begin(1);
		push("One.");
		push("Two.");
		plays(&conns[0], 0, 10, 0);
		plays(&conns[0], 1, 10, 0);
		tts_finish(tts);
		if (kind == 2) {
			ends(&conns[0], 0);
			clock_advance(clk, 0);
		}
		close_on_event = true;
		if (kind == 0)
			plays(&conns[0], 0, 10, 0);
		if (kind == 1)
			ends(&conns[0], 0);
		if (kind == 2)
			ends(&conns[0], 1);
		if (kind == 3)
			breaks(&conns[0], 0, ERR_AUTH);
		if (kind == 4)
			clock_advance(clk, 30000000);
		assert_null(tts);
		finish();
	}
}

static void pushing_inside_an_event_is_fine(void **state)
{
	(void)state;

	begin(1);
	push("One.");
	push_on_event = true;
	for (int i = 0; i < 20; i++)
		plays(&conns[0], 0, 10, 0);
	push_on_event = false;
	clock_advance(clk, 0);
	ends(&conns[0], 0);
	plays(&conns[0], 1, 3, 0);
	ends(&conns[0], 1);
	assert_non_null(strstr(told, "clause0 1:3 clause1"));
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clauses_come_in_order),
		cmocka_unit_test(a_clause_ready_early_waits_for_its_turn),
		cmocka_unit_test(nothing_pushed_is_done_at_once),
		cmocka_unit_test(dashes_need_no_voice),
		cmocka_unit_test(a_long_text_goes_out_in_parts_of_one_clause),
		cmocka_unit_test(a_mute_voice_is_replaced_in_time),
		cmocka_unit_test(all_mute_fails_within_three_seconds),
		cmocka_unit_test(a_broken_connection_is_retried_fresh_then_elsewhere),
		cmocka_unit_test(a_full_pool_or_wrong_key_goes_elsewhere_at_once),
		cmocka_unit_test(a_full_row_has_an_overflow),
		cmocka_unit_test(the_second_voice_goes_on_where_the_first_stopped),
		cmocka_unit_test(audio_that_stops_halfway_is_a_failure),
		cmocka_unit_test(a_clause_without_audio_is_a_failure),
		cmocka_unit_test(trouble_with_the_next_clause_waits_for_this_one),
		cmocka_unit_test(failures_at_once_are_told_later),
		cmocka_unit_test(success_forgives_earlier_failures),
		cmocka_unit_test(nothing_is_told_after_close),
		cmocka_unit_test(closing_inside_an_event_is_fine),
		cmocka_unit_test(pushing_inside_an_event_is_fine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
