/* Voices over requests: Aura's REST and /audio/speech, over the fake network. */
#include "fake_net.h"

#include "provider/tts_int.h"

static struct clock *clk;
static struct providers *prov;
static void *conn;
static const struct tts_ops *ops;
static char told[1024];
static struct failure failure;
static bool close_on_event;

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
	if (close_on_event) {
		ops->close(conn);
		conn = NULL;
	}
}

#define expect_told(text) \
	do { \
		assert_string_equal(told, text); \
		told[0] = 0; \
	} while (0)

static void begin_with(const struct providers_cfg *cfg,
		       const struct tts_ops *which,
		       const struct provider_choice *c)
{
	told[0] = 0;
	close_on_event = false;
	ops = which;
	prov = fake_providers(&clk, cfg);
	assert_int_equal(ops->open(&conn, prov, c, false, note, NULL), 0);
}

static const struct provider_choice coral = {
	.provider = "speech", .model = "kokoro", .voice = "co\"ral",
};
static const struct provider_choice thalia = {
	.provider = "aura-rest", .model = "aura-2-thalia-en",
};

static void begin(void)
{
	const struct providers_cfg cfg = {
		.openai_key = "sk-x", .speech_base_url = "http://tts:1/v1/",
		.speech_key = "sp",
	};

	begin_with(&cfg, &tts_speech, &coral);
}

static void finish(void)
{
	if (conn)
		ops->close(conn);
	conn = NULL;
	fake_providers_end(prov, clk);
}

static void speech_asks_for_raw_samples(void **state)
{
	(void)state;

	begin();
	assert_int_equal(ops->speak(conn, 3, "Say \"ah\"."), 0);
	assert_string_equal(requests[0]->url, "http://tts:1/v1/audio/speech");
	assert_string_equal(requests[0]->auth, "Authorization: Bearer sp");
	assert_string_equal(requests[0]->body, "{\"model\":\"kokoro\","
			    "\"voice\":\"co\\\"ral\",\"response_format\":"
			    "\"pcm\",\"input\":\"Say \\\"ah\\\".\"}");
	finish();
}

static void another_server_is_not_shown_openais_key(void **state)
{
	(void)state;
	struct providers_cfg cfg = { .openai_key = "sk-x",
				     .speech_base_url = "http://tts:1/v1" };

	begin_with(&cfg, &tts_speech, &coral);
	ops->speak(conn, 0, "a");
	assert_null(requests[0]->auth);
	finish();
	cfg.speech_base_url = NULL;
	begin_with(&cfg, &tts_speech, &coral);
	ops->speak(conn, 0, "a");
	assert_string_equal(requests[0]->url,
			    "https://api.openai.com/v1/audio/speech");
	assert_string_equal(requests[0]->auth, "Authorization: Bearer sk-x");
	finish();
}

static void aura_rest_asks_without_a_container(void **state)
{
	(void)state;
	const struct providers_cfg cfg = { .deepgram_key = "k",
		.deepgram_url = "ws://127.0.0.1:5" };

	begin_with(&cfg, &tts_aura_rest, &thalia);
	ops->speak(conn, 0, "Hi");
	assert_string_equal(requests[0]->url, "http://127.0.0.1:5/v1/speak?"
			    "model=aura-2-thalia-en&encoding=linear16"
			    "&sample_rate=24000&container=none"
			    "&mip_opt_out=true");
	assert_string_equal(requests[0]->auth, "Authorization: Token k");
	assert_string_equal(requests[0]->body, "{\"text\":\"Hi\"}");
	http_answers(requests[0], 200, "audio/l16;rate=24000");
	http_gives(requests[0], "\1\2\3", 3);
	http_gives(requests[0], "\4", 1);
	http_ends(requests[0], 0, 200);
	expect_told("0:1 0:1 part0");
	finish();
}

static void two_parts_are_under_way_at_once(void **state)
{
	(void)state;

	begin();
	ops->speak(conn, 0, "One.");
	ops->speak(conn, 1, "Two.");
	http_answers(requests[1], 200, "audio/pcm");
	http_answers(requests[0], 200, "audio/pcm");
	http_gives(requests[1], "\1\2\3", 3);
	http_gives(requests[0], "\1\2\3\4", 4);
	http_gives(requests[1], "\4", 1);
	http_ends(requests[1], 0, 200);
	http_ends(requests[0], 0, 200);
	expect_told("1:1 0:2 1:1 part1 part0");
	finish();
}

static void an_event_stream_is_read_as_one(void **state)
{
	(void)state;

	begin();
	ops->speak(conn, 0, "One.");
	http_answers(requests[0], 200, "text/event-stream");
	http_says(requests[0], "data: {\"type\":\"speech.audio.delta\","
		  "\"audio\":\"AQAC\"}\n\ndata: {\"type\":\"speech.aud");
	http_says(requests[0], "io.delta\",\"audio\":\"AA==\"}\n\n"
		  "data: {\"type\":\"speech.audio.done\"}\n\n");
	http_ends(requests[0], 0, 200);
	expect_told("0:1 0:1 part0");
	finish();
}

static void packed_audio_is_not_played_as_noise(void **state)
{
	(void)state;

	begin();
	ops->speak(conn, 0, "One.");
	http_answers(requests[0], 200, "audio/mpeg");
	http_gives(requests[0], "\1\2\3\4", 4);
	http_ends(requests[0], 0, 200);
	expect_told("failed0:ERR_PROTOCOL");
	finish();
}

static void refusals_and_cuts_are_failures(void **state)
{
	(void)state;

	begin();
	ops->speak(conn, 0, "One.");
	requests[0]->retry_after = "1";
	http_answers(requests[0], 429, "application/json");
	http_says(requests[0], "{\"err_code\":\"TOO_MANY_REQUESTS\"}");
	http_ends(requests[0], 0, 429);
	expect_told("failed0:ERR_LIMIT");
	assert_string_equal(failure.why, "HTTP 429 TOO_MANY_REQUESTS");
	assert_int_equal(failure.retry_ms, 1000);
	ops->speak(conn, 1, "Two.");
	http_answers(requests[1], 200, "audio/pcm");
	http_gives(requests[1], "\1\2", 2);
	http_ends(requests[1], ERR_CLOSED, 200);
	expect_told("1:1 failed1:ERR_CLOSED");
	ops->speak(conn, 2, "Three.");
	http_ends(requests[2], -ECONNREFUSED, 0);
	expect_told("failed2:ECONNREFUSED");
	finish();
}

static void closing_drops_all_requests(void **state)
{
	(void)state;

	for (int kind = 0; kind < 3; kind++) {
		begin();
		ops->speak(conn, 0, "One.");
		ops->speak(conn, 1, "Two.");
		http_answers(requests[0], 200, kind == 1 ? "text/event-stream" :
			     "audio/pcm");
		close_on_event = true;
		if (kind == 0)
			http_gives(requests[0], "\1\2", 2);
		if (kind == 1)
			http_says(requests[0], "data: {\"type\":"
				  "\"speech.audio.delta\",\"audio\":\"AQA=\"}"
				  "\n\ndata: {\"type\":\"speech.audio.delta\","
				  "\"audio\":\"AQA=\"}\n\n");
		if (kind == 2)
			http_ends(requests[0], 0, 200);
		assert_null(conn);
		assert_true(requests[1]->cancelled);
		finish();
	}
}

static void a_failed_start_is_told_at_once(void **state)
{
	(void)state;

	begin();
	net_result = -ENOMEM;
	assert_int_equal(ops->speak(conn, 0, "One."), -ENOMEM);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(speech_asks_for_raw_samples),
		cmocka_unit_test(another_server_is_not_shown_openais_key),
		cmocka_unit_test(aura_rest_asks_without_a_container),
		cmocka_unit_test(two_parts_are_under_way_at_once),
		cmocka_unit_test(an_event_stream_is_read_as_one),
		cmocka_unit_test(packed_audio_is_not_played_as_noise),
		cmocka_unit_test(refusals_and_cuts_are_failures),
		cmocka_unit_test(closing_drops_all_requests),
		cmocka_unit_test(a_failed_start_is_told_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
