/* Clause by clause. Pure. */
#include "call/clause.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* The first clause may be short so that speech begins early; later ones are
 * longer, because each costs a flush and a seam in the melody. */
enum { FIRST_MIN = 12, LATER_MIN = 40, COMMA_MIN = 28, LONGEST = 240 };

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

/* "Dr." and "9.30" do not end a sentence; "a.m. " might, and costs little. */
static bool ends_sentence(const char *text, size_t at, size_t len)
{
	const char *next = text + at + len;

	if (text[at] != '.')
		return *next == 0 || isspace((unsigned char)*next) || len > 1 ||
		       text[at] == '\n';
	if (!isspace((unsigned char)*next))
		return false;
	if (at >= 2 && (!strncasecmp(text + at - 2, "dr", 2) ||
			!strncasecmp(text + at - 2, "mr", 2) ||
			!strncasecmp(text + at - 2, "ms", 2) ||
			!strncasecmp(text + at - 2, "st", 2)))
		return !(at == 2 || text[at - 3] == ' ' ||
			 (at >= 3 && text[at - 3] == 'M'));
	return true;
}

/* Where the first clause ends, 0 when none is whole. */
static size_t clause_end(const struct clauser *c)
{
	const char *s = buf_str(&c->text);
	size_t least = c->n ? LATER_MIN : FIRST_MIN;
	size_t space = 0;

	for (size_t i = 0; i < c->text.len; i++) {
		size_t len = stop_mark(s + i);
		if (len && i + len >= least && ends_sentence(s, i, len))
			return i + len;
		size_t comma = pause_mark(s + i);
		if (comma && i >= COMMA_MIN && s[i + comma] == ' ')
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
	for (; *s; s++) {
		if (isalnum((unsigned char)*s) || (unsigned char)*s >= 0x80)
			return true;
	}
	return false;
}

/* Copies n bytes without markup, blanks folded and trimmed. */
static char *clean(const char *s, size_t n)
{
	struct buf out = { 0 };
	bool gap = false;

	for (size_t i = 0; i < n; i++) {
		if (s[i] && strchr("*_#`", s[i]))
			continue;
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
