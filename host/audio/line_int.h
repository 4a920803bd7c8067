/* Stored lines inside the folder: the packed form and the shipped table. */
#ifndef FD_AUDIO_LINE_INT_H
#define FD_AUDIO_LINE_INT_H

#include "audio/audio.h"

/* One line that ships in the binary; bytes are the packed form: for each
 * 20 ms packet a big-endian u16 length, then that many bytes of Opus. */
struct audio_shipped {
	const char *language; /* "en" */
	const char *name;     /* "apology" */
	const char *text;     /* what it says, UTF-8 */
	const uint8_t *bytes;
	size_t size;
};

/* Generated (lines_data.c); ends with an entry whose language is NULL. */
extern const struct audio_shipped audio_shipped_lines[];

/* Packets of 20 ms in it. [any] */
size_t line_packets(const struct audio_line *l);
/* Packet i and its length; borrowed. [any], never allocates */
const uint8_t *line_packet(const struct audio_line *l, size_t i,
			   size_t *ret_len);
/* The packed form, for the generator and tests; borrowed. [any] */
const uint8_t *line_bytes(const struct audio_line *l, size_t *ret_size);

#endif
