/* Frames made before their beat: the packet to send and the PCM in it. */
#ifndef FD_AUDIO_AHEAD_INT_H
#define FD_AUDIO_AHEAD_INT_H

#include "audio/audio.h"
#include "audio/playout_int.h"

struct encode;
struct OpusDecoder;

struct frame {
	uint8_t slot;       /* whose it is */
	uint8_t level;      /* RFC 6464 */
	bool last;          /* nothing of that utterance follows */
	uint16_t samples;   /* without padding */
	uint16_t len;       /* of opus */
	uint32_t mark;      /* number of this encoding, 0: a stored packet */
	int16_t pcm[AUDIO_OUT_FRAME];
	uint8_t opus[AUDIO_PACKET_MAX];
};

/* Embedded. One more than AHEAD: flushing a part needs room for two. */
enum { AHEAD_FRAMES = PLAYOUT_AHEAD + 1 };

struct ahead {
	struct encode *encode;
	struct OpusDecoder *decoder; /* PCM of stored packets, for fades */
	bool fresh_line;    /* the next stored packet begins anew */
	uint32_t mark;      /* of the encoder's latest frame */
	uint32_t wire_mark; /* of the packet sent last, 0: not the encoder's */
	int head, n;
	struct frame frames[AHEAD_FRAMES];
};

int ahead_init(struct ahead *a, const struct audio_cfg *cfg);
void ahead_finish(struct ahead *a);

/* Appends a frame of n samples (at most a frame; the rest is zeros). */
void ahead_add_pcm(struct ahead *a, uint8_t slot, const int16_t *pcm, size_t n);
/* Appends a stored packet as it is. */
void ahead_add_packet(struct ahead *a, uint8_t slot, const uint8_t *opus,
		      size_t len);
/* Encodes a frame that leaves at once (a fade), in *f but for its slot. */
void ahead_make(struct ahead *a, struct frame *f);
/* Frame i from the front, NULL where there is none. */
struct frame *ahead_at(struct ahead *a, int i);
/* Takes the front away; its memory is good until the next append. */
struct frame *ahead_take(struct ahead *a);
/* Drops all frames of a slot; returns their samples. */
uint32_t ahead_drop(struct ahead *a, uint8_t slot);

#endif
