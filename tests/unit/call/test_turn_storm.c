/*
 * The turn machine in a storm: random events in any order, fixed seeds. What
 * must hold whatever comes: no silence after the caller spoke, no pause that
 * stays, no action after the end, a bounded list of actions.
 */
#include "unit.h"

#include "base/str.h"
#include "call/turn.h"

enum { SEEDS = 20, STEPS = 10000, SILENCE_MAX_MS = 2600, SPOKE_MS = 400,
       PAUSE_MAX_MS = 500 };

struct storm {
	uint64_t random;
	struct turn turn;
	int64_t now_ms;
	uint32_t last_epoch;
	bool voice, sounds;
	int64_t voice_ms;   /* when it began */
	int64_t silent_ms;  /* since when an answer is owed; -1: none is */
	int64_t paused_ms;  /* since when our speech hangs; -1: it does not */
	int n_actions, most_actions, n_turns, n_lines, n_ends;
};

/* xorshift64*: the same storm on every machine. */
static uint32_t chance(struct storm *s, uint32_t below)
{
	s->random ^= s->random >> 12;
	s->random ^= s->random << 25;
	s->random ^= s->random >> 27;
	return (uint32_t)((s->random * 2685821657736338717u) >> 33) % below;
}

static void check_action(struct storm *s, const struct turn_action *a)
{
	switch (a->type) {
	case TA_ARM:
		assert_true(a->epoch > s->last_epoch);
		s->last_epoch = a->epoch;
		break;
	case TA_TURN:
	case TA_LINE:
		assert_false(str_blank(a->text));
		s->n_turns += a->type == TA_TURN;
		s->n_lines += a->type == TA_LINE;
		s->silent_ms = -1;
		break;
	case TA_SPECULATE:
		assert_false(str_blank(a->text));
		break;
	case TA_CUT:
	case TA_CANCEL:
	case TA_RESUME:
		s->paused_ms = -1;
		break;
	case TA_FAREWELL:
	case TA_SILENCE:
		s->silent_ms = -1;
		break;
	case TA_END:
		s->n_ends++;
		s->silent_ms = s->paused_ms = -1;
		break;
	default:
		break;
	}
}

static void step(struct storm *s, struct turn_event e)
{
	struct turn_out out = { 0 };
	bool over = s->turn.phase == TURN_OVER;

	e.at_ms = s->now_ms;
	turn_step(&s->turn, &e, &out);
	assert_in_range(out.n, 0, TURN_ACTIONS_MAX);
	if (over)
		assert_int_equal(out.n, 0);
	if (out.n > s->most_actions)
		s->most_actions = out.n;
	s->n_actions += out.n;
	for (int i = 0; i < out.n; i++)
		check_action(s, &out.v[i]);
	turn_out_clear(&out);
	if (s->turn.phase >= TURN_ENDING)
		s->silent_ms = s->paused_ms = -1;
}

static void check_time(const struct storm *s)
{
	if (s->silent_ms >= 0)
		assert_in_range(s->now_ms - s->silent_ms, 0, SILENCE_MAX_MS);
	if (s->paused_ms >= 0 && !s->voice)
		assert_in_range(s->now_ms - s->paused_ms, 0, PAUSE_MAX_MS);
}

static void advance(struct storm *s, int ms)
{
	int64_t until = s->now_ms + ms;
	int at_once = 0;

	for (;;) {
		int64_t due = turn_due(&s->turn);
		if (due < 0 || due > until)
			break;
		at_once = due > s->now_ms ? 0 : at_once + 1;
		assert_in_range(at_once, 0, 50);
		if (due > s->now_ms)
			s->now_ms = due;
		check_time(s);
		step(s, (struct turn_event){ .type = TE_TICK });
	}
	s->now_ms = until;
	check_time(s);
}

static void voice(struct storm *s)
{
	s->voice = !s->voice;
	if (s->voice) {
		s->voice_ms = s->now_ms;
		s->silent_ms = -1;
		step(s, (struct turn_event){ .type = TE_SPEECH_ON });
		return;
	}
	int64_t end = s->now_ms - s->turn.cfg.speech_off_ms;
	if (end - s->voice_ms >= SPOKE_MS && !s->sounds &&
	    (s->turn.phase == TURN_LISTENING || s->turn.phase == TURN_THINKING))
		s->silent_ms = end;
	if (s->paused_ms >= 0)
		s->paused_ms = s->now_ms;
	step(s, (struct turn_event){ .type = TE_SPEECH_OFF });
}

static void words(struct storm *s)
{
	static const char *const texts[] = {
		"yes", "Yes.", "no", "on Sunday", "On Sunday at nine.",
		"I need to see a dentist", "", " ", "okay thanks", "0300",
		"میں پیر کو آنا چاہتا ہوں۔", "a rather long sentence about it",
	};
	static const enum turn_event_type types[] = {
		TE_INTERIM, TE_INTERIM, TE_FINAL, TE_FINAL, TE_END };
	enum turn_event_type type = types[chance(s, 5)];

	step(s, (struct turn_event){ .type = type,
		.text = texts[chance(s, sizeof texts / sizeof *texts)] });
}

static void our_sound(struct storm *s)
{
	bool flag = chance(s, 4) == 0;

	if (!s->sounds) {
		s->sounds = true;
		s->silent_ms = -1;
		step(s, (struct turn_event){ .type = TE_SOUND, .flag = flag });
		return;
	}
	s->sounds = flag;
	if (!flag)
		s->paused_ms = -1;
	step(s, (struct turn_event){ .type = TE_SOUND_END, .flag = flag });
}

static void pause(struct storm *s)
{
	uint32_t epoch = s->turn.epoch;

	if (s->turn.paused && chance(s, 3) == 0) {
		s->paused_ms = -1;
		step(s, (struct turn_event){ .type = TE_RESUMED,
			.epoch = s->turn.paused_epoch });
		return;
	}
	if (s->turn.phase == TURN_SPEAKING)
		s->paused_ms = s->now_ms;
	step(s, (struct turn_event){ .type = TE_PAUSED, .epoch = epoch });
}

static void surroundings(struct storm *s)
{
	static const enum turn_event_type types[] = {
		TE_WORK, TE_QUIET, TE_WORK, TE_QUIET, TE_FAILED, TE_DTMF };
	struct turn_out out = { 0 };

	if (chance(s, 6) == 0) {
		turn_lock(&s->turn, chance(s, 2), &out);
		for (int i = 0; i < out.n; i++)
			check_action(s, &out.v[i]);
		turn_out_clear(&out);
	} else if (chance(s, 6) == 0) {
		s->turn.await = chance(s, 4);
	} else {
		step(s, (struct turn_event){ .type = types[chance(s, 6)] });
	}
}

static void begin(struct storm *s)
{
	struct turn_cfg cfg = { .longest_ms = 600000, .idle_ms = 5000 };

	cfg.uninterruptible = chance(s, 8) == 0;
	turn_init(&s->turn, &cfg);
	s->last_epoch = 0;
	s->voice = s->sounds = false;
	s->silent_ms = s->paused_ms = -1;
	step(s, (struct turn_event){ .type = TE_START });
}

static void one_step(struct storm *s)
{
	uint32_t what = chance(s, 100);

	advance(s, (int)chance(s, chance(s, 10) ? 300 : 3000));
	if (what < 35)
		voice(s);
	else if (what < 60)
		words(s);
	else if (what < 78)
		our_sound(s);
	else if (what < 84)
		pause(s);
	else if (what < 98)
		surroundings(s);
	else if (what < 99)
		step(s, (struct turn_event){ .type = TE_TYPED,
			.text = "Is Friday free?" });
	else if (chance(s, 10) == 0)
		step(s, (struct turn_event){ .type = TE_HANGUP,
			.n = CALL_END_AGENT });
}

static void storm(struct storm *s, uint64_t seed)
{
	int after_end = 0;

	s->random = seed * 7919 + 1;
	begin(s);
	for (int i = 0; i < STEPS; i++) {
		one_step(s);
		after_end += s->turn.phase == TURN_OVER;
		if (after_end < 20)
			continue;
		after_end = 0;
		turn_finish(&s->turn);
		s->now_ms = 0;
		begin(s);
	}
	turn_finish(&s->turn);
}

static void whatever_comes_the_invariants_hold(void **state)
{
	(void)state;
	int turns = 0, lines = 0, ends = 0, most = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct storm s = { 0 };
		storm(&s, seed);
		turns += s.n_turns;
		lines += s.n_lines;
		ends += s.n_ends;
		if (s.most_actions > most)
			most = s.most_actions;
	}
	/* the storm went everywhere: else it proved little */
	assert_true(turns > 5000);
	assert_true(lines > 5000);
	assert_true(ends > 50);
	assert_in_range(most, 3, TURN_ACTIONS_MAX / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_comes_the_invariants_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
