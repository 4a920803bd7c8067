/* What we say, as it leaves: order, heard time, cuts, pauses, fades. */
#define RIG_ENERGY_VAD
#include "rig.h"

static void a_packet_leaves_each_beat_silence_included(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	rig_beats(r, 50);
	assert_int_equal(r->packets, 50);
	assert_int_equal(r->sounding, 0);
	assert_int_equal(r->ticks, 49 * 960);
	rig_expect_none(r);
	rig_free(r);
}

static void audio_said_just_before_a_beat_leaves_in_it(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	rig_beats(r, 3);
	rig_say(r, 1, 20);
	rig_beat(r);
	assert_int_equal(r->sounding, 1);
	assert_true(r->marker);
	rig_expect(r, AUDIO_STARTED, 1);
	rig_free(r);
}

static void an_utterance_is_heard_whole_and_ends_once(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	rig_say(r, 7, 3000);
	audio_say_end(r->audio, 7);
	assert_int_equal(audio_queued_ms(r->audio), 3000);
	rig_run_ms(r, 1000);
	assert_int_equal(audio_queued_ms(r->audio), 2000);
	rig_run_ms(r, 4000);
	rig_expect(r, AUDIO_STARTED, 7);
	const struct audio_event *e = rig_expect(r, AUDIO_ENDED, 7);
	assert_int_equal(e->heard_ms, 3000);
	assert_false(e->cut);
	assert_int_equal(e->at_us, 1000000 + 149 * RIG_BEAT_US);
	rig_expect_none(r);
	assert_int_equal(r->sounding, 150);
	assert_int_equal(audio_queued_ms(r->audio), 0);
	rig_free(r);
}

static void far_more_than_the_ring_holds_plays_without_a_gap(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);
	struct audio_stats s;

	rig_say(r, 1, 30000);
	audio_say_end(r->audio, 1);
	rig_run_ms(r, 31000);
	audio_stats(r->audio, &s);
	assert_int_equal(s.underruns, 0);
	assert_int_equal(r->sounding, 1500);
	rig_expect(r, AUDIO_STARTED, 1);
	assert_int_equal(rig_expect(r, AUDIO_ENDED, 1)->heard_ms, 30000);
	rig_free(r);
}

static void odd_pieces_are_joined_and_the_last_one_padded(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);
	int16_t pcm[1000];
	double phase = 0;

	for (int i = 1; i <= 100; i++) { /* 5,050 samples, 10.5 frames */
		rig_buzz(&phase, pcm, i, AUDIO_OUT_HZ, 8000);
		assert_int_equal(audio_say(r->audio, 1, pcm, (size_t)i), 0);
	}
	rig_beats(r, 20);
	assert_int_equal(r->sounding, 10);
	audio_say_end(r->audio, 1);
	rig_beats(r, 20);
	assert_int_equal(r->sounding, 11);
	rig_expect(r, AUDIO_STARTED, 1);
	assert_int_equal(rig_expect(r, AUDIO_ENDED, 1)->heard_ms,
			 5050 * 1000 / 24000);
	rig_free(r);
}

static void more_than_two_minutes_waiting_is_refused(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);
	static int16_t minute[60 * AUDIO_OUT_HZ];

	assert_int_equal(audio_say(r->audio, 1, minute, 60 * AUDIO_OUT_HZ), 0);
	assert_int_equal(audio_say(r->audio, 1, minute, 60 * AUDIO_OUT_HZ), 0);
	assert_true(audio_say(r->audio, 1, minute, 1) < 0);
	assert_int_equal(audio_queued_ms(r->audio), 120000);
	rig_beat(r);
	assert_int_equal(audio_say(r->audio, 1, minute, 480), 0);
	audio_cut(r->audio, 1);
	rig_beats(r, 2);
	assert_int_equal(audio_queued_ms(r->audio), 0);
	rig_free(r);
}

static void utterances_play_in_the_order_of_their_first_audio(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	rig_say(r, 5, 100);
	rig_say(r, 9, 60);
	rig_say(r, 5, 100); /* still belongs before 9 */
	audio_say_end(r->audio, 9);
	audio_say_end(r->audio, 5);
	rig_run_ms(r, 1000);
	rig_expect(r, AUDIO_STARTED, 5);
	assert_int_equal(rig_expect(r, AUDIO_ENDED, 5)->heard_ms, 200);
	rig_expect(r, AUDIO_STARTED, 9);
	assert_int_equal(rig_expect(r, AUDIO_ENDED, 9)->heard_ms, 60);
	rig_expect_none(r);
	rig_free(r);
}

static void fifty_short_utterances_all_play_and_end(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	for (uint32_t id = 1; id <= 50; id++) {
		rig_say(r, id, 40);
		audio_say_end(r->audio, id);
	}
	rig_run_ms(r, 5000);
	for (uint32_t id = 1; id <= 50; id++) {
		rig_expect(r, AUDIO_STARTED, id);
		assert_int_equal(rig_expect(r, AUDIO_ENDED, id)->heard_ms, 40);
	}
	rig_expect_none(r);
	rig_free(r);
}

static void an_utterance_without_audio_ends_at_once(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	rig_say(r, 1, 1000);
	rig_beats(r, 2);
	rig_expect(r, AUDIO_STARTED, 1);
	audio_say_end(r->audio, 2);
	rig_expect_none(r); /* never from inside the call */
	audio_drain(r->audio);
	const struct audio_event *e = rig_expect(r, AUDIO_ENDED, 2);
	assert_int_equal(e->heard_ms, 0);
	assert_false(e->cut);
	rig_free(r);
}

static void the_end_may_come_long_after_the_last_audio(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);
	struct audio_stats s;

	rig_say(r, 1, 100);
	rig_run_ms(r, 1000);
	rig_expect(r, AUDIO_STARTED, 1);
	rig_expect_none(r);
	audio_stats(r->audio, &s);
	assert_int_equal(s.underruns, 1);
	rig_say(r, 1, 100);
	rig_run_ms(r, 1000);
	audio_say_end(r->audio, 1);
	rig_beats(r, 2);
	assert_int_equal(rig_expect(r, AUDIO_ENDED, 1)->heard_ms, 200);
	audio_stats(r->audio, &s);
	assert_int_equal(s.underruns, 2);
	rig_free(r);
}

static void a_cut_fades_within_one_packet(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	rig_say(r, 1, 2000);
	rig_beats(r, 30);
	audio_cut(r->audio, 1);
	rig_beats(r, 20);
	assert_int_equal(r->sounding, 31);
	rig_expect(r, AUDIO_STARTED, 1);
	const struct audio_event *e = rig_expect(r, AUDIO_ENDED, 1);
	assert_int_equal(e->heard_ms, 600);
	assert_true(e->cut);
	assert_int_equal(audio_queued_ms(r->audio), 0);
	/* The ear (5 ms behind, Opus' delay) hears no click and then nothing. */
	assert_true(r->ear_peak[30] < 16000);
	assert_true(r->ear_peak[32] < 300);
	assert_true(r->ear_peak[35] < 30);
	rig_free(r);
}

static void audio_that_comes_after_the_cut_is_swallowed(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	rig_say(r, 1, 2000);
	rig_beats(r, 5);
	audio_cut(r->audio, 1);
	rig_say(r, 1, 500);
	rig_beats(r, 5);
	rig_say(r, 1, 500);
	audio_say_end(r->audio, 1);
	audio_cut(r->audio, 1);
	rig_beats(r, 50);
	assert_int_equal(r->sounding, 6);
	assert_int_equal(rig_count(r, AUDIO_ENDED), 1);
	assert_int_equal(audio_queued_ms(r->audio), 0);
	rig_free(r);
}

static void cutting_all_ends_each_one_and_leaves_silence(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	for (uint32_t id = 1; id <= 12; id++)
		rig_say(r, id, 400);
	for (uint32_t id = 1; id <= 12; id++)
		audio_say_end(r->audio, id);
	rig_beats(r, 30); /* in the middle of the second */
	audio_cut(r->audio, 0);
	rig_beats(r, 30);
	assert_int_equal(r->sounding, 31);
	assert_int_equal(rig_count(r, AUDIO_STARTED), 2);
	assert_int_equal(rig_count(r, AUDIO_ENDED), 12);
	uint32_t heard = 0;
	int cuts = 0;
	for (int i = 0; i < r->n_events; i++) {
		heard += r->events[i].heard_ms;
		cuts += r->events[i].cut;
	}
	assert_int_equal(heard, 600);
	assert_int_equal(cuts, 11);
	rig_say(r, 13, 100);
	rig_beats(r, 1);
	assert_int_equal(r->sounding, 32); /* the next one is not held up */
	rig_free(r);
}

static void a_cut_in_the_queue_does_not_touch_what_plays(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	rig_say(r, 1, 400);
	audio_say_end(r->audio, 1);
	rig_say(r, 2, 400);
	audio_say_end(r->audio, 2);
	rig_say(r, 3, 400);
	audio_say_end(r->audio, 3);
	rig_beats(r, 3);
	audio_cut(r->audio, 2);
	rig_run_ms(r, 2000);
	rig_expect(r, AUDIO_STARTED, 1);
	const struct audio_event *e = rig_expect(r, AUDIO_ENDED, 2);
	assert_int_equal(e->heard_ms, 0);
	assert_true(e->cut);
	assert_int_equal(rig_expect(r, AUDIO_ENDED, 1)->heard_ms, 400);
	rig_expect(r, AUDIO_STARTED, 3);
	assert_int_equal(rig_expect(r, AUDIO_ENDED, 3)->heard_ms, 400);
	rig_expect_none(r);
	assert_int_equal(r->sounding, 40);
	rig_free(r);
}

static void a_cut_before_media_read_the_utterance_still_ends_it(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	rig_say(r, 1, 100);
	audio_cut(r->audio, 1);
	rig_say(r, 2, 60);
	audio_say_end(r->audio, 2);
	rig_beats(r, 10);
	assert_true(rig_expect(r, AUDIO_ENDED, 1)->cut);
	rig_expect(r, AUDIO_STARTED, 2);
	assert_int_equal(rig_expect(r, AUDIO_ENDED, 2)->heard_ms, 60);
	rig_expect_none(r);
	assert_int_equal(r->sounding, 3);
	rig_free(r);
}

static void a_cut_that_crosses_the_end_tells_one_end(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	rig_say(r, 1, 20);
	audio_say_end(r->audio, 1);
	audio_beat(r->audio, r->now_us); /* ended, and not yet drained */
	audio_idle(r->audio, r->now_us);
	r->now_us += RIG_BEAT_US;
	audio_cut(r->audio, 1);
	rig_say(r, 2, 20);
	audio_say_end(r->audio, 2);
	rig_beats(r, 5);
	rig_expect(r, AUDIO_STARTED, 1);
	assert_false(rig_expect(r, AUDIO_ENDED, 1)->cut);
	rig_expect(r, AUDIO_STARTED, 2);
	rig_expect(r, AUDIO_ENDED, 2);
	rig_expect_none(r);
	rig_free(r);
}

static void many_cuts_overtake_a_feed_that_nobody_reads(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	rig_say(r, 1, 800);
	audio_say_end(r->audio, 1);
	rig_beats(r, 10);
	audio_pause(r->audio); /* the rest stays in the feed */
	rig_beats(r, 10);
	for (uint32_t id = 2; id <= 30; id++) {
		rig_say(r, id, 20);
		audio_say_end(r->audio, id);
		audio_cut(r->audio, id);
		rig_beat(r);
	}
	assert_int_equal(rig_count(r, AUDIO_ENDED), 29);
	rig_say(r, 31, 100);
	audio_say_end(r->audio, 31);
	audio_resume(r->audio, 0);
	rig_beats(r, 100);
	assert_int_equal(rig_count(r, AUDIO_ENDED), 31);
	assert_int_equal(rig_count(r, AUDIO_STARTED), 2);
	assert_int_equal(r->events[r->n_events - 1].heard_ms, 100);
	assert_int_equal(r->sounding, 40 + 1 + 5);
	assert_int_equal(audio_queued_ms(r->audio), 0);
	rig_free(r);
}

static void cutting_what_nobody_knows_ends_it_cut(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	audio_cut(r->audio, 44);
	rig_beat(r);
	assert_true(rig_expect(r, AUDIO_ENDED, 44)->cut);
	rig_say(r, 44, 100);
	rig_beats(r, 3);
	rig_expect_none(r);
	assert_int_equal(r->sounding, 0);
	rig_free(r);
}

static void a_pause_holds_the_spot_and_a_resume_goes_on_there(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	rig_say(r, 1, 1000);
	audio_say_end(r->audio, 1);
	rig_beats(r, 20);
	audio_pause(r->audio);
	rig_beats(r, 100);
	rig_expect(r, AUDIO_STARTED, 1);
	assert_int_equal(rig_expect(r, AUDIO_PAUSED, 1)->heard_ms, 400);
	assert_int_equal(r->sounding, 21); /* 20 and the fade */
	assert_int_equal(audio_queued_ms(r->audio), 600);
	audio_resume(r->audio, 0);
	rig_beat(r);
	assert_true(r->marker);
	rig_beats(r, 60);
	assert_int_equal(rig_expect(r, AUDIO_RESUMED, 1)->heard_ms, 400);
	assert_int_equal(rig_expect(r, AUDIO_ENDED, 1)->heard_ms, 1000);
	assert_int_equal(r->sounding, 51);
	rig_free(r);
}

static void fades_make_no_click_at_the_ear(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);
	double loudest = 0;

	rig_say(r, 1, 4000);
	rig_beats(r, 20);
	for (int i = 3; i < 20; i++)
		loudest = fmax(loudest, r->ear_peak[i]);
	for (int k = 0; k < 10; k++) {
		int at = r->packets;

		audio_pause(r->audio);
		rig_beats(r, 7);
		audio_resume(r->audio, 0);
		rig_beats(r, 9);
		for (int i = at; i < r->packets; i++)
			assert_true(r->ear_peak[i] < loudest * 1.35);
		assert_true(r->ear_peak[at + 4] < 40);
		assert_true(r->ear_peak[at + 12] > loudest * 0.5);
	}
	rig_free(r);
}

static void cutting_what_is_paused_frees_the_way(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	rig_say(r, 1, 1000);
	rig_say(r, 2, 100);
	audio_say_end(r->audio, 2);
	rig_beats(r, 10);
	audio_pause(r->audio);
	rig_beats(r, 10);
	audio_cut(r->audio, 1);
	rig_beats(r, 10);
	rig_expect(r, AUDIO_STARTED, 1);
	rig_expect(r, AUDIO_PAUSED, 1);
	assert_int_equal(rig_expect(r, AUDIO_ENDED, 1)->heard_ms, 200);
	rig_expect(r, AUDIO_STARTED, 2);
	rig_expect(r, AUDIO_ENDED, 2);
	rig_expect_none(r);
	rig_free(r);
}

static void a_stored_line_leaves_as_it_is_and_pauses_like_speech(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);
	struct audio_line *line = rig_line(600);

	assert_int_equal(audio_line_ms(line), 600);
	assert_int_equal(audio_say_line(r->audio, 3, line), 0);
	audio_say_end(r->audio, 3);
	audio_line_destroy(line); /* it was copied */
	assert_int_equal(audio_queued_ms(r->audio), 600);
	rig_beats(r, 10);
	audio_pause(r->audio);
	rig_beats(r, 10);
	assert_int_equal(r->sounding, 11);
	assert_true(r->ear_peak[10] > 1000 && r->ear_peak[10] < 12000);
	audio_resume(r->audio, 0);
	rig_beats(r, 40);
	rig_expect(r, AUDIO_STARTED, 3);
	assert_int_equal(rig_expect(r, AUDIO_PAUSED, 3)->heard_ms, 200);
	rig_expect(r, AUDIO_RESUMED, 3);
	assert_int_equal(rig_expect(r, AUDIO_ENDED, 3)->heard_ms, 600);
	rig_free(r);
}

static void missed_beats_move_rtp_time_by_the_gap(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	rig_beats(r, 10);
	assert_int_equal(r->ticks, 9 * 960);
	r->now_us += 1000000; /* the machine slept, 50 beats are gone */
	for (int i = 0; i < 3; i++) /* media makes up for three */
		audio_beat(r->audio, r->now_us);
	assert_int_equal(r->ticks, 60 * 960);
	r->now_us += RIG_BEAT_US;
	rig_beat(r);
	assert_int_equal(r->ticks, 61 * 960);
	assert_int_equal(r->packets, 14);
	rig_free(r);
}

/* ---- any order of orders ----------------------------------------------------- */

enum { MANY = 250 };

struct told {
	int given_ms, started, ended;
	bool cut;
};

static uint32_t roll(uint32_t *x, uint32_t n)
{
	*x = *x * 1664525u + 1013904223u;
	return (*x >> 8) % n;
}

/* One random order; utterances are opened, fed, ended, cut, paused. */
static void order_something(struct rig *r, struct told *t, uint32_t *newest,
			    uint32_t *x, const struct audio_line *line)
{
	uint32_t id = *newest > 6 ? *newest - roll(x, 6) : *newest;

	switch (roll(x, 12)) {
	case 0:
	case 1:
		if (*newest < MANY - 1)
			id = ++*newest;
		/* fall through */
	case 2:
	case 3: {
		int ms = 20 * (int)(1 + roll(x, 30));

		rig_say(r, id, ms);
		t[id].given_ms += ms;
		break;
	}
	case 4:
		assert_int_equal(audio_say_line(r->audio, id, line), 0);
		t[id].given_ms += audio_line_ms(line);
		break;
	case 5:
	case 6:
		audio_say_end(r->audio, id);
		break;
	case 7:
		audio_cut(r->audio, id);
		break;
	case 8:
		audio_pause(r->audio);
		break;
	case 9:
	case 10:
		audio_resume(r->audio, 0);
		break;
	case 11:
		if (roll(x, 4) == 0)
			audio_cut(r->audio, 0);
		break;
	}
}

static void note_events(const struct rig *r, struct told *t)
{
	for (int i = 0; i < r->n_events; i++) {
		const struct audio_event *e = &r->events[i];
		struct told *u = &t[e->utterance];

		if (e->type == AUDIO_STARTED) {
			assert_false(u->started || u->ended);
			u->started = 1;
		} else if (e->type == AUDIO_ENDED) {
			assert_false(u->ended);
			assert_true((int)e->heard_ms <= u->given_ms);
			assert_int_equal(u->started, e->heard_ms > 0);
			u->ended = 1;
			u->cut = e->cut;
		}
	}
}

static void any_order_of_orders_ends_each_utterance_once(void **state)
{
	(void)state;
	struct audio_line *line = rig_line(100);

	for (uint32_t seed = 1; seed <= 30; seed++) {
		struct rig *r = rig_new(NULL);
		struct told t[MANY] = { { 0 } };
		uint32_t newest = 1, x = seed;

		for (int i = 0; i < 2000; i++) {
			if (roll(&x, 3) == 0)
				order_something(r, t, &newest, &x, line);
			audio_beat(r->audio, r->now_us);
			if (roll(&x, 8))
				audio_idle(r->audio, r->now_us);
			if (roll(&x, 4) == 0)
				audio_drain(r->audio);
			r->now_us += RIG_BEAT_US;
		}
		audio_resume(r->audio, 0);
		for (uint32_t id = 1; id <= newest; id++)
			audio_say_end(r->audio, id);
		for (int i = 0; i < 8000 && audio_queued_ms(r->audio); i++)
			rig_beat(r);
		rig_beats(r, 20);
		assert_int_equal(audio_queued_ms(r->audio), 0);
		note_events(r, t);
		for (uint32_t id = 1; id <= newest; id++)
			assert_int_equal(t[id].ended, 1);
		assert_int_equal(r->last_level, 127);
		rig_free(r);
	}
	audio_line_destroy(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_leaves_each_beat_silence_included),
		cmocka_unit_test(audio_said_just_before_a_beat_leaves_in_it),
		cmocka_unit_test(an_utterance_is_heard_whole_and_ends_once),
		cmocka_unit_test(far_more_than_the_ring_holds_plays_without_a_gap),
		cmocka_unit_test(odd_pieces_are_joined_and_the_last_one_padded),
		cmocka_unit_test(more_than_two_minutes_waiting_is_refused),
		cmocka_unit_test(utterances_play_in_the_order_of_their_first_audio),
		cmocka_unit_test(fifty_short_utterances_all_play_and_end),
		cmocka_unit_test(an_utterance_without_audio_ends_at_once),
		cmocka_unit_test(the_end_may_come_long_after_the_last_audio),
		cmocka_unit_test(a_cut_fades_within_one_packet),
		cmocka_unit_test(audio_that_comes_after_the_cut_is_swallowed),
		cmocka_unit_test(cutting_all_ends_each_one_and_leaves_silence),
		cmocka_unit_test(a_cut_in_the_queue_does_not_touch_what_plays),
		cmocka_unit_test(a_cut_before_media_read_the_utterance_still_ends_it),
		cmocka_unit_test(a_cut_that_crosses_the_end_tells_one_end),
		cmocka_unit_test(many_cuts_overtake_a_feed_that_nobody_reads),
		cmocka_unit_test(cutting_what_nobody_knows_ends_it_cut),
		cmocka_unit_test(a_pause_holds_the_spot_and_a_resume_goes_on_there),
		cmocka_unit_test(fades_make_no_click_at_the_ear),
		cmocka_unit_test(cutting_what_is_paused_frees_the_way),
		cmocka_unit_test(a_stored_line_leaves_as_it_is_and_pauses_like_speech),
		cmocka_unit_test(missed_beats_move_rtp_time_by_the_gap),
		cmocka_unit_test(any_order_of_orders_ends_each_utterance_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
