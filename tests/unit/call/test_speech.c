/*
 * speech: from text to playout and back to what was heard. The layers below
 * (TTS, audio, the loop's clock) are played by this file: the linker takes
 * these before those of the libraries.
 */
#include "unit.h"

#include "base/err.h"
#include "base/str.h"
#include "call/speech.h"

enum { MS = AUDIO_OUT_HZ / 1000 };

/* ---- what lies below ----------------------------------------------------------- */

struct tts {
	tts_h *fn;
	void *arg;
	int pushed;
	bool finished;
};

static struct clock *vclock;
static struct tts *streams[8];  /* open ones, in order */
static int n_streams, n_opened;
static int open_err;
static struct buf said;         /* what audio was told: "say 1 480; end 1; " */

struct clock *loop_clock(struct loop *l)
{
	(void)l;
	return vclock;
}

int tts_open(struct tts **ret_tts, struct providers *p,
	     const struct tts_cfg *cfg, tts_h *fn, void *arg)
{
	(void)p;
	assert_non_null(cfg->choices);
	if (open_err)
		return open_err;
	struct tts *t = calloc(1, sizeof *t);
	t->fn = fn;
	t->arg = arg;
	streams[n_streams++] = t;
	n_opened++;
	*ret_tts = t;
	return 0;
}

void tts_push(struct tts *t, const char *text)
{
	assert_false(t->finished);
	t->pushed++;
	buf_printf(&said, "tts \"%s\"; ", text);
}

void tts_finish(struct tts *t)
{
	assert_false(t->finished);
	t->finished = true;
}

void tts_close(struct tts *t)
{
	int n = 0;

	for (int i = 0; i < n_streams; i++) {
		if (streams[i] != t)
			streams[n++] = streams[i];
	}
	assert_int_equal(n, n_streams - (t != NULL));
	n_streams = n;
	free(t);
}

int audio_say(struct audio *a, uint32_t utterance, const int16_t *pcm,
	      size_t n)
{
	(void)a;
	assert_non_null(pcm);
	buf_printf(&said, "say %u %zu; ", utterance, n / MS);
	return 0;
}

int audio_say_line(struct audio *a, uint32_t utterance,
		   const struct audio_line *line)
{
	(void)a;
	assert_non_null(line);
	buf_printf(&said, "line %u; ", utterance);
	return 0;
}

void audio_say_end(struct audio *a, uint32_t utterance)
{
	(void)a;
	buf_printf(&said, "end %u; ", utterance);
}

void audio_cut(struct audio *a, uint32_t utterance)
{
	(void)a;
	buf_printf(&said, "cut %u; ", utterance);
}

void audio_arm_filler(struct audio *a, uint32_t utterance,
		      const struct audio_line *line, int after_ms)
{
	(void)a;
	(void)line;
	buf_printf(&said, "filler %u in %d; ", utterance, after_ms);
}

int audio_line_ms(const struct audio_line *l)
{
	assert_non_null(l);
	return 1000;
}

/* ---- the receiver ------------------------------------------------------------------ */

static struct speech *s;
static struct buf told; /* "started 1; ended 1 cut "..."; " */
static int n_changes;
static struct speech *says_again; /* in the watcher */

static const struct provider_choice choice = { .provider = "aura" };
static const struct clinic_language english = { .tag = "en", .tts = &choice,
						.n_tts = 1 };

static void on_started(void *arg, struct utterance *u)
{
	(void)arg;
	buf_printf(&told, "started %u; ", u->id);
}

static void on_ended(void *arg, struct utterance *u, const char *heard,
		     bool cut)
{
	(void)arg;
	buf_printf(&told, "ended %u%s \"%s\"; ", u->id, cut ? " cut" : "",
		   heard);
}

static void on_failed(void *arg, struct utterance *u, int err)
{
	(void)arg;
	buf_printf(&told, "failed %u %s; ", u->id, err_name(err));
}

static void on_change(void *arg)
{
	(void)arg;
	n_changes++;
}

static const struct speech_ops ops = { on_started, on_ended, on_failed,
				       on_change };

static void on_said(void *arg, int status, const char *heard)
{
	buf_printf(&told, "%s: %s \"%s\"; ", (const char *)arg,
		   err_name(status), heard);
	if (says_again) {
		struct utterance *u = speech_open(says_again, &english);
		speech_add(u, "Once more, please.");
		speech_close(u);
	}
}

static int setup(void **state)
{
	(void)state;
	assert_int_equal(clock_create_virtual(&vclock, 0), 0);
	assert_int_equal(speech_create(&s, NULL, NULL, NULL, &ops, NULL), 0);
	open_err = n_changes = n_opened = 0;
	says_again = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	speech_destroy(s);
	assert_int_equal(n_streams, 0);
	assert_int_equal(clock_timers(vclock), 0);
	clock_destroy(vclock);
	buf_free(&said);
	buf_free(&told);
	return 0;
}

static void is(struct buf *b, const char *want)
{
	assert_string_equal(buf_str(b), want);
	buf_reset(b);
}

static void run(int ms)
{
	clock_advance(vclock, (int64_t)ms * 1000);
}

static struct utterance *say(const char *text)
{
	struct utterance *u = speech_open(s, &english);

	speech_add(u, text);
	speech_close(u);
	return u;
}

static void sounds(int clause, int ms)
{
	static int16_t pcm[60000];

	assert_true((size_t)(ms * MS) <= sizeof pcm / sizeof *pcm);
	streams[0]->fn(streams[0]->arg, &(struct tts_event){
		.type = TTS_AUDIO, .clause = clause, .pcm = pcm,
		.n = (size_t)ms * MS });
}

static void tts_says(enum tts_event_type type, int err)
{
	streams[0]->fn(streams[0]->arg,
		       &(struct tts_event){ .type = type, .err = err });
	run(0);
}

static void audio_tells(enum audio_event_type type, uint32_t id, int heard_ms,
			bool cut)
{
	speech_on_audio(s, &(struct audio_event){
		.type = type, .utterance = id, .heard_ms = (uint32_t)heard_ms,
		.cut = cut });
	run(0);
}

/* ---- an utterance -------------------------------------------------------------------- */

static void a_text_becomes_sound_and_is_heard(void **state)
{
	(void)state;
	say("Good morning, Bright Smile. How can I help?");
	assert_true(speech_busy(s));
	speech_watch(s, 1, on_said, "watch");
	run(0);
	is(&said, "tts \"Good morning, Bright Smile.\"; "
		  "tts \"How can I help?\"; ");
	assert_true(streams[0]->finished);
	sounds(0, 1500);
	audio_tells(AUDIO_STARTED, 1, 0, false);
	assert_true(speech_busy(s)); /* not all of it is with playout */
	assert_ptr_equal(speech_sounding(s), speech_find(s, 1));
	sounds(1, 1000);
	tts_says(TTS_DONE, 0);
	is(&said, "say 1 1500; say 1 1000; end 1; ");
	assert_false(speech_busy(s));
	assert_true(speech_more_queued(s));
	audio_tells(AUDIO_ENDED, 1, 2500, false);
	is(&told, "started 1; ended 1 \"Good morning, Bright Smile. How can I "
		  "help?\"; watch: OK \"Good morning, Bright Smile. How can I "
		  "help?\"; ");
	assert_false(speech_more_queued(s));
	assert_null(speech_find(s, 1));
}

static void text_that_grows_is_spoken_as_it_comes(void **state)
{
	(void)state;
	struct utterance *u = speech_open(s, &english);

	run(0);
	assert_int_equal(n_opened, 0); /* no word, no socket */
	speech_add(u, "Of course I can. We ");
	run(0);
	is(&said, "tts \"Of course I can.\"; ");
	assert_false(streams[0]->finished);
	speech_add(u, "are open.");
	speech_close(u);
	speech_close(u); /* twice is harmless */
	run(0);
	is(&said, "tts \"We are open.\"; ");
	assert_true(streams[0]->finished);
}

static void the_second_waits_until_the_first_is_with_playout(void **state)
{
	(void)state;
	say("This is the first.");
	say("This is the second.");
	run(0);
	is(&said, "tts \"This is the first.\"; ");
	sounds(0, 900);
	tts_says(TTS_DONE, 0);
	is(&said, "say 1 900; end 1; tts \"This is the second.\"; ");
	assert_int_equal(n_opened, 2);
}

static void an_open_first_one_holds_the_second_back(void **state)
{
	(void)state;
	struct utterance *first = speech_open(s, &english);

	say("This is the second.");
	run(0);
	is(&said, "");
	speech_add(first, "This is the first.");
	speech_close(first);
	run(0);
	is(&said, "tts \"This is the first.\"; ");
}

static void a_text_without_words_ends_without_sound(void **state)
{
	(void)state;
	say(" ... ");
	speech_watch(s, 1, on_said, "watch");
	run(0);
	assert_int_equal(n_opened, 0);
	is(&said, "end 1; ");
	audio_tells(AUDIO_ENDED, 1, 0, false);
	is(&told, "ended 1 \"\"; watch: OK \"\"; ");
}

/* ---- what was heard ------------------------------------------------------------------- */

static void heard_is(struct utterance *u, int ms, const char *want)
{
	char *got = speech_heard(u, ms);

	assert_string_equal(got, want);
	free(got);
}

static void heard_words_follow_the_audio_of_their_clause(void **state)
{
	(void)state;
	struct utterance *u = say("We have Tuesday at nine. Or Wednesday at "
				  "ten, if you like.");
	run(0);
	sounds(0, 1000);
	sounds(0, 500); /* in pieces */
	sounds(1, 2000);
	heard_is(u, 0, "");
	heard_is(u, 100, "");
	heard_is(u, 800, "We have");
	heard_is(u, 1300, "We have Tuesday at");
	heard_is(u, 1441, "We have Tuesday at nine."); /* its last 60 ms */
	heard_is(u, 1500, "We have Tuesday at nine.");
	heard_is(u, 2500, "We have Tuesday at nine. Or Wednesday at");
	heard_is(u, 3500, "We have Tuesday at nine. Or Wednesday at ten, if "
		 "you like.");
	heard_is(u, 9999, "We have Tuesday at nine. Or Wednesday at ten, if "
		 "you like.");
}

static void a_clause_without_audio_was_not_heard(void **state)
{
	(void)state;
	struct utterance *u = say("This sounded well. This one never did.");

	run(0);
	sounds(0, 1000);
	heard_is(u, 5000, "This sounded well.");
}

static void urdu_is_cut_between_words(void **state)
{
	(void)state;
	struct utterance *u = say("پیر کو نو بجے آئیے");

	run(0);
	sounds(0, 1000);
	heard_is(u, 550, "پیر کو نو");
	heard_is(u, 1000, "پیر کو نو بجے آئیے");
}

static void a_pause_stops_the_count(void **state)
{
	(void)state;
	struct utterance *u = say("This is the first.");

	run(0);
	sounds(0, 2000);
	assert_int_equal(speech_heard_ms(u, 0), 0);
	run(100);
	audio_tells(AUDIO_STARTED, 1, 0, false);
	run(500);
	assert_int_equal(speech_heard_ms(u, clock_now_ms(vclock)), 500);
	audio_tells(AUDIO_PAUSED, 1, 500, false);
	run(800);
	assert_int_equal(speech_heard_ms(u, clock_now_ms(vclock)), 500);
	audio_tells(AUDIO_RESUMED, 0, 0, false);
	run(300);
	assert_int_equal(speech_heard_ms(u, clock_now_ms(vclock)), 800);
}

/* ---- cut ---------------------------------------------------------------------------------- */

static void cut_while_it_sounds(void **state)
{
	(void)state;
	say("We have Tuesday at nine.");
	speech_watch(s, 1, on_said, "a");
	speech_watch(s, 1, on_said, "b");
	run(0);
	sounds(0, 1500);
	audio_tells(AUDIO_STARTED, 1, 0, false);
	buf_reset(&said);
	speech_cut(s);
	assert_int_equal(n_streams, 0); /* nothing more is asked of TTS */
	assert_false(speech_busy(s));
	assert_false(speech_more_queued(s));
	is(&said, "end 1; cut 0; ");
	is(&told, "started 1; ");
	audio_tells(AUDIO_ENDED, 1, 800, true);
	is(&told, "ended 1 cut \"We have\"; b: ECANCELED \"We have\"; "
		  "a: ECANCELED \"We have\"; ");
	audio_tells(AUDIO_ENDED, 1, 800, true); /* told once */
	is(&told, "");
}

static void cut_in_every_state(void **state)
{
	(void)state;
	say("This one sounds.");
	speech_watch(s, 1, on_said, "sounds");
	run(0);
	sounds(0, 1000);
	tts_says(TTS_DONE, 0);
	audio_tells(AUDIO_STARTED, 1, 0, false);
	say("This one is with playout.");
	speech_watch(s, 2, on_said, "complete");
	run(0);
	sounds(0, 1000);
	tts_says(TTS_DONE, 0);
	say("This one is with TTS.");
	speech_watch(s, 3, on_said, "tts");
	run(0);
	say("This one waits.");
	speech_watch(s, 4, on_said, "waits");
	struct utterance *open = speech_open(s, &english);
	speech_watch(s, 5, on_said, "open");
	assert_true(open->open);
	run(0);
	buf_reset(&said);
	buf_reset(&told);
	speech_cut(s);
	assert_false(open->open);
	is(&said, "end 3; end 4; end 5; cut 0; ");
	run(0);
	assert_int_equal(n_streams, 0);
	for (uint32_t id = 1; id <= 5; id++)
		audio_tells(AUDIO_ENDED, id, id == 1 ? 1000 : 0, true);
	is(&told, "ended 1 cut \"This one sounds.\"; "
		  "sounds: ECANCELED \"This one sounds.\"; "
		  "ended 2 cut \"\"; complete: ECANCELED \"\"; "
		  "ended 3 cut \"\"; tts: ECANCELED \"\"; "
		  "ended 4 cut \"\"; waits: ECANCELED \"\"; "
		  "ended 5 cut \"\"; open: ECANCELED \"\"; ");
}

static void what_is_said_after_a_cut_is_work_again(void **state)
{
	(void)state;
	say("This one waits.");
	run(0);
	speech_cut(s);
	assert_false(speech_busy(s));
	say("Goodbye and thanks.");
	assert_true(speech_busy(s));
	run(0);
	audio_tells(AUDIO_ENDED, 1, 0, true);
	assert_true(speech_busy(s));
	assert_int_equal(n_streams, 1);
}

/* ---- trouble -------------------------------------------------------------------------------- */

static void a_failed_voice_is_told_and_the_next_one_goes_on(void **state)
{
	(void)state;
	say("This one breaks off. It is never heard whole.");
	say("This is the second.");
	speech_watch(s, 1, on_said, "watch");
	run(0);
	sounds(0, 800);
	audio_tells(AUDIO_STARTED, 1, 0, false);
	tts_says(TTS_FAILED, ERR_STALLED);
	is(&told, "started 1; failed 1 ERR_STALLED; ");
	assert_int_equal(n_streams, 1); /* of the second */
	assert_false(speech_more_queued(s));
	audio_tells(AUDIO_ENDED, 1, 800, false);
	is(&told, "ended 1 \"This one breaks off.\"; "
		  "watch: ERR_STALLED \"This one breaks off.\"; ");
}

static void a_failure_without_a_reason_is_one(void **state)
{
	(void)state;
	say("This one breaks off.");
	run(0);
	tts_says(TTS_FAILED, 0);
	is(&told, "failed 1 ERR_SERVER; ");
}

static void no_voice_at_all_is_told(void **state)
{
	(void)state;
	open_err = ERR_FULL;
	say("This is the first.");
	say("This is the second.");
	run(0);
	is(&told, "failed 1 ERR_FULL; failed 2 ERR_FULL; ");
	is(&said, "end 1; end 2; ");
	assert_true(speech_busy(s)); /* until their ends are known */
	audio_tells(AUDIO_ENDED, 1, 0, false);
	audio_tells(AUDIO_ENDED, 2, 0, false);
	assert_false(speech_busy(s));
}

/* ---- stored lines ----------------------------------------------------------------------------- */

static const struct audio_line *stored(void)
{
	return (const struct audio_line *)&choice; /* never looked into */
}

static void a_stored_line_needs_no_voice(void **state)
{
	(void)state;
	struct utterance *u = speech_line(s, stored(), "Sorry about that.",
					  false);
	is(&said, "line 1; end 1; ");
	assert_int_equal(n_opened, 0);
	assert_true(speech_busy(s));
	assert_true(speech_more_queued(s));
	heard_is(u, 500, "Sorry");
	audio_tells(AUDIO_STARTED, 1, 0, false);
	assert_false(speech_busy(s));
	audio_tells(AUDIO_ENDED, 1, 1000, false);
	is(&told, "started 1; ended 1 \"Sorry about that.\"; ");
}

static void a_filler_is_no_work(void **state)
{
	(void)state;
	struct utterance *u = speech_line(s, stored(), "One moment.", true);

	assert_true(u->filler);
	assert_false(speech_busy(s));
	assert_true(speech_more_queued(s));
}

static void the_armed_filler_is_known_when_it_sounds(void **state)
{
	(void)state;
	uint32_t id = speech_arm_filler(s, stored(), "One moment.", 2200);

	is(&said, "filler 1 in 2200; ");
	assert_int_equal(id, 1);
	audio_tells(AUDIO_FILLER, 7, 0, false); /* of an arming before */
	is(&told, "");
	audio_tells(AUDIO_FILLER, 1, 0, false);
	assert_true(speech_sounding(s)->filler);
	assert_false(speech_busy(s));
	audio_tells(AUDIO_ENDED, 1, 1000, false);
	is(&told, "started 1; ended 1 \"One moment.\"; ");
	assert_int_equal(speech_arm_filler(s, NULL, NULL, 0), 0);
	is(&said, "filler 0 in 0; ");
}

/* ---- watchers ------------------------------------------------------------------------------------ */

static void watching_what_is_over_tells_too(void **state)
{
	(void)state;
	struct utterance *u;

	speech_watch(s, 77, on_said, "late");
	is(&told, ""); /* never inside the call */
	is(&said, "end 1; ");
	u = speech_find(s, 1);
	assert_non_null(u);
	assert_false(speech_busy(s));
	assert_false(speech_more_queued(s));
	assert_null(speech_sounding(s));
	audio_tells(AUDIO_ENDED, 1, 0, false);
	is(&told, "ended 1 \"\"; late: OK \"\"; ");
}

static void a_forgotten_watcher_is_not_told(void **state)
{
	(void)state;
	static char a[] = "a", b[] = "b";

	say("This is the first.");
	say("This is the second.");
	speech_watch(s, 1, on_said, a);
	speech_watch(s, 1, on_said, b);
	speech_watch(s, 2, on_said, a);
	speech_unwatch(s, a);
	run(0);
	speech_cut(s);
	audio_tells(AUDIO_ENDED, 1, 0, true);
	audio_tells(AUDIO_ENDED, 2, 0, true);
	is(&told, "ended 1 cut \"\"; b: ECANCELED \"\"; ended 2 cut \"\"; ");
}

static void the_end_of_all_tells_the_watchers(void **state)
{
	(void)state;
	say("This is the first.");
	speech_watch(s, 1, on_said, "watch");
	run(0);
	says_again = s; /* even one that speaks again */
	struct speech *gone = s;
	s = NULL;
	speech_destroy(gone);
	is(&told, "watch: ECANCELED \"\"; ");
}

static void a_watcher_may_speak_again(void **state)
{
	(void)state;
	say("This is the first.");
	speech_watch(s, 1, on_said, "watch");
	run(0);
	sounds(0, 500);
	tts_says(TTS_DONE, 0);
	audio_tells(AUDIO_STARTED, 1, 0, false);
	buf_reset(&said);
	says_again = s;
	audio_tells(AUDIO_ENDED, 1, 500, false);
	is(&said, "tts \"Once more, please.\"; ");
	assert_true(speech_busy(s));
}

static void nothing_is_destroyed_without_harm(void **state)
{
	(void)state;
	speech_destroy(NULL);
	audio_tells(AUDIO_ENDED, 5, 0, true);
	audio_tells(AUDIO_STARTED, 5, 0, false);
	audio_tells(AUDIO_PAUSED, 5, 0, false);
	is(&told, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_text_becomes_sound_and_is_heard),
		TEST(text_that_grows_is_spoken_as_it_comes),
		TEST(the_second_waits_until_the_first_is_with_playout),
		TEST(an_open_first_one_holds_the_second_back),
		TEST(a_text_without_words_ends_without_sound),
		TEST(heard_words_follow_the_audio_of_their_clause),
		TEST(a_clause_without_audio_was_not_heard),
		TEST(urdu_is_cut_between_words),
		TEST(a_pause_stops_the_count),
		TEST(cut_while_it_sounds),
		TEST(cut_in_every_state),
		TEST(what_is_said_after_a_cut_is_work_again),
		TEST(a_failed_voice_is_told_and_the_next_one_goes_on),
		TEST(a_failure_without_a_reason_is_one),
		TEST(no_voice_at_all_is_told),
		TEST(a_stored_line_needs_no_voice),
		TEST(a_filler_is_no_work),
		TEST(the_armed_filler_is_known_when_it_sounds),
		TEST(watching_what_is_over_tells_too),
		TEST(a_forgotten_watcher_is_not_told),
		TEST(the_end_of_all_tells_the_watchers),
		TEST(a_watcher_may_speak_again),
		TEST(nothing_is_destroyed_without_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
