/*
 * The jitter buffer by patterns: a string of what happens, then limits.
 *
 *	P  the next packet arrives          G  20 ms pass, one frame is asked
 *	L  the next packet is lost          X  the sender is silent for a frame
 *	R  the next two arrive swapped      D  the last packet arrives again
 *	H  the next packet is held back     A  the oldest held one arrives
 *	-  20 ms pass without a question (our own thread slept: not used in calls)
 */
#include "unit.h"

#include "audio/jitter_int.h"

enum { FRAME_US = 20000, HELD = 64 };

struct play {
	struct jitter *j;
	int64_t now_us;
	uint32_t ssrc;
	uint32_t number;      /* of the next packet, also in its payload */
	uint16_t seq;
	uint32_t timestamp;
	bool quiet;
	bool sets_fec;
	int64_t skew_ppm;     /* the sender's clock against ours */

	struct { uint32_t number; uint16_t seq; uint32_t ts; } held[HELD], last;
	int n_held;

	/* results */
	uint32_t last_played; /* number + 1, 0: none */
	int played, lost, fec, silent, merged, resets;
	int disorder;         /* played twice or backwards */
	int max_delay_ms;
	int64_t delay_sum_ms;
};

static void start(struct play *p, int min_ms, int max_ms)
{
	memset(p, 0, sizeof *p);
	assert_int_equal(jitter_create(&p->j, min_ms, max_ms), 0);
	p->now_us = 5000000;
	p->ssrc = 1;
	p->seq = 65500; /* both wrap soon */
	p->timestamp = 0xffff8000u;
}

static int put(struct play *p, uint32_t number, uint16_t seq, uint32_t ts)
{
	uint8_t payload[32] = { 0x48 }; /* SILK wideband, one frame of 20 ms */

	memcpy(payload + 1, &number, sizeof number);
	p->last.number = number;
	p->last.seq = seq;
	p->last.ts = ts;
	return jitter_put(p->j, &(struct audio_rtp){ .ssrc = p->ssrc,
		.seq = seq, .timestamp = ts, .payload = payload,
		.len = sizeof payload, .arrival_us = p->now_us });
}

static void step_sender(struct play *p, bool number_too)
{
	p->number++;
	p->seq = (uint16_t)(p->seq + number_too);
	p->timestamp += 960;
}

static void next(struct play *p)
{
	put(p, p->number, p->seq, p->timestamp);
	step_sender(p, true);
}

static void swapped(struct play *p)
{
	put(p, p->number + 1, (uint16_t)(p->seq + 1), p->timestamp + 960);
	put(p, p->number, p->seq, p->timestamp);
	step_sender(p, true);
	step_sender(p, true);
}

static void hold(struct play *p)
{
	assert_true(p->n_held < HELD);
	p->held[p->n_held].number = p->number;
	p->held[p->n_held].seq = p->seq;
	p->held[p->n_held++].ts = p->timestamp;
	step_sender(p, true);
}

static void release(struct play *p)
{
	assert_true(p->n_held > 0);
	put(p, p->held[0].number, p->held[0].seq, p->held[0].ts);
	memmove(p->held, p->held + 1, (size_t)--p->n_held * sizeof *p->held);
}

static void note_packet(struct play *p, const struct jitter_out *o)
{
	uint32_t number;

	memcpy(&number, o->payload + 1, sizeof number);
	p->disorder += number + 1 <= p->last_played;
	p->last_played = number + 1;
	p->played++;
	int delay = jitter_delay_ms(p->j);
	p->delay_sum_ms += delay;
	if (delay > p->max_delay_ms)
		p->max_delay_ms = delay;
}

static void ask(struct play *p)
{
	struct jitter_out o;
	bool merge;

	do {
		jitter_get(p->j, p->now_us, p->quiet, &o);
		p->resets += o.reset;
		if (o.what == JITTER_PACKET)
			note_packet(p, &o);
		p->lost += o.what == JITTER_LOST;
		p->fec += o.what == JITTER_FEC;
		p->silent += o.what == JITTER_SILENCE;
		merge = o.merge;
		p->merged += merge;
	} while (merge);
}

static void get(struct play *p)
{
	p->now_us += FRAME_US;
	ask(p);
}

static void run(struct play *p, const char *pattern, int times)
{
	while (times-- > 0) {
		for (const char *s = pattern; *s; s++) {
			switch (*s) {
			case 'P': next(p); break;
			case 'G': get(p); break;
			case 'L': step_sender(p, true); break;
			case 'X': step_sender(p, false); break;
			case 'R': swapped(p); break;
			case 'D': put(p, p->last.number, p->last.seq,
				      p->last.ts); break;
			case 'H': hold(p); break;
			case 'A': release(p); break;
			case '-': p->now_us += FRAME_US; break;
			case ' ': break;
			default: fail();
			}
		}
	}
}

struct pattern {
	const char *name;
	const char *lead;     /* once */
	const char *pattern;  /* then this, times */
	int times;
	/* limits of the whole */
	int played_least;
	int delay_most_ms, late_most, guessed_least, guessed_most;
	int silent_least, silent_most;
	uint64_t lost_least, lost_most;
};

static const struct pattern patterns[] = {
	{ .name = "a clean stream has no loss and the least delay",
	  .lead = "PGPGPG", .pattern = "PG", .times = 500,
	  .played_least = 502, .delay_most_ms = 20, .silent_most = 1 },
	{ .name = "two packets at a time are played one by one",
	  .lead = "PPGPPG", .pattern = "GPPG", .times = 200,
	  .played_least = 395, .delay_most_ms = 60, .silent_most = 4,
	  .guessed_most = 4 },
	{ .name = "bursts of five raise the delay, nothing is thrown away",
	  .pattern = "PPPPPGGGGG", .times = 200, .played_least = 990,
	  .delay_most_ms = 120, .silent_most = 6, .guessed_most = 8 },
	{ .name = "bursts of eight stay within the largest delay",
	  .pattern = "PPPPPPPPGGGGGGGG", .times = 100, .played_least = 780,
	  .delay_most_ms = 180, .silent_most = 14, .guessed_most = 14 },
	{ .name = "swapped neighbours are put in order",
	  .lead = "PGPGPGPG", .pattern = "RGG", .times = 300,
	  .played_least = 595, .delay_most_ms = 60, .guessed_most = 3,
	  .silent_most = 2, .lost_most = 1, .late_most = 1 },
	{ .name = "doubles are played once",
	  .lead = "PG", .pattern = "PDDG", .times = 300, .played_least = 300,
	  .delay_most_ms = 20, .silent_most = 1 },
	{ .name = "a late double is no late packet",
	  .lead = "PGPG", .pattern = "PGDPG", .times = 100,
	  .played_least = 200, .delay_most_ms = 20, .silent_most = 1 },
	{ .name = "one lost in ten is concealed once each",
	  .lead = "PGPGPG", .pattern = "PGPGPGPGPGPGPGPGPGLG", .times = 100,
	  .played_least = 895, .delay_most_ms = 60, .guessed_least = 98,
	  .guessed_most = 104, .silent_most = 2, .lost_least = 98,
	  .lost_most = 100 },
	{ .name = "three lost in a row are concealed, not zeros",
	  .lead = "PGPGPG", .pattern = "PGPGPGPGPGPGPGLGLGLG", .times = 50,
	  .played_least = 345, .delay_most_ms = 60, .guessed_least = 144,
	  .guessed_most = 158, .silent_most = 4, .lost_least = 147,
	  .lost_most = 150 },
	{ .name = "half a second lost ends in zeros and comes back",
	  .lead = "PGPGPGPG",
	  .pattern = "LGLGLGLGLGLGLGLGLGLGLGLGLGLGLGLGLGLGLGLGLGLGLGLGLG"
		     "PGPGPGPGPGPGPGPGPGPG", .times = 20,
	  .played_least = 200, .delay_most_ms = 60, .guessed_least = 60,
	  .guessed_most = 70, .silent_least = 400, .silent_most = 450,
	  .lost_least = 480, .lost_most = 500 },
	{ .name = "DTX gaps are zeros and cost no packet and no loss",
	  .lead = "PGPGPG",
	  .pattern = "XGXGXGXGXGXGXGXGXGXGXGXGXGXGXGXGXGXGXGXG"
		     "PGPGPGPGPGPGPGPGPGPG", .times = 20,
	  .played_least = 199, .delay_most_ms = 30, .guessed_most = 66,
	  .silent_least = 330, .silent_most = 345 },
	{ .name = "a stall of 100 ms costs delay, not words",
	  .lead = "PGPGPGPGPGPGPGPG",
	  .pattern = "HGHGHGHGHGAAAAAPGPGPGPGPGPGPGPGPGPGPGPG", .times = 50,
	  .played_least = 845, .delay_most_ms = 160, .guessed_most = 30,
	  .silent_most = 20, .late_most = 10, .lost_most = 10 },
	{ .name = "a stall beyond the largest delay throws the oldest away",
	  .lead = "PGPGPGPGPGPGPGPG", .times = 1,
	  .pattern = "HGHGHGHGHGHGHGHGHGHGHGHGHGHGHGHG"
		     "AAAAAAAAAAAAAAAAPGPGPGPGPGPGPGPGPGPG",
	  .played_least = 18, .delay_most_ms = 221, .guessed_most = 4,
	  .silent_most = 16, .late_most = 9, .lost_most = 9 },
};

static void check(const struct pattern *t)
{
	struct play p;

	start(&p, 20, 200);
	if (t->lead)
		run(&p, t->lead, 1);
	run(&p, t->pattern, t->times);
	const struct jitter_counts *c = jitter_counts(p.j);
	int guessed = p.lost + p.fec;
	bool ok = !p.disorder && p.played >= t->played_least &&
		p.max_delay_ms <= t->delay_most_ms &&
		c->late <= (uint64_t)t->late_most &&
		guessed >= t->guessed_least && guessed <= t->guessed_most &&
		p.silent >= t->silent_least && p.silent <= t->silent_most &&
		c->lost >= t->lost_least && c->lost <= t->lost_most;
	if (!ok)
		print_error("%s:\n played %d (%d lost, %d fec, %d silent, "
			    "%d merged, %d disorder) delay most %d mean %d "
			    "late %d lost %d target %d\n", t->name, p.played,
			    p.lost, p.fec, p.silent, p.merged, p.disorder,
			    p.max_delay_ms,
			    (int)(p.delay_sum_ms / (p.played + !p.played)),
			    (int)c->late, (int)c->lost,
			    jitter_target_ms(p.j));
	jitter_destroy(p.j);
	assert_true(ok);
}

static void patterns_stay_within_their_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
		check(&patterns[i]);
}

/* A small generator with a known sequence: tests must not depend on luck. */
static uint32_t random_next(uint32_t *x)
{
	*x = *x * 1664525u + 1013904223u;
	return *x >> 8;
}

struct flight {
	int64_t at_us;
	uint32_t number;
};

/* Packets of a talk with jitter and loss, in the order of arrival, fed to the
 * buffer while it is asked every 20 ms. */
static void fly(struct play *p, int seconds, int jitter_us, int loss_permille)
{
	int n = seconds * 50, n_flying = 0;
	struct flight flying[64];
	uint32_t x = 7;
	int64_t t0 = p->now_us;

	for (int k = 0; k < n; k++) {
		int64_t sent = t0 + (int64_t)k * FRAME_US * 1000000 /
			       (1000000 + p->skew_ppm);
		int64_t jitter = jitter_us ?
			random_next(&x) % (uint32_t)jitter_us : 0;
		if ((int)(random_next(&x) % 1000) >= loss_permille)
			flying[n_flying++] = (struct flight){
				sent + jitter, (uint32_t)k };
		while (p->now_us + FRAME_US <= sent) {
			int64_t end = p->now_us + FRAME_US;
			for (;;) {
				int first = -1;
				for (int i = 0; i < n_flying; i++)
					if (flying[i].at_us <= end &&
					    (first < 0 || flying[i].at_us <
					     flying[first].at_us))
						first = i;
				if (first < 0)
					break;
				struct flight f = flying[first];
				flying[first] = flying[--n_flying];
				p->now_us = f.at_us;
				put(p, f.number, (uint16_t)(65500 + f.number),
				    0xffff8000u + f.number * 960);
			}
			p->now_us = end;
			ask(p);
		}
	}
}

static void two_percent_loss_and_60_ms_jitter_lose_only_what_was_lost(void **state)
{
	(void)state;
	struct play p;

	start(&p, 20, 200);
	fly(&p, 120, 60000, 20);
	const struct jitter_counts *c = jitter_counts(p.j);
	/* 6,000 packets, about 120 never sent on; a few late ones on top. */
	assert_int_equal(p.disorder, 0);
	assert_in_range(c->lost, 90, 150);
	assert_in_range(c->late, 0, 12);
	assert_in_range(c->concealed, 90, 190);
	assert_true(p.played > 5820);
	assert_true(p.max_delay_ms <= 120);
	assert_true(p.delay_sum_ms / p.played <= 85);
	assert_in_range(jitter_target_ms(p.j), 55, 80);
	assert_true(p.fec > 60); /* most holes had their successor there */
	jitter_destroy(p.j);
}

static void the_delay_shrinks_again_when_the_jitter_is_over(void **state)
{
	(void)state;
	struct play p;

	start(&p, 20, 200);
	run(&p, "PPPPPGGGGG", 100);
	assert_true(jitter_target_ms(p.j) > 80);
	p.quiet = true;
	run(&p, "PG", 1500);
	assert_int_equal(jitter_target_ms(p.j), 20);
	assert_true(jitter_delay_ms(p.j) <= 40);
	assert_true(p.merged >= 3);
	assert_int_equal(jitter_counts(p.j)->late, 0);
	assert_int_equal(jitter_counts(p.j)->lost, 0);
	jitter_destroy(p.j);
}

static void excess_is_worked_off_in_speech_too_only_slower(void **state)
{
	(void)state;
	struct play p;

	start(&p, 20, 200);
	run(&p, "PPPPPPPPGGGGGGGG", 50);
	int before = jitter_delay_ms(p.j);
	run(&p, "PG", 100);
	assert_true(p.merged <= 6); /* at most one each 400 ms */
	run(&p, "PG", 2000);
	assert_true(jitter_delay_ms(p.j) < before - 40);
	assert_true(jitter_delay_ms(p.j) < 90);
	jitter_destroy(p.j);
}

static void twenty_minutes_of_drift_cost_nothing(void **state)
{
	(void)state;
	for (int ppm = -200; ppm <= 200; ppm += 400) {
		struct play p;

		start(&p, 20, 200);
		p.skew_ppm = ppm;
		fly(&p, 20 * 60, 5000, 0);
		/* 240 ms of difference: 12 frames taken out or put in. */
		assert_int_equal(p.disorder, 0);
		assert_int_equal(jitter_counts(p.j)->late, 0);
		assert_int_equal(jitter_counts(p.j)->lost, 0);
		assert_true(p.max_delay_ms < 100);
		if (ppm > 0)
			assert_in_range(p.merged, 9, 13);
		else
			assert_in_range(p.lost + p.silent, 10, 22);
		jitter_destroy(p.j);
	}
}

static void drift_is_met_in_the_callers_pauses(void **state)
{
	(void)state;
	struct play p;

	start(&p, 20, 200);
	p.skew_ppm = 200;
	p.quiet = true;
	fly(&p, 20 * 60, 5000, 0);
	assert_int_equal(jitter_counts(p.j)->lost, 0);
	assert_true(p.max_delay_ms <= 60);
	jitter_destroy(p.j);
}

static void numbers_and_timestamps_wrap_many_times(void **state)
{
	(void)state;
	struct play p;

	start(&p, 20, 200);
	p.timestamp = 0u - 960u * 200000u;
	run(&p, "PG", 200100); /* 3 wraps of the number, one of the time */
	assert_int_equal(p.played, 200100);
	assert_int_equal(p.disorder, 0);
	assert_int_equal(jitter_counts(p.j)->lost, 0);
	assert_int_equal(jitter_counts(p.j)->resets, 0);
	jitter_destroy(p.j);
}

static void a_new_ssrc_starts_anew_and_stragglers_of_the_old_are_dropped(void **state)
{
	(void)state;
	struct play p;

	start(&p, 20, 200);
	run(&p, "PG", 50);
	uint16_t old_seq = p.seq;
	uint32_t old_ts = p.timestamp;
	p.ssrc = 2;
	p.seq = 9;
	p.timestamp = 123456;
	assert_int_equal(put(&p, p.number, p.seq, p.timestamp), 1);
	step_sender(&p, true);
	p.ssrc = 1;
	assert_int_equal(put(&p, 9999, old_seq, old_ts), 0);
	p.ssrc = 2;
	run(&p, "GPGPGPG", 10);
	assert_int_equal(p.resets, 1);
	assert_int_equal(p.disorder, 0);
	assert_int_equal(jitter_counts(p.j)->resets, 1);
	assert_int_equal(jitter_counts(p.j)->late, 1);
	assert_true(p.played >= 79);
	jitter_destroy(p.j);
}

static void a_clock_that_jumps_under_one_ssrc_is_a_new_stream(void **state)
{
	(void)state;
	struct play p;

	start(&p, 20, 200);
	run(&p, "PG", 50);
	p.timestamp += 500000000; /* three hours ahead */
	run(&p, "PG", 50);
	p.timestamp -= 40000000; /* and back */
	run(&p, "PG", 50);
	p.seq = (uint16_t)(p.seq - 5000); /* numbers begin anew, time goes on */
	run(&p, "PG", 100);
	assert_int_equal(jitter_counts(p.j)->resets, 3);
	assert_true(p.played > 50 * 3 + 100 - 40);
	assert_int_equal(p.disorder, 0);
	jitter_destroy(p.j);
}

static void minutes_of_silence_are_no_jump(void **state)
{
	(void)state;
	struct play p;

	start(&p, 20, 200);
	run(&p, "PG", 50);
	run(&p, "XG", 50 * 60 * 10);
	run(&p, "PG", 50);
	assert_int_equal(jitter_counts(p.j)->resets, 0);
	assert_int_equal(p.played, 100);
	assert_int_equal(jitter_counts(p.j)->lost, 0);
	assert_true(p.max_delay_ms <= 20);
	jitter_destroy(p.j);
}

static void a_longer_path_is_followed_without_losing_all(void **state)
{
	(void)state;
	struct play p;

	start(&p, 20, 200);
	run(&p, "PG", 200);
	/* The route changes: everything takes 400 ms longer from now on. */
	run(&p, "HG", 20);
	run(&p, "HAG", 500);
	assert_true(p.played >= 690);
	assert_in_range(jitter_counts(p.j)->late, 0, 2);
	jitter_destroy(p.j);
}

static void the_packet_before_a_hole_is_followed_by_fec_of_the_next(void **state)
{
	(void)state;
	struct play p;

	start(&p, 60, 200);
	run(&p, "PPPG", 1);
	run(&p, "PG", 20);
	run(&p, "LGPG", 1);
	run(&p, "PG", 4);
	assert_int_equal(p.fec, 1);
	assert_int_equal(p.lost, 0);
	/* FEC of a packet leaves the packet itself to be played. */
	assert_int_equal(p.played, p.last_played - 1);
	assert_int_equal(jitter_counts(p.j)->lost, 1);
	jitter_destroy(p.j);
}

static void damaged_and_empty_payloads_are_as_if_lost(void **state)
{
	(void)state;
	struct play p;
	static const uint8_t bad[3] = { 0x4b, 0xff, 0xff }; /* 63 frames */
	static uint8_t huge[2000] = { 0x48 };

	start(&p, 20, 200);
	run(&p, "PG", 20);
	for (int i = 0; i < 3; i++) {
		struct audio_rtp r = { .ssrc = 1, .seq = p.seq,
			.timestamp = p.timestamp, .arrival_us = p.now_us,
			.payload = i == 1 ? bad : huge,
			.len = i == 0 ? 0 : i == 1 ? 3 : sizeof huge };
		assert_int_equal(jitter_put(p.j, &r), 0);
		step_sender(&p, true);
		run(&p, "GPG", 1);
	}
	run(&p, "PG", 5);
	assert_int_equal(jitter_counts(p.j)->lost, 3);
	assert_int_equal(p.disorder, 0);
	jitter_destroy(p.j);
}

static void wrong_limits_are_refused(void **state)
{
	(void)state;
	struct jitter *j = NULL;

	assert_true(jitter_create(&j, 100, 50) < 0);
	assert_true(jitter_create(&j, 20, 401) < 0);
	assert_true(jitter_create(&j, -1, 0) < 0);
	assert_null(j);
	jitter_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_stay_within_their_limits),
		cmocka_unit_test(two_percent_loss_and_60_ms_jitter_lose_only_what_was_lost),
		cmocka_unit_test(the_delay_shrinks_again_when_the_jitter_is_over),
		cmocka_unit_test(excess_is_worked_off_in_speech_too_only_slower),
		cmocka_unit_test(twenty_minutes_of_drift_cost_nothing),
		cmocka_unit_test(drift_is_met_in_the_callers_pauses),
		cmocka_unit_test(numbers_and_timestamps_wrap_many_times),
		cmocka_unit_test(a_new_ssrc_starts_anew_and_stragglers_of_the_old_are_dropped),
		cmocka_unit_test(a_clock_that_jumps_under_one_ssrc_is_a_new_stream),
		cmocka_unit_test(minutes_of_silence_are_no_jump),
		cmocka_unit_test(a_longer_path_is_followed_without_losing_all),
		cmocka_unit_test(the_packet_before_a_hole_is_followed_by_fec_of_the_next),
		cmocka_unit_test(damaged_and_empty_payloads_are_as_if_lost),
		cmocka_unit_test(wrong_limits_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
