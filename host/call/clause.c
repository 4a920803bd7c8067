/* Clause by clause. Pure. */
#include "call/clause.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* The first clause may be short so that speech begins early; later ones are
 * longer, because each costs a flush and a seam in the melody. */
enum { FIRST_MIN = 12, LATER_MIN = 40, FIRST_COMMA = 28, LATER_COMMA = 80,
       LONGEST = 240 };

void clauser_finish(struct clauser *c)
{
	buf_free(&c->text);
}

void clauser_add(struct clauser *c, const char *text)
{
	buf_puts(&c->text, text);
}

/* Bytes of the sentence mark at s, 0 if there is none. */
static size_t stop_mark(const char *s)
{
	static const char *const marks[] = { "۔", "؟", "。", "…" };

	if (*s == '.' || *s == '!' || *s == '?' || *s == '\n' || *s == ';')
		return 1;
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
		if (str_has_prefix(s, marks[i]))
			return strlen(marks[i]);
	}
	return 0;
}

static size_t pause_mark(const char *s)
{
	if (*s == ',' || *s == ':')
		return 1;
	return str_has_prefix(s, "،") ? strlen("،") : 0;
}

static bool is_word_byte(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* The full stop at text[at] belongs to the word before it: "Dr. Khan", "No. 5",
 * and the numbers of a list. "a.m. " might end a sentence, and costs little. */
static bool stop_of_word(const char *text, size_t at)
{
	static const char *const words[] = { "dr", "mr", "mrs", "ms", "prof",
					     "st", "no", "vs", "e.g", "i.e" };
	size_t start = at;

	while (start && (is_word_byte(text[start - 1]) ||
			 text[start - 1] == '.'))
		start--;
	size_t n = at - start;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (n == strlen(words[i]) &&
		    !strncasecmp(text + start, words[i], n))
			/* "No." may be an answer, "No. 5" is not */
			return !str_eq(words[i], "no") || !text[at + 2] ||
			       isdigit((unsigned char)text[at + 2]);
	}
	return n && strspn(text + start, "0123456789") == n &&
	       (!start || text[start - 1] == '\n');
}

/* "9.30" does not end a sentence; after a full stop one more character must
 * be known. */
static bool ends_sentence(const char *text, size_t at, size_t len)
{
	const char *next = text + at + len;

	if (text[at] != '.')
		return !*next || isspace((unsigned char)*next) || len > 1 ||
		       text[at] == '\n';
	return isspace((unsigned char)*next) && !stop_of_word(text, at);
}

/* Where the first clause ends, 0 when none is whole. */
static size_t clause_end(const struct clauser *c)
{
	const char *s = buf_str(&c->text);
	size_t least = c->n ? LATER_MIN : FIRST_MIN;
	size_t least_comma = c->n ? LATER_COMMA : FIRST_COMMA;
	size_t space = 0;

	for (size_t i = 0; i < c->text.len; i++) {
		size_t len = stop_mark(s + i);
		if (len && i + len >= least && ends_sentence(s, i, len))
			return i + len;
		size_t comma = pause_mark(s + i);
		if (comma && i >= least_comma && s[i + comma] == ' ')
			return i + comma;
		if (s[i] == ' ')
			space = i;
		if (i >= LONGEST && space)
			return space;
	}
	return 0;
}

static bool speakable(const char *s)
{
	while (*s) {
		size_t mark = stop_mark(s);
		if (!mark && is_word_byte(*s) && !pause_mark(s))
			return true;
		s += mark ? mark : 1;
		while (((unsigned char)*s & 0xC0) == 0x80)
			s++; /* the rest of a mark's character */
	}
	return false;
}

/* Bytes of what nobody should hear at s: markup, and emoji (the plane that
 * begins with U+1F000). */
static size_t unheard(const char *s)
{
	if (*s && strchr("*_#`", *s))
		return 1;
	return str_has_prefix(s, "\xF0\x9F") ? 4 : 0;
}

/* Marks that came too late for the clause before: of "?!" the second. */
static size_t leading_marks(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && (isspace((unsigned char)s[i]) || strchr("!?;,:", s[i])))
		i++;
	return i;
}

/* Copies n bytes without markup, blanks folded and trimmed. */
static char *clean(const char *s, size_t n)
{
	struct buf out = { 0 };
	bool gap = false;

	n = utf8_whole(s, n); /* a stream may break off inside a character */
	for (size_t i = leading_marks(s, n); i < n; i++) {
		size_t skip = unheard(s + i);
		if (skip) {
			i += skip - 1;
			continue;
		}
		if (isspace((unsigned char)s[i])) {
			gap = out.len > 0;
			continue;
		}
		if (gap)
			buf_puts(&out, " ");
		gap = false;
		buf_add(&out, s + i, 1);
	}
	return buf_take(&out);
}

char *clauser_next(struct clauser *c, bool last)
{
	for (;;) {
		size_t n = clause_end(c);
		if (!n && last)
			n = c->text.len;
		if (!n)
			return NULL;
		char *clause = clean(buf_str(&c->text), n);
		buf_shift(&c->text, n);
		if (speakable(clause)) {
			c->n++;
			return clause;
		}
		free(clause);
	}
}
