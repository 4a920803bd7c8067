/* The turn machine's part about words as such: joining, comparing. Pure. */
#include <ctype.h>
#include <string.h>

#include "base/str.h"
#include "call/turn_int.h"

void turn_join(struct buf *b, const char *text)
{
	if (str_blank(text))
		return;
	if (b->len)
		buf_puts(b, " ");
	buf_puts(b, text);
}

void turn_put(struct buf *b, const char *text)
{
	buf_reset(b);
	buf_puts(b, text);
}

/* Bytes of the blank or punctuation mark at s, 0 if there is none. */
static size_t mark(const char *s)
{
	static const char *const wide[] = { "۔", "،", "؟", "؛", "…", "’" };

	if (*s == ' ' || ispunct((unsigned char)*s))
		return 1;
	for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
		if (str_has_prefix(s, wide[i]))
			return strlen(wide[i]);
	}
	return 0;
}

static const char *skip_marks(const char *s)
{
	for (size_t n; (n = mark(s)) > 0;)
		s += n;
	return s;
}

const char *turn_after_words(const char *text, const char *words)
{
	for (;;) {
		text = skip_marks(text);
		words = skip_marks(words);
		if (!*words)
			return text;
		if (tolower((unsigned char)*text) !=
		    tolower((unsigned char)*words))
			return NULL;
		text++;
		words++;
	}
}

bool turn_same_words(const char *a, const char *b)
{
	const char *rest = turn_after_words(a, b);

	return rest && !*rest;
}

int turn_count_words(const char *s)
{
	int n = 0;

	for (bool in = false; *s; s++) {
		n += *s != ' ' && !in;
		in = *s != ' ';
	}
	return n;
}
