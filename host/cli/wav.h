/* WAV files: 16 bit PCM, for the caller robot. Private to cli. */
#ifndef FD_CLI_WAV_H
#define FD_CLI_WAV_H

#include <stddef.h>
#include <stdint.h>

/* Reads a mono or stereo (left taken) 16 bit PCM file and converts it to hz.
 * Silence at both ends is trimmed. Fresh memory (free()). -ENOENT, or
 * ERR_REQUEST with *ret_why (static). */
int wav_read(const char *path, int hz, int16_t **ret_pcm, size_t *ret_n,
	     const char **ret_why);
/* Writes two channels of n samples each, interleaved. */
int wav_write_stereo(const char *path, int hz, const int16_t *left,
		     const int16_t *right, size_t n);

#endif
