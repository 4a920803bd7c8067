/* An Opus decoder for those who only listen. One thread at a time. */
#include <assert.h>
#include <stdlib.h>

#include <opus/opus.h>

#include "audio/audio.h"
#include "base/err.h"

struct audio_ear {
	OpusDecoder *opus;
	int hz;
};

int audio_ear_create(struct audio_ear **ret, int hz)
{
	struct audio_ear *e = calloc(1, sizeof *e);
	int opus_error;

	if (!e)
		return -ENOMEM;
	e->hz = hz;
	e->opus = opus_decoder_create(hz, 1, &opus_error);
	if (!e->opus) {
		free(e);
		return opus_error == OPUS_BAD_ARG ? -EINVAL : -ENOMEM;
	}
	*ret = e;
	return 0;
}

void audio_ear_destroy(struct audio_ear *e)
{
	if (!e)
		return;
	opus_decoder_destroy(e->opus);
	free(e);
}

int audio_ear_decode(struct audio_ear *e, const uint8_t *opus, size_t n,
		     int16_t *out, size_t cap)
{
	int room = (int)(cap > 5760 ? 5760 : cap);

	assert(e && out);
	if (!opus || !n) {
		int frame = e->hz / 1000 * AUDIO_FRAME_MS;

		if (room < frame)
			return -ENOSPC;
		room = frame;
		opus = NULL;
		n = 0;
	}
	int got = opus_decode(e->opus, opus, (opus_int32)n, out, room, 0);

	if (got == OPUS_BUFFER_TOO_SMALL)
		return -ENOSPC;
	return got < 0 ? ERR_PROTOCOL : got;
}
