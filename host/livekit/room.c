/*
 * The room's life: made, held while it calls back, ended once, freed. On the
 * loop; room_send_audio() is in room_media.c.
 */
#include "livekit/room_int.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"

#define GIVE_UP_MS 60000

static void destroy(struct room *r)
{
	assert(!r->m.peer && !r->sig);
	participants_finish(&r->who);
	text_inbox_finish(&r->inbox);
	text_orphan(r);
	dtmf_finish(r);
	attributes_finish(r);
	data_finish(r);
	for (size_t i = 0; i < r->n_urls; i++)
		free(r->urls[i]);
	free(r->listen);
	free(r->listen_sid);
	free(r->m.track_sid);
	free(r->track_name);
	free(r->ca_file);
	free(r->token);
	free(r->name);
	free(r->identity);
	free(r->sid);
	free(r);
}

void room_hold(struct room *r)
{
	r->depth++;
}

void room_release(struct room *r)
{
	assert(r->depth > 0);
	if (!--r->depth && r->closing)
		destroy(r);
}

bool room_alive(const struct room *r)
{
	return r->phase < PHASE_LEAVING;
}

void room_tell_link(struct room *r, enum room_link link)
{
	assert(r->depth > 0);
	if (room_alive(r) && r->ops.on_link)
		r->ops.on_link(r->arg, link);
}

static void shut(struct room *r)
{
	r->phase = PHASE_ENDED;
	link_stop(r);
	timer_stop(&r->say_timer);
	timer_stop(&r->key_timer);
	room_media_stop(r);
}

void room_finish(struct room *r, enum room_end end, const char *why)
{
	assert(r->depth > 0);
	if (r->phase == PHASE_ENDED)
		return;
	/* why may live in a message or a socket that goes now */
	char *kept = str_dup(why);
	shut(r);
	if (r->ops.on_end)
		r->ops.on_end(r->arg, end, kept);
	free(kept);
}

static void on_participant(void *arg, const struct room_participant *p,
			   enum room_change change)
{
	struct room *r = arg;

	if (change == ROOM_P_LEFT)
		text_inbox_left(&r->inbox, p->sid);
	if (room_alive(r) && r->ops.on_participant)
		r->ops.on_participant(r->arg, p, change);
}

static struct room *make(struct loop *l, struct media *m,
			 const struct room_cfg *cfg, const struct room_ops *ops,
			 void *arg)
{
	struct room *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->loop = l;
	r->media = m;
	r->ops = *ops;
	r->arg = arg;
	r->track_name = str_dup(cfg->track_name);
	r->ca_file = str_dup(cfg->ca_file);
	r->no_udp = cfg->no_udp;
	r->relay_only = cfg->relay_only;
	r->loopback = cfg->loopback;
	r->give_up_ms = cfg->give_up_ms > 0 ? cfg->give_up_ms : GIVE_UP_MS;
	r->token = str_dup(cfg->token);
	r->m.track_sid = str_dup("");
	r->sid = str_dup("");
	participants_init(&r->who, on_participant, r);
	text_inbox_init(&r->inbox, data_on_text, r);
	room_media_init(r);
	attributes_init(r);
	dtmf_init(r);
	link_init(r);
	join_read_token(r);
	return r;
}

int room_join(struct room **ret_room, struct loop *l, struct media *m,
	      const struct room_cfg *cfg, const struct room_ops *ops, void *arg)
{
	ON_LOOP();
	struct url url;

	if (str_blank(cfg->token) || !cfg->url || url_parse(&url, cfg->url) < 0)
		return ERR_CONFIG;
	struct room *r = make(l, m, cfg, ops, arg);
	if (!r)
		return -ENOMEM;
	link_prefer_url(r, cfg->url);
	int err = room_media_start(r);
	if (err < 0) {
		room_close(r);
		return err;
	}
	link_start(r);
	*ret_room = r;
	return 0;
}

void room_close(struct room *r)
{
	ON_LOOP();
	if (!r)
		return;
	room_hold(r);
	if (room_alive(r))
		room_leave(r, LIVEKIT__DISCONNECT_REASON__CLIENT_INITIATED);
	if (r->phase != PHASE_ENDED)
		shut(r);
	r->closing = true;
	room_release(r);
}

const char *room_name(const struct room *r)
{
	return r->name;
}

const char *room_identity(const struct room *r)
{
	return r->identity;
}

const char *room_track_sid(const struct room *r)
{
	return r->m.track_sid;
}

const char *room_token(const struct room *r)
{
	return r->token;
}

const struct room_participant *room_find(const struct room *r,
					 const char *identity)
{
	const struct participant *p = participants_find(&r->who, identity);

	return p ? &p->pub : NULL;
}

void room_stats(struct room *r, struct rtc_stats *out)
{
	*out = (struct rtc_stats){ 0 };
	if (r->m.peer)
		rtc_peer_stats(r->m.peer, out);
}

void room_test_cut(struct room *r, bool full_rejoin)
{
	ON_LOOP();
	room_hold(r);
	if (full_rejoin)
		link_rejoin(r);
	else
		link_resume(r);
	room_release(r);
}
