/* What each family of models accepts, and when it ends. */
#include "unit.h"

#include <limits.h>

#include "provider/provider_int.h"

static void the_longest_prefix_wins(void **state)
{
	(void)state;
	static const struct {
		const char *model, *prefix;
	} rows[] = {
		{ "gpt-6-luna", "gpt-6" },
		{ "gpt-6-astra", "gpt-6-astra" },
		{ "gpt-6.1-sol", "gpt-6.1-sol" },
		{ "gpt-6.1-terra", "gpt-6" },
		{ "gpt-5.6-terra", "gpt-5.6" },
		{ "gpt-5.4-nano", "gpt-5.4-nano" },
		{ "gpt-5.4-mini", "gpt-5.4" },
		{ "gpt-5.2", "gpt-5." },
		{ "gpt-5-mini", "gpt-5" },
		{ "gpt-4o-2024-05-13", "gpt-4o-2024-05-13" },
		{ "gpt-4o-mini", "gpt-4o" },
		{ "gpt-4o-mini-tts", "gpt-4o-mini-tts" },
		{ "openai/gpt-5.6-sol", "gpt-5.6" },
		{ "ft:gpt-4.1-mini:clinic::x", "gpt-4.1" },
		{ "nova-3-medical", "nova-3" },
		{ "aura-2-thalia-en", "aura-2" },
		{ "gpt-realtime-2.1", "gpt-realtime-2." },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(model_find(rows[i].model)->prefix,
				    rows[i].prefix);
}

static void a_name_part_must_end_with_the_prefix(void **state)
{
	(void)state;

	assert_false(model_known("gpt-55"));
	assert_false(model_known("gpt-4ox"));
	assert_false(model_known("o10"));
	assert_true(model_known("o1-preview"));
}

static void unknown_models_get_the_cautious_row(void **state)
{
	(void)state;
	const struct model_row *row = model_find("llama-3.3-70b");

	assert_false(model_known("llama-3.3-70b"));
	assert_null(row->effort);
	assert_null(row->ends);
	assert_false(row->responses);
	assert_non_null(model_find(NULL));
	assert_non_null(model_find(""));
}

static void the_reasoning_families_are_told_not_to(void **state)
{
	(void)state;
	static const char *const names[] = { "gpt-5.4", "gpt-5.5",
					     "gpt-5.6-luna", "gpt-6-luna" };

	for (size_t i = 0; i < 4; i++) {
		struct provider_choice c = { .model = names[i] };
		assert_string_equal(model_effort(&c), "none");
		assert_false(model_wants_responses(&c, true));
		c.effort = "low";
		assert_true(model_wants_responses(&c, true));
		assert_false(model_wants_responses(&c, false));
	}
	struct provider_choice astra = { .model = "gpt-6-astra" };
	assert_true(model_wants_responses(&astra, false));
	assert_string_not_equal(model_effort(&astra), "none");
	struct provider_choice old = { .model = "gpt-4.1" };
	assert_null(model_effort(&old));
	assert_false(model_wants_responses(&old, true));
}

static void days_left_are_counted_on_the_calendar(void **state)
{
	(void)state;

	assert_int_equal(model_days_left("gpt-5-mini", "2026-11-23"), 18);
	assert_int_equal(model_days_left("tts-1-hd", "2026-11-23"), 44);
	assert_int_equal(model_days_left("whisper-1", "2027-02-26"), 0);
	assert_int_equal(model_days_left("o3-mini", "2026-11-23"), -31);
	assert_int_equal(model_days_left("gpt-5.1", "2026-04-01"), 365);
	/* over 29 February 2028 */
	assert_int_equal(model_days_left("gpt-5.1", "2028-03-01"), -335);
	assert_int_equal(model_days_left("gpt-6-luna", "2026-11-23"), INT_MAX);
	assert_int_equal(model_days_left("gpt-5", "yesterday"), INT_MAX);
	assert_int_equal(model_days_left("gpt-5", NULL), INT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_prefix_wins),
		cmocka_unit_test(a_name_part_must_end_with_the_prefix),
		cmocka_unit_test(unknown_models_get_the_cautious_row),
		cmocka_unit_test(the_reasoning_families_are_told_not_to),
		cmocka_unit_test(days_left_are_counted_on_the_calendar),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
