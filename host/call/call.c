/*
 * A call's life: joining, the first word, the end. On the loop. The two
 * hand-overs between room and audio run on media, behind media_live.
 */
#include "call/call.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "call/call_int.h"

enum { SPEECH_OFF_MS = 200, LEAVE_CLIENT = 1, LEAVE_AFTER_MS = 120, LEFT_MS = 350 };

static const char *const end_names[] = {
	[CALL_END_CALLER] = "caller",
	[CALL_END_AGENT] = "agent",
	[CALL_END_TRANSFERRED] = "transferred",
	[CALL_END_SILENT] = "silent",
	[CALL_END_LONGEST] = "longest",
	[CALL_END_SHUTDOWN] = "shutdown",
	[CALL_END_NO_CALLER] = "no_caller",
	[CALL_END_LOST] = "lost",
	[CALL_END_ERROR] = "error",
};

const char *call_end_name(enum call_end e)
{
	assert((size_t)e < sizeof end_names / sizeof *end_names);
	return end_names[e];
}

int64_t call_now_ms(const struct call *c)
{
	return clock_now_ms(loop_clock(c->host->loop)) - c->started_ms;
}

void call_note(struct call *c, enum call_note_type type, const char *text,
	       int ms)
{
	struct call_note note = { .type = type, .at_ms = call_now_ms(c),
				  .text = text, .ms = ms };

	if (c->host->on_note)
		c->host->on_note(c->host->arg, c, &note);
}

const struct clinic_language *call_find_language(const struct call *c,
						 const char *tag)
{
	for (size_t i = 0; i < c->clinic->n_languages; i++) {
		if (str_eq(c->clinic->languages[i].tag, tag))
			return &c->clinic->languages[i];
	}
	return NULL;
}

/* ---- the end ---------------------------------------------------------------- */

static void media_on(void *arg)
{
	struct call *c = arg;

	c->media_live = true;
}

static void media_off(void *arg)
{
	struct call *c = arg;

	c->media_live = false;
}

static void call_free(struct call *c)
{
	turn_finish(&c->turn);
	history_finish(&c->history);
	buf_free(&c->reply.text);
	buf_free(&c->reply.held);
	call_forget_words(c);
	free(c->words);
	free(c->caller);
	free(c->caller_sid);
	free(c->last_heard);
	free(c->last_text);
	free(c->id);
	free(c->room_name);
	free(c->metadata);
	free(c->want_caller);
	free(c);
}

static void drop_feeds(struct call *c)
{
	while (c->feeds) {
		struct feed *f = c->feeds;
		c->feeds = f->next;
		free(f->text);
		free(f);
	}
}

/* Takes half-built calls too. */
static void release(struct call *c)
{
	transcript_finish(c);
	timer_stop(&c->tick);
	timer_stop(&c->wait);
	timer_stop(&c->finish);
	leg_finish(c);
	if (c->policy)
		c->host->policy->close(c->policy);
	c->policy = NULL;
	reply_cancel(c);
	for (int i = 0; i < c->reply.n_tools; i++) {
		free(c->reply.tools[i].id);
		free(c->reply.tools[i].name);
		free(c->reply.tools[i].arguments);
	}
	stt_close(c->stt);
	if (c->media && c->audio)
		media_sync(c->media, media_off, c);
	speech_destroy(c->speech);
	audio_close(c->audio);
	drop_feeds(c);
}

static void left(void *arg)
{
	struct call *c = arg;
	struct call_host *h = c->host;

	timer_stop(&c->wait);
	room_close(c->room);
	call_free(c);
	h->n_open--;
	if (h->on_gone)
		h->on_gone(h->arg);
}

static void leave(void *arg)
{
	struct call *c = arg;

	room_leave(c->room, LEAVE_CLIENT);
	/* time for the leave message; the room itself is gone from our side */
	timer_init(&c->wait, loop_clock(c->host->loop), left, c);
	timer_start(&c->wait, LEFT_MS);
}

/* How the audio went, in both directions. */
static void log_audio(struct call *c)
{
	struct rtc_stats link = { 0 };
	struct audio_stats st = { 0 };

	if (!c->room || !c->audio)
		return;
	room_stats(c->room, &link);
	audio_stats(c->audio, &st);
	log_event(LOG_INFO, "call.audio", LOG_STR("call", c->id),
		  LOG_INT("first_sent_us", link.first_sent_us),
		  LOG_INT("sent", link.packets_sent),
		  LOG_INT("remote_lost", link.remote_lost),
		  LOG_INT("underruns", st.underruns),
		  LOG_INT("received", st.received), LOG_INT("lost", st.lost),
		  LOG_INT("late", st.late),
		  LOG_INT("concealed", st.concealed),
		  LOG_INT("dropped", st.dropped),
		  LOG_INT("rtt_ms", link.rtt_ms));
}

static void finish(void *arg)
{
	struct call *c = arg;

	log_event(LOG_INFO, "call.ended", LOG_STR("call", c->id),
		  LOG_STR("end", call_end_name(c->end)),
		  LOG_INT("ms", call_now_ms(c)));
	log_audio(c);
	call_note(c, NOTE_ENDED, call_end_name(c->end), 0);
	if (c->policy)
		c->host->policy->on_hangup(c->policy, call_end_name(c->end));
	if (c->end != CALL_END_CALLER && c->end != CALL_END_TRANSFERRED)
		leg_hang_up(c);
	release(c);
	c->end_fn(c->end_arg, c, c->end);
	/* The server fails the job of an agent that leaves before the job's
	 * end is told, and it is told on another socket. */
	timer_init(&c->wait, loop_clock(c->host->loop), leave, c);
	timer_start(&c->wait, LEAVE_AFTER_MS);
}

void call_finish(struct call *c, enum call_end end)
{
	ON_LOOP();
	if (c->ended)
		return;
	c->ended = true;
	c->end = end;
	timer_start(&c->finish, 0);
}

void call_shut(struct call *c, enum call_end end, int grace_ms)
{
	ON_LOOP();
	if (c->ended)
		return;
	if (grace_ms <= 0 || !c->answered) {
		call_finish(c, end);
		return;
	}
	const char *text = "";
	const struct audio_line *line = call_line(c, "goodbye", &text);
	c->policy_turn = false;
	reply_cancel(c);
	speech_cut(c->speech);
	if (line)
		speech_line(c->speech, line, text, false);
	call_busy_check(c); /* the hang-up waits for it */
	call_feed(c, TE_HANGUP, NULL, 0, end, false);
}

/* ---- the beginning ------------------------------------------------------------- */

static void on_wait(void *arg)
{
	struct call *c = arg;

	call_finish(c, c->answered ? CALL_END_CALLER : CALL_END_NO_CALLER);
}

static void on_tick(void *arg)
{
	call_feed(arg, TE_TICK, NULL, 0, 0, false);
}

void call_answered(struct call *c)
{
	c->answered = true;
	timer_stop(&c->wait);
	log_event(LOG_INFO, "call.answered", LOG_STR("call", c->id),
		  LOG_INT("ms", call_now_ms(c)));
	call_note(c, NOTE_ANSWERED, NULL, 0);
	transcript_state(c, "listening");
	call_feed(c, TE_START, NULL, 0, 0, false);
	c->host->policy->on_start(c->policy);
	c->busy = true; /* TE_START counts as work: the script has begun */
	call_busy_check(c);
}

static void set_turn(struct call *c)
{
	const struct clinic *k = c->clinic;
	struct turn_cfg cfg = {
		.speech_off_ms = SPEECH_OFF_MS,
		.endpointing_ms = k->endpointing_ms,
		.patient = k->endpointing_ms > 0,
		.idle_ms = k->idle_ms,
		.idle_times = k->idle_times,
		.longest_ms = k->longest_call_s * 1000,
		.uninterruptible = !k->interruptible,
	};

	turn_init(&c->turn, &cfg);
}

static int open_parts(struct call *c, const struct call_cfg *cfg)
{
	struct call_host *h = c->host;
	struct audio_cfg acfg = { .speech_off_ms = SPEECH_OFF_MS };
	struct room_cfg rcfg = {
		.url = cfg->room_url, .token = cfg->token,
		.track_name = "roomio_audio", .no_udp = h->no_udp,
		.loopback = h->loopback, .ca_file = h->ca_file };

	int r = audio_create(&c->audio, &acfg, &call_audio_ops, c);
	if (r < 0)
		return r;
	r = speech_create(&c->speech, h->loop, h->providers, c->audio,
			  &call_speech_ops, c);
	if (r < 0)
		return r;
	r = h->policy->open(&c->policy, c->bundle, c);
	if (r < 0)
		return r;
	r = room_join(&c->room, h->loop, c->media, &rcfg, &call_room_ops, c);
	if (r < 0)
		return r;
	media_sync(c->media, media_on, c);
	return audio_attach(c->audio, h->loop, c->media);
}

int call_start(struct call **ret_call, struct call_host *h,
	       const struct call_cfg *cfg, call_end_h *fn, void *arg)
{
	static unsigned next_media;

	ON_LOOP();
	assert(cfg->clinic->n_languages > 0);
	struct call *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->host = h;
	c->bundle = cfg->bundle;
	c->clinic = cfg->clinic;
	c->language = &cfg->clinic->languages[0];
	c->id = str_dup(cfg->id);
	c->room_name = str_dup(cfg->room_name);
	c->metadata = str_dup(cfg->metadata);
	c->want_caller = str_dup(cfg->caller);
	c->end_fn = fn;
	c->end_arg = arg;
	c->speech_end_ms = -1;
	c->started_ms = clock_now_ms(loop_clock(h->loop));
	c->media = h->media[next_media++ % (unsigned)h->n_media];
	timer_init(&c->wait, loop_clock(h->loop), on_wait, c);
	timer_init(&c->tick, loop_clock(h->loop), on_tick, c);
	timer_init(&c->finish, loop_clock(h->loop), finish, c);
	set_turn(c);
	history_init(&c->history);
	transcript_init(c);
	int r = open_parts(c, cfg);
	if (r < 0) {
		c->ended = true;
		release(c);
		room_close(c->room);
		call_free(c);
		return r;
	}
	timer_start(&c->wait, CALLER_WAIT_MS);
	h->n_open++;
	*ret_call = c;
	return 0;
}
