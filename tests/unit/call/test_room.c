/*
 * The call's side of its room: who the caller is, when they can hear us, and
 * when they are gone. The room and the rest of the call are played by this
 * file; time is virtual.
 */
#include "unit.h"

#include "base/log.h"
#include "base/str.h"
#include "call/call_int.h"

static struct clock *vclock;
static struct call call;
static struct buf told;
static const char *dial_status; /* of the caller's phone leg */
static struct room_participant anna, ben;

/* ---- the room ------------------------------------------------------------- */

const struct room_participant *room_find(const struct room *r,
					 const char *identity)
{
	(void)r;
	return str_eq(identity, anna.identity) ? &anna : NULL;
}

const char *room_attribute(const struct room_participant *p, const char *key)
{
	return p == &anna && str_eq(key, "sip.callStatus") ? dial_status : NULL;
}

void room_listen(struct room *r, const char *identity)
{
	(void)r;
	buf_printf(&told, "listen %s; ", identity);
}

/* ---- the rest of a call ---------------------------------------------------- */

int64_t call_now_ms(const struct call *c)
{
	(void)c;
	return clock_now_ms(vclock);
}

void call_note(struct call *c, enum call_note_type type, const char *text,
	       int ms)
{
	(void)c;
	(void)text;
	assert_int_equal(ms, 0);
	if (type == NOTE_TROUBLE)
		buf_puts(&told, "trouble; ");
}

void call_finish(struct call *c, enum call_end end)
{
	if (c->ended)
		return;
	c->ended = true;
	buf_printf(&told, "end %d; ", end);
}

void call_answered(struct call *c)
{
	c->answered = true;
	timer_stop(&c->wait);
	buf_puts(&told, "answered; ");
}

void call_feed(struct call *c, enum turn_event_type type, const char *text,
	       uint32_t epoch, int n, bool flag)
{
	(void)c;
	(void)epoch;
	(void)flag;
	if (type == TE_DTMF)
		buf_printf(&told, "key %c; ", n);
	else
		buf_printf(&told, "typed \"%s\"; ", text);
}

void call_busy_check(struct call *c)
{
	assert_false(c->ended);
}

int call_ears_open(struct call *c)
{
	(void)c;
	buf_puts(&told, "ears; ");
	return 0;
}

void leg_dial(struct call *c)
{
	(void)c;
}

void transcript_state(struct call *c, const char *state)
{
	(void)c;
	buf_printf(&told, "%s; ", state);
}

void audio_rx(struct audio *a, const struct audio_rtp *p)
{
	(void)a;
	(void)p;
	fail();
}

static void p_dtmf(struct policy *p, char key)
{
	(void)p;
	buf_printf(&told, "script %c; ", key);
}

static void rejoins(void *arg, struct call *c)
{
	(void)arg;
	assert_ptr_equal(c, &call);
	buf_puts(&told, "rejoin; ");
}

static const struct policy_ops policy = { .on_dtmf = p_dtmf };
static struct call_host host = { .policy = &policy, .on_rejoin = rejoins };

static void on_wait(void *arg)
{
	struct call *c = arg;

	call_finish(c, c->answered ? CALL_END_CALLER : CALL_END_NO_CALLER);
}

static void no_log(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static int setup(void **state)
{
	(void)state;
	log_set_sink(no_log, NULL);
	assert_int_equal(clock_create_virtual(&vclock, 0), 0);
	anna = (struct room_participant){ .sid = "PA_1", .identity = "anna",
					  .kind = LK_SIP };
	ben = (struct room_participant){ .sid = "PA_2", .identity = "ben",
					 .kind = LK_STANDARD };
	dial_status = NULL;
	call = (struct call){ .host = &host, .id = "c1" };
	timer_init(&call.wait, vclock, on_wait, &call);
	timer_start(&call.wait, CALLER_WAIT_MS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	timer_stop(&call.wait);
	assert_int_equal(clock_timers(vclock), 0);
	clock_destroy(vclock);
	free(call.caller);
	free(call.caller_sid);
	buf_free(&told);
	log_set_sink(NULL, NULL);
	return 0;
}

static void run_s(int s)
{
	clock_advance(vclock, (int64_t)s * 1000000);
}

static void is(const char *want)
{
	assert_string_equal(buf_str(&told), want);
	buf_reset(&told);
}

static void comes(const struct room_participant *p)
{
	call_room_ops.on_participant(&call, p, ROOM_P_JOINED);
}

static void changes(const struct room_participant *p)
{
	call_room_ops.on_participant(&call, p, ROOM_P_UPDATED);
}

static void leaves(struct room_participant *p, int reason)
{
	p->leave_reason = reason;
	call_room_ops.on_participant(&call, p, ROOM_P_LEFT);
}

static void answered(void)
{
	comes(&anna);
	call_room_ops.on_link(&call, ROOM_UP);
	call_room_ops.on_subscribed(&call);
	is("listen anna; initializing; ears; answered; ");
}

/* ---- tests ------------------------------------------------------------------ */

static void answered_when_the_caller_can_hear_us(void **state)
{
	(void)state;
	comes(&anna);
	is("listen anna; ");
	call_room_ops.on_link(&call, ROOM_UP);
	is("initializing; ears; ");
	call_room_ops.on_subscribed(&call);
	is("answered; ");
	comes(&ben); /* who comes later is not the caller */
	call_room_ops.on_subscribed(&call);
	is("");
}

static void an_outbound_leg_is_answered_when_it_is_picked_up(void **state)
{
	(void)state;
	dial_status = "ringing";
	comes(&anna);
	call_room_ops.on_link(&call, ROOM_UP);
	call_room_ops.on_subscribed(&call);
	is("listen anna; initializing; ears; ");
	dial_status = "active";
	changes(&anna);
	is("answered; ");
	dial_status = "hangup";
	changes(&anna);
	is("end 0; ");
}

static void nobody_comes(void **state)
{
	(void)state;
	call_room_ops.on_link(&call, ROOM_UP);
	buf_reset(&told);
	run_s(179);
	is("");
	run_s(2);
	is("end 6; ");
}

/* A client that never subscribes would hold a place for ever. */
static void a_caller_who_never_hears_us_is_not_waited_for_long(void **state)
{
	(void)state;
	run_s(100);
	comes(&anna);
	call_room_ops.on_link(&call, ROOM_UP);
	buf_reset(&told);
	run_s(179);
	is("");
	run_s(2);
	is("end 6; ");
}

static void a_lost_caller_may_come_back(void **state)
{
	enum { CONNECTION_TIMEOUT = 14 };

	(void)state;
	answered();
	leaves(&anna, CONNECTION_TIMEOUT);
	run_s(10);
	comes(&anna);
	run_s(1000);
	is("");
	leaves(&anna, CONNECTION_TIMEOUT);
	run_s(16);
	is("end 0; ");
}

static void a_caller_who_hangs_up_is_gone_at_once(void **state)
{
	(void)state;
	answered();
	leaves(&ben, 1);
	is("");
	leaves(&anna, 1);
	is("end 0; ");
}

static void a_caller_lost_before_the_answer_is_waited_for_anew(void **state)
{
	(void)state;
	comes(&anna);
	leaves(&anna, 14);
	run_s(10);
	comes(&anna);
	buf_reset(&told);
	run_s(100);
	is("");
	leaves(&anna, 11);
	is("end 6; ");
}

static void keys_and_chat_are_the_callers_alone(void **state)
{
	(void)state;
	answered();
	call_room_ops.on_dtmf(&call, "ben", '5');
	call_room_ops.on_text(&call, "ben", "lk.chat", "hi", NULL);
	call_room_ops.on_text(&call, "anna", "other", "hi", NULL);
	is("");
	call_room_ops.on_dtmf(&call, "anna", '5');
	call_room_ops.on_text(&call, "anna", "lk.chat", "hi", NULL);
	is("key 5; script 5; typed \"hi\"; ");
}

/* The server ends our job somewhere between the two. */
static void a_rejoin_is_told_before_and_after(void **state)
{
	(void)state;
	answered();
	call.turn.state = "speaking";
	call_room_ops.on_link(&call, ROOM_RESUMING);
	call_room_ops.on_link(&call, ROOM_RESUMED);
	is("trouble; ");
	call_room_ops.on_link(&call, ROOM_REJOINING);
	is("rejoin; trouble; ");
	call_room_ops.on_link(&call, ROOM_REJOINED);
	is("rejoin; speaking; listen anna; ");
}

static void the_room_ends(void **state)
{
	(void)state;
	answered();
	call_room_ops.on_end(&call, ROOM_UNREACHABLE, "gave up");
	is("end 7; ");
	call_room_ops.on_link(&call, ROOM_REJOINED);
	call_room_ops.on_subscribed(&call);
	call_room_ops.on_dtmf(&call, "anna", '5');
	comes(&anna);
	is("");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answered_when_the_caller_can_hear_us),
		TEST(an_outbound_leg_is_answered_when_it_is_picked_up),
		TEST(nobody_comes),
		TEST(a_caller_who_never_hears_us_is_not_waited_for_long),
		TEST(a_lost_caller_may_come_back),
		TEST(a_caller_who_hangs_up_is_gone_at_once),
		TEST(a_caller_lost_before_the_answer_is_waited_for_anew),
		TEST(keys_and_chat_are_the_callers_alone),
		TEST(a_rejoin_is_told_before_and_after),
		TEST(the_room_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
