/*
 * Data channels over one SCTP association: the control messages of RFC 8832,
 * the two channels of LiveKit (reliable; unordered without repeats), messages
 * put together, and what waits to be sent. Knows SCTP only by the calls in
 * channels_ops. One thread: that which owns SCTP.
 */
#ifndef FD_RTC_CHANNEL_INT_H
#define FD_RTC_CHANNEL_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtc/rtc.h"

enum { /* SCTP payload protocol ids, RFC 8831 8 */
	PPID_DCEP = 50,
	PPID_STRING = 51,
	PPID_BINARY = 53,
	PPID_STRING_EMPTY = 56,
	PPID_BINARY_EMPTY = 57,
};

/* ---- control messages ----------------------------------------------------- */

enum dcep_type { DCEP_ACK = 0x02, DCEP_OPEN = 0x03 };
enum { DCEP_RELIABLE = 0x00, DCEP_REXMIT_UNORDERED = 0x81, DCEP_MAX = 64 };

struct dcep {
	enum dcep_type type;
	uint8_t channel;      /* the rest for DCEP_OPEN only */
	uint16_t priority;
	uint32_t reliability;
	const char *label;    /* points into the message, no NUL */
	size_t label_len;
	const char *protocol;
	size_t protocol_len;
};

/* Reads one message; 0 or ERR_PROTOCOL. */
int dcep_parse(struct dcep *ret, const uint8_t *p, size_t n);
/* Writes an OPEN into out[DCEP_MAX]; label 32 bytes at most. The length. */
size_t dcep_write_open(uint8_t *out, uint8_t channel, const char *label);

/* ---- the channels of one association ---------------------------------------- */

struct channels;

struct channels_ops {
	/* Gives one message to SCTP: 0, -EAGAIN (full, later), or an error. */
	int (*send)(void *arg, uint16_t stream, uint32_t ppid, bool lossy,
		    const uint8_t *p, size_t n);
	void (*on_open)(void *arg); /* both are open */
	void (*on_message)(void *arg, enum rtc_channel ch, const uint8_t *p,
			   size_t n);
};

enum {
	CHANNELS_MESSAGE_MAX = 256 * 1024, /* longer ones are dropped */
	CHANNELS_QUEUE_MAX = 1024 * 1024,
};

int channels_create(struct channels **ret_channels,
		    const struct channels_ops *ops, void *arg);
void channels_destroy(struct channels *c); /* NULL is fine */
/* The association is up: opens both channels. dtls_server decides the parity
 * of their stream ids (RFC 8832, 6). */
void channels_up(struct channels *c, bool dtls_server);
/* A piece of a message; end: it was the last one. Never sends: what has to be
 * answered goes with the next channels_flush(). */
void channels_input(struct channels *c, uint16_t stream, uint32_t ppid,
		    const uint8_t *p, size_t n, bool end);
/* Sends or queues one message; ERR_FULL when too much waits. */
int channels_send(struct channels *c, enum rtc_channel ch, const uint8_t *p,
		  size_t n);
/* Tries what waits; call when SCTP may have room again. */
void channels_flush(struct channels *c);
/* Bytes that wait here. */
size_t channels_queued(const struct channels *c);

#endif
