/* RFC 6464 audio level of a frame of PCM. Pure; any thread. */
#include "audio/level_int.h"

#include <math.h>

uint8_t level_dbov(const int16_t *pcm, size_t n)
{
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (int32_t)pcm[i] * pcm[i];
	if (!sum)
		return 127;
	/* RFC 6464, appendix A: the overload point is a full-scale square. */
	double mean = (double)sum / (double)n / (32768.0 * 32768.0);
	double level = -10.0 * log10(mean);

	return level <= 0 ? 0 : level >= 127 ? 127 : (uint8_t)lround(level);
}
