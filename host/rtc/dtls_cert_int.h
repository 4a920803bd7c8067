/* The process's self-signed certificate for DTLS. [loop] */
#ifndef FD_RTC_DTLS_CERT_INT_H
#define FD_RTC_DTLS_CERT_INT_H

#include <openssl/ssl.h>

int dtls_cert_make(void);
void dtls_cert_drop(void);
/* Gives certificate and key to ctx; 0 or below 0. */
int dtls_cert_use(SSL_CTX *ctx);

#endif
