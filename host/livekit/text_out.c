/*
 * Text streams out: header, chunks of at most 15,000 bytes that end on whole
 * characters, trailer. A stream that is open when the room is rejoined starts
 * again with all its text: the other side knows nothing of the old session.
 * On the loop.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "livekit/room_int.h"

#define CHUNK_BYTES 15000

struct room_text {
	struct room_text *next;
	struct room *r;         /* NULL: the room has gone */
	char *topic, *as_identity, *id;
	struct lk_pair *attrs;
	struct buf text;        /* all so far */
	size_t sent;            /* bytes of it on their way */
	uint64_t chunk;
	uint32_t session;       /* of the room, when the header was sent */
};

static int send_packet(struct room_text *t, Livekit__DataPacket *pkt)
{
	pkt->participant_identity = t->as_identity;
	return data_send(t->r, pkt, true);
}

static int send_header(struct room_text *t)
{
	Livekit__DataStream__TextHeader text =
		LIVEKIT__DATA_STREAM__TEXT_HEADER__INIT;
	Livekit__DataStream__Header h = LIVEKIT__DATA_STREAM__HEADER__INIT;
	Livekit__DataPacket pkt = LIVEKIT__DATA_PACKET__INIT;
	struct proto_map map;

	free(t->id);
	t->id = random_id("STR_", 16);
	proto_map_init(&map,
		&livekit__data_stream__header__attributes_entry__descriptor,
		t->attrs);
	h.stream_id = t->id;
	h.timestamp = clock_wall_ms();
	h.topic = t->topic;
	h.mime_type = "text/plain";
	h.n_attributes = map.n;
	h.attributes = (void *)map.ptrs;
	h.content_header_case =
		LIVEKIT__DATA_STREAM__HEADER__CONTENT_HEADER_TEXT_HEADER;
	h.text_header = &text;
	pkt.value_case = LIVEKIT__DATA_PACKET__VALUE_STREAM_HEADER;
	pkt.stream_header = &h;
	int err = send_packet(t, &pkt);
	proto_map_free(&map);
	if (err >= 0) {
		t->session = t->r->data.session;
		t->chunk = 0;
		t->sent = 0;
	}
	return err;
}

static int send_chunk(struct room_text *t, size_t n)
{
	Livekit__DataStream__Chunk c = LIVEKIT__DATA_STREAM__CHUNK__INIT;
	Livekit__DataPacket pkt = LIVEKIT__DATA_PACKET__INIT;

	assert(t->sent + n <= t->text.len);
	c.stream_id = t->id;
	c.chunk_index = t->chunk;
	c.content.data = t->text.p + t->sent;
	c.content.len = n;
	pkt.value_case = LIVEKIT__DATA_PACKET__VALUE_STREAM_CHUNK;
	pkt.stream_chunk = &c;
	int err = send_packet(t, &pkt);
	if (err >= 0) {
		t->chunk++;
		t->sent += n;
	}
	return err;
}

/* Sends what is whole; half a character waits for its other half. */
static int flush(struct room_text *t)
{
	int err = 0;

	if (!t->r)
		return ERR_GONE;
	if (t->session != t->r->data.session)
		err = send_header(t);
	while (err >= 0 && t->sent < t->text.len) {
		const char *at = (const char *)t->text.p + t->sent;
		size_t left = t->text.len - t->sent;
		size_t n = utf8_whole(at, left < CHUNK_BYTES ? left :
								CHUNK_BYTES);
		if (!n)
			break;
		err = send_chunk(t, n);
	}
	return err;
}

int room_text_open(struct room_text **ret_text, struct room *r,
		   const char *topic, const char *as_identity,
		   const struct lk_pair *attrs)
{
	ON_LOOP();
	struct room_text *t = calloc(1, sizeof *t);

	if (!t)
		return -ENOMEM;
	t->r = r;
	t->topic = utf8_clean(topic);
	t->as_identity = utf8_clean(as_identity ? as_identity : "");
	t->attrs = pairs_copy(attrs);
	t->next = r->texts;
	r->texts = t;
	int err = send_header(t);
	/* between two sessions: the header goes with the first words */
	if (err == -ENOTCONN) {
		t->session = r->data.session - 1;
		err = 0;
	}
	if (err < 0) {
		t->r = NULL;
		r->texts = t->next;
		room_text_close(t, NULL);
		return err;
	}
	*ret_text = t;
	return 0;
}

int room_text_write(struct room_text *t, const char *text)
{
	ON_LOOP();
	if (!t->r)
		return ERR_GONE;
	buf_puts(&t->text, text);
	return flush(t);
}

static void send_trailer(struct room_text *t, const struct lk_pair *attrs)
{
	Livekit__DataStream__Trailer tr = LIVEKIT__DATA_STREAM__TRAILER__INIT;
	Livekit__DataPacket pkt = LIVEKIT__DATA_PACKET__INIT;
	struct lk_pair *clean = pairs_copy(attrs);
	struct proto_map map;

	proto_map_init(&map,
		&livekit__data_stream__trailer__attributes_entry__descriptor,
		clean);
	tr.stream_id = t->id;
	tr.n_attributes = map.n;
	tr.attributes = (void *)map.ptrs;
	pkt.value_case = LIVEKIT__DATA_PACKET__VALUE_STREAM_TRAILER;
	pkt.stream_trailer = &tr;
	(void)send_packet(t, &pkt);
	proto_map_free(&map);
	pairs_free(clean);
}

static void forget(struct room_text *t)
{
	struct room_text **at = t->r ? &t->r->texts : NULL;

	while (at && *at != t)
		at = &(*at)->next;
	if (at)
		*at = t->next;
	free(t->topic);
	free(t->as_identity);
	free(t->id);
	pairs_free(t->attrs);
	buf_free(&t->text);
	free(t);
}

void room_text_close(struct room_text *t, const struct lk_pair *attrs)
{
	ON_LOOP();
	if (!t)
		return;
	if (t->r && flush(t) >= 0)
		send_trailer(t, attrs);
	forget(t);
}

int room_text_send(struct room *r, const char *topic, const char *as_identity,
		   const struct lk_pair *attrs, const char *text)
{
	struct room_text *t;

	int err = room_text_open(&t, r, topic, as_identity, attrs);
	if (err < 0)
		return err;
	char *clean = utf8_clean(text);
	err = room_text_write(t, clean);
	free(clean);
	room_text_close(t, NULL);
	return err;
}

void text_orphan(struct room *r)
{
	for (struct room_text *t = r->texts; t; t = t->next)
		t->r = NULL;
	r->texts = NULL;
}
