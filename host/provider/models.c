/*
 * The model table: what each family accepts and when it ends. Data from the
 * vendors' deprecation pages as of November 2026; a name is configuration,
 * so an unknown one works with the cautious default. Pure.
 */
#include "provider/provider_int.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* The 5.4 to 6 families reason by default and then refuse function tools on
 * Chat Completions, so "none" is sent explicitly; it is also the fastest.
 * gpt-6-astra and gpt-6.1-sol do not accept "none": Responses it is. */
static const struct model_row rows[] = {
	/* prefix, responses, effort, temperature, ends */
	{ "gpt-6-astra", true, "low", false, NULL },
	{ "gpt-6.1-sol", true, "low", false, NULL },
	{ "gpt-6", false, "none", true, NULL },
	{ "gpt-5.6", false, "none", true, NULL },
	{ "gpt-5.5", false, "none", true, NULL },
	{ "gpt-5.4", false, "none", true, NULL },
	{ "gpt-5.4-nano", false, "none", true, "2027-04-01" },
	{ "gpt-5.1", false, "none", false, "2027-04-01" },
	{ "gpt-5.", false, "none", false, NULL },
	{ "gpt-5", false, "minimal", false, "2026-12-11" },
	{ "o3", false, "low", false, "2026-12-11" },
	{ "o3-mini", false, "low", false, "2026-10-23" },
	{ "o4-mini", false, "low", false, "2026-10-23" },
	{ "o1", false, "low", false, "2026-10-23" },
	{ "gpt-4.1", false, NULL, true, "2027-01-14" },
	{ "gpt-4.1-nano", false, NULL, true, "2026-10-23" },
	{ "gpt-4o", false, NULL, true, "2027-01-14" },
	{ "gpt-4o-2024-05-13", false, NULL, true, "2026-10-23" },
	{ "gpt-4-turbo", false, NULL, true, "2026-10-23" },
	{ "gpt-3.5-turbo", false, NULL, true, "2026-10-23" },
	{ "gpt-realtime", false, NULL, false, "2027-01-20" },
	{ "gpt-realtime-2.", false, NULL, false, NULL },
	{ "gpt-audio-mini", false, NULL, false, "2027-01-20" },
	{ "gpt-4o-mini-tts", false, NULL, false, "2027-01-06" },
	{ "tts-1", false, NULL, false, "2027-01-06" },
	{ "whisper-1", false, NULL, false, "2027-02-26" },
	{ "gpt-4o-transcribe", false, NULL, false, "2027-02-26" },
	{ "gpt-4o-mini-transcribe", false, NULL, false, "2027-02-26" },
	{ "nova-3", false, NULL, false, NULL },
	{ "nova-2", false, NULL, false, NULL },
	{ "aura-2", false, NULL, false, NULL },
	{ "aura", false, NULL, false, NULL },
};

static const struct model_row cautious = { "", false, NULL, false, NULL };

/* "gpt-5" is not the family of "gpt-55": a name part must end there. */
static bool matches(const char *model, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncmp(model, prefix, n) != 0)
		return false;
	char next = model[n];
	return prefix[n - 1] == '.' || !next || strchr("-.:@", next);
}

/* Resellers write "vendor/model", fine-tunes "ft:model:...". */
static const char *bare(const char *model)
{
	const char *slash = strrchr(model, '/');

	if (slash)
		model = slash + 1;
	return strncmp(model, "ft:", 3) == 0 ? model + 3 : model;
}

const struct model_row *model_find(const char *model)
{
	const struct model_row *best = &cautious;

	if (!model)
		return best;
	model = bare(model);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (strlen(rows[i].prefix) > strlen(best->prefix) &&
		    matches(model, rows[i].prefix))
			best = &rows[i];
	}
	return best;
}

bool model_known(const char *model)
{
	return model_find(model) != &cautious;
}

/* Days since 1970-01-01 of the Gregorian calendar (years from March, so that
 * the leap day comes last); false when the text is no date. */
static bool days_of(const char *date, int *ret_days)
{
	int y, m, d, used = 0;

	if (sscanf(date, "%4d-%2d-%2d%n", &y, &m, &d, &used) != 3 ||
	    used != 10 || y < 1970 || m < 1 || m > 12 || d < 1 || d > 31)
		return false;
	if (m < 3) {
		y--;
		m += 12;
	}
	*ret_days = 365 * y + y / 4 - y / 100 + y / 400 +
		    (153 * (m - 3) + 2) / 5 + d - 1 - 719468;
	return true;
}

int model_days_left(const char *model, const char *today)
{
	const struct model_row *row = model_find(model);
	int end, now;

	if (!row->ends || !today || !days_of(today, &now))
		return INT_MAX;
	bool ok = days_of(row->ends, &end);
	assert(ok);
	(void)ok;
	return end - now;
}

const char *model_effort(const struct provider_choice *c)
{
	return c->effort ? c->effort : model_find(c->model)->effort;
}

bool model_wants_responses(const struct provider_choice *c, bool has_tools)
{
	const struct model_row *row = model_find(c->model);
	const char *effort = model_effort(c);

	if (row->responses)
		return true;
	/* these families refuse tools on Chat Completions while reasoning */
	return has_tools && row->effort && strcmp(row->effort, "none") == 0 &&
	       strcmp(effort, "none") != 0;
}
