/*
 * The server API: Twirp over JSON. One short-lived token a request, with no
 * more grant than it needs. On the loop.
 *
 * A room that exists nowhere is answered by a cluster with 503 after a while
 * as often as with 404: where "it is gone" is what the caller wants to know,
 * a second 503 counts as that.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/thread.h"
#include "livekit/address_int.h"
#include "livekit/livekit.h"

#define TOKEN_TTL_S 120
#define REQUEST_MS 10000
#define RETRY_GONE_MS 250
#define SLACK_MS 5000         /* over what the server may take itself */
#define LEAST_RING_MS 35000   /* its own limit is 30 s when we give none */
#define DIAL_RING_S 30
#define TRANSFER_RING_S 40

struct lk_call {
	struct lk_call *next;
	struct lk_api *api;
	struct http *http;
	struct timer later;    /* a retry, or a failure to be told */
	char *url, *token, *body;
	int limit_ms;
	bool may_be_gone;      /* 404 and 503 mean "no such thing" */
	bool retried;
	int start_err;
	lk_result_h *fn;
	void *arg;
};

struct lk_api {
	struct loop *loop;
	const struct lk_account *acc;
	struct lk_call *calls;
};

static void forget(struct lk_call *c)
{
	struct lk_call **at = &c->api->calls;

	while (*at && *at != c)
		at = &(*at)->next;
	if (*at)
		*at = c->next;
	timer_stop(&c->later);
	free(c->url);
	free(c->token);
	free(c->body);
	free(c);
}

static void report(struct lk_call *c, const struct lk_result *res)
{
	lk_result_h *fn = c->fn;
	void *arg = c->arg;

	/* before fn: it may close the api */
	forget(c);
	if (fn)
		fn(arg, res);
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

/* meta's values are strings, whatever they mean. */
static int sip_status(const cJSON *meta)
{
	const char *text = json_str(meta, "sip_status_code");
	long code = text ? strtol(text, NULL, 10) : 0;

	return code >= 100 && code < 700 ? (int)code : 0;
}

static int result_err(const struct lk_call *c, long status)
{
	if (status == 404 || (status == 503 && c->may_be_gone))
		return -ENOENT;
	if (status == 408)
		return -ETIMEDOUT;
	return err_from_http(status);
}

static void on_done(void *arg, int err, long status, const char *body, size_t n)
{
	struct lk_call *c = arg;

	c->http = NULL;
	if (!err && status == 503 && c->may_be_gone && !c->retried) {
		c->retried = true;
		timer_start(&c->later, RETRY_GONE_MS);
		return;
	}
	cJSON *json = body ? json_parse(body, n) : NULL;
	const cJSON *meta = json_get(json, "meta");
	struct lk_result res = {
		.err = err ? err : result_err(c, status),
		.code = or_empty(json_str(json, "code")),
		.message = or_empty(json_str(json, "msg")),
		.sip_status = sip_status(meta),
		.sip_text = or_empty(json_str(meta, "sip_status")),
	};
	if (!res.err && !json)
		res.err = ERR_PROTOCOL;
	if (!res.err) {
		res.code = res.message = res.sip_text = "";
		res.sip_status = 0;
		res.body = json;
	}
	report(c, &res);
	cJSON_Delete(json);
}

static void start(struct lk_call *c)
{
	static const struct http_ops ops = { .on_done = on_done };
	char *auth = str_printf("Authorization: Bearer %s", c->token);
	const char *headers[] = { auth, "Content-Type: application/json", NULL };
	struct http_cfg cfg = {
		.method = "POST", .url = c->url, .headers = headers,
		.body = c->body, .body_len = strlen(c->body),
		.first_byte_ms = c->limit_ms, .total_ms = c->limit_ms,
	};

	int r = http_start(&c->http, c->api->loop, &cfg, &ops, c);
	free(auth);
	if (r < 0) {
		c->start_err = r;
		timer_start(&c->later, 0);
	}
}

static void on_later(void *arg)
{
	struct lk_call *c = arg;

	if (!c->start_err) {
		start(c);
		return;
	}
	struct lk_result res = { .err = c->start_err, .code = "",
				 .message = "request could not start",
				 .sip_text = "" };
	report(c, &res);
}

/* body is taken. */
static struct lk_call *request(struct lk_api *api, const char *method,
			       const struct lk_grant *grant, cJSON *body,
			       lk_result_h *fn, void *arg)
{
	struct lk_call *c = calloc(1, sizeof *c);
	char *path = str_printf("/twirp/livekit.%s", method);
	struct lk_grant g = *grant;
	struct buf url = { 0 };

	ON_LOOP();
	if (!c || !body)
		abort();
	g.ttl_s = TOKEN_TTL_S;
	c->api = api;
	c->fn = fn;
	c->arg = arg;
	c->limit_ms = REQUEST_MS;
	c->start_err = address_http(&url, api->acc->url, path);
	c->url = buf_take(&url);
	c->token = lk_token(api->acc, &g, clock_wall_ms() / 1000);
	c->body = json_text(body);
	c->next = api->calls;
	api->calls = c;
	timer_init(&c->later, loop_clock(api->loop), on_later, c);
	timer_start(&c->later, 0); /* the caller may still set limits */
	cJSON_Delete(body);
	free(path);
	return c;
}

static cJSON *object(const char *key, const char *value)
{
	cJSON *o = cJSON_CreateObject();

	if (!cJSON_AddStringToObject(o, key, value))
		abort();
	return o;
}

static void add_text(cJSON *o, const char *key, const char *value)
{
	if (value && !cJSON_AddStringToObject(o, key, value))
		abort();
}

static void add_seconds(cJSON *o, const char *key, int s)
{
	char text[16];

	snprintf(text, sizeof text, "%ds", s);
	add_text(o, key, text);
}

static struct lk_grant admin_of(const char *room)
{
	return (struct lk_grant){ .room = room, .room_admin = true };
}

struct lk_call *lk_create_dispatch(struct lk_api *api, const char *room,
		const char *agent, const char *metadata, lk_result_h *fn, void *arg)
{
	struct lk_grant g = admin_of(room);
	cJSON *body = object("room", room);

	add_text(body, "agent_name", agent);
	add_text(body, "metadata", metadata);
	return request(api, "AgentDispatchService/CreateDispatch", &g, body, fn,
		       arg);
}

struct lk_call *lk_remove_participant(struct lk_api *api, const char *room,
		const char *identity, lk_result_h *fn, void *arg)
{
	struct lk_grant g = admin_of(room);
	cJSON *body = object("room", room);

	add_text(body, "identity", identity);
	struct lk_call *c = request(api, "RoomService/RemoveParticipant", &g,
				    body, fn, arg);
	c->may_be_gone = true;
	return c;
}

struct lk_call *lk_delete_room(struct lk_api *api, const char *room,
		lk_result_h *fn, void *arg)
{
	struct lk_grant g = { .room = room, .room_create = true };
	struct lk_call *c = request(api, "RoomService/DeleteRoom", &g,
				    object("room", room), fn, arg);

	c->may_be_gone = true;
	return c;
}

struct lk_call *lk_list_participants(struct lk_api *api, const char *room,
		lk_result_h *fn, void *arg)
{
	struct lk_grant g = admin_of(room);
	struct lk_call *c = request(api, "RoomService/ListParticipants", &g,
				    object("room", room), fn, arg);

	c->may_be_gone = true;
	return c;
}

/* We must not give up before the server does: the phone would go on ringing. */
static int ring_limit_ms(int ring_s)
{
	int ms = 1000 * ring_s + SLACK_MS;

	return ms > LEAST_RING_MS ? ms : LEAST_RING_MS;
}

struct lk_call *lk_transfer_sip(struct lk_api *api, const char *room,
		const char *identity, const char *to, int ring_s, bool dialtone,
		lk_result_h *fn, void *arg)
{
	struct lk_grant g = admin_of(room);
	cJSON *body = object("room_name", room);

	g.sip_call = true;
	if (ring_s <= 0)
		ring_s = TRANSFER_RING_S;
	add_text(body, "participant_identity", identity);
	add_text(body, "transfer_to", to);
	add_seconds(body, "ringing_timeout", ring_s);
	cJSON_AddBoolToObject(body, "play_dialtone", dialtone);
	struct lk_call *c = request(api, "SIP/TransferSIPParticipant", &g, body,
				    fn, arg);
	c->limit_ms = ring_limit_ms(ring_s);
	return c;
}

struct lk_call *lk_dial_sip(struct lk_api *api, const struct lk_dial *d,
		lk_result_h *fn, void *arg)
{
	struct lk_grant g = { .sip_call = true };
	int ring_s = d->ring_s > 0 ? d->ring_s : DIAL_RING_S;
	cJSON *body = object("room_name", d->room);

	add_text(body, "sip_trunk_id", d->trunk_id);
	add_text(body, "sip_call_to", d->to);
	add_text(body, "sip_number", d->from);
	add_text(body, "participant_identity", d->identity);
	add_text(body, "participant_name", d->name);
	add_text(body, "dtmf", d->dtmf);
	add_seconds(body, "ringing_timeout", ring_s);
	cJSON_AddBoolToObject(body, "wait_until_answered", d->wait);
	if (d->attributes && d->attributes->key) {
		cJSON *attrs = cJSON_AddObjectToObject(body,
						"participant_attributes");
		for (const struct lk_pair *a = d->attributes; a->key; a++)
			add_text(attrs, a->key, or_empty(a->value));
	}
	struct lk_call *c = request(api, "SIP/CreateSIPParticipant", &g, body,
				    fn, arg);
	c->limit_ms = d->wait ? ring_limit_ms(ring_s) : LEAST_RING_MS;
	return c;
}

void lk_api_cancel(struct lk_call *c)
{
	ON_LOOP();
	if (!c)
		return;
	http_cancel(c->http);
	forget(c);
}

int lk_api_create(struct lk_api **ret_api, struct loop *l,
		  const struct lk_account *acc)
{
	ON_LOOP();
	struct lk_api *api = calloc(1, sizeof *api);

	if (!api)
		return -ENOMEM;
	assert(acc->api_key && acc->api_secret);
	api->loop = l;
	api->acc = acc;
	*ret_api = api;
	return 0;
}

void lk_api_close(struct lk_api *api)
{
	ON_LOOP();
	while (api && api->calls)
		lk_api_cancel(api->calls);
	free(api);
}
