/*
 * A call on virtual time for the audio tests: one audio object that is not
 * attached, a caller with a real Opus encoder, and an ear on what we send.
 * Include after defining RIG_ENERGY_VAD to judge voice by loudness alone, so
 * that a test decides to the window when the caller speaks (the linker then
 * leaves the network out).
 */
#ifndef FD_AUDIO_RIG_H
#define FD_AUDIO_RIG_H

#include "unit.h"

#include <errno.h>
#include <math.h>

#include <opus/opus.h>

#include "audio/audio.h"

enum {
	RIG_EVENTS = 4096,
	RIG_BEAT_US = 20000,
	RIG_KEEP = 60 * 50,     /* packets' levels and sounds remembered */
};

#ifdef RIG_ENERGY_VAD
struct audio_vad {
	int windows;
};

int audio_vad_create(struct audio_vad **ret_vad)
{
	struct audio_vad *v = calloc(1, sizeof *v);

	if (!v)
		return -ENOMEM;
	*ret_vad = v;
	return 0;
}

void audio_vad_destroy(struct audio_vad *v)
{
	free(v);
}

void audio_vad_reset(struct audio_vad *v)
{
	v->windows = 0;
}

float audio_vad_step(struct audio_vad *v, const float *pcm)
{
	float sum = 0;

	v->windows++;
	for (int i = 0; i < AUDIO_VAD_WINDOW; i++)
		sum += pcm[i] * pcm[i];
	return sum / AUDIO_VAD_WINDOW > 0.001f ? 0.95f : 0.02f;
}
#endif

struct rig {
	struct audio *audio;
	int64_t now_us;

	struct audio_event events[RIG_EVENTS];
	int n_events, seen;        /* seen: those that rig_next() handed out */

	/* what we sent */
	int packets, sounding;     /* level below 127 */
	uint32_t ticks;
	bool marker;
	int last_level;
	uint8_t last_opus[AUDIO_PACKET_MAX];
	size_t last_len;
	int64_t last_sound_us;
	struct audio_ear *ear;
	int16_t ear_pcm[AUDIO_OUT_FRAME]; /* the last packet, decoded */
	double ear_peak[RIG_KEEP];        /* loudest sample of each packet */

	/* what the caller sends and what we heard of it */
	OpusEncoder *caller;
	uint32_t ssrc, timestamp;
	uint16_t seq;
	double phase;
	int16_t frame[320];
	uint64_t heard_samples;
	double heard_energy;
	int16_t *heard;            /* the first heard_cap samples, if wanted */
	size_t heard_cap;
	float prob;
};

static inline void rig_send(void *arg, const struct audio_packet *p)
{
	struct rig *r = arg;
	int peak = 0;

	r->packets++;
	r->ticks = p->ticks;
	r->marker = p->marker;
	r->last_level = p->level;
	memcpy(r->last_opus, p->opus, p->len);
	r->last_len = p->len;
	if (p->level < 127) {
		r->sounding++;
		r->last_sound_us = r->now_us;
	}
	assert_int_equal(audio_ear_decode(r->ear, p->opus, p->len, r->ear_pcm,
					  AUDIO_OUT_FRAME), AUDIO_OUT_FRAME);
	for (int i = 0; i < AUDIO_OUT_FRAME; i++)
		if (abs(r->ear_pcm[i]) > peak)
			peak = abs(r->ear_pcm[i]);
	if (r->packets <= RIG_KEEP)
		r->ear_peak[r->packets - 1] = peak;
}

static inline void rig_event(void *arg, const struct audio_event *e)
{
	struct rig *r = arg;

	assert_true(r->n_events < RIG_EVENTS);
	r->events[r->n_events++] = *e;
}

static inline void rig_pcm(void *arg, const int16_t *pcm, size_t n,
			   int64_t at_us, float prob)
{
	struct rig *r = arg;

	(void)at_us;
	for (size_t i = 0; i < n; i++) {
		r->heard_energy += (double)pcm[i] * pcm[i];
		if (r->heard_samples < r->heard_cap)
			r->heard[r->heard_samples] = pcm[i];
		r->heard_samples++;
	}
	r->prob = prob;
}

static const struct audio_ops rig_ops = {
	.send = rig_send, .on_event = rig_event, .on_pcm = rig_pcm,
};

static inline struct rig *rig_new(const struct audio_cfg *cfg)
{
	struct rig *r = calloc(1, sizeof *r);
	int opus_error;

	r->now_us = 1000000;
	assert_int_equal(audio_create(&r->audio, cfg, &rig_ops, r), 0);
	assert_int_equal(audio_ear_create(&r->ear, AUDIO_OUT_HZ), 0);
	r->caller = opus_encoder_create(16000, 1, OPUS_APPLICATION_VOIP,
					&opus_error);
	assert_int_equal(opus_error, OPUS_OK);
	opus_encoder_ctl(r->caller, OPUS_SET_BITRATE(24000));
	opus_encoder_ctl(r->caller, OPUS_SET_COMPLEXITY(0));
	r->ssrc = 77;
	r->seq = 65530;
	r->timestamp = 0xfffff000u;
	return r;
}

static inline void rig_free(struct rig *r)
{
	audio_close(r->audio);
	audio_ear_destroy(r->ear);
	opus_encoder_destroy(r->caller);
	free(r->heard);
	free(r);
}

/* One beat, what follows it, and the loop's turn. */
static inline void rig_beat(struct rig *r)
{
	audio_beat(r->audio, r->now_us);
	audio_idle(r->audio, r->now_us);
	audio_drain(r->audio);
	r->now_us += RIG_BEAT_US;
}

static inline void rig_beats(struct rig *r, int n)
{
	for (int i = 0; i < n; i++)
		rig_beat(r);
}

static inline void rig_run_ms(struct rig *r, int ms)
{
	rig_beats(r, ms / AUDIO_FRAME_MS);
}

/* A buzz of many harmonics, like a vowel. */
static inline void rig_buzz(double *phase, int16_t *pcm, int n, int hz,
			    double amplitude)
{
	for (int i = 0; i < n; i++) {
		double sum = 0;

		for (int k = 1; k <= 10; k++)
			sum += sin(*phase * k) / k;
		pcm[i] = (int16_t)(amplitude * sum / 2);
		*phase += 2 * 3.14159265358979 * 140 / hz;
	}
}

/* Encodes the caller's next 20 ms; returns the payload's length. */
static inline int rig_caller_encode(struct rig *r, double amplitude,
				    uint8_t *out)
{
	rig_buzz(&r->phase, r->frame, 320, 16000, amplitude);
	return opus_encode(r->caller, r->frame, 320, out, 400);
}

/* The caller's next 20 ms arrive now. amplitude 0 is silence. */
static inline void rig_caller(struct rig *r, double amplitude)
{
	uint8_t opus[400];
	int n = rig_caller_encode(r, amplitude, opus);

	audio_rx(r->audio, &(struct audio_rtp){ .ssrc = r->ssrc,
		.timestamp = r->timestamp, .seq = r->seq, .payload = opus,
		.len = (size_t)n, .arrival_us = r->now_us });
	r->seq++;
	r->timestamp += 960;
}

/* ms of the caller, in step with the beat. */
static inline void rig_caller_ms(struct rig *r, int ms, double amplitude)
{
	for (int i = 0; i < ms / AUDIO_FRAME_MS; i++) {
		rig_caller(r, amplitude);
		rig_beat(r);
	}
}

/* We say ms of a buzz. */
static inline void rig_say(struct rig *r, uint32_t utterance, int ms)
{
	static double phase;
	int16_t pcm[AUDIO_OUT_FRAME];

	for (int i = 0; i < ms / AUDIO_FRAME_MS; i++) {
		rig_buzz(&phase, pcm, AUDIO_OUT_FRAME, AUDIO_OUT_HZ, 8000);
		assert_int_equal(audio_say(r->audio, utterance, pcm,
					   AUDIO_OUT_FRAME), 0);
	}
}

/* The next event not yet looked at; fails when there is none. */
static inline const struct audio_event *rig_next(struct rig *r)
{
	assert_true(r->seen < r->n_events);
	return &r->events[r->seen++];
}

static inline const struct audio_event *
rig_expect(struct rig *r, enum audio_event_type type, uint32_t utterance)
{
	const struct audio_event *e = rig_next(r);

	assert_int_equal(e->type, type);
	assert_int_equal(e->utterance, utterance);
	return e;
}

static inline void rig_expect_none(struct rig *r)
{
	assert_int_equal(r->seen, r->n_events);
}

/* How many events of that type came in all. */
static inline int rig_count(const struct rig *r, enum audio_event_type type)
{
	int n = 0;

	for (int i = 0; i < r->n_events; i++)
		n += r->events[i].type == type;
	return n;
}

/* Stored line of a buzz. */
static inline struct audio_line *rig_line(int ms)
{
	struct audio_line *l = NULL;
	size_t n = (size_t)ms * AUDIO_OUT_HZ / 1000;
	int16_t *pcm = calloc(n, sizeof *pcm);
	double phase = 0;

	rig_buzz(&phase, pcm, (int)n, AUDIO_OUT_HZ, 8000);
	assert_int_equal(audio_line_encode(&l, pcm, n), 0);
	free(pcm);
	return l;
}

#endif
