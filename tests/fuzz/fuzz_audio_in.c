/*
 * What a stranger's RTP can do to the way in: jitter buffer and decoder. The
 * input is a list of steps: a control byte, then for a packet its number,
 * time and payload. Each beat must give 20 ms, whatever came.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "audio/decode_int.h"

struct input {
	const uint8_t *p;
	size_t n;
};

static unsigned take(struct input *in, int bytes)
{
	unsigned v = 0;

	while (bytes-- > 0) {
		v = v << 8 | (in->n ? *in->p : 0);
		if (in->n) {
			in->p++;
			in->n--;
		}
	}
	return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = { p, n };
	struct jitter *j;
	struct decode *d;
	struct audio_rtp r = { .ssrc = 1, .seq = 65530, .timestamp = ~0u - 5 };
	int64_t now_us = 1000000;

	if (jitter_create(&j, 0, 0) < 0 || decode_create(&d) < 0)
		abort();
	for (int steps = 0; in.n && steps < 3000; steps++) {
		unsigned what = take(&in, 1);

		if (what & 1) {
			int16_t pcm[AUDIO_IN_FRAME];

			now_us += what & 2 ? (int64_t)take(&in, 1) * 5000 :
				20000;
			decode_pull(d, j, now_us, what & 4, pcm);
			continue;
		}
		r.seq = (uint16_t)(r.seq + (what & 2 ? take(&in, 2) : 1));
		r.timestamp += what & 4 ? take(&in, 4) : 960;
		r.ssrc += what & 8 ? take(&in, 1) : 0;
		r.arrival_us = now_us;
		r.len = what & 16 ? take(&in, 2) : what >> 5;
		if (r.len > in.n)
			r.len = in.n;
		r.payload = in.p;
		jitter_put(j, &r);
		in.p += r.len;
		in.n -= r.len;
	}
	const struct jitter_counts *c = jitter_counts(j);
	assert(c->late <= c->received + n);
	decode_destroy(d);
	jitter_destroy(j);
	return 0;
}
