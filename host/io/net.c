/* Proxies, header lists and addresses as text. Pure but for getenv(). */
#include "io/net_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <uv.h>

#include "base/err.h"
#include "base/str.h"

static const char *env_either(const char *a, const char *b)
{
	const char *v = getenv(a);

	return v && *v ? v : getenv(b);
}

/* Does one entry of no_proxy ("example.com", ".example.com", "*") cover it? */
static bool covers(const char *entry, size_t n, const char *host)
{
	size_t len = strlen(host);

	if (n == 1 && *entry == '*')
		return true;
	if (n && *entry == '.') {
		entry++;
		n--;
	}
	if (!n || n > len || strncasecmp(host + len - n, entry, n) != 0)
		return false;
	return n == len || host[len - n - 1] == '.';
}

static bool is_exempt(const char *host)
{
	const char *at = env_either("no_proxy", "NO_PROXY");

	while (at && *at) {
		at += strspn(at, ", ");
		size_t n = strcspn(at, ", ");
		if (covers(at, n, host))
			return true;
		at += n;
	}
	return false;
}

int proxy_find(struct proxy *p, const struct url *u)
{
	const char *text = env_either("https_proxy", "HTTPS_PROXY");
	struct proxy out = { 0 };
	struct url parsed;
	char whole[512];

	if (!u->tls || str_blank(text) || is_exempt(u->host)) {
		*p = out;
		return 0;
	}
	if (str_has_prefix(text, "http://"))
		text += 7;
	const char *at = strrchr(text, '@');
	if (at) {
		size_t n = (size_t)(at - text);
		if (n >= sizeof out.auth)
			return ERR_CONFIG;
		memcpy(out.auth, text, n);
		text = at + 1;
	}
	int n = snprintf(whole, sizeof whole, "http://%s", text);
	if (n < 0 || (size_t)n >= sizeof whole || url_parse(&parsed, whole) < 0)
		return ERR_CONFIG;
	str_copy(out.host, sizeof out.host, parsed.host);
	out.port = parsed.port;
	*p = out;
	return 0;
}

void headers_add(struct buf *h, const char *line, size_t n)
{
	while (n && (line[n - 1] == '\r' || line[n - 1] == '\n'))
		n--;
	buf_add(h, line, n);
	buf_add(h, "", 1);
}

const char *headers_find(const struct buf *h, const char *name)
{
	const char *at = buf_str(h), *end = at + h->len;
	size_t n = strlen(name);

	for (; at < end; at += strlen(at) + 1) {
		if (strncasecmp(at, name, n) == 0 && at[n] == ':') {
			at += n + 1;
			return at + strspn(at, " \t");
		}
	}
	return NULL;
}

char **headers_copy(const char *const *list)
{
	size_t n = 0;

	for (; list && list[n]; n++) {
		if (strpbrk(list[n], "\r\n"))
			return NULL;
	}
	char **copy = calloc(n + 1, sizeof *copy);
	if (!copy)
		abort();
	for (size_t i = 0; i < n; i++)
		copy[i] = str_dup(list[i]);
	return copy;
}

void headers_free(char **list)
{
	for (char **h = list; h && *h; h++)
		free(*h);
	free(list);
}

void addr_text(const struct sockaddr_storage *a, char *out, size_t cap)
{
	out[0] = 0;
	if (a->ss_family == AF_INET6)
		uv_ip6_name((const struct sockaddr_in6 *)a, out, cap);
	else
		uv_ip4_name((const struct sockaddr_in *)a, out, cap);
}
