/* A room over fake sockets and peers, and a server played by the test. */
#ifndef FD_FAKE_ROOM_H
#define FD_FAKE_ROOM_H

#include "fake_net.h"

#include <zlib.h>

#include "livekit/room_int.h"

static char trail[4096]; /* what was called back, in order */
static struct room *room;
static bool close_on_link, close_on_text;
static size_t n_rtp;

__attribute__((format(printf, 1, 2)))
static inline void note(const char *fmt, ...)
{
	size_t n = strlen(trail);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(trail + n, sizeof trail - n, fmt, ap);
	va_end(ap);
}

static inline void expect_trail(const char *want)
{
	assert_string_equal(trail, want);
	trail[0] = 0;
}

static inline void on_link(void *arg, enum room_link link)
{
	static const char *const names[] = { "up", "resuming", "resumed",
					     "rejoining", "rejoined" };
	(void)arg;
	note("%s;", names[link]);
	if (close_on_link)
		room_close(room);
}

static inline void on_participant(void *arg, const struct room_participant *p,
				  enum room_change change)
{
	static const char signs[] = "+~-";

	(void)arg;
	note("%c%s;", signs[change], p->identity);
}

static inline void on_subscribed(void *arg)
{
	(void)arg;
	note("subscribed;");
}

static inline void on_text(void *arg, const char *identity, const char *topic,
			   const char *text, const struct lk_pair *attrs)
{
	(void)arg;
	note("text %s %s '%s'", identity, topic, text);
	for (; attrs->key; attrs++)
		note(" %s=%s", attrs->key, attrs->value);
	note(";");
	if (close_on_text)
		room_close(room);
}

static inline void on_text_part(void *arg, const char *identity,
				const char *topic, const char *text,
				const struct lk_pair *attrs)
{
	(void)arg;
	(void)attrs;
	note("part %s %s '%s';", identity, topic, text);
}

static inline void on_data(void *arg, const char *identity, const char *topic,
			   const uint8_t *p, size_t n)
{
	(void)arg;
	note("data %s %s '%.*s';", identity, topic, (int)n, (const char *)p);
}

static inline void on_dtmf(void *arg, const char *identity, char key)
{
	(void)arg;
	note("key %s %c;", identity, key);
}

static inline void on_end(void *arg, enum room_end end, const char *why)
{
	static const char *const names[] = { "left", "closed", "removed",
					     "replaced", "unreachable",
					     "refused" };
	(void)arg;
	(void)why;
	note("end %s;", names[end]);
}

static inline void on_rtp(void *arg, const struct rtc_rtp *p)
{
	(void)arg;
	(void)p;
	n_rtp++;
}

static inline void begin_room(const char *url)
{
	static const struct room_ops ops = { on_link, on_participant,
		on_subscribed, on_text, on_text_part, on_data, on_dtmf, on_end,
		on_rtp };
	const struct lk_account acc = { url, "key", "secret" };
	const struct lk_grant grant = { .identity = "me", .room = "r1",
					.room_join = true };
	char *token = lk_token(&acc, &grant, 1000);
	struct room_cfg cfg = { .url = url, .token = token,
				.track_name = "roomio_audio" };

	trail[0] = 0;
	n_rtp = 0;
	close_on_link = close_on_text = false;
	assert_int_equal(room_join(&room, &fake_loop, NULL, &cfg, &ops, NULL), 0);
	assert_string_equal(room_identity(room), "me");
	assert_string_equal(room_name(room), "r1");
	free(token);
}

/* The join request in the query of a socket's address. */
static inline Livekit__JoinRequest *request_of(const struct ws *w)
{
	struct buf b = { 0 };
	uint8_t plain[16384];
	z_stream z = { 0 };

	char *value = strstr(w->url, "join_request=");
	assert_non_null(value);
	assert_int_equal(base64_decode(&b, value + strlen("join_request=")), 0);
	Livekit__WrappedJoinRequest *outer =
		livekit__wrapped_join_request__unpack(NULL, b.len, b.p);
	assert_non_null(outer);
	assert_int_equal(outer->compression,
			 LIVEKIT__WRAPPED_JOIN_REQUEST__COMPRESSION__GZIP);
	z.next_in = outer->join_request.data;
	z.avail_in = (uInt)outer->join_request.len;
	z.next_out = plain;
	z.avail_out = sizeof plain;
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	inflateEnd(&z);
	Livekit__JoinRequest *req = livekit__join_request__unpack(NULL,
				sizeof plain - z.avail_out, plain);
	assert_non_null(req);
	livekit__wrapped_join_request__free_unpacked(outer, NULL);
	buf_free(&b);
	return req;
}

/* ---- what the server says ---- */

static inline void server_says(Livekit__SignalResponse__MessageCase which,
			       void *message)
{
	Livekit__SignalResponse m = LIVEKIT__SIGNAL_RESPONSE__INIT;

	m.message_case = which;
	m.join = message; /* a union: all of its members are pointers */
	socket_says(socket_now(), &m);
}
#define SAYS(which, message) \
	server_says(LIVEKIT__SIGNAL_RESPONSE__MESSAGE_##which, (message))

struct person {
	const char *identity, *sid, *audio;
	Livekit__ParticipantInfo__State state;
	uint32_t version;
};

static inline Livekit__ParticipantInfo info_of(const struct person *p,
					       Livekit__TrackInfo *track,
					       Livekit__TrackInfo **tracks)
{
	Livekit__ParticipantInfo in = LIVEKIT__PARTICIPANT_INFO__INIT;

	livekit__track_info__init(track);
	track->sid = (char *)p->audio;
	track->source = LIVEKIT__TRACK_SOURCE__MICROPHONE;
	tracks[0] = track;
	in.identity = (char *)p->identity;
	in.sid = (char *)p->sid;
	in.state = p->state;
	in.version = p->version;
	in.n_tracks = p->audio ? 1 : 0;
	in.tracks = tracks;
	return in;
}

static inline void says_update(const struct person *p)
{
	Livekit__TrackInfo track, *tracks[1];
	Livekit__ParticipantInfo in = info_of(p, &track, tracks), *list[] = { &in };
	Livekit__ParticipantUpdate u = LIVEKIT__PARTICIPANT_UPDATE__INIT;

	u.n_participants = 1;
	u.participants = list;
	SAYS(UPDATE, &u);
}

static inline void says_join(const struct person *other)
{
	Livekit__TrackInfo track, *tracks[1];
	Livekit__ParticipantInfo in, *list[] = { &in };
	Livekit__ParticipantInfo me = LIVEKIT__PARTICIPANT_INFO__INIT;
	Livekit__JoinResponse join = LIVEKIT__JOIN_RESPONSE__INIT;

	if (other)
		in = info_of(other, &track, tracks);
	me.identity = "me";
	me.sid = "PA_me";
	join.participant = &me;
	join.n_other_participants = other ? 1 : 0;
	join.other_participants = list;
	join.ping_interval = 5;
	join.ping_timeout = 15;
	SAYS(JOIN, &join);
}

static inline void says_published(void)
{
	Livekit__TrackInfo track = LIVEKIT__TRACK_INFO__INIT;
	Livekit__TrackPublishedResponse p = LIVEKIT__TRACK_PUBLISHED_RESPONSE__INIT;

	track.sid = "TR_ours";
	p.cid = room->m.cid;
	p.track = &track;
	SAYS(TRACK_PUBLISHED, &p);
}

/* The answer to the last offer; mid and sid may be NULL. */
static inline void says_answer(uint32_t id, const char *mid, const char *sid)
{
	const struct lk_pair map[] = { { mid, sid }, { 0 } };
	struct proto_map pm;
	Livekit__SessionDescription a = LIVEKIT__SESSION_DESCRIPTION__INIT;

	proto_map_init(&pm,
		&livekit__session_description__mid_to_track_id_entry__descriptor,
		map);
	a.type = "answer";
	a.sdp = "v=0 answer";
	a.id = id;
	a.n_mid_to_track_id = pm.n;
	a.mid_to_track_id = (void *)pm.ptrs;
	SAYS(ANSWER, &a);
	proto_map_free(&pm);
}

static inline void says_sections(unsigned audios, unsigned videos)
{
	Livekit__MediaSectionsRequirement need =
		LIVEKIT__MEDIA_SECTIONS_REQUIREMENT__INIT;

	need.num_audios = audios;
	need.num_videos = videos;
	SAYS(MEDIA_SECTIONS_REQUIREMENT, &need);
}

static inline void says_leave(Livekit__DisconnectReason reason,
			      Livekit__LeaveRequest__Action action)
{
	Livekit__LeaveRequest leave = LIVEKIT__LEAVE_REQUEST__INIT;

	leave.reason = reason;
	leave.action = action;
	SAYS(LEAVE, &leave);
}

static inline void says_reconnect(uint32_t last_sequence)
{
	Livekit__ReconnectResponse res = LIVEKIT__RECONNECT_RESPONSE__INIT;

	res.last_message_seq = last_sequence;
	SAYS(RECONNECT, &res);
}

/* The next signal that we sent of that kind; NULL when there is none. Freed
 * by the caller. */
static inline Livekit__SignalRequest *sent_signal(
			Livekit__SignalRequest__MessageCase which)
{
	struct ws *w = socket_now();

	while (w->n_read < w->n_sent) {
		struct buf *b = &w->sent[w->n_read++];
		Livekit__SignalRequest *m =
			livekit__signal_request__unpack(NULL, b->len, b->p);
		assert_non_null(m);
		if (m->message_case == which)
			return m;
		livekit__signal_request__free_unpacked(m, NULL);
	}
	return NULL;
}
#define SENT(which) sent_signal(LIVEKIT__SIGNAL_REQUEST__MESSAGE_##which)

static inline bool was_sent(Livekit__SignalRequest__MessageCase which)
{
	Livekit__SignalRequest *m = sent_signal(which);

	if (m)
		livekit__signal_request__free_unpacked(m, NULL);
	return m != NULL;
}
#define WAS_SENT(which) was_sent(LIVEKIT__SIGNAL_REQUEST__MESSAGE_##which)

/* Joined and up, with the caller there and its track known. */
static inline void come_up(void)
{
	static const struct person caller = { "caller", "PA_1", "TR_1",
		LIVEKIT__PARTICIPANT_INFO__STATE__ACTIVE, 1 };

	peer_offers(peer_now());
	says_join(&caller);
	says_published();
	says_answer(1, NULL, NULL);
	peer_state(peer_now(), RTC_CONNECTED);
}

static inline void room_up(void)
{
	begin_room("ws://127.0.0.1:7880");
	come_up();
	expect_trail("+caller;up;");
}

#define ROOM_TEST(f) \
	cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)

#endif
