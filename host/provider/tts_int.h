/* Text to speech, inside: pieces of text, samples from bytes, Aura's messages
 * (pure); the pool of Aura sockets; the request that the REST providers
 * share. */
#ifndef FD_PROVIDER_TTS_INT_H
#define FD_PROVIDER_TTS_INT_H

#include "provider/provider_int.h"

/* ---- text (tts_text.c) ---------------------------------- */

/* Deepgram's limit is 2,000 characters, OpenAI's 4,096; bytes are never fewer. */
#define TTS_PART_BYTES 1800

/* Length of the first part of text: at most TTS_PART_BYTES, cut behind a
 * sentence, else at a blank, else between characters. */
size_t tts_part_len(const char *text);
/* Whether there is anything to say: a letter or digit of any script. */
bool tts_speakable(const char *text);

/* ---- samples (tts_text.c) ---------------------------------- */

/* Bytes arrive cut anywhere; a lone byte waits here for its other half. */
struct tts_bytes {
	uint8_t odd;
	bool has_odd;
	struct buf samples;
};
/* The whole samples so far, valid until the next call; *ret_n may be 0. */
const int16_t *tts_samples(struct tts_bytes *b, const uint8_t *p, size_t n,
			   size_t *ret_n);
void tts_bytes_free(struct tts_bytes *b);

/* ---- Aura's messages (tts_aura_msg.c) ---------------------------------- */

enum aura_type { AURA_OTHER, AURA_METADATA, AURA_FLUSHED, AURA_CLEARED,
		 AURA_WARNING, AURA_ERROR };
/* Type of a text message; ERR_PROTOCOL when it is none. code (may be NULL,
 * else 48 bytes) gets a warning's code. */
int aura_message_read(const void *p, size_t n, char *code);
/* {"type":"Speak","text":...} */
void aura_speak_text(struct buf *out, const char *text, size_t n);
/* Path and query of /v1/speak; rest adds container=none. */
void aura_speak_path(struct buf *out, const struct provider_choice *c,
		     bool rest);
int aura_check(const struct provider_choice *c, const char **ret_why);

/* ---- flushes (tts_flushes.c) ---------------------------------- */

#define FLUSHES_MAX 64

/* When the last flushes of a socket were: a sliding minute. */
struct flushes {
	int64_t at_ms[FLUSHES_MAX]; /* a ring */
	int n, first, limit;
};
void flushes_init(struct flushes *f, int limit);
int flushes_left(struct flushes *f, int64_t now_ms);
void flushes_add(struct flushes *f, int64_t now_ms); /* one must be left */

/* ---- the pool (tts_pool.c) ---------------------------------- */

struct tts_pool;
struct aura_sock;

enum sock_event_type { SOCK_OPEN, SOCK_AUDIO, SOCK_FLUSHED, SOCK_WARNING,
		       SOCK_FAILED };
struct sock_event {
	enum sock_event_type type;
	const uint8_t *p;
	size_t n;
	const char *code;
	const struct failure *failure;
};
typedef void (sock_h)(void *arg, const struct sock_event *e);

int tts_pool_create(struct tts_pool **ret, struct providers *p,
		    int max_sockets, int flushes_a_min);
void tts_pool_close(struct tts_pool *pool);
bool tts_pool_has_room(const struct tts_pool *pool);
/* Opens a socket of the model (NULL: the one used last), when none is idle. */
void tts_pool_warm(struct tts_pool *pool, const char *model);
/* Open sockets of any kind (tests). */
int tts_pool_count(const struct tts_pool *pool);

/* An idle socket of that model with flushes left (unless fresh), else a new
 * one; ERR_FULL when the limit is reached. *ret_open: usable at once,
 * otherwise SOCK_OPEN comes. After SOCK_FAILED the socket is gone. */
int aura_lease(struct aura_sock **ret, struct tts_pool *pool,
	       const struct provider_choice *c, bool fresh, sock_h *fn,
	       void *arg, bool *ret_open);
int aura_flushes_left(struct aura_sock *s);
/* Speak and Flush: one part. */
int aura_speak(struct aura_sock *s, const char *text);
/* Gives it back. clean: nothing is under way; else it is cleared first. */
void aura_release(struct aura_sock *s, bool clean);

/* ---- one request a part (tts_rest.c) ---------------------------------- */

struct rest_request {
	char *url, *body;       /* freed by the engine */
	const char *auth;       /* header line or NULL */
};
struct rest_dialect {
	void (*request)(struct rest_request *r, struct providers *p,
			const struct provider_choice *c, const char *text);
	bool sse;               /* an event stream may answer */
};
int rest_open(void **ret_conn, struct providers *p,
	      const struct provider_choice *c, const struct rest_dialect *d,
	      bool fresh, tts_conn_h *fn, void *arg);
int rest_speak(void *conn, int part, const char *text);
void rest_close(void *conn);
/* What a content type means: 0 raw samples, 1 events, below 0 unusable. */
int rest_content(const char *type);
/* One event of a speech stream: appends its audio; 1 when it is the last. */
int speech_event(struct buf *out, const char *data, size_t n);

#endif
