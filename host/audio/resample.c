/* Rate conversion of mono PCM by speexdsp. One thread at a time. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <speex/speex_resampler.h>

#include "audio/audio.h"
#include "base/err.h"

enum { QUALITY = 5 }; /* of 0-10: speech stays clean, see test_resample.c */

struct audio_resampler {
	SpeexResamplerState *speex; /* NULL when the rates are equal */
};

int audio_resampler_create(struct audio_resampler **ret, int from_hz, int to_hz)
{
	if (from_hz < 4000 || to_hz < 4000 || from_hz > 192000 || to_hz > 192000)
		return -EINVAL;
	struct audio_resampler *r = calloc(1, sizeof *r);
	if (!r)
		return -ENOMEM;
	int speex_error = 0;

	if (from_hz != to_hz) {
		r->speex = speex_resampler_init(1, (spx_uint32_t)from_hz,
						(spx_uint32_t)to_hz, QUALITY,
						&speex_error);
		if (!r->speex) {
			free(r);
			return -ENOMEM;
		}
		/* Drops the filter's own delay: speech begins at sample 0. */
		speex_resampler_skip_zeros(r->speex);
	}
	*ret = r;
	return 0;
}

void audio_resampler_destroy(struct audio_resampler *r)
{
	if (!r)
		return;
	if (r->speex)
		speex_resampler_destroy(r->speex);
	free(r);
}

size_t audio_resample(struct audio_resampler *r, const int16_t *in, size_t n,
		      int16_t *out, size_t cap)
{
	size_t done = 0;

	if (!r->speex) {
		done = n < cap ? n : cap;
		memcpy(out, in, done * sizeof *out);
		return done;
	}
	while (n && done < cap) {
		spx_uint32_t took = n > 1 << 20 ? 1 << 20 : (spx_uint32_t)n;
		spx_uint32_t gave = cap - done > 1 << 24 ?
			1 << 24 : (spx_uint32_t)(cap - done);

		if (speex_resampler_process_int(r->speex, 0, in, &took,
						out + done, &gave))
			break;
		if (!took && !gave)
			break;
		in += took;
		n -= took;
		done += gave;
	}
	assert(done <= cap);
	return done;
}
