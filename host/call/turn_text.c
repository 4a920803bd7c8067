/* The turn machine's part about words as such: joining, comparing. Pure. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

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

/* Figures outside of ASCII: Arabic-Indic (U+0660) and Persian (U+06F0). */
static size_t wide_figure(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;

	return (u[0] == 0xD9 && u[1] >= 0xA0 && u[1] <= 0xA9) ||
	       (u[0] == 0xDB && u[1] >= 0xB0 && u[1] <= 0xB9) ? 2 : 0;
}

static bool is_one_of(const char *word, size_t n, const char *const *list)
{
	for (; *list; list++) {
		if (strlen(*list) == n && !strncasecmp(word, *list, n))
			return true;
	}
	return false;
}

int turn_count_digits(const char *s)
{
	static const char *const digits[] = {
		"zero", "oh", "o", "one", "two", "three", "four", "five", "six",
		"seven", "eight", "nine", "صفر", "ایک", "دو", "تین", "چار",
		"پانچ", "چھ", "سات", "آٹھ", "نو", NULL };
	static const char *const twice[] = { "double", "ڈبل", NULL };
	static const char *const thrice[] = { "triple", "treble", NULL };
	int n = 0, times = 1;

	for (s = skip_marks(s); *s; s = skip_marks(s)) {
		size_t len = 0, figures = 0;
		for (size_t step; s[len] && !mark(s + len); len += step) {
			step = wide_figure(s + len);
			figures += step || isdigit((unsigned char)s[len]);
			step = step ? step : 1;
		}
		if (figures)
			n += (int)figures + times - 1;
		else if (is_one_of(s, len, digits))
			n += times;
		times = is_one_of(s, len, twice) ? 2 :
			is_one_of(s, len, thrice) ? 3 : 1;
		s += len;
	}
	return n;
}
