/* Jitter buffer to 16 kHz PCM, one frame at a time. */
#ifndef FD_AUDIO_DECODE_INT_H
#define FD_AUDIO_DECODE_INT_H

#include "audio/jitter_int.h"

struct decode;

int decode_create(struct decode **ret_decode);
void decode_destroy(struct decode *d); /* NULL is fine */
/* Fills out[AUDIO_IN_FRAME] with what the caller sends at now_us. */
void decode_pull(struct decode *d, struct jitter *j, int64_t now_us,
		 bool quiet, int16_t *out);
/* Lost frames that in-band FEC brought back. */
uint64_t decode_fec_used(const struct decode *d);
/* Whether the packet carries a copy of the one before it (RFC 6716, 4.2.4). */
bool decode_has_fec(const uint8_t *payload, size_t len);

#endif
