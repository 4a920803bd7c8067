/*
 * Text streams coming in: headers, chunks and trailers become whole texts.
 * Knows nothing of rooms; fed by data.c and by the fuzzer.
 */
#ifndef FD_LIVEKIT_TEXT_INT_H
#define FD_LIVEKIT_TEXT_INT_H

#include "base/clock.h"
#include "livekit/proto_int.h"

/* whole: the stream is complete. attrs ends with key NULL. */
typedef void (text_h)(void *arg, const char *identity, const char *topic,
		      const char *text, const struct lk_pair *attrs, bool whole);

struct text_in {
	struct text_in *next;
	char *sender, *identity, *id, *topic;
	struct lk_pair *attrs;
	uint64_t next_chunk;
	struct buf text;
	int64_t touched_ms;
};

struct text_inbox {
	struct text_in *open;
	size_t n_open;
	text_h *fn;
	void *arg;
};

void text_inbox_init(struct text_inbox *box, text_h *fn, void *arg);
void text_inbox_finish(struct text_inbox *box);
/* sender: the sid of who really sent it. identity: in whose name; the server
 * leaves that of an agent speaking on behalf of somebody in the header only,
 * so that a stream is known by its sender and id. */
void text_inbox_header(struct text_inbox *box, const char *sender,
		       const char *identity,
		       const Livekit__DataStream__Header *h, int64_t now_ms);
void text_inbox_chunk(struct text_inbox *box, const char *sender,
		      const Livekit__DataStream__Chunk *c, int64_t now_ms);
void text_inbox_trailer(struct text_inbox *box, const char *sender,
			const Livekit__DataStream__Trailer *t);
/* Its streams will not be finished. */
void text_inbox_left(struct text_inbox *box, const char *sender);

#endif
