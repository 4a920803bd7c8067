/*
 * One agent name on one socket: connects, registers, and comes back for ever
 * after a loss, with growing and jittered pauses. On the loop. Losing it does
 * not touch calls: the rooms have sockets of their own.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "livekit/address_int.h"
#include "livekit/worker_int.h"

#define REGISTER_ANSWER_MS 10000
#define RETRY_STEP_MS 2000
#define RETRY_MAX_MS 10000
#define RETRY_REFUSED_MS 30000
#define STABLE_MS 10000       /* registered this long: count attempts anew */
#define TOKEN_TTL_S 3600

/* Between half of full_ms and all of it, so that workers which lost the same
 * server do not come back in step. */
static int64_t jittered(int64_t full_ms)
{
	uint32_t r;

	random_bytes(&r, sizeof r);
	return full_ms / 2 + (int64_t)(r % (uint32_t)(full_ms / 2 + 1));
}

static int64_t retry_ms(const struct worker_conn *c)
{
	if (c->state == CONN_REFUSED)
		return jittered(RETRY_REFUSED_MS);
	int64_t full_ms = (int64_t)RETRY_STEP_MS * (c->attempt ? c->attempt : 1);
	return jittered(full_ms < RETRY_MAX_MS ? full_ms : RETRY_MAX_MS);
}

/* The socket is gone (or never was): say so and wait. */
static void lost(struct worker_conn *c, int err, bool refused, const char *why)
{
	struct worker *w = c->w;
	struct clock *clock = loop_clock(w->loop);

	if (c->state == CONN_REGISTERED &&
	    clock_now_ms(clock) - c->since_ms >= STABLE_MS)
		c->attempt = 0;
	c->ws = NULL;
	c->attempt++;
	c->state = refused ? CONN_REFUSED : CONN_LOST;
	timer_stop(&c->answer);
	timer_start(&c->retry, retry_ms(c));
	worker_hold(w);
	worker_conn_changed(w, err, why);
	worker_release(w);
}

static void drop(struct worker_conn *c, int err, const char *why)
{
	ws_close(c->ws, 1000);
	lost(c, err, false, why);
}

static void send_now(struct worker_conn *c, const Livekit__WorkerMessage *m)
{
	struct buf b = { 0 };

	proto_pack(&b, m);
	/* An error here means the socket is about to report its end. */
	(void)ws_send(c->ws, b.p, b.len, false);
	buf_free(&b);
}

bool worker_conn_send(struct worker_conn *c, const Livekit__WorkerMessage *m)
{
	if (c->state != CONN_REGISTERED)
		return false;
	send_now(c, m);
	return true;
}

static void on_open(void *arg)
{
	struct worker_conn *c = arg;
	Livekit__ParticipantPermission can = LIVEKIT__PARTICIPANT_PERMISSION__INIT;
	Livekit__RegisterWorkerRequest reg = LIVEKIT__REGISTER_WORKER_REQUEST__INIT;
	Livekit__WorkerMessage m = LIVEKIT__WORKER_MESSAGE__INIT;

	/* When the message is there, every flag left out means "no". */
	can.can_subscribe = true;
	can.can_publish = true;
	can.can_publish_data = true;
	can.can_update_metadata = true;
	can.agent = true;
	reg.type = LIVEKIT__JOB_TYPE__JT_ROOM;
	reg.version = c->w->version;
	reg.agent_name = c->name;
	reg.allowed_permissions = &can;
	m.message_case = LIVEKIT__WORKER_MESSAGE__MESSAGE_REGISTER;
	m.register_ = &reg;
	send_now(c, &m);
	timer_start(&c->answer, REGISTER_ANSWER_MS);
}

static void no_answer(void *arg)
{
	drop(arg, -ETIMEDOUT, "no answer to register");
}

static void registered(struct worker_conn *c)
{
	struct worker *w = c->w;

	timer_stop(&c->answer);
	c->state = CONN_REGISTERED;
	c->since_ms = clock_now_ms(loop_clock(w->loop));
	c->seq = 0;
	worker_hold(w);
	worker_conn_registered(w, c);
	worker_conn_changed(w, 0, "");
	worker_release(w);
}

static void on_message(void *arg, const uint8_t *p, size_t n, bool text)
{
	struct worker_conn *c = arg;
	Livekit__ServerMessage *m =
		text ? NULL : livekit__server_message__unpack(NULL, n, p);

	if (!m)
		return; /* we speak binary only; what we cannot read is new */
	switch (m->message_case) {
	case LIVEKIT__SERVER_MESSAGE__MESSAGE_REGISTER:
		if (c->state != CONN_REGISTERED)
			registered(c);
		break;
	case LIVEKIT__SERVER_MESSAGE__MESSAGE_GO_AWAY:
		drop(c, ERR_CLOSED, "server goes away");
		break;
	default:
		worker_hold(c->w);
		worker_on_message(c->w, c, m);
		worker_release(c->w);
	}
	livekit__server_message__free_unpacked(m, NULL);
}

static void on_close(void *arg, int err, int status, const char *reason)
{
	struct worker_conn *c = arg;
	bool refused = status == 401 || status == 403;

	if (refused)
		err = ERR_AUTH;
	lost(c, err ? err : ERR_CLOSED, refused, reason ? reason : "");
}

static void connect_now(void *arg)
{
	static const struct ws_ops ops = { on_open, on_message, on_close };
	struct worker_conn *c = arg;
	struct worker *w = c->w;
	struct lk_account acc = { w->url, w->key, w->secret };
	struct lk_grant grant = { .agent = true, .ttl_s = TOKEN_TTL_S };
	struct buf url = { 0 };

	assert(!c->ws);
	char *token = lk_token(&acc, &grant, clock_wall_ms() / 1000);
	char *auth = str_printf("Authorization: Bearer %s", token);
	const char *headers[] = { auth, NULL };
	int r = address_ws(&url, w->url, "/agent?protocol=1");
	if (r >= 0) {
		struct ws_cfg cfg = { .url = buf_str(&url), .headers = headers };
		c->state = CONN_CONNECTING;
		r = ws_open(&c->ws, w->loop, &cfg, &ops, c);
	}
	buf_free(&url);
	free(auth);
	free(token);
	if (r < 0)
		lost(c, r, false, "cannot connect");
}

void worker_conn_start(struct worker_conn *c)
{
	/* from the loop: no callback runs inside worker_create() */
	timer_start(&c->retry, 0);
}

void worker_conn_init(struct worker_conn *c, struct worker *w, const char *name)
{
	struct clock *clock = loop_clock(w->loop);

	*c = (struct worker_conn){ .w = w, .name = str_dup(name) };
	timer_init(&c->retry, clock, connect_now, c);
	timer_init(&c->answer, clock, no_answer, c);
}

void worker_conn_finish(struct worker_conn *c)
{
	timer_stop(&c->retry);
	timer_stop(&c->answer);
	ws_close(c->ws, 1000);
	c->ws = NULL;
	free(c->name);
	c->name = NULL;
}
