/*
 * Utterances on the loop, in the order of their first audio. Only the first
 * unfinished one is fed, so the feed ring holds whole streams one after
 * another; what does not fit waits here. Loop thread: may allocate.
 */
#include "audio/say_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "audio/line_int.h"
#include "base/err.h"

enum { MOST_SECONDS = 120, NO_SLOT = -1 };

/* A run of audio as it was given. */
struct chunk {
	struct chunk *next;
	bool packets;      /* Opus in packed form, else PCM */
	size_t at, n;      /* samples, or bytes of packets */
	uint64_t samples;  /* still in it */
	_Alignas(8) uint8_t bytes[];
};

struct said {
	struct said *next;
	uint32_t id;
	int slot;
	bool begun;        /* BEGIN is in the feed */
	bool ended;        /* audio_say_end() was called */
	bool fed;          /* END is in the feed */
	bool cut;
	struct chunk *first, **last;
};

void say_init(struct say *s, struct ring *feed)
{
	memset(s, 0, sizeof *s);
	s->feed = feed;
}

static void drop_chunks(struct say *s, struct said *u)
{
	while (u->first) {
		struct chunk *c = u->first;

		s->dropped += c->samples;
		u->first = c->next;
		free(c);
	}
	u->last = &u->first;
}

static void note_over(struct say *s, uint32_t id)
{
	s->over[s->n_over++ % SAY_REMEMBERED] = id;
}

static void forget(struct say *s, struct said *u)
{
	struct said **at = &s->first;

	while (*at != u)
		at = &(*at)->next;
	*at = u->next;
	drop_chunks(s, u);
	if (u->slot != NO_SLOT)
		s->slots[u->slot] = false;
	note_over(s, u->id);
	free(u);
}

void say_finish(struct say *s)
{
	while (s->first)
		forget(s, s->first);
}

static struct said *find(const struct say *s, uint32_t id)
{
	for (struct said *u = s->first; u; u = u->next)
		if (u->id == id)
			return u;
	return NULL;
}

bool say_is_over(const struct say *s, uint32_t id)
{
	const struct said *u = find(s, id);

	if (u)
		return u->cut;
	for (size_t i = 0; i < SAY_REMEMBERED; i++)
		if (s->over[i] == id)
			return true;
	return false;
}

static struct said *find_or_add(struct say *s, uint32_t id)
{
	struct said *u = find(s, id), **at = &s->first;

	if (u)
		return u;
	u = calloc(1, sizeof *u);
	if (!u)
		return NULL;
	u->id = id;
	u->slot = NO_SLOT;
	u->last = &u->first;
	while (*at)
		at = &(*at)->next;
	*at = u;
	return u;
}

static int add_chunk(struct say *s, uint32_t id, const void *bytes, size_t size,
		     uint64_t samples, bool packets)
{
	struct chunk *c = malloc(sizeof *c + size);
	struct said *u = c ? find_or_add(s, id) : NULL;

	if (!u) {
		free(c);
		return -ENOMEM;
	}
	*c = (struct chunk){ .packets = packets, .samples = samples,
			     .n = packets ? size : samples };
	memcpy(c->bytes, bytes, size);
	*u->last = c;
	u->last = &c->next;
	s->queued += samples;
	say_pump(s);
	return 0;
}

static bool refuses(const struct say *s, uint32_t id)
{
	const struct said *u = find(s, id);

	return say_is_over(s, id) || (u && u->ended);
}

int say_pcm(struct say *s, uint32_t id, const int16_t *pcm, size_t n,
	    uint64_t unsent)
{
	assert(id);
	if (!n || refuses(s, id))
		return 0;
	if (unsent + n > (uint64_t)MOST_SECONDS * AUDIO_OUT_HZ)
		return ERR_FULL;
	return add_chunk(s, id, pcm, n * sizeof *pcm, n, false);
}

int say_line(struct say *s, uint32_t id, const struct audio_line *line,
	     uint64_t unsent)
{
	uint64_t samples = line_packets(line) * AUDIO_OUT_FRAME;
	size_t size;
	const uint8_t *bytes = line_bytes(line, &size);

	assert(id);
	if (refuses(s, id))
		return 0;
	if (unsent + samples > (uint64_t)MOST_SECONDS * AUDIO_OUT_HZ)
		return ERR_FULL;
	return add_chunk(s, id, bytes, size, samples, true);
}

bool say_end(struct say *s, uint32_t id)
{
	struct said *u = find(s, id);

	if (!u) {
		bool late = say_is_over(s, id);

		if (!late)
			note_over(s, id);
		return late;
	}
	u->ended = true;
	say_pump(s);
	return true;
}

enum say_cut say_cut(struct say *s, uint32_t id, uint8_t *ret_slot)
{
	struct said *u = find(s, id);

	if (!u) {
		note_over(s, id);
		return SAY_UNKNOWN;
	}
	drop_chunks(s, u);
	if (!u->begun) {
		forget(s, u);
		return SAY_WAITING;
	}
	u->cut = true;
	*ret_slot = (uint8_t)u->slot;
	return SAY_FED;
}

uint32_t say_any(const struct say *s)
{
	for (const struct said *u = s->first; u; u = u->next)
		if (!u->cut)
			return u->id;
	return 0;
}

void say_ended(struct say *s, uint32_t id)
{
	struct said *u = find(s, id);

	if (u)
		forget(s, u);
	else
		note_over(s, id); /* a filler */
	say_pump(s);
}

/* ---- feeding ---------------------------------------------------------------- */

static bool feed(struct say *s, const struct said *u, enum feed_type type,
		 size_t n, const void *body, size_t size)
{
	const struct feed head = { .type = (uint8_t)type,
				   .slot = (uint8_t)u->slot,
				   .n = (uint16_t)n, .utterance = u->id };

	if (ring_write(s->feed, &head, sizeof head, body, size) < 0)
		return false;
	s->fed++;
	return true;
}

static bool feed_some(struct say *s, const struct said *u, struct chunk *c)
{
	if (!c->packets) {
		size_t n = c->n - c->at;

		if (n > AUDIO_OUT_FRAME)
			n = AUDIO_OUT_FRAME;
		if (!feed(s, u, FEED_PCM, n, c->bytes + c->at * 2, n * 2))
			return false;
		c->at += n;
		c->samples -= n;
		return true;
	}
	const uint8_t *p = c->bytes + c->at;
	size_t len = (size_t)p[0] << 8 | p[1];

	if (!feed(s, u, FEED_PACKET, len, p + 2, len))
		return false;
	c->at += len + 2;
	c->samples -= AUDIO_OUT_FRAME;
	return true;
}

static bool feed_chunks(struct say *s, struct said *u)
{
	while (u->first) {
		struct chunk *c = u->first;

		while (c->at < c->n)
			if (!feed_some(s, u, c))
				return false;
		u->first = c->next;
		if (!u->first)
			u->last = &u->first;
		assert(!c->samples);
		free(c);
	}
	return true;
}

static bool begin(struct say *s, struct said *u)
{
	if (u->begun)
		return true;
	for (u->slot = 0; u->slot < PLAYOUT_SLOTS; u->slot++)
		if (!s->slots[u->slot])
			break;
	if (u->slot == PLAYOUT_SLOTS || !feed(s, u, FEED_BEGIN, 0, NULL, 0)) {
		u->slot = NO_SLOT;
		return false;
	}
	s->slots[u->slot] = true;
	u->begun = true;
	return true;
}

void say_pump(struct say *s)
{
	s->waiting = true;
	for (struct said *u = s->first; u; u = u->next) {
		if (u->cut || u->fed)
			continue;
		if (!begin(s, u) || !feed_chunks(s, u))
			return;
		if (!u->ended)
			break; /* more of this one comes before the next */
		if (!feed(s, u, FEED_END, 0, NULL, 0))
			return;
		u->fed = true;
	}
	s->waiting = false;
}
