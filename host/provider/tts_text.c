/* Text in parts that providers take, bytes into samples. Pure. */
#include "provider/tts_int.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"

size_t tts_part_len(const char *text)
{
	size_t n = strlen(text), blank = 0, sentence = 0;

	if (n <= TTS_PART_BYTES)
		return n;
	for (size_t i = 1; i < TTS_PART_BYTES; i++) {
		if (!isspace((unsigned char)text[i]))
			continue;
		blank = i;
		if (strchr(".!?;", text[i - 1]))
			sentence = i;
	}
	/* a sentence of a few words is not worth a part of its own */
	if (sentence > TTS_PART_BYTES / 3)
		return sentence;
	if (blank)
		return blank;
	return utf8_whole(text, TTS_PART_BYTES);
}

/* General punctuation (U+2000 to U+206F: dashes, quotes, ellipsis). */
static bool is_punctuation(const char *s)
{
	uint8_t a = (uint8_t)s[0], b = (uint8_t)s[1];

	return a == 0xe2 && (b == 0x80 || b == 0x81);
}

bool tts_speakable(const char *text)
{
	for (const char *s = text; *s; s++) {
		uint8_t c = (uint8_t)*s;
		if (isalnum(c))
			return true;
		if (c < 0xc0)
			continue;
		if (!is_punctuation(s))
			return true;
	}
	return strpbrk(text, "$%&+@#") != NULL;
}

const int16_t *tts_samples(struct tts_bytes *b, const uint8_t *p, size_t n,
			   size_t *ret_n)
{
	size_t whole = (n + b->has_odd) / 2 * 2;

	buf_reset(&b->samples);
	if (whole) {
		if (b->has_odd)
			buf_add(&b->samples, &b->odd, 1);
		size_t used = whole - b->has_odd;
		buf_add(&b->samples, p, used);
		b->has_odd = used < n;
		if (b->has_odd)
			b->odd = p[used];
	} else if (n) {
		b->has_odd = true;
		b->odd = p[0];
	}
	*ret_n = whole / 2;
	/* the heap's alignment and a little-endian machine, like the wire */
	return (const int16_t *)(const void *)b->samples.p;
}

void tts_bytes_free(struct tts_bytes *b)
{
	buf_free(&b->samples);
	b->has_odd = false;
}
