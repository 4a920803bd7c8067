/* URLs of relay servers, as signalling brings them. [any] */
#include "rtc/turn_int.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"

static int read_port(const char *s, int fallback)
{
	char *end;

	if (!*s)
		return fallback;
	long port = strtol(s, &end, 10);
	return *end || port < 1 || port > 65535 ? -1 : (int)port;
}

/* host, host:port, [v6], [v6]:port */
static int read_host(struct turn_url *u, const char *s, size_t n, int fallback)
{
	char text[300];
	char *port = NULL, *host = text;

	if (!n || n >= sizeof text)
		return ERR_CONFIG;
	memcpy(text, s, n);
	text[n] = 0;
	if (*text == '[') {
		char *end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return ERR_CONFIG;
		host = text + 1;
		port = end[1] ? end + 2 : NULL;
		*end = 0;
	} else if ((port = strchr(text, ':'))) {
		*port++ = 0;
	}
	u->port = read_port(port ? port : "", fallback);
	if (u->port < 0 || !*host || !str_copy(u->host, sizeof u->host, host))
		return ERR_CONFIG;
	return 0;
}

int turn_url_parse(struct turn_url *ret, const char *text)
{
	struct turn_url u = { 0 };
	bool tls = str_has_prefix(text, "turns:");

	if (str_has_prefix(text, "stun:") || str_has_prefix(text, "stuns:")) {
		u.kind = TURN_STUN;
		*ret = u;
		return 0;
	}
	if (!tls && !str_has_prefix(text, "turn:"))
		return ERR_CONFIG;
	const char *host = text + (tls ? 6 : 5);
	const char *query = strchr(host, '?');
	const char *transport = query ? strstr(query, "transport=") : NULL;
	bool tcp = transport && str_has_prefix(transport + 10, "tcp");
	/* TLS over UDP (DTLS) is something that no server we know offers */
	u.kind = tls ? TURN_TLS : tcp ? TURN_TCP : TURN_UDP;
	if (tls && transport && !tcp)
		return ERR_CONFIG;
	int r = read_host(&u, host, query ? (size_t)(query - host) : strlen(host),
			  tls ? 5349 : 3478);
	if (r == 0)
		*ret = u;
	return r;
}
