/*
 * The phone leg: ringing it, ending it, handing it to somebody else. Leaving
 * the room does not end a phone call; removing its participant does. On the
 * loop.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "call/call_int.h"

struct hang_up { /* outlives its call: the server must be told */
	struct call_host *host;
	char *id;
};

static void removed(void *arg, const struct lk_result *res)
{
	struct hang_up *up = arg;
	struct call_host *h = up->host;

	/* gone already is what we want */
	if (res->err < 0 && res->err != -ENOENT)
		log_event(LOG_WARN, "leg.not_ended", LOG_STR("call", up->id),
			  LOG_ERR("why", res->err),
			  LOG_STR("detail", res->message));
	free(up->id);
	free(up);
	assert(h->n_open > 0);
	h->n_open--;
	if (h->on_gone)
		h->on_gone(h->arg);
}

void leg_hang_up(struct call *c)
{
	if (!c->caller || !c->host->api)
		return;
	struct hang_up *up = calloc(1, sizeof *up);
	if (!up)
		abort();
	up->host = c->host;
	up->id = str_dup(c->id);
	c->host->n_open++;
	lk_remove_participant(c->host->api, c->room_name, c->caller, removed,
			      up);
}

/* ---- an outbound leg ---------------------------------------------------------- */

static void dialled(void *arg, const struct lk_result *res)
{
	struct call *c = arg;

	c->dial_req = NULL;
	if (res->err >= 0)
		return; /* it rings; sip.callStatus tells when it is active */
	log_event(LOG_WARN, "leg.not_dialled", LOG_STR("call", c->id),
		  LOG_ERR("why", res->err),
		  LOG_INT("sip_status", res->sip_status),
		  LOG_STR("detail", res->message));
	call_finish(c, CALL_END_NO_CALLER);
}

/* The job's metadata asks for a phone to be rung:
 * {"dial":{"to":"+92...","trunk":"ST_...","from":"+92..."}} */
void leg_dial(struct call *c)
{
	cJSON *meta = cJSON_Parse(c->metadata ? c->metadata : "");
	const cJSON *dial = json_get(meta, "dial");
	struct lk_dial d = {
		.trunk_id = json_str(dial, "trunk"),
		.to = json_str(dial, "to"),
		.from = json_str(dial, "from"),
		.room = c->room_name,
		.identity = "callee",
		.name = "Callee",
	};

	if (dial && !c->caller && !c->dialled) {
		c->dialled = true;
		if (d.to && d.trunk_id)
			c->dial_req = lk_dial_sip(c->host->api, &d, dialled, c);
		else
			log_event(LOG_WARN, "leg.not_dialled",
				  LOG_STR("call", c->id),
				  LOG_STR("detail", "dial wants to and trunk"));
	}
	cJSON_Delete(meta);
}

/* ---- transfer ---------------------------------------------------------------------- */

static void transfer_end(struct call *c, int err, int sip_status)
{
	call_transfer_h *fn = c->transfer_fn;

	assert(c->transfer_to);
	c->transfer_req = NULL;
	c->transfer_fn = NULL;
	str_set(&c->transfer_to, NULL);
	if (fn)
		fn(c->transfer_arg, err, sip_status);
	if (err == 0)
		call_finish(c, CALL_END_TRANSFERRED);
	else
		call_busy_check(c);
}

static void transferred(void *arg, const struct lk_result *res)
{
	struct call *c = arg;

	if (res->err < 0)
		log_event(LOG_WARN, "leg.transfer_failed", LOG_STR("call", c->id),
			  LOG_ERR("why", res->err),
			  LOG_INT("sip_status", res->sip_status),
			  LOG_STR("detail", res->message));
	transfer_end(c, res->err, res->sip_status);
}

void leg_transfer_start(struct call *c)
{
	if (c->transfer_req || !c->transfer_to)
		return;
	struct buf to = { 0 };

	if (!str_has_prefix(c->transfer_to, "sip:") &&
	    !str_has_prefix(c->transfer_to, "tel:"))
		buf_puts(&to, "tel:");
	buf_puts(&to, c->transfer_to);
	c->transfer_req = lk_transfer_sip(c->host->api, c->room_name, c->caller,
					  buf_str(&to), 0, true, transferred, c);
	buf_free(&to);
}

int call_transfer(struct call *c, const char *to, call_transfer_h *fn,
		  void *arg)
{
	ON_LOOP();
	if (c->ended)
		return ERR_GONE;
	if (!c->caller || c->caller_kind != LK_SIP || c->transfer_to ||
	    str_blank(to))
		return ERR_REQUEST;
	c->transfer_fn = fn;
	c->transfer_arg = arg;
	c->transfer_to = str_dup(to);
	call_busy_check(c);
	if (!speech_busy(c->speech) && !speech_sounding(c->speech))
		leg_transfer_start(c);
	return 0;
}

void call_transfer_forget(struct call *c)
{
	c->transfer_fn = NULL;
}

void leg_finish(struct call *c)
{
	lk_api_cancel(c->transfer_req);
	lk_api_cancel(c->dial_req);
	c->dial_req = NULL;
	c->transfer_req = NULL;
	str_set(&c->transfer_to, NULL);
}
