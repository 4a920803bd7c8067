/* Parts of text, whole samples from odd bytes, flushes a minute, Aura's
 * messages. */
#include "unit.h"

#include "base/str.h"
#include "provider/tts_int.h"

static void a_short_text_is_one_part(void **state)
{
	(void)state;

	assert_int_equal(tts_part_len("Hello there."), 12);
	assert_int_equal(tts_part_len(""), 0);
}

static void a_long_text_is_cut_behind_a_sentence(void **state)
{
	(void)state;
	char text[4000];

	memset(text, 'a', sizeof text);
	text[sizeof text - 1] = 0;
	text[50] = '.';
	text[51] = ' ';
	text[1000] = ' ';
	/* fifty letters are not worth a part */
	assert_int_equal(tts_part_len(text), 1000);
	text[900] = '?';
	text[901] = '\n';
	assert_int_equal(tts_part_len(text), 901);
	memset(text, 'a', sizeof text - 1);
	assert_int_equal(tts_part_len(text), TTS_PART_BYTES);
}

static void a_cut_never_splits_a_character(void **state)
{
	(void)state;
	char text[4000];

	for (size_t i = 0; i + 3 < sizeof text; i += 3)
		memcpy(text + i, "\xe3\x81\x82", 4); /* U+3042 */
	for (size_t shift = 0; shift < 3; shift++) {
		char *shifted = str_printf("%.*s%s", (int)shift, "xx", text);
		size_t n = tts_part_len(shifted);
		assert_true(n > TTS_PART_BYTES - 4 && n <= TTS_PART_BYTES);
		assert_int_equal((n - shift) % 3, 0);
		free(shifted);
	}
}

static void only_marks_are_not_speakable(void **state)
{
	(void)state;

	assert_false(tts_speakable(""));
	assert_false(tts_speakable(" ... -- !?"));
	assert_false(tts_speakable("\xe2\x80\x94 \xe2\x80\xa6")); /* dash, dots */
	assert_true(tts_speakable("a"));
	assert_true(tts_speakable("-5"));
	assert_true(tts_speakable("\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85")); /* salam */
	assert_true(tts_speakable("$"));
}

static void a_sample_may_be_cut_in_two(void **state)
{
	(void)state;
	static const uint8_t bytes[] = { 1, 0, 2, 0, 3, 0, 4, 0 };

	for (size_t step = 1; step <= 8; step++) {
		struct tts_bytes b = { 0 };
		int16_t out[8];
		size_t n_out = 0, n;
		for (size_t at = 0; at < 8; at += step) {
			size_t len = at + step > 8 ? 8 - at : step;
			const int16_t *s = tts_samples(&b, bytes + at, len, &n);
			for (size_t i = 0; i < n; i++)
				out[n_out++] = s[i];
		}
		assert_int_equal(n_out, 4);
		for (int16_t i = 0; i < 4; i++)
			assert_int_equal(out[i], i + 1);
		assert_false(b.has_odd);
		tts_bytes_free(&b);
	}
}

static void flushes_come_back_after_a_minute(void **state)
{
	(void)state;
	struct flushes f;

	flushes_init(&f, 3);
	assert_int_equal(flushes_left(&f, 0), 3);
	flushes_add(&f, 0);
	flushes_add(&f, 10000);
	flushes_add(&f, 20000);
	assert_int_equal(flushes_left(&f, 60000), 0);
	assert_int_equal(flushes_left(&f, 61000), 1);
	flushes_add(&f, 61000);
	assert_int_equal(flushes_left(&f, 70999), 0);
	assert_int_equal(flushes_left(&f, 200000), 3);
	/* the ring wraps */
	for (int64_t t = 0; t < 500; t++) {
		assert_true(flushes_left(&f, 300000 + t * 21000) > 0);
		flushes_add(&f, 300000 + t * 21000);
	}
}

static int type_of(const char *text, char *code)
{
	return aura_message_read(text, strlen(text), code);
}

static void aura_messages_are_told_apart(void **state)
{
	(void)state;
	char code[48];

	assert_int_equal(type_of("{\"type\":\"Flushed\",\"sequence_id\":0}",
				 NULL), AURA_FLUSHED);
	assert_int_equal(type_of("{\"type\":\"Cleared\"}", code), AURA_CLEARED);
	assert_int_equal(type_of("{\"type\":\"Metadata\"}", code),
			 AURA_METADATA);
	assert_int_equal(type_of("{\"type\":\"Warning\",\"code\":\"C1\"}",
				 code), AURA_WARNING);
	assert_string_equal(code, "C1");
	assert_int_equal(type_of("{\"type\":\"Warning\",\"warn_code\":\"W\"}",
				 code), AURA_WARNING);
	assert_string_equal(code, "W");
	assert_int_equal(type_of("{\"type\":\"New\"}", code), AURA_OTHER);
	assert_int_equal(type_of("{}", code), ERR_PROTOCOL);
	assert_int_equal(type_of("", code), ERR_PROTOCOL);
}

static void text_is_quoted_on_its_way(void **state)
{
	(void)state;
	struct buf out = { 0 };

	aura_speak_text(&out, "Say \"ah\"\n now", 9);
	assert_string_equal(buf_str(&out), "{\"type\":\"Speak\",\"text\":"
			    "\"Say \\\"ah\\\"\\u000a\"}");
	buf_free(&out);
}

static void content_types_decide_the_reader(void **state)
{
	(void)state;

	assert_int_equal(rest_content(NULL), 0);
	assert_int_equal(rest_content("application/octet-stream"), 0);
	assert_int_equal(rest_content("audio/pcm"), 0);
	assert_int_equal(rest_content("audio/l16;rate=24000"), 0);
	assert_int_equal(rest_content("audio/l16;rate=16000"), ERR_PROTOCOL);
	assert_int_equal(rest_content("text/event-stream; charset=utf-8"), 1);
	assert_int_equal(rest_content("audio/mpeg"), ERR_PROTOCOL);
	assert_int_equal(rest_content("audio/wav"), ERR_PROTOCOL);
	assert_int_equal(rest_content("application/json"), ERR_PROTOCOL);
	assert_int_equal(rest_content("Text/HTML"), ERR_PROTOCOL);
}

static int event(struct buf *out, const char *data)
{
	return speech_event(out, data, strlen(data));
}

static void speech_events_carry_base64(void **state)
{
	(void)state;
	struct buf out = { 0 };

	assert_int_equal(event(&out, "{\"type\":\"speech.audio.delta\","
			       "\"audio\":\"AQACAA==\"}"), 0);
	assert_int_equal(out.len, 4);
	assert_int_equal(out.p[2], 2);
	assert_int_equal(event(&out, "{\"type\":\"speech.audio.done\"}"), 1);
	assert_int_equal(event(&out, "[DONE]"), 1);
	assert_int_equal(event(&out, "{\"type\":\"new\"}"), 0);
	assert_int_equal(event(&out, "{\"type\":\"error\"}"), ERR_PROTOCOL);
	assert_int_equal(event(&out, "{\"type\":\"speech.audio.delta\","
			       "\"audio\":\"!\"}"), ERR_PROTOCOL);
	assert_int_equal(event(&out, "{}"), ERR_PROTOCOL);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_text_is_one_part),
		cmocka_unit_test(a_long_text_is_cut_behind_a_sentence),
		cmocka_unit_test(a_cut_never_splits_a_character),
		cmocka_unit_test(only_marks_are_not_speakable),
		cmocka_unit_test(a_sample_may_be_cut_in_two),
		cmocka_unit_test(flushes_come_back_after_a_minute),
		cmocka_unit_test(aura_messages_are_told_apart),
		cmocka_unit_test(text_is_quoted_on_its_way),
		cmocka_unit_test(content_types_decide_the_reader),
		cmocka_unit_test(speech_events_carry_base64),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
