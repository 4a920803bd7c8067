/* A tunnel between a plain local client and a TLS server on its own thread. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <glib.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include "base/err.h"
#include "rtc/turn_tls_int.h"

/* ---- a TLS server that echoes [its own thread] ------------------------------------- */

static struct {
	SSL_CTX *ctx;
	int listener;
	struct sockaddr_storage addr;
	pthread_t thread;
	char ca_file[64];
} server;

static void *serve(void *arg)
{
	static char p[16384];
	int fd;

	(void)arg;
	while ((fd = accept(server.listener, NULL, NULL)) >= 0) {
		SSL *ssl = SSL_new(server.ctx);
		int n;

		SSL_set_fd(ssl, fd);
		if (SSL_accept(ssl) == 1) {
			while ((n = SSL_read(ssl, p, sizeof p)) > 0)
				SSL_write(ssl, p, n);
			SSL_shutdown(ssl);
		}
		SSL_free(ssl);
		close(fd);
	}
	return NULL;
}

static X509 *make_cert(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	X509_EXTENSION *names = X509V3_EXT_conf_nid(
		NULL, NULL, NID_subject_alt_name, "DNS:relay.test,IP:127.0.0.1");

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
				   (const uint8_t *)"test", -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_add_ext(x, names, -1);
	X509_EXTENSION_free(names);
	X509_sign(x, key, EVP_sha256());
	return x;
}

static int start(void **state)
{
	(void)state;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = make_cert(key);
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;

	strcpy(server.ca_file, "/tmp/fd-turn-XXXXXX");
	FILE *f = fdopen(mkstemp(server.ca_file), "w");
	PEM_write_X509(f, cert);
	fclose(f);
	server.ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(server.ctx, cert);
	SSL_CTX_use_PrivateKey(server.ctx, key);
	X509_free(cert);
	EVP_PKEY_free(key);
	server.listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(server.listener, (struct sockaddr *)&at, sizeof at) < 0 ||
	    listen(server.listener, 4) < 0)
		return -1;
	getsockname(server.listener, (struct sockaddr *)&at, &len);
	memcpy(&server.addr, &at, sizeof at);
	return pthread_create(&server.thread, NULL, serve, NULL);
}

static int stop(void **state)
{
	(void)state;
	shutdown(server.listener, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.listener);
	SSL_CTX_free(server.ctx);
	unlink(server.ca_file);
	tunnel_ctx_stop();
	return 0;
}

/* ---- the client's side ------------------------------------------------------------------ */

static GMainContext *ctx;
static struct tunnel *tunnel;
static char why[200];
static int port;

static void on_failed(void *arg, const char *text)
{
	(void)arg;
	snprintf(why, sizeof why, "%s", text);
}

static void open_tunnel(const char *ca_file, const char *name)
{
	SSL_CTX *tls = NULL;

	why[0] = 0;
	tunnel = NULL;
	ctx = g_main_context_new();
	assert_int_equal(tunnel_ctx(&tls, ca_file), 0);
	assert_int_equal(tunnel_create(&tunnel, ctx, tls, name, &server.addr,
				       on_failed, NULL, &port), 0);
}

static void close_tunnel(void)
{
	tunnels_destroy(tunnel);
	g_main_context_unref(ctx);
}

static int connect_local(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				  .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void turn_for_a_moment(void)
{
	for (int i = 0; i < 5; i++)
		g_main_context_iteration(ctx, FALSE);
	usleep(1000);
}

/* Writes n bytes and reads them back, with the tunnel run in between. */
static bool echo(int fd, const uint8_t *out, uint8_t *in, size_t n)
{
	size_t written = 0, got = 0;

	for (int i = 0; i < 5000 && got < n && !why[0]; i++) {
		ssize_t r = send(fd, out + written, n - written, MSG_NOSIGNAL);
		if (r > 0)
			written += (size_t)r;
		turn_for_a_moment();
		while ((r = read(fd, in + got, n - got)) > 0)
			got += (size_t)r;
		if (r == 0 && got < n)
			return false;
	}
	return got == n;
}

static void bytes_pass_both_ways(void **state)
{
	(void)state;
	uint8_t in[5];

	open_tunnel(server.ca_file, "relay.test");
	int fd = connect_local();
	assert_true(echo(fd, (const uint8_t *)"hello", in, 5));
	assert_memory_equal(in, "hello", 5);
	close(fd);
	close_tunnel();
}

static void more_than_the_buffers_hold_passes_whole(void **state)
{
	(void)state;
	enum { N = 1000000 };
	uint8_t *out = malloc(N), *in = malloc(N);

	for (size_t i = 0; i < N; i++)
		out[i] = (uint8_t)(i * 7 + i / 255);
	open_tunnel(server.ca_file, "relay.test");
	int fd = connect_local();
	assert_true(echo(fd, out, in, N));
	assert_int_equal(memcmp(in, out, N), 0);
	close(fd);
	close_tunnel();
	free(in);
	free(out);
}

static void an_address_is_a_name_too(void **state)
{
	(void)state;
	uint8_t in[2];

	open_tunnel(server.ca_file, "127.0.0.1");
	int fd = connect_local();
	assert_true(echo(fd, (const uint8_t *)"ip", in, 2));
	close(fd);
	close_tunnel();
}

static void expect_refusal(const char *ca_file, const char *name, const char *text)
{
	uint8_t in[1];

	open_tunnel(ca_file, name);
	int fd = connect_local();
	assert_false(echo(fd, (const uint8_t *)"x", in, 1));
	assert_non_null(strstr(why, text));
	close(fd);
	close_tunnel();
}

static void wrong_names_and_strangers_are_refused(void **state)
{
	(void)state;
	expect_refusal(server.ca_file, "other.test", "another name");
	expect_refusal(server.ca_file, "127.0.0.2", "another name");
	expect_refusal(NULL, "relay.test", "self-signed");
}

static void a_bundle_that_is_not_there_is_an_error(void **state)
{
	(void)state;
	SSL_CTX *tls = NULL;

	assert_int_equal(tunnel_ctx(&tls, "/nonexistent.pem"), ERR_CONFIG);
	assert_null(tls);
}

static void the_end_of_the_client_ends_the_bridge_without_a_failure(void **state)
{
	(void)state;
	uint8_t in[2];

	open_tunnel(server.ca_file, "relay.test");
	for (int i = 0; i < 12; i++) { /* more than there are places */
		int fd = connect_local();
		assert_true(echo(fd, (const uint8_t *)"ab", in, 2));
		close(fd);
		for (int k = 0; k < 20; k++)
			turn_for_a_moment();
	}
	assert_string_equal(why, "");
	tunnels_forget_owner(tunnel);
	close_tunnel();
	tunnels_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_pass_both_ways),
		cmocka_unit_test(more_than_the_buffers_hold_passes_whole),
		cmocka_unit_test(an_address_is_a_name_too),
		cmocka_unit_test(wrong_names_and_strangers_are_refused),
		cmocka_unit_test(a_bundle_that_is_not_there_is_an_error),
		cmocka_unit_test(the_end_of_the_client_ends_the_bridge_without_a_failure),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
