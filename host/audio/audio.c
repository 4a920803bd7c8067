/*
 * The loop's side of an audio object: life, orders to the media thread, and
 * handing out what comes back. Never called on the beat.
 */
#include "audio/audio_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/thread.h"

/* ---- life -------------------------------------------------------------------- */

static int note_playout(void *arg, enum audio_event_type type,
			uint32_t utterance, uint32_t heard_ms, bool cut)
{
	struct audio *a = arg;
	const struct report r = { .event = {
		.type = type, .epoch = a->reflex.arm.epoch,
		.utterance = utterance, .heard_ms = heard_ms,
		.cut = cut, .at_us = a->now_us } };

	if (type == AUDIO_STARTED)
		a->filler_line = NULL; /* it is no longer silent */
	a->news = true;
	int result = ring_write(a->reports, &r, sizeof r, NULL, 0);
	if (result < 0)
		atomic_fetch_add_explicit(&a->counters.dropped, 1,
					  memory_order_relaxed);
	return result;
}

static int create_parts(struct audio *a, const struct audio_cfg *cfg)
{
	int r = ring_create(&a->feed, FEED_BYTES);

	if (r >= 0)
		r = ring_create(&a->commands, COMMAND_BYTES);
	if (r >= 0)
		r = ring_create(&a->reports, REPORT_BYTES);
	if (r >= 0)
		r = jitter_create(&a->jitter, cfg->jitter_min_ms,
				  cfg->jitter_max_ms);
	if (r >= 0)
		r = decode_create(&a->decode);
	if (r >= 0)
		r = input_init(&a->input, cfg);
	if (r >= 0)
		r = playout_create(&a->playout, cfg, a->feed, note_playout, a);
	return r;
}

static void destroy(struct audio *a)
{
	if (a->feed)
		say_finish(&a->say);
	playout_destroy(a->playout);
	input_finish(&a->input);
	decode_destroy(a->decode);
	jitter_destroy(a->jitter);
	ring_destroy(a->reports);
	ring_destroy(a->commands);
	ring_destroy(a->feed);
	buf_free(&a->unsent);
	buf_free(&a->ended);
	free(a);
}

int audio_create(struct audio **ret_audio, const struct audio_cfg *cfg,
		 const struct audio_ops *ops, void *arg)
{
	static const struct audio_cfg defaults;
	struct audio *a;
	int post_ms;

	ON_LOOP();
	if (!cfg)
		cfg = &defaults;
	post_ms = cfg->post_ms ? cfg->post_ms : 40;
	if (post_ms < AUDIO_FRAME_MS || post_ms > POST_MAX_MS)
		return -EINVAL;
	a = calloc(1, sizeof *a);
	if (!a)
		return -ENOMEM;
	a->ops = *ops;
	a->arg = arg;
	a->post_samples = (size_t)(post_ms / AUDIO_FRAME_MS) * AUDIO_IN_FRAME;
	int r = create_parts(a, cfg);
	if (r < 0) {
		destroy(a);
		return r;
	}
	say_init(&a->say, a->feed);
	*ret_audio = a;
	return 0;
}

static void drain_posted(void *arg)
{
	audio_drain(arg);
}

static void beat_step(void *arg, int64_t now_us)
{
	audio_beat(arg, now_us);
}

static void idle_step(void *arg, int64_t now_us)
{
	audio_idle(arg, now_us);
}

struct join {
	struct audio *audio;
	struct media *media;
	int result;
};

static void join_beat(void *arg)
{
	struct join *j = arg;

	j->result = media_beat_add(j->media, beat_step, idle_step, j->audio);
}

static void leave_beat(void *arg)
{
	struct audio *a = arg;

	media_beat_remove(a->media, a);
}

int audio_attach(struct audio *a, struct loop *l, struct media *m)
{
	struct join j = { .audio = a, .media = m };

	ON_LOOP();
	assert(!a->media);
	int r = wake_create(&a->wake, l, drain_posted, a);
	if (r < 0)
		return r;
	a->loop = l;
	media_sync(m, join_beat, &j);
	if (j.result < 0) {
		wake_close(a->wake);
		a->wake = NULL;
		return j.result;
	}
	a->media = m;
	return 0;
}

void audio_close(struct audio *a)
{
	ON_LOOP();
	if (!a)
		return;
	if (a->media)
		media_sync(a->media, leave_beat, a);
	if (a->wake)
		wake_close(a->wake);
	if (a->gone)
		*a->gone = true;
	destroy(a);
}

/* ---- orders ------------------------------------------------------------------- */

/* Orders are never lost: what finds no room waits on the loop, in order. */
static void flush_commands(struct audio *a)
{
	size_t at = 0;

	while (at < a->unsent.len) {
		if (ring_write(a->commands, a->unsent.p + at,
			       sizeof(struct command), NULL, 0) < 0)
			break;
		at += sizeof(struct command);
	}
	buf_shift(&a->unsent, at);
}

static void update_waits(struct audio *a)
{
	atomic_store_explicit(&a->loop_waits, a->unsent.len || a->say.waiting,
			      memory_order_relaxed);
}

static void command(struct audio *a, const struct command *c)
{
	buf_add(&a->unsent, c, sizeof *c);
	flush_commands(a);
	update_waits(a);
}

/* An end that media has no part in. Told by the next drain, not from inside
 * the call that caused it. */
static void end_here(struct audio *a, uint32_t utterance, bool cut)
{
	const struct audio_event e = {
		.type = AUDIO_ENDED, .utterance = utterance, .cut = cut,
		.at_us = atomic_load_explicit(&a->beat_us,
					      memory_order_relaxed) };

	buf_add(&a->ended, &e, sizeof e);
	if (a->wake)
		wake_raise(a->wake);
}

static uint64_t unsent_samples(const struct audio *a)
{
	return a->say.queued - a->say.dropped - playout_consumed(a->playout);
}

static void disarm_filler(struct audio *a)
{
	if (a->filler_armed)
		command(a, &(struct command){ .type = COMMAND_FILLER });
	a->filler_armed = false;
}

int audio_say(struct audio *a, uint32_t utterance, const int16_t *pcm, size_t n)
{
	ON_LOOP();
	disarm_filler(a);
	int r = say_pcm(&a->say, utterance, pcm, n, unsent_samples(a));

	update_waits(a);
	return r;
}

int audio_say_line(struct audio *a, uint32_t utterance,
		   const struct audio_line *line)
{
	ON_LOOP();
	disarm_filler(a);
	int r = say_line(&a->say, utterance, line, unsent_samples(a));

	update_waits(a);
	return r;
}

void audio_say_end(struct audio *a, uint32_t utterance)
{
	ON_LOOP();
	if (!say_end(&a->say, utterance))
		end_here(a, utterance, false);
	update_waits(a);
}

static void cut_one(struct audio *a, uint32_t utterance)
{
	uint8_t slot = PLAYOUT_FILLER;

	switch (say_cut(&a->say, utterance, &slot)) {
	case SAY_FED:
		command(a, &(struct command){ .type = COMMAND_CUT,
			.utterance = utterance, .slot = slot,
			.fed = a->say.fed });
		break;
	case SAY_WAITING:
	case SAY_UNKNOWN:
		end_here(a, utterance, true);
		break;
	}
	say_pump(&a->say);
	update_waits(a);
}

static bool was_armed(const struct audio *a, uint32_t utterance)
{
	for (size_t i = 0; i < FILLERS_KEPT; i++)
		if (a->fillers[i] == utterance)
			return true;
	return false;
}

void audio_cut(struct audio *a, uint32_t utterance)
{
	ON_LOOP();
	if (!utterance) {
		while ((utterance = say_any(&a->say)))
			cut_one(a, utterance);
		command(a, &(struct command){ .type = COMMAND_CUT_ALL });
	} else if (say_is_over(&a->say, utterance)) {
		return;
	} else if (was_armed(a, utterance)) {
		/* Only media knows whether it has begun. */
		command(a, &(struct command){ .type = COMMAND_CUT,
			.utterance = utterance, .slot = PLAYOUT_FILLER });
	} else {
		cut_one(a, utterance);
	}
}

void audio_pause(struct audio *a)
{
	ON_LOOP();
	command(a, &(struct command){ .type = COMMAND_PAUSE });
}

void audio_resume(struct audio *a, uint32_t epoch)
{
	ON_LOOP();
	command(a, &(struct command){ .type = COMMAND_RESUME, .epoch = epoch });
}

void audio_arm(struct audio *a, const struct audio_reflex *r)
{
	ON_LOOP();
	command(a, &(struct command){ .type = COMMAND_ARM, .reflex = *r });
}

void audio_arm_filler(struct audio *a, uint32_t utterance,
		      const struct audio_line *line, int after_ms)
{
	ON_LOOP();
	assert(!line || utterance);
	if (line)
		a->fillers[a->n_fillers++ % FILLERS_KEPT] = utterance;
	a->filler_armed = line != NULL;
	command(a, &(struct command){ .type = COMMAND_FILLER, .line = line,
		.utterance = utterance, .ms = after_ms });
}

int audio_queued_ms(const struct audio *a)
{
	ON_LOOP();
	return (int)(unsent_samples(a) * 1000 / AUDIO_OUT_HZ);
}

/* ---- what comes back ----------------------------------------------------------- */

static void hand_event(struct audio *a, const struct audio_event *e)
{
	if (e->type == AUDIO_ENDED)
		say_ended(&a->say, e->utterance);
	if (a->ops.on_event)
		a->ops.on_event(a->arg, e);
}

static bool hand_ended(struct audio *a, const bool *gone)
{
	while (a->ended.len) {
		struct audio_event e;

		memcpy(&e, a->ended.p, sizeof e);
		buf_shift(&a->ended, sizeof e); /* first: the callback may add */
		if (a->ops.on_event)
			a->ops.on_event(a->arg, &e);
		if (*gone)
			return false;
	}
	return true;
}

void audio_drain(struct audio *a)
{
	struct {
		struct report head;
		int16_t pcm[POST_MAX];
	} m;
	bool gone = false;

	ON_LOOP();
	if (a->gone)
		return; /* called from inside a callback: the outer one goes on */
	a->gone = &gone;
	while (ring_read(a->reports, &m, sizeof m) > 0) {
		if (!m.head.pcm)
			hand_event(a, &m.head.event);
		else if (a->ops.on_pcm)
			a->ops.on_pcm(a->arg, m.pcm, m.head.n, m.head.at_us,
				      m.head.voice_prob);
		if (gone)
			return;
	}
	if (!hand_ended(a, &gone))
		return;
	a->gone = NULL;
	flush_commands(a);
	say_pump(&a->say);
	update_waits(a);
}
