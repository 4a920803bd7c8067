/* Deepgram's /v1/listen: what is asked, sent and understood, over the fake
 * network. */
#include "fake_net.h"

#include <math.h>

#include "provider/stt_int.h"

static struct clock *clk;
static struct providers *prov;
static void *conn;
static char told[1024];
static struct failure failure;
static double start_s, end_s, word_s;

static void note(void *arg, const struct stt_conn_event *e)
{
	static const char *const names[] = { "open", "speech", "result", "end",
					     "failed" };
	size_t at = strlen(told);

	(void)arg;
	snprintf(told + at, sizeof told - at, "%s%s", at ? " " : "",
		 names[e->type]);
	if (e->failure)
		failure = *e->failure;
	if (!e->result)
		return;
	const struct stt_result *r = e->result;
	at = strlen(told);
	snprintf(told + at, sizeof told - at, ":%s%s%s:%s:%s",
		 r->final ? "F" : "", r->ends ? "E" : "",
		 r->flushed ? "Z" : "", r->text,
		 r->language ? r->language : "");
	start_s = r->start_s;
	end_s = r->end_s;
	word_s = r->n_words ? r->words[0].start_s : -1;
}

static const struct provider_choice nova = { .provider = "deepgram",
					     .model = "nova-3",
					     .language = "en" };

static void begin(const struct provider_choice *c)
{
	const struct providers_cfg cfg = {
		.deepgram_key = "dgkey", .stt_streams = 2,
		.deepgram_url = "ws://127.0.0.1:9/v1/",
	};

	told[0] = 0;
	prov = fake_providers(&clk, &cfg);
	assert_int_equal(stt_deepgram.open(&conn, prov, c, 250, note, NULL), 0);
}

static void finish(void)
{
	if (conn)
		stt_deepgram.close(conn);
	conn = NULL;
	fake_providers_end(prov, clk);
}

#define expect_told(text) \
	do { \
		assert_string_equal(told, text); \
		told[0] = 0; \
	} while (0)

static void the_address_asks_for_everything_needed(void **state)
{
	(void)state;
	static const char *const terms[] = { "Bright Smile", "Dr. O\xc3\xb1""a",
					     NULL };
	const struct provider_choice c = {
		.provider = "deepgram", .model = "nova-3",
		.language = "multi", .keyterms = terms,
	};

	begin(&c);
	assert_true(str_has_prefix(socks[0]->url, "ws://127.0.0.1:9/v1/listen?"));
	assert_string_equal(socks[0]->auth, "Authorization: Token dgkey");
	static const char *const parts[] = {
		"model=nova-3", "&language=multi", "&encoding=linear16",
		"&sample_rate=16000", "&interim_results=true",
		"&vad_events=true", "&smart_format=true", "&punctuate=true",
		"&endpointing=250", "&utterance_end_ms=1000",
		"&mip_opt_out=true", "&keyterm=Bright%20Smile",
		"&keyterm=Dr.%20O%C3%B1a",
	};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		assert_non_null(strstr(socks[0]->url, parts[i]));
	finish();
}

static void audio_goes_out_in_whole_messages(void **state)
{
	(void)state;
	int16_t pcm[1600] = { 0 };

	begin(&nova);
	assert_int_equal(stt_deepgram.push(conn, pcm, 320), ERR_CLOSED);
	sock_opens(socks[0]);
	expect_told("open");
	assert_int_equal(stt_deepgram.push(conn, pcm, 320), 0);
	assert_int_equal(socks[0]->messages, 0);
	assert_int_equal(stt_deepgram.push(conn, pcm, 320), 0);
	assert_int_equal(socks[0]->messages, 1);
	assert_int_equal(socks[0]->audio_bytes, 1280);
	stt_deepgram.push(conn, pcm, 1600);
	assert_int_equal(socks[0]->audio_bytes, 1280 + 2 * 1280);
	/* flush sends the rest first, and nothing when there is none */
	assert_int_equal(stt_deepgram.flush(conn), 0);
	assert_int_equal(socks[0]->audio_bytes, 1280 + 3200);
	assert_true(sock_sent(socks[0], "{\"type\":\"Finalize\"}\n"));
	assert_int_equal(stt_deepgram.flush(conn), 0);
	assert_int_equal(socks[0]->empty_messages, 0);
	socks[0]->send_result = ERR_FULL;
	assert_int_equal(stt_deepgram.push(conn, pcm, 1600), ERR_FULL);
	finish();
}

static void a_quiet_line_is_kept_alive(void **state)
{
	(void)state;
	int16_t pcm[640] = { 0 };

	begin(&nova);
	sock_opens(socks[0]);
	/* the first thing it must hear is audio */
	clock_advance(clk, 5000000);
	assert_int_equal(socks[0]->audio_bytes, 3200);
	assert_false(sock_sent(socks[0], "KeepAlive"));
	clock_advance(clk, 4999000);
	assert_false(sock_sent(socks[0], "KeepAlive"));
	clock_advance(clk, 1000);
	assert_true(sock_sent(socks[0], "{\"type\":\"KeepAlive\"}\n"));
	size_t n = socks[0]->text.len;
	clock_advance(clk, 4000000);
	stt_deepgram.push(conn, pcm, 640);
	clock_advance(clk, 4000000);
	assert_int_equal(socks[0]->text.len, n);
	/* that silence does not count in times */
	sock_says(socks[0], "{\"type\":\"Results\",\"start\":0.5,"
		  "\"duration\":1,\"channel\":{\"alternatives\":[{"
		  "\"transcript\":\"hi\",\"words\":[{\"word\":\"hi\","
		  "\"start\":0.6,\"end\":0.8}]}]}}");
	assert_true(fabs(start_s - 0.4) < 0.001);
	assert_true(fabs(end_s - 1.4) < 0.001);
	assert_true(fabs(word_s - 0.5) < 0.001);
	finish();
}

static void messages_are_understood(void **state)
{
	(void)state;

	begin(&nova);
	sock_opens(socks[0]);
	told[0] = 0;
	sock_says(socks[0], "{\"type\":\"SpeechStarted\",\"timestamp\":9}");
	sock_says(socks[0], "{\"type\":\"Results\",\"channel_index\":[0,1],"
		  "\"start\":3.21,\"duration\":1.44,\"is_final\":true,"
		  "\"speech_final\":false,\"from_finalize\":true,\"channel\":"
		  "{\"alternatives\":[{\"transcript\":\"a table for two\","
		  "\"confidence\":0.98,\"languages\":[\"en\"],\"words\":[{"
		  "\"word\":\"table\",\"punctuated_word\":\"Table\","
		  "\"start\":3.41,\"end\":3.71}]}]}}");
	sock_says(socks[0], "{\"type\":\"Results\",\"speech_final\":true}");
	sock_says(socks[0], "{\"type\":\"UtteranceEnd\",\"last_word_end\":-1}");
	sock_says(socks[0], "{\"type\":\"Metadata\"}");
	sock_says(socks[0], "{\"type\":\"BrandNew\",\"x\":[1,2]}");
	sock_says(socks[0], "{\"type\":\"Error\",\"description\":\"d\"}");
	sock_says(socks[0], "not json");
	sock_says(socks[0], "{\"type\":7}");
	sock_plays(socks[0], "\1\2\3", 3);
	expect_told("speech result:FZ:a table for two:en result:FE:: end");
	finish();
}

static void wild_numbers_do_no_harm(void **state)
{
	(void)state;

	begin(&nova);
	sock_opens(socks[0]);
	sock_says(socks[0], "{\"type\":\"Results\",\"start\":1e300,"
		  "\"duration\":-5,\"channel\":{\"alternatives\":[{\"words\":"
		  "[{\"word\":\"x\",\"start\":-1,\"end\":1e999},7,{}]}]}}");
	assert_true(start_s == 0 && end_s == 0 && word_s == 0);
	finish();
}

static void refusals_and_closes_are_failures(void **state)
{
	(void)state;

	begin(&nova);
	sock_ends(socks[0], ERR_AUTH, 401, "{\"err_code\":\"INVALID_AUTH\"}");
	expect_told("failed");
	assert_int_equal(failure.err, ERR_AUTH);
	assert_true(failure.permanent);
	finish();
	begin(&nova);
	sock_opens(socks[0]);
	sock_ends(socks[0], ERR_CLOSED, 1011, "https://dpgr.am/net0001");
	expect_told("open failed");
	assert_int_equal(failure.err, ERR_STALLED);
	finish();
}

static void streams_are_counted_against_the_limit(void **state)
{
	(void)state;
	void *second, *third;

	begin(&nova);
	assert_true(providers_have_room(prov));
	assert_int_equal(stt_deepgram.open(&second, prov, &nova, 1, note, NULL),
			 0);
	assert_false(providers_have_room(prov));
	assert_int_equal(stt_deepgram.open(&third, prov, &nova, 1, note, NULL),
			 ERR_FULL);
	stt_deepgram.close(second);
	assert_true(providers_have_room(prov));
	net_result = -ENOMEM;
	assert_int_equal(stt_deepgram.open(&third, prov, &nova, 1, note, NULL),
			 -ENOMEM);
	assert_true(providers_have_room(prov));
	finish();
}

static void closing_says_goodbye_once(void **state)
{
	(void)state;

	begin(&nova);
	sock_opens(socks[0]);
	told[0] = 0;
	stt_deepgram.close(conn);
	conn = NULL;
	assert_true(sock_sent(socks[0], "{\"type\":\"CloseStream\"}\n"));
	assert_int_equal(socks[0]->close_code, 1000);
	clock_advance(clk, 60000000);
	expect_told("");
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_address_asks_for_everything_needed),
		cmocka_unit_test(audio_goes_out_in_whole_messages),
		cmocka_unit_test(a_quiet_line_is_kept_alive),
		cmocka_unit_test(messages_are_understood),
		cmocka_unit_test(wild_numbers_do_no_harm),
		cmocka_unit_test(refusals_and_closes_are_failures),
		cmocka_unit_test(streams_are_counted_against_the_limit),
		cmocka_unit_test(closing_says_goodbye_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
