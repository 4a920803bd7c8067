/*
 * What a provider heard, put into events: parts, the utterance they add up to,
 * its end, and the doubt when voice gave no words. On the loop. Decides when a
 * connection is of no use; stt.c replaces it.
 */
#include "provider/stt_int.h"

#include <stdlib.h>

#include "base/str.h"

#define COVER_MIN (STT_RATE_HZ / 5)

static void tell(struct stt *s, const struct stt_event *e)
{
	if (!s->over)
		s->fn(s->arg, e);
}

static void end_utterance(struct stt *s)
{
	s->flushing = false;
	timer_stop(&s->flush);
	if (stt_text_has_finals(&s->text)) {
		const struct stt_event e = {
			.type = STT_END,
			.text = stt_text_all(&s->text),
			.confidence = s->text.confidence,
			.language = s->text.language[0] ? s->text.language :
				    NULL,
		};
		tell(s, &e);
	}
	stt_text_reset(&s->text);
	s->unheard = 0;
}

/* The provider left us with a guess: it is the best there is. */
static void settle_interim(struct stt *s)
{
	char *guess = str_dup(buf_str(&s->text.interim));

	stt_text_final(&s->text, guess, 0.5f, NULL);
	const struct stt_event e = {
		.type = STT_FINAL, .text = guess, .confidence = 0.5f,
	};
	tell(s, &e);
	free(guess);
	s->final_to = s->interim_to;
	stt_audio_drop(&s->audio, s->final_to);
	end_utterance(s);
}

/* Voice answered by silence only: one look elsewhere, until a word comes. */
static bool suspect(struct stt *s)
{
	if (s->suspected || !s->open)
		return false;
	s->suspected = true;
	s->empty_voiced = 0;
	stt_fail(s, ERR_EMPTY, "voice, but no words");
	return true;
}

/* Something was heard of the audio up to pos. */
static void answered(struct stt *s, int64_t pos, bool words)
{
	s->healthy = true;
	if (words) {
		s->empty_voiced = s->unheard = 0;
		s->suspected = false;
	} else if (!s->voiced || pos < s->voice_from + COVER_MIN) {
		return;
	} else {
		s->empty_voiced += s->voiced;
	}
	s->voiced = 0;
	timer_stop(&s->stall);
	if (s->empty_voiced >= (int64_t)s->stall_ms * 3 * STT_RATE_HZ / 1000)
		suspect(s);
}

static void grow_words(struct stt *s, size_t n)
{
	if (n <= s->words_cap)
		return;
	struct stt_word *w = realloc(s->words, n * sizeof *w);
	if (!w)
		abort();
	s->words = w;
	s->words_cap = n;
}

static double on_our_clock(const struct stt *s, double at_s)
{
	int64_t shift = stt_position(s, at_s) - (int64_t)(at_s * STT_RATE_HZ);

	return at_s + (double)shift / STT_RATE_HZ;
}

static void on_final(struct stt *s, const struct stt_result *r)
{
	stt_text_final(&s->text, r->text, r->confidence, r->language);
	if (str_blank(r->text))
		return;
	grow_words(s, r->n_words);
	for (size_t i = 0; i < r->n_words; i++) {
		s->words[i] = r->words[i];
		s->words[i].start_s = on_our_clock(s, s->words[i].start_s);
		s->words[i].end_s = on_our_clock(s, s->words[i].end_s);
	}
	const struct stt_event e = {
		.type = STT_FINAL, .text = r->text,
		.confidence = r->confidence, .language = r->language,
		.words = s->words, .n_words = r->n_words,
	};
	tell(s, &e);
}

static void on_interim(struct stt *s, const struct stt_result *r, int64_t end)
{
	stt_text_interim(&s->text, r->text);
	s->interim_to = end;
	if (str_blank(r->text))
		return;
	const struct stt_event e = {
		.type = STT_INTERIM, .text = stt_text_all(&s->text),
		.confidence = r->confidence, .language = r->language,
	};
	tell(s, &e);
}

/* The audio up to end needs no replay, unless voice in it gave no word. */
static void settle(struct stt *s, int64_t end, bool words)
{
	int64_t keep = s->audio.end;

	if (!words && s->unheard && !s->suspected)
		keep = s->unheard_from;
	if (end > s->final_to)
		s->final_to = end;
	stt_audio_drop(&s->audio, s->final_to < keep ? s->final_to : keep);
}

void stt_hear_result(struct stt *s, const struct stt_result *r)
{
	int64_t end = stt_position(s, r->end_s);
	bool words = !str_blank(r->text);

	if (words)
		health_good(s->p, 's', &s->choices[s->at]);
	if (r->final) {
		on_final(s, r);
		settle(s, end, words);
	} else {
		on_interim(s, r, end);
	}
	if (s->over)
		return;
	bool answer = s->flushing && r->final &&
		      (r->flushed || end >= s->voice_last);
	if ((answer || r->ends) && !words && s->unheard >= STT_WORDS_MIN &&
	    !stt_text_has_finals(&s->text) && suspect(s))
		return;
	if (r->ends || answer)
		end_utterance(s);
	if (!s->over)
		answered(s, end, words);
}

void stt_hear_end(struct stt *s)
{
	/* after speech_final it repeats what was said already */
	if (stt_text_has_finals(&s->text))
		end_utterance(s);
}

void stt_hear_nothing(struct stt *s)
{
	if (stt_text_has_interim(&s->text)) {
		settle_interim(s);
		s->voiced = 0;
		if (!s->over && s->open)
			stt_fail(s, ERR_STALLED, "no answer to flush");
	} else if (s->voiced >= STT_FLUSH_MIN) {
		/* still unheard; while reconnecting the replay asks again */
		if (s->open)
			stt_fail(s, ERR_STALLED, "no answer to flush");
	} else {
		end_utterance(s);
	}
}
