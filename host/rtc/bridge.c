/*
 * A bridge is one GSource that watches both sockets. Each turn moves what can
 * be moved, then asks for the events that would let it go on. [media]
 */
#include "rtc/bridge_int.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <glib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include "base/clock.h"

enum {
	BUFFER = 32 * 1024,
	OPEN_LIMIT_US = 5000000, /* TCP and TLS together */
};

enum step { CONNECTING, SHAKING, OPEN };

struct pipe { /* bytes [from, to) wait to be written */
	uint8_t bytes[BUFFER];
	size_t from, to;
	bool ended; /* its reader met the end */
};

struct bridge {
	GSource *source;
	gpointer local_tag, remote_tag;
	int local, remote;
	SSL *ssl;
	enum step step;
	int64_t opened_us;
	bool ssl_wants_out; /* a TLS call waits for room in the socket */
	struct pipe up, down;
	bridge_end_h *fn;
	void *arg;
	char why[160];
};

struct bridge_source {
	GSource base;
	struct bridge *bridge;
};

/* ---- moving bytes ------------------------------------------------------------ */

static size_t room(const struct pipe *p)
{
	return p->to < BUFFER ? BUFFER - p->to : 0;
}

static void took(struct pipe *p, size_t n)
{
	p->from += n;
	assert(p->from <= p->to);
	if (p->from == p->to)
		p->from = p->to = 0;
}

/* Local socket to the up pipe. Returns false when it was lost. */
static bool read_local(struct bridge *b)
{
	while (!b->up.ended && room(&b->up)) {
		ssize_t n = read(b->local, b->up.bytes + b->up.to, room(&b->up));
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		if (n == 0)
			b->up.ended = true;
		b->up.to += (size_t)n;
	}
	return true;
}

static bool write_local(struct bridge *b)
{
	while (b->down.from < b->down.to) {
		ssize_t n = send(b->local, b->down.bytes + b->down.from,
				 b->down.to - b->down.from, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		took(&b->down, (size_t)n);
	}
	return true;
}

/* What a TLS call that moved nothing means: wait, the end, or a fault. */
static bool tls_waits(struct bridge *b, int r, bool *ret_ended)
{
	switch (SSL_get_error(b->ssl, r)) {
	case SSL_ERROR_WANT_WRITE:
		b->ssl_wants_out = true;
		return true;
	case SSL_ERROR_WANT_READ:
		return true;
	case SSL_ERROR_ZERO_RETURN:
		*ret_ended = true;
		return true;
	default:
		return false;
	}
}

static bool read_remote(struct bridge *b)
{
	while (!b->down.ended && room(&b->down)) {
		ERR_clear_error();
		int n = SSL_read(b->ssl, b->down.bytes + b->down.to,
				 (int)room(&b->down));
		if (n <= 0)
			return tls_waits(b, n, &b->down.ended);
		b->down.to += (size_t)n;
	}
	return true;
}

static bool write_remote(struct bridge *b)
{
	bool ended = false;

	while (b->up.from < b->up.to) {
		ERR_clear_error();
		int n = SSL_write(b->ssl, b->up.bytes + b->up.from,
				  (int)(b->up.to - b->up.from));
		if (n <= 0)
			return tls_waits(b, n, &ended);
		took(&b->up, (size_t)n);
	}
	return true;
}

/* ---- opening -------------------------------------------------------------------- */

/* The phrase for what TLS refused; a wrong name is said as such. */
static void note_tls_fault(struct bridge *b)
{
	long verify = SSL_get_verify_result(b->ssl);
	unsigned long err = ERR_peek_error();
	const char *reason = err ? ERR_reason_error_string(err) : NULL;

	if (verify == X509_V_ERR_HOSTNAME_MISMATCH ||
	    verify == X509_V_ERR_IP_ADDRESS_MISMATCH)
		snprintf(b->why, sizeof b->why,
			 "TLS certificate is for another name");
	else if (verify != X509_V_OK)
		snprintf(b->why, sizeof b->why, "TLS certificate: %s",
			 X509_verify_cert_error_string(verify));
	else
		snprintf(b->why, sizeof b->why, "TLS: %s",
			 reason ? reason : "closed during the handshake");
}

static bool finish_connect(struct bridge *b)
{
	int err = 0;
	socklen_t len = sizeof err;
	struct sockaddr_storage to;
	socklen_t to_len = sizeof to;

	if (getsockopt(b->remote, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err) {
		snprintf(b->why, sizeof b->why, "connect: %s", strerror(err));
		return false;
	}
	if (getpeername(b->remote, (struct sockaddr *)&to, &to_len) == 0)
		b->step = SHAKING;
	return true;
}

static bool shake(struct bridge *b)
{
	bool ended = false;

	ERR_clear_error();
	int r = SSL_do_handshake(b->ssl);
	if (r == 1) {
		b->step = OPEN;
		return true;
	}
	if (tls_waits(b, r, &ended) && !ended)
		return true;
	note_tls_fault(b);
	return false;
}

/* ---- the source --------------------------------------------------------------------- */

/* One turn; false when the bridge is over. */
static bool move(struct bridge *b)
{
	b->ssl_wants_out = false;
	if (b->step == CONNECTING && !finish_connect(b))
		return false;
	if (b->step == SHAKING && !shake(b))
		return false;
	if (b->step != OPEN)
		return true;
	if (!read_local(b) || !write_remote(b) || !read_remote(b) ||
	    !write_local(b))
		return false;
	bool all_up = b->up.ended && b->up.from == b->up.to;
	bool all_down = b->down.ended && b->down.from == b->down.to;
	return !all_up && !all_down;
}

static void watch(struct bridge *b)
{
	GIOCondition local = 0, remote = G_IO_IN;

	if (b->step == CONNECTING || b->ssl_wants_out)
		remote |= G_IO_OUT;
	if (b->step == OPEN && !room(&b->down))
		remote &= (GIOCondition)~G_IO_IN;
	if (b->step == OPEN && !b->up.ended && room(&b->up))
		local |= G_IO_IN;
	if (b->down.from < b->down.to)
		local |= G_IO_OUT;
	g_source_modify_unix_fd(b->source, b->local_tag, local);
	g_source_modify_unix_fd(b->source, b->remote_tag, remote);
	/* TLS may hold bytes that no socket event will announce */
	bool more = b->step == OPEN && room(&b->down) && SSL_pending(b->ssl);
	int64_t due = more ? 0 : b->step == OPEN ? -1 :
			     b->opened_us + OPEN_LIMIT_US;
	g_source_set_ready_time(b->source, due);
}

static gboolean on_turn(GSource *s, GSourceFunc fn, gpointer arg)
{
	struct bridge *b = ((struct bridge_source *)s)->bridge;
	bool go_on = move(b);

	(void)fn, (void)arg;
	if (go_on && b->step != OPEN &&
	    clock_mono_us() - b->opened_us >= OPEN_LIMIT_US) {
		snprintf(b->why, sizeof b->why, "no answer within 5 s");
		go_on = false;
	}
	if (go_on) {
		watch(b);
		return G_SOURCE_CONTINUE;
	}
	char why[sizeof b->why];
	memcpy(why, b->why, sizeof why);
	b->fn(b->arg, b, why[0] ? why : NULL);
	return G_SOURCE_REMOVE;
}

static GSourceFuncs source_funcs = { .dispatch = on_turn };

static void add_source(struct bridge *b, GMainContext *context)
{
	b->source = g_source_new(&source_funcs, sizeof(struct bridge_source));
	((struct bridge_source *)b->source)->bridge = b;
	b->local_tag = g_source_add_unix_fd(b->source, b->local, 0);
	b->remote_tag = g_source_add_unix_fd(b->source, b->remote, G_IO_OUT);
	watch(b);
	g_source_attach(b->source, context);
}

/* ---- create ---------------------------------------------------------------------------- */

static int open_tls(struct bridge *b, SSL_CTX *ctx, const char *name)
{
	uint8_t ip[16];

	b->ssl = SSL_new(ctx);
	if (!b->ssl || !SSL_set_fd(b->ssl, b->remote))
		return -ENOMEM;
	SSL_set_connect_state(b->ssl);
	SSL_set_verify(b->ssl, SSL_VERIFY_PEER, NULL);
	SSL_set_mode(b->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
				     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (inet_pton(AF_INET, name, ip) == 1 ||
	    inet_pton(AF_INET6, name, ip) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(b->ssl),
						     name) ? 0 : -EINVAL;
	SSL_set_hostflags(b->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (!SSL_set_tlsext_host_name(b->ssl, name) || !SSL_set1_host(b->ssl, name))
		return -EINVAL;
	return 0;
}

static int open_remote(struct bridge *b, const struct sockaddr_storage *to)
{
	socklen_t len = to->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
						     sizeof(struct sockaddr_in);
	int on = 1;

	b->remote = socket(to->ss_family,
			   SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (b->remote < 0)
		return -errno;
	setsockopt(b->remote, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(b->local, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(b->remote, (const struct sockaddr *)to, len) < 0 &&
	    errno != EINPROGRESS)
		return -errno;
	return 0;
}

int bridge_create(struct bridge **ret_bridge, struct _GMainContext *context,
		  int local, struct ssl_ctx_st *ctx, const char *name,
		  const struct sockaddr_storage *to, bridge_end_h *fn,
		  void *arg)
{
	struct bridge *b = calloc(1, sizeof *b);

	assert(fn);
	if (!b) {
		close(local);
		return -ENOMEM;
	}
	b->local = local;
	b->remote = -1;
	b->fn = fn;
	b->arg = arg;
	b->opened_us = clock_mono_us();
	int r = open_remote(b, to);
	if (r == 0)
		r = open_tls(b, ctx, name);
	if (r < 0) {
		bridge_destroy(b);
		return r;
	}
	add_source(b, context);
	*ret_bridge = b;
	return 0;
}

void bridge_destroy(struct bridge *b)
{
	if (!b)
		return;
	if (b->source) {
		g_source_destroy(b->source);
		g_source_unref(b->source);
	}
	if (b->step == OPEN)
		SSL_shutdown(b->ssl);
	SSL_free(b->ssl);
	ERR_clear_error();
	close(b->local);
	if (b->remote >= 0)
		close(b->remote);
	free(b);
}
