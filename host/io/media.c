/*
 * A media thread: a GLib main loop with posts from other threads. Its beats
 * are in beat.c. The thread owns everything but the post queue.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/thread.h"
#include "io/media_int.h"

struct post_source {
	GSource base;
	struct media *media;
};

static gboolean post_ready(GSource *s)
{
	struct media *m = ((struct post_source *)s)->media;

	return atomic_load_explicit(&m->posted, memory_order_acquire);
}

static gboolean post_prepare(GSource *s, gint *ret_timeout_ms)
{
	*ret_timeout_ms = -1;
	return post_ready(s);
}

static void run_posts(struct media *m)
{
	struct posts mine;

	posts_init(&mine);
	pthread_mutex_lock(&m->lock);
	atomic_store_explicit(&m->posted, false, memory_order_release);
	if (m->posts.first) {
		mine = m->posts;
		posts_init(&m->posts);
	}
	pthread_mutex_unlock(&m->lock);
	posts_run(&mine);
}

static gboolean post_dispatch(GSource *s, GSourceFunc fn, gpointer arg)
{
	(void)fn;
	(void)arg;
	run_posts(((struct post_source *)s)->media);
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs post_funcs = {
	.prepare = post_prepare,
	.check = post_ready,
	.dispatch = post_dispatch,
};

static void *media_main(void *arg)
{
	struct media *m = arg;

	thread_role = THREAD_MEDIA;
	pthread_setname_np(pthread_self(), m->name);
	g_main_context_push_thread_default(m->context);
	while (!m->quit)
		g_main_context_iteration(m->context, TRUE);
	/* posted before the end, so it runs here */
	run_posts(m);
	g_main_context_pop_thread_default(m->context);
	return NULL;
}

static void add_post_source(struct media *m)
{
	m->source = g_source_new(&post_funcs, sizeof(struct post_source));
	((struct post_source *)m->source)->media = m;
	g_source_set_can_recurse(m->source, FALSE);
	g_source_attach(m->source, m->context);
}

int media_create(struct media **ret_media, int index)
{
	ON_LOOP();
	struct media *m = calloc(1, sizeof *m);
	int r;

	if (!m)
		return -ENOMEM;
	snprintf(m->name, sizeof m->name, "media%d", index);
	posts_init(&m->posts);
	pthread_mutex_init(&m->lock, NULL);
	m->context = g_main_context_new();
	add_post_source(m);
	r = beats_create(&m->beats, m->context);
	if (r < 0)
		goto fail;
	r = -pthread_create(&m->thread, NULL, media_main, m);
	if (r < 0)
		goto fail;
	m->running = true;
	*ret_media = m;
	return 0;

fail:
	media_destroy(m);
	return r;
}

static void quit(void *arg)
{
	struct media *m = arg;

	m->quit = true;
}

void media_destroy(struct media *m)
{
	if (!m)
		return;
	ON_LOOP();
	if (m->running) {
		media_post(m, quit, m);
		pthread_join(m->thread, NULL);
	}
	beats_destroy(m->beats);
	g_source_destroy(m->source);
	g_source_unref(m->source);
	g_main_context_unref(m->context);
	posts_drop(&m->posts);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

void media_post(struct media *m, post_h *fn, void *arg)
{
	pthread_mutex_lock(&m->lock);
	posts_add(&m->posts, fn, arg);
	atomic_store_explicit(&m->posted, true, memory_order_release);
	pthread_mutex_unlock(&m->lock);
	g_main_context_wakeup(m->context);
}

struct sync {
	post_h *fn;
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
};

static void run_sync(void *arg)
{
	struct sync *s = arg;

	s->fn(s->arg);
	pthread_mutex_lock(&s->lock);
	s->done = true;
	pthread_cond_signal(&s->cond);
	pthread_mutex_unlock(&s->lock);
}

void media_sync(struct media *m, post_h *fn, void *arg)
{
	ON_LOOP();
	struct sync s = { .fn = fn, .arg = arg };

	assert(!pthread_equal(pthread_self(), m->thread));
	pthread_mutex_init(&s.lock, NULL);
	pthread_cond_init(&s.cond, NULL);
	media_post(m, run_sync, &s);
	pthread_mutex_lock(&s.lock);
	while (!s.done)
		pthread_cond_wait(&s.cond, &s.lock);
	pthread_mutex_unlock(&s.lock);
	pthread_cond_destroy(&s.cond);
	pthread_mutex_destroy(&s.lock);
}

struct _GMainContext *media_context(struct media *m)
{
	ON_MEDIA();
	return m->context;
}

int media_beat_add(struct media *m, beat_h *beat, beat_h *idle, void *arg)
{
	ON_MEDIA();
	return beats_add(m->beats, beat, idle, arg);
}

void media_beat_remove(struct media *m, void *arg)
{
	ON_MEDIA();
	beats_remove(m->beats, arg);
}

void media_beats(struct media *m, uint64_t *ret_late, uint64_t *ret_all)
{
	beats_count(m->beats, ret_late, ret_all);
}
