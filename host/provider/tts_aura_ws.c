/*
 * Aura over websockets: an utterance leases a socket when its first part
 * comes; when that one has no flushes left the next part leases another. On
 * the loop. A socket gets its next part when the last was Flushed: were one
 * Flushed lost, the audio of all that follow would be counted wrong.
 */
#include "provider/tts_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/thread.h"

#define QUEUE 8
#define LEASES 4

struct aura_conn;

struct queued {
	int part;
	char *text; /* NULL once sent */
};

struct lease {
	struct aura_conn *conn;
	struct aura_sock *sock;  /* NULL: unused */
	bool open, dirty;        /* dirty: the server holds text of ours */
	struct queued queue[QUEUE]; /* [0] is being spoken */
	int n;
	struct tts_bytes bytes;
};

struct aura_conn {
	struct providers *p;
	const struct provider_choice *choice;
	tts_conn_h *fn;
	void *arg;
	bool fresh;
	struct lease leases[LEASES];
	int busy;
	bool over;
};

static void conn_free(struct aura_conn *a)
{
	for (int i = 0; i < LEASES; i++)
		tts_bytes_free(&a->leases[i].bytes);
	free(a);
}

static void leave(struct aura_conn *a)
{
	if (--a->busy == 0 && a->over)
		conn_free(a);
}

static void tell(struct aura_conn *a, const struct tts_conn_event *e)
{
	if (!a->over)
		a->fn(a->arg, e);
}

static void queue_shift(struct lease *l)
{
	free(l->queue[0].text);
	l->n--;
	memmove(l->queue, l->queue + 1, (size_t)l->n * sizeof *l->queue);
}

static void queue_clear(struct lease *l)
{
	while (l->n)
		queue_shift(l);
}

static void give_back(struct lease *l)
{
	/* before it opened nothing was sent that would need clearing */
	bool clean = !l->open || (l->n == 0 && !l->dirty);

	queue_clear(l);
	if (l->sock)
		aura_release(l->sock, clean);
	l->sock = NULL;
	l->open = l->dirty = false;
	l->bytes.has_odd = false;
}

/* Everything this socket owed is lost, the part being spoken first. */
static void lease_failed(struct lease *l, const struct failure *f)
{
	struct aura_conn *a = l->conn;
	int lost[QUEUE], n = l->n;

	for (int i = 0; i < n; i++)
		lost[i] = l->queue[i].part;
	queue_clear(l);
	for (int i = 0; i < n; i++) {
		const struct tts_conn_event e = {
			.type = TTS_CONN_FAILED, .part = lost[i], .failure = f,
		};
		tell(a, &e);
	}
}

/* Sends the first part of the queue unless it is being spoken already. */
static int send_first(struct lease *l)
{
	if (!l->open || !l->n || !l->queue[0].text)
		return 0;
	int r = aura_speak(l->sock, l->queue[0].text);
	free(l->queue[0].text);
	l->queue[0].text = NULL;
	return r;
}

static void send_next(struct lease *l)
{
	struct failure f;
	int r = send_first(l);

	if (r < 0) {
		failure_set(&f, r, NULL);
		l->dirty = true;
		lease_failed(l, &f);
	}
}

static void on_open(struct lease *l)
{
	l->open = true;
	send_next(l);
}

static void on_audio(struct lease *l, const uint8_t *p, size_t n)
{
	struct tts_conn_event e = { .type = TTS_CONN_AUDIO };

	if (!l->n || l->queue[0].text)
		return;
	e.part = l->queue[0].part;
	e.pcm = tts_samples(&l->bytes, p, n, &e.n);
	if (e.n)
		tell(l->conn, &e);
}

static void on_flushed(struct lease *l)
{
	struct tts_conn_event e = { .type = TTS_CONN_PART };

	if (!l->n || l->queue[0].text)
		return;
	e.part = l->queue[0].part;
	queue_shift(l);
	l->bytes.has_odd = false;
	tell(l->conn, &e);
	if (!l->conn->over)
		send_next(l);
}

/* A flush over the limit is ignored by the server: its part never ends. */
static void on_warning(struct lease *l, const char *code)
{
	struct failure f;

	if (!strstr(code, "FLUSH") && !strstr(code, "LIMIT") &&
	    !strstr(code, "RATE"))
		return;
	failure_set(&f, ERR_LIMIT, "too many flushes");
	l->dirty = true;
	lease_failed(l, &f);
}

static void on_sock(void *arg, const struct sock_event *e)
{
	struct lease *l = arg;
	struct aura_conn *a = l->conn;

	a->busy++;
	switch (e->type) {
	case SOCK_OPEN:
		on_open(l);
		break;
	case SOCK_AUDIO:
		on_audio(l, e->p, e->n);
		break;
	case SOCK_FLUSHED:
		on_flushed(l);
		break;
	case SOCK_WARNING:
		on_warning(l, e->code);
		break;
	case SOCK_FAILED:
		l->sock = NULL;
		l->open = false;
		lease_failed(l, e->failure);
		break;
	}
	leave(a);
}

/* Flushes that a lease may still take, its unsent parts counted. */
static bool has_flush(struct lease *l)
{
	int unsent = 0;

	for (int i = 0; i < l->n; i++)
		unsent += l->queue[i].text != NULL;
	return l->n < QUEUE && aura_flushes_left(l->sock) > unsent;
}

static struct lease *find_lease(struct aura_conn *a)
{
	struct lease *unused = NULL;

	for (int i = 0; i < LEASES; i++) {
		struct lease *l = &a->leases[i];
		if (l->sock && has_flush(l))
			return l;
		/* its minute is used up and nothing is owed */
		if (l->sock && l->n == 0)
			give_back(l);
		if (!l->sock && !unused)
			unused = l;
	}
	return unused;
}

static int aura_open(void **ret_conn, struct providers *p,
		     const struct provider_choice *c, bool fresh,
		     tts_conn_h *fn, void *arg)
{
	ON_LOOP();
	struct aura_conn *a = calloc(1, sizeof *a);

	if (!a)
		return -ENOMEM;
	a->p = p;
	a->choice = c;
	a->fn = fn;
	a->arg = arg;
	a->fresh = fresh;
	for (int i = 0; i < LEASES; i++)
		a->leases[i].conn = a;
	*ret_conn = a;
	return 0;
}

static int aura_say(void *conn, int part, const char *text)
{
	ON_LOOP();
	struct aura_conn *a = conn;
	struct lease *l = find_lease(a);

	if (!l)
		return ERR_FULL;
	if (!l->sock) {
		int r = aura_lease(&l->sock, a->p->pool, a->choice, a->fresh,
				   on_sock, l, &l->open);
		if (r < 0)
			return r;
	}
	l->queue[l->n++] = (struct queued){ part, str_dup(text) };
	int r = l->n == 1 ? send_first(l) : 0;
	if (r < 0) {
		free(l->queue[--l->n].text);
		l->dirty = true;
	}
	return r;
}

static void aura_close(void *conn)
{
	ON_LOOP();
	struct aura_conn *a = conn;

	assert(!a->over);
	a->over = true;
	for (int i = 0; i < LEASES; i++)
		give_back(&a->leases[i]);
	if (!a->busy)
		conn_free(a);
}

const struct tts_ops tts_aura_ws = {
	.name = "aura",
	.overflow = "aura-rest",
	.check = aura_check,
	.open = aura_open,
	.speak = aura_say,
	.close = aura_close,
};
