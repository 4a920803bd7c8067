/*
 * vad: Silero VAD at 16 kHz, the probability of voice for each 32 ms. The
 * weights are one constant table for the process; a stream keeps 1.3 kB.
 * A step runs on the beat: it never allocates, locks or waits.
 */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/audio.h"
#include "audio/vad_int.h"

#define VAD_INLINE static inline __attribute__((always_inline))

/* Plain: four lanes, as in SSE2 and NEON, which every build may use. */
#define VAD_NAME(x) x##_plain
#define VAD_TARGET
#define VAD_LANES 4
#include "audio/vad_kernel.h"
#undef VAD_NAME
#undef VAD_TARGET
#undef VAD_LANES

#ifdef __x86_64__
#define VAD_NAME(x) x##_avx2
#define VAD_TARGET __attribute__((target("avx2,fma")))
#define VAD_LANES 8
#include "audio/vad_kernel.h"
#undef VAD_NAME
#undef VAD_TARGET
#undef VAD_LANES
#endif

struct audio_vad {
	float (*forward)(struct vad_state *st, const float *x);
	struct vad_state state;
};

int audio_vad_create(struct audio_vad **ret_vad)
{
	struct audio_vad *v = calloc(1, sizeof *v);
	if (!v)
		return -ENOMEM;

	v->forward = forward_plain;
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		v->forward = forward_avx2;
#endif
	*ret_vad = v;
	return 0;
}

void audio_vad_destroy(struct audio_vad *v)
{
	free(v);
}

void audio_vad_reset(struct audio_vad *v)
{
	memset(&v->state, 0, sizeof v->state);
}

void vad_use_plain(struct audio_vad *v)
{
	v->forward = forward_plain;
}

float audio_vad_step(struct audio_vad *v, const float *pcm)
{
	enum { HEAD = VAD_CONTEXT, END = HEAD + AUDIO_VAD_WINDOW };
	float x[END + HEAD];

	memcpy(x, v->state.context, sizeof v->state.context);
	memcpy(x + HEAD, pcm, AUDIO_VAD_WINDOW * sizeof *pcm);
	/* The last spectrum reaches 64 samples over the end: a mirror. */
	for (int i = 0; i < HEAD; i++)
		x[END + i] = x[END - 2 - i];
	memcpy(v->state.context, x + END - HEAD, sizeof v->state.context);

	float prob = v->forward(&v->state, x);
	assert(prob >= 0 && prob <= 1);
	return prob;
}
