/*
 * SRTP and SRTCP (libsrtp2) for one peer: our packets sealed, theirs opened.
 * Named seal because libsrtp owns the word. [media]
 */
#ifndef FD_RTC_SEAL_INT_H
#define FD_RTC_SEAL_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SEAL_CM_SHA1_80 = 0x0001, /* profile numbers of RFC 5764 and 7714 */
	SEAL_GCM_128 = 0x0007,
	SEAL_GCM_256 = 0x0008,
	SEAL_KEY_MAX = 46,        /* key and salt */
	SEAL_ROOM = 24,           /* bytes a sealed packet may grow */
};

struct seal_keys {
	uint16_t profile;
	uint8_t local[SEAL_KEY_MAX];  /* key, then salt */
	uint8_t remote[SEAL_KEY_MAX];
};

/* Lengths for a profile; false when we do not know it. [any] */
bool seal_lengths(uint16_t profile, size_t *ret_key, size_t *ret_salt);

/* libsrtp for the process. [loop] */
int seal_start(void);
void seal_stop(void);

struct seal;
/* own_ssrc: the only source that we send as; fixed here so that the beat
 * never makes libsrtp allocate a stream. */
int seal_create(struct seal **ret_seal, const struct seal_keys *keys,
		uint32_t own_ssrc);
void seal_destroy(struct seal *s); /* NULL is fine */
/* Seals p[0..n) in place; SEAL_ROOM more bytes must be there. The new length,
 * or ERR_PROTOCOL. */
int seal_rtp(struct seal *s, uint8_t *p, size_t n);
int seal_rtcp(struct seal *s, uint8_t *p, size_t n);
/* Opens in place. The new length, -EALREADY for a packet seen before or too
 * old, ERR_AUTH for a wrong one. */
int seal_open_rtp(struct seal *s, uint8_t *p, size_t n);
int seal_open_rtcp(struct seal *s, uint8_t *p, size_t n);

#endif
