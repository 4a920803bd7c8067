/*
 * Data packets: sequence numbers and replay for reliable ones, and what the
 * packets of others mean. On the loop. Every packet comes from a stranger.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/thread.h"
#include "livekit/room_int.h"

#define MAX_PAYLOAD 15000
#define REPLAY_BYTES (512 * 1024)
#define REPLAY_PACKETS 1024
#define HEARD_MS 30000
#define RPC_UNSUPPORTED_METHOD 1400

/* ---- out ------------------------------------------------------------------------ */

static void forget_oldest(struct room_data *d)
{
	assert(d->n_sent > 0);
	d->sent_bytes -= d->sent[0].n;
	free(d->sent[0].p);
	d->n_sent--;
	memmove(d->sent, d->sent + 1, d->n_sent * sizeof *d->sent);
}

static void remember(struct room_data *d, uint32_t sequence, struct buf *b)
{
	while (d->n_sent && (d->sent_bytes + b->len > REPLAY_BYTES ||
			     d->n_sent == REPLAY_PACKETS))
		forget_oldest(d);
	if (d->n_sent == d->cap_sent) {
		d->cap_sent = d->cap_sent ? 2 * d->cap_sent : 16;
		d->sent = realloc(d->sent, d->cap_sent * sizeof *d->sent);
		if (!d->sent)
			abort();
	}
	d->sent_bytes += b->len;
	d->sent[d->n_sent].sequence = sequence;
	d->sent[d->n_sent].n = b->len;
	d->sent[d->n_sent++].p = (uint8_t *)buf_take(b);
}

int data_send(struct room *r, Livekit__DataPacket *pkt, bool reliable)
{
	struct buf b = { 0 };

	if (!room_alive(r))
		return ERR_GONE;
	if (!r->m.peer)
		return -ENOTCONN;
	pkt->kind = reliable ? LIVEKIT__DATA_PACKET__KIND__RELIABLE :
			       LIVEKIT__DATA_PACKET__KIND__LOSSY;
	pkt->sequence = reliable ? r->data.sequence + 1 : 0;
	proto_pack(&b, pkt);
	int err = rtc_send(r->m.peer, reliable ? RTC_RELIABLE : RTC_LOSSY, b.p,
			   b.len);
	if (err >= 0 && reliable)
		remember(&r->data, ++r->data.sequence, &b);
	buf_free(&b);
	return err;
}

void data_replay(struct room *r, uint32_t last_sequence)
{
	struct room_data *d = &r->data;

	while (d->n_sent && d->sent[0].sequence <= last_sequence)
		forget_oldest(d);
	for (size_t i = 0; i < d->n_sent && r->m.peer; i++)
		(void)rtc_send(r->m.peer, RTC_RELIABLE, d->sent[i].p,
			       d->sent[i].n);
}

void data_finish(struct room *r)
{
	struct room_data *d = &r->data;

	while (d->n_sent)
		forget_oldest(d);
	free(d->sent);
	for (size_t i = 0; i < d->n_heard; i++)
		free(d->heard[i].sid);
	free(d->heard);
	*d = (struct room_data){ .session = d->session };
}

void data_reset(struct room *r)
{
	data_finish(r);
	r->data.session++;
}

int room_send_data(struct room *r, const char *topic, const void *p, size_t n,
		   bool reliable)
{
	ON_LOOP();
	Livekit__UserPacket user = LIVEKIT__USER_PACKET__INIT;
	Livekit__DataPacket pkt = LIVEKIT__DATA_PACKET__INIT;

	if (n > MAX_PAYLOAD)
		return ERR_REQUEST;
	char *clean = utf8_clean(topic ? topic : "");
	user.topic = clean;
	user.payload.data = (uint8_t *)p;
	user.payload.len = n;
	pkt.value_case = LIVEKIT__DATA_PACKET__VALUE_USER;
	pkt.user = &user;
	int err = data_send(r, &pkt, reliable);
	free(clean);
	return err;
}

int room_send_transcription(struct room *r, const char *as_identity,
			    const char *track_sid, const char *segment_id,
			    const char *text, bool final)
{
	ON_LOOP();
	Livekit__TranscriptionSegment seg = LIVEKIT__TRANSCRIPTION_SEGMENT__INIT;
	Livekit__TranscriptionSegment *segs[] = { &seg };
	Livekit__Transcription t = LIVEKIT__TRANSCRIPTION__INIT;
	Livekit__DataPacket pkt = LIVEKIT__DATA_PACKET__INIT;
	char *clean = utf8_clean(text);

	seg.id = (char *)segment_id;
	seg.text = clean;
	seg.final = final;
	t.transcribed_participant_identity =
		(char *)(as_identity ? as_identity : r->identity);
	t.track_id = (char *)(track_sid ? track_sid : "");
	t.n_segments = 1;
	t.segments = segs;
	pkt.value_case = LIVEKIT__DATA_PACKET__VALUE_TRANSCRIPTION;
	pkt.transcription = &t;
	int err = data_send(r, &pkt, true);
	free(clean);
	return err;
}

/* ---- in -------------------------------------------------------------------------- */

/* True when this reliable packet was here before (a replay after a resume).
 * A sender silent for long is forgotten: it may have begun anew. */
static bool seen_before(struct room *r, const char *sid, uint32_t sequence)
{
	struct room_data *d = &r->data;
	int64_t now_ms = clock_now_ms(loop_clock(r->loop));
	size_t i = 0;

	if (!sequence || str_blank(sid))
		return false;
	for (size_t k = d->n_heard; k-- > 0;) {
		if (now_ms - d->heard[k].at_ms <= HEARD_MS)
			continue;
		free(d->heard[k].sid);
		d->heard[k] = d->heard[--d->n_heard];
	}
	while (i < d->n_heard && !str_eq(d->heard[i].sid, sid))
		i++;
	if (i < d->n_heard && sequence <= d->heard[i].sequence)
		return true;
	if (i == d->cap_heard) {
		d->cap_heard = d->cap_heard ? 2 * d->cap_heard : 4;
		d->heard = realloc(d->heard, d->cap_heard * sizeof *d->heard);
		if (!d->heard)
			abort();
	}
	if (i == d->n_heard) {
		d->heard[i].sid = str_dup(sid);
		d->n_heard++;
	}
	d->heard[i].sequence = sequence;
	d->heard[i].at_ms = now_ms;
	return false;
}

void data_on_text(void *arg, const char *identity, const char *topic,
		  const char *text, const struct lk_pair *attrs, bool whole)
{
	struct room *r = arg;

	if (!room_alive(r))
		return;
	if (whole && r->ops.on_text)
		r->ops.on_text(r->arg, identity, topic, text, attrs);
	else if (!whole && r->ops.on_text_part)
		r->ops.on_text_part(r->arg, identity, topic, text, attrs);
}

static void chat(struct room *r, const char *identity, const char *text)
{
	static const struct lk_pair none[] = { { 0 } };

	data_on_text(r, identity, "lk.chat", text, none, true);
}

/* Old front ends wrap typed words in JSON. Those that also send the stream
 * mark the copy. */
static void old_chat(struct room *r, const char *identity,
		     const Livekit__UserPacket *u)
{
	cJSON *json = json_parse(u->payload.data, u->payload.len);
	const char *text = json_str(json, "message");

	if (text && !json_bool(json, "ignoreLegacy", false))
		chat(r, identity, text);
	cJSON_Delete(json);
}

static void on_user(struct room *r, const char *identity,
		    const Livekit__UserPacket *u)
{
	if (str_eq(u->topic, "lk-chat-topic"))
		old_chat(r, identity, u);
	else if (r->ops.on_data)
		r->ops.on_data(r->arg, identity, u->topic ? u->topic : "",
			       u->payload.data, u->payload.len);
}

/* No method is offered; a caller must hear that at once, not time out. */
static void refuse_rpc(struct room *r, const char *identity,
		       const Livekit__RpcRequest *req)
{
	Livekit__RpcAck ack = LIVEKIT__RPC_ACK__INIT;
	Livekit__RpcError error = LIVEKIT__RPC_ERROR__INIT;
	Livekit__RpcResponse res = LIVEKIT__RPC_RESPONSE__INIT;
	Livekit__DataPacket pkt = LIVEKIT__DATA_PACKET__INIT;
	char *to[] = { (char *)identity };

	pkt.n_destination_identities = 1;
	pkt.destination_identities = to;
	ack.request_id = req->id;
	pkt.value_case = LIVEKIT__DATA_PACKET__VALUE_RPC_ACK;
	pkt.rpc_ack = &ack;
	(void)data_send(r, &pkt, true);
	error.code = RPC_UNSUPPORTED_METHOD;
	error.message = "Method not supported at destination";
	res.request_id = req->id;
	res.value_case = LIVEKIT__RPC_RESPONSE__VALUE_ERROR;
	res.error = &error;
	pkt.value_case = LIVEKIT__DATA_PACKET__VALUE_RPC_RESPONSE;
	pkt.rpc_response = &res;
	(void)data_send(r, &pkt, true);
}

static void on_packet(struct room *r, const Livekit__DataPacket *pkt)
{
	const char *who = pkt->participant_identity;
	int64_t now_ms = clock_now_ms(loop_clock(r->loop));
	char key;

	switch (pkt->value_case) {
	case LIVEKIT__DATA_PACKET__VALUE_USER:
		on_user(r, who, pkt->user);
		break;
	case LIVEKIT__DATA_PACKET__VALUE_SIP_DTMF:
		key = dtmf_key(pkt->sip_dtmf);
		if (key && r->ops.on_dtmf)
			r->ops.on_dtmf(r->arg, who, key);
		break;
	case LIVEKIT__DATA_PACKET__VALUE_CHAT_MESSAGE:
		if (!pkt->chat_message->deleted && !pkt->chat_message->generated)
			chat(r, who, pkt->chat_message->message);
		break;
	case LIVEKIT__DATA_PACKET__VALUE_RPC_REQUEST:
		refuse_rpc(r, who, pkt->rpc_request);
		break;
	case LIVEKIT__DATA_PACKET__VALUE_STREAM_HEADER:
		text_inbox_header(&r->inbox, pkt->participant_sid, who,
				  pkt->stream_header, now_ms);
		break;
	case LIVEKIT__DATA_PACKET__VALUE_STREAM_CHUNK:
		text_inbox_chunk(&r->inbox, pkt->participant_sid,
				 pkt->stream_chunk, now_ms);
		break;
	case LIVEKIT__DATA_PACKET__VALUE_STREAM_TRAILER:
		text_inbox_trailer(&r->inbox, pkt->participant_sid,
				   pkt->stream_trailer);
		break;
	default:
		break;
	}
}

void data_on_message(struct room *r, bool reliable, const uint8_t *p, size_t n)
{
	Livekit__DataPacket *pkt = livekit__data_packet__unpack(NULL, n, p);

	assert(r->depth > 0);
	if (!pkt)
		return;
	if (!reliable ||
	    !seen_before(r, pkt->participant_sid, pkt->sequence))
		on_packet(r, pkt);
	livekit__data_packet__free_unpacked(pkt, NULL);
}
