/*
 * A short queue of frames encoded before their beat. Encoder and far decoder
 * must walk in step: whenever the packet that will precede a frame on the
 * wire is not the encoder's latest, the encoder starts anew, so that the
 * frame leans on nothing the other side has not heard. Media thread; never
 * allocates after init.
 */
#include "audio/ahead_int.h"

#include <assert.h>
#include <string.h>

#include <opus/opus.h>

#include "audio/encode_int.h"
#include "audio/level_int.h"
#include "base/err.h"

int ahead_init(struct ahead *a, const struct audio_cfg *cfg)
{
	int opus_error;

	memset(a, 0, sizeof *a);
	a->decoder = opus_decoder_create(AUDIO_OUT_HZ, 1, &opus_error);
	if (!a->decoder)
		return -ENOMEM;
	return encode_create(&a->encode, cfg->opus_complexity,
			     cfg->opus_bitrate);
}

void ahead_finish(struct ahead *a)
{
	if (a->decoder)
		opus_decoder_destroy(a->decoder);
	encode_destroy(a->encode);
	a->decoder = NULL;
	a->encode = NULL;
}

struct frame *ahead_at(struct ahead *a, int i)
{
	if (i < 0 || i >= a->n)
		return NULL;
	return &a->frames[(a->head + i) % AHEAD_FRAMES];
}

static struct frame *append(struct ahead *a, uint8_t slot)
{
	assert(a->n < AHEAD_FRAMES);
	struct frame *f = &a->frames[(a->head + a->n) % AHEAD_FRAMES];

	f->slot = slot;
	f->last = false;
	f->mark = 0;
	return f;
}

static void encode_after(struct ahead *a, struct frame *f, uint32_t before)
{
	if (!before || before != a->mark)
		encode_reset(a->encode);
	f->len = (uint16_t)encode_frame(a->encode, f->pcm, f->opus);
	f->level = level_dbov(f->pcm, AUDIO_OUT_FRAME);
	if (++a->mark == 0)
		a->mark = 1;
	f->mark = a->mark;
}

void ahead_add_pcm(struct ahead *a, uint8_t slot, const int16_t *pcm, size_t n)
{
	struct frame *before = a->n ? ahead_at(a, a->n - 1) : NULL;
	struct frame *f = append(a, slot);

	assert(n <= AUDIO_OUT_FRAME);
	memcpy(f->pcm, pcm, n * sizeof *pcm);
	memset(f->pcm + n, 0, (AUDIO_OUT_FRAME - n) * sizeof *pcm);
	f->samples = (uint16_t)n;
	encode_after(a, f, before ? before->mark : a->wire_mark);
	a->n++;
}

void ahead_add_packet(struct ahead *a, uint8_t slot, const uint8_t *opus,
		      size_t len)
{
	struct frame *f = append(a, slot);

	assert(len && len <= AUDIO_PACKET_MAX);
	if (a->fresh_line)
		opus_decoder_ctl(a->decoder, OPUS_RESET_STATE);
	a->fresh_line = false;
	if (opus_decode(a->decoder, opus, (opus_int32)len, f->pcm,
			AUDIO_OUT_FRAME, 0) != AUDIO_OUT_FRAME)
		memset(f->pcm, 0, sizeof f->pcm);
	memcpy(f->opus, opus, len);
	f->len = (uint16_t)len;
	f->samples = AUDIO_OUT_FRAME;
	f->level = level_dbov(f->pcm, AUDIO_OUT_FRAME);
	a->n++;
}

void ahead_make(struct ahead *a, struct frame *f)
{
	encode_after(a, f, a->wire_mark);
}

struct frame *ahead_take(struct ahead *a)
{
	struct frame *f = ahead_at(a, 0);

	assert(f);
	a->head = (a->head + 1) % AHEAD_FRAMES;
	a->n--;
	return f;
}

uint32_t ahead_drop(struct ahead *a, uint8_t slot)
{
	uint32_t samples = 0;
	int kept = 0;

	for (int i = 0; i < a->n; i++) {
		struct frame *f = ahead_at(a, i);

		if (f->slot == slot) {
			samples += f->samples;
			continue;
		}
		if (kept != i)
			*ahead_at(a, kept) = *f;
		kept++;
	}
	a->n = kept;
	return samples;
}
