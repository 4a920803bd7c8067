/* Codes and their names. */
#include "unit.h"

#include "base/err.h"

static void our_codes_have_distinct_names_and_texts(void **state)
{
	(void)state;
	for (int r = ERR_GONE; r <= ERR_AUTH; r++) {
		assert_memory_equal(err_name(r), "ERR_", 4);
		assert_string_not_equal(err_name(r), "ERR_UNKNOWN");
		assert_string_not_equal(err_text(r), "unknown error");
		for (int other = r + 1; other <= ERR_AUTH; other++) {
			assert_string_not_equal(err_name(r), err_name(other));
			assert_string_not_equal(err_text(r), err_text(other));
		}
	}
	assert_string_equal(err_name(ERR_AUTH), "ERR_AUTH");
	assert_string_equal(err_name(ERR_CONFIG), "ERR_CONFIG");
	assert_string_equal(err_text(ERR_AUTH), "credentials refused");
}

static void errno_and_success_have_names_too(void **state)
{
	(void)state;
	assert_string_equal(err_name(-ETIMEDOUT), "ETIMEDOUT");
	assert_string_equal(err_name(-ECONNREFUSED), "ECONNREFUSED");
	assert_string_equal(err_name(0), "OK");
	assert_string_equal(err_name(42), "OK");
	assert_string_equal(err_text(0), "ok");
	assert_non_null(strstr(err_text(-ETIMEDOUT), "timed out"));
	assert_string_equal(err_name(-3008), "EAI_NONAME");
	assert_string_equal(err_name(-99999), "ERR_UNKNOWN");
	assert_string_equal(err_text(-99999), "unknown error");
}

static void http_statuses_become_codes(void **state)
{
	(void)state;
	static const struct {
		long status;
		int want;
	} cases[] = {
		{ 100, 0 }, { 200, 0 }, { 204, 0 }, { 302, 0 }, { 399, 0 },
		{ 400, ERR_REQUEST }, { 401, ERR_AUTH }, { 402, ERR_AUTH },
		{ 403, ERR_AUTH }, { 404, ERR_REQUEST }, { 408, -ETIMEDOUT },
		{ 409, ERR_REQUEST }, { 422, ERR_REQUEST },
		{ 429, ERR_LIMIT }, { 499, ERR_REQUEST },
		{ 500, ERR_SERVER }, { 503, ERR_SERVER }, { 599, ERR_SERVER },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(err_from_http(cases[i].status),
				 cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_codes_have_distinct_names_and_texts),
		cmocka_unit_test(errno_and_success_have_names_too),
		cmocka_unit_test(http_statuses_become_codes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
