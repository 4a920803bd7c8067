/*
 * Conducts the turn machine: feeds it events one by one, carries out what it
 * decides, wakes it when its time comes. On the loop.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "call/call_int.h"

enum { REFLEX_VOICED_MS = 60, REFLEX_VERDICT_MS = 2000,
       MEDIA_FILLER_LATER_MS = 500 };

const struct audio_line *call_line(struct call *c, const char *name,
				   const char **ret_text)
{
	const struct audio_line *line =
		audio_line_shipped(c->language->tag, name, ret_text);

	return line ? line : audio_line_shipped(c->language->tag, "apology",
						ret_text);
}

static void play_line(struct call *c, const char *name, bool filler)
{
	const char *text = "";
	const struct audio_line *line = call_line(c, name, &text);

	if (!line)
		return;
	call_note(c, NOTE_TROUBLE, name, 0);
	speech_line(c->speech, line, text, filler);
	call_busy_check(c); /* a hang-up waits for it */
}

/* A stalled loop cannot say its fillers: media says the first by itself. */
static void arm_filler(struct call *c)
{
	const char *text = "";
	const struct audio_line *line = call_line(c, "filler", &text);

	speech_arm_filler(c->speech, line, text,
			  c->turn.cfg.filler_ms + MEDIA_FILLER_LATER_MS);
}

void call_forget_words(struct call *c)
{
	for (size_t i = 0; i < c->n_words; i++)
		free((char *)c->words[i].text);
	c->n_words = 0;
}

static void take_turn(struct call *c, const char *text, bool interrupted,
		      bool typed)
{
	struct policy_turn t = {
		.id = ++c->turn_id,
		.text = text,
		.language = c->language->tag,
		.confidence = c->confidence,
		.words = c->words,
		.n_words = c->n_words,
		.interrupted = interrupted,
		.heard = c->last_heard ? c->last_heard : "",
		.typed = typed,
	};

	str_set(&c->last_text, text);
	c->speech_end_ms = c->turn.speech_end_ms;
	transcript_user(c, text, true);
	call_note(c, NOTE_CALLER_TEXT, text, 0);
	if (interrupted)
		call_note(c, NOTE_INTERRUPTED, t.heard, 0);
	history_user(&c->history, text);
	arm_filler(c);
	/* a taken turn counts as work, whatever was told of QUIET before: a
	 * script that is done without a word must be told as such */
	c->policy_turn = c->busy = true;
	c->host->policy->on_turn(c->policy, &t);
	call_forget_words(c);
}

void call_turn_done(struct call *c, uint32_t turn, enum call_turn_result r)
{
	ON_LOOP();
	/* what was cut short or taken back meanwhile has no say any more */
	if (c->ended || !c->policy_turn || turn != c->turn_id)
		return;
	c->policy_turn = false;
	if (r == CALL_TURN_REPLY) {
		reply_start(c, NULL);
	} else {
		reply_unguess(c);
		if (r == CALL_TURN_FAILED)
			call_feed(c, TE_FAILED, NULL, 0, 0, false);
	}
	call_busy_check(c);
}

static void drop_reply(struct call *c)
{
	c->policy_turn = false;
	reply_cancel(c);
	speech_cut(c->speech);
}

/* Until playout tells it exactly: a turn may be taken before that. */
static void note_heard(struct call *c)
{
	struct utterance *u = speech_sounding(c->speech);

	if (!u || u->filler)
		return;
	free(c->last_heard);
	c->last_heard = speech_heard(u, speech_heard_ms(u,
			clock_now_ms(loop_clock(c->host->loop))));
}

/* The turn goes on: what was taken will come again with more behind it. */
static void untake_turn(struct call *c)
{
	cJSON *all = c->history.messages;

	drop_reply(c);
	transcript_user_again(c);
	/* behind it may be an answer that was not heard, or tool calls */
	for (int i = cJSON_GetArraySize(all) - 1; i >= 0; i--) {
		if (str_eq(json_str(cJSON_GetArrayItem(all, i), "role"),
			   "user")) {
			cJSON_DeleteItemFromArray(all, i);
			return;
		}
	}
}

static void say_silence(struct call *c, int nth)
{
	if (!c->host->policy->on_silence(c->policy, nth))
		play_line(c, "pardon", false);
}

static void farewell(struct call *c, enum call_end end)
{
	drop_reply(c);
	play_line(c, "goodbye", false);
	call_feed(c, TE_HANGUP, NULL, 0, end, false);
}

static void perform(struct call *c, const struct turn_action *a)
{
	switch (a->type) {
	case TA_ARM: {
		struct audio_reflex reflex = {
			.epoch = a->epoch, .interruptible = a->flag,
			.voiced_ms = REFLEX_VOICED_MS,
			.verdict_ms = REFLEX_VERDICT_MS };
		audio_arm(c->audio, &reflex);
		break;
	}
	case TA_RESUME:
		audio_resume(c->audio, a->epoch);
		break;
	case TA_CUT:
		note_heard(c);
		drop_reply(c);
		break;
	case TA_FLUSH:
		if (c->stt)
			stt_flush(c->stt);
		break;
	case TA_SPECULATE:
		reply_guess(c, a->text);
		break;
	case TA_UNSPECULATE:
		reply_unguess(c);
		break;
	case TA_CANCEL:
		untake_turn(c);
		break;
	case TA_TURN:
		take_turn(c, a->text, a->flag, a->n);
		break;
	case TA_LINE:
		play_line(c, a->text, a->flag);
		break;
	case TA_STATE:
		transcript_state(c, a->text);
		break;
	case TA_SILENCE:
		say_silence(c, a->n);
		break;
	case TA_END:
		call_finish(c, (enum call_end)a->n);
		break;
	case TA_FAREWELL:
		farewell(c, (enum call_end)a->n);
		break;
	}
}

static void rearm(struct call *c)
{
	int64_t due = turn_due(&c->turn);

	if (due < 0 || c->ended)
		timer_stop(&c->tick);
	else
		timer_start(&c->tick, due - call_now_ms(c));
}

static struct feed *next_feed(struct call *c)
{
	struct feed *f = c->feeds;

	if (f)
		c->feeds = f->next;
	return f;
}

/* Actions may lead to events: those wait until the present one is done. */
void call_feed(struct call *c, enum turn_event_type type, const char *text,
	       uint32_t epoch, int n, bool flag)
{
	struct feed *f = calloc(1, sizeof *f);
	struct feed **at = &c->feeds;

	ON_LOOP();
	if (!f)
		abort();
	f->text = str_dup(text);
	f->e = (struct turn_event){ .type = type, .text = f->text,
				    .epoch = epoch, .n = n, .flag = flag };
	while (*at)
		at = &(*at)->next;
	*at = f;
	if (c->feeding)
		return;
	c->feeding = true;
	while ((f = next_feed(c))) {
		struct turn_out out = { 0 };
		f->e.at_ms = call_now_ms(c);
		/* what is busy may have changed while this event waited */
		bool stale = (f->e.type == TE_QUIET && c->busy) ||
			     (f->e.type == TE_WORK && !c->busy);
		if (!c->ended && !stale)
			turn_step(&c->turn, &f->e, &out);
		for (int i = 0; i < out.n && !c->ended; i++)
			perform(c, &out.v[i]);
		turn_out_clear(&out);
		free(f->text);
		free(f);
	}
	c->feeding = false;
	rearm(c);
}

void call_busy_check(struct call *c)
{
	bool busy = c->policy_turn || reply_busy(c) || speech_busy(c->speech) ||
		    c->transfer_to;

	if (c->ended || busy == c->busy)
		return;
	c->busy = busy;
	call_feed(c, busy ? TE_WORK : TE_QUIET, NULL, 0, 0, false);
}

/* ---- our own words --------------------------------------------------------------- */

static void on_started(void *arg, struct utterance *u)
{
	struct call *c = arg;
	struct turn_out out = { 0 };

	if (!u->filler && c->speech_end_ms >= 0) {
		call_note(c, NOTE_LATENCY, NULL,
			  (int)(call_now_ms(c) - c->speech_end_ms));
		c->speech_end_ms = -1;
	}
	turn_lock(&c->turn, u->uninterruptible, &out);
	turn_out_clear(&out); /* TE_SOUND arms the reflex */
	transcript_agent_begin(c, u);
	call_feed(c, TE_SOUND, NULL, 0, 0, u->filler);
}

static void on_ended(void *arg, struct utterance *u, const char *heard,
		     bool cut)
{
	struct call *c = arg;

	reply_said(c, u, heard, cut || u->err < 0);
	if (u->started && !str_blank(heard)) {
		transcript_agent_end(c, heard);
		call_note(c, NOTE_AGENT_TEXT, heard, 0);
		if (!u->filler)
			str_set(&c->last_heard, heard);
	}
	call_busy_check(c);
	/* one that never sounded may end while another sounds: no news */
	if (u->started || !speech_sounding(c->speech))
		call_feed(c, TE_SOUND_END, NULL, 0, 0,
			  speech_more_queued(c->speech));
	if (c->transfer_to && !speech_busy(c->speech) &&
	    !speech_more_queued(c->speech))
		leg_transfer_start(c);
}

static void on_failed(void *arg, struct utterance *u, int err)
{
	struct call *c = arg;

	(void)u;
	log_event(LOG_WARN, "speech.failed", LOG_STR("call", c->id),
		  LOG_ERR("why", err));
	call_feed(c, TE_FAILED, NULL, 0, 0, false);
}

static void on_change(void *arg)
{
	call_busy_check(arg);
}

const struct speech_ops call_speech_ops = {
	.on_started = on_started,
	.on_ended = on_ended,
	.on_failed = on_failed,
	.on_change = on_change,
};
