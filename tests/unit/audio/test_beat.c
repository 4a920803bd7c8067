/*
 * The beat as a whole: that it does nothing it must not, that the reflexes
 * work from the caller's packets to ours, and the armed filler.
 */
#define RIG_ENERGY_VAD
#include "rig.h"
#include "forbid.h"

enum { LOUD = 8000 };

/* ---- what must not happen ------------------------------------------------- */

static void forbidden_beat(struct rig *r)
{
	forbid_on = true;
	audio_beat(r->audio, r->now_us);
	audio_idle(r->audio, r->now_us);
	forbid_on = false;
	r->now_us += RIG_BEAT_US;
}

static void forbidden_caller(struct rig *r, double amplitude)
{
	uint8_t opus[400];
	int n = rig_caller_encode(r, amplitude, opus);

	forbid_on = true;
	audio_rx(r->audio, &(struct audio_rtp){ .ssrc = r->ssrc,
		.timestamp = r->timestamp, .seq = r->seq++, .payload = opus,
		.len = (size_t)n, .arrival_us = r->now_us });
	forbid_on = false;
	r->timestamp += 960;
}

static void the_interposer_sees_what_it_must(void **state)
{
	(void)state;
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	forbid_allocs = forbid_locks = forbid_io = 0;
	forbid_on = true;
	void *volatile p = malloc(10);
	free(p);
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	ssize_t n = write(-1, "", 0);
	/* Libraries' own calls are seen too. */
	OpusDecoder *o = opus_decoder_create(16000, 1, NULL);
	opus_decoder_destroy(o);
	forbid_on = false;
	assert_true(n <= 0);
	if (FORBID_SEES_ALLOCS) {
		assert_int_equal(forbid_allocs, 4);
		assert_int_equal(forbid_locks, 1);
	}
	assert_int_equal(forbid_io, 1);
}

/* One second of a busy call; k varies what happens. */
static void busy_second(struct rig *r, int k, const struct audio_line *line)
{
	uint32_t id = (uint32_t)(k * 3 + 1);

	rig_say(r, id, 700);
	if (k % 4 == 0)
		audio_say_line(r->audio, id, line);
	audio_say_end(r->audio, id);
	audio_arm(r->audio, &(struct audio_reflex){ .epoch = id,
		.interruptible = k % 3 != 0, .voiced_ms = 60,
		.verdict_ms = 300 });
	if (k % 5 == 0)
		audio_arm_filler(r->audio, id + 1, line, 100);
	if (k % 20 == 0)
		r->ssrc++; /* a new track */
	for (int i = 0; i < 50; i++) {
		if (k % 7 != 3 && i != 17) /* DTX; and one lost each second */
			forbidden_caller(r, i % 25 < 12 ? LOUD : 0);
		else
			r->seq++, r->timestamp += 960;
		if (i == 20 && k % 6 == 1)
			audio_pause(r->audio);
		if (i == 30 && k % 6 == 1)
			audio_resume(r->audio, 0);
		if (i == 40 && k % 8 == 2)
			audio_cut(r->audio, 0);
		forbidden_beat(r);
		if (k % 9 != 5) /* now and then the loop sleeps a second */
			audio_drain(r->audio);
	}
}

static void five_minutes_of_call_allocate_lock_and_write_nothing(void **state)
{
	(void)state;
	struct audio_line *line = rig_line(200);
	struct rig *r = rig_new(NULL);
	struct audio_stats s;

	forbid_allocs = forbid_locks = forbid_io = 0;
	for (int k = 1; k <= 300; k++)
		busy_second(r, k, line);
	assert_int_equal(forbid_allocs, 0);
	assert_int_equal(forbid_locks, 0);
	assert_int_equal(forbid_io, 0);
	audio_drain(r->audio);
	audio_stats(r->audio, &s);
	/* ... and all of it did happen. */
	assert_int_equal(r->packets, 300 * 50);
	assert_int_equal(s.beats, 300 * 50);
	assert_int_equal(r->heard_samples, 300 * 16000);
	for (int i = 0; i < 6000 && audio_queued_ms(r->audio); i++)
		rig_beat(r);
	rig_beats(r, 5);
	assert_int_equal(audio_queued_ms(r->audio), 0);
	assert_true(s.concealed > 200 && s.lost > 200);
	assert_int_equal(s.resets, 15);
	assert_true(rig_count(r, AUDIO_PAUSED) > 50);
	assert_true(rig_count(r, AUDIO_RESUMED) > 20);
	assert_int_equal(rig_count(r, AUDIO_ENDED),
			 300 + rig_count(r, AUDIO_FILLER));
	assert_true(rig_count(r, AUDIO_SPEECH_ON) > 20);
	assert_int_equal(rig_count(r, AUDIO_TRACK), 16);
	rig_free(r);
	audio_line_destroy(line);
}

/* ---- the pause reflex ------------------------------------------------------- */

static void arm(struct rig *r, uint32_t epoch, int voiced_ms, int verdict_ms)
{
	audio_arm(r->audio, &(struct audio_reflex){ .epoch = epoch,
		.interruptible = true, .voiced_ms = voiced_ms,
		.verdict_ms = verdict_ms });
}

static const struct audio_event *skip_to(struct rig *r,
					 enum audio_event_type type)
{
	while (r->seen < r->n_events)
		if (r->events[r->seen++].type == type)
			return &r->events[r->seen - 1];
	fail_msg("event %d did not come", (int)type);
	return NULL;
}

static void talk_over(struct rig *r, uint32_t utterance)
{
	rig_caller_ms(r, 400, 0);
	rig_say(r, utterance, 3000);
	rig_caller_ms(r, 600, 0);
}

static void the_callers_voice_pauses_us_and_a_late_verdict_resumes(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	arm(r, 5, 60, 500);
	talk_over(r, 1);
	int64_t voice_us = r->now_us;
	rig_caller_ms(r, 300, LOUD);
	const struct audio_event *e = skip_to(r, AUDIO_PAUSED);
	assert_int_equal(e->epoch, 5);
	assert_int_equal(e->utterance, 1);
	/* What was heard is what was sent, but for the fading frame. */
	assert_in_range(e->heard_ms, 600, 720);
	assert_int_equal(e->heard_ms % 20, 0);
	assert_int_equal(e->heard_ms / 20 + 1, r->sounding);
	/* The fade leaves in the very beat of the decision. */
	assert_int_equal(r->last_sound_us, e->at_us);
	assert_true(e->at_us - voice_us <= 120000);
	int64_t paused_us = e->at_us;
	rig_caller_ms(r, 1000, 0);
	e = skip_to(r, AUDIO_RESUMED);
	assert_int_equal(e->epoch, 5);
	assert_in_range(e->at_us - paused_us, 500000, 519999);
	assert_true(r->last_level < 127);
	rig_free(r);
}

static void the_reflex_is_quick_at_every_phase_of_packet_and_window(void **state)
{
	(void)state;
	enum { RUNS = 64 };
	int64_t took[RUNS], sum = 0, most = 0;

	for (int k = 0; k < RUNS; k++) {
		struct rig *r = rig_new(NULL);
		/* Arrivals at any time between two beats. */
		int64_t early_us = (k * 7919) % 20000;

		arm(r, 1, 60, 1000);
		rig_say(r, 1, 4000);
		for (int i = 0; i < 40 + k % 8; i++) {
			r->now_us -= early_us;
			rig_caller(r, 0);
			r->now_us += early_us;
			rig_beat(r);
		}
		int64_t voice_us = r->now_us - early_us;
		while (!rig_count(r, AUDIO_PAUSED)) {
			assert_true(r->now_us < voice_us + 300000);
			r->now_us -= early_us;
			rig_caller(r, LOUD);
			r->now_us += early_us;
			rig_beat(r);
		}
		rig_beats(r, 10);
		took[k] = r->last_sound_us - voice_us;
		sum += took[k];
		if (took[k] > most)
			most = took[k];
		rig_free(r);
	}
	print_message("first voiced packet in to last sounding out: "
		      "mean %d ms, most %d ms\n", (int)(sum / RUNS / 1000),
		      (int)(most / 1000));
	assert_true(sum / RUNS <= 105000);
	assert_true(most <= 135000);
}

static void a_cough_shorter_than_the_limit_does_not_pause(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	arm(r, 1, 200, 500);
	talk_over(r, 1);
	rig_caller_ms(r, 100, LOUD);
	rig_caller_ms(r, 500, 0);
	assert_int_equal(rig_count(r, AUDIO_PAUSED), 0);
	rig_caller_ms(r, 400, LOUD);
	assert_int_equal(rig_count(r, AUDIO_PAUSED), 1);
	rig_free(r);
}

static void what_may_not_be_interrupted_is_not(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	audio_arm(r->audio, &(struct audio_reflex){ .epoch = 1,
		.interruptible = false, .voiced_ms = 60, .verdict_ms = 500 });
	talk_over(r, 1);
	rig_caller_ms(r, 600, LOUD);
	assert_int_equal(rig_count(r, AUDIO_PAUSED), 0);
	assert_int_equal(rig_count(r, AUDIO_SPEECH_ON), 1);
	/* Armed in the middle of the caller's words it fires at once. */
	arm(r, 2, 60, 500);
	rig_caller_ms(r, 20, LOUD);
	assert_int_equal(rig_count(r, AUDIO_PAUSED), 1);
	rig_free(r);
}

static void with_nothing_to_say_nothing_is_paused(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	arm(r, 1, 60, 500);
	rig_caller_ms(r, 400, 0);
	rig_caller_ms(r, 600, LOUD);
	assert_int_equal(rig_count(r, AUDIO_PAUSED), 0);
	rig_free(r);
}

static void a_verdict_in_time_decides(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	arm(r, 9, 60, 500);
	talk_over(r, 1);
	rig_caller_ms(r, 200, LOUD);
	skip_to(r, AUDIO_PAUSED);
	audio_resume(r->audio, 8); /* of an earlier arming: dropped */
	rig_caller_ms(r, 60, 0);
	assert_int_equal(rig_count(r, AUDIO_RESUMED), 0);
	audio_resume(r->audio, 9);
	rig_caller_ms(r, 20, 0);
	assert_int_equal(skip_to(r, AUDIO_RESUMED)->epoch, 9);
	rig_caller_ms(r, 400, 0);
	rig_caller_ms(r, 200, LOUD); /* the same arming works again */
	skip_to(r, AUDIO_PAUSED);
	audio_cut(r->audio, 1);
	rig_caller_ms(r, 2000, 0);
	const struct audio_event *e = skip_to(r, AUDIO_ENDED);
	assert_true(e->cut);
	assert_int_equal(rig_count(r, AUDIO_RESUMED), 1);
	rig_free(r);
}

static void heard_time_is_the_same_when_paused_and_when_cut(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	arm(r, 1, 60, 900);
	talk_over(r, 1);
	rig_caller_ms(r, 200, LOUD);
	uint32_t heard = skip_to(r, AUDIO_PAUSED)->heard_ms;
	audio_cut(r->audio, 0);
	rig_caller_ms(r, 100, LOUD);
	assert_int_equal(skip_to(r, AUDIO_ENDED)->heard_ms, heard);
	rig_free(r);
}

/* ---- time ------------------------------------------------------------------------ */

static void late_beats_do_not_delay_the_caller_for_good(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);
	struct audio_stats s;
	int64_t due_us = r->now_us;
	uint32_t x = 5;

	for (int i = 0; i < 1500; i++, due_us += RIG_BEAT_US) {
		r->now_us = due_us;
		rig_caller(r, LOUD);
		if (i == 700)
			continue; /* given up, and nobody tells us */
		x = x * 1664525u + 1013904223u;
		/* The first one is very late, others up to 9 ms. */
		int64_t late_us = i ? (x >> 8) % 9000 : 17000;
		r->now_us = due_us + late_us;
		audio_beat(r->audio, r->now_us);
		audio_idle(r->audio, r->now_us);
		audio_drain(r->audio);
		audio_stats(r->audio, &s);
		if (i > 100 && i != 701)
			assert_in_range(s.jitter_ms, 0, 45);
		if (i > 750)
			assert_int_equal(r->ticks, i * 960);
	}
	assert_int_equal(s.late, 0);
	assert_int_equal(s.lost, 0);
	assert_in_range(s.jitter_ms, 0, 40);
	rig_free(r);
}

static void speech_survives_loss_and_jitter(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);
	struct audio_stats s;
	struct { uint8_t opus[400]; int n; uint16_t seq; int64_t at_us; } air[16];
	int n_air = 0;
	uint32_t x = 11;

	opus_encoder_ctl(r->caller, OPUS_SET_INBAND_FEC(1));
	opus_encoder_ctl(r->caller, OPUS_SET_PACKET_LOSS_PERC(20));
	opus_encoder_ctl(r->caller, OPUS_SET_BITRATE(32000));
	for (int i = 0; i < 3000; i++) {
		x = x * 1664525u + 1013904223u;
		int64_t jitter_us = (x >> 8) % 60000;
		x = x * 1664525u + 1013904223u;
		air[n_air].n = rig_caller_encode(r, LOUD, air[n_air].opus);
		air[n_air].seq = (uint16_t)i;
		air[n_air].at_us = r->now_us + jitter_us;
		n_air += (x >> 8) % 50 != 0; /* 2 % are lost */
		for (int k = 0; k < n_air; k++) {
			if (air[k].at_us > r->now_us)
				continue;
			audio_rx(r->audio, &(struct audio_rtp){ .ssrc = 1,
				.seq = air[k].seq, .payload = air[k].opus,
				.timestamp = air[k].seq * 960u,
				.len = (size_t)air[k].n,
				.arrival_us = air[k].at_us });
			air[k--] = air[--n_air];
		}
		rig_beat(r);
	}
	audio_stats(r->audio, &s);
	print_message("2 %% loss, 60 ms jitter: %d lost, %d late, %d concealed, "
		      "%d by FEC, %d ms deep\n", (int)s.lost, (int)s.late,
		      (int)s.concealed, (int)s.fec_used, (int)s.jitter_ms);
	assert_in_range(s.lost, 40, 80);
	assert_in_range(s.late, 0, 6);
	assert_in_range(s.concealed, 40, 100);
	assert_in_range(s.jitter_ms, 40, 110);
	assert_int_equal(r->heard_samples, 3000 * 320);
	assert_int_equal(rig_count(r, AUDIO_SPEECH_ON), 1);
	assert_int_equal(rig_count(r, AUDIO_SPEECH_OFF), 0);
	rig_free(r);
}

/* ---- the filler ------------------------------------------------------------------ */

static void the_filler_plays_when_nothing_else_began(void **state)
{
	(void)state;
	struct audio_line *line = rig_line(300);
	struct rig *r = rig_new(NULL);

	rig_beats(r, 10);
	audio_arm_filler(r->audio, 70, line, 400);
	int64_t armed_us = r->now_us;
	rig_run_ms(r, 400);
	rig_expect_none(r);
	rig_run_ms(r, 1000);
	assert_int_equal(rig_expect(r, AUDIO_FILLER, 70)->at_us,
			 armed_us + 400000);
	assert_int_equal(rig_expect(r, AUDIO_STARTED, 70)->at_us,
			 armed_us + 400000);
	assert_int_equal(rig_expect(r, AUDIO_ENDED, 70)->heard_ms, 300);
	rig_expect_none(r);
	assert_int_equal(r->sounding, 15);
	rig_free(r);
	audio_line_destroy(line);
}

static void saying_anything_disarms_the_filler(void **state)
{
	(void)state;
	struct audio_line *line = rig_line(300);
	struct rig *r = rig_new(NULL);

	audio_arm_filler(r->audio, 70, line, 200);
	rig_run_ms(r, 100);
	rig_say(r, 71, 40);
	audio_say_end(r->audio, 71);
	rig_run_ms(r, 1000);
	audio_arm_filler(r->audio, 72, line, 200);
	audio_arm_filler(r->audio, 0, NULL, 0);
	rig_run_ms(r, 1000);
	assert_int_equal(rig_count(r, AUDIO_FILLER), 0);
	assert_int_equal(r->sounding, 2);
	rig_free(r);
	audio_line_destroy(line);
}

static void what_is_said_during_the_filler_follows_it(void **state)
{
	(void)state;
	struct audio_line *line = rig_line(1000);
	struct rig *r = rig_new(NULL);

	audio_arm_filler(r->audio, 70, line, 100);
	rig_run_ms(r, 400);
	rig_say(r, 71, 100);
	audio_say_end(r->audio, 71);
	rig_run_ms(r, 2000);
	rig_expect(r, AUDIO_FILLER, 70);
	rig_expect(r, AUDIO_STARTED, 70);
	assert_int_equal(rig_expect(r, AUDIO_ENDED, 70)->heard_ms, 1000);
	rig_expect(r, AUDIO_STARTED, 71);
	rig_expect(r, AUDIO_ENDED, 71);
	assert_int_equal(r->sounding, 55);
	rig_free(r);
	audio_line_destroy(line);
}

static void a_filler_can_be_cut_by_name_or_with_all(void **state)
{
	(void)state;
	struct audio_line *line = rig_line(1000);
	struct rig *r = rig_new(NULL);

	audio_arm_filler(r->audio, 70, line, 100);
	rig_run_ms(r, 300);
	audio_arm_filler(r->audio, 71, line, 5000); /* 70 plays on */
	audio_cut(r->audio, 70);
	rig_run_ms(r, 200);
	rig_expect(r, AUDIO_FILLER, 70);
	rig_expect(r, AUDIO_STARTED, 70);
	const struct audio_event *e = rig_expect(r, AUDIO_ENDED, 70);
	assert_true(e->cut && e->heard_ms > 100 && e->heard_ms < 400);
	rig_run_ms(r, 5000);
	rig_expect(r, AUDIO_FILLER, 71);
	rig_expect(r, AUDIO_STARTED, 71);
	audio_cut(r->audio, 0);
	rig_run_ms(r, 2000);
	assert_true(rig_expect(r, AUDIO_ENDED, 71)->cut);
	audio_cut(r->audio, 71); /* over: nothing more */
	rig_run_ms(r, 100);
	rig_expect_none(r);
	rig_free(r);
	audio_line_destroy(line);
}

static void cutting_an_armed_filler_disarms_it(void **state)
{
	(void)state;
	struct audio_line *line = rig_line(300);
	struct rig *r = rig_new(NULL);

	audio_arm_filler(r->audio, 70, line, 100);
	audio_cut(r->audio, 70);
	rig_run_ms(r, 500);
	audio_arm_filler(r->audio, 71, line, 100);
	rig_run_ms(r, 60);
	audio_cut(r->audio, 0);
	rig_run_ms(r, 500);
	rig_expect_none(r); /* what never began does not end */
	assert_int_equal(r->sounding, 0);
	rig_free(r);
	audio_line_destroy(line);
}

static void a_filler_armed_right_after_a_cut_plays(void **state)
{
	(void)state;
	struct audio_line *line = rig_line(300);
	struct rig *r = rig_new(NULL);

	rig_say(r, 1, 3000); /* the feed ring is full of it */
	rig_beats(r, 20);
	audio_cut(r->audio, 0);
	audio_arm_filler(r->audio, 2, line, 0);
	rig_beats(r, 30);
	assert_int_equal(rig_count(r, AUDIO_FILLER), 1);
	assert_int_equal(r->sounding, 20 + 1 + 15);
	rig_free(r);
	audio_line_destroy(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_interposer_sees_what_it_must),
		cmocka_unit_test(five_minutes_of_call_allocate_lock_and_write_nothing),
		cmocka_unit_test(the_callers_voice_pauses_us_and_a_late_verdict_resumes),
		cmocka_unit_test(the_reflex_is_quick_at_every_phase_of_packet_and_window),
		cmocka_unit_test(a_cough_shorter_than_the_limit_does_not_pause),
		cmocka_unit_test(what_may_not_be_interrupted_is_not),
		cmocka_unit_test(with_nothing_to_say_nothing_is_paused),
		cmocka_unit_test(a_verdict_in_time_decides),
		cmocka_unit_test(heard_time_is_the_same_when_paused_and_when_cut),
		cmocka_unit_test(late_beats_do_not_delay_the_caller_for_good),
		cmocka_unit_test(speech_survives_loss_and_jitter),
		cmocka_unit_test(the_filler_plays_when_nothing_else_began),
		cmocka_unit_test(saying_anything_disarms_the_filler),
		cmocka_unit_test(what_is_said_during_the_filler_follows_it),
		cmocka_unit_test(a_filler_can_be_cut_by_name_or_with_all),
		cmocka_unit_test(cutting_an_armed_filler_disarms_it),
		cmocka_unit_test(a_filler_armed_right_after_a_cut_plays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
