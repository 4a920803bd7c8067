/* Packed lines from anywhere: refused or safe to play. */
#include <assert.h>
#include <stdlib.h>

#include "audio/line_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct audio_line *l;
	struct audio_ear *ear;
	int16_t pcm[AUDIO_OUT_FRAME];

	if (audio_line_create(&l, p, n) < 0)
		return 0;
	if (audio_ear_create(&ear, AUDIO_OUT_HZ) < 0)
		abort();
	assert(audio_line_ms(l) == (int)line_packets(l) * AUDIO_FRAME_MS);
	for (size_t i = 0; i < line_packets(l); i++) {
		size_t len;
		const uint8_t *opus = line_packet(l, i, &len);

		assert(len && len <= AUDIO_PACKET_MAX);
		audio_ear_decode(ear, opus, len, pcm, AUDIO_OUT_FRAME);
	}
	audio_ear_destroy(ear);
	audio_line_destroy(l);
	return 0;
}
