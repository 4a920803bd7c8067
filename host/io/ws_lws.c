/*
 * The wire of websockets: libwebsockets on the loop's uv handles. lws gets an
 * address, never a name, because its own look-up blocks. Its virtual hosts
 * are made at first use, so a process that only speaks ws:// loads no
 * certificates.
 */
#include "io/ws_int.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <openssl/ssl.h>

#include "base/err.h"
#include "base/str.h"

enum {
	MAX_SOCKETS = 1024,
	CHUNK = 16 << 10,       /* read at once; also room for a request */
	LWS_TAIL = 12,          /* what lws keeps of it for itself */
	HANDSHAKE_S = 60,       /* our own limits are shorter */
};

/* ---- receiving ------------------------------------------------------------------- */

static void receive(struct ws *w, struct lws *wsi, const uint8_t *p, size_t n)
{
	bool last = lws_is_final_fragment(wsi) &&
		    !lws_remaining_packet_payload(wsi);

	if (w->state != WS_OPEN)
		return;
	if (w->in.len + n > w->max_message) {
		ws_give_up(w, ERR_PROTOCOL, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE,
			   "message too big");
		return;
	}
	bool text = !lws_frame_is_binary(wsi);
	if (last && !w->in.len) {
		ws_received(w, p, n, text);
		return;
	}
	buf_add(&w->in, p, n);
	if (last)
		ws_received(w, w->in.p, w->in.len, text);
}

/* ---- sending ---------------------------------------------------------------------- */

static int write_message(struct ws *w, struct lws *wsi)
{
	struct ws_message *m = w->out;
	int r = lws_write(wsi, m->bytes + LWS_PRE, m->n,
			  m->text ? LWS_WRITE_TEXT : LWS_WRITE_BINARY);

	w->out = m->next;
	if (!w->out)
		w->out_end = &w->out;
	w->queued -= m->n;
	free(m);
	return r < 0 ? -1 : 0;
}

/* One frame a callback, as lws wants it. */
static int writable(struct ws *w, struct lws *wsi)
{
	uint8_t ping[LWS_PRE + 1];
	int r = 0;

	if (w->state == WS_OPEN && w->want_ping) {
		w->want_ping = false;
		r = lws_write(wsi, ping + LWS_PRE, 0, LWS_WRITE_PING);
	} else if (w->out) {
		r = write_message(w, wsi);
	} else if (w->state == WS_CLOSING) {
		ws_flushed(w);
		return 0;
	}
	if (r >= 0 && (w->out || w->state == WS_CLOSING))
		lws_callback_on_writable(wsi);
	return r < 0 ? -1 : 0;
}

/* ---- handshake --------------------------------------------------------------------- */

/* lws cuts the request line at 2 KiB without a word, and a LiveKit join is
 * longer. So it is told "/", and the path goes in here: the text so far begins
 * where lws's buffer does, which the room that is left tells. */
static bool put_path(struct ws *w, uint8_t **at, size_t *room)
{
	static const char line[] = "GET / HTTP/1.1\r\n";
	size_t n = CHUNK - LWS_TAIL - *room, grow = strlen(w->url.path) - 1;
	uint8_t *start = *at - n;

	if (*room > CHUNK - LWS_TAIL || n < sizeof line || grow > *room ||
	    memcmp(start, line, sizeof line - 1) != 0)
		return false;
	memmove(start + 5 + grow, start + 5, n - 5);
	memcpy(start + 4, w->url.path, grow + 1);
	*at += grow;
	*room -= grow;
	return true;
}

static int add_headers(struct ws *w, struct lws *wsi, void *in, size_t room)
{
	uint8_t **at = in, *end;

	if (!put_path(w, at, &room))
		return -1;
	end = *at + room;
	for (char **h = w->headers; *h; h++) {
		char name[128];
		const char *colon = strchr(*h, ':');
		size_t n = colon ? (size_t)(colon - *h) + 1 : sizeof name;
		if (n >= sizeof name)
			return -1;
		memcpy(name, *h, n);
		name[n] = 0;
		const char *value = *h + n + strspn(*h + n, " ");
		if (lws_add_http_header_by_name(wsi, (uint8_t *)name,
						(const uint8_t *)value,
						(int)strlen(value), at, end))
			return -1;
	}
	return 0;
}

static int answered(struct ws *w, struct lws *wsi)
{
	int status = (int)lws_http_client_http_response(wsi);

	w->spoke = true;
	if (status == 101)
		return 0;
	refusal_begin(w, wsi, status);
	return -1;
}

/* lws knows common headers by number and others by name, and keeps them only
 * until the end of the callback that this is called from. */
static bool read_header(struct lws *wsi, const char *name, char *out, int cap)
{
	char key[128];
	int n = snprintf(key, sizeof key, "%s:", name);

	if (n < 0 || (size_t)n >= sizeof key)
		return false;
	for (char *c = key; *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
	for (int t = 0; t < WSI_TOKEN_COUNT; t++) {
		const unsigned char *s =
			lws_token_to_string((enum lws_token_indexes)t);
		if (s && strcmp((const char *)s, key) == 0)
			return lws_hdr_copy(wsi, out, cap,
					    (enum lws_token_indexes)t) > 0;
	}
	return lws_hdr_custom_length(wsi, key, n) > 0 &&
	       lws_hdr_custom_copy(wsi, out, cap, key, n) >= 0;
}

const char *ws_header(struct ws *w, const char *name)
{
	char value[1024], line[1200];
	const char *known = headers_find(&w->answer, name);

	if (known)
		return known;
	if (!w->wsi || w->state != WS_OPEN ||
	    !read_header(w->wsi, name, value, sizeof value))
		return NULL;
	int n = snprintf(line, sizeof line, "%s: %s", name, value);
	headers_add(&w->answer, line, (size_t)n);
	return headers_find(&w->answer, name);
}

/* ---- ends -------------------------------------------------------------------------- */

/* lws tells why in words only. */
static int failure_code(const struct ws *w, const char *why)
{
	static const char *const ends[] = { "hung up", "losed", "read failed",
					    "conn dead" };

	if (!w->connected)
		return -ECONNREFUSED;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		if (strstr(why, ends[i]))
			return ERR_CLOSED;
	}
	return ERR_PROTOCOL;
}

static void failed(struct ws *w, struct lws *wsi, const void *in, size_t n)
{
	char why[128] = "connection failed";

	/* a refusal still waits for the end of the wsi */
	if (w->state != WS_CONNECTING)
		return;
	lws_set_opaque_user_data(wsi, NULL);
	w->wsi = NULL;
	if (in && n) {
		n = strnlen(in, n < sizeof why ? n : sizeof why - 1);
		memcpy(why, in, n);
		why[n] = 0;
	}
	ws_attempt_failed(w, failure_code(w, why), why);
}

/* The server's close frame. We are done with it here; lws sends the answer
 * and ends the connection by itself. */
static void told_to_close(struct ws *w, const uint8_t *p, size_t n)
{
	int status = n < 2 ? 1005 : p[0] << 8 | p[1]; /* RFC 6455, 7.1.5 */
	char reason[126] = "";

	if (n > 2) {
		n = n - 2 < sizeof reason ? n - 2 : sizeof reason - 1;
		memcpy(reason, p + 2, n);
		reason[n] = 0;
	}
	ws_end(w, status == 1000 ? 0 : ERR_CLOSED, status, reason);
}

/* ---- lws's events ------------------------------------------------------------------- */

static int handle(struct ws *w, struct lws *wsi,
		  enum lws_callback_reasons what, void *in, size_t n)
{
	switch (what) {
	case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
		return add_headers(w, wsi, in, n);
	case LWS_CALLBACK_WSI_CREATE:
		w->connected = true;
		timer_stop(&w->attempt);
		return 0;
	case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
		return answered(w, wsi);
	case LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ:
		refusal_add(w, in, n);
		return 0;
	case LWS_CALLBACK_CLIENT_FILTER_PRE_ESTABLISH:
		/* everything was checked; headers are still there */
		ws_opened(w);
		return 0;
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		if (w->out)
			lws_callback_on_writable(wsi);
		return 0;
	case LWS_CALLBACK_CLIENT_RECEIVE:
		receive(w, wsi, in, n);
		return 0;
	case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
		w->unanswered = 0;
		return 0;
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return writable(w, wsi);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		told_to_close(w, in, n);
		return 0;
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		failed(w, wsi, in, n);
		return 0;
	case LWS_CALLBACK_CLIENT_CLOSED:
		ws_end(w, ERR_CLOSED, 1006, "connection lost");
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		w->wsi = NULL;
		if (w->state == WS_REFUSED)
			refusal_take_over(w);
		return 0;
	default:
		return 0;
	}
}

/* Whether lws looks at what the callback returns to close the connection. */
static bool may_close(enum lws_callback_reasons what)
{
	return what == LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER ||
	       what == LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP ||
	       what == LWS_CALLBACK_CLIENT_FILTER_PRE_ESTABLISH ||
	       what == LWS_CALLBACK_CLIENT_ESTABLISHED ||
	       what == LWS_CALLBACK_CLIENT_RECEIVE ||
	       what == LWS_CALLBACK_CLIENT_RECEIVE_PONG ||
	       what == LWS_CALLBACK_CLIENT_WRITEABLE;
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons what, void *user,
		  void *in, size_t n)
{
	struct ws *w = lws_get_opaque_user_data(wsi);

	(void)user;
	if (!w)
		/* lws is ending it; a second -1 would cut the goodbye */
		return 0;
	w->busy++;
	int r = handle(w, wsi, what, in, n);
	w->busy--;
	if (w->state == WS_ENDED) {
		/* lws closes it by itself after -1 */
		lws_set_opaque_user_data(wsi, NULL);
		w->wsi = NULL;
		if (may_close(what))
			r = -1;
		ws_settle(w);
	}
	return r;
}

static const struct lws_protocols protocols[] = {
	{ "fd", on_lws, 0, CHUNK, 0, NULL, 0 },
	{ NULL, NULL, 0, 0, 0, NULL, 0 },
};

/* lws's own pings are off: ours are counted. */
static const lws_retry_bo_t patience = {
	.secs_since_valid_ping = 0xfff0,
	.secs_since_valid_hangup = 0xffff,
};

/* ---- context and virtual hosts ------------------------------------------------------- */

static void fill_info(struct lws_context_creation_info *info)
{
	memset(info, 0, sizeof *info);
	info->port = CONTEXT_PORT_NO_LISTEN;
	info->protocols = protocols;
	info->gid = (gid_t)-1;
	info->uid = (uid_t)-1;
	info->timeout_secs = HANDSHAKE_S;
	info->connect_timeout_secs = HANDSHAKE_S;
	/* else it would take http_proxy from the environment */
	info->http_proxy_address = "";
	info->options = LWS_SERVER_OPTION_LIBUV |
			LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
			LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
			LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
}

static int open_context(struct ws_host *h)
{
	struct lws_context_creation_info info;
	void *foreign[1] = { &h->loop->uv };

	if (h->context)
		return 0;
	lws_set_log_level(0, NULL);
	fill_info(&info);
	info.foreign_loops = foreign;
	info.pt_serv_buf_size = CHUNK;
	info.max_http_header_data = CHUNK;
	info.fd_limit_per_thread = MAX_SOCKETS;
	h->context = lws_create_context(&info);
	return h->context ? 0 : -ENOMEM;
}

static struct lws_vhost *open_vhost(struct ws_host *h, const char *name,
				    bool tls)
{
	struct lws_context_creation_info info;

	fill_info(&info);
	info.vhost_name = name;
	if (tls)
		info.provided_client_ssl_ctx = h->loop->tls; /* stays ours */
	else
		info.options &= ~LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
	return lws_create_vhost(h->context, &info);
}

/* lws keeps one proxy a virtual host, as text with a literal address. */
static int point_proxy(struct ws *w, struct lws_vhost *v)
{
	const struct sockaddr_storage *a = &w->addrs[w->i_addr];
	char addr[64], text[320];

	addr_text(a, addr, sizeof addr);
	snprintf(text, sizeof text, a->ss_family == AF_INET6 ?
		 "%s%s[%s]:%d" : "%s%s%s:%d", w->proxy.auth,
		 w->proxy.auth[0] ? "@" : "", addr, w->proxy.port);
	return lws_set_proxy(v, text) ? ERR_CONFIG : 0;
}

static int pick_vhost(struct ws *w, struct lws_vhost **ret_v)
{
	struct ws_host *h = w->host;
	bool via = w->proxy.host[0], tls = w->url.tls;
	struct lws_vhost **v = via ? &h->proxied : tls ? &h->secure : &h->plain;
	SSL_CTX *trusted;
	int r = open_context(h);

	if (r == 0 && tls)
		r = tls_client(h->loop, &trusted);
	if (r < 0)
		return r;
	if (!*v)
		*v = open_vhost(h, via ? "proxied" : tls ? "secure" : "plain",
				tls);
	if (!*v)
		return -ENOMEM;
	if (via)
		r = point_proxy(w, *v);
	*ret_v = *v;
	return r;
}

/* Is there a route? Asked with a datagram socket, which sends nothing. lws
 * strands a uv handle when its connect() fails at once, so it must not. */
static int find_route(const struct sockaddr_storage *a)
{
	struct sockaddr_storage to = *a;
	bool v6 = a->ss_family == AF_INET6;
	int fd = socket(a->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r = 0;

	if (fd < 0)
		return -errno;
	/* the same place in both families; 0 would not connect */
	((struct sockaddr_in *)&to)->sin_port = htons(443);
	if (connect(fd, (const struct sockaddr *)&to,
		    v6 ? sizeof(struct sockaddr_in6) :
		    sizeof(struct sockaddr_in)) < 0)
		r = -errno;
	close(fd);
	return r;
}

int ws_lws_connect(struct ws *w)
{
	struct lws_vhost *vhost;
	char addr[64];
	int r = pick_vhost(w, &vhost);

	if (r < 0)
		return r;
	r = find_route(&w->addrs[w->i_addr]);
	if (r < 0) {
		ws_attempt_failed(w, r, "no route");
		return 0;
	}
	addr_text(&w->addrs[w->i_addr], addr, sizeof addr);
	struct lws_client_connect_info info = {
		.context = w->host->context,
		.vhost = vhost,
		.address = w->proxy.host[0] ? w->url.host : addr,
		.port = w->url.port,
		.path = "/", /* see put_path() */
		.host = w->host_header,
		.protocol = w->protocol,
		.local_protocol_name = protocols[0].name,
		.ssl_connection = (w->url.tls ? LCCSCF_USE_SSL : 0) |
				  LCCSCF_HTTP_NO_FOLLOW_REDIRECT,
		.alpn = "http/1.1",
		.opaque_user_data = w,
		.retry_and_idle_policy = &patience,
		.pwsi = &w->wsi,
	};
	if (lws_client_connect_via_info(&info))
		return 0;
	/* refused at once; lws tells nobody while it is inside this call */
	if (w->wsi)
		lws_set_opaque_user_data(w->wsi, NULL);
	ws_attempt_failed(w, -ECONNREFUSED, "cannot connect");
	return 0;
}

/* Not by returning -1 from a callback: Debian's build carries a self-test
 * that then closes twice under libuv, which drops the close frame. */
void ws_lws_goodbye(struct ws *w)
{
	w->state = WS_LEAVING;
	lws_close_reason(w->wsi, (enum lws_close_status)w->close_code, NULL, 0);
	/* with a reason set, this is a polite end: frame, answer, close */
	lws_set_timeout(w->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

void ws_lws_drop(struct ws *w)
{
	struct lws *wsi = w->wsi;

	if (!wsi)
		return;
	w->wsi = NULL;
	lws_set_opaque_user_data(wsi, NULL);
	lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

/* ---- host ----------------------------------------------------------------------------- */

int ws_host_create(struct ws_host **ret_host, struct loop *l)
{
	struct ws_host *h = calloc(1, sizeof *h);

	if (!h)
		return -ENOMEM;
	h->loop = l;
	*ret_host = h;
	return 0;
}

size_t ws_host_closing(const struct ws_host *h)
{
	size_t n = 0;

	for (const struct ws *w = h->all; w; w = w->next)
		n += w->state == WS_CLOSING || w->state == WS_LEAVING;
	return n;
}

void ws_host_close(struct ws_host *h)
{
	while (h && h->all) {
		h->all->ops = NULL;
		h->all->state = WS_ENDED;
		ws_settle(h->all);
	}
	if (h && h->context)
		lws_context_destroy(h->context);
}

void ws_host_destroy(struct ws_host *h)
{
	if (!h)
		return;
	/* the second call frees, now that the loop has closed its handles */
	if (h->context)
		lws_context_destroy(h->context);
	free(h);
}
