/*
 * Deepgram /v1/listen: one websocket a stream. Sends audio in 40 ms messages,
 * KeepAlive where none flows, Finalize when asked. On the loop. Never sends an
 * empty binary message: that would end the stream.
 */
#include "provider/stt_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/thread.h"

/* Two frames: half the writes, and words come 10 ms later on average. */
#define MESSAGE_BYTES (STT_RATE_HZ / 25 * 2)
#define KEEPALIVE_MS 5000
#define CONNECT_MS 10000 /* the facade's own limit comes first */
#define MAX_KEYTERMS 100

struct dg_conn {
	struct providers *p;
	stt_conn_h *fn;
	void *arg;
	struct ws *ws;
	struct buf out;         /* audio short of a message */
	struct timer keepalive;
	bool open, sent_audio;
	double pad_s;           /* silence of ours ahead of the audio */
	int busy;               /* callbacks of ours on the stack */
	bool over;              /* closed from inside one of them */
};

static int dg_check(const struct provider_choice *c, const char **ret_why)
{
	int n = 0;

	if (str_has_prefix(c->model, "flux"))
		return check_fail(ret_why, "model \"%s\" is not served by "
				  "/v1/listen; take nova-3", c->model);
	if (c->keyterms && c->keyterms[0] &&
	    !str_has_prefix(c->model, "nova-3"))
		return check_fail(ret_why, "keyterms need nova-3, not \"%s\"",
				  c->model);
	for (; c->keyterms && c->keyterms[n]; n++) {
		if (str_blank(c->keyterms[n]))
			return check_fail(ret_why, "keyterm %d is empty",
					  n + 1);
	}
	if (n > MAX_KEYTERMS)
		return check_fail(ret_why, "%d keyterms; at most %d", n,
				  MAX_KEYTERMS);
	if (str_eq(c->language, "multi") &&
	    !str_has_prefix(c->model, "nova-3") &&
	    !str_has_prefix(c->model, "nova-2"))
		return check_fail(ret_why, "language \"multi\" needs nova-3 or "
				  "nova-2, not \"%s\"", c->model);
	return 0;
}

static void dg_free(struct dg_conn *d)
{
	buf_free(&d->out);
	free(d);
}

static void leave(struct dg_conn *d)
{
	if (--d->busy == 0 && d->over)
		dg_free(d);
}

static void tell(struct dg_conn *d, enum stt_conn_type type,
		 const struct stt_result *result, const struct failure *failure)
{
	const struct stt_conn_event e = {
		.type = type, .result = result, .failure = failure,
	};

	if (!d->over)
		d->fn(d->arg, &e);
}

static int send_text(struct dg_conn *d, const char *text)
{
	if (!d->open)
		return ERR_CLOSED;
	return d->p->tables->net->ws_send(d->ws, text, strlen(text), true);
}

static int send_audio(struct dg_conn *d, const void *pcm, size_t bytes)
{
	if (bytes == 0)
		return 0;
	d->sent_audio = true;
	timer_start(&d->keepalive, KEEPALIVE_MS);
	return d->p->tables->net->ws_send(d->ws, pcm, bytes, false);
}

/* The first message within 10 s must be audio, KeepAlive does not count. */
static void on_keepalive(void *arg)
{
	static const int16_t silence[STT_RATE_HZ / 10];
	struct dg_conn *d = arg;

	if (!d->sent_audio) {
		d->pad_s = 0.1;
		send_audio(d, silence, sizeof silence);
		return;
	}
	send_text(d, "{\"type\":\"KeepAlive\"}");
	timer_start(&d->keepalive, KEEPALIVE_MS);
}

static void on_open(void *arg)
{
	struct dg_conn *d = arg;

	d->busy++;
	d->open = true;
	timer_start(&d->keepalive, KEEPALIVE_MS);
	tell(d, STT_CONN_OPEN, NULL, NULL);
	leave(d);
}

static double earlier(double t, double by)
{
	return t > by ? t - by : 0;
}

static void on_results(struct dg_conn *d, struct dg_message *m)
{
	m->result.start_s = earlier(m->result.start_s, d->pad_s);
	m->result.end_s = earlier(m->result.end_s, d->pad_s);
	for (size_t i = 0; i < m->result.n_words; i++) {
		m->words[i].start_s = earlier(m->words[i].start_s, d->pad_s);
		m->words[i].end_s = earlier(m->words[i].end_s, d->pad_s);
	}
	tell(d, STT_CONN_RESULT, &m->result, NULL);
}

static void on_message(void *arg, const uint8_t *p, size_t n, bool text)
{
	struct dg_conn *d = arg;
	struct dg_message m;

	/* what we cannot read is no reason to hang up: silence would be */
	if (d->over || !text || dg_message_read(&m, p, n) < 0)
		return;
	d->busy++;
	if (m.type == DG_RESULTS)
		on_results(d, &m);
	else if (m.type == DG_SPEECH)
		tell(d, STT_CONN_SPEECH, NULL, NULL);
	else if (m.type == DG_UTTERANCE_END)
		tell(d, STT_CONN_UTTERANCE_END, NULL, NULL);
	dg_message_free(&m);
	leave(d);
}

static void on_close(void *arg, int err, int status, const char *reason)
{
	struct dg_conn *d = arg;
	struct failure f;

	failure_ws(&f, d->open, err, status, reason);
	d->ws = NULL;
	d->open = false;
	timer_stop(&d->keepalive);
	d->busy++;
	tell(d, STT_CONN_FAILED, NULL, &f);
	leave(d);
}

static const struct ws_ops socket_ops = { on_open, on_message, on_close };

static int dg_open(void **ret_conn, struct providers *p,
		   const struct provider_choice *c, int endpointing_ms,
		   stt_conn_h *fn, void *arg)
{
	ON_LOOP();
	const char *headers[] = { p->deepgram_auth, NULL };
	struct buf url = { 0 };

	if (p->stt_used >= p->stt_limit)
		return ERR_FULL;
	struct dg_conn *d = calloc(1, sizeof *d);
	if (!d)
		return -ENOMEM;
	d->p = p;
	d->fn = fn;
	d->arg = arg;
	timer_init(&d->keepalive, p->clock, on_keepalive, d);
	buf_puts(&url, p->deepgram_ws);
	dg_listen_path(&url, c, endpointing_ms);
	const struct ws_cfg cfg = {
		.url = buf_str(&url), .headers = headers,
		.connect_ms = CONNECT_MS,
	};
	int r = p->tables->net->ws_open(&d->ws, p->loop, &cfg, &socket_ops, d);
	buf_free(&url);
	if (r < 0) {
		dg_free(d);
		return r;
	}
	p->stt_used++;
	*ret_conn = d;
	return 0;
}

static int dg_push(void *conn, const int16_t *pcm, size_t n)
{
	ON_LOOP();
	struct dg_conn *d = conn;
	size_t sent = 0;
	int r = 0;

	if (!d->open)
		return ERR_CLOSED;
	buf_add(&d->out, pcm, n * sizeof *pcm);
	while (r >= 0 && d->out.len - sent >= MESSAGE_BYTES) {
		r = send_audio(d, d->out.p + sent, MESSAGE_BYTES);
		sent += MESSAGE_BYTES;
	}
	buf_shift(&d->out, sent);
	return r < 0 ? r : 0;
}

static int dg_flush(void *conn)
{
	ON_LOOP();
	struct dg_conn *d = conn;

	if (!d->open)
		return ERR_CLOSED;
	int r = send_audio(d, d->out.p, d->out.len);
	buf_reset(&d->out);
	return r < 0 ? r : send_text(d, "{\"type\":\"Finalize\"}");
}

/* Nobody waits for the last words, so the socket closes right behind
 * CloseStream; an open one would go on being billed. */
static void dg_close(void *conn)
{
	ON_LOOP();
	struct dg_conn *d = conn;

	assert(!d->over);
	timer_stop(&d->keepalive);
	d->over = true;
	d->p->stt_used--;
	if (d->open)
		send_text(d, "{\"type\":\"CloseStream\"}");
	d->p->tables->net->ws_close(d->ws, d->open ? 1000 : 0);
	d->ws = NULL;
	if (!d->busy)
		dg_free(d);
}

const struct stt_ops stt_deepgram = {
	.name = "deepgram",
	.check = dg_check,
	.open = dg_open,
	.push = dg_push,
	.flush = dg_flush,
	.close = dg_close,
};
