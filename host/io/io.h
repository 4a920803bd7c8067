/*
 * io: the two kinds of thread and everything that crosses a socket outside
 * the media path. Knows nothing of calls, rooms or providers.
 *
 * Threads. The loop is one libuv loop (signalling, providers, turn machine,
 * Lua, timers). A media thread runs a GLib main loop (libnice's sockets,
 * DTLS, SRTP) and a timer that runs the beat of its calls. They meet in rings
 * (base/ring.h) and in loop_post() and media_post(), nowhere else.
 *
 * Ends. Whatever holds sockets is closed, not freed: its callbacks do not run
 * after x_close() returned, and the memory goes when libuv, lws or curl has
 * let go. No callback runs inside the call that started the operation.
 */
#ifndef FD_IO_IO_H
#define FD_IO_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

/* ---- the loop ---------------------------------------------------------- */

struct loop;
struct uv_loop_s;
typedef void (post_h)(void *arg);

/* The bundle to trust: the caller's, else SSL_CERT_FILE, else where systems put
 * it; NULL when it cannot be read. [any] */
const char *loop_find_ca(const char *ca_file);
/* Creates the loop, its real clock, the lws context and the curl multi.
 * ca_file: PEM bundle for TLS or NULL for the system's; a missing system
 * bundle is ERR_CONFIG. [any, before threads] */
int loop_create(struct loop **ret_loop, const char *ca_file);
/* Runs until loop_stop(), then as long as closed websockets still have a
 * goodbye to send (at most 500 ms). May be called again. [loop] */
void loop_run(struct loop *l);
/* Makes loop_run() return soon; before it, at once. [any] */
void loop_stop(struct loop *l);
/* Frees everything, whatever is still open without a callback; posts that
 * did not run are dropped. NULL is fine. After loop_run() returned. [loop] */
void loop_destroy(struct loop *l);
/* Runs fn(arg) on the loop, in order of posting; wakes it. Never fails: the
 * queue grows. Not for the beat: use a ring and loop_wake(). [any] */
void loop_post(struct loop *l, post_h *fn, void *arg);

/* A door from a media thread that neither allocates nor locks: raising it
 * (any number of times) runs fn(arg) on the loop at least once afterwards. */
struct wake;
int wake_create(struct wake **ret_wake, struct loop *l, post_h *fn, void *arg);
void wake_raise(struct wake *w);            /* [any], safe on the beat */
void wake_close(struct wake *w);            /* [loop] no fn after this */

struct clock *loop_clock(struct loop *l);   /* [loop] */
struct uv_loop_s *loop_uv(struct loop *l);  /* [loop] for signals, files */

/* A watchdog thread: when one turn of the loop lasts longer than limit_ms, it
 * calls fn(arg, stalled_ms) on its own thread, once a stall; the loop's stack
 * is written to stderr by a signal handler. [any, before loop_run] */
typedef void (stall_h)(void *arg, int64_t stalled_ms);
int loop_watch(struct loop *l, int64_t limit_ms, stall_h *fn, void *arg);

/* ---- media threads ------------------------------------------------------ */

struct media;
struct _GMainContext;
/* One step of a call's audio, every 20 ms. Runs in its phase slot; never
 * allocates, locks, logs or does I/O of its own. now_us: clock_mono_us(). */
typedef void (beat_h)(void *arg, int64_t now_us);

/* Starts a media thread. index names it ("media0"). [loop] */
int media_create(struct media **ret_media, int index);
/* Stops and joins it; NULL is fine. All beats must be removed. [loop] */
void media_destroy(struct media *m);
/* Runs fn(arg) on that thread, in order of posting. [any but the beat] */
void media_post(struct media *m, post_h *fn, void *arg);
/* Posts and waits until fn(arg) has run. [loop]; only where a few hundred
 * microseconds do not matter (start and end of calls). */
void media_sync(struct media *m, post_h *fn, void *arg);
struct _GMainContext *media_context(struct media *m); /* [media] */
/* Adds a beat in the emptiest of the 20 phase slots of 1 ms. idle (may be
 * NULL) runs after the slot's beats, with time to spare: encoding ahead goes
 * there. [media] */
int media_beat_add(struct media *m, beat_h *beat, beat_h *idle, void *arg);
void media_beat_remove(struct media *m, void *arg);   /* [media] */
/* Beats that ran more than 10 ms late or, with the thread more than 60 ms
 * behind, were given up; and all beats, those included. [any] */
void media_beats(struct media *m, uint64_t *ret_late, uint64_t *ret_all);

/* ---- names --------------------------------------------------------------- */

struct sockaddr_storage;
struct resolve;
/* status 0 with addrs[0..n) (ports 0), else a libuv code such as EAI_*. */
typedef void (resolve_h)(void *arg, int status,
			 const struct sockaddr_storage *addrs, size_t n);
/* Looks a host name or literal address up (uv_getaddrinfo), with a process
 * cache of 60 s; a look-up that fails or takes more than a second falls back
 * to an expired entry. [loop] */
int resolve_start(struct resolve **ret_req, struct loop *l, const char *host,
		  resolve_h *fn, void *arg);
/* Forgets the request; fn will not run. Not after fn ran. NULL is fine.
 * [loop] */
void resolve_cancel(struct resolve *r);

/* ---- addresses of services ------------------------------------------------ */

/* "wss://host:8443/base" in parts. */
struct url {
	char scheme[8];
	char host[256];
	int port;       /* filled in from the scheme when absent */
	char path[8192]; /* with query; "/" when absent. Long: a LiveKit join
			 * request with its offer travels in the query. */
	bool tls;       /* https, wss */
};
/* [any] ERR_CONFIG when text is not an absolute http, https, ws or wss URL. */
int url_parse(struct url *u, const char *text);

/* ---- websocket client ------------------------------------------------------ */

struct ws;

struct ws_ops {
	/* 101 received. headers: look up with ws_header(). */
	void (*on_open)(void *arg);
	/* One whole message (fragments joined, at most max_message bytes). */
	void (*on_message)(void *arg, const uint8_t *p, size_t n, bool text);
	/* The end, exactly once unless ws_close() came first. Before on_open:
	 * the connection or handshake failed; status is the HTTP status or 0,
	 * reason the start of the body (511 bytes) or a phrase; err is what
	 * err_from_http() says, -ETIMEDOUT, -ECONNREFUSED, ERR_CLOSED,
	 * ERR_PROTOCOL (TLS or handshake wrong) or a libuv code. After:
	 * status is the close code (1006 without close frame), reason its
	 * text; err is 0 for 1000, ERR_STALLED for lost pings, ERR_PROTOCOL
	 * for our 1009, else ERR_CLOSED. lws shows the codes 1012 to 1014 as
	 * 1002. The ws is freed after this returns. */
	void (*on_close)(void *arg, int err, int status, const char *reason);
};

struct ws_cfg {
	const char *url;          /* ws:// or wss://, path and query included */
	const char *const *headers; /* "Name: value", NULL-ended; may be NULL */
	const char *protocol;     /* subprotocol or NULL */
	int connect_ms;           /* limit to open; 0: 10,000 */
	int ping_ms;              /* our pings; 0: 20,000; dead after 2 unanswered */
	size_t max_message;       /* 0: 2 MiB; more closes with 1009 */
};

/* Starts connecting; name, TCP (each address in turn), TLS (certificate's
 * name checked), handshake. Host names up to about 110 bytes. Honours
 * https_proxy/no_proxy for TLS. cfg is copied. [loop] */
int ws_open(struct ws **ret_ws, struct loop *l, const struct ws_cfg *cfg,
	    const struct ws_ops *ops, void *arg);
/* Queues one message; sent in order. ERR_CLOSED when not open, ERR_FULL when
 * more than 4 MiB wait. [loop] */
int ws_send(struct ws *w, const void *p, size_t n, bool text);
size_t ws_queued(const struct ws *w);      /* bytes not yet written [loop] */
/* Header of the 101 answer ("dg-request-id"), NULL if absent. Ask inside
 * on_open; what was found then is known later too. [loop] */
const char *ws_header(struct ws *w, const char *name);
/* Sends what is queued, then a close frame with code (0: just drop the TCP
 * connection), within two seconds; no callback runs any more; frees w. NULL is
 * fine. [loop] */
void ws_close(struct ws *w, int code);

/* ---- HTTP client -------------------------------------------------------------- */

struct http;

struct http_ops {
	/* Status and headers are known (http_header()). May be NULL. */
	void (*on_headers)(void *arg, long status);
	/* A piece of the body as it arrives. May be NULL. */
	void (*on_data)(void *arg, const uint8_t *p, size_t n);
	/* The end, exactly once unless http_cancel() came first. err 0 means
	 * the exchange was complete, whatever the status. body (NUL-ended)
	 * is the collected body when on_data is NULL. Freed after return. */
	void (*on_done)(void *arg, int err, long status, const char *body,
			size_t n);
};

struct http_cfg {
	const char *method;         /* NULL: GET */
	const char *url;
	const char *const *headers; /* "Name: value", NULL-ended; may be NULL */
	const void *body;           /* copied; may be NULL */
	size_t body_len;
	int connect_ms;             /* 0: 2,000 */
	int first_byte_ms;          /* limit to the status line; 0: 5,000 */
	int idle_ms;                /* limit between pieces; 0: 5,000 */
	int total_ms;               /* 0: no limit */
	size_t max_body;            /* of a collected body; 0: 4 MiB */
	bool fresh;                 /* on a connection of its own: the shared
				       one gave no answer */
};

/* Starts a request (HTTP/2 where offered, connections kept and shared). cfg
 * is copied. err in on_done: a libuv code, -ETIMEDOUT, -EMSGSIZE (max_body),
 * ERR_PROTOCOL or ERR_CLOSED. Redirects are not followed. -EINVAL when a
 * header holds a line break. [loop] */
int http_start(struct http **ret_req, struct loop *l,
	       const struct http_cfg *cfg, const struct http_ops *ops,
	       void *arg);
/* Value of an answer's header, NULL if absent. Borrowed. [loop] */
const char *http_header(struct http *h, const char *name);
/* Drops the request; no callback runs any more; frees h. NULL is fine.
 * [loop] */
void http_cancel(struct http *h);
/* Opens a connection (TLS included) to url's host, with a HEAD of its root,
 * so that the next request finds it warm. Failures are silent. [loop] */
void http_warm(struct loop *l, const char *url);

/* ---- server-sent events ---------------------------------------------------------- */

/* Splits a byte stream into events (WHATWG HTML, 9.2.6): bytes may be cut
 * anywhere, CRLF accepted. A pure parser. */
struct sse;
/* event: the event's name or "message"; data: joined lines, NUL-ended. */
typedef void (sse_h)(void *arg, const char *event, const char *data, size_t n);
int sse_create(struct sse **ret_sse, sse_h *fn, void *arg);
void sse_destroy(struct sse *s);  /* NULL is fine, inside fn too */
/* 0, or ERR_PROTOCOL when one event grew beyond 4 MiB. [any] */
int sse_feed(struct sse *s, const uint8_t *p, size_t n);

#endif
