/*
 * What the call hears: PCM and events of the audio path, words of STT. Turns
 * both into events of the turn machine. On the loop, but for call_audio_send.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "call/call_int.h"

/* [media] from the beat */
static void send_packet(void *arg, const struct audio_packet *p)
{
	struct call *c = arg;

	if (c->media_live)
		room_send_audio(c->room, p->opus, p->len, p->ticks, p->marker,
				p->level, p->voice);
}

/* Moments on the machine's monotonic clock, for measurements. */
static void trace_sound(const struct call *c, const struct audio_event *e)
{
	const char *name = e->type == AUDIO_PAUSED ? "call.paused" :
			   e->type == AUDIO_RESUMED ? "call.resumed" :
			   e->type == AUDIO_STARTED ? "call.sounds" :
			   e->type == AUDIO_FILLER ? "call.filler" : NULL;

	if (name && log_wants(LOG_DEBUG))
		log_event(LOG_DEBUG, name, LOG_STR("call", c->id),
			  LOG_INT("us", e->at_us));
}

static void on_event(void *arg, const struct audio_event *e)
{
	struct call *c = arg;

	ON_LOOP();
	if (c->ended)
		return;
	trace_sound(c, e);
	speech_on_audio(c->speech, e);
	switch (e->type) {
	case AUDIO_SPEECH_ON:
		call_feed(c, TE_SPEECH_ON, NULL, 0, 0, false);
		break;
	case AUDIO_SPEECH_OFF:
		call_feed(c, TE_SPEECH_OFF, NULL, 0, 0, false);
		break;
	case AUDIO_PAUSED:
		call_feed(c, TE_PAUSED, NULL, e->epoch, 0, false);
		break;
	case AUDIO_RESUMED:
		call_feed(c, TE_RESUMED, NULL, e->epoch, 0, false);
		break;
	default: /* utterances come through speech_ops */
		break;
	}
}

static void on_pcm(void *arg, const int16_t *pcm, size_t n, int64_t at_us,
		   float voice_prob)
{
	struct call *c = arg;

	(void)at_us;
	if (c->stt)
		stt_push(c->stt, pcm, n, voice_prob > 0.5f);
}

const struct audio_ops call_audio_ops = {
	.send = send_packet,
	.on_event = on_event,
	.on_pcm = on_pcm,
};

/* ---- words -------------------------------------------------------------------- */

static void keep_words(struct call *c, const struct stt_event *e)
{
	size_t n = c->n_words + e->n_words;
	struct stt_word *v = realloc(c->words, (n ? n : 1) * sizeof *v);

	if (!v)
		abort();
	c->words = v;
	for (size_t i = 0; i < e->n_words; i++) {
		v[c->n_words + i] = e->words[i];
		v[c->n_words + i].text = str_dup(e->words[i].text);
	}
	c->n_words = n;
	c->confidence = e->confidence;
}

/* The words so far of the present utterance, for front ends. */
static void show(struct call *c, const char *more)
{
	struct buf b = { 0 };

	buf_puts(&b, buf_str(&c->turn.finals));
	if (b.len && !str_blank(more))
		buf_puts(&b, " ");
	if (!str_blank(more))
		buf_puts(&b, more);
	if (b.len)
		transcript_user(c, buf_str(&b), false);
	buf_free(&b);
}

static void on_stt(void *arg, const struct stt_event *e)
{
	struct call *c = arg;

	ON_LOOP();
	if (c->ended)
		return;
	switch (e->type) {
	case STT_INTERIM:
		call_feed(c, TE_INTERIM, e->text, 0, 0, false);
		show(c, buf_str(&c->turn.interim));
		break;
	case STT_FINAL:
		keep_words(c, e);
		call_feed(c, TE_FINAL, e->text, 0, 0, false);
		if (!c->turn.finals.len) /* an echo, or answered already */
			call_forget_words(c);
		show(c, "");
		break;
	case STT_END:
		call_feed(c, TE_END, e->text, 0, 0, false);
		break;
	case STT_TROUBLE:
	case STT_DEAD:
		log_event(LOG_WARN, e->type == STT_DEAD ? "stt.dead" :
							  "stt.trouble",
			  LOG_STR("call", c->id), LOG_ERR("why", e->err),
			  LOG_STR("detail", e->why ? e->why : ""));
		call_note(c, NOTE_TROUBLE, e->why ? e->why : err_text(e->err),
			  0);
		break;
	case STT_OPEN:
	case STT_SPEECH:
		break;
	}
}

int call_ears_open(struct call *c)
{
	struct stt_cfg cfg = {
		.choices = c->language->stt,
		.n_choices = c->language->n_stt,
	};

	stt_close(c->stt);
	c->stt = NULL;
	return stt_open(&c->stt, c->host->providers, &cfg, on_stt, c);
}
