/* One shape for every way in which a provider fails. */
#include "unit.h"

#include "provider/provider_int.h"

static struct failure http(long status, const char *body, const char *ms,
			   const char *s)
{
	struct failure f;

	const struct retry_headers h = { ms, s, NULL };
	failure_http(&f, status, body, body ? strlen(body) : 0, &h);
	return f;
}

static void a_status_says_whether_to_try_again(void **state)
{
	(void)state;
	static const struct {
		long status;
		int err;
		bool permanent;
	} rows[] = {
		{ 400, ERR_REQUEST, true }, { 401, ERR_AUTH, true },
		{ 402, ERR_AUTH, true }, { 403, ERR_AUTH, true },
		{ 404, ERR_REQUEST, true }, { 408, -ETIMEDOUT, false },
		{ 409, ERR_REQUEST, false }, { 429, ERR_LIMIT, false },
		{ 500, ERR_SERVER, false }, { 503, ERR_SERVER, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct failure f = http(rows[i].status, "{}", NULL, NULL);
		assert_int_equal(f.err, rows[i].err);
		assert_int_equal(f.permanent, rows[i].permanent);
		assert_int_equal(f.retry_ms, -1);
	}
}

static void used_up_quota_is_no_rate_limit(void **state)
{
	(void)state;
	struct failure f = http(429, "{\"error\":{\"message\":\"You exceeded\","
				"\"type\":\"insufficient_quota\",\"param\":null,"
				"\"code\":\"insufficient_quota\"}}", NULL, "1");

	assert_int_equal(f.err, ERR_LIMIT);
	assert_true(f.permanent);
	assert_string_equal(f.why, "HTTP 429 insufficient_quota");
	f = http(429, "{\"error\":{\"type\":\"tokens\",\"code\":"
		 "\"rate_limit_exceeded\"}}", NULL, NULL);
	assert_false(f.permanent);
}

static void retry_headers_are_read_in_their_units(void **state)
{
	(void)state;

	assert_int_equal(http(429, "", "250", "9").retry_ms, 250);
	assert_int_equal(http(429, "", NULL, "2").retry_ms, 2000);
	assert_int_equal(http(429, "", NULL, "0.5").retry_ms, 500);
	assert_int_equal(http(429, "", NULL,
			      "Mon, 23 Nov 2026 20:00:00 GMT").retry_ms, -1);
	assert_int_equal(http(429, "", "-5", NULL).retry_ms, -1);
	assert_int_equal(http(429, "", "nan", NULL).retry_ms, -1);
	assert_int_equal(http(429, "", "1e300", NULL).retry_ms, -1);
}

static void the_server_may_forbid_a_retry(void **state)
{
	(void)state;
	const struct retry_headers no = { NULL, NULL, "false" };
	const struct retry_headers yes = { NULL, NULL, "true" };
	struct failure f;

	failure_http(&f, 503, NULL, 0, &no);
	assert_true(f.permanent);
	failure_http(&f, 503, NULL, 0, &yes);
	assert_false(f.permanent);
	failure_http(&f, 503, NULL, 0, NULL);
	assert_false(f.permanent);
}

static void a_message_never_reaches_the_reason(void **state)
{
	(void)state;
	struct failure f = http(401, "{\"error\":{\"message\":\"Incorrect key "
				"sk-secret\",\"type\":\"a key sk-secret\","
				"\"code\":\"invalid_api_key\"}}", NULL, NULL);

	assert_string_equal(f.why, "HTTP 401 invalid_api_key");
	f = http(400, "{\"error\":{\"code\":\"the caller said hello\"}}", NULL,
		 NULL);
	assert_string_equal(f.why, "HTTP 400");
	f = http(401, "{\"err_code\":\"INVALID_AUTH\",\"err_msg\":\"Invalid "
		 "credentials.\"}", NULL, NULL);
	assert_string_equal(f.why, "HTTP 401 INVALID_AUTH");
	f = http(502, "<html>Bad Gateway</html>", NULL, NULL);
	assert_string_equal(f.why, "HTTP 502");
}

static void an_unexpected_success_is_a_protocol_error(void **state)
{
	(void)state;

	assert_int_equal(http(302, "", NULL, NULL).err, ERR_PROTOCOL);
	assert_int_equal(http(204, "", NULL, NULL).err, ERR_PROTOCOL);
}

static void close_reasons_are_read_in_both_forms(void **state)
{
	(void)state;
	struct failure f;

	failure_ws(&f, true, ERR_CLOSED, 1011, "NET-0001");
	assert_int_equal(f.err, ERR_STALLED);
	assert_string_equal(f.why, "closed 1011 net-0001");
	failure_ws(&f, true, ERR_CLOSED, 1011, "Deepgram did not receive audio "
		   "data. See https://dpgr.am/net0001");
	assert_int_equal(f.err, ERR_STALLED);
	failure_ws(&f, true, ERR_CLOSED, 1008, "DATA-0000");
	assert_int_equal(f.err, ERR_REQUEST);
	assert_true(f.permanent);
	failure_ws(&f, true, ERR_CLOSED, 1011, "NET-0003 time limit");
	assert_int_equal(f.err, ERR_CLOSED);
	failure_ws(&f, true, ERR_CLOSED, 1006, NULL);
	assert_int_equal(f.err, ERR_CLOSED);
	assert_string_equal(f.why, "closed 1006");
}

static void a_refused_handshake_is_an_http_failure(void **state)
{
	(void)state;
	struct failure f;

	failure_ws(&f, false, ERR_AUTH, 401, "{\"err_code\":\"INVALID_AUTH\"}");
	assert_int_equal(f.err, ERR_AUTH);
	assert_string_equal(f.why, "HTTP 401 INVALID_AUTH");
	failure_ws(&f, false, ERR_LIMIT, 429, "Too Many Requests");
	assert_int_equal(f.err, ERR_LIMIT);
	assert_false(f.permanent);
	failure_ws(&f, false, -ECONNREFUSED, 0, "connection refused");
	assert_int_equal(f.err, -ECONNREFUSED);
	assert_false(f.permanent);
}

static void an_error_in_a_stream_is_read_by_its_code(void **state)
{
	(void)state;
	struct failure f;
	cJSON *e = cJSON_Parse("{\"code\":\"rate_limit_exceeded\","
			       "\"message\":\"wait\"}");

	failure_error(&f, e);
	cJSON_Delete(e);
	assert_int_equal(f.err, ERR_LIMIT);
	assert_string_equal(f.why, "error rate_limit_exceeded");
	failure_error(&f, NULL);
	assert_int_equal(f.err, ERR_SERVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_status_says_whether_to_try_again),
		cmocka_unit_test(used_up_quota_is_no_rate_limit),
		cmocka_unit_test(retry_headers_are_read_in_their_units),
		cmocka_unit_test(the_server_may_forbid_a_retry),
		cmocka_unit_test(a_message_never_reaches_the_reason),
		cmocka_unit_test(an_unexpected_success_is_a_protocol_error),
		cmocka_unit_test(close_reasons_are_read_in_both_forms),
		cmocka_unit_test(a_refused_handshake_is_an_http_failure),
		cmocka_unit_test(an_error_in_a_stream_is_read_by_its_code),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
