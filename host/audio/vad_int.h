/*
 * vad: what vad.c, its kernel and the generated weights share. The network
 * at 16 kHz, once a window of 512 samples: 4 spectra of 129 bins, 4 small
 * convolutions over time, an LSTM cell of 128, one neuron.
 */
#ifndef FD_AUDIO_VAD_INT_H
#define FD_AUDIO_VAD_INT_H

#include <stdint.h>

enum {
	VAD_CONTEXT = 64, /* samples of the window before, seen again */
	VAD_FRAMES = 4,   /* spectra a window, 128 samples apart */
	VAD_FFT = 256,
	VAD_BINS = VAD_FFT / 2 + 1,
	VAD_HIDDEN = 128, /* of the LSTM cell */
	VAD_TILE = 64,    /* sums the kernel keeps at once */
};

/* One layer: weights in the order of reading, see vad_weights.py; a row's
 * true weights are w * scale[row]. */
struct vad_layer {
	const void *w;
	const float *scale;
	const float *bias;
	int narrow; /* w is int16_t, else int32_t */
};

struct vad_weights {
	struct vad_layer conv1, conv2, conv3, conv4, lstm;
	const float *hann;   /* VAD_FFT */
	const float *cosine; /* cos(2 pi i / VAD_FFT), i = 0..192 */
	const float *last;   /* VAD_HIDDEN */
	float last_bias;
};

/* One table for the process, never written. */
extern const struct vad_weights vad_weights;

/* For tests: what a processor without AVX2 runs. */
struct audio_vad;
void vad_use_plain(struct audio_vad *v);

/* What a stream remembers. */
struct vad_state {
	float context[VAD_CONTEXT];
	float h[VAD_HIDDEN];
	float c[VAD_HIDDEN];
};

#endif
