/*
 * An adaptive jitter buffer that thinks in time, not in packets.
 *
 * Each packet has a moment: its RTP time plus the path's base delay (delay.c)
 * plus the wanted delay. A frame is asked for every 20 ms. If its packet is
 * missing we conceal and go on; if the packet comes after all, and nothing
 * behind it was played, we step back and play it: jitter costs delay, not
 * words. Delay comes down again by melting two frames into one, best while
 * the caller is quiet, and is bounded by throwing away what is too old.
 * Timestamps that jump without missing numbers are DTX: zeros by the clock.
 *
 * Media thread. Never allocates after create.
 */
#include "audio/jitter_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <opus/opus.h>

#include "audio/delay_int.h"
#include "base/err.h"

enum {
	DEFAULT_MIN_MS = 20,
	DEFAULT_MAX_MS = 200,
	CEILING_MS = 400,
	STEP = AUDIO_RTP_STEP,
	FRAME_US = AUDIO_FRAME_MS * 1000,
	CONCEAL_DRY = 3,       /* frames guessed when nothing more comes */
	CONCEAL_GAP = 6,       /* ... when we know that speech goes on */
	DTX_BYTES = 2,         /* a packet this short says "I stop sending" */
	JUMP_US = 2000000,     /* transit moved so far: the sender restarted */
	OLD_SSRC_US = 500000,  /* stragglers of the track before */
	MERGE_SPEECH_US = 60000,   /* excess that is worth bending speech for */
	MERGE_PAUSE_US = 400000,   /* ... and how often at most */
	STALE_RUN = 25,        /* late ones in a row: numbering started anew */
};

struct slot {
	int64_t seq, ts; /* extended beyond wrap */
	int64_t arrival_us;
	int samples;     /* at 48 kHz */
	size_t len;
	uint8_t payload[JITTER_PAYLOAD];
};

struct jitter {
	struct delay delay;
	struct jitter_counts counts;

	/* the stream */
	bool any;              /* a packet was ever seen */
	uint32_t ssrc, old_ssrc;
	int64_t switched_us;   /* when ssrc replaced old_ssrc, 0: never */
	int64_t top_seq, top_ts;
	uint64_t seen;         /* bit i: top_seq - i was received */
	bool reset;            /* tell the decoder */
	int stale_run;         /* packets in a row that were late at arrival */

	/* playing */
	bool played_any;
	bool flowing;          /* false: zeros until a packet's moment comes */
	int64_t play_ts;       /* of the next frame */
	int64_t end_ts;        /* end of the last packet really played */
	int64_t last_seq;
	size_t last_len;
	int run;               /* frames concealed in a row */
	int64_t merged_us;     /* last time speech was bent */
	int64_t delay_us;

	/* packets waiting, order[] by number */
	int n;
	uint8_t order[JITTER_SLOTS];
	uint8_t unused[JITTER_SLOTS]; /* the first SLOTS - n are free */
	struct slot slots[JITTER_SLOTS];
};

static int64_t ts_us(int64_t ts)
{
	return ts * 125 / 6; /* 48 kHz */
}

/* ---- the waiting packets ------------------------------------------------ */

static struct slot *nth(struct jitter *j, int i)
{
	return i < j->n ? &j->slots[j->order[i]] : NULL;
}

static void forget_all(struct jitter *j)
{
	j->n = 0;
	for (int i = 0; i < JITTER_SLOTS; i++)
		j->unused[i] = (uint8_t)i;
}

static void drop_head(struct jitter *j)
{
	assert(j->n > 0);
	uint8_t slot = j->order[0];

	memmove(j->order, j->order + 1, (size_t)(j->n - 1));
	j->n--;
	/* At the far end of the stack, so that its bytes stay readable until
	 * every other slot was used. */
	int nfree = JITTER_SLOTS - j->n;
	memmove(j->unused + 1, j->unused, (size_t)(nfree - 1));
	j->unused[0] = slot;
}

static struct slot *new_slot(struct jitter *j, int64_t seq)
{
	if (j->n == JITTER_SLOTS) {
		drop_head(j);
		j->counts.late++;
	}
	uint8_t slot = j->unused[JITTER_SLOTS - j->n - 1];
	int i = j->n++;

	for (; i > 0 && j->slots[j->order[i - 1]].seq > seq; i--)
		j->order[i] = j->order[i - 1];
	j->order[i] = slot;
	return &j->slots[slot];
}

/* ---- arrival -------------------------------------------------------------- */

int jitter_create(struct jitter **ret_jitter, int min_ms, int max_ms)
{
	if (!min_ms)
		min_ms = DEFAULT_MIN_MS;
	if (!max_ms)
		max_ms = DEFAULT_MAX_MS;
	if (min_ms < 0 || max_ms < min_ms || max_ms > CEILING_MS)
		return -EINVAL;
	struct jitter *j = calloc(1, sizeof *j);
	if (!j)
		return -ENOMEM;
	delay_init(&j->delay, min_ms, max_ms);
	forget_all(j);
	*ret_jitter = j;
	return 0;
}

void jitter_destroy(struct jitter *j)
{
	free(j);
}

static void start_stream(struct jitter *j, const struct audio_rtp *p)
{
	if (j->any)
		j->counts.resets++;
	j->reset = j->any;
	j->any = true;
	j->ssrc = p->ssrc;
	/* Well above 0, so that packets older than the first stay positive. */
	j->top_seq = (int64_t)p->seq + (1 << 20);
	j->top_ts = (int64_t)p->timestamp + (1LL << 33);
	j->seen = 0;
	j->played_any = j->flowing = false;
	j->run = j->stale_run = 0;
	forget_all(j);
	delay_restart(&j->delay, p->arrival_us - ts_us(j->top_ts),
		      p->arrival_us);
}

/* Marks seq as seen; false when it was before. */
static bool first_sight(struct jitter *j, int64_t seq)
{
	int64_t ahead = seq - j->top_seq;

	if (ahead > 0) {
		j->seen = ahead > 63 ? 0 : j->seen << ahead;
		j->seen |= 1;
		j->top_seq = seq;
		return true;
	}
	if (ahead < -63)
		return true; /* too old to know; its time decides */
	uint64_t bit = 1ULL << -ahead;
	bool first = !(j->seen & bit);
	j->seen |= bit;
	return first;
}

static bool from_track_before(struct jitter *j, const struct audio_rtp *p)
{
	return j->switched_us && p->ssrc == j->old_ssrc &&
	       p->arrival_us - j->switched_us < OLD_SSRC_US;
}

/* A new SSRC, or a clock that jumped under the same one. */
static bool starts_stream(struct jitter *j, const struct audio_rtp *p)
{
	if (!j->any || j->stale_run >= STALE_RUN)
		return true;
	if (p->ssrc != j->ssrc) {
		j->old_ssrc = j->ssrc;
		j->switched_us = p->arrival_us;
		return true;
	}
	int64_t ts = j->top_ts + (int32_t)(p->timestamp - (uint32_t)j->top_ts);
	int64_t moved = p->arrival_us - ts_us(ts) - j->delay.base_us;
	bool newer = (int16_t)(p->seq - (uint16_t)j->top_seq) > 0;

	/* An old packet may be a straggler; a new one with a strange time
	 * cannot. */
	return newer && (moved > JUMP_US || moved < -JUMP_US);
}

static void keep(struct jitter *j, const struct audio_rtp *p, int64_t seq,
		 int64_t ts, int samples)
{
	struct slot *s = new_slot(j, seq);

	s->seq = seq;
	s->ts = ts;
	s->arrival_us = p->arrival_us;
	s->samples = samples;
	s->len = p->len;
	memcpy(s->payload, p->payload, p->len);
}

int jitter_put(struct jitter *j, const struct audio_rtp *p)
{
	if (p->ssrc != j->ssrc && from_track_before(j, p)) {
		j->counts.late++;
		return 0;
	}
	int samples = p->len && p->len <= JITTER_PAYLOAD ?
		opus_packet_get_nb_samples(p->payload, (opus_int32)p->len,
					   48000) : -1;
	if (samples <= 0)
		return 0; /* padding or damaged: as if it had been lost */
	int fresh = starts_stream(j, p);
	if (fresh)
		start_stream(j, p);
	int64_t seq = j->top_seq + (int16_t)(p->seq - (uint16_t)j->top_seq);
	int64_t ts = j->top_ts + (int32_t)(p->timestamp - (uint32_t)j->top_ts);
	if (!first_sight(j, seq)) {
		j->counts.doubled++;
		return 0;
	}
	j->counts.received++;
	if (ts > j->top_ts)
		j->top_ts = ts;
	delay_note(&j->delay, p->arrival_us - ts_us(ts), p->arrival_us);
	if (j->played_any && (seq <= j->last_seq || ts < j->end_ts)) {
		j->counts.late++;
		j->stale_run++;
		return 0;
	}
	j->stale_run = 0;
	keep(j, p, seq, ts, samples);
	return fresh;
}

/* ---- playing ---------------------------------------------------------------- */

/* How much later than its moment s would be played now. */
static int64_t excess_us(const struct jitter *j, const struct slot *s,
			 int64_t now_us)
{
	return now_us - ts_us(s->ts) - j->delay.base_us - j->delay.target_us;
}

/* Throws away what is older than the largest delay allows. When even the
 * fastest packet here is that late, the path got longer: that is no backlog. */
static void drop_overdue(struct jitter *j, int64_t now_us)
{
	int64_t limit = j->delay.max_us + FRAME_US;

	while (j->n) {
		struct slot *head = nth(j, 0);

		if (now_us - ts_us(head->ts) - j->delay.base_us <= limit)
			return;
		int64_t least = INT64_MAX;
		for (int i = 0; i < j->n; i++) {
			struct slot *s = nth(j, i);
			int64_t transit = s->arrival_us - ts_us(s->ts);

			if (transit < least)
				least = transit;
		}
		if (least > j->delay.base_us + j->delay.max_us / 2) {
			delay_rebase(&j->delay, least, now_us);
			continue;
		}
		drop_head(j);
		j->counts.late++;
	}
}

static void conceal(struct jitter *j, struct jitter_out *out,
		    enum jitter_what what)
{
	out->what = what;
	out->samples = STEP;
	j->counts.concealed++;
	j->run++;
}

static void go_silent(struct jitter *j, struct jitter_out *out)
{
	j->flowing = false;
	out->what = JITTER_SILENCE;
	out->samples = STEP;
}

/* Packets that should have been between the last one played and s. Holes in
 * the numbers without time in them (padding) are none. */
static int missing_before(const struct jitter *j, const struct slot *s)
{
	int64_t by_number = s->seq - j->last_seq - 1;
	int64_t by_time = (s->ts - j->end_ts) / s->samples;

	if (!j->played_any)
		return 0;
	return (int)(by_number < by_time ? by_number : by_time);
}

static void play_head(struct jitter *j, int64_t now_us, struct jitter_out *out)
{
	struct slot *s = nth(j, 0);
	int missing = missing_before(j, s);

	j->delay_us = now_us - ts_us(s->ts) - j->delay.base_us;
	j->counts.lost += (uint64_t)missing;
	delay_note_played(&j->delay, missing);
	out->what = JITTER_PACKET;
	out->payload = s->payload;
	out->len = s->len;
	out->samples = s->samples;
	j->last_seq = s->seq;
	j->last_len = s->len;
	j->play_ts = j->end_ts = s->ts + s->samples;
	j->played_any = j->flowing = true;
	j->run = 0;
	drop_head(j);
}

/* Whether the frame after the head is here, so that both can be melted. */
static bool two_follow(struct jitter *j)
{
	struct slot *a = nth(j, 0), *b = nth(j, 1);

	return b && a->samples == STEP && b->samples == STEP &&
	       b->ts == a->ts + STEP;
}

/* The head is due in the flow: play it, unless the delay should move. */
static void get_due(struct jitter *j, int64_t now_us, bool quiet,
		    struct jitter_out *out)
{
	int64_t excess = excess_us(j, nth(j, 0), now_us);

	if (quiet && excess < -FRAME_US) {
		j->counts.inserted++;
		out->what = JITTER_LOST;
		out->samples = STEP;
		return;
	}
	bool bend = excess >= MERGE_SPEECH_US &&
		now_us - j->merged_us >= MERGE_PAUSE_US;
	if (((quiet && excess >= FRAME_US) || bend) && two_follow(j)) {
		j->merged_us = now_us;
		j->counts.merged++;
		out->merge = true;
	}
	play_head(j, now_us, out);
}

/* A later packet is here, ours is not. */
static void get_missing(struct jitter *j, int64_t now_us,
			struct jitter_out *out)
{
	struct slot *head = nth(j, 0);
	int64_t gap = head->ts - j->play_ts;

	if (head->seq == j->last_seq + 1 || j->run >= CONCEAL_GAP) {
		/* DTX: nothing was sent here. Also the end of long losses. */
		go_silent(j, out);
		if (excess_us(j, head, now_us) >= -FRAME_US / 2)
			play_head(j, now_us, out);
		return;
	}
	if (gap <= head->samples) {
		conceal(j, out, JITTER_FEC);
		out->payload = head->payload;
		out->len = head->len;
		out->samples = (int)gap;
		j->play_ts = head->ts;
		return;
	}
	conceal(j, out, JITTER_LOST);
	j->play_ts += STEP;
}

static void get_dry(struct jitter *j, struct jitter_out *out)
{
	if (!j->flowing || j->last_len <= DTX_BYTES || j->run >= CONCEAL_DRY) {
		go_silent(j, out);
		return;
	}
	conceal(j, out, JITTER_LOST);
	j->play_ts += STEP;
}

void jitter_get(struct jitter *j, int64_t now_us, bool quiet,
		struct jitter_out *out)
{
	memset(out, 0, sizeof *out);
	out->reset = j->reset;
	j->reset = false;
	drop_overdue(j, now_us);
	struct slot *head = nth(j, 0);

	if (!head) {
		get_dry(j, out);
	} else if (!j->flowing) {
		/* To the beat nearest to the packet's moment. */
		if (excess_us(j, head, now_us) < -FRAME_US / 2)
			go_silent(j, out);
		else
			play_head(j, now_us, out);
	} else if (head->ts <= j->play_ts) {
		get_due(j, now_us, quiet, out);
	} else {
		get_missing(j, now_us, out);
	}
	assert(out->samples > 0);
}

const struct jitter_counts *jitter_counts(const struct jitter *j)
{
	return &j->counts;
}

int jitter_target_ms(const struct jitter *j)
{
	return (int)(j->delay.target_us / 1000);
}

int jitter_delay_ms(const struct jitter *j)
{
	return (int)(j->delay_us / 1000);
}
