/*
 * The stt facade over a provider of the test's making, on virtual time: what
 * it does when a connection is late, mute, refused or gone.
 */
#include "unit.h"

#include "base/str.h"
#include "provider/stt_int.h"

/* ---- a provider whose connections the test plays --------------------------------- */

struct fake {
	const struct provider_choice *choice;
	stt_conn_h *fn;
	void *arg;
	int64_t pushed;      /* samples */
	int16_t first;       /* first sample heard */
	int flushes, endpointing_ms;
	bool closed;
	int push_result;
};

static struct fake conns[64];
static size_t n_conns;
static int open_result;

static int fake_open(void **ret, struct providers *p,
		     const struct provider_choice *c, int endpointing_ms,
		     stt_conn_h *fn, void *arg)
{
	(void)p;
	assert_true(n_conns < 64);
	struct fake *f = &conns[n_conns++];
	*f = (struct fake){ .choice = c, .fn = fn, .arg = arg,
			    .endpointing_ms = endpointing_ms };
	if (open_result < 0)
		return open_result;
	*ret = f;
	return 0;
}

static int fake_push(void *conn, const int16_t *pcm, size_t n)
{
	struct fake *f = conn;

	assert_false(f->closed);
	assert_true(n > 0);
	if (!f->pushed)
		f->first = pcm[0];
	f->pushed += (int64_t)n;
	return f->push_result;
}

static int fake_flush(void *conn)
{
	struct fake *f = conn;

	assert_false(f->closed);
	f->flushes++;
	return 0;
}

static void fake_close(void *conn)
{
	struct fake *f = conn;

	assert_false(f->closed);
	f->closed = true;
}

static const struct stt_ops fake_a = { "a", NULL, fake_open, fake_push,
				       fake_flush, fake_close };
static const struct stt_ops fake_b = { "b", NULL, fake_open, fake_push,
				       fake_flush, fake_close };
static const struct stt_ops *const rows[] = { &fake_a, &fake_b, NULL };
static const struct provider_tables tables = { .stt = rows };

/* ---- what the stream told --------------------------------------------------------- */

static struct clock *clk;
static struct providers *prov;
static struct stt *stt;
static char told[4096];      /* "open trouble:ERR_CLOSED final:hello ..." */
static double first_word_s;
static bool close_on_event;

static void note(void *arg, const struct stt_event *e)
{
	static const char *const names[] = { "open", "speech", "interim",
					     "final", "end", "trouble",
					     "dead" };
	size_t at = strlen(told);

	(void)arg;
	snprintf(told + at, sizeof told - at, "%s%s", at ? " " : "",
		 names[e->type]);
	at = strlen(told);
	if (e->text)
		snprintf(told + at, sizeof told - at, ":%s", e->text);
	if (e->err)
		snprintf(told + at, sizeof told - at, ":%s", err_name(e->err));
	if (e->n_words)
		first_word_s = e->words[0].start_s;
	if (close_on_event) {
		stt_close(stt);
		stt = NULL;
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

static void begin(size_t n_choices)
{
	const struct providers_cfg pcfg = { 0 };
	const struct stt_cfg cfg = { .choices = two, .n_choices = n_choices };

	n_conns = 0;
	open_result = 0;
	told[0] = 0;
	close_on_event = false;
	assert_int_equal(clock_create_virtual(&clk, 0), 0);
	assert_int_equal(providers_create_with(&prov, NULL, clk, &tables,
					       &pcfg), 0);
	assert_int_equal(stt_open(&stt, prov, &cfg, note, NULL), 0);
	assert_string_equal(told, "");
}

static void finish(void)
{
	stt_close(stt);
	stt = NULL;
	for (size_t i = 0; i < n_conns; i++)
		assert_true(conns[i].closed || open_result < 0);
	providers_close(prov);
	assert_int_equal(clock_timers(clk), 0);
	clock_destroy(clk);
}

static void event(struct fake *f, enum stt_conn_type type)
{
	const struct stt_conn_event e = { .type = type };

	if (!f->closed)
		f->fn(f->arg, &e);
}

static void breaks(struct fake *f, int err)
{
	struct failure why;
	const struct stt_conn_event e = { .type = STT_CONN_FAILED,
					  .failure = &why };

	failure_set(&why, err, NULL);
	if (!f->closed)
		f->fn(f->arg, &e);
}

enum { FINAL = 1, ENDS = 2, FLUSHED = 4 };

static void hears(struct fake *f, int flags, double start_s, double end_s,
		  const char *text)
{
	const struct stt_word w = { text, start_s, end_s, 0.9f };
	const struct stt_result r = {
		.final = flags & FINAL, .ends = flags & ENDS,
		.flushed = flags & FLUSHED,
		.start_s = start_s, .end_s = end_s, .text = text,
		.confidence = 0.9f, .words = &w, .n_words = *text ? 1 : 0,
	};
	const struct stt_conn_event e = { .type = STT_CONN_RESULT,
					  .result = &r };

	if (!f->closed)
		f->fn(f->arg, &e);
}

/* The caller's track for a while, in frames of 20 ms; each sample carries the
 * frame's number. */
static int16_t frame_no;

static void speak(int ms, bool voiced)
{
	int16_t frame[STT_RATE_HZ / 50];

	for (; ms > 0; ms -= 20) {
		for (size_t i = 0; i < STT_RATE_HZ / 50; i++)
			frame[i] = frame_no;
		frame_no++;
		if (stt)
			stt_push(stt, frame, STT_RATE_HZ / 50, voiced);
		clock_advance(clk, 20000);
	}
}

/* ---- the utterance ------------------------------------------------------------------ */

static void parts_add_up_to_the_utterance(void **state)
{
	(void)state;

	begin(1);
	assert_int_equal(conns[0].endpointing_ms, 300);
	event(&conns[0], STT_CONN_OPEN);
	speak(2000, true);
	event(&conns[0], STT_CONN_SPEECH);
	hears(&conns[0], 0, 0, 1.1, "I need");
	hears(&conns[0], FINAL, 0, 1.5, "I need a cleaning");
	hears(&conns[0], 0, 1.5, 1.8, "on");
	hears(&conns[0], FINAL | ENDS, 1.5, 2.0, "on Tuesday");
	event(&conns[0], STT_CONN_UTTERANCE_END);
	expect_told("open speech interim:I need final:I need a cleaning "
		    "interim:I need a cleaning on final:on Tuesday "
		    "end:I need a cleaning on Tuesday");
	finish();
}

static void utterance_end_ends_what_endpointing_missed(void **state)
{
	(void)state;

	begin(1);
	event(&conns[0], STT_CONN_OPEN);
	hears(&conns[0], FINAL, 0, 1, "hello");
	event(&conns[0], STT_CONN_UTTERANCE_END);
	event(&conns[0], STT_CONN_UTTERANCE_END);
	expect_told("open final:hello end:hello");
	finish();
}

static void silence_says_nothing(void **state)
{
	(void)state;

	begin(1);
	event(&conns[0], STT_CONN_OPEN);
	hears(&conns[0], FINAL | ENDS, 0, 1, "");
	event(&conns[0], STT_CONN_UTTERANCE_END);
	expect_told("open");
	finish();
}

/* ---- connections ------------------------------------------------------------------------ */

static void audio_from_before_the_opening_is_heard(void **state)
{
	(void)state;

	begin(1);
	frame_no = 7;
	speak(400, true);
	assert_int_equal(conns[0].pushed, 0);
	event(&conns[0], STT_CONN_OPEN);
	assert_int_equal(conns[0].pushed, 400 * 16);
	assert_int_equal(conns[0].first, 7);
	speak(100, true);
	assert_int_equal(conns[0].pushed, 500 * 16);
	finish();
}

static void a_late_opening_goes_to_the_next_choice(void **state)
{
	(void)state;

	begin(2);
	speak(1980, false);
	expect_told("");
	speak(20, false);
	clock_advance(clk, 0);
	expect_told("trouble:ETIMEDOUT");
	assert_true(conns[0].closed);
	assert_int_equal(n_conns, 2);
	assert_string_equal(conns[1].choice->provider, "b");
	event(&conns[1], STT_CONN_OPEN);
	expect_told("open");
	finish();
}

static void a_mute_socket_is_replaced_and_hears_it_all_again(void **state)
{
	(void)state;

	begin(2);
	event(&conns[0], STT_CONN_OPEN);
	speak(1000, false);
	hears(&conns[0], FINAL, 0, 1.0, "");
	frame_no = 100;
	speak(2460, true);
	expect_told("open");
	speak(40, true);
	expect_told("trouble:ERR_STALLED");
	assert_int_equal(n_conns, 2);
	event(&conns[1], STT_CONN_OPEN);
	/* from the first frame that was not finalised */
	assert_int_equal(conns[1].first, 100);
	assert_int_equal(conns[1].pushed, 2500 * 16);
	hears(&conns[1], FINAL | ENDS, 0.5, 2.0, "hello");
	assert_true(first_word_s > 1.49 && first_word_s < 1.51);
	expect_told("open final:hello end:hello");
	finish();
}

static void the_whole_stall_stays_within_three_seconds(void **state)
{
	(void)state;

	begin(1);
	event(&conns[0], STT_CONN_OPEN);
	/* a short word, then our VAD says that the turn is over */
	speak(500, true);
	speak(300, false);
	stt_flush(stt);
	assert_int_equal(conns[0].flushes, 1);
	int64_t end_ms = clock_now_ms(clk) - 300;
	while (n_conns == 1)
		speak(20, false);
	event(&conns[1], STT_CONN_OPEN);
	assert_true(clock_now_ms(clk) - end_ms <= 1400);
	/* the question is put again, and the answer ends the turn */
	assert_int_equal(conns[1].flushes, 1);
	speak(800, false);
	hears(&conns[1], FINAL | FLUSHED, 0, 2.0, "yes");
	assert_true(clock_now_ms(clk) - end_ms <= 3000);
	expect_told("open trouble:ERR_STALLED open final:yes end:yes");
	finish();
}

static void a_cough_is_no_reason_to_reconnect(void **state)
{
	(void)state;

	begin(1);
	event(&conns[0], STT_CONN_OPEN);
	speak(200, true);
	speak(8000, false);
	expect_told("open");
	assert_int_equal(n_conns, 1);
	finish();
}

static void empty_answers_about_the_voice_prove_life(void **state)
{
	(void)state;

	begin(1);
	event(&conns[0], STT_CONN_OPEN);
	for (int i = 1; i <= 6; i++) {
		speak(1000, true);
		hears(&conns[0], 0, 0, i, "");
	}
	expect_told("open");
	/* but endless voice without one word is worth one look elsewhere */
	for (int i = 7; i <= 20; i++) {
		speak(1000, true);
		hears(&conns[n_conns - 1], 0, 0, i, "");
		if (n_conns == 2)
			event(&conns[1], STT_CONN_OPEN);
	}
	assert_int_equal(n_conns, 2);
	finish();
}

static void a_turn_of_voice_without_a_word_is_heard_by_another(void **state)
{
	(void)state;

	begin(2);
	event(&conns[0], STT_CONN_OPEN);
	speak(500, false);
	frame_no = 30;
	speak(1500, true);
	hears(&conns[0], FINAL, 0, 1.8, "");
	stt_flush(stt);
	hears(&conns[0], FINAL | FLUSHED, 1.8, 2.0, "");
	expect_told("open trouble:ERR_EMPTY");
	clock_advance(clk, 0);
	event(&conns[1], STT_CONN_OPEN);
	assert_int_equal(conns[1].first, 30);
	assert_int_equal(conns[1].flushes, 1);
	hears(&conns[1], FINAL | FLUSHED, 0, 1.5, "hello");
	expect_told("open final:hello end:hello");
	/* a line that is only noisy is not asked about twice */
	for (int i = 0; i < 2; i++) {
		speak(1500, true);
		stt_flush(stt);
		hears(&conns[n_conns - 1], FINAL | FLUSHED, 1.5, 99, "");
		clock_advance(clk, 0);
		if (n_conns == 3)
			event(&conns[2], STT_CONN_OPEN);
	}
	assert_int_equal(n_conns, 3);
	finish();
}

static void answers_about_older_audio_do_not_calm_the_detector(void **state)
{
	(void)state;

	begin(2);
	event(&conns[0], STT_CONN_OPEN);
	speak(2000, false);
	speak(1000, true);
	hears(&conns[0], 0, 0, 1.9, "");
	speak(1600, true);
	expect_told("open trouble:ERR_STALLED");
	finish();
}

static void a_drop_after_long_service_comes_back_to_the_same(void **state)
{
	(void)state;

	begin(2);
	event(&conns[0], STT_CONN_OPEN);
	speak(6000, false);
	hears(&conns[0], FINAL, 0, 6, "");
	breaks(&conns[0], ERR_CLOSED);
	clock_advance(clk, 0);
	assert_int_equal(n_conns, 2);
	assert_string_equal(conns[1].choice->provider, "a");
	event(&conns[1], STT_CONN_OPEN);
	expect_told("open trouble:ERR_CLOSED open");
	finish();
}

static void refused_credentials_are_not_tried_again(void **state)
{
	(void)state;

	begin(2);
	breaks(&conns[0], ERR_AUTH);
	clock_advance(clk, 0);
	assert_string_equal(conns[1].choice->provider, "b");
	for (int i = 1; i <= 2; i++) {
		breaks(&conns[i], ERR_CLOSED);
		clock_advance(clk, 1000000);
		assert_string_equal(conns[i + 1].choice->provider, "b");
	}
	finish();
}

static void when_every_choice_failed_it_is_dead_and_keeps_trying(void **state)
{
	(void)state;

	begin(2);
	for (size_t i = 0; i < 4; i++) {
		breaks(&conns[i], ERR_LIMIT);
		clock_advance(clk, 1000000);
	}
	expect_told("trouble:ERR_LIMIT trouble:ERR_LIMIT trouble:ERR_LIMIT "
		    "dead:ERR_LIMIT");
	assert_int_equal(n_conns, 4);
	clock_advance(clk, 4100000);
	assert_int_equal(n_conns, 5);
	breaks(&conns[4], ERR_LIMIT);
	clock_advance(clk, 5000000);
	assert_int_equal(n_conns, 6);
	expect_told("");
	event(&conns[5], STT_CONN_OPEN);
	expect_told("open");
	finish();
}

static void failure_inside_open_is_told_later(void **state)
{
	(void)state;
	const struct providers_cfg pcfg = { 0 };
	const struct provider_choice none = { .provider = "z", .model = "m" };
	const struct stt_cfg cfg = { .choices = &none, .n_choices = 1 };

	n_conns = 0;
	told[0] = 0;
	open_result = 0;
	assert_int_equal(clock_create_virtual(&clk, 0), 0);
	assert_int_equal(providers_create_with(&prov, NULL, clk, &tables,
					       &pcfg), 0);
	assert_int_equal(stt_open(&stt, prov, &cfg, note, NULL), 0);
	expect_told("");
	clock_advance(clk, 0);
	expect_told("dead:ERR_CONFIG");
	finish();
}

static void a_failed_push_reconnects_with_what_it_lost(void **state)
{
	(void)state;

	begin(1);
	event(&conns[0], STT_CONN_OPEN);
	conns[0].push_result = ERR_FULL;
	frame_no = 50;
	speak(20, true);
	assert_int_equal(n_conns, 2);
	speak(40, true);
	event(&conns[1], STT_CONN_OPEN);
	assert_int_equal(conns[1].first, 50);
	assert_int_equal(conns[1].pushed, 60 * 16);
	expect_told("open trouble:ERR_FULL open");
	finish();
}

static void the_replay_is_never_longer_than_five_seconds(void **state)
{
	(void)state;

	begin(1);
	speak(1900, true);
	breaks(&conns[0], ERR_CLOSED);
	speak(1900, true);
	breaks(&conns[1], ERR_CLOSED);
	speak(1900, true);
	event(&conns[2], STT_CONN_OPEN);
	assert_int_equal(conns[2].pushed, STT_KEEP_SAMPLES);
	hears(&conns[2], FINAL, 0, 1, "late");
	assert_true(first_word_s > 0.69 && first_word_s < 0.71);
	finish();
}

/* ---- flush -------------------------------------------------------------------------- */

static void flush_ends_the_turn_with_the_answer(void **state)
{
	(void)state;

	begin(1);
	event(&conns[0], STT_CONN_OPEN);
	speak(1000, true);
	hears(&conns[0], 0, 0, 0.9, "half");
	stt_flush(stt);
	assert_int_equal(conns[0].flushes, 1);
	hears(&conns[0], FINAL | FLUSHED, 0, 1.0, "half past nine");
	expect_told("open interim:half final:half past nine "
		    "end:half past nine");
	clock_advance(clk, 3000000);
	expect_told("");
	finish();
}

static void flush_of_settled_text_ends_at_once(void **state)
{
	(void)state;

	begin(1);
	event(&conns[0], STT_CONN_OPEN);
	speak(1000, true);
	speak(100, false);
	hears(&conns[0], FINAL, 0, 1.1, "nine");
	told[0] = 0;
	stt_flush(stt);
	expect_told("");
	clock_advance(clk, 0);
	expect_told("end:nine");
	finish();
}

static void a_guess_counts_when_flush_is_not_answered(void **state)
{
	(void)state;

	begin(2);
	event(&conns[0], STT_CONN_OPEN);
	speak(1000, true);
	hears(&conns[0], FINAL, 0, 0.5, "on");
	hears(&conns[0], 0, 0.5, 1.0, "Monday");
	told[0] = 0;
	stt_flush(stt);
	clock_advance(clk, 999000);
	expect_told("");
	clock_advance(clk, 1000);
	expect_told("final:Monday end:on Monday trouble:ERR_STALLED");
	/* what was counted is not replayed */
	clock_advance(clk, 0);
	event(&conns[1], STT_CONN_OPEN);
	assert_int_equal(conns[1].pushed, 0);
	finish();
}

static void flush_of_nothing_asks_nothing(void **state)
{
	(void)state;

	begin(1);
	event(&conns[0], STT_CONN_OPEN);
	speak(1000, false);
	stt_flush(stt);
	clock_advance(clk, 3000000);
	assert_int_equal(conns[0].flushes, 0);
	expect_told("open");
	finish();
}

/* ---- ends ------------------------------------------------------------------------------- */

static void nothing_is_told_after_close(void **state)
{
	(void)state;

	begin(2);
	event(&conns[0], STT_CONN_OPEN);
	speak(1000, true);
	stt_close(stt);
	stt = NULL;
	told[0] = 0;
	clock_advance(clk, 10000000);
	expect_told("");
	assert_int_equal(n_conns, 1);
	finish();
}

static void closing_inside_an_event_is_fine(void **state)
{
	(void)state;

	for (int kind = 0; kind < 6; kind++) {
		begin(2);
		if (kind)
			event(&conns[0], STT_CONN_OPEN);
		speak(1000, kind > 0);
		close_on_event = true;
		told[0] = 0;
		switch (kind) {
		case 0:
			event(&conns[0], STT_CONN_OPEN);
			break;
		case 1:
			hears(&conns[0], FINAL | ENDS, 0, 1, "bye");
			break;
		case 2:
			hears(&conns[0], 0, 0, 1, "bye");
			break;
		case 3:
			breaks(&conns[0], ERR_CLOSED);
			break;
		case 4:
			speak(3000, true);
			break;
		case 5:
			close_on_event = false;
			hears(&conns[0], 0, 0, 1, "bye");
			close_on_event = true;
			stt_flush(stt);
			clock_advance(clk, 2000000);
			break;
		}
		assert_null(stt);
		assert_true(conns[0].closed);
		finish();
	}
}

static void health_is_shared_between_calls(void **state)
{
	(void)state;
	const struct stt_cfg cfg = { .choices = two, .n_choices = 2 };
	struct stt *second;

	begin(2);
	breaks(&conns[0], ERR_AUTH);
	clock_advance(clk, 0);
	assert_int_equal(stt_open(&second, prov, &cfg, note, NULL), 0);
	assert_string_equal(conns[2].choice->provider, "b");
	stt_close(second);
	/* and is forgotten after a while */
	clock_advance(clk, 301 * 1000000ll);
	size_t n = n_conns;
	assert_int_equal(stt_open(&second, prov, &cfg, note, NULL), 0);
	assert_string_equal(conns[n].choice->provider, "a");
	stt_close(second);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_add_up_to_the_utterance),
		cmocka_unit_test(utterance_end_ends_what_endpointing_missed),
		cmocka_unit_test(silence_says_nothing),
		cmocka_unit_test(audio_from_before_the_opening_is_heard),
		cmocka_unit_test(a_late_opening_goes_to_the_next_choice),
		cmocka_unit_test(a_mute_socket_is_replaced_and_hears_it_all_again),
		cmocka_unit_test(the_whole_stall_stays_within_three_seconds),
		cmocka_unit_test(a_cough_is_no_reason_to_reconnect),
		cmocka_unit_test(empty_answers_about_the_voice_prove_life),
		cmocka_unit_test(a_turn_of_voice_without_a_word_is_heard_by_another),
		cmocka_unit_test(answers_about_older_audio_do_not_calm_the_detector),
		cmocka_unit_test(a_drop_after_long_service_comes_back_to_the_same),
		cmocka_unit_test(refused_credentials_are_not_tried_again),
		cmocka_unit_test(when_every_choice_failed_it_is_dead_and_keeps_trying),
		cmocka_unit_test(failure_inside_open_is_told_later),
		cmocka_unit_test(a_failed_push_reconnects_with_what_it_lost),
		cmocka_unit_test(the_replay_is_never_longer_than_five_seconds),
		cmocka_unit_test(flush_ends_the_turn_with_the_answer),
		cmocka_unit_test(flush_of_settled_text_ends_at_once),
		cmocka_unit_test(a_guess_counts_when_flush_is_not_answered),
		cmocka_unit_test(flush_of_nothing_asks_nothing),
		cmocka_unit_test(nothing_is_told_after_close),
		cmocka_unit_test(closing_inside_an_event_is_fine),
		cmocka_unit_test(health_is_shared_between_calls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
