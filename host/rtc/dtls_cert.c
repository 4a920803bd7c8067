/* One ECDSA P-256 certificate for the process: making one costs a key
 * generation, and the fingerprint in the offer is all that anybody checks. */
#include "rtc/dtls_cert_int.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/err.h"
#include "base/str.h"
#include "rtc/dtls_int.h"

static EVP_PKEY *key;
static X509 *cert;
static char fingerprint[8 + 32 * 3 + 1];

/* Longer than any process of ours lives; nobody checks the dates. */
enum { VALID_S = 365 * 24 * 3600 };

static int fill(X509 *x)
{
	uint32_t serial;
	X509_NAME *name = X509_get_subject_name(x);

	random_bytes(&serial, sizeof serial);
	if (!X509_set_version(x, 2) ||
	    !ASN1_INTEGER_set(X509_get_serialNumber(x), serial >> 1 | 1) ||
	    !X509_gmtime_adj(X509_getm_notBefore(x), -24 * 3600) ||
	    !X509_gmtime_adj(X509_getm_notAfter(x), VALID_S) ||
	    !X509_set_pubkey(x, key) ||
	    !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					(const uint8_t *)"WebRTC", -1, -1, 0) ||
	    !X509_set_issuer_name(x, name) || !X509_sign(x, key, EVP_sha256()))
		return ERR_CONFIG;
	return 0;
}

static int write_fingerprint(void)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int n;

	if (!X509_digest(cert, EVP_sha256(), digest, &n) || n != 32)
		return ERR_CONFIG;
	size_t at = 8;
	memcpy(fingerprint, "sha-256 ", at);
	for (unsigned int i = 0; i < n; i++, at += 3)
		snprintf(fingerprint + at, sizeof fingerprint - at, "%02X%s",
			 digest[i], i + 1 < n ? ":" : "");
	return 0;
}

int dtls_cert_make(void)
{
	assert(!key && !cert);
	key = EVP_EC_gen("P-256");
	cert = X509_new();
	if (!key || !cert)
		return -ENOMEM;
	int r = fill(cert);
	return r < 0 ? r : write_fingerprint();
}

void dtls_cert_drop(void)
{
	X509_free(cert);
	EVP_PKEY_free(key);
	cert = NULL;
	key = NULL;
}

int dtls_cert_use(SSL_CTX *ctx)
{
	if (!SSL_CTX_use_certificate(ctx, cert) ||
	    !SSL_CTX_use_PrivateKey(ctx, key))
		return ERR_CONFIG;
	return 0;
}

const char *dtls_fingerprint(void)
{
	assert(cert);
	return fingerprint;
}
