/* A growable run of bytes. */
#include "unit.h"

#include "base/buf.h"

static void it_grows_and_always_ends_with_nul(void **state)
{
	(void)state;
	struct buf b = { 0 };

	assert_string_equal(buf_str(&b), "");
	for (int i = 0; i < 10000; i++) {
		buf_add(&b, "xyz", 3);
		assert_int_equal(b.p[b.len], 0);
		assert_true(b.cap > b.len);
	}
	assert_int_equal(b.len, 30000);
	assert_memory_equal(b.p + 29997, "xyz", 4);
	buf_free(&b);
	assert_null(b.p);
	assert_int_equal(b.len, 0);
}

static void empty_additions_make_a_string(void **state)
{
	(void)state;
	struct buf b = { 0 };

	buf_add(&b, NULL, 0);
	assert_string_equal((char *)b.p, "");
	buf_puts(&b, "");
	buf_printf(&b, "%s", "");
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

static void formatted_text_is_appended_whatever_its_length(void **state)
{
	(void)state;
	struct buf b = { 0 };
	char want[1200];

	for (int width = 1; width < 1000; width += 37) {
		buf_reset(&b);
		buf_puts(&b, "<");
		buf_printf(&b, "%0*d>", width, 7);
		snprintf(want, sizeof want, "<%0*d>", width, 7);
		assert_string_equal(buf_str(&b), want);
		assert_int_equal(b.len, strlen(want));
	}
	buf_free(&b);
}

static void reserved_room_can_be_written_and_counted(void **state)
{
	(void)state;
	struct buf b = { 0 };

	buf_puts(&b, "ab");
	memcpy(buf_reserve(&b, 500), "cd", 2);
	assert_int_equal(b.len, 2);
	assert_true(b.cap >= 503);
	b.len += 2;
	buf_puts(&b, "e");
	assert_string_equal(buf_str(&b), "abcde");
	buf_free(&b);
}

static void the_front_can_be_dropped(void **state)
{
	(void)state;
	struct buf b = { 0 };

	buf_shift(&b, 0);
	buf_puts(&b, "abcdef");
	buf_shift(&b, 2);
	assert_string_equal(buf_str(&b), "cdef");
	buf_shift(&b, 0);
	assert_int_equal(b.len, 4);
	buf_shift(&b, 4);
	assert_string_equal(buf_str(&b), "");
	buf_puts(&b, "again");
	assert_string_equal(buf_str(&b), "again");
	buf_free(&b);
}

static void a_reset_keeps_the_memory(void **state)
{
	(void)state;
	struct buf b = { 0 };

	buf_reset(&b);
	buf_printf(&b, "%0300d", 1);
	uint8_t *p = b.p;
	buf_reset(&b);
	assert_string_equal(buf_str(&b), "");
	buf_puts(&b, "x");
	assert_ptr_equal(b.p, p);
	buf_free(&b);
}

static void taking_hands_the_memory_over(void **state)
{
	(void)state;
	struct buf b = { 0 };
	char *s = buf_take(&b);

	assert_string_equal(s, "");
	free(s);
	buf_puts(&b, "mine");
	s = buf_take(&b);
	assert_string_equal(s, "mine");
	assert_null(b.p);
	buf_puts(&b, "next");
	assert_string_equal(s, "mine");
	free(s);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_grows_and_always_ends_with_nul),
		cmocka_unit_test(empty_additions_make_a_string),
		cmocka_unit_test(
			formatted_text_is_appended_whatever_its_length),
		cmocka_unit_test(reserved_room_can_be_written_and_counted),
		cmocka_unit_test(the_front_can_be_dropped),
		cmocka_unit_test(a_reset_keeps_the_memory),
		cmocka_unit_test(taking_hands_the_memory_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
