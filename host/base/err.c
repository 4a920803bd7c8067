/* Names and phrases of result codes. */
#include "base/err.h"

#include <stddef.h>
#include <string.h>

static const struct {
	int code;
	const char *name;
	const char *text;
} own[] = {
	{ ERR_AUTH, "ERR_AUTH", "credentials refused" },
	{ ERR_LIMIT, "ERR_LIMIT", "rate or quota exceeded" },
	{ ERR_REQUEST, "ERR_REQUEST", "request not accepted" },
	{ ERR_SERVER, "ERR_SERVER", "server failed" },
	{ ERR_PROTOCOL, "ERR_PROTOCOL", "unreadable answer" },
	{ ERR_CLOSED, "ERR_CLOSED", "connection closed early" },
	{ ERR_STALLED, "ERR_STALLED", "no answer in time" },
	{ ERR_EMPTY, "ERR_EMPTY", "empty result" },
	{ ERR_CONFIG, "ERR_CONFIG", "configuration missing or wrong" },
	{ ERR_FULL, "ERR_FULL", "no capacity left" },
	{ ERR_GONE, "ERR_GONE", "already over" },
	/* libuv's codes for names, which are no errno */
	{ -3001, "EAI_AGAIN", "name server did not answer" },
	{ -3003, "EAI_CANCELED", "name look-up cancelled" },
	{ -3007, "EAI_NODATA", "name has no address" },
	{ -3008, "EAI_NONAME", "name not known" },
};

const char *err_name(int r)
{
	if (r >= 0)
		return "OK";
	for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
		if (own[i].code == r)
			return own[i].name;
	}
	const char *name = strerrorname_np(-r);
	return name ? name : "ERR_UNKNOWN";
}

const char *err_text(int r)
{
	if (r >= 0)
		return "ok";
	for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
		if (own[i].code == r)
			return own[i].text;
	}
	const char *text = strerrordesc_np(-r);
	return text ? text : "unknown error";
}

int err_from_http(long status)
{
	if (status < 400)
		return 0;
	if (status == 401 || status == 402 || status == 403)
		return ERR_AUTH;
	if (status == 408)
		return -ETIMEDOUT;
	if (status == 429)
		return ERR_LIMIT;
	return status < 500 ? ERR_REQUEST : ERR_SERVER;
}
