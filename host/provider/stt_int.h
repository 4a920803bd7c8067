/* Speech to text, inside: the replay ring, the assembly of an utterance and
 * the reader of Deepgram's messages (all pure), and the facade's own state. */
#ifndef FD_PROVIDER_STT_INT_H
#define FD_PROVIDER_STT_INT_H

#include "provider/provider_int.h"

/* ---- the replay ring (stt_audio.c) ---------------------------------------- */

/* A longer one would stay late: Deepgram hears at most 1.25 times real time. */
#define STT_KEEP_SAMPLES (5 * STT_RATE_HZ)
#define STT_BLOCK (STT_RATE_HZ / 50) /* voice is noted for each 20 ms */

/* The newest audio that is not finalised. Positions count samples since
 * stt_open(). */
struct stt_audio {
	int16_t *ring;  /* STT_KEEP_SAMPLES, allocated with the first sample */
	int64_t begin, end;
	bool voice[STT_KEEP_SAMPLES / STT_BLOCK + 1];
};
void stt_audio_add(struct stt_audio *a, const int16_t *pcm, size_t n,
		   bool voiced);
/* What is worth hearing again: from a little before the first voice that is
 * kept to a little after the last. Both are the end when there is none. */
void stt_audio_voice(const struct stt_audio *a, int64_t *ret_from,
		     int64_t *ret_to);
/* Forgets what is before pos. */
void stt_audio_drop(struct stt_audio *a, int64_t pos);
/* Where the run of samples from pos lies and how long it is (0: none). */
size_t stt_audio_at(const struct stt_audio *a, int64_t pos,
		    const int16_t **ret_pcm);
void stt_audio_free(struct stt_audio *a);

/* ---- the utterance (stt_text.c) -------------------------------------------------- */

/* Finished parts add up until the provider says that the utterance is over;
 * taking only the part that ends it loses words. */
struct stt_text {
	struct buf finals;
	struct buf interim;
	struct buf shown;   /* what stt_text_all() hands out */
	float confidence;   /* lowest of the parts */
	char language[16];
};
void stt_text_interim(struct stt_text *t, const char *text);
void stt_text_final(struct stt_text *t, const char *text, float confidence,
		    const char *language);
/* All parts and the interim tail. Borrowed. */
const char *stt_text_all(struct stt_text *t);
bool stt_text_has_finals(const struct stt_text *t);
bool stt_text_has_interim(const struct stt_text *t);
/* A new utterance begins. */
void stt_text_reset(struct stt_text *t);
void stt_text_free(struct stt_text *t);

/* ---- Deepgram's messages (stt_deepgram_msg.c) ---------------------------------------- */

enum dg_type { DG_OTHER, DG_RESULTS, DG_SPEECH, DG_UTTERANCE_END,
	       DG_METADATA, DG_ERROR };

struct dg_message {
	enum dg_type type;
	struct stt_result result; /* RESULTS; borrows from tree and words */
	cJSON *tree;
	struct stt_word *words;
};
/* 0, or ERR_PROTOCOL with nothing to free. */
int dg_message_read(struct dg_message *m, const void *p, size_t n);
void dg_message_free(struct dg_message *m);
/* Path and query of /v1/listen for a choice. */
void dg_listen_path(struct buf *out, const struct provider_choice *c,
		    int endpointing_ms);

/* ---- the facade -------------------------------------------------------------------------- */

#define STT_FLUSH_MIN (STT_RATE_HZ / 10) /* less may give no words at all */
#define STT_WORDS_MIN STT_RATE_HZ        /* so much voice has words in it */
#define STT_FLUSH_MS 1000

struct stt {
	struct providers *p;
	stt_h *fn;
	void *arg;
	const struct provider_choice *choices;
	size_t n_choices;
	int endpointing_ms, open_ms, stall_ms;

	/* the connection */
	size_t at;
	const struct stt_ops *ops;
	void *conn;
	bool open, healthy;
	int64_t opened_ms;
	int64_t base;           /* position of its first sample */
	int64_t replayed;       /* samples sent again at its beginning ... */
	int64_t skipped;        /* ... and the silence left out behind them */
	struct timer open_limit, retry, stall, flush;
	struct failure late;    /* found where no event may be sent */
	bool late_set;

	/* failures since the last steady connection */
	int failures;
	uint64_t refused;       /* bits of choices that cannot work */
	bool dead;

	/* the audio and what it gave */
	struct stt_audio audio;
	struct stt_text text;
	int64_t final_to;       /* text is settled up to here */
	int64_t interim_to;
	int64_t voice_from, voice_to, voiced; /* unanswered voice, samples */
	int64_t voice_last;     /* end of the newest voice */
	int64_t empty_voiced;   /* voice answered by nothing but silence */
	int64_t unheard_from, unheard; /* voice of this turn without a word */
	bool suspected;         /* looked elsewhere once for that already */
	bool flushing;

	struct stt_word *words;
	size_t words_cap;
	int busy;
	bool over;
};

/* stt.c: the position of a moment on the connection's clock. */
int64_t stt_position(const struct stt *s, double at_s);
/* stt.c: gives the connection up for another one. */
void stt_fail(struct stt *s, int err, const char *why);
/* stt_hear.c: what a result, UtteranceEnd, or no answer to flush means. */
void stt_hear_result(struct stt *s, const struct stt_result *r);
void stt_hear_end(struct stt *s);
void stt_hear_nothing(struct stt *s);

#endif
