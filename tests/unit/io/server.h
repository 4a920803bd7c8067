/*
 * A tiny server of raw sockets for faults that no real server shows: each
 * connection is a thread that runs the test's own script. With TLS it uses a
 * certificate for "localhost" made on the spot.
 */
#ifndef FD_UNIT_IO_SERVER_H
#define FD_UNIT_IO_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define UNUSED __attribute__((unused))

/* For scripts: cmocka's assertions belong to the main thread alone. */
#define CHECK(x) \
	((x) ? (void)0 : (fprintf(stderr, "%s:%d: not %s\n", __FILE__, \
				  __LINE__, #x), abort()))

struct conn {
	int fd;
	SSL *tls;
	struct server *server;
	int index;           /* 0 for the first connection */
	char head[16384];    /* the last request head */
};

typedef void (script_h)(struct conn *c);

struct server {
	int fd, port;
	pthread_t thread;
	script_h *script;
	void *arg;
	SSL_CTX *tls;
	_Atomic int n_conns, n_done;
	_Atomic bool quit;
};

/* ---- bytes ------------------------------------------------------------- */

static UNUSED int conn_read(struct conn *c, void *p, size_t n)
{
	if (c->tls)
		return SSL_read(c->tls, p, (int)n);
	return (int)recv(c->fd, p, n, 0);
}

static UNUSED void conn_write(struct conn *c, const void *p, size_t n)
{
	const char *at = p;

	while (n) {
		ssize_t w = c->tls ? SSL_write(c->tls, at, (int)n) :
				     send(c->fd, at, n, MSG_NOSIGNAL);
		if (w <= 0)
			return;
		at += w;
		n -= (size_t)w;
	}
}

static UNUSED void conn_puts(struct conn *c, const char *s)
{
	conn_write(c, s, strlen(s));
}

static UNUSED bool conn_read_all(struct conn *c, void *p, size_t n)
{
	char *at = p;

	while (n) {
		int r = conn_read(c, at, n);
		if (r <= 0)
			return false;
		at += r;
		n -= (size_t)r;
	}
	return true;
}

/* Reads up to the blank line into c->head. */
static UNUSED bool conn_head(struct conn *c)
{
	size_t n = 0;

	while (n + 1 < sizeof c->head) {
		if (conn_read(c, c->head + n, 1) <= 0)
			return false;
		c->head[++n] = 0;
		if (n >= 4 && strcmp(c->head + n - 4, "\r\n\r\n") == 0)
			return true;
	}
	return false;
}

/* Waits until the other side closes, at most two seconds. */
static UNUSED bool conn_wait_end(struct conn *c)
{
	char rest[512];
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	while (poll(&p, 1, 2000) > 0) {
		if (conn_read(c, rest, sizeof rest) <= 0)
			return true;
	}
	return false;
}

/* ---- websocket ------------------------------------------------------------ */

static UNUSED void conn_accept_key(const char *head, char out[32])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	const char *at = strstr(head, "Sec-WebSocket-Key: ");
	char text[128];
	unsigned char sha[EVP_MAX_MD_SIZE];
	unsigned n;

	CHECK(at);
	snprintf(text, sizeof text, "%.24s%s", at + 19, guid);
	EVP_Digest(text, strlen(text), sha, &n, EVP_sha1(), NULL);
	EVP_EncodeBlock((unsigned char *)out, sha, (int)n);
}

/* Answers 101 with extra header lines and first bytes in the same write. */
static UNUSED bool ws_accept_with(struct conn *c, const char *lines,
				  const void *more, size_t n_more)
{
	char key[32], answer[4096];

	if (!conn_head(c))
		return false;
	conn_accept_key(c->head, key);
	int n = snprintf(answer, sizeof answer,
			 "HTTP/1.1 101 Switching Protocols\r\n"
			 "Upgrade: websocket\r\nConnection: Upgrade\r\n"
			 "Sec-WebSocket-Accept: %s\r\n%s\r\n", key, lines);
	memcpy(answer + n, more, n_more);
	conn_write(c, answer, (size_t)n + n_more);
	return true;
}

static UNUSED bool ws_accept(struct conn *c)
{
	return ws_accept_with(c, "", "", 0);
}

/* first: FIN and opcode (0x81 whole text). */
static UNUSED size_t ws_frame(uint8_t *out, int first, const void *p, size_t n)
{
	size_t k = 0;

	out[k++] = (uint8_t)first;
	if (n < 126) {
		out[k++] = (uint8_t)n;
	} else if (n < 65536) {
		out[k++] = 126;
		out[k++] = (uint8_t)(n >> 8);
		out[k++] = (uint8_t)n;
	} else {
		out[k++] = 127;
		for (int i = 7; i >= 0; i--)
			out[k++] = (uint8_t)((uint64_t)n >> (8 * i));
	}
	if (n)
		memcpy(out + k, p, n);
	return k + n;
}

static UNUSED void ws_put(struct conn *c, int first, const void *p, size_t n)
{
	uint8_t *frame = malloc(n + 16);

	conn_write(c, frame, ws_frame(frame, first, p, n));
	free(frame);
}

/* One client frame, unmasked, into out (cap bytes); its first byte or -1. */
static UNUSED int ws_get(struct conn *c, uint8_t *out, size_t cap, size_t *n)
{
	uint8_t h[2], more[8], mask[4];
	uint64_t len;

	if (!conn_read_all(c, h, 2))
		return -1;
	CHECK(h[1] & 0x80); /* clients must mask */
	len = h[1] & 127;
	int extra = len == 126 ? 2 : len == 127 ? 8 : 0;
	if (extra) {
		if (!conn_read_all(c, more, (size_t)extra))
			return -1;
		len = 0;
		for (int i = 0; i < extra; i++)
			len = len << 8 | more[i];
	}
	if (len > cap || !conn_read_all(c, mask, 4) ||
	    !conn_read_all(c, out, len))
		return -1;
	for (uint64_t i = 0; i < len; i++)
		out[i] ^= mask[i & 3];
	*n = len;
	return h[0];
}

/* ---- certificate ------------------------------------------------------------ */

static UNUSED X509 *make_cert(EVP_PKEY *key, const char *names)
{
	X509 *x = X509_new();
	X509_NAME *who = X509_get_subject_name(x);
	X509V3_CTX v3;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(who, "CN", MBSTRING_ASC,
				   (const unsigned char *)"unit", -1, -1, 0);
	X509_set_issuer_name(x, who);
	X509V3_set_ctx_nodb(&v3);
	X509V3_set_ctx(&v3, x, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &v3,
						NID_subject_alt_name, names);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	X509_sign(x, key, EVP_sha256());
	return x;
}

/* A server context for names ("DNS:localhost"), its certificate in ca_path. */
static UNUSED SSL_CTX *make_tls(const char *names, const char *ca_path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = make_cert(key, names);
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
	FILE *f = fopen(ca_path, "w");

	assert_non_null(f);
	PEM_write_X509(f, x);
	fclose(f);
	SSL_CTX_use_certificate(tls, x);
	SSL_CTX_use_PrivateKey(tls, key);
	X509_free(x);
	EVP_PKEY_free(key);
	return tls;
}

/* ---- life ------------------------------------------------------------------- */

static void *conn_main(void *arg)
{
	struct conn *c = arg;
	struct server *s = c->server;
	int on = 1;

	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (s->tls) {
		c->tls = SSL_new(s->tls);
		SSL_set_fd(c->tls, c->fd);
		if (SSL_accept(c->tls) != 1)
			goto out;
	}
	s->script(c);
	if (c->tls)
		SSL_shutdown(c->tls);
out:
	SSL_free(c->tls);
	close(c->fd);
	free(c);
	atomic_fetch_add(&s->n_done, 1);
	return NULL;
}

static void *server_main(void *arg)
{
	struct server *s = arg;

	while (!atomic_load(&s->quit)) {
		struct pollfd p = { .fd = s->fd, .events = POLLIN };
		if (poll(&p, 1, 20) <= 0)
			continue;
		int fd = accept(s->fd, NULL, NULL);
		if (fd < 0)
			continue;
		struct conn *c = calloc(1, sizeof *c);
		pthread_t t;
		c->fd = fd;
		c->server = s;
		c->index = atomic_fetch_add(&s->n_conns, 1);
		pthread_create(&t, NULL, conn_main, c);
		pthread_detach(t);
	}
	return NULL;
}

static UNUSED void server_start(struct server *s, script_h *script, void *arg,
				SSL_CTX *tls)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof a;
	int on = 1;

	memset(s, 0, sizeof *s);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->script = script;
	s->arg = arg;
	s->tls = tls;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(s->fd, 16), 0);
	getsockname(s->fd, (struct sockaddr *)&a, &n);
	s->port = ntohs(a.sin_port);
	pthread_create(&s->thread, NULL, server_main, s);
}

static UNUSED void server_stop(struct server *s)
{
	atomic_store(&s->quit, true);
	pthread_join(s->thread, NULL);
	close(s->fd);
	for (int i = 0; i < 400; i++) {
		if (atomic_load(&s->n_done) == atomic_load(&s->n_conns))
			break;
		usleep(10000);
	}
	assert_int_equal(atomic_load(&s->n_done), atomic_load(&s->n_conns));
	SSL_CTX_free(s->tls);
}

/* A port of loopback where nobody listens. */
static UNUSED int closed_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	getsockname(fd, (struct sockaddr *)&a, &n);
	close(fd);
	return ntohs(a.sin_port);
}

#endif
