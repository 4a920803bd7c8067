/* Snapshots ordered by version, and which track is a voice. */
#include "unit.h"

#include "base/str.h"
#include "livekit/participants_int.h"

static char trail[1024];

static void on_change(void *arg, const struct room_participant *p,
		      enum room_change change)
{
	size_t n = strlen(trail);

	(void)arg;
	snprintf(trail + n, sizeof trail - n, "%c%s:%s:%s;", "+~-"[change],
		 p->identity, p->sid, p->audio_sid ? p->audio_sid : "none");
}

static void expect(const char *want)
{
	assert_string_equal(trail, want);
	trail[0] = 0;
}

static struct participants ps;

static int setup(void **state)
{
	(void)state;
	trail[0] = 0;
	participants_init(&ps, on_change, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	participants_finish(&ps);
	return 0;
}

struct entry {
	const char *identity, *sid;
	uint32_t version;
	Livekit__ParticipantInfo__State state;
	Livekit__TrackInfo *track;
	Livekit__DisconnectReason reason;
};
#define ACTIVE LIVEKIT__PARTICIPANT_INFO__STATE__ACTIVE
#define JOINED LIVEKIT__PARTICIPANT_INFO__STATE__JOINED
#define GONE LIVEKIT__PARTICIPANT_INFO__STATE__DISCONNECTED

static Livekit__ParticipantInfo info(struct entry *e)
{
	Livekit__ParticipantInfo in = LIVEKIT__PARTICIPANT_INFO__INIT;

	in.identity = (char *)e->identity;
	in.sid = (char *)e->sid;
	in.version = e->version;
	in.state = e->state;
	in.n_tracks = e->track ? 1 : 0;
	in.tracks = &e->track;
	in.disconnect_reason = e->reason;
	return in;
}

static void apply(struct entry e)
{
	Livekit__ParticipantInfo in = info(&e);

	participants_apply(&ps, &in);
}

static Livekit__TrackInfo mic(const char *sid)
{
	Livekit__TrackInfo t = LIVEKIT__TRACK_INFO__INIT;

	t.sid = (char *)sid;
	t.source = LIVEKIT__TRACK_SOURCE__MICROPHONE;
	return t;
}

static void people_join_change_and_leave(void **state)
{
	(void)state;
	Livekit__TrackInfo t = mic("TR_1");

	apply((struct entry){ "a", "PA_1", 1, JOINED });
	expect("+a:PA_1:none;");
	assert_false(participants_find(&ps, "a")->pub.active);
	t.muted = true;
	apply((struct entry){ "a", "PA_1", 2, ACTIVE, &t });
	expect("~a:PA_1:TR_1;");
	assert_true(participants_find(&ps, "a")->pub.active);
	assert_true(participants_find(&ps, "a")->pub.audio_muted);
	apply((struct entry){ "a", "PA_1", 3, ACTIVE });
	expect("~a:PA_1:none;"); /* a track that is missing was unpublished */
	apply((struct entry){ "a", "PA_1", 4, GONE, NULL,
			      LIVEKIT__DISCONNECT_REASON__CLIENT_INITIATED });
	expect("-a:PA_1:none;");
	assert_null(participants_find(&ps, "a"));
	apply((struct entry){ "a", "PA_1", 5, GONE });
	apply((struct entry){ "", "PA_9", 5, ACTIVE }); /* hidden */
	expect("");
}

static void an_older_snapshot_is_ignored(void **state)
{
	(void)state;
	Livekit__TrackInfo t = mic("TR_1");

	apply((struct entry){ "a", "PA_1", 5, ACTIVE, &t });
	apply((struct entry){ "a", "PA_1", 4, ACTIVE });
	expect("+a:PA_1:TR_1;");
	apply((struct entry){ "a", "PA_1", 5, ACTIVE, &t });
	expect("~a:PA_1:TR_1;");
}

static void a_new_session_of_the_same_person_is_the_same_person(void **state)
{
	(void)state;
	Livekit__TrackInfo t1 = mic("TR_1"), t2 = mic("TR_2");

	apply((struct entry){ "a", "PA_1", 50, ACTIVE, &t1 });
	participants_subscribed(&ps, participants_find(&ps, "a"), true);
	expect("+a:PA_1:TR_1;~a:PA_1:TR_1;");
	apply((struct entry){ "a", "PA_2", 1, ACTIVE, &t2 });
	expect("~a:PA_2:TR_2;");
	assert_false(participants_find(&ps, "a")->pub.audio_subscribed);
	/* the end of the old session comes late */
	apply((struct entry){ "a", "PA_1", 51, GONE });
	expect("");
	assert_non_null(participants_find(&ps, "a"));
}

static void everybody_at_once_is_compared(void **state)
{
	(void)state;
	struct entry b = { "b", "PA_2", 1, ACTIVE }, c = { "c", "PA_3", 1, ACTIVE };
	Livekit__ParticipantInfo ib = info(&b), ic = info(&c);
	Livekit__ParticipantInfo *all[] = { &ib, &ic };

	apply((struct entry){ "a", "PA_1", 1, ACTIVE });
	apply((struct entry){ "b", "PA_2", 9, ACTIVE });
	apply((struct entry){ "d", "PA_4", 9, ACTIVE });
	trail[0] = 0;
	participants_reset(&ps, all, 2);
	expect("-d:PA_4:none;-a:PA_1:none;~b:PA_2:none;+c:PA_3:none;");
	assert_int_equal(ps.n, 2);
	participants_reset(&ps, NULL, 0);
	assert_int_equal(ps.n, 0);
}

static void the_voice_is_a_microphone_in_clear(void **state)
{
	(void)state;
	Livekit__TrackInfo t[5];
	Livekit__TrackInfo *all[] = { &t[0], &t[1], &t[2], &t[3], &t[4] };
	Livekit__ParticipantInfo in = LIVEKIT__PARTICIPANT_INFO__INIT;

	t[0] = mic("TR_cam");
	t[0].type = LIVEKIT__TRACK_TYPE__VIDEO;
	t[1] = mic("TR_screen");
	t[1].source = LIVEKIT__TRACK_SOURCE__SCREEN_SHARE_AUDIO;
	t[2] = mic("TR_secret");
	t[2].encryption = LIVEKIT__ENCRYPTION__TYPE__GCM;
	t[3] = mic("TR_unknown");
	t[3].source = LIVEKIT__TRACK_SOURCE__UNKNOWN;
	t[4] = mic("TR_mic");
	in.identity = "a";
	in.sid = "PA_1";
	in.tracks = all;
	in.n_tracks = 3;
	participants_apply(&ps, &in);
	expect("+a:PA_1:none;");
	in.n_tracks = 4;
	participants_apply(&ps, &in);
	expect("~a:PA_1:TR_unknown;");
	in.n_tracks = 5;
	participants_apply(&ps, &in);
	expect("~a:PA_1:TR_mic;");
	assert_string_equal(participants_find(&ps, "a")->video_sids, "TR_cam ");
	assert_non_null(participants_by_track(&ps, "TR_mic"));
	assert_null(participants_by_track(&ps, NULL));
}

static void attributes_are_a_snapshot_too(void **state)
{
	(void)state;
	const struct lk_pair attrs[] = { { "sip.callID", "SCL_1" }, { 0 } };
	Livekit__ParticipantInfo in = LIVEKIT__PARTICIPANT_INFO__INIT;
	struct proto_map map;

	proto_map_init(&map,
		&livekit__participant_info__attributes_entry__descriptor, attrs);
	in.identity = "a";
	in.kind = LIVEKIT__PARTICIPANT_INFO__KIND__SIP;
	in.n_attributes = map.n;
	in.attributes = (void *)map.ptrs;
	participants_apply(&ps, &in);
	const struct room_participant *p = &participants_find(&ps, "a")->pub;
	assert_string_equal(room_attribute(p, "sip.callID"), "SCL_1");
	assert_int_equal(p->kind, LK_SIP);
	in.n_attributes = 0;
	participants_apply(&ps, &in);
	assert_null(room_attribute(p, "sip.callID"));
	proto_map_free(&map);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(people_join_change_and_leave),
		T(an_older_snapshot_is_ignored),
		T(a_new_session_of_the_same_person_is_the_same_person),
		T(everybody_at_once_is_compared),
		T(the_voice_is_a_microphone_in_clear),
		T(attributes_are_a_snapshot_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
