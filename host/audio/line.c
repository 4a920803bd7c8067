/*
 * Stored lines: 20 ms Opus packets in one packed run of bytes (u16 big-endian
 * length, bytes, ...), checked once when read, so that the beat may trust
 * every packet of them. Any thread; a line never changes after it was made.
 */
#include "audio/line_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <opus/opus.h>

#include "audio/encode_int.h"
#include "base/buf.h"
#include "base/err.h"

enum { LINE_PACKETS_MAX = 60 * 50 }; /* a minute: lines are sentences */

struct audio_line {
	uint8_t *bytes;
	size_t size;
	uint32_t *at; /* where packet i begins, after its length */
	size_t n;
};

static size_t length_at(const uint8_t *p)
{
	return (size_t)p[0] << 8 | p[1];
}

/* Packets in the packed form, or ERR_PROTOCOL when any is not 20 ms of Opus. */
static int count_packets(const uint8_t *p, size_t size)
{
	int n = 0;

	for (size_t i = 0; i < size; n++) {
		if (size - i < 2)
			return ERR_PROTOCOL;
		size_t len = length_at(p + i);
		i += 2;
		if (!len || len > AUDIO_PACKET_MAX || len > size - i)
			return ERR_PROTOCOL;
		if (opus_packet_get_nb_samples(p + i, (opus_int32)len, 48000) !=
		    AUDIO_RTP_STEP)
			return ERR_PROTOCOL;
		i += len;
		if (n == LINE_PACKETS_MAX)
			return ERR_PROTOCOL;
	}
	return n ? n : ERR_PROTOCOL;
}

int audio_line_create(struct audio_line **ret_line, const uint8_t *packed,
		      size_t n)
{
	int packets = count_packets(packed, n);

	if (packets < 0)
		return packets;
	struct audio_line *l = calloc(1, sizeof *l);
	if (!l)
		return -ENOMEM;
	l->bytes = malloc(n);
	l->at = calloc((size_t)packets, sizeof *l->at);
	if (!l->bytes || !l->at) {
		audio_line_destroy(l);
		return -ENOMEM;
	}
	memcpy(l->bytes, packed, n);
	l->size = n;
	for (size_t i = 0; i < n; i += length_at(l->bytes + i) + 2)
		l->at[l->n++] = (uint32_t)i + 2;
	assert(l->n == (size_t)packets);
	*ret_line = l;
	return 0;
}

int audio_line_encode(struct audio_line **ret_line, const int16_t *pcm,
		      size_t n)
{
	struct encode *e;
	struct buf packed = { 0 };
	int r = encode_create(&e, 10, 0);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i += AUDIO_OUT_FRAME) {
		int16_t frame[AUDIO_OUT_FRAME] = { 0 };
		uint8_t out[AUDIO_PACKET_MAX];
		size_t left = n - i;

		memcpy(frame, pcm + i, (left < AUDIO_OUT_FRAME ?
			left : AUDIO_OUT_FRAME) * sizeof *pcm);
		size_t len = encode_frame(e, frame, out);
		const uint8_t head[2] = { (uint8_t)(len >> 8), (uint8_t)len };
		buf_add(&packed, head, sizeof head);
		buf_add(&packed, out, len);
	}
	r = audio_line_create(ret_line, packed.p, packed.len);
	buf_free(&packed);
	encode_destroy(e);
	return r;
}

void audio_line_destroy(struct audio_line *l)
{
	if (!l)
		return;
	free(l->bytes);
	free(l->at);
	free(l);
}

int audio_line_ms(const struct audio_line *l)
{
	return (int)l->n * AUDIO_FRAME_MS;
}

size_t line_packets(const struct audio_line *l)
{
	return l->n;
}

const uint8_t *line_packet(const struct audio_line *l, size_t i,
			   size_t *ret_len)
{
	assert(i < l->n);
	const uint8_t *p = l->bytes + l->at[i];

	*ret_len = length_at(p - 2);
	return p;
}

const uint8_t *line_bytes(const struct audio_line *l, size_t *ret_size)
{
	*ret_size = l->size;
	return l->bytes;
}
