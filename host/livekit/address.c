/* Addresses of a LiveKit server: http and ws are the same place. */
#include "livekit/address_int.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"

static int address(struct buf *out, const char *base, const char *path,
		   const char *plain, const char *secure)
{
	const char *sep = base ? strstr(base, "://") : NULL;

	assert(path[0] == '/');
	if (!sep || !sep[3] || sep[3] == '/')
		return ERR_CONFIG;
	size_t n = (size_t)(sep - base);
	bool tls = (n == 5 && !strncasecmp(base, "https", 5)) ||
		   (n == 3 && !strncasecmp(base, "wss", 3));
	bool open = (n == 4 && !strncasecmp(base, "http", 4)) ||
		    (n == 2 && !strncasecmp(base, "ws", 2));
	if (!tls && !open)
		return ERR_CONFIG;

	const char *host = sep + 3;
	size_t len = strcspn(host, "?#");
	while (len && host[len - 1] == '/')
		len--;
	buf_puts(out, tls ? secure : plain);
	buf_add(out, host, len);
	buf_puts(out, path);
	return 0;
}

int address_ws(struct buf *out, const char *base, const char *path)
{
	return address(out, base, path, "ws://", "wss://");
}

int address_http(struct buf *out, const char *base, const char *path)
{
	return address(out, base, path, "http://", "https://");
}
