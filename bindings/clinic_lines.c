/*
 * Where in clinic.lua does "languages[1].tts[2].model" stand? A value does
 * not know its line, so the text is read again: tables, keys and commas of a
 * data file. Code in it (functions, loops) is not followed; then the nearest
 * parent's line, or none, is the answer. Pure.
 */
#include "bindings/bundle_int.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define MOST_DEPTH 16

struct frame {
	size_t path_len; /* of the table itself */
	int index;       /* of its last positional entry */
};

struct scan {
	const char *p, *end;
	int line;
	const char *want;
	int best;        /* line of the nearest parent so far */
	char path[256];
	size_t path_len;
	struct frame frames[MOST_DEPTH];
	int depth;
	bool entry;      /* the next token begins an entry of a table */
};

static int level_of(const char *p, const char *end)
{
	const char *q = p + 1;

	while (q < end && *q == '=')
		q++;
	return q < end && *q == '[' ? (int)(q - p - 1) : -1;
}

/* Behind the long bracket that opens at p with that many '='. */
static void skip_long(struct scan *s, int level)
{
	s->p += level + 2;
	for (; s->p < s->end; s->p++) {
		if (*s->p == '\n')
			s->line++;
		if (*s->p != ']')
			continue;
		const char *q = s->p + 1;
		while (q < s->end && *q == '=')
			q++;
		if (q < s->end && *q == ']' && q - s->p - 1 == level) {
			s->p = q + 1;
			return;
		}
	}
}

static void skip_text(struct scan *s)
{
	char quote = *s->p++;

	for (; s->p < s->end && *s->p != quote; s->p++) {
		if (*s->p == '\n')
			s->line++;
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
	}
	if (s->p < s->end)
		s->p++;
}

/* Blanks and comments. */
static void skip_blank(struct scan *s)
{
	while (s->p < s->end) {
		if (*s->p == '\n') {
			s->line++;
			s->p++;
		} else if (isspace((unsigned char)*s->p)) {
			s->p++;
		} else if (s->end - s->p >= 2 && s->p[0] == '-' && s->p[1] == '-') {
			s->p += 2;
			int level = s->p < s->end && *s->p == '[' ?
				    level_of(s->p, s->end) : -1;
			if (level >= 0)
				skip_long(s, level);
			while (level < 0 && s->p < s->end && *s->p != '\n')
				s->p++;
		} else {
			return;
		}
	}
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The path has got its next part: is it what is wanted, or a parent? */
static void arrived(struct scan *s)
{
	size_t n = s->path_len;

	if (n == 0 || strncmp(s->path, s->want, n))
		return;
	if (s->want[n] == 0 || s->want[n] == '.' || s->want[n] == '[')
		s->best = s->line;
}

static void enter_key(struct scan *s, const char *key, size_t n)
{
	size_t base = s->frames[s->depth].path_len;

	assert(base < sizeof s->path);
	int w = snprintf(s->path + base, sizeof s->path - base, "%s%.*s",
			 base ? "." : "", (int)n, key);

	s->path_len = w < 0 || base + (size_t)w >= sizeof s->path ? base
							: base + (size_t)w;
	arrived(s);
}

static void enter_index(struct scan *s)
{
	size_t base = s->frames[s->depth].path_len;
	int w = snprintf(s->path + base, sizeof s->path - base, "[%d]",
			 ++s->frames[s->depth].index);

	s->path_len = w < 0 || base + (size_t)w >= sizeof s->path ? base
							: base + (size_t)w;
	arrived(s);
}

/* The first token of an entry: name =, ["name"] =, or a value. */
static void begin_entry(struct scan *s)
{
	const char *p = s->p, *key = p, *q;
	size_t n = 0;

	s->entry = false;
	if (*p == '}')
		return;
	if (*p == '[' && level_of(p, s->end) < 0) {
		q = p + 1;
		while (q < s->end && (*q == ' ' || *q == '"' || *q == '\''))
			q++;
		key = q;
		while (q < s->end && *q != ']' && *q != '"' && *q != '\'')
			q++;
		n = (size_t)(q - key);
		while (q < s->end && *q != ']' && *q != '\n')
			q++;
		enter_key(s, key, n);
		s->p = q;
		return;
	}
	while (p < s->end && is_name(*p))
		p++;
	n = (size_t)(p - key);
	for (q = p; q < s->end && (*q == ' ' || *q == '\t'); q++)
		;
	if (n && q + 1 < s->end && *q == '=' && q[1] != '=') {
		enter_key(s, key, n);
		s->p = q + 1;
		return;
	}
	enter_index(s);
}

static void open_table(struct scan *s)
{
	s->p++;
	if (s->depth + 1 >= MOST_DEPTH)
		return;
	s->depth++;
	s->frames[s->depth] = (struct frame){
		.path_len = s->depth > 1 ? s->path_len : 0
	};
	s->entry = true;
}

int clinic_line(const char *source, size_t n, const char *path)
{
	struct scan s = { .p = source, .end = source + n, .line = 1,
			  .want = path };

	for (;;) {
		skip_blank(&s);
		if (s.p >= s.end)
			return s.best;
		if (s.entry && s.depth > 0) {
			begin_entry(&s);
			continue;
		}
		int level = *s.p == '[' ? level_of(s.p, s.end) : -1;
		if (*s.p == '{') {
			open_table(&s);
		} else if (*s.p == '}') {
			if (s.depth > 0)
				s.depth--;
			s.p++;
		} else if (*s.p == ',' || *s.p == ';') {
			s.entry = true;
			s.p++;
		} else if (*s.p == '"' || *s.p == '\'') {
			skip_text(&s);
		} else if (level >= 0) {
			skip_long(&s, level);
		} else {
			s.p++;
		}
	}
}
