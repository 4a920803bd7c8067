/* Text helpers. */
#include "unit.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

static void copies_are_copies(void **state)
{
	(void)state;
	char text[] = "one", *s = NULL;

	assert_null(str_dup(NULL));
	str_set(&s, text);
	text[0] = 'X';
	assert_string_equal(s, "one");
	str_set(&s, s); /* of itself */
	assert_string_equal(s, "one");
	str_set(&s, NULL);
	assert_null(s);
	s = str_printf("%s-%d", "a", 7);
	assert_string_equal(s, "a-7");
	free(s);
}

static void comparisons_know_null_and_blanks(void **state)
{
	(void)state;
	assert_true(str_eq(NULL, NULL));
	assert_false(str_eq("a", NULL));
	assert_false(str_eq(NULL, ""));
	assert_true(str_eq("ab", "ab"));
	assert_false(str_eq("ab", "abc"));
	assert_true(str_has_prefix("abc", ""));
	assert_true(str_has_prefix("abc", "abc"));
	assert_false(str_has_prefix("ab", "abc"));
	assert_true(str_blank(NULL));
	assert_true(str_blank(" \t\n"));
	assert_false(str_blank(" x "));
}

static void a_cut_copy_says_so_and_ends_with_nul(void **state)
{
	(void)state;
	char out[4];

	assert_true(str_copy(out, sizeof out, "abc"));
	assert_string_equal(out, "abc");
	assert_false(str_copy(out, sizeof out, "abcd"));
	assert_string_equal(out, "abc");
	assert_false(str_copy(out, 1, "a"));
	assert_string_equal(out, "");
}

static void ids_are_long_plain_and_different(void **state)
{
	(void)state;
	char *a = random_id("SG_", 12), *b = random_id("SG_", 12);

	assert_int_equal(strlen(a), 15);
	assert_true(str_has_prefix(a, "SG_"));
	assert_int_equal(strspn(a + 3, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij"
				"klmnopqrstuvwxyz0123456789"), 12);
	assert_string_not_equal(a, b);
	free(a);
	free(b);
	uint8_t bytes[1000] = { 0 };
	int zeros = 0;
	random_bytes(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		zeros += bytes[i] == 0;
	assert_in_range(zeros, 0, 40);
}

static void base64url_matches_the_standards_vectors(void **state)
{
	(void)state;
	/* RFC 4648, section 10 */
	static const char *const cases[][3] = {
		{ "", "", "" }, { "f", "Zg", "Zg==" }, { "fo", "Zm8", "Zm8=" },
		{ "foo", "Zm9v", "Zm9v" }, { "foob", "Zm9vYg", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy", "Zm9vYmFy" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf b = { 0 }, back = { 0 };
		base64url_add(&b, cases[i][0], strlen(cases[i][0]), false);
		assert_string_equal(buf_str(&b), cases[i][1]);
		assert_int_equal(base64_decode(&back, buf_str(&b)), 0);
		assert_string_equal(buf_str(&back), cases[i][0]);
		buf_reset(&b);
		buf_reset(&back);
		base64url_add(&b, cases[i][0], strlen(cases[i][0]), true);
		assert_string_equal(buf_str(&b), cases[i][2]);
		assert_int_equal(base64_decode(&back, buf_str(&b)), 0);
		assert_string_equal(buf_str(&back), cases[i][0]);
		buf_free(&b);
		buf_free(&back);
	}
}

static void both_base64_alphabets_are_read(void **state)
{
	(void)state;
	struct buf b = { 0 };

	base64url_add(&b, "\xfb\xff\xfe", 3, false);
	assert_string_equal(buf_str(&b), "-__-");
	buf_reset(&b);
	assert_int_equal(base64_decode(&b, "+//+"), 0);
	assert_int_equal(base64_decode(&b, "-__-"), 0);
	assert_memory_equal(b.p, "\xfb\xff\xfe\xfb\xff\xfe", 6);
	assert_int_equal(base64_decode(&b, "ab cd"), ERR_PROTOCOL);
	assert_int_equal(base64_decode(&b, "a\n"), ERR_PROTOCOL);
	buf_free(&b);
}

static void json_text_is_quoted_and_made_valid(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "", "\"\"" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "\n\t\x01\x7f", "\"\\u000a\\u0009\\u0001\x7f\"" },
		{ "h\xc3\xa9", "\"h\xc3\xa9\"" },
		{ "\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"" },
		{ "a\xff" "b", "\"a\xef\xbf\xbd" "b\"" },
		{ "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"" }, /* overlong */
		{ "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"" }, /* cut */
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf b = { 0 };
		str_json_quote(&b, cases[i][0]);
		assert_string_equal(buf_str(&b), cases[i][1]);
		buf_free(&b);
	}
}

static void query_values_are_percent_encoded(void **state)
{
	(void)state;
	struct buf b = { 0 };

	str_url_quote(&b, "aZ09-._~ /?&=+%\xc3\xa9");
	assert_string_equal(buf_str(&b),
			    "aZ09-._~%20%2F%3F%26%3D%2B%25%C3%A9");
	buf_free(&b);
}

static void a_cut_character_is_left_for_the_next_piece(void **state)
{
	(void)state;
	static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
	static const size_t want[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11 };

	for (size_t n = 0; n < sizeof want / sizeof *want; n++)
		assert_int_equal(utf8_whole(text, n), want[n]);
	/* what never becomes whole is not held back for ever */
	assert_int_equal(utf8_whole("\x80\x80\x80\x80", 4), 4);
}

static void bad_bytes_become_marks(void **state)
{
	(void)state;
#define R "\xef\xbf\xbd"
	static const struct { const char *in, *out; } table[] = {
		{ "", "" },
		{ "abc \xc3\xa4 \xe2\x82\xac \xf0\x9f\xa6\xb7",
		  "abc \xc3\xa4 \xe2\x82\xac \xf0\x9f\xa6\xb7" },
		{ "\xff", R },
		{ "a\xc3", "a" R },
		{ "\xe2\x82", R R },
		{ "\xe2\x82x", R R "x" },
		{ "\xc0\x80", R R },         /* overlong */
		{ "\xed\xa0\x80", R R R },   /* a surrogate */
		{ "\xf4\x90\x80\x80", R R R R },
		{ "\xf5", R },
	};

	assert_null(utf8_clean(NULL));
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char *got = utf8_clean(table[i].in);
		assert_string_equal(got, table[i].out);
		free(got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_are_copies),
		cmocka_unit_test(comparisons_know_null_and_blanks),
		cmocka_unit_test(a_cut_copy_says_so_and_ends_with_nul),
		cmocka_unit_test(ids_are_long_plain_and_different),
		cmocka_unit_test(base64url_matches_the_standards_vectors),
		cmocka_unit_test(both_base64_alphabets_are_read),
		cmocka_unit_test(json_text_is_quoted_and_made_valid),
		cmocka_unit_test(query_values_are_percent_encoded),
		cmocka_unit_test(a_cut_character_is_left_for_the_next_piece),
		cmocka_unit_test(bad_bytes_become_marks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
