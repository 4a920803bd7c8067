/* The last seconds of the caller's audio, kept until a provider finalised
 * them, so that the next connection hears them too. Pure. */
#include "provider/stt_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = STT_KEEP_SAMPLES / STT_BLOCK + 1,
       LEAD = STT_RATE_HZ * 3 / 10, TAIL = STT_RATE_HZ / 2 };

static void note_voice(struct stt_audio *a, size_t n, bool voiced)
{
	int64_t last = (a->end + (int64_t)n) / STT_BLOCK;
	int64_t first = a->end / STT_BLOCK;

	/* a block that was begun as voice stays voice */
	if (a->end % STT_BLOCK)
		a->voice[first++ % BLOCKS] |= voiced;
	if (last - first > BLOCKS)
		first = last - BLOCKS;
	for (; first <= last; first++)
		a->voice[first % BLOCKS] = voiced;
}

void stt_audio_voice(const struct stt_audio *a, int64_t *ret_from,
		     int64_t *ret_to)
{
	int64_t from = a->end, to = a->end;
	bool any = false;

	for (int64_t b = a->begin / STT_BLOCK; b * STT_BLOCK < a->end; b++) {
		if (!a->voice[b % BLOCKS])
			continue;
		if (!any)
			from = b * STT_BLOCK - LEAD;
		any = true;
		to = (b + 1) * STT_BLOCK + TAIL;
	}
	*ret_from = from < a->begin ? a->begin : from;
	*ret_to = to > a->end ? a->end : to;
}

void stt_audio_add(struct stt_audio *a, const int16_t *pcm, size_t n,
		   bool voiced)
{
	note_voice(a, n, voiced);
	if (!a->ring) {
		a->ring = malloc(STT_KEEP_SAMPLES * sizeof *a->ring);
		if (!a->ring)
			abort();
	}
	if (n > STT_KEEP_SAMPLES) {
		a->end += (int64_t)(n - STT_KEEP_SAMPLES);
		pcm += n - STT_KEEP_SAMPLES;
		n = STT_KEEP_SAMPLES;
	}
	while (n) {
		size_t at = (size_t)(a->end % STT_KEEP_SAMPLES);
		size_t run = STT_KEEP_SAMPLES - at;
		if (run > n)
			run = n;
		memcpy(a->ring + at, pcm, run * sizeof *pcm);
		a->end += (int64_t)run;
		pcm += run;
		n -= run;
	}
	if (a->end - a->begin > STT_KEEP_SAMPLES)
		a->begin = a->end - STT_KEEP_SAMPLES;
}

void stt_audio_drop(struct stt_audio *a, int64_t pos)
{
	if (pos > a->end)
		pos = a->end;
	if (pos > a->begin)
		a->begin = pos;
}

size_t stt_audio_at(const struct stt_audio *a, int64_t pos,
		    const int16_t **ret_pcm)
{
	assert(pos >= a->begin);
	if (pos >= a->end)
		return 0;
	size_t at = (size_t)(pos % STT_KEEP_SAMPLES);
	size_t run = STT_KEEP_SAMPLES - at;
	size_t left = (size_t)(a->end - pos);

	*ret_pcm = a->ring + at;
	return run < left ? run : left;
}

void stt_audio_free(struct stt_audio *a)
{
	free(a->ring);
	*a = (struct stt_audio){ 0 };
}
