/* What the files of this folder share about the loop. */
#ifndef FD_IO_LOOP_INT_H
#define FD_IO_LOOP_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <openssl/ssl.h>
#include <uv.h>

#include "io/io.h"

struct post {
	struct post *next;
	post_h *fn;
	void *arg;
};

/* First in, first out; the lock is the owner's. */
struct posts {
	struct post *first, **end;
};

void posts_init(struct posts *q);
void posts_add(struct posts *q, post_h *fn, void *arg);
/* Runs and frees all that is in q now; what they add waits. */
void posts_run(struct posts *q);
void posts_drop(struct posts *q);

struct loop {
	/* immutable after loop_create() */
	uv_loop_t uv;
	struct clock *clock;
	char *ca_file;
	struct ws_host *ws;
	struct http_host *http;
	struct names *names;
	SSL_CTX *tls; /* NULL until tls_client() */

	/* [loop] */
	uv_timer_t timer;
	uv_prepare_t turn_end;
	struct wake *wakes;
	struct watch *watch;

	/* protected by lock */
	pthread_mutex_t lock;
	struct posts posts;

	/* [any] */
	uv_async_t async;
	_Atomic bool stopping;
	_Atomic uint64_t turns; /* the watchdog's heartbeat */
};

/* tls.c: the client context with our certificates, made at first use; stays
 * the loop's. ERR_CONFIG when the bundle cannot be read. */
int tls_client(struct loop *l, SSL_CTX **ret_tls);

/* resolve.c: the resolver's cache. */
int names_create(struct names **ret_names);
/* Cancels all requests; the loop must turn afterwards. */
void names_close(struct names *n);
void names_destroy(struct names *n);

/* ws_lws.c, http.c: what loop_create() and loop_destroy() need of them. */
int ws_host_create(struct ws_host **ret_host, struct loop *l);
/* Sockets that still flush a goodbye. */
size_t ws_host_closing(const struct ws_host *h);
/* Drops every socket; the loop must turn afterwards to let go of handles. */
void ws_host_close(struct ws_host *h);
void ws_host_destroy(struct ws_host *h);

int http_host_create(struct http_host **ret_host, struct loop *l);
void http_host_close(struct http_host *h);
void http_host_destroy(struct http_host *h);

void watch_destroy(struct watch *w);

#endif
