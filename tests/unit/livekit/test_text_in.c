/* Text streams in, piece by piece, and every limit on them. */
#include "unit.h"

#include "livekit/text_int.h"

static char trail[1024];
static size_t last_len;
static struct text_inbox box;

static void on_text(void *arg, const char *identity, const char *topic,
		    const char *text, const struct lk_pair *attrs, bool whole)
{
	size_t n = strlen(trail);

	(void)arg;
	last_len = strlen(text);
	snprintf(trail + n, sizeof trail - n, "%s %s %s '%s'", whole ? "text" : "part",
		 identity, topic, last_len < 100 ? text : "long");
	for (; attrs->key; attrs++) {
		n = strlen(trail);
		snprintf(trail + n, sizeof trail - n, " %s=%s", attrs->key,
			 attrs->value);
	}
	strncat(trail, ";", sizeof trail - strlen(trail) - 1);
}

static void expect(const char *want)
{
	assert_string_equal(trail, want);
	trail[0] = 0;
}

static int setup(void **state)
{
	(void)state;
	trail[0] = 0;
	text_inbox_init(&box, on_text, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	text_inbox_finish(&box);
	return 0;
}

static Livekit__DataStream__Header text_header(const char *id)
{
	Livekit__DataStream__Header h = LIVEKIT__DATA_STREAM__HEADER__INIT;

	h.stream_id = (char *)id;
	h.topic = "t";
	h.content_header_case =
		LIVEKIT__DATA_STREAM__HEADER__CONTENT_HEADER_TEXT_HEADER;
	return h;
}

static void header(const char *who, const char *id, int64_t now_ms)
{
	Livekit__DataStream__Header h = text_header(id);

	text_inbox_header(&box, who, who, &h, now_ms);
}

static void chunk_n(const char *who, const char *id, uint64_t index,
		    const char *text, size_t n)
{
	Livekit__DataStream__Chunk c = LIVEKIT__DATA_STREAM__CHUNK__INIT;

	c.stream_id = (char *)id;
	c.chunk_index = index;
	c.content.data = (uint8_t *)text;
	c.content.len = n;
	text_inbox_chunk(&box, who, &c, 0);
}

static void chunk(const char *who, const char *id, uint64_t index, const char *text)
{
	chunk_n(who, id, index, text, strlen(text));
}

static void trailer(const char *who, const char *id, const char *reason)
{
	Livekit__DataStream__Trailer t = LIVEKIT__DATA_STREAM__TRAILER__INIT;

	t.stream_id = (char *)id;
	t.reason = (char *)reason;
	text_inbox_trailer(&box, who, &t);
}

static void pieces_become_a_text(void **state)
{
	(void)state;
	header("a", "1", 0);
	chunk("a", "1", 0, "We ");
	chunk("a", "1", 1, "are");
	trailer("a", "1", "");
	expect("part a t 'We ';part a t 'We are';text a t 'We are';");
	chunk("a", "1", 2, "late");
	trailer("a", "1", "");
	expect("");
}

static void two_people_may_use_the_same_id(void **state)
{
	(void)state;
	header("a", "1", 0);
	header("b", "1", 0);
	chunk("b", "1", 0, "B");
	chunk("a", "1", 0, "A");
	trailer("a", "1", "");
	expect("part b t 'B';part a t 'A';text a t 'A';");
	text_inbox_left(&box, "b");
	trailer("b", "1", "");
	expect("");
	assert_int_equal(box.n_open, 0);
}

static void a_stream_belongs_to_its_sender_in_whatever_name(void **state)
{
	(void)state;
	Livekit__DataStream__Header h = text_header("1");

	text_inbox_header(&box, "PA_agent", "caller", &h, 0);
	chunk("PA_other", "1", 0, "forged");
	chunk("PA_agent", "1", 0, "words");
	trailer("PA_other", "1", "");
	trailer("PA_agent", "1", "");
	expect("part caller t 'words';text caller t 'words';");
}

static void attributes_of_the_trailer_are_merged(void **state)
{
	(void)state;
	const struct lk_pair first[] = { { "final", "false" }, { "id", "7" }, { 0 } };
	const struct lk_pair last[] = { { "final", "true" }, { 0 } };
	Livekit__DataStream__Header h = text_header("1");
	Livekit__DataStream__Trailer t = LIVEKIT__DATA_STREAM__TRAILER__INIT;
	struct proto_map a, b;

	proto_map_init(&a,
		&livekit__data_stream__header__attributes_entry__descriptor, first);
	proto_map_init(&b,
		&livekit__data_stream__trailer__attributes_entry__descriptor, last);
	h.n_attributes = a.n;
	h.attributes = (void *)a.ptrs;
	text_inbox_header(&box, "a", "a", &h, 0);
	t.stream_id = "1";
	t.n_attributes = b.n;
	t.attributes = (void *)b.ptrs;
	text_inbox_trailer(&box, "a", &t);
	expect("text a t '' final=true id=7;");
	proto_map_free(&a);
	proto_map_free(&b);
}

static void a_short_text_may_come_inside_its_header(void **state)
{
	(void)state;
	Livekit__DataStream__Header h = text_header("1");

	h.inline_case = LIVEKIT__DATA_STREAM__HEADER__INLINE_INLINE_CONTENT;
	h.inline_content.data = (uint8_t *)"hi";
	h.inline_content.len = 2;
	text_inbox_header(&box, "a", "a", &h, 0);
	expect("text a t 'hi';");
	h.compression = LIVEKIT__DATA_STREAM__COMPRESSION_TYPE__DEFLATE_RAW;
	text_inbox_header(&box, "a", "a", &h, 0); /* we never said we could */
	expect("");
}

static void half_a_character_is_not_shown(void **state)
{
	(void)state;
	header("a", "1", 0);
	chunk("a", "1", 0, "a\xe2\x82");
	chunk("a", "1", 1, "\xac\xff");
	chunk("a", "1", 2, "b");
	trailer("a", "1", "");
	expect("part a t 'a';part a t 'a\xe2\x82\xac';"
	       "part a t 'a\xe2\x82\xac\xef\xbf\xbd" "b';"
	       "text a t 'a\xe2\x82\xac\xef\xbf\xbd" "b';");
}

static void repeats_are_skipped_and_holes_end_it(void **state)
{
	(void)state;
	header("a", "1", 0);
	chunk("a", "1", 0, "x");
	chunk("a", "1", 0, "x");
	header("a", "1", 0); /* again: the one that is open stays */
	chunk("a", "1", 1, "y");
	trailer("a", "1", "");
	expect("part a t 'x';part a t 'xy';text a t 'xy';");
	header("a", "2", 0);
	chunk("a", "2", 1, "?");
	trailer("a", "2", "");
	expect("");
}

static void what_its_sender_gave_up_is_not_told(void **state)
{
	(void)state;
	header("a", "1", 0);
	trailer("a", "1", "cancelled");
	expect("");
	assert_int_equal(box.n_open, 0);
}

static void bytes_are_not_text(void **state)
{
	(void)state;
	Livekit__DataStream__ByteHeader bytes = LIVEKIT__DATA_STREAM__BYTE_HEADER__INIT;
	Livekit__DataStream__Header h = text_header("1");

	h.content_header_case =
		LIVEKIT__DATA_STREAM__HEADER__CONTENT_HEADER_BYTE_HEADER;
	h.byte_header = &bytes;
	text_inbox_header(&box, "a", "a", &h, 0);
	chunk("a", "1", 0, "x");
	header("a", "", 0);
	expect("");
	assert_int_equal(box.n_open, 0);
}

static void everything_has_a_limit(void **state)
{
	(void)state;
	char id[16], *big = malloc(600000);

	memset(big, 'x', 600000);
	header("a", "1", 0);
	chunk_n("a", "1", 0, big, 600000);
	assert_int_equal(last_len, 600000);
	trail[0] = 0;
	chunk_n("a", "1", 1, big, 600000);
	trailer("a", "1", "");
	expect("");
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof id, "s%d", i);
		header("a", id, 1000);
	}
	assert_int_equal(box.n_open, 64);
	header("a", "late", 31001); /* those silent for half a minute go */
	assert_int_equal(box.n_open, 1);
	free(big);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(pieces_become_a_text),
		T(two_people_may_use_the_same_id),
		T(a_stream_belongs_to_its_sender_in_whatever_name),
		T(attributes_of_the_trailer_are_merged),
		T(a_short_text_may_come_inside_its_header),
		T(half_a_character_is_not_shown),
		T(repeats_are_skipped_and_holes_end_it),
		T(what_its_sender_gave_up_is_not_told),
		T(bytes_are_not_text),
		T(everything_has_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
