/* Speech to text, inside: the replay ring, the assembly of an utterance, and
 * the reader of Deepgram's messages. All pure. */
#ifndef FD_PROVIDER_STT_INT_H
#define FD_PROVIDER_STT_INT_H

#include "provider/provider_int.h"

/* ---- the replay ring (stt_audio.c) ---------------------------------------- */

/* A longer one would stay late: Deepgram hears at most 1.25 times real time. */
#define STT_KEEP_SAMPLES (5 * STT_RATE_HZ)

/* The newest audio that is not finalised. Positions count samples since
 * stt_open(). */
struct stt_audio {
	int16_t *ring;  /* STT_KEEP_SAMPLES, allocated with the first sample */
	int64_t begin, end;
};
void stt_audio_add(struct stt_audio *a, const int16_t *pcm, size_t n);
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

#endif
