/*
 * leg: ringing, ending and handing over the phone leg. The server's API and
 * the rest of the call are played by this file.
 */
#include "unit.h"

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "call/call_int.h"

/* ---- the server's API: one request at a time --------------------------------- */

struct lk_call {
	lk_result_h *fn;
	void *arg;
};
static struct lk_call request;
static struct call call;
static struct buf told;
static bool speaking, sounding;
static int n_gone;

static struct lk_call *ask(lk_result_h *fn, void *arg)
{
	assert_null(request.fn);
	request = (struct lk_call){ .fn = fn, .arg = arg };
	return &request;
}

struct lk_call *lk_remove_participant(struct lk_api *api, const char *room,
				      const char *identity, lk_result_h *fn,
				      void *arg)
{
	assert_non_null(api);
	buf_printf(&told, "remove %s from %s; ", identity, room);
	return ask(fn, arg);
}

struct lk_call *lk_transfer_sip(struct lk_api *api, const char *room,
				const char *identity, const char *to,
				int ring_s, bool dialtone, lk_result_h *fn,
				void *arg)
{
	(void)api;
	(void)room;
	(void)ring_s;
	assert_true(dialtone);
	buf_printf(&told, "%s to %s; ", identity, to);
	return ask(fn, arg);
}

struct lk_call *lk_dial_sip(struct lk_api *api, const struct lk_dial *d,
			    lk_result_h *fn, void *arg)
{
	(void)api;
	assert_false(d->wait);
	buf_printf(&told, "dial %s by %s from %s into %s; ", d->to,
		   d->trunk_id, d->from ? d->from : "-", d->room);
	return ask(fn, arg);
}

void lk_api_cancel(struct lk_call *c)
{
	if (!c)
		return;
	assert_non_null(c->fn);
	c->fn = NULL;
	buf_puts(&told, "cancel; ");
}

static void answers(int err, int sip_status)
{
	struct lk_call r = request;

	request.fn = NULL;
	r.fn(r.arg, &(struct lk_result){ .err = err, .sip_status = sip_status,
		.code = "", .message = "", .sip_text = "" });
}

/* ---- the rest of a call ------------------------------------------------------ */

void call_finish(struct call *c, enum call_end end)
{
	c->ended = true;
	buf_printf(&told, "end %d; ", end);
}

void call_busy_check(struct call *c)
{
	buf_puts(&told, c->transfer_to ? "busy; " : "quiet; ");
}

bool speech_busy(const struct speech *s)
{
	(void)s;
	return speaking;
}

struct utterance *speech_sounding(const struct speech *s)
{
	static struct utterance u;

	(void)s;
	return sounding ? &u : NULL;
}

static void transferred(void *arg, int err, int sip_status)
{
	assert_ptr_equal(arg, &call);
	buf_printf(&told, "script %d %d; ", err, sip_status);
}

static void on_gone(void *arg)
{
	(void)arg;
	n_gone++;
}

static void no_log(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static struct call_host host;

static int setup(void **state)
{
	(void)state;
	log_set_sink(no_log, NULL);
	host = (struct call_host){ .api = (struct lk_api *)&host,
				   .on_gone = on_gone };
	call = (struct call){ .host = &host, .id = "c1", .room_name = "room",
			      .caller = "anna", .caller_kind = LK_SIP };
	request.fn = NULL;
	speaking = sounding = false;
	n_gone = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	leg_finish(&call);
	buf_free(&told);
	log_set_sink(NULL, NULL);
	return 0;
}

static void is(const char *want)
{
	assert_string_equal(buf_str(&told), want);
	buf_reset(&told);
}

/* ---- tests ------------------------------------------------------------------ */

/* A job that ends must not take the request with it: the phone would ring on. */
static void a_hangup_is_waited_for(void **state)
{
	(void)state;
	leg_hang_up(&call);
	is("remove anna from room; ");
	assert_int_equal(host.n_open, 1);
	answers(0, 0);
	assert_int_equal(host.n_open, 0);
	assert_int_equal(n_gone, 1);
	leg_hang_up(&call);
	answers(ERR_SERVER, 0); /* told in the log, and no longer waited for */
	assert_int_equal(host.n_open, 0);
	is("remove anna from room; ");
}

static void nobody_is_removed_when_nobody_came(void **state)
{
	(void)state;
	call.caller = NULL;
	leg_hang_up(&call);
	is("");
	assert_int_equal(host.n_open, 0);
}

static void a_transfer_waits_for_our_last_words(void **state)
{
	(void)state;
	speaking = true;
	assert_int_equal(call_transfer(&call, "+92211", transferred, &call), 0);
	is("busy; ");
	speaking = false;
	leg_transfer_start(&call); /* as the end of the utterance does */
	is("anna to tel:+92211; ");
	leg_transfer_start(&call);
	is(""); /* once */
	answers(0, 0);
	is("script 0 0; end 2; ");
}

static void a_failed_transfer_gives_the_call_back(void **state)
{
	(void)state;
	assert_int_equal(call_transfer(&call, "sip:desk@clinic", transferred,
				       &call), 0);
	is("busy; anna to sip:desk@clinic; ");
	answers(ERR_REQUEST, 486);
	char *want = str_printf("script %d 486; quiet; ", ERR_REQUEST);
	is(want);
	free(want);
	assert_int_equal(call_transfer(&call, "+1", transferred, &call), 0);
	is("busy; anna to tel:+1; ");
}

static void what_cannot_be_transferred_is_refused(void **state)
{
	(void)state;
	assert_int_equal(call_transfer(&call, " ", NULL, NULL), ERR_REQUEST);
	call.caller_kind = LK_STANDARD;
	assert_int_equal(call_transfer(&call, "+1", NULL, NULL), ERR_REQUEST);
	call.caller_kind = LK_SIP;
	assert_int_equal(call_transfer(&call, "+1", NULL, NULL), 0);
	assert_int_equal(call_transfer(&call, "+2", NULL, NULL), ERR_REQUEST);
	call.ended = true;
	assert_int_equal(call_transfer(&call, "+1", NULL, NULL), ERR_GONE);
	call.ended = false;
	buf_reset(&told);
}

static void a_script_that_is_gone_is_not_told(void **state)
{
	(void)state;
	call_transfer(&call, "+1", transferred, &call);
	call_transfer_forget(&call);
	buf_reset(&told);
	answers(ERR_SERVER, 0);
	is("quiet; ");
}

static void the_end_of_a_call_drops_its_requests(void **state)
{
	(void)state;
	call_transfer(&call, "+1", transferred, &call);
	buf_reset(&told);
	leg_finish(&call);
	is("cancel; ");
	leg_finish(&call);
	is("");
}

static void the_dispatch_may_ask_for_a_phone(void **state)
{
	(void)state;
	call.caller = NULL;
	call.metadata = "{\"dial\":{\"to\":\"+92\",\"trunk\":\"ST_1\"}}";
	leg_dial(&call);
	leg_dial(&call); /* again after a rejoin: it rings already */
	is("dial +92 by ST_1 from - into room; ");
	answers(0, 0);
	is("");
}

static void a_phone_that_cannot_be_rung_ends_the_call(void **state)
{
	(void)state;
	call.caller = NULL;
	call.metadata = "{\"dial\":{\"to\":\"+92\",\"trunk\":\"ST_1\","
			"\"from\":\"+1\"}}";
	leg_dial(&call);
	is("dial +92 by ST_1 from +1 into room; ");
	answers(ERR_REQUEST, 404);
	is("end 6; ");
}

static void other_metadata_dials_nobody(void **state)
{
	static const char *const others[] = { NULL, "", "hello", "{}",
		"{\"dial\":{}}", "{\"dial\":{\"to\":\"+92\"}}", "[1]" };

	(void)state;
	call.caller = NULL;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		call.metadata = (char *)others[i];
		call.dialled = false;
		leg_dial(&call);
	}
	is("");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_hangup_is_waited_for),
		TEST(nobody_is_removed_when_nobody_came),
		TEST(a_transfer_waits_for_our_last_words),
		TEST(a_failed_transfer_gives_the_call_back),
		TEST(what_cannot_be_transferred_is_refused),
		TEST(a_script_that_is_gone_is_not_told),
		TEST(the_end_of_a_call_drops_its_requests),
		TEST(the_dispatch_may_ask_for_a_phone),
		TEST(a_phone_that_cannot_be_rung_ends_the_call),
		TEST(other_metadata_dials_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
