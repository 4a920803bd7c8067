/*
 * The signalling socket. On the loop. Reads what it knows of the server's
 * messages and skips the rest; never decides what a message means.
 */
#include "livekit/signal_int.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "livekit/address_int.h"

/* A cluster makes up to three attempts of its own to start a session. */
#define FIRST_MESSAGE_MS 12000
/* libwebsockets writes the request line into 2048 bytes, and some proxies
 * take no more either. */
#define MAX_URL 1950

struct signalling {
	struct loop *loop;
	struct ws *ws;
	struct signal_ops ops;
	void *arg;
	struct timer first;   /* limit to the server's first message */
	struct timer ping;
	struct timer pong;    /* limit to any pong */
	int interval_ms, timeout_ms;
	int64_t rtt_ms;
	int depth;
	bool closing;
};

static void destroy(struct signalling *s)
{
	timer_stop(&s->first);
	timer_stop(&s->ping);
	timer_stop(&s->pong);
	free(s);
}

void signal_close(struct signalling *s, int code)
{
	ON_LOOP();
	if (!s)
		return;
	assert(!s->closing);
	ws_close(s->ws, code);
	s->ws = NULL;
	s->closing = true;
	if (!s->depth)
		destroy(s);
}

/* Reports the end, unless the owner has let go already. */
static void ended(struct signalling *s, int err, int status, const char *why)
{
	s->ws = NULL;
	s->closing = true;
	s->ops.on_close(s->arg, err, status, why);
	if (!s->depth)
		destroy(s);
}

static void stalled(void *arg)
{
	struct signalling *s = arg;

	ws_close(s->ws, 0);
	ended(s, ERR_STALLED, 0, "signalling is silent");
}

static void send_ping(void *arg)
{
	struct signalling *s = arg;
	Livekit__Ping ping = LIVEKIT__PING__INIT;
	Livekit__SignalRequest m = LIVEKIT__SIGNAL_REQUEST__INIT;

	ping.timestamp = clock_wall_ms();
	ping.rtt = s->rtt_ms;
	m.message_case = LIVEKIT__SIGNAL_REQUEST__MESSAGE_PING_REQ;
	m.ping_req = &ping;
	(void)signal_send(s, &m);
	timer_start(&s->ping, s->interval_ms);
}

void signal_keepalive(struct signalling *s, int interval_ms, int timeout_ms)
{
	ON_LOOP();
	timer_stop(&s->ping);
	timer_stop(&s->pong);
	if (interval_ms <= 0 || s->closing)
		return;
	s->interval_ms = interval_ms;
	s->timeout_ms = timeout_ms > interval_ms ? timeout_ms : 3 * interval_ms;
	timer_start(&s->ping, s->interval_ms);
	timer_start(&s->pong, s->timeout_ms);
}

static void on_pong(struct signalling *s, const Livekit__Pong *pong)
{
	int64_t rtt_ms = clock_wall_ms() - pong->last_ping_timestamp;

	s->rtt_ms = rtt_ms >= 0 && rtt_ms < 60000 ? rtt_ms : 0;
	if (timer_active(&s->pong))
		timer_start(&s->pong, s->timeout_ms);
}

int signal_send(struct signalling *s, const Livekit__SignalRequest *m)
{
	ON_LOOP();
	struct buf b = { 0 };

	if (s->closing)
		return ERR_CLOSED;
	proto_pack(&b, m);
	int r = ws_send(s->ws, b.p, b.len, false);
	buf_free(&b);
	return r;
}

static void on_open(void *arg)
{
	struct signalling *s = arg;

	timer_start(&s->first, FIRST_MESSAGE_MS);
}

static void on_message(void *arg, const uint8_t *p, size_t n, bool text)
{
	struct signalling *s = arg;
	Livekit__SignalResponse *m =
		text ? NULL : livekit__signal_response__unpack(NULL, n, p);

	if (!m)
		return;
	timer_stop(&s->first);
	s->depth++;
	if (m->message_case == LIVEKIT__SIGNAL_RESPONSE__MESSAGE_PONG_RESP)
		on_pong(s, m->pong_resp);
	else
		s->ops.on_message(s->arg, m);
	livekit__signal_response__free_unpacked(m, NULL);
	if (!--s->depth && s->closing)
		destroy(s);
}

static void on_close(void *arg, int err, int status, const char *reason)
{
	ended(arg, err, status, reason ? reason : "");
}

static int join_url(struct buf *out, const char *base,
		    const Livekit__JoinRequest *req)
{
	int r = address_ws(out, base, "/rtc/v1?join_request=");

	if (r < 0)
		return r;
	signal_wrap(out, req);
	return out->len > MAX_URL ? -EMSGSIZE : 0;
}

int signal_open(struct signalling **ret_sig, struct loop *l, const char *base,
		const char *token, const Livekit__JoinRequest *req,
		const struct signal_ops *ops, void *arg)
{
	static const struct ws_ops ws_ops = { on_open, on_message, on_close };
	struct clock *clock = loop_clock(l);
	struct buf url = { 0 };

	ON_LOOP();
	struct signalling *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->loop = l;
	s->ops = *ops;
	s->arg = arg;
	timer_init(&s->first, clock, stalled, s);
	timer_init(&s->ping, clock, send_ping, s);
	timer_init(&s->pong, clock, stalled, s);
	char *auth = str_printf("Authorization: Bearer %s", token);
	const char *headers[] = { auth, NULL };
	int r = join_url(&url, base, req);
	if (r >= 0) {
		struct ws_cfg cfg = { .url = buf_str(&url), .headers = headers };
		r = ws_open(&s->ws, l, &cfg, &ws_ops, s);
	}
	free(auth);
	buf_free(&url);
	if (r < 0) {
		destroy(s);
		return r;
	}
	*ret_sig = s;
	return 0;
}
