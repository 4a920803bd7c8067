/* A clinic's choices, judged in words that say what is allowed. */
#include "unit.h"

#include "provider/provider_int.h"

static const char *why;

static int check(char kind, struct provider_choice c)
{
	why = "";
	return provider_check(kind, &c, &why);
}

static void good_choices_pass(void **state)
{
	(void)state;
	static const char *const terms[] = { "Bright Smile", NULL };

	assert_int_equal(check('s', (struct provider_choice){
		.provider = "deepgram", .model = "nova-3",
		.language = "multi", .keyterms = terms }), 0);
	assert_int_equal(check('l', (struct provider_choice){
		.provider = "openai", .model = "gpt-6-luna" }), 0);
	assert_int_equal(check('l', (struct provider_choice){
		.provider = "openai", .model = "llama3.1", .effort = "low" }),
		0);
	assert_int_equal(check('t', (struct provider_choice){
		.provider = "aura", .model = "aura-2-thalia-en",
		.language = "en-GB" }), 0);
	assert_int_equal(check('t', (struct provider_choice){
		.provider = "speech", .model = "kokoro", .voice = "af" }), 0);
}

static void an_unknown_provider_is_answered_with_the_known_ones(void **state)
{
	(void)state;

	assert_int_equal(check('t', (struct provider_choice){
		.provider = "deepgram", .model = "aura-2-thalia-en" }),
		ERR_CONFIG);
	assert_non_null(strstr(why, "\"aura\", \"aura-rest\", \"speech\""));
	assert_int_equal(check('s', (struct provider_choice){
		.provider = "whisper", .model = "x" }), ERR_CONFIG);
	assert_non_null(strstr(why, "\"deepgram\""));
	assert_int_equal(check('l', (struct provider_choice){
		.provider = "anthropic", .model = "x" }), ERR_CONFIG);
	assert_non_null(strstr(why, "\"openai\""));
	assert_int_equal(check('x', (struct provider_choice){
		.provider = "openai", .model = "x" }), ERR_CONFIG);
}

static void missing_parts_are_named(void **state)
{
	(void)state;

	assert_int_equal(check('l', (struct provider_choice){
		.model = "gpt-6-luna" }), ERR_CONFIG);
	assert_string_equal(why, "provider is missing");
	assert_int_equal(check('l', (struct provider_choice){
		.provider = "openai", .model = " " }), ERR_CONFIG);
	assert_string_equal(why, "model is missing");
	assert_int_equal(check('t', (struct provider_choice){
		.provider = "speech", .model = "kokoro" }), ERR_CONFIG);
	assert_non_null(strstr(why, "voice"));
}

static void what_a_model_cannot_do_is_refused(void **state)
{
	(void)state;
	static const char *const terms[] = { "Bright Smile", NULL };
	static const char *const blank[] = { "a", "", NULL };
	static const char *many[102];

	for (size_t i = 0; i < 101; i++)
		many[i] = "term";
	const struct {
		char kind;
		struct provider_choice c;
		const char *why;
	} rows[] = {
		{ 's', { .provider = "deepgram", .model = "flux-general-en" },
		  "/v1/listen" },
		{ 's', { .provider = "deepgram", .model = "nova-2",
			 .keyterms = terms }, "keyterms need nova-3" },
		{ 's', { .provider = "deepgram", .model = "nova-3",
			 .keyterms = blank }, "keyterm 2 is empty" },
		{ 's', { .provider = "deepgram", .model = "nova-3",
			 .keyterms = many }, "at most 100" },
		{ 's', { .provider = "deepgram", .model = "base",
			 .language = "multi" }, "multi" },
		{ 'l', { .provider = "openai", .model = "gpt-6-astra",
			 .effort = "none" }, "does not accept" },
		{ 'l', { .provider = "openai", .model = "gpt-6-luna",
			 .effort = "hard" }, "unknown" },
		{ 'l', { .provider = "openai", .model = "gpt-4o-mini-tts" },
		  "no chat model" },
		{ 'l', { .provider = "openai", .model = "nova-3" },
		  "no chat model" },
		{ 't', { .provider = "aura", .model = "thalia" },
		  "no Aura voice" },
		{ 't', { .provider = "aura", .model = "aura-2-thalia-en",
			 .voice = "thalia" }, "must be absent" },
		{ 't', { .provider = "aura-rest", .model = "aura-2-thalia-en",
			 .language = "es" }, "does not speak" },
		{ 't', { .provider = "speech", .model = "aura-2-thalia-en",
			 .voice = "x" }, "Deepgram's" },
		{ 't', { .provider = "speech", .model = "gpt-realtime-2.1",
			 .voice = "marin" }, "not accepted" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(check(rows[i].kind, rows[i].c), ERR_CONFIG);
		assert_non_null(strstr(why, rows[i].why));
	}
}

static void nobody_has_to_ask_why(void **state)
{
	(void)state;
	const struct provider_choice c = { .provider = "x", .model = "y" };

	assert_int_equal(provider_check('t', &c, NULL), ERR_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_choices_pass),
		cmocka_unit_test(an_unknown_provider_is_answered_with_the_known_ones),
		cmocka_unit_test(missing_parts_are_named),
		cmocka_unit_test(what_a_model_cannot_do_is_refused),
		cmocka_unit_test(nobody_has_to_ask_why),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
