/*
 * The loop: one libuv loop, its clock, and the doors into it from other
 * threads. Never blocks; everything that waits is a handle or a timer.
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "io/loop_int.h"

/* How long goodbyes (close frames) may keep a stopped loop, and handles a
 * loop that ends. */
enum { FAREWELL_MS = 500, DRAIN_MS = 2000 };

struct wake {
	uv_async_t async;
	struct loop *loop;
	post_h *fn;
	void *arg;
	struct wake *next, **at;
};

/* ---- time --------------------------------------------------------------- */

static void timer_due(uv_timer_t *t)
{
	struct loop *l = t->data;

	clock_run_due(l->clock);
}

/* The earliest deadline moved: point the one uv timer at it. uv's cached
 * time is what uv_timer_start() counts from, so we count from it too. */
static void arm(void *arg)
{
	struct loop *l = arg;
	int64_t left_us = clock_next_us(l->clock);

	if (left_us < 0) {
		uv_timer_stop(&l->timer);
		return;
	}
	int64_t due_ms = (clock_now_us(l->clock) + left_us + 999) / 1000;
	int64_t left_ms = due_ms - (int64_t)uv_now(&l->uv);
	uv_timer_start(&l->timer, timer_due,
		       left_ms > 0 ? (uint64_t)left_ms : 0, 0);
}

/* ---- posts --------------------------------------------------------------- */

static void run_posts(struct loop *l)
{
	struct posts mine;

	posts_init(&mine);
	pthread_mutex_lock(&l->lock);
	if (l->posts.first) {
		mine = l->posts;
		posts_init(&l->posts);
	}
	pthread_mutex_unlock(&l->lock);
	posts_run(&mine);
}

static void async_raised(uv_async_t *a)
{
	struct loop *l = a->data;

	run_posts(l);
	if (atomic_load(&l->stopping))
		uv_stop(&l->uv);
}

void loop_post(struct loop *l, post_h *fn, void *arg)
{
	pthread_mutex_lock(&l->lock);
	posts_add(&l->posts, fn, arg);
	pthread_mutex_unlock(&l->lock);
	uv_async_send(&l->async);
}

static void wake_raised(uv_async_t *a)
{
	struct wake *w = a->data;

	if (w->fn)
		w->fn(w->arg);
}

int wake_create(struct wake **ret_wake, struct loop *l, post_h *fn, void *arg)
{
	ON_LOOP();
	struct wake *w = calloc(1, sizeof *w);

	if (!w)
		return -ENOMEM;
	w->loop = l;
	w->fn = fn;
	w->arg = arg;
	w->async.data = w;
	int r = uv_async_init(&l->uv, &w->async, wake_raised);
	if (r < 0) {
		free(w);
		return r;
	}
	w->next = l->wakes;
	w->at = &l->wakes;
	if (w->next)
		w->next->at = &w->next;
	l->wakes = w;
	*ret_wake = w;
	return 0;
}

void wake_raise(struct wake *w)
{
	uv_async_send(&w->async);
}

static void wake_closed(uv_handle_t *h)
{
	free(h->data);
}

void wake_close(struct wake *w)
{
	ON_LOOP();
	if (!w)
		return;
	w->fn = NULL;
	*w->at = w->next;
	if (w->next)
		w->next->at = w->at;
	uv_close((uv_handle_t *)&w->async, wake_closed);
}

/* ---- life ----------------------------------------------------------------- */

static void count_turn(uv_prepare_t *p)
{
	struct loop *l = p->data;

	atomic_fetch_add_explicit(&l->turns, 1, memory_order_relaxed);
}

const char *loop_find_ca(const char *ca_file)
{
	static const char *const places[] = {
		"/etc/ssl/certs/ca-certificates.crt", /* Debian */
		"/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora */
		"/etc/ssl/cert.pem",                  /* Alpine */
	};

	if (!ca_file)
		ca_file = getenv("SSL_CERT_FILE");
	if (ca_file && *ca_file)
		return access(ca_file, R_OK) == 0 ? ca_file : NULL;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		if (access(places[i], R_OK) == 0)
			return places[i];
	}
	return NULL;
}

static void init_handles(struct loop *l)
{
	uv_timer_init(&l->uv, &l->timer);
	uv_prepare_init(&l->uv, &l->turn_end);
	l->timer.data = l;
	l->turn_end.data = l;
	uv_prepare_start(&l->turn_end, count_turn);
	clock_on_change(l->clock, arm, l);
}

int loop_create(struct loop **ret_loop, const char *ca_file)
{
	const char *ca = loop_find_ca(ca_file);
	int r;

	if (!ca)
		return ERR_CONFIG;
	struct loop *l = calloc(1, sizeof *l);
	if (!l)
		return -ENOMEM;
	/* OpenSSL writes to sockets without MSG_NOSIGNAL */
	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	l->ca_file = str_dup(ca);
	posts_init(&l->posts);
	pthread_mutex_init(&l->lock, NULL);
	r = uv_loop_init(&l->uv);
	if (r < 0)
		goto fail_bare;
	l->uv.data = l;
	r = uv_async_init(&l->uv, &l->async, async_raised);
	if (r < 0)
		goto fail_uv;
	l->async.data = l;
	r = clock_create_real(&l->clock);
	if (r < 0)
		goto fail;
	init_handles(l);
	if ((r = names_create(&l->names)) < 0 ||
	    (r = ws_host_create(&l->ws, l)) < 0 ||
	    (r = http_host_create(&l->http, l)) < 0)
		goto fail;
	*ret_loop = l;
	return 0;

fail:
	loop_destroy(l);
	return r;
fail_uv:
	uv_loop_close(&l->uv);
fail_bare:
	pthread_mutex_destroy(&l->lock);
	free(l->ca_file);
	free(l);
	return r;
}

void loop_run(struct loop *l)
{
	enum thread_role before = thread_role;

	ON_LOOP();
	thread_role = THREAD_LOOP;
	while (!atomic_load(&l->stopping))
		uv_run(&l->uv, UV_RUN_DEFAULT);
	int64_t until_us = clock_mono_us() + FAREWELL_MS * 1000;
	while (ws_host_closing(l->ws) && clock_mono_us() < until_us) {
		uv_run(&l->uv, UV_RUN_NOWAIT);
		if (ws_host_closing(l->ws))
			usleep(1000);
	}
	atomic_store(&l->stopping, false);
	thread_role = before;
}

void loop_stop(struct loop *l)
{
	atomic_store(&l->stopping, true);
	uv_async_send(&l->async);
}

static void close_rest(uv_handle_t *h, void *arg)
{
	(void)arg;
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

/* Turns the loop until its handles are closed. A look-up that hangs in the C
 * library cannot be cancelled: then false, after a while. */
static bool drain(struct loop *l)
{
	int64_t until_us = clock_mono_us() + DRAIN_MS * 1000;

	while (uv_run(&l->uv, UV_RUN_NOWAIT)) {
		if (clock_mono_us() > until_us)
			return false;
		usleep(200);
	}
	return true;
}

static void close_all(struct loop *l)
{
	watch_destroy(l->watch);
	http_host_close(l->http);
	ws_host_close(l->ws);
	names_close(l->names);
	while (l->wakes)
		wake_close(l->wakes);
	uv_close((uv_handle_t *)&l->async, NULL);
	if (l->clock) {
		clock_on_change(l->clock, NULL, NULL);
		uv_close((uv_handle_t *)&l->timer, NULL);
		uv_close((uv_handle_t *)&l->turn_end, NULL);
	}
}

void loop_destroy(struct loop *l)
{
	if (!l)
		return;
	ON_LOOP();
	close_all(l);
	bool whole = drain(l);
	if (!whole)
		return; /* a thread still writes into it: better a leak */
	ws_host_destroy(l->ws);
	http_host_destroy(l->http);
	names_destroy(l->names);
	SSL_CTX_free(l->tls);
	uv_walk(&l->uv, close_rest, NULL);
	drain(l);
	int r = uv_loop_close(&l->uv);
	assert(r == 0);
	posts_drop(&l->posts);
	clock_destroy(l->clock);
	pthread_mutex_destroy(&l->lock);
	free(l->ca_file);
	free(l);
}

struct clock *loop_clock(struct loop *l)
{
	return l->clock;
}

struct uv_loop_s *loop_uv(struct loop *l)
{
	return &l->uv;
}
