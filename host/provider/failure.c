/*
 * Why a provider failed, in one shape for every protocol: a result code,
 * whether and when to try again, and a short reason that is safe to log. Pure.
 */
#include "provider/provider_int.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/str.h"

void failure_set(struct failure *f, int err, const char *why)
{
	*f = (struct failure){ .err = err, .retry_ms = -1 };
	f->permanent = err == ERR_AUTH || err == ERR_REQUEST ||
		       err == ERR_CONFIG;
	str_copy(f->why, sizeof f->why, why ? why : err_text(err));
}

/* Only identifiers pass: "insufficient_quota", "INVALID_AUTH". A message with
 * blanks may quote a key or a sentence of the caller. */
static const char *as_code(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	if (n == 0 || n > 48)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)s[i]) && !strchr("_-.", s[i]))
			return NULL;
	}
	return s;
}

/* OpenAI: error.code or error.type; vLLM: flat type; Deepgram: err_code,
 * error_code or category. */
static const char *body_code(const cJSON *tree)
{
	const cJSON *error = json_get(tree, "error");
	const char *found[] = {
		as_code(json_str(error, "code")),
		as_code(json_str(error, "type")),
		as_code(json_str(tree, "err_code")),
		as_code(json_str(tree, "error_code")),
		as_code(json_str(tree, "category")),
		as_code(json_str(tree, "code")),
		as_code(json_str(tree, "type")),
	};

	for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
		if (found[i])
			return found[i];
	}
	return NULL;
}

/* Milliseconds in a header's number, -1 when it is none (HTTP dates are not
 * worth a calendar here: they mean seconds, more than a call can wait). */
static int wait_ms(const char *text, double unit_ms)
{
	char *end;

	if (!text)
		return -1;
	double v = strtod(text, &end);
	if (end == text || !(v >= 0) || v * unit_ms > 1e9)
		return -1;
	return (int)(v * unit_ms);
}

void failure_http(struct failure *f, long status, const char *body, size_t n,
		  const struct retry_headers *headers)
{
	static const struct retry_headers none;
	const struct retry_headers *h = headers ? headers : &none;
	cJSON *tree = body ? json_parse(body, n) : NULL;
	const char *code = body_code(tree);
	int err = status < 400 ? ERR_PROTOCOL : err_from_http(status);

	failure_set(f, err, NULL);
	/* 408, 409 (a lock) and 404 as the official client has them */
	if (status == 409)
		f->permanent = false;
	if (status == 429 && code && strcmp(code, "insufficient_quota") == 0)
		f->permanent = true;
	if (str_eq(h->should, "false"))
		f->permanent = true;
	f->retry_ms = wait_ms(h->after_ms, 1);
	if (f->retry_ms < 0)
		f->retry_ms = wait_ms(h->after, 1000);
	snprintf(f->why, sizeof f->why, "HTTP %ld%s%s", status,
		 code ? " " : "", code ? code : "");
	cJSON_Delete(tree);
}

void failure_error(struct failure *f, const cJSON *error)
{
	const char *code = as_code(json_str(error, "code"));

	if (!code)
		code = as_code(json_str(error, "type"));
	bool quota = str_eq(code, "insufficient_quota");
	bool limit = quota || str_eq(code, "rate_limit_exceeded");
	failure_set(f, limit ? ERR_LIMIT : ERR_SERVER, NULL);
	f->permanent = quota;
	if (code)
		snprintf(f->why, sizeof f->why, "error %s", code);
}

/* Deepgram's code inside a close reason, which comes bare ("NET-0001") or in
 * a sentence with a link ("...dpgr.am/net0001"). */
static bool reason_has(const char *reason, const char *word, const char *digits)
{
	size_t n = strlen(word);

	for (const char *s = reason; *s; s++) {
		if (strncasecmp(s, word, n) != 0)
			continue;
		const char *rest = s + n + (s[n] == '-');
		if (strncmp(rest, digits, strlen(digits)) == 0)
			return true;
	}
	return false;
}

static const struct {
	const char *word, *digits;
	int err;
} close_codes[] = {
	{ "net", "0000", ERR_STALLED },
	{ "net", "0001", ERR_STALLED },
	{ "net", "0002", ERR_CLOSED },
	{ "net", "0003", ERR_CLOSED },
	{ "data", "0000", ERR_REQUEST },
	{ "data", "0001", ERR_LIMIT },
	{ "message", "0000", ERR_REQUEST },
	{ "big", "0000", ERR_REQUEST },
	{ "big", "0001", ERR_REQUEST },
};

void failure_ws(struct failure *f, bool opened, int err, int status,
		const char *reason)
{
	if (!opened && status >= 300) {
		failure_http(f, status, reason, reason ? strlen(reason) : 0,
			     NULL);
		return;
	}
	failure_set(f, err < 0 ? err : ERR_CLOSED, NULL);
	if (!opened)
		return;
	for (size_t i = 0; i < sizeof close_codes / sizeof *close_codes; i++) {
		if (!reason || !reason_has(reason, close_codes[i].word,
					   close_codes[i].digits))
			continue;
		failure_set(f, close_codes[i].err, NULL);
		snprintf(f->why, sizeof f->why, "closed %d %s-%s", status,
			 close_codes[i].word, close_codes[i].digits);
		return;
	}
	snprintf(f->why, sizeof f->why, "closed %d", status);
}
