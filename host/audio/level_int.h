/* Loudness of a frame. */
#ifndef FD_AUDIO_LEVEL_INT_H
#define FD_AUDIO_LEVEL_INT_H

#include <stddef.h>
#include <stdint.h>

/* RFC 6464, 3: -dBov of n samples' RMS, 0 (loudest) to 127 (silence). [any] */
uint8_t level_dbov(const int16_t *pcm, size_t n);

#endif
