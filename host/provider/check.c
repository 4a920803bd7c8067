/*
 * provider_check(): a clinic's choice of provider, model and voice, judged
 * when it is loaded and in words that say what is allowed. Pure.
 */
#include "provider/provider_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static _Thread_local char why_text[256];

int check_fail(const char **ret_why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why_text, sizeof why_text, fmt, ap);
	va_end(ap);
	if (ret_why)
		*ret_why = why_text;
	return ERR_CONFIG;
}

/* "aura", "aura-rest" or "speech", from a table's names. */
static void names_add(struct buf *out, const char *name)
{
	buf_printf(out, "%s\"%s\"", out->len ? ", " : "", name);
}

static int unknown(const char *what, const struct provider_choice *c,
		   struct buf *names, const char **ret_why)
{
	int r = check_fail(ret_why, "%s provider \"%s\" is unknown; known: %s",
			   what, c->provider, buf_str(names));

	buf_free(names);
	return r;
}

static int check_stt(const struct provider_choice *c, const char **ret_why)
{
	struct buf names = { 0 };

	for (const struct stt_ops *const *o = provider_tables.stt; *o; o++) {
		if (str_eq((*o)->name, c->provider)) {
			buf_free(&names);
			return (*o)->check(c, ret_why);
		}
		names_add(&names, (*o)->name);
	}
	return unknown("stt", c, &names, ret_why);
}

static int check_llm(const struct provider_choice *c, const char **ret_why)
{
	struct buf names = { 0 };

	for (const struct llm_ops *const *o = provider_tables.llm; *o; o++) {
		if (str_eq((*o)->name, c->provider)) {
			buf_free(&names);
			return (*o)->check(c, ret_why);
		}
		names_add(&names, (*o)->name);
	}
	return unknown("llm", c, &names, ret_why);
}

static int check_tts(const struct provider_choice *c, const char **ret_why)
{
	struct buf names = { 0 };

	for (const struct tts_ops *const *o = provider_tables.tts; *o; o++) {
		if (str_eq((*o)->name, c->provider)) {
			buf_free(&names);
			return (*o)->check(c, ret_why);
		}
		names_add(&names, (*o)->name);
	}
	return unknown("tts", c, &names, ret_why);
}

int provider_check(char kind, const struct provider_choice *c,
		   const char **ret_why)
{
	if (str_blank(c->provider))
		return check_fail(ret_why, "provider is missing");
	if (str_blank(c->model))
		return check_fail(ret_why, "model is missing");
	switch (kind) {
	case 's':
		return check_stt(c, ret_why);
	case 'l':
		return check_llm(c, ret_why);
	case 't':
		return check_tts(c, ret_why);
	}
	return check_fail(ret_why, "kind '%c' is none of s, l, t", kind);
}
