/* Aura's sockets and their pool, over the fake network: leases, limits,
 * flushes, Clear. */
#include "fake_net.h"

#include "provider/tts_int.h"

static struct clock *clk;
static struct providers *prov;
static char told[1024];
static struct failure failure;

static void note(void *arg, const struct tts_conn_event *e)
{
	size_t at = strlen(told);
	char *to = told + at;
	size_t cap = sizeof told - at;
	const char *gap = at ? " " : "";

	(void)arg;
	if (e->type == TTS_CONN_AUDIO)
		snprintf(to, cap, "%s%d:%zu", gap, e->part, e->n);
	else if (e->type == TTS_CONN_PART)
		snprintf(to, cap, "%spart%d", gap, e->part);
	else
		snprintf(to, cap, "%sfailed%d:%s", gap, e->part,
			 err_name(e->failure->err));
	if (e->failure)
		failure = *e->failure;
}

#define expect_told(text) \
	do { \
		assert_string_equal(told, text); \
		told[0] = 0; \
	} while (0)

static const struct provider_choice thalia = {
	.provider = "aura", .model = "aura-2-thalia-en",
};
static const struct provider_choice celeste = {
	.provider = "aura", .model = "aura-2-celeste-es",
};

static void begin(int sockets, int flushes)
{
	const struct providers_cfg cfg = {
		.deepgram_key = "k", .tts_sockets = sockets,
		.flushes_a_min = flushes,
		.deepgram_url = "https://dg.example/",
	};

	told[0] = 0;
	prov = fake_providers(&clk, &cfg);
}

static void finish(void)
{
	fake_providers_end(prov, clk);
}

static void *open_voice(const struct provider_choice *c, bool fresh)
{
	void *conn;

	assert_int_equal(tts_aura_ws.open(&conn, prov, c, fresh, note, NULL),
			 0);
	return conn;
}

static int say(void *conn, int part, const char *text)
{
	return tts_aura_ws.speak(conn, part, text);
}

#define FLUSHED "{\"type\":\"Flushed\",\"sequence_id\":0}"

static void an_utterance_is_spoken_in_order(void **state)
{
	(void)state;

	begin(0, 0);
	void *a = open_voice(&thalia, false);
	assert_int_equal(n_socks, 0); /* leased when text comes */
	assert_int_equal(say(a, 5, "One."), 0);
	assert_string_equal(socks[0]->url, "wss://dg.example/v1/speak?model="
			    "aura-2-thalia-en&encoding=linear16"
			    "&sample_rate=24000&mip_opt_out=true");
	assert_string_equal(socks[0]->auth, "Authorization: Token k");
	assert_int_equal(socks[0]->messages, 0);
	sock_opens(socks[0]);
	assert_string_equal(buf_str(&socks[0]->text),
			    "{\"type\":\"Speak\",\"text\":\"One.\"}\n"
			    "{\"type\":\"Flush\"}\n");
	sock_says(socks[0], "{\"type\":\"Metadata\"}");
	sock_plays(socks[0], "\1\2\3", 3);
	assert_int_equal(say(a, 6, "Two."), 0);
	sock_plays(socks[0], "\4\5", 2);
	sock_says(socks[0], FLUSHED);
	sock_plays(socks[0], "\1\2", 2);
	sock_says(socks[0], FLUSHED);
	expect_told("5:1 5:1 part5 6:1 part6");
	tts_aura_ws.close(a);
	assert_false(sock_sent(socks[0], "Clear"));
	finish();
}

static void a_finished_socket_serves_the_next_utterance(void **state)
{
	(void)state;

	begin(0, 0);
	void *a = open_voice(&thalia, false);
	say(a, 0, "One.");
	sock_opens(socks[0]);
	sock_says(socks[0], FLUSHED);
	tts_aura_ws.close(a);
	a = open_voice(&thalia, false);
	say(a, 0, "Two.");
	assert_int_equal(n_socks, 1);
	assert_true(sock_sent(socks[0], "Two."));
	/* another voice is another socket; a fresh one is too */
	void *b = open_voice(&celeste, false);
	say(b, 0, "Tres.");
	assert_int_equal(n_socks, 2);
	sock_says(socks[0], FLUSHED);
	tts_aura_ws.close(a);
	a = open_voice(&thalia, true);
	say(a, 0, "Three.");
	assert_int_equal(n_socks, 3);
	tts_aura_ws.close(a);
	tts_aura_ws.close(b);
	finish();
}

static void an_idle_socket_closes_after_a_while(void **state)
{
	(void)state;

	begin(0, 0);
	void *a = open_voice(&thalia, false);
	say(a, 0, "One.");
	sock_opens(socks[0]);
	sock_says(socks[0], FLUSHED);
	tts_aura_ws.close(a);
	clock_advance(clk, 29000000);
	assert_int_equal(tts_pool_count(prov->pool), 1);
	clock_advance(clk, 2000000);
	assert_int_equal(tts_pool_count(prov->pool), 0);
	assert_true(sock_sent(socks[0], "{\"type\":\"Close\"}"));
	assert_int_equal(socks[0]->close_code, 1000);
	finish();
}

static void a_cancelled_socket_is_cleared_before_it_is_used(void **state)
{
	(void)state;

	begin(0, 0);
	void *a = open_voice(&thalia, false);
	say(a, 0, "One.");
	sock_opens(socks[0]);
	sock_plays(socks[0], "\1\2", 2);
	tts_aura_ws.close(a);
	assert_true(sock_sent(socks[0], "{\"type\":\"Clear\"}"));
	told[0] = 0;
	/* what was in flight */
	sock_plays(socks[0], "\1\2", 2);
	sock_says(socks[0], FLUSHED);
	expect_told("");
	a = open_voice(&thalia, false);
	say(a, 1, "Two.");
	assert_int_equal(n_socks, 2);
	tts_aura_ws.close(a);
	sock_says(socks[0], "{\"type\":\"Cleared\",\"sequence_id\":1}");
	a = open_voice(&thalia, false);
	say(a, 2, "Three.");
	assert_true(sock_sent(socks[0], "Three."));
	sock_plays(socks[0], "\1\2", 2);
	expect_told("2:1");
	tts_aura_ws.close(a);
	/* one that does not answer is closed */
	clock_advance(clk, 2000000);
	assert_int_equal(socks[0]->close_code, 1000);
	finish();
}

static void flushes_used_up_lease_another_socket(void **state)
{
	(void)state;

	begin(0, 2);
	void *a = open_voice(&thalia, false);
	say(a, 0, "One.");
	say(a, 1, "Two."); /* both before it opened */
	assert_int_equal(say(a, 2, "Three."), 0);
	assert_int_equal(n_socks, 2);
	sock_opens(socks[0]);
	sock_opens(socks[1]);
	assert_false(sock_sent(socks[0], "Two."));
	assert_true(sock_sent(socks[1], "Three."));
	/* the sockets keep their parts apart */
	sock_plays(socks[1], "\1\2", 2);
	sock_plays(socks[0], "\1\2", 2);
	sock_says(socks[0], FLUSHED);
	assert_true(sock_sent(socks[0], "Two."));
	sock_says(socks[0], FLUSHED);
	sock_says(socks[1], FLUSHED);
	expect_told("2:1 0:1 part0 part1 part2");
	tts_aura_ws.close(a);
	/* the minute counts across utterances */
	a = open_voice(&thalia, false);
	say(a, 3, "Four.");
	assert_true(sock_sent(socks[1], "Four."));
	say(a, 4, "Five.");
	assert_int_equal(n_socks, 3);
	tts_aura_ws.close(a);
	finish();
}

static void over_the_limit_of_sockets_is_full(void **state)
{
	(void)state;

	begin(1, 0);
	void *a = open_voice(&thalia, false), *b = open_voice(&thalia, false);
	assert_true(providers_have_room(prov));
	assert_int_equal(say(a, 0, "One."), 0);
	assert_false(providers_have_room(prov));
	assert_int_equal(say(b, 0, "Two."), ERR_FULL);
	sock_opens(socks[0]);
	sock_says(socks[0], FLUSHED);
	tts_aura_ws.close(a);
	/* an idle socket of another voice makes room */
	void *c = open_voice(&celeste, false);
	assert_int_equal(say(c, 0, "Tres."), 0);
	assert_int_equal(tts_pool_count(prov->pool), 1);
	assert_int_equal(socks[0]->close_code, 1000);
	tts_aura_ws.close(b);
	tts_aura_ws.close(c);
	finish();
}

static void a_dying_socket_fails_all_it_owed(void **state)
{
	(void)state;

	begin(0, 0);
	void *a = open_voice(&thalia, false);
	say(a, 0, "One.");
	say(a, 1, "Two.");
	sock_opens(socks[0]);
	sock_plays(socks[0], "\1\2", 2);
	sock_ends(socks[0], ERR_CLOSED, 1006, NULL);
	expect_told("0:1 failed0:ERR_CLOSED failed1:ERR_CLOSED");
	assert_int_equal(tts_pool_count(prov->pool), 0);
	tts_aura_ws.close(a);
	finish();
}

static void a_refused_handshake_is_passed_on(void **state)
{
	(void)state;

	begin(0, 0);
	void *a = open_voice(&thalia, false);
	say(a, 0, "One.");
	sock_ends(socks[0], ERR_LIMIT, 429, "TOO_MANY_REQUESTS");
	expect_told("failed0:ERR_LIMIT");
	assert_false(failure.permanent);
	tts_aura_ws.close(a);
	finish();
}

static void an_idle_socket_that_dies_is_forgotten(void **state)
{
	(void)state;

	begin(0, 0);
	void *a = open_voice(&thalia, false);
	say(a, 0, "One.");
	sock_opens(socks[0]);
	sock_says(socks[0], FLUSHED);
	tts_aura_ws.close(a);
	told[0] = 0;
	sock_ends(socks[0], ERR_CLOSED, 1011, "NET-0001");
	expect_told("");
	assert_int_equal(tts_pool_count(prov->pool), 0);
	finish();
}

static void a_warning_about_flushes_fails_the_part(void **state)
{
	(void)state;

	begin(0, 0);
	void *a = open_voice(&thalia, false);
	say(a, 0, "One.");
	sock_opens(socks[0]);
	sock_says(socks[0], "{\"type\":\"Warning\",\"code\":\"OTHER\"}");
	expect_told("");
	sock_says(socks[0], "{\"type\":\"Warning\",\"code\":"
		  "\"EXCEEDED_FLUSH_LIMIT\"}");
	expect_told("failed0:ERR_LIMIT");
	tts_aura_ws.close(a);
	/* its text still lies at the server */
	assert_true(sock_sent(socks[0], "{\"type\":\"Clear\"}"));
	finish();
}

static void a_socket_that_does_not_open_is_not_waited_for_again(void **state)
{
	(void)state;

	begin(0, 0);
	void *a = open_voice(&thalia, false);
	say(a, 0, "One.");
	clock_advance(clk, 1500000);
	tts_aura_ws.close(a);
	a = open_voice(&thalia, false);
	say(a, 0, "Two.");
	assert_int_equal(n_socks, 2);
	tts_aura_ws.close(a);
	finish();
}

static void warming_opens_one_of_the_voice_used_last(void **state)
{
	(void)state;

	begin(0, 0);
	providers_warm(prov);
	assert_int_equal(n_socks, 0);
	assert_int_equal(n_warmed, 2);
	void *a = open_voice(&thalia, false);
	say(a, 0, "One.");
	sock_opens(socks[0]);
	sock_says(socks[0], FLUSHED);
	tts_aura_ws.close(a);
	clock_advance(clk, 40000000);
	providers_warm(prov);
	assert_int_equal(n_socks, 2);
	sock_opens(socks[1]);
	providers_warm(prov);
	assert_int_equal(n_socks, 2);
	a = open_voice(&thalia, false);
	say(a, 0, "Two.");
	assert_true(sock_sent(socks[1], "Two."));
	tts_aura_ws.close(a);
	/* or of the voice that is named; other providers have no sockets */
	const struct provider_choice rest = { .provider = "aura-rest",
					      .model = "aura-2-x-en" };
	providers_warm_voice(prov, &rest);
	assert_int_equal(n_socks, 2);
	providers_warm_voice(prov, &celeste);
	assert_int_equal(n_socks, 3);
	assert_non_null(strstr(socks[2]->url, "celeste"));
	finish();
}

static void a_failed_send_is_told_at_once(void **state)
{
	(void)state;

	begin(0, 0);
	void *a = open_voice(&thalia, false);
	say(a, 0, "One.");
	sock_opens(socks[0]);
	socks[0]->send_result = ERR_FULL;
	assert_int_equal(say(a, 1, "Two."), 0);
	sock_says(socks[0], FLUSHED);
	expect_told("part0 failed1:ERR_FULL");
	assert_int_equal(say(a, 2, "Three."), ERR_FULL);
	sock_says(socks[0], FLUSHED);
	expect_told("");
	tts_aura_ws.close(a);
	net_result = -ENOMEM;
	a = open_voice(&celeste, false);
	assert_int_equal(say(a, 0, "x"), -ENOMEM);
	tts_aura_ws.close(a);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_utterance_is_spoken_in_order),
		cmocka_unit_test(a_finished_socket_serves_the_next_utterance),
		cmocka_unit_test(an_idle_socket_closes_after_a_while),
		cmocka_unit_test(a_cancelled_socket_is_cleared_before_it_is_used),
		cmocka_unit_test(flushes_used_up_lease_another_socket),
		cmocka_unit_test(over_the_limit_of_sockets_is_full),
		cmocka_unit_test(a_dying_socket_fails_all_it_owed),
		cmocka_unit_test(a_refused_handshake_is_passed_on),
		cmocka_unit_test(an_idle_socket_that_dies_is_forgotten),
		cmocka_unit_test(a_warning_about_flushes_fails_the_part),
		cmocka_unit_test(a_socket_that_does_not_open_is_not_waited_for_again),
		cmocka_unit_test(warming_opens_one_of_the_voice_used_last),
		cmocka_unit_test(a_failed_send_is_told_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
