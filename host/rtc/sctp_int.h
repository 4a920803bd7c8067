/*
 * SCTP by usrsctp, which is one library with one set of timers for the whole
 * process: everything here runs on the one media thread that owns it, for the
 * peers of all threads. DTLS's plaintext comes in and goes out by calls.
 */
#ifndef FD_RTC_SCTP_INT_H
#define FD_RTC_SCTP_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct assoc;
struct _GMainContext;

/* Callbacks run inside assoc_input(), assoc_send() or a tick of the timers. */
struct assoc_ops {
	void (*send_packet)(void *arg, const uint8_t *p, size_t n);
	/* A piece of a message; end: the last one. */
	void (*on_data)(void *arg, uint16_t stream, uint32_t ppid,
			const uint8_t *p, size_t n, bool end);
	/* Not inside a call into usrsctp, so these may send: */
	void (*on_up)(void *arg);
	void (*on_lost)(void *arg); /* given up, or closed by the other side */
	void (*on_room)(void *arg); /* acknowledgements came: there is room */
};

/* Starts usrsctp and, with a context, its 10 ms timer while associations
 * live; without one the caller calls assoc_tick(). [sctp owner] */
int assoc_start(struct _GMainContext *ctx);
/* Waits for usrsctp's own thread. All associations must be closed. */
void assoc_stop(void);
void assoc_tick(uint32_t elapsed_ms);

/* Both sides connect at once, on port 5000. */
int assoc_create(struct assoc **ret_assoc, const struct assoc_ops *ops,
		 void *arg);
/* Sends an ABORT through send_packet; no callback afterwards. NULL is fine. */
void assoc_close(struct assoc *a);
void assoc_input(struct assoc *a, const uint8_t *p, size_t n);
/* One message. lossy: unordered and never repeated. 0, -EAGAIN, or another
 * errno below 0. */
int assoc_send(struct assoc *a, uint16_t stream, uint32_t ppid, bool lossy,
	       const uint8_t *p, size_t n);
/* Bytes given to assoc_send() and perhaps not acknowledged yet. */
size_t assoc_unacked(const struct assoc *a);

#endif
