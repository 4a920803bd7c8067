/* Opus encoding of what we say: 24 kHz mono, 20 ms, with in-band FEC. */
#ifndef FD_AUDIO_ENCODE_INT_H
#define FD_AUDIO_ENCODE_INT_H

#include "audio/audio.h"

struct encode;

/* complexity 0: 5; bitrate 0: 28,000. [any] */
int encode_create(struct encode **ret_encode, int complexity, int bitrate);
void encode_destroy(struct encode *e); /* NULL is fine */
/* The next frame will not follow the last one: forget the past. */
void encode_reset(struct encode *e);
/* Encodes AUDIO_OUT_FRAME samples into out[AUDIO_PACKET_MAX]; returns the
 * length, at least 1. Never allocates. */
size_t encode_frame(struct encode *e, const int16_t *pcm, uint8_t *out);

/* The packet of silence: the same bytes for the whole process. [any] */
const uint8_t *encode_silence(size_t *ret_len);

#endif
