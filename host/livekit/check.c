/*
 * For fuzzers: what strangers send, through the code that reads it, without
 * a room around it.
 */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "livekit/room_int.h"

static void ignore_text(void *arg, const char *identity, const char *topic,
			const char *text, const struct lk_pair *attrs,
			bool whole)
{
	/* every byte is looked at, so that a sanitizer sees wrong ones */
	size_t *sum = arg;

	(void)whole;
	*sum += strlen(identity) + strlen(topic) + strlen(text) +
		pairs_count(attrs);
}

int livekit_packet_check(const uint8_t *p, size_t n)
{
	Livekit__DataPacket *pkt = livekit__data_packet__unpack(NULL, n, p);
	struct text_inbox box;
	size_t sum = 0;

	if (!pkt)
		return ERR_PROTOCOL;
	const char *who = pkt->participant_identity;
	const char *sid = pkt->participant_sid;
	text_inbox_init(&box, ignore_text, &sum);
	switch (pkt->value_case) {
	case LIVEKIT__DATA_PACKET__VALUE_SIP_DTMF:
		sum += (size_t)dtmf_key(pkt->sip_dtmf);
		break;
	case LIVEKIT__DATA_PACKET__VALUE_STREAM_HEADER:
		/* twice: the second must find the first */
		text_inbox_header(&box, sid, who, pkt->stream_header, 0);
		text_inbox_header(&box, sid, who, pkt->stream_header, 1);
		break;
	case LIVEKIT__DATA_PACKET__VALUE_STREAM_CHUNK: {
		Livekit__DataStream__Header h = LIVEKIT__DATA_STREAM__HEADER__INIT;
		h.stream_id = pkt->stream_chunk->stream_id;
		h.content_header_case =
			LIVEKIT__DATA_STREAM__HEADER__CONTENT_HEADER_TEXT_HEADER;
		text_inbox_header(&box, sid, who, &h, 0);
		text_inbox_chunk(&box, sid, pkt->stream_chunk, 0);
		break;
	}
	case LIVEKIT__DATA_PACKET__VALUE_STREAM_TRAILER:
		text_inbox_trailer(&box, sid, pkt->stream_trailer);
		break;
	default:
		break;
	}
	text_inbox_finish(&box);
	livekit__data_packet__free_unpacked(pkt, NULL);
	return 0;
}

static void ignore_participant(void *arg, const struct room_participant *p,
			       enum room_change change)
{
	size_t *sum = arg;

	(void)change;
	*sum += strlen(p->identity) + strlen(p->sid);
}

int livekit_signal_check(const uint8_t *p, size_t n)
{
	Livekit__SignalResponse *m = livekit__signal_response__unpack(NULL, n, p);
	struct participants who;
	size_t sum = 0;

	if (!m)
		return ERR_PROTOCOL;
	participants_init(&who, ignore_participant, &sum);
	if (m->message_case == LIVEKIT__SIGNAL_RESPONSE__MESSAGE_JOIN)
		participants_reset(&who, m->join->other_participants,
				   m->join->n_other_participants);
	if (m->message_case == LIVEKIT__SIGNAL_RESPONSE__MESSAGE_UPDATE) {
		for (size_t i = 0; i < m->update->n_participants; i++)
			participants_apply(&who, m->update->participants[i]);
	}
	if (m->message_case == LIVEKIT__SIGNAL_RESPONSE__MESSAGE_TRICKLE &&
	    m->trickle->candidateinit)
		cJSON_Delete(json_parse(m->trickle->candidateinit,
					strlen(m->trickle->candidateinit)));
	participants_finish(&who);
	livekit__signal_response__free_unpacked(m, NULL);
	return 0;
}
