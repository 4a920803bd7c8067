/* Packets in and out: sequence, replay, texts, keys. */
#include "fake_room.h"

/* The next packet that we sent. Freed by the caller. */
static size_t n_read;
static Livekit__DataPacket *sent_packet(void)
{
	struct rtc_peer *p = peer_now();

	if (n_read >= p->n_sent)
		return NULL;
	struct buf *b = &p->sent[n_read++];
	Livekit__DataPacket *pkt = livekit__data_packet__unpack(NULL, b->len, b->p);
	assert_non_null(pkt);
	return pkt;
}

static void done(Livekit__DataPacket *pkt)
{
	livekit__data_packet__free_unpacked(pkt, NULL);
}

static void skip_sent(void)
{
	n_read = peer_now()->n_sent;
}

static void up(void)
{
	n_read = 0;
	room_up();
}

static void says_packet(Livekit__DataPacket *pkt, bool reliable)
{
	struct buf b = { 0 };

	pkt->participant_identity = "caller";
	pkt->participant_sid = "PA_1";
	proto_pack(&b, pkt);
	peer_now()->ops.on_message(room, reliable ? RTC_RELIABLE : RTC_LOSSY,
				   b.p, b.len);
	buf_free(&b);
}

static void says_user(const char *topic, const char *text, uint32_t sequence,
		      bool reliable)
{
	Livekit__UserPacket u = LIVEKIT__USER_PACKET__INIT;
	Livekit__DataPacket pkt = LIVEKIT__DATA_PACKET__INIT;

	u.topic = (char *)topic;
	u.payload.data = (uint8_t *)text;
	u.payload.len = strlen(text);
	pkt.value_case = LIVEKIT__DATA_PACKET__VALUE_USER;
	pkt.user = &u;
	pkt.sequence = sequence;
	says_packet(&pkt, reliable);
}

static void reliable_packets_are_numbered_from_one(void **state)
{
	(void)state;
	up();
	assert_int_equal(room_send_data(room, "t", "a", 1, true), 0);
	assert_int_equal(room_send_data(room, "t", "b", 1, false), 0);
	assert_int_equal(room_send_data(room, NULL, "c", 1, true), 0);
	static const uint32_t want[] = { 1, 0, 2 };
	for (int i = 0; i < 3; i++) {
		Livekit__DataPacket *pkt = sent_packet();
		assert_int_equal(pkt->sequence, want[i]);
		assert_int_equal(pkt->kind, want[i] == 0);
		assert_string_equal(pkt->user->topic, i < 2 ? "t" : "");
		done(pkt);
	}
	/* one that could not be sent uses no number */
	peer_now()->fail_send = ERR_FULL;
	assert_int_equal(room_send_data(room, "t", "d", 1, true), ERR_FULL);
	peer_now()->fail_send = 0;
	assert_int_equal(room_send_data(room, "t", "e", 1, true), 0);
	Livekit__DataPacket *pkt = sent_packet();
	assert_int_equal(pkt->sequence, 3);
	done(pkt);
	room_close(room);
}

static void what_the_server_did_not_get_is_sent_again(void **state)
{
	(void)state;
	up();
	for (const char *s = "abcd"; *s; s++)
		room_send_data(room, "t", s, 1, true);
	room_test_cut(room, false);
	pass_ms(0);
	skip_sent();
	says_reconnect(2);
	for (uint32_t i = 3; i <= 4; i++) {
		Livekit__DataPacket *pkt = sent_packet();
		assert_int_equal(pkt->sequence, i);
		done(pkt);
	}
	assert_null(sent_packet());
	room_close(room);
}

static void a_rejoin_counts_anew_and_replays_nothing(void **state)
{
	(void)state;
	up();
	room_send_data(room, "t", "a", 1, true);
	room_test_cut(room, true);
	assert_int_equal(room_send_data(room, "t", "b", 1, true), -ENOTCONN);
	pass_ms(0);
	n_read = 0;
	assert_int_equal(room_send_data(room, "t", "c", 1, true), 0);
	come_up();
	Livekit__DataPacket *pkt = sent_packet();
	assert_int_equal(pkt->sequence, 1);
	assert_memory_equal(pkt->user->payload.data, "c", 1);
	done(pkt);
	assert_null(sent_packet());
	room_close(room);
}

static void the_replay_buffer_is_bounded(void **state)
{
	(void)state;
	char *big = calloc(1, 15000);

	up();
	for (int i = 0; i < 100; i++)
		assert_int_equal(room_send_data(room, "t", big, 15000, true), 0);
	assert_int_equal(room_send_data(room, "t", big, 15001, true), ERR_REQUEST);
	assert_true(room->data.sent_bytes <= 512 * 1024);
	assert_int_equal(room->data.sent[room->data.n_sent - 1].sequence, 100);
	free(big);
	room_close(room);
}

static void a_packet_that_comes_twice_counts_once(void **state)
{
	(void)state;
	up();
	trail[0] = 0;
	says_user("t", "one", 1, true);
	says_user("t", "one", 1, true);
	says_user("t", "two", 2, true);
	says_user("t", "one", 1, true);
	says_user("t", "zero", 0, true); /* not numbered */
	says_user("t", "zero", 0, true);
	says_user("t", "lossy", 2, false);
	expect_trail("data caller t 'one';data caller t 'two';"
		     "data caller t 'zero';data caller t 'zero';"
		     "data caller t 'lossy';");
	/* silent for half a minute: may have begun anew */
	for (int i = 0; i < 7; i++) {
		Livekit__Pong pong = LIVEKIT__PONG__INIT;
		SAYS(PONG_RESP, &pong);
		pass_ms(5000);
	}
	says_user("t", "again", 1, true);
	expect_trail("data caller t 'again';");
	/* told after a resume, so that the server repeats what we lack */
	room_test_cut(room, false);
	pass_ms(0);
	says_reconnect(0);
	Livekit__SignalRequest *m = SENT(SYNC_STATE);
	assert_int_equal(m->sync_state->n_datachannel_receive_states, 1);
	assert_string_equal(m->sync_state->datachannel_receive_states[0]->publisher_sid,
			    "PA_1");
	assert_int_equal(m->sync_state->datachannel_receive_states[0]->last_seq, 1);
	livekit__signal_request__free_unpacked(m, NULL);
	room_close(room);
}

static void typed_words_of_old_front_ends_are_chat(void **state)
{
	(void)state;
	Livekit__ChatMessage c = LIVEKIT__CHAT_MESSAGE__INIT;
	Livekit__DataPacket pkt = LIVEKIT__DATA_PACKET__INIT;

	up();
	trail[0] = 0;
	pkt.value_case = LIVEKIT__DATA_PACKET__VALUE_CHAT_MESSAGE;
	pkt.chat_message = &c;
	c.message = "hello";
	says_packet(&pkt, true);
	c.deleted = true;
	says_packet(&pkt, true);
	says_user("lk-chat-topic", "{\"message\":\"hi\"}", 0, true);
	says_user("lk-chat-topic", "{\"message\":\"x\",\"ignoreLegacy\":true}", 0, true);
	says_user("lk-chat-topic", "no json", 0, true);
	expect_trail("text caller lk.chat 'hello';text caller lk.chat 'hi';");
	room_close(room);
}

static void methods_are_refused_at_once(void **state)
{
	(void)state;
	Livekit__RpcRequest req = LIVEKIT__RPC_REQUEST__INIT;
	Livekit__DataPacket pkt = LIVEKIT__DATA_PACKET__INIT;

	up();
	req.id = "id-1";
	req.method = "m";
	pkt.value_case = LIVEKIT__DATA_PACKET__VALUE_RPC_REQUEST;
	pkt.rpc_request = &req;
	says_packet(&pkt, true);
	Livekit__DataPacket *got = sent_packet();
	assert_string_equal(got->rpc_ack->request_id, "id-1");
	assert_string_equal(got->destination_identities[0], "caller");
	done(got);
	got = sent_packet();
	assert_int_equal(got->rpc_response->error->code, 1400);
	done(got);
	room_close(room);
}

static void keys_keep_their_distance(void **state)
{
	(void)state;
	static const struct { int64_t ms; const char *key; uint32_t code; } want[] = {
		{ 0, "1", 1 }, { 300, "#", 11 }, { 300 + 500, "A", 12 },
		{ 300, "*", 10 },
	};

	up();
	assert_int_equal(room_send_dtmf(room, "caller", "1#wA"), 0);
	assert_int_equal(room_send_dtmf(room, NULL, "*"), 0);
	assert_int_equal(room_send_dtmf(room, NULL, "12x"), ERR_REQUEST);
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		if (want[i].ms)
			pass_ms(want[i].ms - 1);
		assert_null(sent_packet());
		pass_ms(want[i].ms ? 1 : 0);
		Livekit__DataPacket *pkt = sent_packet();
		assert_non_null(pkt);
		assert_string_equal(pkt->sip_dtmf->digit, want[i].key);
		assert_int_equal(pkt->sip_dtmf->code, want[i].code);
		assert_int_equal(pkt->n_destination_identities, i < 3);
		done(pkt);
	}
	pass_ms(100);
	room_send_dtmf(room, NULL, "5"); /* 100 ms after the last key */
	pass_ms(199);
	assert_null(sent_packet());
	pass_ms(1);
	done(sent_packet());
	room_send_dtmf(room, NULL, "123");
	room_close(room); /* with keys still to come */
}

static void keys_come_in_by_digit_or_code(void **state)
{
	(void)state;
	static const struct { uint32_t code; const char *digit; } in[] = {
		{ 5, "5" }, { 10, "" }, { 11, "#" }, { 15, "" }, { 16, "" },
		{ 0, "x" }, { 0, "12" },
	};
	Livekit__SipDTMF d = LIVEKIT__SIP_DTMF__INIT;
	Livekit__DataPacket pkt = LIVEKIT__DATA_PACKET__INIT;

	up();
	trail[0] = 0;
	pkt.value_case = LIVEKIT__DATA_PACKET__VALUE_SIP_DTMF;
	pkt.sip_dtmf = &d;
	for (size_t i = 0; i < sizeof in / sizeof *in; i++) {
		d.code = in[i].code;
		d.digit = (char *)in[i].digit;
		says_packet(&pkt, true);
	}
	expect_trail("key caller 5;key caller *;key caller #;key caller D;");
	room_close(room);
}

static void a_text_goes_out_as_header_chunks_trailer(void **state)
{
	(void)state;
	const struct lk_pair attrs[] = { { "lk.segment_id", "SG_1" }, { 0 } };
	struct buf text = { 0 };

	up();
	for (int i = 0; i < 8000; i++)
		buf_puts(&text, "\xe2\x82\xac"); /* three bytes each */
	assert_int_equal(room_text_send(room, "lk.transcription", "caller", attrs,
					buf_str(&text)), 0);
	Livekit__DataPacket *pkt = sent_packet();
	assert_string_equal(pkt->participant_identity, "caller");
	assert_string_equal(pkt->stream_header->topic, "lk.transcription");
	assert_string_equal(pkt->stream_header->mime_type, "text/plain");
	assert_string_equal(pkt->stream_header->attributes[0]->value, "SG_1");
	assert_int_equal(pkt->stream_header->content_header_case,
			 LIVEKIT__DATA_STREAM__HEADER__CONTENT_HEADER_TEXT_HEADER);
	done(pkt);
	size_t total = 0;
	for (uint64_t i = 0; i < 2; i++) {
		pkt = sent_packet();
		assert_int_equal(pkt->stream_chunk->chunk_index, i);
		assert_true(pkt->stream_chunk->content.len <= 15000);
		assert_int_equal(pkt->stream_chunk->content.len % 3, 0);
		total += pkt->stream_chunk->content.len;
		done(pkt);
	}
	assert_int_equal(total, 24000);
	pkt = sent_packet();
	assert_string_equal(pkt->stream_trailer->reason, "");
	done(pkt);
	assert_null(sent_packet());
	buf_free(&text);
	room_close(room);
}

static void half_a_character_waits_for_its_other_half(void **state)
{
	(void)state;
	const struct lk_pair last[] = { { "final", "true" }, { 0 } };
	struct room_text *t;

	up();
	assert_int_equal(room_text_open(&t, room, "x", NULL, NULL), 0);
	skip_sent();
	room_text_write(t, "a\xe2\x82");
	Livekit__DataPacket *pkt = sent_packet();
	assert_int_equal(pkt->stream_chunk->content.len, 1);
	done(pkt);
	room_text_write(t, "\xac");
	pkt = sent_packet();
	assert_int_equal(pkt->stream_chunk->content.len, 3);
	assert_int_equal(pkt->stream_chunk->chunk_index, 1);
	done(pkt);
	room_text_close(t, last);
	pkt = sent_packet();
	assert_string_equal(pkt->stream_trailer->attributes[0]->key, "final");
	done(pkt);
	room_close(room);
}

static void an_open_text_begins_again_after_a_rejoin(void **state)
{
	(void)state;
	struct room_text *t;

	up();
	room_text_open(&t, room, "x", NULL, NULL);
	room_text_write(t, "one ");
	room_test_cut(room, true);
	assert_int_equal(room_text_write(t, "two "), -ENOTCONN);
	pass_ms(0);
	come_up();
	n_read = 0;
	assert_int_equal(room_text_write(t, "three"), 0);
	Livekit__DataPacket *pkt = sent_packet();
	assert_int_equal(pkt->value_case, LIVEKIT__DATA_PACKET__VALUE_STREAM_HEADER);
	assert_int_equal(pkt->sequence, 1);
	done(pkt);
	pkt = sent_packet();
	assert_memory_equal(pkt->stream_chunk->content.data, "one two three", 13);
	done(pkt);
	room_text_close(t, NULL);
	room_close(room);
}

static void a_text_may_outlive_its_room(void **state)
{
	(void)state;
	struct room_text *t, *late;

	up();
	room_text_open(&t, room, "x", NULL, NULL);
	room_leave(room, 1);
	pass_ms(300);
	assert_int_equal(room_text_write(t, "y"), ERR_GONE);
	assert_int_equal(room_text_open(&late, room, "x", NULL, NULL), ERR_GONE);
	room_close(room);
	assert_int_equal(room_text_write(t, "y"), ERR_GONE);
	room_text_close(t, NULL);
}

static void the_old_transcription_names_track_and_speaker(void **state)
{
	(void)state;
	up();
	room_send_transcription(room, NULL, "TR_ours", "SG_1", "hi", true);
	Livekit__DataPacket *pkt = sent_packet();
	Livekit__Transcription *t = pkt->transcription;
	assert_string_equal(t->transcribed_participant_identity, "me");
	assert_string_equal(t->track_id, "TR_ours");
	assert_string_equal(t->segments[0]->id, "SG_1");
	assert_string_equal(t->segments[0]->text, "hi");
	assert_true(t->segments[0]->final);
	done(pkt);
	room_close(room);
}

static void the_room_may_be_closed_while_a_text_is_told(void **state)
{
	(void)state;
	Livekit__ChatMessage c = LIVEKIT__CHAT_MESSAGE__INIT;
	Livekit__DataPacket pkt = LIVEKIT__DATA_PACKET__INIT;

	up();
	close_on_text = true;
	c.message = "bye";
	pkt.value_case = LIVEKIT__DATA_PACKET__VALUE_CHAT_MESSAGE;
	pkt.chat_message = &c;
	says_packet(&pkt, true);
	expect_trail("text caller lk.chat 'bye';");
}

static void garbage_is_dropped(void **state)
{
	(void)state;
	up();
	trail[0] = 0;
	peer_now()->ops.on_message(room, RTC_RELIABLE, (const uint8_t *)"\xff\xff", 2);
	peer_now()->ops.on_message(room, RTC_LOSSY, (const uint8_t *)"", 0);
	expect_trail("");
	assert_int_equal(livekit_packet_check((const uint8_t *)"\xff", 1), ERR_PROTOCOL);
	assert_int_equal(livekit_packet_check((const uint8_t *)"", 0), 0);
	assert_int_equal(livekit_signal_check((const uint8_t *)"\xff", 1), ERR_PROTOCOL);
	room_close(room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(reliable_packets_are_numbered_from_one),
		ROOM_TEST(what_the_server_did_not_get_is_sent_again),
		ROOM_TEST(a_rejoin_counts_anew_and_replays_nothing),
		ROOM_TEST(the_replay_buffer_is_bounded),
		ROOM_TEST(a_packet_that_comes_twice_counts_once),
		ROOM_TEST(typed_words_of_old_front_ends_are_chat),
		ROOM_TEST(methods_are_refused_at_once),
		ROOM_TEST(keys_keep_their_distance),
		ROOM_TEST(keys_come_in_by_digit_or_code),
		ROOM_TEST(a_text_goes_out_as_header_chunks_trailer),
		ROOM_TEST(half_a_character_waits_for_its_other_half),
		ROOM_TEST(an_open_text_begins_again_after_a_rejoin),
		ROOM_TEST(a_text_may_outlive_its_room),
		ROOM_TEST(the_old_transcription_names_track_and_speaker),
		ROOM_TEST(the_room_may_be_closed_while_a_text_is_told),
		ROOM_TEST(garbage_is_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
