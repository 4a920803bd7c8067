/* Offers, sections, candidates, whom we hear. */
#include "fake_room.h"

static void a_requirement_of_nothing_is_still_answered_by_an_offer(void **state)
{
	(void)state;
	room_up();
	says_sections(0, 0);
	assert_int_equal(peer_now()->offers, 2);
	peer_offers(peer_now());
	Livekit__SignalRequest *m = SENT(OFFER);
	assert_non_null(m);
	assert_int_equal(m->offer->id, 2);
	assert_string_equal(m->offer->sdp, "v=0 offer 2");
	livekit__signal_request__free_unpacked(m, NULL);
	assert_int_equal(peer_now()->sections, 2);
	room_close(room);
}

static void missing_audio_sections_are_added(void **state)
{
	(void)state;
	room_up();
	says_sections(3, 0);
	assert_int_equal(peer_now()->sections, 5);
	assert_int_equal(peer_now()->offers, 2);
	/* but not without end */
	for (int i = 0; i < 10; i++) {
		peer_offers(peer_now());
		says_answer(0, NULL, NULL);
		says_sections(50, 0);
		pass_ms(150);
		if (peer_now()->made == peer_now()->offers)
			break;
	}
	assert_int_equal(peer_now()->sections, 16);
	assert_true(peer_now()->offers < 5);
	room_close(room);
}

static void one_offer_at_a_time(void **state)
{
	(void)state;
	room_up();
	pass_ms(1000);
	says_sections(0, 0);
	says_sections(0, 0);
	says_sections(1, 0);
	assert_int_equal(peer_now()->offers, 2);
	peer_offers(peer_now());
	says_answer(1, NULL, NULL); /* stale: of the first offer */
	assert_int_equal(peer_now()->offers, 2);
	says_answer(2, NULL, NULL);
	assert_int_equal(peer_now()->offers, 2); /* not in a burst */
	pass_ms(150);
	assert_int_equal(peer_now()->offers, 3);
	peer_offers(peer_now());
	says_answer(3, NULL, NULL);
	pass_ms(1000);
	assert_int_equal(peer_now()->offers, 3);
	room_close(room);
}

static void a_wish_for_video_starts_no_storm(void **state)
{
	(void)state;
	static const struct person caller = { "caller", "PA_1", "TR_1",
		LIVEKIT__PARTICIPANT_INFO__STATE__ACTIVE, 2 };
	Livekit__TrackInfo track, *tracks[1];
	Livekit__ParticipantInfo in = info_of(&caller, &track, tracks);
	Livekit__ParticipantInfo *list[] = { &in };
	Livekit__ParticipantUpdate u = LIVEKIT__PARTICIPANT_UPDATE__INIT;

	room_up();
	track.type = LIVEKIT__TRACK_TYPE__VIDEO;
	track.sid = "TR_cam";
	u.n_participants = 1;
	u.participants = list;
	SAYS(UPDATE, &u);
	says_sections(0, 1);
	Livekit__SignalRequest *m = SENT(SUBSCRIPTION);
	assert_non_null(m);
	assert_false(m->subscription->subscribe);
	assert_string_equal(m->subscription->track_sids[0], "TR_cam");
	livekit__signal_request__free_unpacked(m, NULL);
	for (int i = 0; i < 50; i++) {
		if (peer_now()->made < peer_now()->offers)
			peer_offers(peer_now());
		says_answer(0, NULL, NULL);
		says_sections(0, 1);
		pass_ms(10);
	}
	assert_true(peer_now()->offers <= 3);
	assert_int_equal(peer_now()->sections, 2);
	says_sections(0, 0); /* satisfied: offers are answered again */
	pass_ms(200);
	assert_true(peer_now()->made < peer_now()->offers);
	room_close(room);
}

static void an_offer_that_is_never_answered_ends_the_session(void **state)
{
	(void)state;
	room_up();
	says_sections(0, 0);
	peer_offers(peer_now());
	pass_ms(10000);
	Livekit__Pong pong = LIVEKIT__PONG__INIT;
	SAYS(PONG_RESP, &pong);
	pass_ms(5000);
	expect_trail("rejoining;");
	room_close(room);
}

static void an_offer_lost_with_the_socket_is_made_again(void **state)
{
	(void)state;
	room_up();
	says_sections(0, 0);
	peer_offers(peer_now());
	room_test_cut(room, false);
	pass_ms(200);
	says_reconnect(0);
	assert_int_equal(peer_now()->offers, 3);
	assert_int_equal(peer_now()->restarts, 0);
	peer_offers(peer_now());
	assert_true(WAS_SENT(OFFER));
	/* and one made while the socket is away */
	says_answer(3, NULL, NULL);
	pass_ms(1000);
	says_sections(0, 0);
	room_test_cut(room, false);
	peer_offers(peer_now());
	pass_ms(3000);
	says_reconnect(0);
	pass_ms(150);
	assert_int_equal(peer_now()->offers, 5);
	room_close(room);
}

static void candidates_are_passed_on_both_ways(void **state)
{
	(void)state;
	Livekit__TrickleRequest t = LIVEKIT__TRICKLE_REQUEST__INIT;

	room_up();
	t.candidateinit = "{\"candidate\":\"candidate:1 1 udp 1 127.0.0.1 9 typ "
			  "host\",\"sdpMid\":\"0\",\"sdpMLineIndex\":0}";
	SAYS(TRICKLE, &t);
	assert_int_equal(peer_now()->n_candidates, 1);
	t.candidateinit = "{\"candidate\":\"\"}";
	SAYS(TRICKLE, &t);
	t.candidateinit = "nonsense";
	SAYS(TRICKLE, &t);
	assert_int_equal(peer_now()->n_candidates, 1);
	peer_now()->ops.on_candidate(room, "candidate:7 1 udp 1 10.0.0.1 9 typ relay");
	Livekit__SignalRequest *m = SENT(TRICKLE);
	assert_non_null(m);
	assert_non_null(strstr(m->trickle->candidateinit, "typ relay"));
	assert_int_equal(m->trickle->target, LIVEKIT__SIGNAL_TARGET__PUBLISHER);
	livekit__signal_request__free_unpacked(m, NULL);
	room_close(room);
}

static void relays_of_the_server_are_used(void **state)
{
	(void)state;
	char *urls[] = { "turn:a", "turns:b" };
	Livekit__ICEServer ice = LIVEKIT__ICESERVER__INIT, *list[] = { &ice };
	Livekit__JoinResponse join = LIVEKIT__JOIN_RESPONSE__INIT;

	begin_room("ws://127.0.0.1:7880");
	peer_offers(peer_now());
	ice.n_urls = 2;
	ice.urls = urls;
	join.n_ice_servers = 1;
	join.ice_servers = list;
	SAYS(JOIN, &join);
	assert_int_equal(peer_now()->n_turn, 2);
	room_close(room);
}

static void a_request_too_long_goes_without_candidates(void **state)
{
	(void)state;
	struct buf sdp = { 0 };

	begin_room("ws://127.0.0.1:7880");
	buf_puts(&sdp, "v=0\r\n");
	for (unsigned i = 0; i < 150; i++) {
		/* noise that does not compress away */
		unsigned x = i * 2654435761u, y = (x ^ 0x5bd1e995) * 40503u;
		buf_printf(&sdp, "a=candidate:%u 1 UDP %u 10.%u.%u.%u %u typ host\r\n",
			   x, y, x >> 8 & 255, y >> 8 & 255, x >> 16 & 255,
			   y >> 16 & 65535);
	}
	buf_puts(&sdp, "a=mid:0\r\n");
	peer_now()->made = 1;
	peer_now()->ops.on_offer(room, 1, buf_str(&sdp));
	Livekit__JoinRequest *req = request_of(socket_now());
	assert_string_equal(req->publisher_offer->sdp, "v=0\r\na=mid:0\r\n");
	livekit__join_request__free_unpacked(req, NULL);
	says_join(NULL);
	unsigned trickled = 0;
	while (WAS_SENT(TRICKLE))
		trickled++;
	assert_int_equal(trickled, 150);
	buf_free(&sdp);
	room_close(room);
}

/* ---- whom we hear ---- */

static void rtp(const char *mid)
{
	struct rtc_rtp p = { 0 };

	str_copy(p.mid, sizeof p.mid, mid);
	peer_now()->rtp(peer_now()->rtp_arg, &p);
}

static void only_the_section_listened_to_is_heard(void **state)
{
	(void)state;
	room_up();
	room_listen(room, "caller");
	Livekit__SignalRequest *m = SENT(SUBSCRIPTION);
	assert_true(m->subscription->subscribe);
	assert_int_equal(m->subscription->n_track_sids, 1);
	assert_string_equal(m->subscription->track_sids[0], "TR_1");
	livekit__signal_request__free_unpacked(m, NULL);
	rtp("1"); /* before the answer: nothing is known, nothing is dropped */
	assert_int_equal(n_rtp, 1);
	pass_ms(15);
	peer_offers(peer_now());
	says_answer(2, "1", "TR_1");
	expect_trail("~caller;");
	assert_true(room_find(room, "caller")->audio_subscribed);
	rtp("1");
	rtp("2");
	rtp("");
	assert_int_equal(n_rtp, 3);
	room_close(room);
}

static void a_subscription_brings_its_own_offer(void **state)
{
	(void)state;
	room_up();
	room_listen(room, "caller");
	assert_int_equal(peer_now()->offers, 1); /* the server needs a moment */
	pass_ms(15);
	assert_int_equal(peer_now()->offers, 2);
	peer_offers(peer_now());
	says_answer(2, "1", "TR_1");
	expect_trail("~caller;");
	pass_ms(1000);
	assert_int_equal(peer_now()->offers, 2);
	room_close(room);
}

static void listening_moves_from_one_to_another(void **state)
{
	(void)state;
	static const struct person other = { "other", "PA_2", "TR_2",
		LIVEKIT__PARTICIPANT_INFO__STATE__ACTIVE, 1 };

	room_up();
	room_listen(room, "caller");
	room_listen(room, "other"); /* not there yet */
	Livekit__SignalRequest *m = SENT(SUBSCRIPTION);
	livekit__signal_request__free_unpacked(m, NULL);
	m = SENT(SUBSCRIPTION);
	assert_false(m->subscription->subscribe);
	assert_string_equal(m->subscription->track_sids[0], "TR_1");
	livekit__signal_request__free_unpacked(m, NULL);
	says_update(&other);
	m = SENT(SUBSCRIPTION);
	assert_true(m->subscription->subscribe);
	assert_string_equal(m->subscription->track_sids[0], "TR_2");
	livekit__signal_request__free_unpacked(m, NULL);
	room_listen(room, NULL);
	m = SENT(SUBSCRIPTION);
	assert_false(m->subscription->subscribe);
	livekit__signal_request__free_unpacked(m, NULL);
	room_close(room);
}

static void a_track_that_comes_again_is_asked_for_again(void **state)
{
	(void)state;
	static const struct person bare = { "caller", "PA_1", NULL,
		LIVEKIT__PARTICIPANT_INFO__STATE__ACTIVE, 2 };
	static const struct person again = { "caller", "PA_1", "TR_9",
		LIVEKIT__PARTICIPANT_INFO__STATE__ACTIVE, 3 };

	room_up();
	room_listen(room, "caller");
	assert_true(WAS_SENT(SUBSCRIPTION));
	says_update(&bare);
	assert_false(WAS_SENT(SUBSCRIPTION)); /* the server knows it is gone */
	says_update(&again);
	Livekit__SignalRequest *m = SENT(SUBSCRIPTION);
	assert_string_equal(m->subscription->track_sids[0], "TR_9");
	livekit__signal_request__free_unpacked(m, NULL);
	/* refused: with the next update once more */
	Livekit__SubscriptionResponse no = LIVEKIT__SUBSCRIPTION_RESPONSE__INIT;
	no.track_sid = "TR_9";
	no.err = LIVEKIT__SUBSCRIPTION_ERROR__SE_TRACK_NOTFOUND;
	SAYS(SUBSCRIPTION_RESPONSE, &no);
	says_update(&again);
	assert_true(WAS_SENT(SUBSCRIPTION));
	room_close(room);
}

static void a_new_session_subscribes_again(void **state)
{
	(void)state;
	room_up();
	room_listen(room, "caller");
	room_test_cut(room, true);
	pass_ms(0);
	peer_offers(peer_now());
	static const struct person caller = { "caller", "PA_1", "TR_1",
		LIVEKIT__PARTICIPANT_INFO__STATE__ACTIVE, 1 };
	says_join(&caller);
	assert_true(WAS_SENT(SUBSCRIPTION));
	room_close(room);
}

static void we_are_told_that_somebody_hears_us(void **state)
{
	(void)state;
	Livekit__TrackSubscribed t = LIVEKIT__TRACK_SUBSCRIBED__INIT;

	room_up();
	t.track_sid = "TR_else";
	SAYS(TRACK_SUBSCRIBED, &t);
	expect_trail("");
	t.track_sid = "TR_ours";
	SAYS(TRACK_SUBSCRIBED, &t);
	expect_trail("subscribed;");
	room_close(room);
}

/* ---- what we say about ourselves ---- */

static void changes_of_fifty_ms_go_together(void **state)
{
	(void)state;
	const struct lk_pair a[] = { { "s", "one" }, { "t", "x" }, { 0 } };
	const struct lk_pair b[] = { { "s", "two" }, { 0 } };

	room_up();
	room_set_attributes(room, a);
	pass_ms(49);
	room_set_attributes(room, b);
	assert_false(WAS_SENT(UPDATE_METADATA));
	pass_ms(1);
	Livekit__SignalRequest *m = SENT(UPDATE_METADATA);
	assert_int_equal(m->update_metadata->n_attributes, 2);
	assert_string_equal(m->update_metadata->attributes[0]->value, "two");
	assert_int_equal(m->update_metadata->request_id, 1);
	livekit__signal_request__free_unpacked(m, NULL);
	room_set_attributes(room, b); /* nothing new */
	pass_ms(100);
	assert_false(WAS_SENT(UPDATE_METADATA));
	room_close(room);
}

static void attributes_wait_for_the_link_and_are_repeated(void **state)
{
	(void)state;
	const struct lk_pair a[] = { { "s", "one" }, { 0 } };
	const struct lk_pair b[] = { { "t", "bad \xff" }, { 0 } };

	begin_room("ws://127.0.0.1:7880");
	room_set_attributes(room, a);
	pass_ms(100);
	come_up();
	pass_ms(0);
	assert_true(WAS_SENT(UPDATE_METADATA));
	room_set_attributes(room, b);
	pass_ms(50);
	Livekit__SignalRequest *m = SENT(UPDATE_METADATA);
	assert_int_equal(m->update_metadata->n_attributes, 1);
	assert_string_equal(m->update_metadata->attributes[0]->value,
			    "bad \xef\xbf\xbd");
	livekit__signal_request__free_unpacked(m, NULL);
	room_test_cut(room, true);
	pass_ms(3000);
	come_up();
	pass_ms(0);
	m = SENT(UPDATE_METADATA);
	assert_int_equal(m->update_metadata->n_attributes, 2);
	livekit__signal_request__free_unpacked(m, NULL);
	room_close(room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(a_requirement_of_nothing_is_still_answered_by_an_offer),
		ROOM_TEST(missing_audio_sections_are_added),
		ROOM_TEST(one_offer_at_a_time),
		ROOM_TEST(a_wish_for_video_starts_no_storm),
		ROOM_TEST(an_offer_that_is_never_answered_ends_the_session),
		ROOM_TEST(an_offer_lost_with_the_socket_is_made_again),
		ROOM_TEST(candidates_are_passed_on_both_ways),
		ROOM_TEST(relays_of_the_server_are_used),
		ROOM_TEST(a_request_too_long_goes_without_candidates),
		ROOM_TEST(only_the_section_listened_to_is_heard),
		ROOM_TEST(a_subscription_brings_its_own_offer),
		ROOM_TEST(listening_moves_from_one_to_another),
		ROOM_TEST(a_track_that_comes_again_is_asked_for_again),
		ROOM_TEST(a_new_session_subscribes_again),
		ROOM_TEST(we_are_told_that_somebody_hears_us),
		ROOM_TEST(changes_of_fifty_ms_go_together),
		ROOM_TEST(attributes_wait_for_the_link_and_are_repeated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
