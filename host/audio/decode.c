/*
 * Opus to 16 kHz mono in steps of 20 ms, whatever the sender's packet length.
 * What is lost is taken from the next packet's FEC or guessed by the decoder;
 * before silence the guess fades, so that nothing clicks. Media thread; never
 * allocates after create.
 */
#include "audio/decode_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <opus/opus.h>

#include "base/err.h"

enum {
	LONGEST = AUDIO_IN_FRAME * 6,         /* Opus: 120 ms a packet */
	FIFO = LONGEST + AUDIO_IN_FRAME,
	FADE_IN = AUDIO_IN_FRAME / 4,         /* 5 ms after zeros */
};

struct decode {
	OpusDecoder *opus;
	bool silent;             /* the last samples were zeros */
	uint64_t fec_used;
	size_t n;                /* in fifo */
	int16_t fifo[FIFO];
};

int decode_create(struct decode **ret_decode)
{
	struct decode *d = calloc(1, sizeof *d);
	int opus_error;

	if (!d)
		return -ENOMEM;
	d->opus = opus_decoder_create(AUDIO_IN_HZ, 1, &opus_error);
	if (!d->opus) {
		free(d);
		return -ENOMEM;
	}
	d->silent = true;
	*ret_decode = d;
	return 0;
}

void decode_destroy(struct decode *d)
{
	if (!d)
		return;
	if (d->opus)
		opus_decoder_destroy(d->opus);
	free(d);
}

uint64_t decode_fec_used(const struct decode *d)
{
	return d->fec_used;
}

bool decode_has_fec(const uint8_t *payload, size_t len)
{
	const unsigned char *frames[48];
	opus_int16 sizes[48];

	if (!len || payload[0] & 0x80) /* CELT only: no SILK, no copy */
		return false;
	int n = opus_packet_parse(payload, (opus_int32)len, NULL, frames,
				  sizes, NULL);
	if (n <= 0 || !sizes[0])
		return false;
	/* RFC 6716, 4.2.3: a VAD bit for each 20 ms, then the LBRR bit; the
	 * same again for the side channel. */
	int per_frame = opus_packet_get_samples_per_frame(payload, 48000);
	int vad_bits = per_frame <= 960 ? 1 : per_frame / 960;
	bool fec = frames[0][0] >> (7 - vad_bits) & 1;

	if (opus_packet_get_nb_channels(payload) == 2)
		fec |= frames[0][0] >> (6 - 2 * vad_bits) & 1;
	return fec;
}

/* Decodes (payload NULL: guesses) exactly want samples at most LONGEST. */
static int guess(struct decode *d, int16_t *out, int want)
{
	int n = opus_decode(d->opus, NULL, 0, out, want, 0);

	if (n != want)
		memset(out, 0, (size_t)want * sizeof *out);
	return want;
}

static int restore(struct decode *d, const struct jitter_out *o, int16_t *out)
{
	/* Opus wants multiples of 2.5 ms. */
	int want = o->samples / 120 * 40;

	if (!want)
		return 0;
	if (want > LONGEST)
		want = LONGEST;
	if (!decode_has_fec(o->payload, o->len))
		return guess(d, out, want);
	int n = opus_decode(d->opus, o->payload, (opus_int32)o->len, out,
			    want, 1);
	if (n != want)
		return guess(d, out, want);
	d->fec_used++;
	return n;
}

static int packet(struct decode *d, const struct jitter_out *o, int16_t *out)
{
	int n = opus_decode(d->opus, o->payload, (opus_int32)o->len, out,
			    LONGEST, 0);

	/* A damaged packet is a lost one. */
	return n > 0 ? n : guess(d, out, AUDIO_IN_FRAME);
}

static void ramp(int16_t *pcm, int n, int from, int to)
{
	for (int i = 0; i < n; i++)
		pcm[i] = (int16_t)(pcm[i] * (from + (to - from) * i / n) / 256);
}

/* Two frames become one that begins as a and ends as b. */
static int melt(struct decode *d, struct jitter *j, int64_t now_us, int16_t *a,
		int n)
{
	struct jitter_out next;
	int16_t b[LONGEST];

	jitter_get(j, now_us, false, &next);
	assert(next.what == JITTER_PACKET && n == AUDIO_IN_FRAME);
	if (packet(d, &next, b) != n)
		return n;
	ramp(a, n, 256, 0);
	ramp(b, n, 0, 256);
	for (int i = 0; i < n; i++)
		a[i] = (int16_t)(a[i] + b[i]);
	return n;
}

static int silence(struct decode *d, int16_t *out)
{
	if (d->silent) {
		memset(out, 0, AUDIO_IN_FRAME * sizeof *out);
		return AUDIO_IN_FRAME;
	}
	guess(d, out, AUDIO_IN_FRAME);
	ramp(out, AUDIO_IN_FRAME, 256, 0);
	d->silent = true;
	return AUDIO_IN_FRAME;
}

/* One answer of the jitter buffer into out[LONGEST]; returns samples. */
static int step(struct decode *d, struct jitter *j, int64_t now_us,
		bool quiet, int16_t *out)
{
	struct jitter_out o;
	int n = 0;

	jitter_get(j, now_us, quiet, &o);
	if (o.reset) {
		opus_decoder_ctl(d->opus, OPUS_RESET_STATE);
		d->silent = true;
	}
	switch (o.what) {
	case JITTER_SILENCE:
		return silence(d, out);
	case JITTER_LOST:
		n = guess(d, out, AUDIO_IN_FRAME);
		break;
	case JITTER_FEC:
		n = restore(d, &o, out);
		break;
	case JITTER_PACKET:
		n = packet(d, &o, out);
		if (o.merge)
			n = melt(d, j, now_us, out, n);
		break;
	}
	if (d->silent && n)
		ramp(out, n < FADE_IN ? n : FADE_IN, 0, 256);
	d->silent = false;
	return n;
}

void decode_pull(struct decode *d, struct jitter *j, int64_t now_us,
		 bool quiet, int16_t *out)
{
	while (d->n < AUDIO_IN_FRAME) {
		/* What is asked for now will be heard behind what waits. */
		int64_t at_us = now_us + (int64_t)d->n * 1000000 / AUDIO_IN_HZ;

		d->n += (size_t)step(d, j, at_us, quiet, d->fifo + d->n);
		assert(d->n <= FIFO);
	}
	memcpy(out, d->fifo, AUDIO_IN_FRAME * sizeof *out);
	d->n -= AUDIO_IN_FRAME;
	memmove(d->fifo, d->fifo + AUDIO_IN_FRAME, d->n * sizeof *out);
}
