/*
 * What we say when we come in (the one-shot join request with track and
 * offer, or the request to resume) and what we repeat after a resume. On the
 * loop.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "livekit/room_int.h"

/* From 18 on the server expects data channels with fixed ids, which servers
 * at 17 know nothing of; in-band opening at 17 works on both. */
#define SIGNAL_PROTOCOL 17

void join_read_token(struct room *r)
{
	const char *dot = strchr(r->token, '.');
	struct buf b = { 0 };

	if (dot) {
		size_t n = strcspn(dot + 1, ".");
		char *part = str_printf("%.*s", (int)n, dot + 1);
		(void)base64_decode(&b, part);
		free(part);
	}
	cJSON *claims = json_parse(buf_str(&b), b.len);
	const char *identity = json_str(claims, "sub");
	const char *room = json_str(json_get(claims, "video"), "room");
	str_set(&r->identity, identity ? identity : "");
	str_set(&r->name, room ? room : "");
	cJSON_Delete(claims);
	buf_free(&b);
}

static void client_info(Livekit__ClientInfo *ci)
{
	/* SDK unknown: no codec rewriting, ICE/TCP stays available */
	ci->sdk = LIVEKIT__CLIENT_INFO__SDK__UNKNOWN;
	ci->version = FD_VERSION;
	ci->protocol = SIGNAL_PROTOCOL;
	ci->os = "linux";
	ci->client_protocol = 0;
}

static void add_track(const struct room *r, Livekit__AddTrackRequest *t,
		      Livekit__AudioTrackFeature *no_dtx)
{
	*no_dtx = LIVEKIT__AUDIO_TRACK_FEATURE__TF_NO_DTX;
	t->cid = r->m.cid;
	t->name = r->track_name;
	t->type = LIVEKIT__TRACK_TYPE__AUDIO;
	t->source = LIVEKIT__TRACK_SOURCE__MICROPHONE;
	t->disable_red = true;
	t->stream = r->m.stream_id;
	t->n_audio_features = 1;
	t->audio_features = no_dtx;
}

static char *without_candidates(const char *sdp)
{
	struct buf b = { 0 };

	while (*sdp) {
		size_t n = strcspn(sdp, "\n");
		n += sdp[n] == '\n';
		if (strncmp(sdp, "a=candidate:", 12) != 0)
			buf_add(&b, sdp, n);
		sdp += n;
	}
	return buf_take(&b);
}

int join_open(struct room *r, bool reconnect, const struct signal_ops *ops)
{
	Livekit__ClientInfo ci = LIVEKIT__CLIENT_INFO__INIT;
	Livekit__ConnectionSettings settings = LIVEKIT__CONNECTION_SETTINGS__INIT;
	Livekit__AddTrackRequest track = LIVEKIT__ADD_TRACK_REQUEST__INIT;
	Livekit__AddTrackRequest *tracks[] = { &track };
	Livekit__AudioTrackFeature no_dtx;
	Livekit__SessionDescription offer = LIVEKIT__SESSION_DESCRIPTION__INIT;
	Livekit__JoinRequest req = LIVEKIT__JOIN_REQUEST__INIT;

	client_info(&ci);
	req.client_info = &ci;
	/* every camera would force a section on us: audio is asked for by hand */
	settings.auto_subscribe = false;
	req.connection_settings = &settings;
	if (reconnect) {
		req.reconnect = true;
		req.reconnect_reason = room_media_healthy(r) ?
			LIVEKIT__RECONNECT_REASON__RR_SIGNAL_DISCONNECTED :
			LIVEKIT__RECONNECT_REASON__RR_PUBLISHER_FAILED;
		req.participant_sid = r->sid;
	} else {
		offer.type = "offer";
		offer.sdp = r->m.first_offer;
		offer.id = r->m.offer_id;
		req.publisher_offer = &offer;
		add_track(r, &track, &no_dtx);
		req.n_add_track_requests = r->track_name ? 1 : 0;
		req.add_track_requests = tracks;
	}
	int err = signal_open(&r->sig, r->loop, r->urls[r->url_at], r->token,
			      &req, ops, r);
	if (err != -EMSGSIZE || reconnect)
		return err;
	/* many addresses here: they follow by trickle, once we are in */
	offer.sdp = without_candidates(r->m.first_offer);
	r->m.trickle_first = true;
	err = signal_open(&r->sig, r->loop, r->urls[r->url_at], r->token, &req,
			  ops, r);
	free(offer.sdp);
	return err;
}

/* The ids our peer gave its channels: odd as DTLS server, which it is unless
 * the other side answered as passive (RFC 8832, section 6). */
static void channels(const struct room *r, Livekit__DataChannelInfo *reliable,
		     Livekit__DataChannelInfo *lossy)
{
	bool client = r->m.answer && strstr(r->m.answer, "a=setup:passive");

	reliable->label = "_reliable";
	reliable->id = client ? 0 : 1;
	lossy->label = "_lossy";
	lossy->id = client ? 2 : 3;
}

static Livekit__DataChannelReceiveState *receive_states(const struct room *r)
{
	size_t n = r->data.n_heard;
	Livekit__DataChannelReceiveState *s = calloc(n + 1, sizeof *s);

	if (!s)
		abort();
	for (size_t i = 0; i < n; i++) {
		livekit__data_channel_receive_state__init(&s[i]);
		s[i].publisher_sid = r->data.heard[i].sid;
		s[i].last_seq = r->data.heard[i].sequence;
	}
	return s;
}

static void send_sync_state(struct room *r, Livekit__SyncState *sync)
{
	size_t n = r->data.n_heard;
	Livekit__DataChannelReceiveState *states = receive_states(r);
	Livekit__DataChannelReceiveState **ptrs = calloc(n + 1, sizeof *ptrs);
	Livekit__DataChannelInfo ch[2] = { LIVEKIT__DATA_CHANNEL_INFO__INIT,
					   LIVEKIT__DATA_CHANNEL_INFO__INIT };
	Livekit__DataChannelInfo *chs[] = { &ch[0], &ch[1] };
	Livekit__SignalRequest m = LIVEKIT__SIGNAL_REQUEST__INIT;

	if (!ptrs)
		abort();
	for (size_t i = 0; i < n; i++)
		ptrs[i] = &states[i];
	channels(r, &ch[0], &ch[1]);
	sync->n_datachannel_receive_states = n;
	sync->datachannel_receive_states = ptrs;
	sync->n_data_channels = 2;
	sync->data_channels = chs;
	m.message_case = LIVEKIT__SIGNAL_REQUEST__MESSAGE_SYNC_STATE;
	m.sync_state = sync;
	link_send(r, &m);
	free(ptrs);
	free(states);
}

void join_sync_state(struct room *r)
{
	Livekit__SyncState sync = LIVEKIT__SYNC_STATE__INIT;
	Livekit__SessionDescription offer = LIVEKIT__SESSION_DESCRIPTION__INIT;
	Livekit__SessionDescription answer = LIVEKIT__SESSION_DESCRIPTION__INIT;
	Livekit__UpdateSubscription sub = LIVEKIT__UPDATE_SUBSCRIPTION__INIT;
	Livekit__TrackPublishedResponse *pub =
		livekit__track_published_response__unpack(
			NULL, r->m.published.len, r->m.published.p);

	offer.type = "offer";
	offer.sdp = r->m.offer;
	offer.id = r->m.answer_id;
	answer.type = "answer";
	answer.sdp = r->m.answer;
	answer.id = r->m.answer_id;
	if (r->m.offer && r->m.answer) {
		sync.offer = &offer;
		sync.answer = &answer;
	}
	sub.subscribe = true;
	if (r->listen_sid) {
		sub.n_track_sids = 1;
		sub.track_sids = &r->listen_sid;
	}
	sync.subscription = &sub;
	if (pub && !str_blank(pub->cid)) {
		sync.n_publish_tracks = 1;
		sync.publish_tracks = &pub;
	}
	send_sync_state(r, &sync);
	if (pub)
		livekit__track_published_response__free_unpacked(pub, NULL);
}
