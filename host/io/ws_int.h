/* One websocket and the lws context that carries all, inside the folder. */
#ifndef FD_IO_WS_INT_H
#define FD_IO_WS_INT_H

#include <libwebsockets.h>

#include "base/buf.h"
#include "io/loop_int.h"
#include "io/net_int.h"

enum { WS_MAX_ADDRS = 8 };

enum ws_state {
	WS_RESOLVING,
	WS_CONNECTING, /* TCP, TLS or the handshake */
	WS_REFUSED,    /* answered, but not with 101: its body is read */
	WS_OPEN,
	WS_CLOSING,    /* ws_close(): flushes, nobody is told any more */
	WS_LEAVING,    /* close frame sent, its answer awaited */
	WS_ENDED,
};

struct ws_message {
	struct ws_message *next;
	size_t n;
	bool text;
	uint8_t bytes[]; /* LWS_PRE bytes of room, then n */
};

struct refusal;

struct ws {
	struct ws_host *host;
	struct ws *next, **at;
	/* NULL after ws_close() or on_close */
	const struct ws_ops *ops;
	void *arg;
	enum ws_state state;
	int busy;               /* depth inside lws callbacks and ours */

	/* the request */
	struct url url;
	struct proxy proxy;
	char host_header[280];
	char **headers;
	char *protocol;
	struct resolve *req;
	struct sockaddr_storage addrs[WS_MAX_ADDRS];
	size_t n_addrs, i_addr;
	struct timer limit;     /* to open, to close */
	struct timer attempt;   /* one address's share of it; steps to
				 * take outside of lws's callbacks */

	/* the connection */
	struct lws *wsi;        /* NULL: none, or lws ends it by itself */
	bool connected;         /* TCP is up */
	bool spoke;             /* the server answered something */
	struct buf answer;      /* headers that were asked for */
	struct refusal *refusal;
	struct ws_message *out, **out_end;
	size_t queued;
	struct buf in;
	size_t max_message;
	int ping_ms, unanswered;
	bool want_ping;
	struct timer ping;
	int close_code;

	/* the end */
	int err, status;
	char reason[512];
};

struct ws_host {
	struct loop *loop;
	struct ws *all;
	struct lws_context *context;
	struct lws_vhost *plain, *secure, *proxied; /* NULL until used */
};

/* ws_lws.c: what lws does for a ws. */

/* Starts connecting to addrs[i_addr]. */
int ws_lws_connect(struct ws *w);
/* Sends the close frame; the end comes as a lost connection. */
void ws_lws_goodbye(struct ws *w);
/* Drops the connection; lws calls us no more. */
void ws_lws_drop(struct ws *w);

/* ws.c: what happened to it, from lws. They may free w unless w->busy. */
void ws_opened(struct ws *w);
void ws_attempt_failed(struct ws *w, int err, const char *reason);
void ws_received(struct ws *w, const uint8_t *p, size_t n, bool text);
/* The queue is empty and all of it written. */
void ws_flushed(struct ws *w);
/* Tells the owner the end and says goodbye to the server with status. */
void ws_give_up(struct ws *w, int err, int status, const char *reason);
void ws_end(struct ws *w, int err, int status, const char *reason);
/* Frees w if it has ended and nobody is inside it. */
void ws_settle(struct ws *w);

/* ws_refused.c: an answer other than 101. lws throws its body away, so this
 * reads on from the connection that lws gives up. */
void refusal_begin(struct ws *w, struct lws *wsi, int status);
/* A piece of the body that lws had already read. */
void refusal_add(struct ws *w, const void *p, size_t n);
/* lws has let go of the descriptor. */
void refusal_take_over(struct ws *w);
/* Tells the owner what has been read. */
void refusal_finish(struct refusal *f);
void refusal_destroy(struct refusal *f);

#endif
