/* From packets to 16 kHz PCM: packet lengths, FEC, concealment, silence. */
#include "unit.h"

#include <math.h>

#include <opus/opus.h>

#include "audio/decode_int.h"
#include "audio/level_int.h"

struct talk {
	struct jitter *jitter;
	struct decode *decode;
	OpusEncoder *opus;
	int64_t now_us;
	uint16_t seq;
	uint32_t timestamp;
	double phase;
	bool speech;
	int16_t out[AUDIO_IN_FRAME];
};

static void start(struct talk *t, int min_ms)
{
	memset(t, 0, sizeof *t);
	assert_int_equal(jitter_create(&t->jitter, min_ms, 200), 0);
	assert_int_equal(decode_create(&t->decode), 0);
	t->opus = opus_encoder_create(48000, 1, OPUS_APPLICATION_VOIP, NULL);
	assert_non_null(t->opus);
	t->now_us = 1000000;
	t->seq = 65533;
	t->timestamp = 0xfffffe00u;
}

static void stop(struct talk *t)
{
	jitter_destroy(t->jitter);
	decode_destroy(t->decode);
	opus_encoder_destroy(t->opus);
}

/* Encodes the next ms of a tone; arrives unless lost. */
static void send(struct talk *t, double ms, bool lost)
{
	static int16_t pcm[5760];
	uint8_t opus[1276];
	int n = (int)(ms * 48);

	for (int i = 0; i < n; i++) {
		/* The encoder keeps copies of what it takes for speech: many
		 * harmonics that swell and fall. */
		double swell = t->speech ? fabs(sin(t->phase / 50)) : 1;
		double buzz = 0;

		for (int k = 1; k <= (t->speech ? 12 : 1); k++)
			buzz += sin(k * t->phase) / k;
		pcm[i] = (int16_t)(swell * (6000 * buzz +
					    2000 * sin(3 * t->phase)));
		t->phase += 2 * 3.14159265358979 * 220 / 48000;
	}
	int len = opus_encode(t->opus, pcm, n, opus, sizeof opus);
	assert_true(len > 0);
	if (!lost)
		jitter_put(t->jitter, &(struct audio_rtp){ .ssrc = 1,
			.seq = t->seq, .timestamp = t->timestamp,
			.payload = opus, .len = (size_t)len,
			.arrival_us = t->now_us });
	t->seq++;
	t->timestamp += (uint32_t)n;
}

static int pull(struct talk *t)
{
	t->now_us += 20000;
	decode_pull(t->decode, t->jitter, t->now_us, false, t->out);
	return level_dbov(t->out, AUDIO_IN_FRAME);
}

static void every_packet_length_plays_without_a_hole(void **state)
{
	(void)state;
	static const double lengths[] = { 2.5, 5, 10, 20, 40, 60 };

	for (size_t k = 0; k < 6; k++) {
		struct talk t;
		double ahead = 0;

		start(&t, 40);
		for (int i = 0; i < 200; i++) {
			for (; ahead < 20; ahead += lengths[k])
				send(&t, lengths[k], false);
			ahead -= 20;
			int level = pull(&t);
			if (i > 15)
				assert_in_range(level, 10, 20);
		}
		const struct jitter_counts *c = jitter_counts(t.jitter);
		assert_int_equal(c->lost, 0);
		assert_int_equal(c->late, 0);
		assert_in_range(c->concealed, 0, 6);
		stop(&t);
	}
}

static void a_lost_packet_comes_back_from_the_next_ones_fec(void **state)
{
	(void)state;
	struct talk t;

	start(&t, 60);
	t.speech = true;
	opus_encoder_ctl(t.opus, OPUS_SET_INBAND_FEC(1));
	opus_encoder_ctl(t.opus, OPUS_SET_PACKET_LOSS_PERC(20));
	opus_encoder_ctl(t.opus, OPUS_SET_BITRATE(32000));
	opus_encoder_ctl(t.opus, OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE));
	for (int i = 0; i < 200; i++) {
		send(&t, 20, i % 10 == 9);
		pull(&t);
	}
	assert_in_range(jitter_counts(t.jitter)->lost, 18, 20);
	assert_in_range(decode_fec_used(t.decode), 14, 20);
	stop(&t);
}

static void without_fec_the_hole_is_guessed_and_not_counted_as_fec(void **state)
{
	(void)state;
	struct talk t;

	start(&t, 60);
	opus_encoder_ctl(t.opus, OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE));
	opus_encoder_ctl(t.opus, OPUS_SET_BITRATE(24000));
	for (int i = 0; i < 200; i++) {
		send(&t, 20, i % 10 == 9);
		int level = pull(&t);
		if (i > 10)
			assert_in_range(level, 8, 26);
	}
	assert_int_equal(decode_fec_used(t.decode), 0);
	assert_in_range(jitter_counts(t.jitter)->concealed, 18, 22);
	stop(&t);
}

static void the_fec_flag_is_read_from_the_packet(void **state)
{
	(void)state;
	static const uint8_t empty[1] = { 0x48 };
	static const uint8_t celt[3] = { 0xf8, 0xff, 0xff };
	static const uint8_t with[3] = { 0x48, 0x40, 0 };
	static const uint8_t without[3] = { 0x48, 0xbf, 0 };
	static const uint8_t sixty[3] = { 0x58, 0x10, 0 };
	static const uint8_t stereo[3] = { 0x4c, 0x10, 0 };

	assert_false(decode_has_fec(empty, 0));
	assert_false(decode_has_fec(empty, 1));
	assert_false(decode_has_fec(celt, 3));
	assert_true(decode_has_fec(with, 3));
	assert_false(decode_has_fec(without, 3));
	assert_true(decode_has_fec(sixty, 3));
	assert_true(decode_has_fec(stereo, 3));
}

static void when_packets_stop_the_sound_fades_and_becomes_zeros(void **state)
{
	(void)state;
	struct talk t;
	int before = 0;

	start(&t, 20);
	for (int i = 0; i < 50; i++) {
		send(&t, 20, false);
		before = pull(&t);
	}
	assert_in_range(before, 10, 20);
	for (int i = 0; i < 5; i++)
		pull(&t);
	for (int i = 0; i < 100; i++)
		assert_int_equal(pull(&t), 127);
	assert_in_range(jitter_counts(t.jitter)->concealed, 3, 3);
	/* No step at the edge: the last guessed frame falls to nothing. */
	send(&t, 20, false);
	for (int i = 0; i < 4; i++) {
		pull(&t);
		if (t.out[0] || t.out[100])
			break;
	}
	assert_true(abs(t.out[0]) < 20);
	stop(&t);
}

static void a_dtx_packet_ends_the_sound_without_guessing(void **state)
{
	(void)state;
	struct talk t;
	uint64_t guessed = 0;

	start(&t, 20);
	for (int i = 0; i < 20; i++) {
		send(&t, 20, false);
		pull(&t);
	}
	jitter_put(t.jitter, &(struct audio_rtp){ .ssrc = 1, .seq = t.seq,
		.timestamp = t.timestamp, .arrival_us = t.now_us,
		.payload = (const uint8_t[]){ 0x48 }, .len = 1 });
	guessed = jitter_counts(t.jitter)->concealed;
	for (int i = 0; i < 20; i++)
		pull(&t);
	assert_int_equal(jitter_counts(t.jitter)->concealed, guessed);
	stop(&t);
}

static void stereo_is_mixed_and_damage_is_concealed(void **state)
{
	(void)state;
	struct talk t;
	uint8_t junk[60];

	start(&t, 20);
	opus_encoder_destroy(t.opus);
	t.opus = opus_encoder_create(48000, 1, OPUS_APPLICATION_AUDIO, NULL);
	opus_encoder_ctl(t.opus, OPUS_SET_FORCE_CHANNELS(1));
	for (int i = 0; i < 100; i++) {
		uint32_t x = (uint32_t)i * 7919;

		for (size_t k = 0; k < sizeof junk; k++) {
			x = x * 1664525u + 1013904223u;
			junk[k] = (uint8_t)(x >> 24);
		}
		/* Every table of contents there is; 20 ms and others. */
		junk[0] = (uint8_t)(i * 5);
		jitter_put(t.jitter, &(struct audio_rtp){ .ssrc = 1,
			.seq = t.seq++, .timestamp = t.timestamp,
			.payload = junk, .len = sizeof junk,
			.arrival_us = t.now_us });
		t.timestamp += 960;
		pull(&t);
	}
	stop(&t);
}

static void two_frames_melt_without_a_step(void **state)
{
	(void)state;
	struct talk t;
	int16_t before = 0;
	int worst = 0;

	start(&t, 20);
	for (int i = 0; i < 300; i++) {
		if (i == 100) /* a burst: 160 ms too many are here */
			for (int k = 0; k < 8; k++)
				send(&t, 20, false);
		send(&t, 20, false);
		t.now_us += 20000;
		decode_pull(t.decode, t.jitter, t.now_us, i > 100, t.out);
		for (int k = 0; k < AUDIO_IN_FRAME; k++) {
			int step = abs(t.out[k] - before);

			if (i > 30 && step > worst)
				worst = step;
			before = t.out[k];
		}
	}
	/* The tone itself moves by at most 2 pi 220/16000 * 12000. */
	assert_true(worst < 2500);
	stop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_packet_length_plays_without_a_hole),
		cmocka_unit_test(a_lost_packet_comes_back_from_the_next_ones_fec),
		cmocka_unit_test(without_fec_the_hole_is_guessed_and_not_counted_as_fec),
		cmocka_unit_test(the_fec_flag_is_read_from_the_packet),
		cmocka_unit_test(when_packets_stop_the_sound_fades_and_becomes_zeros),
		cmocka_unit_test(a_dtx_packet_ends_the_sound_without_guessing),
		cmocka_unit_test(stereo_is_mixed_and_damage_is_concealed),
		cmocka_unit_test(two_frames_melt_without_a_step),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
