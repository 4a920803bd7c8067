/* TLS contexts for relays, one for each bundle of certificates: reading the
 * system's bundle costs 10 ms, too long for a media thread. [loop] */
#include "rtc/turn_tls_int.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"

struct kept {
	struct kept *next;
	char *ca_file;
	SSL_CTX *ctx;
};

static struct kept *all;

static SSL_CTX *make(const char *ca_file)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int ok = ctx && SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);

	if (ok)
		ok = ca_file ? SSL_CTX_load_verify_file(ctx, ca_file) :
			       SSL_CTX_set_default_verify_paths(ctx);
	ERR_clear_error();
	if (ok)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

int tunnel_ctx(struct ssl_ctx_st **ret_ctx, const char *ca_file)
{
	ON_LOOP();
	for (struct kept *k = all; k; k = k->next) {
		if (str_eq(k->ca_file, ca_file)) {
			*ret_ctx = k->ctx;
			return 0;
		}
	}
	struct kept *k = calloc(1, sizeof *k);
	if (!k)
		return -ENOMEM;
	k->ctx = make(ca_file);
	if (!k->ctx) {
		free(k);
		return ERR_CONFIG;
	}
	k->ca_file = str_dup(ca_file);
	k->next = all;
	all = k;
	*ret_ctx = k->ctx;
	return 0;
}

void tunnel_ctx_stop(void)
{
	while (all) {
		struct kept *k = all;

		all = k->next;
		SSL_CTX_free(k->ctx);
		free(k->ca_file);
		free(k);
	}
}
