/* Tokens: the claims that the server reads, and the signature. */
#include "unit.h"

#include <openssl/hmac.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "livekit/livekit.h"

static const struct lk_account acc = { "ws://x", "APIkey", "a secret, used as it is" };

/* The claims of a token whose signature is right. Freed by the caller. */
static cJSON *claims(const struct lk_grant *g)
{
	char *jwt = lk_token(&acc, g, 1700000000);
	char *dot = strrchr(jwt, '.');
	uint8_t mac[32];
	unsigned n = sizeof mac;
	struct buf sig = { 0 }, body = { 0 };

	assert_true(str_has_prefix(jwt, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."));
	assert_null(strchr(jwt, '='));
	HMAC(EVP_sha256(), acc.api_secret, (int)strlen(acc.api_secret),
	     (uint8_t *)jwt, (size_t)(dot - jwt), mac, &n);
	base64url_add(&sig, mac, n, false);
	assert_string_equal(dot + 1, buf_str(&sig));
	*dot = 0;
	assert_int_equal(base64_decode(&body, strchr(jwt, '.') + 1), 0);
	cJSON *json = json_parse(body.p, body.len);
	assert_non_null(json);
	buf_free(&sig);
	buf_free(&body);
	free(jwt);
	return json;
}

static void a_worker_needs_one_grant(void **state)
{
	(void)state;
	const struct lk_grant g = { .agent = true, .ttl_s = 3600 };
	cJSON *c = claims(&g);
	const cJSON *video = json_get(c, "video");

	assert_string_equal(json_str(c, "iss"), "APIkey");
	assert_null(json_str(c, "sub"));
	assert_true(json_num(c, "nbf", 0) == 1700000000);
	assert_true(json_num(c, "exp", 0) == 1700003600);
	assert_true(json_bool(video, "agent", false));
	assert_int_equal(cJSON_GetArraySize(video), 1);
	assert_null(json_get(c, "sip"));
	assert_null(json_get(c, "roomConfig"));
	cJSON_Delete(c);
}

static void a_participant_carries_who_it_is(void **state)
{
	(void)state;
	const struct lk_pair attrs[] = { { "a", "1" }, { "b", "qu\"ote" }, { 0 } };
	const struct lk_grant g = {
		.identity = "caller", .name = "J\xc3\xbcrgen", .kind = "sip",
		.metadata = "{}", .attributes = attrs, .room = "r 1",
		.room_join = true, .update_metadata = true,
		.dispatch_agent = "clinic", .dispatch_metadata = "{\"x\":1}",
	};
	cJSON *c = claims(&g);
	const cJSON *video = json_get(c, "video");
	const cJSON *agent = json_at(json_get(c, "roomConfig"), "agents", 0);

	assert_string_equal(json_str(c, "sub"), "caller");
	assert_string_equal(json_str(c, "name"), "J\xc3\xbcrgen");
	assert_string_equal(json_str(c, "kind"), "sip");
	assert_string_equal(json_str(json_get(c, "attributes"), "b"), "qu\"ote");
	assert_string_equal(json_str(video, "room"), "r 1");
	assert_true(json_bool(video, "roomJoin", false));
	assert_true(json_bool(video, "canUpdateOwnMetadata", false));
	assert_null(json_get(video, "canPublish")); /* unset means yes */
	assert_string_equal(json_str(agent, "agentName"), "clinic");
	assert_string_equal(json_str(agent, "metadata"), "{\"x\":1}");
	assert_true(json_num(c, "exp", 0) == 1700000600);
	cJSON_Delete(c);
}

static void api_grants_are_what_was_asked_for(void **state)
{
	(void)state;
	const struct lk_grant g = { .room = "r", .room_admin = true,
				    .sip_call = true };
	cJSON *c = claims(&g);
	const cJSON *video = json_get(c, "video"), *sip = json_get(c, "sip");

	assert_true(json_bool(video, "roomAdmin", false));
	assert_false(json_bool(video, "roomCreate", false));
	assert_true(json_bool(sip, "call", false));
	assert_false(json_bool(sip, "admin", false));
	cJSON_Delete(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_needs_one_grant),
		cmocka_unit_test(a_participant_carries_who_it_is),
		cmocka_unit_test(api_grants_are_what_was_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
