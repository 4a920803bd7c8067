/* The audio object's loop side: life, orders, and both threads for real. */
#define RIG_ENERGY_VAD
#include "rig.h"
#include "forbid.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/thread.h"

static void wrong_configuration_is_refused(void **state)
{
	(void)state;
	struct audio *a = NULL;

	assert_int_equal(audio_create(&a, &(struct audio_cfg){
		.post_ms = 101 }, &rig_ops, NULL), -EINVAL);
	assert_int_equal(audio_create(&a, &(struct audio_cfg){
		.post_ms = 10 }, &rig_ops, NULL), -EINVAL);
	assert_int_equal(audio_create(&a, &(struct audio_cfg){
		.jitter_min_ms = 300 }, &rig_ops, NULL), -EINVAL);
	assert_int_equal(audio_create(&a, &(struct audio_cfg){
		.opus_complexity = 11 }, &rig_ops, NULL), -EINVAL);
	assert_int_equal(audio_create(&a, &(struct audio_cfg){
		.opus_bitrate = -7 }, &rig_ops, NULL), -EINVAL);
	assert_null(a);
	audio_close(NULL);
}

static void without_memory_nothing_is_made_and_nothing_left(void **state)
{
	(void)state;
	struct audio *a = NULL;
	int failed = 0;

	if (!FORBID_SEES_ALLOCS)
		skip();
	assert_int_equal(audio_create(&a, NULL, &rig_ops, NULL), 0);
	audio_close(a); /* what is shared by all calls exists now */
	a = NULL;
	long before = forbid_blocks;
	for (;;) {
		forbid_fail_in = failed + 1;
		int r = audio_create(&a, NULL, &rig_ops, NULL);
		forbid_fail_in = 0;
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_null(a);
		assert_int_equal(forbid_blocks, before);
		failed++;
	}
	assert_true(failed >= 12);
	audio_close(a);
	assert_int_equal(forbid_blocks, before);
}

static void an_audio_object_takes_less_than_300_kb(void **state)
{
	(void)state;
	struct rig *r;

	if (!FORBID_SEES_ALLOCS)
		skip();
	r = rig_new(NULL);
	long before = forbid_bytes;
	struct audio *a;
	assert_int_equal(audio_create(&a, NULL, &rig_ops, r), 0);
	long size = forbid_bytes - before;
	print_message("an audio object: %d KiB\n", (int)(size / 1024));
	assert_true(size < 300 * 1024);
	audio_close(a);
	rig_free(r);
}

static void the_caller_is_heard_in_real_time_in_pieces_of_post_ms(void **state)
{
	(void)state;
	struct rig *r = rig_new(&(struct audio_cfg){ .post_ms = 100 });

	rig_caller_ms(r, 480, 8000);
	assert_int_equal(r->heard_samples, 4 * 1600);
	rig_run_ms(r, 520); /* nobody sends: time goes on, as zeros */
	assert_int_equal(r->heard_samples, 16000);
	assert_true(r->heard_energy > 1e6 * 6000);
	rig_free(r);
}

static void a_loop_that_sleeps_loses_pcm_but_no_end(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);
	struct audio_stats s;

	rig_say(r, 1, 200);
	audio_say_end(r->audio, 1);
	for (int i = 0; i < 500; i++) { /* ten seconds without a drain */
		audio_beat(r->audio, r->now_us);
		audio_idle(r->audio, r->now_us);
		r->now_us += RIG_BEAT_US;
	}
	audio_stats(r->audio, &s);
	assert_in_range(s.dropped, 150, 220);
	audio_drain(r->audio);
	rig_expect(r, AUDIO_STARTED, 1);
	assert_int_equal(rig_expect(r, AUDIO_ENDED, 1)->heard_ms, 200);
	assert_in_range(r->heard_samples, 24000, 32000);
	rig_free(r);
}

static void thousands_of_events_may_be_lost_but_no_end(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);
	struct audio_stats s;

	for (uint32_t id = 1; id <= 8; id++) {
		rig_say(r, id, 20);
		audio_say_end(r->audio, id);
	}
	/* Pausing and resuming in vain fills the ring before anything ends. */
	for (int i = 0; i < 3000; i++) {
		audio_pause(r->audio);
		audio_resume(r->audio, 0);
		if (i % 40 == 0) {
			audio_beat(r->audio, r->now_us);
			r->now_us += RIG_BEAT_US;
		}
		if (i == 0)
			audio_pause(r->audio);
	}
	for (int i = 0; i < 40; i++) {
		audio_beat(r->audio, r->now_us);
		audio_idle(r->audio, r->now_us);
		r->now_us += RIG_BEAT_US;
	}
	audio_stats(r->audio, &s);
	assert_true(s.dropped > 100);
	audio_drain(r->audio);
	rig_beats(r, 30);
	assert_int_equal(rig_count(r, AUDIO_ENDED), 8);
	rig_free(r);
}

static void orders_wait_their_turn_when_media_does_not_run_yet(void **state)
{
	(void)state;
	struct rig *r = rig_new(NULL);

	rig_say(r, 1, 1000);
	for (int i = 0; i < 500; i++) { /* far more than the ring holds */
		audio_pause(r->audio);
		audio_resume(r->audio, 0);
	}
	audio_cut(r->audio, 1);
	rig_beats(r, 20);
	assert_int_equal(rig_count(r, AUDIO_ENDED), 1);
	assert_int_equal(rig_count(r, AUDIO_PAUSED), 500);
	assert_int_equal(rig_count(r, AUDIO_RESUMED), 500);
	rig_free(r);
}

/* ---- callbacks that close --------------------------------------------------- */

struct closer {
	struct audio *audio;
	int calls, close_at;
};

static void closing_send(void *arg, const struct audio_packet *p)
{
	(void)arg;
	(void)p;
}

static void close_at(struct closer *c)
{
	if (++c->calls == c->close_at) {
		audio_close(c->audio);
		c->audio = NULL;
	}
}

static void closing_event(void *arg, const struct audio_event *e)
{
	(void)e;
	close_at(arg);
}

static void closing_pcm(void *arg, const int16_t *pcm, size_t n, int64_t at_us,
			float prob)
{
	(void)pcm;
	(void)n;
	(void)at_us;
	(void)prob;
	close_at(arg);
}

static void closing_inside_a_callback_ends_all_callbacks(void **state)
{
	(void)state;
	static const struct audio_ops ops = { .send = closing_send,
		.on_event = closing_event, .on_pcm = closing_pcm };
	static int16_t pcm[480 * 4];

	for (int at = 1; at <= 8; at++) {
		struct closer c = { .close_at = at };

		assert_int_equal(audio_create(&c.audio, NULL, &ops, &c), 0);
		audio_say(c.audio, 1, pcm, 480 * 4);
		audio_say_end(c.audio, 1);
		for (int i = 0; i < 8; i++)
			audio_beat(c.audio, 1000000 + i * 20000);
		audio_say_end(c.audio, 2);
		audio_cut(c.audio, 3);
		audio_drain(c.audio); /* 2 events, 4 PCM, 2 ends */
		assert_int_equal(c.calls, at);
		assert_null(c.audio);
	}
}

/* ---- both threads ---------------------------------------------------------------- */

struct live {
	struct loop *loop;
	struct audio *audio;
	struct timer timer;
	int turns;
	uint32_t utterance;
	struct audio_line *line;
	/* [loop] */
	int started, ended, pcm, paused, tracks;
	/* [media] */
	int sent, sounding;
	uint16_t seq;
};

/* Our own packets come back as the caller's. */
static void live_send(void *arg, const struct audio_packet *p)
{
	struct live *l = arg;

	assert(thread_role == THREAD_MEDIA);
	l->sent++;
	l->sounding += p->level < 127;
	audio_rx(l->audio, &(struct audio_rtp){ .ssrc = 5,
		.timestamp = p->ticks, .seq = l->seq++, .payload = p->opus,
		.len = p->len, .arrival_us = clock_mono_us() });
}

static void live_event(void *arg, const struct audio_event *e)
{
	struct live *l = arg;

	assert(thread_role != THREAD_MEDIA);
	l->started += e->type == AUDIO_STARTED;
	l->ended += e->type == AUDIO_ENDED;
	l->paused += e->type == AUDIO_PAUSED;
	l->tracks += e->type == AUDIO_TRACK;
}

static void live_pcm(void *arg, const int16_t *pcm, size_t n, int64_t at_us,
		     float prob)
{
	struct live *l = arg;

	(void)pcm;
	(void)at_us;
	(void)prob;
	l->pcm += (int)n;
}

static const struct audio_ops live_ops = { .send = live_send,
	.on_event = live_event, .on_pcm = live_pcm };

static void live_say(struct live *l, int ms)
{
	int16_t pcm[AUDIO_OUT_FRAME];
	double phase = 0;

	for (int i = 0; i < ms / 20; i++) {
		rig_buzz(&phase, pcm, AUDIO_OUT_FRAME, AUDIO_OUT_HZ, 8000);
		audio_say(l->audio, l->utterance, pcm, AUDIO_OUT_FRAME);
	}
}

/* Every 20 ms something else is ordered. */
static void live_turn(void *arg)
{
	struct live *l = arg;
	struct audio_stats s;

	audio_stats(l->audio, &s);
	switch (l->turns++ % 12) {
	case 0:
		l->utterance++;
		live_say(l, 3000);
		audio_arm(l->audio, &(struct audio_reflex){ .interruptible =
			true, .epoch = l->utterance, .voiced_ms = 60,
			.verdict_ms = 40 });
		break;
	case 4:
		audio_pause(l->audio);
		break;
	case 6:
		audio_resume(l->audio, 0);
		break;
	case 8:
		audio_cut(l->audio, l->utterance);
		audio_arm_filler(l->audio, 1000 + l->utterance, l->line, 20);
		break;
	case 11:
		audio_cut(l->audio, 0);
		break;
	}
	if (l->turns < 120)
		timer_start(&l->timer, 20);
	else
		loop_stop(l->loop);
}

static void loop_and_media_work_together(void **state)
{
	(void)state;
	static struct live l;
	struct media *media;
	struct audio_stats s;

	assert_int_equal(loop_create(&l.loop, NULL), 0);
	assert_int_equal(media_create(&media, 0), 0);
	assert_int_equal(audio_create(&l.audio, NULL, &live_ops, &l), 0);
	l.line = rig_line(100);
	assert_int_equal(audio_attach(l.audio, l.loop, media), 0);
	timer_init(&l.timer, loop_clock(l.loop), live_turn, &l);
	timer_start(&l.timer, 1);
	loop_run(l.loop);
	audio_stats(l.audio, &s);
	audio_close(l.audio); /* off the beat: media's numbers may be read */
	assert_true(l.sent > 100);
	assert_in_range(s.sent, 100, (uint64_t)l.sent);
	assert_true(l.sounding > 40);
	assert_int_equal(l.tracks, 1);
	assert_true(l.started >= 10 && l.ended >= 9);
	assert_true(l.paused >= 9);
	assert_true(l.pcm > 16000);
	media_destroy(media);
	loop_destroy(l.loop);
	audio_line_destroy(l.line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_configuration_is_refused),
		cmocka_unit_test(without_memory_nothing_is_made_and_nothing_left),
		cmocka_unit_test(an_audio_object_takes_less_than_300_kb),
		cmocka_unit_test(the_caller_is_heard_in_real_time_in_pieces_of_post_ms),
		cmocka_unit_test(a_loop_that_sleeps_loses_pcm_but_no_end),
		cmocka_unit_test(thousands_of_events_may_be_lost_but_no_end),
		cmocka_unit_test(orders_wait_their_turn_when_media_does_not_run_yet),
		cmocka_unit_test(closing_inside_a_callback_ends_all_callbacks),
		cmocka_unit_test(loop_and_media_work_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
