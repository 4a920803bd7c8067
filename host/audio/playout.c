/*
 * What we say, from the feed ring to one packet a beat. An utterance sits in
 * a slot from the moment its BEGIN is read (or its cut arrives, whichever is
 * first) until its ENDED has been told. Orders overtake the feed: a cut says
 * how many messages had been fed when it was given. Media thread; never allocates after
 * create.
 */
#include "audio/playout_int.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "audio/ahead_int.h"
#include "audio/encode_int.h"
#include "audio/line_int.h"
#include "base/err.h"

enum {
	SLOTS = PLAYOUT_SLOTS + 1,
	NONE = -1,
	SILENT = 127,           /* RFC 6464 */
	VOICE_LEVEL = 60,       /* louder frames carry the V bit */
	FADE_IN = AUDIO_OUT_FRAME / 2,
};

struct slot {
	uint32_t id;      /* 0: free */
	uint32_t last_id; /* the one that was here before */
	uint64_t void_before; /* messages up to there were cut unread */
	uint64_t heard;   /* samples sent */
	bool started;
	bool over;        /* ENDED is to be told */
	bool cut;
};

struct playout {
	struct ring *feed;      /* immutable, as note and arg */
	playout_note_h *note;
	void *arg;
	const uint8_t *silence;
	size_t silence_len;

	struct slot slots[SLOTS];
	int fill_slot;          /* whose stream is being read, or NONE */
	int play_slot;          /* whose frame was sent last, or NONE */
	const struct audio_line *filler; /* being read into frames, or NULL */
	size_t filler_at;

	bool paused;
	bool sounding;          /* the last packet was not silence */
	bool fade_out;          /* fade.pcm leaves in this beat */
	bool fade_in;           /* the next frame rises */
	bool dry;               /* counted as underrun already */

	uint64_t reads;         /* messages taken from the feed, ever */
	size_t part_n;          /* samples of fill_slot, not yet a frame */
	int16_t part[2 * AUDIO_OUT_FRAME];
	struct frame fade;
	struct ahead ahead;

	_Atomic uint64_t consumed, underruns; /* [any] reads */
};

/* ---- life ------------------------------------------------------------------ */

int playout_create(struct playout **ret_playout, const struct audio_cfg *cfg,
		   struct ring *feed, playout_note_h *note, void *arg)
{
	struct playout *p = calloc(1, sizeof *p);

	if (!p)
		return -ENOMEM;
	int r = ahead_init(&p->ahead, cfg);
	if (r < 0) {
		playout_destroy(p);
		return r;
	}
	p->feed = feed;
	p->note = note;
	p->arg = arg;
	p->silence = encode_silence(&p->silence_len);
	p->fill_slot = p->play_slot = NONE;
	*ret_playout = p;
	return 0;
}

void playout_destroy(struct playout *p)
{
	if (!p)
		return;
	ahead_finish(&p->ahead);
	free(p);
}

static void consume(struct playout *p, int slot, uint64_t samples)
{
	if (slot != PLAYOUT_FILLER)
		atomic_fetch_add_explicit(&p->consumed, samples,
					  memory_order_relaxed);
}

static uint32_t heard_ms(const struct slot *s)
{
	return (uint32_t)(s->heard * 1000 / AUDIO_OUT_HZ);
}

/* ---- ends --------------------------------------------------------------------- */

static void tell_end(struct playout *p, int slot)
{
	struct slot *s = &p->slots[slot];

	if (p->note(p->arg, AUDIO_ENDED, s->id, heard_ms(s), s->cut) < 0)
		return; /* again in the next beat */
	s->last_id = s->id;
	s->id = 0;
	s->over = false;
}

static void finish(struct playout *p, int slot, bool cut)
{
	struct slot *s = &p->slots[slot];

	assert(s->id && !s->over);
	s->over = true;
	s->cut = cut;
	if (p->fill_slot == slot)
		p->fill_slot = NONE;
	if (p->play_slot == slot)
		p->play_slot = NONE;
	p->dry = false;
	tell_end(p, slot);
}

static void tell_ends(struct playout *p)
{
	for (int i = 0; i < SLOTS; i++)
		if (p->slots[i].over)
			tell_end(p, i);
}

/* ---- making frames ahead -------------------------------------------------------- */

static void flush_part(struct playout *p, size_t n)
{
	assert(p->fill_slot != NONE && n <= p->part_n);
	ahead_add_pcm(&p->ahead, (uint8_t)p->fill_slot, p->part, n);
	p->part_n -= n;
	memmove(p->part, p->part + n, p->part_n * sizeof *p->part);
}

static void take_slot(struct slot *s, uint32_t utterance)
{
	/* The loop gives a slot again only after it was told of the end. */
	assert(!s->id);
	*s = (struct slot){ .id = utterance, .void_before = s->void_before };
}

static void take_begin(struct playout *p, const struct feed *f)
{
	assert(!p->part_n);
	take_slot(&p->slots[f->slot], f->utterance);
	p->fill_slot = f->slot;
	p->ahead.fresh_line = true;
}

static void take_end(struct playout *p, int slot)
{
	struct frame *newest = ahead_at(&p->ahead, p->ahead.n - 1);

	if (p->part_n) {
		flush_part(p, p->part_n);
		newest = ahead_at(&p->ahead, p->ahead.n - 1);
	}
	p->fill_slot = NONE;
	if (newest && newest->slot == slot)
		newest->last = true;
	else
		finish(p, slot, false);
}

static void take_packet(struct playout *p, const struct feed *f,
			const uint8_t *opus)
{
	if (p->part_n)
		flush_part(p, p->part_n);
	ahead_add_packet(&p->ahead, f->slot, opus, f->n);
}

struct message {
	struct feed head;
	union {
		int16_t pcm[AUDIO_OUT_FRAME];
		uint8_t opus[AUDIO_PACKET_MAX];
	} body;
};

static void take(struct playout *p, const struct message *m)
{
	const struct feed *f = &m->head;
	struct slot *s = &p->slots[f->slot];

	assert(f->slot < PLAYOUT_SLOTS);
	if (p->reads++ < s->void_before) {
		if (f->type == FEED_PCM)
			consume(p, f->slot, f->n);
		else if (f->type == FEED_PACKET)
			consume(p, f->slot, AUDIO_OUT_FRAME);
		return;
	}
	assert(f->type == FEED_BEGIN || (s->id == f->utterance && !s->over));
	switch (f->type) {
	case FEED_BEGIN:
		take_begin(p, f);
		break;
	case FEED_PCM:
		memcpy(p->part + p->part_n, m->body.pcm,
		       f->n * sizeof *p->part);
		p->part_n += f->n;
		break;
	case FEED_PACKET:
		take_packet(p, f, m->body.opus);
		break;
	case FEED_END:
		take_end(p, f->slot);
		break;
	}
}

static void fill_filler(struct playout *p)
{
	size_t len;
	const uint8_t *opus = line_packet(p->filler, p->filler_at++, &len);

	ahead_add_packet(&p->ahead, PLAYOUT_FILLER, opus, len);
	if (p->filler_at < line_packets(p->filler))
		return;
	ahead_at(&p->ahead, p->ahead.n - 1)->last = true;
	p->filler = NULL;
}

bool playout_fill(struct playout *p)
{
	struct message m;
	int before = p->ahead.n;

	/* Two at once happen: a part that is flushed before a packet. */
	if (before > AHEAD_FRAMES - 2)
		return false;
	while (p->ahead.n == before) {
		if (p->part_n >= AUDIO_OUT_FRAME)
			flush_part(p, AUDIO_OUT_FRAME);
		else if (p->filler)
			fill_filler(p);
		else if (ring_read(p->feed, &m, sizeof m) > 0)
			take(p, &m);
		else
			return false;
	}
	return true;
}

/* ---- fades ------------------------------------------------------------------------- */

/* The next 20 ms of what sounds now, falling to nothing. They do not count as
 * heard and are not taken: a resume begins with the same 20 ms, rising. */
static void start_fade(struct playout *p)
{
	struct frame *next;

	if (!p->sounding || p->fade_out || p->play_slot == NONE)
		return;
	if (!p->ahead.n)
		playout_fill(p);
	next = ahead_at(&p->ahead, 0);
	memset(p->fade.pcm, 0, sizeof p->fade.pcm);
	if (next && next->slot == p->play_slot)
		memcpy(p->fade.pcm, next->pcm, sizeof p->fade.pcm);
	else if (!next && p->part_n && p->fill_slot == p->play_slot)
		memcpy(p->fade.pcm, p->part, p->part_n * sizeof *p->part);
	else
		return; /* its audio has all left: nothing to fade */
	for (int i = 0; i < AUDIO_OUT_FRAME; i++)
		p->fade.pcm[i] = (int16_t)(p->fade.pcm[i] *
			(AUDIO_OUT_FRAME - i) / AUDIO_OUT_FRAME);
	p->fade_out = true;
}

static struct frame *risen(struct playout *p, const struct frame *f)
{
	memcpy(p->fade.pcm, f->pcm, sizeof p->fade.pcm);
	for (int i = 0; i < FADE_IN; i++)
		p->fade.pcm[i] = (int16_t)(p->fade.pcm[i] * i / FADE_IN);
	ahead_make(&p->ahead, &p->fade);
	return &p->fade;
}

/* ---- orders ------------------------------------------------------------------------- */

void playout_pause(struct playout *p)
{
	if (p->paused)
		return;
	start_fade(p);
	p->paused = true;
}

void playout_resume(struct playout *p)
{
	if (!p->paused)
		return;
	p->paused = false;
	p->fade_in = p->play_slot != NONE;
}

/* The slot of what plays, or plays next; NONE when there is nothing. */
static int current_slot(const struct playout *p)
{
	if (p->play_slot != NONE)
		return p->play_slot;
	if (p->ahead.n)
		return p->ahead.frames[p->ahead.head].slot;
	if (p->filler)
		return PLAYOUT_FILLER;
	return p->fill_slot;
}

/* A cut that came before its utterance: told at once. */
static void cut_unseen(struct playout *p, int slot, uint32_t utterance)
{
	if (p->slots[slot].last_id == utterance || slot == PLAYOUT_FILLER)
		return; /* ended by itself; the news is on its way */
	take_slot(&p->slots[slot], utterance);
	finish(p, slot, true);
}

bool playout_cut(struct playout *p, uint8_t slot, uint32_t utterance,
		 uint64_t fed)
{
	assert(slot < SLOTS && utterance);
	struct slot *s = &p->slots[slot];

	/* What the feed still holds for this slot is of this utterance, or
	 * of others that were cut before it. */
	s->void_before = fed;
	if (s->id != utterance) {
		cut_unseen(p, slot, utterance);
		return false;
	}
	if (s->over)
		return false;
	bool current = current_slot(p) == slot;

	if (p->play_slot == slot && !p->paused)
		start_fade(p);
	consume(p, slot, ahead_drop(&p->ahead, slot));
	if (p->fill_slot == slot) {
		consume(p, slot, p->part_n);
		p->part_n = 0;
	}
	if (slot == PLAYOUT_FILLER)
		p->filler = NULL;
	if (current) {
		p->paused = false;
		p->fade_in = false;
	}
	finish(p, slot, true);
	return current;
}

void playout_filler(struct playout *p, uint32_t utterance,
		    const struct audio_line *line)
{
	struct slot *s = &p->slots[PLAYOUT_FILLER];

	assert(!playout_busy(p));
	take_slot(s, utterance);
	p->filler = line;
	p->filler_at = 0;
	p->ahead.fresh_line = true;
}

uint32_t playout_filler_id(const struct playout *p)
{
	const struct slot *s = &p->slots[PLAYOUT_FILLER];

	return s->over ? 0 : s->id;
}

bool playout_busy(struct playout *p)
{
	if (current_slot(p) == NONE)
		playout_fill(p); /* the feed may hold but the rest of a cut */
	return current_slot(p) != NONE || p->slots[PLAYOUT_FILLER].id;
}

uint32_t playout_current(const struct playout *p, uint32_t *ret_heard_ms)
{
	int slot = current_slot(p);

	*ret_heard_ms = slot == NONE ? 0 : heard_ms(&p->slots[slot]);
	return slot == NONE ? 0 : p->slots[slot].id;
}

/* ---- the beat ------------------------------------------------------------------------ */

static void put_frame(struct playout *p, const struct frame *f,
		      struct audio_packet *out)
{
	out->opus = f->opus;
	out->len = f->len;
	out->level = f->level;
	out->voice = f->level < VOICE_LEVEL;
	out->marker = !p->sounding;
	p->ahead.wire_mark = f->mark;
	p->sounding = true;
	p->dry = false;
}

static void put_silence(struct playout *p, struct audio_packet *out)
{
	out->opus = p->silence;
	out->len = p->silence_len;
	out->level = SILENT;
	p->ahead.wire_mark = 0;
	p->sounding = false;
}

static void play_next(struct playout *p, struct audio_packet *out)
{
	struct frame *f = ahead_take(&p->ahead);
	struct slot *s = &p->slots[f->slot];

	put_frame(p, p->fade_in ? risen(p, f) : f, out);
	p->fade_in = false;
	p->play_slot = f->slot;
	consume(p, f->slot, f->samples);
	s->heard += f->samples;
	if (!s->started) {
		s->started = true;
		/* Lost when the ring is full: the loop then learns of this
		 * utterance only by its end. */
		(void)p->note(p->arg, AUDIO_STARTED, s->id, 0, false);
	}
	if (f->last)
		finish(p, f->slot, false);
}

static void note_dry(struct playout *p)
{
	if (p->paused || p->play_slot == NONE || p->dry)
		return;
	p->dry = true;
	p->fade_in = true; /* the next audio comes after silence */
	atomic_fetch_add_explicit(&p->underruns, 1, memory_order_relaxed);
}

void playout_next(struct playout *p, struct audio_packet *out)
{
	memset(out, 0, sizeof *out);
	tell_ends(p);
	if (p->fade_out) {
		p->fade_out = false;
		ahead_make(&p->ahead, &p->fade);
		put_frame(p, &p->fade, out);
		return;
	}
	if (!p->paused && !p->ahead.n)
		playout_fill(p);
	if (!p->paused && p->ahead.n) {
		play_next(p, out);
		return;
	}
	note_dry(p);
	put_silence(p, out);
}

uint64_t playout_consumed(const struct playout *p)
{
	return atomic_load_explicit(&p->consumed, memory_order_relaxed);
}

uint64_t playout_underruns(const struct playout *p)
{
	return atomic_load_explicit(&p->underruns, memory_order_relaxed);
}
