/* Small parts that ws and http share. */
#ifndef FD_IO_NET_INT_H
#define FD_IO_NET_INT_H

#include "base/buf.h"
#include "io/io.h"

/* The proxy for a URL, from https_proxy (HTTPS_PROXY) and no_proxy
 * (NO_PROXY), for TLS only; plain connections stay inside a machine or a
 * private network. */
struct proxy {
	char host[256]; /* "": connect directly */
	int port;
	char auth[192]; /* "user:password" or "" */
};
/* 0, or ERR_CONFIG when the variable cannot be read. */
int proxy_find(struct proxy *p, const struct url *u);

/* Header lines, each ended with NUL, one after another. */
void headers_add(struct buf *h, const char *line, size_t n);
/* The value after "name:", NULL if absent. Borrowed from h. */
const char *headers_find(const struct buf *h, const char *name);
/* NULL-ended list copied; NULL when a line holds CR or LF. */
char **headers_copy(const char *const *list);
void headers_free(char **list);

/* "192.0.2.1" or "2001:db8::1" of an address. */
void addr_text(const struct sockaddr_storage *a, char *out, size_t cap);

#endif
