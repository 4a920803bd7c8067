/* Server-sent events, cut anywhere. */
#include "unit.h"

#include "base/buf.h"
#include "base/err.h"
#include "io/io.h"

struct log {
	struct buf text;      /* "event|data;" for each */
	struct sse *sse;
	bool destroy_inside;
};

static void note(void *arg, const char *event, const char *data, size_t n)
{
	struct log *l = arg;

	assert_int_equal(data[n], 0);
	buf_printf(&l->text, "%s|", event);
	buf_add(&l->text, data, n);
	buf_puts(&l->text, ";");
	if (l->destroy_inside)
		sse_destroy(l->sse);
}

/* Feeds the text whole, and in pieces of every size; all must agree. */
static void expect(const char *text, const char *want)
{
	size_t len = strlen(text);

	for (size_t step = 1; step <= len; step++) {
		struct log l = { 0 };
		assert_int_equal(sse_create(&l.sse, note, &l), 0);
		for (size_t i = 0; i < len; i += step) {
			size_t n = len - i < step ? len - i : step;
			assert_int_equal(sse_feed(l.sse, (const uint8_t *)
						  text + i, n), 0);
		}
		assert_string_equal(buf_str(&l.text), want);
		sse_destroy(l.sse);
		buf_free(&l.text);
	}
}

static void events_come_with_name_and_data(void **state)
{
	(void)state;
	expect("data: a\n\n", "message|a;");
	expect("event: delta\ndata: {\"x\":1}\n\ndata: [DONE]\n\n",
	       "delta|{\"x\":1};message|[DONE];");
	expect("data: one\ndata: two\ndata:\ndata:  three\n\n",
	       "message|one\ntwo\n\n three;");
	expect("data\n\n", "message|;");
	expect("data:x:y\n\n", "message|x:y;");
}

static void line_ends_may_be_of_all_three_kinds(void **state)
{
	(void)state;
	expect("data: a\r\n\r\ndata: b\r\rdata: c\n\n",
	       "message|a;message|b;message|c;");
	expect("data: a\r\ndata: b\r\n\r\n", "message|a\nb;");
	expect("\r\n\r\ndata: a\r\n\r\n", "message|a;");
}

static void comments_and_strange_fields_are_skipped(void **state)
{
	(void)state;
	expect(": keep-alive\n\nid: 7\nretry: 10\nfoo: bar\ndata: a\n\n",
	       "message|a;");
	/* without data there is no event, and its name is forgotten */
	expect("event: ping\n\ndata: a\n\n", "message|a;");
	expect("event: a\nevent: b\ndata: x\n\n", "b|x;");
	expect("Data: a\n data: b\n\n", "");
	expect("\xef\xbb\xbf" "data: a\n\n", "message|a;");
	expect("data: a\n\n\xef\xbb\xbf" "data: b\n\n", "message|a;");
}

static void an_event_that_is_not_finished_is_not_told(void **state)
{
	(void)state;
	expect("data: a\n\ndata: lost\n", "message|a;");
	expect("data: a\n\ndata: lost", "message|a;");
}

static void a_zero_byte_is_data_like_any(void **state)
{
	(void)state;
	struct log l = { 0 };

	assert_int_equal(sse_create(&l.sse, note, &l), 0);
	assert_int_equal(sse_feed(l.sse, (const uint8_t *)"data: a\0b\n\n",
				  11), 0);
	assert_int_equal(l.text.len, 12);
	sse_destroy(l.sse);
	buf_free(&l.text);
}

static void one_event_has_a_limit(void **state)
{
	(void)state;
	static uint8_t block[64 << 10];
	struct log l = { 0 };
	int r = 0, i;

	memset(block, 'x', sizeof block);
	assert_int_equal(sse_create(&l.sse, note, &l), 0);
	assert_int_equal(sse_feed(l.sse, (const uint8_t *)"data: ", 6), 0);
	for (i = 0; i < 100 && r == 0; i++)
		r = sse_feed(l.sse, block, sizeof block);
	assert_int_equal(r, ERR_PROTOCOL);
	assert_in_range(i, 63, 65);
	assert_int_equal(sse_feed(l.sse, (const uint8_t *)"\n\n", 2),
			 ERR_PROTOCOL);
	assert_int_equal(l.text.len, 0);
	sse_destroy(l.sse);
	/* many lines of one event count together */
	assert_int_equal(sse_create(&l.sse, note, &l), 0);
	for (i = 0, r = 0; i < 100 && r == 0; i++) {
		r = sse_feed(l.sse, (const uint8_t *)"data: ", 6);
		if (r == 0)
			r = sse_feed(l.sse, block, sizeof block);
		if (r == 0)
			r = sse_feed(l.sse, (const uint8_t *)"\n", 1);
	}
	assert_int_equal(r, ERR_PROTOCOL);
	sse_destroy(l.sse);
	buf_free(&l.text);
}

static void it_may_be_destroyed_inside_its_callback(void **state)
{
	(void)state;
	struct log l = { .destroy_inside = true };

	assert_int_equal(sse_create(&l.sse, note, &l), 0);
	assert_int_equal(sse_feed(l.sse, (const uint8_t *)
				  "data: a\n\ndata: b\n\n", 18), 0);
	assert_string_equal(buf_str(&l.text), "message|a;");
	buf_free(&l.text);
	sse_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_come_with_name_and_data),
		cmocka_unit_test(line_ends_may_be_of_all_three_kinds),
		cmocka_unit_test(comments_and_strange_fields_are_skipped),
		cmocka_unit_test(an_event_that_is_not_finished_is_not_told),
		cmocka_unit_test(a_zero_byte_is_data_like_any),
		cmocka_unit_test(one_event_has_a_limit),
		cmocka_unit_test(it_may_be_destroyed_inside_its_callback),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
