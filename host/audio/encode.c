/*
 * The Opus encoder, set for a voice over a telephone-like path, and the one
 * packet of silence that is sent whenever nothing is said. Media thread, but
 * for create, destroy and encode_silence()'s first call.
 */
#include "audio/encode_int.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <opus/opus.h>

#include "base/err.h"

enum {
	DEFAULT_COMPLEXITY = 5,
	DEFAULT_BITRATE = 28000, /* fullband voice with FEC is fine at 24-32 k */
	EXPECTED_LOSS = 10, /* per cent: with 5 the encoder adds no FEC at 28 k */
};

struct encode {
	OpusEncoder *opus;
};

static int set_up(OpusEncoder *o, int complexity, int bitrate)
{
	int r = opus_encoder_ctl(o, OPUS_SET_BITRATE(bitrate));

	r |= opus_encoder_ctl(o, OPUS_SET_COMPLEXITY(complexity));
	r |= opus_encoder_ctl(o, OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE));
	r |= opus_encoder_ctl(o, OPUS_SET_INBAND_FEC(1));
	r |= opus_encoder_ctl(o, OPUS_SET_PACKET_LOSS_PERC(EXPECTED_LOSS));
	r |= opus_encoder_ctl(o, OPUS_SET_DTX(0));
	return r ? -EINVAL : 0;
}

int encode_create(struct encode **ret_encode, int complexity, int bitrate)
{
	struct encode *e = calloc(1, sizeof *e);
	int opus_error;

	if (!e)
		return -ENOMEM;
	e->opus = opus_encoder_create(AUDIO_OUT_HZ, 1, OPUS_APPLICATION_VOIP,
				      &opus_error);
	if (!e->opus) {
		free(e);
		return -ENOMEM;
	}
	int r = set_up(e->opus, complexity ? complexity : DEFAULT_COMPLEXITY,
		       bitrate ? bitrate : DEFAULT_BITRATE);
	if (r < 0) {
		encode_destroy(e);
		return r;
	}
	*ret_encode = e;
	return 0;
}

void encode_destroy(struct encode *e)
{
	if (!e)
		return;
	if (e->opus)
		opus_encoder_destroy(e->opus);
	free(e);
}

void encode_reset(struct encode *e)
{
	opus_encoder_ctl(e->opus, OPUS_RESET_STATE);
}

size_t encode_frame(struct encode *e, const int16_t *pcm, uint8_t *out)
{
	int n = opus_encode(e->opus, pcm, AUDIO_OUT_FRAME, out,
			    AUDIO_PACKET_MAX);

	/* Can only fail on wrong arguments: frame and room are constants. */
	assert(n > 0);
	return (size_t)n;
}

static pthread_once_t silence_once = PTHREAD_ONCE_INIT;
static uint8_t silence[AUDIO_PACKET_MAX];
static size_t silence_len;

static void make_silence(void)
{
	static const int16_t zeros[AUDIO_OUT_FRAME];
	/* Opus' own code for "nothing in this frame": TOC byte only, SILK
	 * wideband 20 ms. Kept when no encoder can be made. */
	struct encode *e;

	silence[0] = 0x48;
	silence_len = 1;
	if (encode_create(&e, 0, 0) < 0)
		return;
	/* The first frames still carry the encoder's start. */
	for (int i = 0; i < 10; i++)
		silence_len = encode_frame(e, zeros, silence);
	encode_destroy(e);
}

const uint8_t *encode_silence(size_t *ret_len)
{
	pthread_once(&silence_once, make_silence);
	*ret_len = silence_len;
	return silence;
}
