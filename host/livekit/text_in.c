/*
 * Text streams in. Everything a stranger sends is bounded: how many streams
 * may be open, how long a text may grow, how long a stream may be silent.
 * Byte streams are not kept. On the loop.
 */
#include "livekit/text_int.h"

#include <assert.h>
#include <stdlib.h>

#include "base/str.h"

#define MAX_OPEN 64
#define MAX_TEXT (1 << 20)
#define IDLE_MS 30000

void text_inbox_init(struct text_inbox *box, text_h *fn, void *arg)
{
	*box = (struct text_inbox){ .fn = fn, .arg = arg };
}

static void free_stream(struct text_in *s)
{
	free(s->sender);
	free(s->identity);
	free(s->id);
	free(s->topic);
	pairs_free(s->attrs);
	buf_free(&s->text);
	free(s);
}

void text_inbox_finish(struct text_inbox *box)
{
	while (box->open) {
		struct text_in *s = box->open;
		box->open = s->next;
		free_stream(s);
	}
	box->n_open = 0;
}

static struct text_in **find(struct text_inbox *box, const char *sender,
			     const char *id)
{
	struct text_in **at = &box->open;

	while (*at && !(str_eq((*at)->sender, sender) &&
			str_eq((*at)->id, id)))
		at = &(*at)->next;
	return at;
}

/* Takes it out of the list; the caller frees it. */
static struct text_in *take(struct text_inbox *box, struct text_in **at)
{
	struct text_in *s = *at;

	assert(box->n_open > 0);
	*at = s->next;
	box->n_open--;
	return s;
}

static void drop_idle(struct text_inbox *box, int64_t now_ms)
{
	for (struct text_in **at = &box->open; *at;) {
		if (now_ms - (*at)->touched_ms > IDLE_MS)
			free_stream(take(box, at));
		else
			at = &(*at)->next;
	}
}

static struct text_in *open_stream(struct text_inbox *box, const char *sender,
				   const char *identity,
				   const Livekit__DataStream__Header *h,
				   int64_t now_ms)
{
	struct lk_pair *view = proto_pairs((void **)h->attributes,
					   h->n_attributes);
	struct text_in *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->sender = str_dup(sender);
	s->identity = str_dup(identity);
	s->id = str_dup(h->stream_id);
	s->topic = str_dup(h->topic);
	s->attrs = pairs_copy(view);
	s->touched_ms = now_ms;
	s->next = box->open;
	box->open = s;
	box->n_open++;
	free(view);
	return s;
}

/* While it grows, half a character at its end is held back. */
static void tell(struct text_inbox *box, struct text_in *s, bool whole)
{
	const char *all = buf_str(&s->text);
	size_t n = whole ? s->text.len : utf8_whole(all, s->text.len);
	char *part = str_printf("%.*s", (int)n, all);
	char *text = utf8_clean(part);

	box->fn(box->arg, s->identity, s->topic, text, s->attrs, whole);
	free(text);
	free(part);
}

static void finish_at(struct text_inbox *box, struct text_in **at)
{
	struct text_in *s = take(box, at);

	tell(box, s, true);
	free_stream(s);
}

void text_inbox_header(struct text_inbox *box, const char *sender,
		       const char *identity,
		       const Livekit__DataStream__Header *h, int64_t now_ms)
{
	bool text = h->content_header_case ==
		    LIVEKIT__DATA_STREAM__HEADER__CONTENT_HEADER_TEXT_HEADER;
	bool inlined = h->inline_case ==
		       LIVEKIT__DATA_STREAM__HEADER__INLINE_INLINE_CONTENT;

	if (!text || str_blank(h->stream_id) ||
	    h->compression != LIVEKIT__DATA_STREAM__COMPRESSION_TYPE__NONE)
		return;
	drop_idle(box, now_ms);
	struct text_in **at = find(box, sender, h->stream_id);
	if (*at || (!inlined && box->n_open >= MAX_OPEN))
		return;
	open_stream(box, sender, identity, h, now_ms);
	if (!inlined)
		return;
	assert(box->open);
	if (h->inline_content.len <= MAX_TEXT)
		buf_add(&box->open->text, h->inline_content.data,
			h->inline_content.len);
	finish_at(box, &box->open);
}

void text_inbox_chunk(struct text_inbox *box, const char *sender,
		      const Livekit__DataStream__Chunk *c, int64_t now_ms)
{
	struct text_in **at = find(box, sender, c->stream_id);
	struct text_in *s = *at;

	if (!s || c->chunk_index < s->next_chunk)
		return; /* not ours, or one that came twice */
	if (s->text.len + c->content.len > MAX_TEXT ||
	    c->chunk_index > s->next_chunk) {
		free_stream(take(box, at)); /* too long, or a hole in it */
		return;
	}
	s->next_chunk++;
	s->touched_ms = now_ms;
	buf_add(&s->text, c->content.data, c->content.len);
	tell(box, s, false);
}

void text_inbox_trailer(struct text_inbox *box, const char *sender,
			const Livekit__DataStream__Trailer *t)
{
	struct text_in **at = find(box, sender, t->stream_id);

	if (!*at)
		return;
	if (!str_blank(t->reason)) {
		free_stream(take(box, at)); /* given up by its sender */
		return;
	}
	struct lk_pair *more = proto_pairs((void **)t->attributes,
					   t->n_attributes);
	for (size_t i = 0; more[i].key; i++)
		pairs_set(&(*at)->attrs, more[i].key, more[i].value);
	free(more);
	finish_at(box, at);
}

void text_inbox_left(struct text_inbox *box, const char *sender)
{
	for (struct text_in **at = &box->open; *at;) {
		if (str_eq((*at)->sender, sender))
			free_stream(take(box, at));
		else
			at = &(*at)->next;
	}
}
