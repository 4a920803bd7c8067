/* The link's state machine: joins, resumes, rejoins and ends. */
#include "fake_room.h"

static void one_request_carries_track_and_offer(void **state)
{
	(void)state;
	begin_room("https://example.com/");
	assert_int_equal(n_sockets, 0); /* not before there is an offer */
	peer_offers(peer_now());
	assert_int_equal(n_sockets, 1);
	assert_true(str_has_prefix(socket_now()->url,
				   "wss://example.com/rtc/v1?join_request="));
	assert_true(str_has_prefix(socket_now()->auth, "Authorization: Bearer ey"));
	Livekit__JoinRequest *req = request_of(socket_now());
	assert_int_equal(req->client_info->protocol, 17);
	assert_int_equal(req->client_info->client_protocol, 0);
	assert_int_equal(req->client_info->sdk, 0);
	assert_false(req->connection_settings->auto_subscribe);
	assert_string_equal(req->publisher_offer->sdp, "v=0 offer 1");
	assert_string_equal(req->publisher_offer->type, "offer");
	assert_int_equal(req->publisher_offer->id, 1);
	assert_int_equal(req->n_add_track_requests, 1);
	Livekit__AddTrackRequest *t = req->add_track_requests[0];
	assert_string_equal(t->name, "roomio_audio");
	assert_string_equal(t->cid, room->m.cid);
	assert_string_equal(t->stream, room->m.stream_id);
	assert_true(t->disable_red);
	assert_int_equal(t->n_audio_features, 1);
	assert_int_equal(t->source, LIVEKIT__TRACK_SOURCE__MICROPHONE);
	assert_false(req->reconnect);
	livekit__join_request__free_unpacked(req, NULL);
	room_close(room);
}

static void it_is_up_when_session_and_media_are(void **state)
{
	(void)state;
	begin_room("ws://127.0.0.1:7880");
	peer_offers(peer_now());
	says_join(NULL);
	says_published();
	says_answer(1, NULL, NULL);
	expect_trail("");
	peer_state(peer_now(), RTC_CONNECTED);
	expect_trail("up;");
	assert_string_equal(room_track_sid(room), "TR_ours");
	assert_string_equal(peer_now()->answer, "v=0 answer");
	struct rtc_stats s;
	room_stats(room, &s);
	assert_int_equal(s.packets_sent, 7);
	room_close(room);
	assert_true(WAS_SENT(LEAVE)); /* politely */
}

static void a_lost_socket_is_resumed_on_the_same_peer(void **state)
{
	(void)state;
	room_up();
	socket_ends(socket_now(), ERR_CLOSED, 1006, "");
	expect_trail("resuming;");
	assert_int_equal(n_sockets, 1);
	pass_ms(0);
	assert_int_equal(n_sockets, 2);
	Livekit__JoinRequest *req = request_of(socket_now());
	assert_true(req->reconnect);
	assert_string_equal(req->participant_sid, "PA_me");
	assert_int_equal(req->reconnect_reason,
			 LIVEKIT__RECONNECT_REASON__RR_SIGNAL_DISCONNECTED);
	assert_null(req->publisher_offer);
	livekit__join_request__free_unpacked(req, NULL);
	room_listen(room, "caller"); /* goes with the sync state or after it */
	says_reconnect(0);
	expect_trail("resumed;");
	assert_int_equal(n_peers, 1);
	assert_int_equal(peer_now()->offers, 1); /* media never stopped */
	Livekit__SignalRequest *m = SENT(SYNC_STATE);
	assert_non_null(m);
	assert_string_equal(m->sync_state->offer->sdp, "v=0 offer 1");
	assert_string_equal(m->sync_state->answer->sdp, "v=0 answer");
	assert_int_equal(m->sync_state->n_publish_tracks, 1);
	assert_string_equal(m->sync_state->publish_tracks[0]->track->sid, "TR_ours");
	assert_int_equal(m->sync_state->n_data_channels, 2);
	assert_int_equal(m->sync_state->data_channels[0]->id, 1);
	livekit__signal_request__free_unpacked(m, NULL);
	assert_true(WAS_SENT(SUBSCRIPTION));
	room_close(room);
}

static void the_newest_token_is_used_for_a_resume(void **state)
{
	(void)state;
	room_up();
	SAYS(REFRESH_TOKEN, "fresh");
	assert_string_equal(room_token(room), "fresh");
	room_test_cut(room, false);
	pass_ms(0);
	assert_string_equal(socket_now()->auth, "Authorization: Bearer fresh");
	room_close(room);
}

static void a_silent_socket_is_dropped_after_fifteen_seconds(void **state)
{
	(void)state;
	room_up();
	pass_ms(5000);
	Livekit__SignalRequest *m = SENT(PING_REQ);
	assert_non_null(m);
	Livekit__Pong pong = LIVEKIT__PONG__INIT;
	pong.last_ping_timestamp = m->ping_req->timestamp;
	livekit__signal_request__free_unpacked(m, NULL);
	SAYS(PONG_RESP, &pong);
	pass_ms(14999);
	expect_trail("");
	pass_ms(1);
	expect_trail("resuming;");
	assert_true(sockets[0]->closed);
	room_close(room);
}

static void a_sick_path_is_looked_for_anew_on_the_same_socket(void **state)
{
	(void)state;
	room_up();
	peer_state(peer_now(), RTC_DISCONNECTED);
	expect_trail("resuming;");
	assert_int_equal(peer_now()->restarts, 1);
	peer_offers(peer_now());
	assert_true(WAS_SENT(OFFER));
	says_answer(2, NULL, NULL);
	peer_state(peer_now(), RTC_CONNECTED);
	expect_trail("resumed;");
	assert_int_equal(n_sockets, 1);
	room_close(room);
}

static void a_path_that_stays_sick_means_a_new_session(void **state)
{
	(void)state;
	room_up();
	peer_state(peer_now(), RTC_DISCONNECTED);
	peer_offers(peer_now());
	says_answer(2, NULL, NULL);
	pass_ms(10000);
	Livekit__Pong pong = LIVEKIT__PONG__INIT; /* signalling is fine */
	SAYS(PONG_RESP, &pong);
	pass_ms(5000);
	expect_trail("resuming;rejoining;");
	pass_ms(0);
	assert_int_equal(n_peers, 2);
	come_up();
	expect_trail("~caller;rejoined;");
	room_close(room);
}

static void failed_media_means_a_new_session(void **state)
{
	(void)state;
	room_up();
	char *cid = str_dup(room->m.cid);
	peer_state(peer_now(), RTC_FAILED);
	expect_trail("rejoining;");
	assert_true(peers[0]->closed && sockets[0]->closed);
	pass_ms(0);
	assert_int_equal(n_peers, 2);
	assert_string_not_equal(room->m.cid, cid); /* the same would be queued */
	free(cid);
	come_up();
	expect_trail("~caller;rejoined;");
	room_close(room);
}

static void a_resume_that_does_not_match_becomes_a_rejoin(void **state)
{
	(void)state;
	room_up();
	room_test_cut(room, false);
	pass_ms(0);
	says_leave(LIVEKIT__DISCONNECT_REASON__STATE_MISMATCH,
		   LIVEKIT__LEAVE_REQUEST__ACTION__RECONNECT);
	expect_trail("resuming;rejoining;");
	pass_ms(0); /* refused at once: no reason to wait */
	assert_int_equal(n_peers, 2);
	come_up();
	expect_trail("~caller;rejoined;");
	/* and the same when the server answers with a fresh join */
	pass_ms(10000);
	room_test_cut(room, false);
	pass_ms(0);
	says_join(NULL);
	expect_trail("resuming;rejoining;");
	room_close(room);
}

static void who_left_meanwhile_is_told_after_a_rejoin(void **state)
{
	(void)state;
	static const struct person other = { "other", "PA_2", NULL,
		LIVEKIT__PARTICIPANT_INFO__STATE__ACTIVE, 1 };

	room_up();
	room_test_cut(room, true);
	pass_ms(0);
	peer_offers(peer_now());
	says_join(&other);
	expect_trail("rejoining;-caller;+other;");
	room_close(room);
}

static void audio_goes_to_the_peer_of_the_moment(void **state)
{
	(void)state;
	uint8_t packet[4] = { 0 };

	room_up();
	room_send_audio(room, packet, 4, 0, true, 20, true);
	assert_int_equal(peers[0]->n_audio, 1);
	room_test_cut(room, true);
	room_send_audio(room, packet, 4, 960, false, 20, true);
	pass_ms(0);
	room_send_audio(room, packet, 4, 1920, false, 20, true);
	assert_int_equal(peers[0]->n_audio, 1);
	assert_int_equal(peers[1]->n_audio, 1);
	room_close(room);
}

static void the_server_may_mute_us(void **state)
{
	(void)state;
	Livekit__MuteTrackRequest mute = LIVEKIT__MUTE_TRACK_REQUEST__INIT;
	uint8_t packet[4] = { 0 };

	room_up();
	mute.sid = "TR_ours";
	mute.muted = true;
	SAYS(MUTE, &mute);
	room_send_audio(room, packet, 4, 0, true, 20, true);
	assert_int_equal(peer_now()->n_audio, 0);
	mute.muted = false;
	SAYS(MUTE, &mute);
	room_send_audio(room, packet, 4, 0, true, 20, true);
	assert_int_equal(peer_now()->n_audio, 1);
	room_close(room);
}

static void reasons_to_leave_mean_what_they_say(void **state)
{
	(void)state;
	static const struct {
		Livekit__DisconnectReason reason;
		const char *trail;
	} table[] = {
		{ LIVEKIT__DISCONNECT_REASON__UNKNOWN_REASON, "end closed;" },
		{ LIVEKIT__DISCONNECT_REASON__DUPLICATE_IDENTITY, "end replaced;" },
		{ LIVEKIT__DISCONNECT_REASON__PARTICIPANT_REMOVED, "end removed;" },
		{ LIVEKIT__DISCONNECT_REASON__ROOM_DELETED, "end closed;" },
		{ LIVEKIT__DISCONNECT_REASON__ROOM_CLOSED, "end closed;" },
		{ LIVEKIT__DISCONNECT_REASON__CLIENT_INITIATED, "end left;" },
		{ LIVEKIT__DISCONNECT_REASON__SERVER_SHUTDOWN, "rejoining;" },
		{ LIVEKIT__DISCONNECT_REASON__STATE_MISMATCH, "rejoining;" },
		{ LIVEKIT__DISCONNECT_REASON__CONNECTION_TIMEOUT, "rejoining;" },
		{ LIVEKIT__DISCONNECT_REASON__MEDIA_FAILURE, "rejoining;" },
		{ (Livekit__DisconnectReason)99, "end closed;" },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		room_up();
		says_leave(table[i].reason,
			   LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
		expect_trail(table[i].trail);
		room_close(room);
	}
}

static void the_server_may_ask_for_a_resume(void **state)
{
	(void)state;
	room_up();
	says_leave(LIVEKIT__DISCONNECT_REASON__MIGRATION,
		   LIVEKIT__LEAVE_REQUEST__ACTION__RESUME);
	expect_trail("resuming;");
	pass_ms(0);
	says_reconnect(0);
	expect_trail("resumed;");
	room_close(room);
}

static void regions_are_tried_nearest_first(void **state)
{
	(void)state;
	Livekit__RegionInfo near = LIVEKIT__REGION_INFO__INIT;
	Livekit__RegionInfo far = LIVEKIT__REGION_INFO__INIT;
	Livekit__RegionInfo *list[] = { &near, &far };
	Livekit__RegionSettings regions = LIVEKIT__REGION_SETTINGS__INIT;
	Livekit__LeaveRequest leave = LIVEKIT__LEAVE_REQUEST__INIT;

	room_up();
	near.url = "https://near.example";
	far.url = "https://far.example";
	regions.n_regions = 2;
	regions.regions = list;
	leave.action = LIVEKIT__LEAVE_REQUEST__ACTION__RECONNECT;
	leave.regions = &regions;
	SAYS(LEAVE, &leave);
	pass_ms(0);
	peer_offers(peer_now());
	assert_true(str_has_prefix(socket_now()->url, "wss://near.example/rtc"));
	socket_ends(socket_now(), -ECONNREFUSED, 0, "");
	pass_ms(10000);
	assert_int_equal(n_sockets, 3);
	assert_false(str_has_prefix(socket_now()->url, "wss://near.example/rtc"));
	room_close(room);
}

static void a_refused_token_ends_it(void **state)
{
	(void)state;
	begin_room("ws://127.0.0.1:7880");
	peer_offers(peer_now());
	socket_ends(socket_now(), ERR_AUTH, 401, "invalid token");
	expect_trail("end refused;");
	room_close(room);
	/* a server without the path, or a room that may not be made */
	begin_room("ws://127.0.0.1:7880");
	peer_offers(peer_now());
	socket_ends(socket_now(), ERR_REQUEST, 404, "not found");
	expect_trail("end refused;");
	room_close(room);
}

static void a_room_unknown_on_resume_is_joined_again(void **state)
{
	(void)state;
	room_up();
	room_test_cut(room, false);
	pass_ms(0);
	socket_ends(socket_now(), ERR_REQUEST, 404, "");
	expect_trail("resuming;rejoining;");
	room_close(room);
}

static void the_same_offer_serves_until_somebody_takes_it(void **state)
{
	(void)state;
	begin_room("ws://127.0.0.1:7880");
	peer_offers(peer_now());
	socket_ends(socket_now(), -ECONNREFUSED, 0, "");
	pass_ms(0);
	socket_ends(socket_now(), ERR_SERVER, 503, "");
	pass_ms(300);
	assert_int_equal(n_sockets, 3);
	assert_int_equal(n_peers, 1);
	says_join(NULL);
	says_answer(1, NULL, NULL);
	/* taken, but then the socket is lost before media came up */
	socket_ends(socket_now(), ERR_CLOSED, 1006, "");
	pass_ms(3000);
	assert_int_equal(n_peers, 2);
	come_up();
	expect_trail("+caller;up;");
	room_close(room);
}

static void a_session_whose_media_never_comes_is_tried_again(void **state)
{
	(void)state;
	begin_room("ws://127.0.0.1:7880");
	peer_offers(peer_now());
	says_join(NULL);
	says_answer(1, NULL, NULL);
	pass_ms(15000);
	pass_ms(0);
	assert_int_equal(n_peers, 2);
	assert_true(peers[0]->closed && sockets[0]->closed);
	room_close(room);
}

static void it_gives_up_after_a_minute(void **state)
{
	(void)state;
	room_up();
	fail_ws_open = -EMFILE;
	socket_ends(socket_now(), ERR_CLOSED, 1006, "");
	pass_ms(59999);
	expect_trail("resuming;");
	pass_ms(1);
	expect_trail("end unreachable;");
	room_close(room);
}

static void a_link_that_keeps_breaking_is_not_chased(void **state)
{
	(void)state;
	room_up();
	for (int i = 0; i < 4; i++) {
		says_leave(LIVEKIT__DISCONNECT_REASON__STATE_MISMATCH,
			   LIVEKIT__LEAVE_REQUEST__ACTION__RECONNECT);
		size_t before = n_peers;
		if (i > 0) {
			pass_ms(200);
			assert_int_equal(n_peers, before);
		}
		pass_ms(10000);
		assert_int_equal(n_peers, before + 1);
		come_up();
	}
	room_close(room);
}

static void leaving_waits_for_the_echo_but_not_long(void **state)
{
	(void)state;
	room_up();
	room_leave(room, LIVEKIT__DISCONNECT_REASON__AGENT_ERROR);
	Livekit__SignalRequest *m = SENT(LEAVE);
	assert_int_equal(m->leave->reason,
			 LIVEKIT__DISCONNECT_REASON__AGENT_ERROR);
	livekit__signal_request__free_unpacked(m, NULL);
	expect_trail("");
	says_leave(LIVEKIT__DISCONNECT_REASON__CLIENT_INITIATED,
		   LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
	expect_trail("end left;");
	room_close(room);

	room_up();
	room_leave(room, 1);
	pass_ms(299);
	expect_trail("");
	pass_ms(1);
	expect_trail("end left;");
	room_close(room);
	expect_trail("");
}

static void leaving_while_the_link_is_away_ends_at_once(void **state)
{
	(void)state;
	room_up();
	room_test_cut(room, false);
	trail[0] = 0;
	room_leave(room, 1);
	expect_trail(""); /* but never inside the call */
	pass_ms(0);
	expect_trail("end left;");
	room_close(room);
}

static void it_may_be_closed_from_inside_a_callback(void **state)
{
	(void)state;
	begin_room("ws://127.0.0.1:7880");
	close_on_link = true;
	come_up();
	expect_trail("+caller;up;");
	assert_true(socket_now()->closed && peer_now()->closed);
}

static void what_makes_no_sense_is_refused_or_skipped(void **state)
{
	(void)state;
	static const struct room_ops ops = { 0 };
	struct room_cfg cfg = { .url = "ftp://x", .token = "t" };
	struct room *none = NULL;
	struct ws *w;

	assert_int_equal(room_join(&none, &fake_loop, NULL, &cfg, &ops, NULL),
			 ERR_CONFIG);
	cfg.url = "ws://x";
	cfg.token = "";
	assert_int_equal(room_join(&none, &fake_loop, NULL, &cfg, &ops, NULL),
			 ERR_CONFIG);
	assert_null(none);
	room_close(NULL);
	room_up();
	w = socket_now();
	w->ops.on_message(w->arg, (const uint8_t *)"\xff\xff", 2, false);
	w->ops.on_message(w->arg, (const uint8_t *)"{}", 2, true);
	Livekit__SignalResponse empty = LIVEKIT__SIGNAL_RESPONSE__INIT;
	socket_says(w, &empty);
	expect_trail("");
	room_close(room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(one_request_carries_track_and_offer),
		ROOM_TEST(it_is_up_when_session_and_media_are),
		ROOM_TEST(a_lost_socket_is_resumed_on_the_same_peer),
		ROOM_TEST(the_newest_token_is_used_for_a_resume),
		ROOM_TEST(a_silent_socket_is_dropped_after_fifteen_seconds),
		ROOM_TEST(a_sick_path_is_looked_for_anew_on_the_same_socket),
		ROOM_TEST(a_path_that_stays_sick_means_a_new_session),
		ROOM_TEST(failed_media_means_a_new_session),
		ROOM_TEST(a_resume_that_does_not_match_becomes_a_rejoin),
		ROOM_TEST(who_left_meanwhile_is_told_after_a_rejoin),
		ROOM_TEST(audio_goes_to_the_peer_of_the_moment),
		ROOM_TEST(the_server_may_mute_us),
		ROOM_TEST(reasons_to_leave_mean_what_they_say),
		ROOM_TEST(the_server_may_ask_for_a_resume),
		ROOM_TEST(regions_are_tried_nearest_first),
		ROOM_TEST(a_refused_token_ends_it),
		ROOM_TEST(a_room_unknown_on_resume_is_joined_again),
		ROOM_TEST(the_same_offer_serves_until_somebody_takes_it),
		ROOM_TEST(a_session_whose_media_never_comes_is_tried_again),
		ROOM_TEST(it_gives_up_after_a_minute),
		ROOM_TEST(a_link_that_keeps_breaking_is_not_chased),
		ROOM_TEST(leaving_waits_for_the_echo_but_not_long),
		ROOM_TEST(leaving_while_the_link_is_away_ends_at_once),
		ROOM_TEST(it_may_be_closed_from_inside_a_callback),
		ROOM_TEST(what_makes_no_sense_is_refused_or_skipped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
