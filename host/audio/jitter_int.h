/* The adaptive jitter buffer: RTP packets in, one decision a frame out. */
#ifndef FD_AUDIO_JITTER_INT_H
#define FD_AUDIO_JITTER_INT_H

#include "audio/audio.h"

enum {
	JITTER_SLOTS = 24,      /* 480 ms of 20 ms packets, 240 of 10 ms */
	JITTER_PAYLOAD = 1280,  /* the largest Opus frame is 1,275 bytes */
};

struct jitter;

enum jitter_what {
	JITTER_PACKET,  /* decode it */
	JITTER_FEC,     /* lost; payload is the next packet, try its FEC */
	JITTER_LOST,    /* conceal 20 ms */
	JITTER_SILENCE, /* nobody sends: zeros */
};

struct jitter_out {
	enum jitter_what what;
	const uint8_t *payload; /* until the next jitter_put() */
	size_t len;
	int samples;  /* of the frame asked for, at 48 kHz */
	bool reset;   /* a new stream begins: reset the decoder first */
	bool merge;   /* too much delay: melt this packet with the next one */
};

struct jitter_counts {
	uint64_t received;  /* accepted for the buffer or late */
	uint64_t late;      /* came after their place was played, thrown away */
	uint64_t doubled;
	uint64_t lost;      /* packets never played, late ones too */
	uint64_t concealed; /* frames handed out as LOST or FEC */
	uint64_t merged, inserted; /* frames taken out or put in to move delay */
	uint64_t resets;    /* new SSRC, or the sender's clock jumped */
};

/* 0 takes the default; max_ms at most 400. [any] */
int jitter_create(struct jitter **ret_jitter, int min_ms, int max_ms);
void jitter_destroy(struct jitter *j); /* NULL is fine */
/* Takes one packet. Returns 1 when it began a new stream, else 0. */
int jitter_put(struct jitter *j, const struct audio_rtp *p);
/* What to play at now_us (the moment the frame will be heard). quiet: the
 * caller is not speaking, so frames may be taken out or put in. */
void jitter_get(struct jitter *j, int64_t now_us, bool quiet,
		struct jitter_out *out);

const struct jitter_counts *jitter_counts(const struct jitter *j);
int jitter_target_ms(const struct jitter *j); /* wanted delay */
int jitter_delay_ms(const struct jitter *j);  /* delay of the last frame */

#endif
