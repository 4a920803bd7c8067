/*
 * audio: one call's path from caller's RTP payloads to 16 kHz PCM, voice
 * activity and events, and from what we say to Opus packets on a 20 ms beat.
 *
 *	rtc -> audio_rx() -> jitter buffer -> Opus decode (PLC, FEC) 16 kHz
 *	    -> VAD -> reflex (pause) -> ring -> on_pcm, on_event   [loop]
 *	audio_say() [loop] -> ring -> encode ahead (<= 400 ms, idle part)
 *	    -> beat: one packet each 20 ms, silence included -> send() [media]
 *
 * An audio object is created and commanded on the loop; its beat runs on one
 * media thread. The beat never allocates, locks, logs or waits.
 *
 * An utterance is one thing we say, numbered by the caller of this door with
 * rising ids. Utterances play one after another in the order of their first
 * audio. Times of playout are in milliseconds of the utterance's own audio.
 */
#ifndef FD_AUDIO_AUDIO_H
#define FD_AUDIO_AUDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/io.h"

enum {
	AUDIO_IN_HZ = 16000,   /* caller's PCM: mono, signed 16 bit */
	AUDIO_OUT_HZ = 24000,  /* playout PCM: mono, signed 16 bit */
	AUDIO_FRAME_MS = 20,
	AUDIO_IN_FRAME = 320,  /* samples a frame */
	AUDIO_OUT_FRAME = 480,
	AUDIO_RTP_STEP = 960,  /* RTP clock (48 kHz) a frame, RFC 7587 */
	AUDIO_PACKET_MAX = 400, /* bytes of an Opus packet we send */
};

struct audio;
struct audio_line;

/* One received RTP payload, already decrypted. */
struct audio_rtp {
	uint32_t ssrc;
	uint32_t timestamp; /* 48 kHz */
	uint16_t seq;
	const uint8_t *payload;
	size_t len;
	int64_t arrival_us; /* clock_mono_us() */
};

/* One Opus packet to send. Borrowed during the call. */
struct audio_packet {
	const uint8_t *opus;
	size_t len;
	uint32_t ticks;   /* RTP time since the first packet; adds up gaps */
	bool marker;      /* first after silence */
	uint8_t level;    /* RFC 6464: -dBov 0..127, 127 is silence */
	bool voice;       /* RFC 6464 V bit */
};

enum audio_event_type {
	AUDIO_SPEECH_ON,   /* the caller's voice began (VAD) */
	AUDIO_SPEECH_OFF,  /* ... has been silent for speech_off_ms */
	AUDIO_PAUSED,      /* the reflex (or audio_pause) silenced playout */
	AUDIO_RESUMED,     /* playout goes on: audio_resume or verdict late */
	AUDIO_STARTED,     /* first sounding packet of utterance left */
	AUDIO_ENDED,       /* utterance over: heard_ms of it were sent; cut or not */
	AUDIO_FILLER,      /* the armed filler began to play */
	AUDIO_TRACK,       /* first packet of a (new) SSRC arrived, or of one
			    * whose clock started anew */
};

struct audio_event {
	enum audio_event_type type;
	uint32_t epoch;      /* of the arming that was in force (PAUSED, ...) */
	uint32_t utterance;  /* STARTED, ENDED, PAUSED */
	uint32_t heard_ms;   /* ENDED, PAUSED: of that utterance */
	bool cut;            /* ENDED: by audio_cut, not by its end */
	int64_t at_us;       /* when, on the media thread (clock_mono_us) */
};

struct audio_ops {
	/* [media] from the beat: hand the packet to the transport at once. */
	void (*send)(void *arg, const struct audio_packet *p);
	/* [loop] */
	void (*on_event)(void *arg, const struct audio_event *e);
	/* [loop] caller's voice in real time, gaps filled: n samples 16 kHz;
	 * at_us is when the last of them was played out of the jitter buffer.
	 * voice_prob: VAD of the latest window, 0..1. */
	void (*on_pcm)(void *arg, const int16_t *pcm, size_t n, int64_t at_us,
		       float voice_prob);
};

struct audio_cfg {
	int opus_complexity;   /* 0..10; 0 means the default, 5 */
	int opus_bitrate;      /* bits a second; 0: 28,000 */
	int jitter_min_ms;     /* 0: 20 */
	int jitter_max_ms;     /* 0: 200; at most 400 */
	float vad_on, vad_off; /* thresholds; 0: 0.5 and 0.35 */
	int speech_on_ms;      /* voiced time before SPEECH_ON; 0: 64 */
	int speech_off_ms;     /* silence before SPEECH_OFF; 0: 400 */
	int post_ms;           /* PCM is handed to the loop each; 0: 40 */
};

/* [loop] Creates it; no thread runs it until audio_attach(). cfg may be NULL. */
int audio_create(struct audio **ret_audio, const struct audio_cfg *cfg,
		 const struct audio_ops *ops, void *arg);
/* [loop] Puts it on a media thread's beat; events come through l. */
int audio_attach(struct audio *a, struct loop *l, struct media *m);
/* [loop] Takes it off the beat, waits for that, frees. NULL is fine. */
void audio_close(struct audio *a);

/* [media] One packet from the caller's track. Late, doubled and reordered
 * packets are handled; a new SSRC resets jitter buffer and decoder. */
void audio_rx(struct audio *a, const struct audio_rtp *p);
/* [media] One beat, and the encoding ahead that may follow it. Pure steps:
 * tests call them with their own time when the audio is not attached. */
void audio_beat(struct audio *a, int64_t now_us);
void audio_idle(struct audio *a, int64_t now_us);
/* [loop] Hands over waiting PCM and events (done by itself when attached). */
void audio_drain(struct audio *a);

/* ---- what we say [loop] ------------------------------------------------- */

/* Appends PCM at 24 kHz to an utterance; copies; 0 or ERR_FULL beyond 120 s
 * that wait. Other rates: struct audio_resampler first. Audio for an utterance
 * that was ended or cut is swallowed (0): a provider may be slow to stop. */
int audio_say(struct audio *a, uint32_t utterance, const int16_t *pcm,
	      size_t n);
/* Appends a stored line (audio_line_*()); copies. */
int audio_say_line(struct audio *a, uint32_t utterance,
		   const struct audio_line *line);
/* No more audio will come: ENDED follows when the last packet left. Also for
 * utterances without any audio (ENDED at once, heard_ms 0). */
void audio_say_end(struct audio *a, uint32_t utterance);
/* Ends one utterance (0: all, and disarms the filler) with a fade of 20 ms;
 * ENDED with cut set, once for each, also for one that had no audio yet. When
 * it was the paused one the pause is over, without RESUMED. */
void audio_cut(struct audio *a, uint32_t utterance);
/* Pauses with a short fade; PAUSED follows; lasts until resume or cut. resume
 * goes on at the same spot, if epoch is that of the PAUSED or the one armed
 * now (0: always). The fading 20 ms are not in heard_ms: they are repeated,
 * rising, by a resume. */
void audio_pause(struct audio *a);
void audio_resume(struct audio *a, uint32_t epoch);
/* Milliseconds not yet sent, all utterances. [loop] */
int audio_queued_ms(const struct audio *a);

/* The pause reflex: while armed and interruptible, voiced_ms of the caller's
 * voice pause playout on the media thread itself; with no audio_resume,
 * audio_pause or audio_cut within verdict_ms (0: 1,000) it resumes by itself.
 * Only when something of ours plays or waits. One run of voice pauses once;
 * the arming stays for the next. Replaces the arming before; epoch rises. */
struct audio_reflex {
	uint32_t epoch;
	bool interruptible;
	int voiced_ms;
	int verdict_ms;
};
void audio_arm(struct audio *a, const struct audio_reflex *r);
/* Plays line (borrowed, must outlive the call) as utterance when no other
 * sound of ours began within after_ms from now; NULL disarms. Any audio_say
 * disarms it too. Dropped if something of ours still plays at that moment;
 * waits for the end of a pause. What never began sends no ENDED. */
void audio_arm_filler(struct audio *a, uint32_t utterance,
		      const struct audio_line *line, int after_ms);

/* ---- counters [any] -------------------------------------------------------- */

struct audio_stats {
	uint64_t received, late, lost, concealed, fec_used, resets;
	uint64_t beats, sent, underruns; /* underrun: utterance open, queue dry */
	uint64_t dropped;  /* reports (events, PCM) the loop was too slow for */
	uint32_t jitter_ms;              /* present depth of the jitter buffer */
};
void audio_stats(const struct audio *a, struct audio_stats *out);

/* ---- stored lines ------------------------------------------------------------ */

/* Encoded speech that needs no provider: 20 ms Opus packets, 24 kHz mono. */
struct audio_line;
/* [any] Reads the packed form (u16 length, bytes, ...; see lines.c); copies.
 * ERR_PROTOCOL when damaged. */
int audio_line_create(struct audio_line **ret_line, const uint8_t *packed,
		      size_t n);
/* [any] Encodes PCM at 24 kHz. */
int audio_line_encode(struct audio_line **ret_line, const int16_t *pcm,
		      size_t n);
void audio_line_destroy(struct audio_line *l); /* NULL is fine */
int audio_line_ms(const struct audio_line *l);
/* The shipped line of that name ("apology", "goodbye", "filler", "hold",
 * "pardon", "emergency", "closed", "busy") in that language ("en", "ur";
 * others fall back to "en"). Lives as long as the process. Its words in
 * *ret_text. NULL if there is none. */
const struct audio_line *audio_line_shipped(const char *language,
					    const char *name,
					    const char **ret_text);

/* ---- helpers -------------------------------------------------------------------- */

/* Streaming rate conversion of mono PCM (speexdsp, quality 5). [one thread] */
struct audio_resampler;
int audio_resampler_create(struct audio_resampler **ret, int from_hz, int to_hz);
void audio_resampler_destroy(struct audio_resampler *r); /* NULL is fine */
/* Converts n samples into out[cap]; returns how many were written. cap must
 * be at least n * to / from + 16. */
size_t audio_resample(struct audio_resampler *r, const int16_t *in, size_t n,
		      int16_t *out, size_t cap);

/* Silero VAD v5 at 16 kHz: the probability of voice for each window of 512
 * samples. Weights are shared; the state is per stream. [one thread] */
struct audio_vad;
enum { AUDIO_VAD_WINDOW = 512 };
int audio_vad_create(struct audio_vad **ret_vad);
void audio_vad_destroy(struct audio_vad *v); /* NULL is fine */
void audio_vad_reset(struct audio_vad *v);
/* Never allocates. pcm: AUDIO_VAD_WINDOW samples in -1..1. */
float audio_vad_step(struct audio_vad *v, const float *pcm);

/* Opus decoding for those who only listen (caller robot, recorder). */
struct audio_ear;
int audio_ear_create(struct audio_ear **ret, int hz);
void audio_ear_destroy(struct audio_ear *e); /* NULL is fine */
/* Decodes one packet (NULL: conceal 20 ms) to out; returns samples. */
int audio_ear_decode(struct audio_ear *e, const uint8_t *opus, size_t n,
		     int16_t *out, size_t cap);

#endif
