/*
 * transcript: what front ends are shown of both sides. The room is played by
 * this file, which writes down what it is told.
 */
#include "unit.h"

#include "base/str.h"
#include "call/call_int.h"

static struct clock *vclock;
static struct call call;
static struct buf told;
static char *names[4]; /* segment ids in the order of their appearance */
static int n_open;

/* "A", "B", ... for segment ids, which are random. */
static char letter(const char *segment)
{
	int i = 0;

	assert_true(str_has_prefix(segment, "SG_"));
	while (i < 4 && names[i] && !str_eq(names[i], segment))
		i++;
	assert_true(i < 4);
	if (!names[i])
		names[i] = str_dup(segment);
	return (char)('A' + i);
}

static const char *attr(const struct lk_pair *attrs, const char *key)
{
	while (attrs->key && !str_eq(attrs->key, key))
		attrs++;
	return attrs->value;
}

/* ---- the room ------------------------------------------------------------- */

struct room_text {
	char who;
};
static struct room_text stream;

int room_text_open(struct room_text **ret_text, struct room *r,
		   const char *topic, const char *as_identity,
		   const struct lk_pair *attrs)
{
	(void)r;
	assert_string_equal(topic, "lk.transcription");
	assert_null(as_identity);
	assert_string_equal(attr(attrs, "lk.transcribed_track_id"), "TR_us");
	stream.who = letter(attr(attrs, "lk.segment_id"));
	buf_printf(&told, "open %c; ", stream.who);
	n_open++;
	*ret_text = &stream;
	return 0;
}

int room_text_write(struct room_text *t, const char *text)
{
	buf_printf(&told, "%c+\"%s\"; ", t->who, text);
	return 0;
}

void room_text_close(struct room_text *t, const struct lk_pair *attrs)
{
	assert_string_equal(attr(attrs, "lk.transcription_final"), "true");
	buf_printf(&told, "close %c; ", t->who);
	n_open--;
}

int room_text_send(struct room *r, const char *topic, const char *as_identity,
		   const struct lk_pair *attrs, const char *text)
{
	(void)r;
	(void)topic;
	assert_string_equal(as_identity, "anna");
	bool final = str_eq(attr(attrs, "lk.transcription_final"), "true");
	buf_printf(&told, "%c%s \"%s\"; ", letter(attr(attrs,
		   "lk.segment_id")), final ? "!" : "", text);
	return 0;
}

int room_send_transcription(struct room *r, const char *as_identity,
			    const char *track_sid, const char *segment_id,
			    const char *text, bool final)
{
	(void)r;
	assert_true(letter(segment_id) && !str_blank(text));
	assert_string_equal(track_sid, as_identity ? "TR_anna" : "TR_us");
	assert_true(final || as_identity);
	return 0;
}

const char *room_track_sid(const struct room *r)
{
	(void)r;
	return "TR_us";
}

void room_set_attributes(struct room *r, const struct lk_pair *attrs)
{
	(void)r;
	buf_printf(&told, "%s=%s; ", attrs->key, attrs->value);
}

/* ---- the rest of a call ---------------------------------------------------- */

static struct utterance ours;
static const char *heard;

struct utterance *speech_sounding(const struct speech *s)
{
	(void)s;
	return heard ? &ours : NULL;
}

char *speech_heard(const struct utterance *u, int heard_ms)
{
	(void)u;
	(void)heard_ms;
	return str_dup(heard);
}

int speech_heard_ms(const struct utterance *u, int64_t now_ms)
{
	(void)u;
	return (int)now_ms;
}

struct clock *loop_clock(struct loop *l)
{
	(void)l;
	return vclock;
}

int64_t call_now_ms(const struct call *c)
{
	(void)c;
	return clock_now_ms(vclock);
}

static struct call_host host;

static int setup(void **state)
{
	(void)state;
	assert_int_equal(clock_create_virtual(&vclock, 10000000), 0);
	call = (struct call){ .host = &host, .caller = "anna",
			      .caller_sid = "TR_anna",
			      .room = (struct room *)&host };
	heard = NULL;
	transcript_init(&call);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	transcript_finish(&call);
	assert_int_equal(n_open, 0);
	assert_int_equal(clock_timers(vclock), 0);
	clock_destroy(vclock);
	for (int i = 0; i < 4; i++)
		str_set(&names[i], NULL);
	buf_free(&told);
	return 0;
}

static void run(int ms)
{
	clock_advance(vclock, (int64_t)ms * 1000);
}

static void is(const char *want)
{
	assert_string_equal(buf_str(&told), want);
	buf_reset(&told);
}

/* ---- tests ------------------------------------------------------------------ */

static void words_of_a_turn_replace_each_other(void **state)
{
	(void)state;
	transcript_user(&call, "Is", false);
	run(300);
	transcript_user(&call, "Is Monday", false);
	transcript_user(&call, "Is Monday free?", true);
	run(300);
	transcript_user(&call, "Thanks", false);
	is("A \"Is\"; A \"Is Monday\"; A! \"Is Monday free?\"; B \"Thanks\"; ");
}

static void interim_words_come_at_a_measured_pace(void **state)
{
	(void)state;
	transcript_user(&call, "Is", false);
	run(100);
	transcript_user(&call, "Is Mon", false);
	run(50);
	transcript_user(&call, "Is Monday", true);
	is("A \"Is\"; A! \"Is Monday\"; ");
}

static void a_turn_taken_back_keeps_its_segment(void **state)
{
	(void)state;
	transcript_user(&call, "Is Monday", true);
	transcript_user_again(&call);
	run(300);
	transcript_user(&call, "Is Monday or", false);
	transcript_user(&call, "Is Monday or Tuesday free?", true);
	run(300);
	transcript_user(&call, "Thanks.", true);
	is("A! \"Is Monday\"; A \"Is Monday or\"; "
	   "A! \"Is Monday or Tuesday free?\"; B! \"Thanks.\"; ");
	transcript_user_again(&call);
	transcript_user_again(&call); /* there is one last turn only */
}

static void nobody_is_shown_for_a_caller_unknown(void **state)
{
	(void)state;
	call.caller = NULL;
	transcript_user(&call, "Hello?", true);
	is("");
	call.caller_sid = NULL;
}

static void our_words_are_shown_as_they_are_heard(void **state)
{
	(void)state;
	transcript_agent_begin(&call, &ours);
	heard = "Monday";
	run(100);
	heard = "Monday is free,";
	run(200);
	heard = NULL;
	transcript_agent_end(&call, "Monday is free, and");
	is("open A; A+\"Monday\"; A+\" is free,\"; A+\" and\"; close A; ");
	run(1000);
	is("");
}

static void the_next_words_close_what_is_open(void **state)
{
	(void)state;
	transcript_agent_begin(&call, &ours);
	transcript_agent_begin(&call, &ours);
	transcript_agent_end(&call, "Yes.");
	is("open A; close A; open B; B+\"Yes.\"; close B; ");
}

static void the_state_is_an_attribute_until_the_end(void **state)
{
	(void)state;
	transcript_state(&call, "listening");
	call.ended = true;
	transcript_state(&call, "speaking");
	is("lk.agent.state=listening; ");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(words_of_a_turn_replace_each_other),
		TEST(interim_words_come_at_a_measured_pace),
		TEST(a_turn_taken_back_keeps_its_segment),
		TEST(nobody_is_shown_for_a_caller_unknown),
		TEST(our_words_are_shown_as_they_are_heard),
		TEST(the_next_words_close_what_is_open),
		TEST(the_state_is_an_attribute_until_the_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
