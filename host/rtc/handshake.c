/*
 * DTLS handshakes of one media thread, in turn. A step costs up to a
 * millisecond of public-key work; when many calls come at once their steps
 * must not stand between two beats. Datagrams of handshakes wait here, and one
 * of them is worked on in each turn of the thread's loop, behind everything
 * else that is ready. [media]
 */
#include "rtc/peer_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

/* A flight has four datagrams; the other side repeats what is dropped. */
enum { WAITING_MAX = 8 };

struct waiting {
	struct waiting *next;
	struct rtc_peer *peer;
	size_t n;
	uint8_t bytes[];
};

static _Thread_local struct waiting *first, *last;
static _Thread_local GSource *worker;

static struct waiting *take(struct waiting *before)
{
	struct waiting *w = before ? before->next : first;

	if (before)
		before->next = w->next;
	else
		first = w->next;
	if (last == w)
		last = before;
	w->peer->n_handshake--;
	return w;
}

static void rest_when_empty(void)
{
	if (first || !worker)
		return;
	g_source_destroy(worker);
	g_source_unref(worker);
	worker = NULL;
}

static gboolean on_turn(gpointer arg)
{
	struct waiting *w = take(NULL);

	(void)arg;
	peer_dtls_input(w->peer, w->bytes, w->n);
	free(w);
	rest_when_empty();
	return G_SOURCE_CONTINUE;
}

void handshake_queue(struct rtc_peer *p, const uint8_t *bytes, size_t n)
{
	ON_MEDIA();
	if (p->n_handshake == WAITING_MAX)
		return;
	struct waiting *w = malloc(sizeof *w + n);
	if (!w)
		return;
	w->next = NULL;
	w->peer = p;
	w->n = n;
	memcpy(w->bytes, bytes, n);
	if (last)
		last->next = w;
	else
		first = w;
	last = w;
	p->n_handshake++;
	if (worker)
		return;
	worker = g_idle_source_new(); /* after all that is not idle */
	g_source_set_callback(worker, on_turn, NULL, NULL);
	g_source_attach(worker, media_context(p->media));
}

void handshake_forget(struct rtc_peer *p)
{
	ON_MEDIA();
	for (struct waiting *w = first, *before = NULL, *next; w; w = next) {
		next = w->next;
		if (w->peer == p)
			free(take(before));
		else
			before = w;
	}
	rest_when_empty();
}
