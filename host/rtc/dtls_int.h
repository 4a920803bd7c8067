/*
 * DTLS 1.2 for one peer (RFC 5764, 8842): the handshake in either role, the
 * check of the other side's fingerprint, SRTP keys, and SCTP's packets as
 * application data. No socket and no timer of its own: datagrams go in and
 * out by calls, so that tests can lose them. [media], one thread a peer.
 */
#ifndef FD_RTC_DTLS_INT_H
#define FD_RTC_DTLS_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DTLS_MTU = 1200 };

/* The process's certificate (ECDSA P-256) and SSL_CTX. [loop] */
int dtls_start(void);
void dtls_stop(void);
/* "sha-256 AB:CD:...", constant until dtls_stop(). [any] */
const char *dtls_fingerprint(void);

struct dtls;

struct dtls_ops {
	void (*send)(void *arg, const uint8_t *p, size_t n); /* one datagram */
	void (*on_data)(void *arg, const uint8_t *p, size_t n);
};

enum dtls_state {
	DTLS_SHAKING,
	DTLS_UP,
	DTLS_REFUSED, /* see dtls_why() */
	DTLS_ENDED,   /* the other side said goodbye */
};

/* What the other side's certificate must hash to. */
struct dtls_expect {
	char hash[16]; /* "sha-256" */
	uint8_t digest[64];
	size_t digest_len;
};

/* server: the side that is called "passive" in SDP. ERR_PROTOCOL: a hash that
 * we do not accept. */
int dtls_create(struct dtls **ret_dtls, bool server,
		const struct dtls_expect *expect, const struct dtls_ops *ops,
		void *arg);
/* Says goodbye when it is up; frees. NULL is fine. */
void dtls_destroy(struct dtls *d);
/* Begins (client) or repeats what was lost: call once, then whenever
 * dtls_timeout_ms() has passed. */
enum dtls_state dtls_step(struct dtls *d);
/* One datagram from the other side. */
enum dtls_state dtls_input(struct dtls *d, const uint8_t *p, size_t n);
/* Milliseconds until dtls_step() is due, -1 when nothing is waited for. */
int dtls_timeout_ms(struct dtls *d);
/* Sends one packet of application data; 0, or ERR_CLOSED when not up. */
int dtls_write(struct dtls *d, const uint8_t *p, size_t n);
bool dtls_is_server(const struct dtls *d);
/* The reason of DTLS_REFUSED. Never NULL. */
const char *dtls_why(const struct dtls *d);

struct seal_keys;
/* SRTP keys when it is up; ERR_PROTOCOL without a common profile. */
int dtls_export(struct dtls *d, struct seal_keys *ret_keys);

#endif
