/* The server API: requests as the server wants them, errors as callers do. */
#include "fake_net.h"

#include "base/json.h"
#include "livekit/livekit.h"

static const struct lk_account acc = { "wss://x.example/", "key", "secret" };
static struct lk_api *api;
static char trail[512];

static void on_result(void *arg, const struct lk_result *res)
{
	size_t n = strlen(trail);

	snprintf(trail + n, sizeof trail - n, "%s %s %s '%s' %d '%s'%s;",
		 (const char *)arg, err_name(res->err), res->code, res->message,
		 res->sip_status, res->sip_text, res->body ? " body" : "");
}

static void expect(const char *want)
{
	assert_string_equal(trail, want);
	trail[0] = 0;
}

static int setup(void **state)
{
	trail[0] = 0;
	int r = fake_setup(state);
	lk_api_create(&api, &fake_loop, &acc);
	return r;
}

static int teardown(void **state)
{
	lk_api_close(api);
	return fake_teardown(state);
}

static struct http *request_now(void)
{
	pass_ms(0);
	assert_true(n_requests > 0);
	return requests[n_requests - 1];
}

static void answers(struct http *h, long status, const char *body)
{
	assert_false(h->done || h->cancelled);
	h->done = true;
	h->ops.on_done(h->arg, 0, status, body, strlen(body));
}

static cJSON *claims_of(const struct http *h)
{
	struct buf b = { 0 };
	char *dot = strchr(h->auth, '.') + 1;
	char *part = str_printf("%.*s", (int)strcspn(dot, "."), dot);

	assert_int_equal(base64_decode(&b, part), 0);
	cJSON *json = json_parse(b.p, b.len);
	free(part);
	buf_free(&b);
	return json;
}

static void a_dispatch_is_asked_for_with_a_grant_for_its_room(void **state)
{
	(void)state;
	lk_create_dispatch(api, "r1", "clinic", "{\"a\":1}", on_result, "d");
	struct http *h = request_now();
	assert_string_equal(h->url,
		"https://x.example/twirp/livekit.AgentDispatchService/CreateDispatch");
	assert_string_equal(h->body, "{\"room\":\"r1\",\"agent_name\":\"clinic\","
				     "\"metadata\":\"{\\\"a\\\":1}\"}");
	cJSON *c = claims_of(h);
	const cJSON *video = json_get(c, "video");
	assert_string_equal(json_str(video, "room"), "r1");
	assert_true(json_bool(video, "roomAdmin", false));
	cJSON_Delete(c);
	expect("");
	answers(h, 200, "{\"id\":\"AD_1\"}");
	expect("d OK  '' 0 '' body;");
}

static void errors_are_mapped(void **state)
{
	(void)state;
	static const struct { long status; const char *body, *want; } table[] = {
		{ 401, "{\"code\":\"unauthenticated\",\"msg\":\"permissions denied\"}",
		  "x ERR_AUTH unauthenticated 'permissions denied' 0 '';" },
		{ 404, "{\"code\":\"not_found\",\"msg\":\"no\"}",
		  "x ENOENT not_found 'no' 0 '';" },
		{ 400, "{}", "x ERR_REQUEST  '' 0 '';" },
		{ 408, "{}", "x ETIMEDOUT  '' 0 '';" },
		{ 429, "", "x ERR_LIMIT  '' 0 '';" },
		{ 500, "not json", "x ERR_SERVER  '' 0 '';" },
		{ 503, "{}", "x ERR_SERVER  '' 0 '';" },
		{ 200, "not json", "x ERR_PROTOCOL  '' 0 '';" },
		{ 412, "{\"code\":\"failed_precondition\",\"msg\":\"busy\",\"meta\":"
		       "{\"sip_status_code\":\"486\",\"sip_status\":\"Busy Here\"}}",
		  "x ERR_REQUEST failed_precondition 'busy' 486 'Busy Here';" },
		{ 412, "{\"meta\":{\"sip_status_code\":\"99999\"}}",
		  "x ERR_REQUEST  '' 0 '';" },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		lk_create_dispatch(api, "r", "a", NULL, on_result, "x");
		answers(request_now(), table[i].status, table[i].body);
		expect(table[i].want);
	}
	lk_create_dispatch(api, "r", "a", NULL, on_result, "x");
	struct http *h = request_now();
	h->ops.on_done(h->arg, -ECONNREFUSED, 0, "", 0);
	expect("x ECONNREFUSED  '' 0 '';");
}

static void a_second_503_means_that_it_is_gone(void **state)
{
	(void)state;
	lk_remove_participant(api, "r", "caller", on_result, "x");
	struct http *h = request_now();
	assert_string_equal(h->body, "{\"room\":\"r\",\"identity\":\"caller\"}");
	answers(h, 503, "{\"code\":\"unavailable\"}");
	expect("");
	pass_ms(250);
	assert_int_equal(n_requests, 2);
	answers(request_now(), 503, "{\"code\":\"unavailable\"}");
	expect("x ENOENT unavailable '' 0 '';");
	lk_delete_room(api, "r", on_result, "x");
	h = request_now();
	cJSON *c = claims_of(h);
	assert_true(json_bool(json_get(c, "video"), "roomCreate", false));
	cJSON_Delete(c);
	answers(h, 503, "{}");
	pass_ms(250);
	answers(request_now(), 200, "{}");
	expect("x OK  '' 0 '' body;");
}

static void we_wait_longer_than_the_phone_rings(void **state)
{
	(void)state;
	const struct lk_pair attrs[] = { { "k", "v" }, { 0 } };
	struct lk_dial d = { .trunk_id = "ST_1", .to = "+15550100",
		.from = "+15550199", .room = "r", .identity = "callee",
		.attributes = attrs, .ring_s = 60, .wait = true };

	lk_dial_sip(api, &d, on_result, "x");
	struct http *h = request_now();
	assert_int_equal(h->total_ms, 65000);
	cJSON *body = json_parse(h->body, strlen(h->body));
	assert_string_equal(json_str(body, "sip_trunk_id"), "ST_1");
	assert_string_equal(json_str(body, "sip_call_to"), "+15550100");
	assert_string_equal(json_str(body, "sip_number"), "+15550199");
	assert_string_equal(json_str(body, "ringing_timeout"), "60s");
	assert_true(json_bool(body, "wait_until_answered", false));
	assert_string_equal(json_str(json_get(body, "participant_attributes"), "k"), "v");
	assert_null(json_get(body, "dtmf"));
	cJSON_Delete(body);
	cJSON *c = claims_of(h);
	assert_true(json_bool(json_get(c, "sip"), "call", false));
	cJSON_Delete(c);
	answers(h, 200, "{}");

	lk_transfer_sip(api, "r", "caller", "tel:+15550100", 0, true, on_result, "x");
	h = request_now();
	assert_int_equal(h->total_ms, 45000);
	assert_non_null(strstr(h->body, "\"ringing_timeout\":\"40s\""));
	assert_non_null(strstr(h->body, "\"play_dialtone\":true"));
	answers(h, 200, "{}");
	lk_transfer_sip(api, "r", "caller", "tel:+15550100", 3, false, NULL, NULL);
	assert_int_equal(request_now()->total_ms, 35000);
	answers(request_now(), 200, "{}"); /* nobody wants to know */
}

static void what_is_cancelled_or_closed_says_nothing(void **state)
{
	(void)state;
	struct lk_call *c = lk_list_participants(api, "r", on_result, "x");
	lk_api_cancel(c); /* before it began */
	pass_ms(10);
	assert_int_equal(n_requests, 0);
	c = lk_list_participants(api, "r", on_result, "x");
	struct http *h = request_now();
	lk_api_cancel(c);
	assert_true(h->cancelled);
	lk_api_cancel(NULL);
	lk_list_participants(api, "r", on_result, "x");
	h = request_now();
	lk_list_participants(api, "r", on_result, "x");
	lk_api_close(api);
	api = NULL;
	assert_true(h->cancelled);
	expect("");
}

static void one_that_cannot_start_is_told_later(void **state)
{
	(void)state;
	static const struct lk_account bad = { "nonsense", "key", "secret" };
	struct lk_api *other;

	fail_http_start = -EMFILE;
	lk_list_participants(api, "r", on_result, "x");
	expect("");
	pass_ms(0);
	expect("x EMFILE  'request could not start' 0 '';");
	lk_api_create(&other, &fake_loop, &bad);
	lk_list_participants(other, "r", on_result, "y");
	pass_ms(0);
	expect("y ERR_CONFIG  'request could not start' 0 '';");
	lk_api_close(other);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_dispatch_is_asked_for_with_a_grant_for_its_room),
		T(errors_are_mapped),
		T(a_second_503_means_that_it_is_gone),
		T(we_wait_longer_than_the_phone_rings),
		T(what_is_cancelled_or_closed_says_nothing),
		T(one_that_cannot_start_is_told_later),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
