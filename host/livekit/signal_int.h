/*
 * One signalling socket of a room: handshake with the join request in the
 * query, protobuf messages both ways, pings. What messages mean is decided
 * in room_signal.c. On the loop.
 */
#ifndef FD_LIVEKIT_SIGNAL_INT_H
#define FD_LIVEKIT_SIGNAL_INT_H

#include "livekit/proto_int.h"

struct signalling;

struct signal_ops {
	/* One message; borrowed. signal_close() may be called inside. */
	void (*on_message)(void *arg, const Livekit__SignalResponse *m);
	/* The end, exactly once unless signal_close() came first. status: HTTP
	 * status before the socket opened (0 none), close code after. Freed
	 * after this returns. */
	void (*on_close)(void *arg, int err, int status, const char *why);
};

/* Appends the request as the value of join_request. */
void signal_wrap(struct buf *out, const Livekit__JoinRequest *req);

/* Connects to base's /rtc/v1 with the request; both are used up here.
 * -EMSGSIZE when it does not fit a query: leave candidates out then. */
int signal_open(struct signalling **ret_sig, struct loop *l, const char *base,
		const char *token, const Livekit__JoinRequest *req,
		const struct signal_ops *ops, void *arg);
/* Queues one message; errors of ws_send(). */
int signal_send(struct signalling *s, const Livekit__SignalRequest *m);
/* Pings each interval_ms; no pong for timeout_ms ends the socket with
 * ERR_STALLED. 0: no pings. */
void signal_keepalive(struct signalling *s, int interval_ms, int timeout_ms);
/* Sends what is queued and closes; code 0 drops the connection. NULL is fine. */
void signal_close(struct signalling *s, int code);

#endif
