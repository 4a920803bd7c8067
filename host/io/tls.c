/*
 * The certificates that this process trusts: read once, at the first TLS
 * connection, and shared by websockets and HTTP (reading them takes 20 ms and
 * a megabyte). Loop only.
 */
#include <errno.h>

#include <openssl/ssl.h>

#include "base/err.h"
#include "io/loop_int.h"

int tls_client(struct loop *l, SSL_CTX **ret_tls)
{
	if (!l->tls) {
		SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
		if (!tls)
			return -ENOMEM;
		SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
		SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
				 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				 SSL_MODE_RELEASE_BUFFERS);
		if (SSL_CTX_load_verify_file(tls, l->ca_file) != 1) {
			SSL_CTX_free(tls);
			return ERR_CONFIG;
		}
		l->tls = tls;
	}
	*ret_tls = l->tls;
	return 0;
}
