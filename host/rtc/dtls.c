/* DTLS by OpenSSL over a BIO of our own that keeps datagrams whole. [media] */
#include "rtc/dtls_int.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/err.h"
#include "rtc/dtls_cert_int.h"
#include "rtc/seal_int.h"

struct dtls {
	SSL *ssl;
	bool server;
	enum dtls_state state;
	const char *why;
	struct dtls_expect expect;
	const struct dtls_ops *ops;
	void *arg;
	/* the datagram being read, NULL when it was taken */
	const uint8_t *in;
	size_t in_len;
};

static BIO_METHOD *bio_method;
static SSL_CTX *shared;

/* ---- the BIO ----------------------------------------------------------------- */

static int bio_write(BIO *b, const char *p, int n)
{
	struct dtls *d = BIO_get_data(b);

	if (n > 0)
		d->ops->send(d->arg, (const uint8_t *)p, (size_t)n);
	/* a datagram that could not leave is a lost one: it is repeated */
	return n;
}

static int bio_read(BIO *b, char *out, int cap)
{
	struct dtls *d = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (!d->in) {
		BIO_set_retry_read(b);
		return -1;
	}
	int n = d->in_len < (size_t)cap ? (int)d->in_len : cap;
	memcpy(out, d->in, (size_t)n);
	d->in = NULL;
	return n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)b, (void)num, (void)ptr;
	switch (cmd) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_DGRAM_QUERY_MTU:
	case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
		return DTLS_MTU;
	default:
		return 0;
	}
}

static int bio_create(BIO *b)
{
	BIO_set_init(b, 1);
	return 1;
}

static int make_bio_method(void)
{
	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
				  "datagram by call");
	if (!bio_method)
		return -ENOMEM;
	BIO_meth_set_write(bio_method, bio_write);
	BIO_meth_set_read(bio_method, bio_read);
	BIO_meth_set_ctrl(bio_method, bio_ctrl);
	BIO_meth_set_create(bio_method, bio_create);
	return 0;
}

/* ---- the process ---------------------------------------------------------------- */

/* Any certificate passes here: the fingerprint from the answer is what counts,
 * and it is compared when the handshake is complete. */
static int accept_any(int ok, X509_STORE_CTX *store)
{
	(void)ok, (void)store;
	return 1;
}

static SSL_CTX *make_ctx(void)
{
	SSL_CTX *ctx = SSL_CTX_new(DTLS_method());

	if (!ctx)
		return NULL;
	SSL_CTX_set_options(ctx, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET |
					 SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			   accept_any);
	SSL_CTX_set_read_ahead(ctx, 1);
	if (!SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) ||
	    !SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:!PSK") ||
	    !SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") ||
	    SSL_CTX_set_tlsext_use_srtp(ctx, "SRTP_AEAD_AES_128_GCM:"
					     "SRTP_AEAD_AES_256_GCM:"
					     "SRTP_AES128_CM_SHA1_80") ||
	    dtls_cert_use(ctx) < 0) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

int dtls_start(void)
{
	assert(!shared);
	int r = dtls_cert_make();

	if (r < 0)
		return r;
	r = make_bio_method();
	if (r < 0)
		return r;
	shared = make_ctx();
	return shared ? 0 : -ENOMEM;
}

void dtls_stop(void)
{
	SSL_CTX_free(shared);
	shared = NULL;
	BIO_meth_free(bio_method);
	bio_method = NULL;
	dtls_cert_drop();
}

/* ---- one peer ----------------------------------------------------------------------- */

/* The first repeat after 100 ms (the path is a call's: a second of OpenSSL's
 * default would be heard), then doubling up to 1.6 s. */
static unsigned int next_timeout_us(SSL *ssl, unsigned int last_us)
{
	(void)ssl;
	if (!last_us)
		return 100000;
	return last_us < 1600000 ? last_us * 2 : last_us;
}

static bool known_hash(const struct dtls_expect *e)
{
	return (!strcasecmp(e->hash, "sha-256") && e->digest_len == 32) ||
	       (!strcasecmp(e->hash, "sha-384") && e->digest_len == 48) ||
	       (!strcasecmp(e->hash, "sha-512") && e->digest_len == 64);
}

int dtls_create(struct dtls **ret_dtls, bool server,
		const struct dtls_expect *expect, const struct dtls_ops *ops,
		void *arg)
{
	assert(shared && ops->send && ops->on_data);
	if (!known_hash(expect))
		return ERR_PROTOCOL;
	struct dtls *d = calloc(1, sizeof *d);
	if (!d)
		return -ENOMEM;
	d->server = server;
	d->expect = *expect;
	d->ops = ops;
	d->arg = arg;
	d->why = "";
	d->ssl = SSL_new(shared);
	BIO *bio = BIO_new(bio_method);
	if (!d->ssl || !bio) {
		BIO_free(bio);
		SSL_free(d->ssl);
		free(d);
		return -ENOMEM;
	}
	BIO_set_data(bio, d);
	SSL_set_bio(d->ssl, bio, bio);
	SSL_set_mtu(d->ssl, DTLS_MTU);
	DTLS_set_timer_cb(d->ssl, next_timeout_us);
	if (server)
		SSL_set_accept_state(d->ssl);
	else
		SSL_set_connect_state(d->ssl);
	*ret_dtls = d;
	return 0;
}

void dtls_destroy(struct dtls *d)
{
	if (!d)
		return;
	if (d->state == DTLS_UP)
		SSL_shutdown(d->ssl);
	SSL_free(d->ssl);
	ERR_clear_error();
	free(d);
}

static enum dtls_state refuse(struct dtls *d, const char *why)
{
	d->why = why;
	return d->state = DTLS_REFUSED;
}

static bool fingerprint_matches(struct dtls *d)
{
	const EVP_MD *md = d->expect.digest_len == 32 ? EVP_sha256() :
			   d->expect.digest_len == 48 ? EVP_sha384() :
							EVP_sha512();
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	X509 *cert = SSL_get1_peer_certificate(d->ssl);
	bool same = cert && X509_digest(cert, md, digest, &n) &&
		    n == d->expect.digest_len &&
		    !CRYPTO_memcmp(digest, d->expect.digest, n);

	X509_free(cert);
	return same;
}

static enum dtls_state shake(struct dtls *d)
{
	ERR_clear_error();
	int r = SSL_do_handshake(d->ssl);

	if (r == 1) {
		if (!fingerprint_matches(d))
			return refuse(d, "certificate does not match the fingerprint");
		if (!SSL_get_selected_srtp_profile(d->ssl))
			return refuse(d, "no common SRTP profile");
		return d->state = DTLS_UP;
	}
	switch (SSL_get_error(d->ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return d->state;
	default:
		break;
	}
	const char *text = ERR_reason_error_string(ERR_peek_error());
	return refuse(d, text ? text : "handshake failed");
}

/* Takes application data out of the datagram that was just given. */
static enum dtls_state drain(struct dtls *d)
{
	uint8_t data[2048];

	while (d->state == DTLS_UP) {
		ERR_clear_error();
		int n = SSL_read(d->ssl, data, sizeof data);
		if (n > 0) {
			d->ops->on_data(d->arg, data, (size_t)n);
			continue;
		}
		int err = SSL_get_error(d->ssl, n);
		if (err == SSL_ERROR_ZERO_RETURN || err == SSL_ERROR_SSL)
			d->state = DTLS_ENDED;
		break;
	}
	return d->state;
}

enum dtls_state dtls_step(struct dtls *d)
{
	if (d->state == DTLS_UP) {
		DTLSv1_handle_timeout(d->ssl);
		return d->state;
	}
	if (d->state != DTLS_SHAKING)
		return d->state;
	if (DTLSv1_handle_timeout(d->ssl) < 0)
		return refuse(d, "no answer to the handshake");
	return shake(d);
}

enum dtls_state dtls_input(struct dtls *d, const uint8_t *p, size_t n)
{
	if (d->state == DTLS_REFUSED || d->state == DTLS_ENDED)
		return d->state;
	d->in = p;
	d->in_len = n;
	if (d->state == DTLS_SHAKING)
		shake(d);
	if (d->state == DTLS_UP)
		drain(d);
	d->in = NULL;
	return d->state;
}

int dtls_timeout_ms(struct dtls *d)
{
	struct timeval left;

	if (d->state != DTLS_SHAKING && d->state != DTLS_UP)
		return -1;
	if (!DTLSv1_get_timeout(d->ssl, &left))
		return -1;
	return (int)(left.tv_sec * 1000 + (left.tv_usec + 999) / 1000);
}

int dtls_write(struct dtls *d, const uint8_t *p, size_t n)
{
	if (d->state != DTLS_UP)
		return ERR_CLOSED;
	ERR_clear_error();
	return SSL_write(d->ssl, p, (int)n) == (int)n ? 0 : ERR_CLOSED;
}

bool dtls_is_server(const struct dtls *d)
{
	return d->server;
}

const char *dtls_why(const struct dtls *d)
{
	return d->why;
}

/* RFC 5764, 4.2: client key, server key, client salt, server salt. */
int dtls_export(struct dtls *d, struct seal_keys *ret_keys)
{
	static const char label[] = "EXTRACTOR-dtls_srtp";
	SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(d->ssl);
	uint8_t m[2 * SEAL_KEY_MAX];
	size_t key, salt;

	assert(d->state == DTLS_UP);
	if (!profile || !seal_lengths((uint16_t)profile->id, &key, &salt))
		return ERR_PROTOCOL;
	if (!SSL_export_keying_material(d->ssl, m, 2 * (key + salt), label,
					sizeof label - 1, NULL, 0, 0))
		return ERR_PROTOCOL;
	uint8_t *client = d->server ? ret_keys->remote : ret_keys->local;
	uint8_t *server = d->server ? ret_keys->local : ret_keys->remote;
	memcpy(client, m, key);
	memcpy(server, m + key, key);
	memcpy(client + key, m + 2 * key, salt);
	memcpy(server + key, m + 2 * key + salt, salt);
	ret_keys->profile = (uint16_t)profile->id;
	OPENSSL_cleanse(m, sizeof m);
	return 0;
}
