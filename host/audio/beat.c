/*
 * The 20 ms beat of one call: orders from the loop, one frame of the caller,
 * the reflexes, one packet out. Media thread. Never allocates, locks, logs or
 * waits; test_beat.c holds that with an interposer.
 */
#include "audio/audio_int.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/thread.h"

enum {
	FRAME_US = AUDIO_FRAME_MS * 1000,
	/* A stalled media thread makes up for three beats at once and gives
	 * up older ones (io.h); those are gaps in the timestamps. */
	CATCH_UP = 3,
	PHASE_BEATS = 50,
	IDLE_FRAMES = 3, /* encoded a time: under 1 ms, a phase slot's length */
};

static void count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static void set(_Atomic uint64_t *counter, uint64_t value)
{
	atomic_store_explicit(counter, value, memory_order_relaxed);
}

/* ---- reports ------------------------------------------------------------------- */

/* When the loop has not looked for two seconds the event is lost, and
 * counted. Ends of utterances are kept and told later (playout.c); a lost
 * PAUSED is answered by the reflex itself when the verdict is late. */
static void report(struct audio *a, const struct audio_event *e)
{
	struct report r = { .event = *e };

	r.event.at_us = a->now_us;
	if (ring_write(a->reports, &r, sizeof r, NULL, 0) < 0)
		count(&a->counters.dropped, 1);
	a->news = true;
}

/* Sends the caller's voice to the loop in pieces of post_ms. A loop that has
 * not read for about two seconds loses the newest pieces, counted. */
static void post_pcm(struct audio *a, const int16_t *pcm)
{
	memcpy(a->post + a->post_n, pcm, AUDIO_IN_FRAME * sizeof *pcm);
	a->post_n += AUDIO_IN_FRAME;
	assert(a->post_n <= POST_MAX);
	if (a->post_n < a->post_samples)
		return;
	const struct report r = { .pcm = true, .n = (uint16_t)a->post_n,
				  .voice_prob = a->input.prob,
				  .at_us = a->now_us };
	size_t size = a->post_n * sizeof *pcm;

	if (ring_used(a->reports) + sizeof r + size + REPORT_RESERVE >
		    REPORT_BYTES ||
	    ring_write(a->reports, &r, sizeof r, a->post, size) < 0)
		count(&a->counters.dropped, 1);
	a->post_n = 0;
	a->news = true;
}

static void report_pause(struct audio *a, enum audio_event_type type)
{
	struct audio_event e = { .type = type, .epoch = a->reflex.epoch };

	e.utterance = playout_current(a->playout, &e.heard_ms);
	report(a, &e);
}

static void report_speech(struct audio *a, enum input_change change)
{
	if (change == INPUT_SAME)
		return;
	report(a, &(struct audio_event){
		.type = change == INPUT_ON ? AUDIO_SPEECH_ON : AUDIO_SPEECH_OFF,
		.epoch = a->reflex.arm.epoch });
}

/* ---- orders --------------------------------------------------------------------- */

static void do_cut(struct audio *a, const struct command *c)
{
	if (c->slot == PLAYOUT_FILLER && a->filler_line &&
	    c->utterance == a->filler_utterance) {
		a->filler_line = NULL;
		return;
	}
	if (playout_cut(a->playout, c->slot, c->utterance, c->fed))
		reflex_cut(&a->reflex);
}

static void do_cut_all(struct audio *a)
{
	uint32_t filler = playout_filler_id(a->playout);

	a->filler_line = NULL;
	if (filler)
		playout_cut(a->playout, PLAYOUT_FILLER, filler, 0);
	playout_resume(a->playout);
	reflex_cut(&a->reflex);
}

static void do_command(struct audio *a, const struct command *c)
{
	switch (c->type) {
	case COMMAND_CUT:
		do_cut(a, c);
		break;
	case COMMAND_CUT_ALL:
		do_cut_all(a);
		break;
	case COMMAND_PAUSE:
		if (!reflex_pause(&a->reflex))
			break;
		playout_pause(a->playout);
		report_pause(a, AUDIO_PAUSED);
		break;
	case COMMAND_RESUME:
		if (!reflex_resume(&a->reflex, c->epoch))
			break;
		playout_resume(a->playout);
		report_pause(a, AUDIO_RESUMED);
		break;
	case COMMAND_ARM:
		reflex_arm(&a->reflex, &c->reflex);
		break;
	case COMMAND_FILLER:
		a->filler_line = c->line;
		a->filler_utterance = c->utterance;
		a->filler_us = a->now_us + (int64_t)c->ms * 1000;
		break;
	}
}

static void do_commands(struct audio *a)
{
	struct command c;

	while (ring_read(a->commands, &c, sizeof c) > 0)
		do_command(a, &c);
}

/* ---- the caller ------------------------------------------------------------------- */

void audio_rx(struct audio *a, const struct audio_rtp *p)
{
	ON_MEDIA();
	if (!jitter_put(a->jitter, p))
		return;
	a->now_us = p->arrival_us;
	report_speech(a, input_reset(&a->input));
	report(a, &(struct audio_event){ .type = AUDIO_TRACK });
}

static void hear(struct audio *a)
{
	int16_t pcm[AUDIO_IN_FRAME];

	decode_pull(a->decode, a->jitter, a->due_us, !a->input.voiced, pcm);
	report_speech(a, input_frame(&a->input, pcm));
	post_pcm(a, pcm);
}

/* ---- reflexes ---------------------------------------------------------------------- */

static void react(struct audio *a)
{
	uint32_t heard;
	bool busy = playout_current(a->playout, &heard) != 0;

	switch (reflex_step(&a->reflex, a->input.run_ms, busy, a->now_us)) {
	case REFLEX_PAUSE:
		playout_pause(a->playout);
		report_pause(a, AUDIO_PAUSED);
		break;
	case REFLEX_RESUME:
		playout_resume(a->playout);
		report_pause(a, AUDIO_RESUMED);
		break;
	case REFLEX_NONE:
		break;
	}
}

static void fill_silence(struct audio *a)
{
	const struct audio_line *line = a->filler_line;

	if (!line || a->reflex.paused || a->now_us < a->filler_us)
		return;
	a->filler_line = NULL;
	if (playout_busy(a->playout))
		return; /* something of ours is there in time */
	playout_filler(a->playout, a->filler_utterance, line);
	report(a, &(struct audio_event){ .type = AUDIO_FILLER,
		.epoch = a->reflex.arm.epoch,
		.utterance = a->filler_utterance });
}

/* ---- out ------------------------------------------------------------------------------- */

static void skip_frames(struct audio *a, int64_t n)
{
	a->due_us += n * FRAME_US;
	a->ticks += (uint32_t)n * AUDIO_RTP_STEP;
}

/* The beats of a second were all late: our idea of their phase is wrong, or
 * one was given up that we took for delayed. */
static void correct_phase(struct audio *a)
{
	if (a->least_late_us >= FRAME_US) {
		skip_frames(a, a->least_late_us / FRAME_US);
		a->least_late_us %= FRAME_US;
	}
	a->due_us += a->least_late_us;
	a->least_late_us = INT64_MAX;
	a->phase_beats = 0;
}

/* When this beat should have been: late ones must not look to the jitter
 * buffer as if time jumped. RTP time follows, so that it stays real time
 * when beats were given up (RFC 3550, 5.1). */
static void keep_time(struct audio *a)
{
	if (!a->due_us) {
		a->due_us = a->now_us;
		a->least_late_us = INT64_MAX;
		return;
	}
	skip_frames(a, 1);
	int64_t late = a->now_us - a->due_us;
	if (late >= CATCH_UP * FRAME_US)
		skip_frames(a, late / FRAME_US - CATCH_UP + 1);
	if (late < 0)
		a->due_us = a->now_us; /* the ones before were late */
	late = a->now_us - a->due_us;
	if (late < a->least_late_us)
		a->least_late_us = late;
	if (++a->phase_beats == PHASE_BEATS)
		correct_phase(a);
}

static void speak(struct audio *a)
{
	struct audio_packet p;

	playout_next(a->playout, &p);
	p.ticks = a->ticks;
	a->ops.send(a->arg, &p);
	count(&a->counters.sent, 1);
}

static void publish(struct audio *a)
{
	const struct jitter_counts *j = jitter_counts(a->jitter);
	struct counters *c = &a->counters;

	set(&c->received, j->received);
	set(&c->late, j->late);
	set(&c->lost, j->lost);
	set(&c->concealed, j->concealed);
	set(&c->resets, j->resets);
	set(&c->fec_used, decode_fec_used(a->decode));
	set(&c->underruns, playout_underruns(a->playout));
	atomic_store_explicit(&c->jitter_ms,
			      (uint32_t)jitter_delay_ms(a->jitter),
			      memory_order_relaxed);
	count(&c->beats, 1);
	atomic_store_explicit(&a->beat_us, a->now_us, memory_order_relaxed);
}

static void wake_loop(struct audio *a)
{
	bool room = ring_used(a->feed) < FEED_BYTES / 2 &&
		    ring_used(a->commands) < COMMAND_BYTES / 2;

	if (room && atomic_load_explicit(&a->loop_waits, memory_order_relaxed))
		a->news = true;
	if (!a->news)
		return;
	a->news = false;
	if (a->wake)
		wake_raise(a->wake);
}

void audio_beat(struct audio *a, int64_t now_us)
{
	ON_MEDIA();
	a->now_us = now_us;
	keep_time(a);
	do_commands(a);
	hear(a);
	react(a);
	fill_silence(a);
	speak(a);
	publish(a);
	wake_loop(a);
}

void audio_idle(struct audio *a, int64_t now_us)
{
	ON_MEDIA();
	a->now_us = now_us;
	for (int i = 0; i < IDLE_FRAMES; i++)
		if (!playout_fill(a->playout))
			break;
	wake_loop(a); /* an end without any audio may have been told */
}

void audio_stats(const struct audio *a, struct audio_stats *out)
{
	const struct counters *c = &a->counters;

	out->received = atomic_load_explicit(&c->received, memory_order_relaxed);
	out->late = atomic_load_explicit(&c->late, memory_order_relaxed);
	out->lost = atomic_load_explicit(&c->lost, memory_order_relaxed);
	out->concealed = atomic_load_explicit(&c->concealed,
					      memory_order_relaxed);
	out->fec_used = atomic_load_explicit(&c->fec_used, memory_order_relaxed);
	out->resets = atomic_load_explicit(&c->resets, memory_order_relaxed);
	out->beats = atomic_load_explicit(&c->beats, memory_order_relaxed);
	out->sent = atomic_load_explicit(&c->sent, memory_order_relaxed);
	out->underruns = atomic_load_explicit(&c->underruns,
					      memory_order_relaxed);
	out->dropped = atomic_load_explicit(&c->dropped, memory_order_relaxed);
	out->jitter_ms = atomic_load_explicit(&c->jitter_ms,
					      memory_order_relaxed);
}
