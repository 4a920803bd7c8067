/* Addresses of services, taken apart (RFC 3986, the part we use). Pure. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/str.h"
#include "io/io.h"

static const struct {
	const char *name;
	int port;
	bool tls;
} schemes[] = {
	{ "http", 80, false },
	{ "https", 443, true },
	{ "ws", 80, false },
	{ "wss", 443, true },
};

static const char *take_scheme(struct url *u, const char *text)
{
	const char *sep = strstr(text, "://");

	if (!sep)
		return NULL;
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		size_t n = strlen(schemes[i].name);
		if (n != (size_t)(sep - text) ||
		    strncasecmp(text, schemes[i].name, n) != 0)
			continue;
		str_copy(u->scheme, sizeof u->scheme, schemes[i].name);
		u->port = schemes[i].port;
		u->tls = schemes[i].tls;
		return sep + 3;
	}
	return NULL;
}

static bool is_host_char(char c, bool literal)
{
	return isalnum((unsigned char)c) || strchr("-._~", c) ||
	       (literal && c == ':');
}

static const char *take_host(struct url *u, const char *at)
{
	bool literal = *at == '[';
	size_t n = 0;

	if (literal)
		at++;
	while (*at && is_host_char(*at, literal)) {
		if (n + 1 >= sizeof u->host)
			return NULL;
		u->host[n++] = *at++;
	}
	u->host[n] = 0;
	if (literal && *at++ != ']')
		return NULL;
	return n ? at : NULL;
}

static const char *take_port(struct url *u, const char *at)
{
	int port = 0;

	if (*at != ':')
		return at;
	for (at++; isdigit((unsigned char)*at); at++) {
		port = port * 10 + (*at - '0');
		if (port > 65535)
			return NULL;
	}
	if (!port)
		return NULL;
	u->port = port;
	return at;
}

/* Path and query; a fragment is never sent. */
static bool take_path(struct url *u, const char *at)
{
	size_t n = 0;

	if (*at && !strchr("/?#", *at))
		return false;
	if (*at != '/')
		u->path[n++] = '/';
	for (; *at && *at != '#'; at++) {
		if ((unsigned char)*at <= ' ' || *at == 0x7f ||
		    n + 1 >= sizeof u->path)
			return false;
		u->path[n++] = *at;
	}
	u->path[n] = 0;
	return true;
}

int url_parse(struct url *u, const char *text)
{
	struct url out = { 0 };

	const char *at = text ? take_scheme(&out, text) : NULL;
	if (at)
		at = take_host(&out, at);
	if (at)
		at = take_port(&out, at);
	if (!at || !take_path(&out, at))
		return ERR_CONFIG;
	*u = out;
	return 0;
}
