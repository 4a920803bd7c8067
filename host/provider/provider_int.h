/*
 * provider, inside: the process object, the seams that tests replace (clock,
 * network, tables), and the three tables of operations. A provider is one
 * file with its ops and one row in the table of providers.c.
 *
 * A conn is one connection (STT), one request (LLM) or one voice (TTS) of one
 * provider. It reports through its callback, never from inside the function
 * that opened it, and never after close. It may be closed from inside its own
 * callback. After a failure it reports nothing more and still wants close.
 */
#ifndef FD_PROVIDER_INT_H
#define FD_PROVIDER_INT_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "provider/provider.h"

#define STT_RATE_HZ 16000
#define TTS_RATE_HZ 24000

/* ---- failures (failure.c, pure) ------------------------------------------- */

struct failure {
	int err;
	int retry_ms;   /* the server's wish; -1: none given */
	bool permanent; /* trying this choice again cannot help */
	char why[96];   /* status and the error's code, never its message: that
			   may quote keys or what was said */
};

void failure_set(struct failure *f, int err, const char *why);
/* Headers of an answer that say whether and when to try again; NULL absent. */
struct retry_headers {
	const char *after_ms, *after; /* retry-after-ms, retry-after */
	const char *should;           /* x-should-retry */
};
/* From an HTTP answer; headers may be NULL, body need not be JSON. */
void failure_http(struct failure *f, long status, const char *body, size_t n,
		  const struct retry_headers *headers);
/* From an error object inside a stream. */
void failure_error(struct failure *f, const cJSON *error);
/* From ws_ops.on_close(); opened: on_open had come. */
void failure_ws(struct failure *f, bool opened, int err, int status,
		const char *reason);

/* ---- network seam ------------------------------------------------------------ */

struct net {
	int (*ws_open)(struct ws **, struct loop *, const struct ws_cfg *,
		       const struct ws_ops *, void *);
	int (*ws_send)(struct ws *, const void *, size_t, bool);
	void (*ws_close)(struct ws *, int);
	int (*http_start)(struct http **, struct loop *,
			  const struct http_cfg *, const struct http_ops *,
			  void *);
	const char *(*http_header)(struct http *, const char *);
	void (*http_cancel)(struct http *);
	void (*http_warm)(struct loop *, const char *);
};

/* ---- the tables --------------------------------------------------------------- */

struct stt_result { /* times on the conn's own clock */
	bool final;
	bool ends;      /* the provider found the end of the utterance */
	bool flushed;   /* answer to flush */
	double start_s, end_s;
	const char *text;
	const char *language;
	float confidence;
	const struct stt_word *words;
	size_t n_words;
};

enum stt_conn_type { STT_CONN_OPEN, STT_CONN_SPEECH, STT_CONN_RESULT,
		     STT_CONN_UTTERANCE_END, STT_CONN_FAILED };

struct stt_conn_event {
	enum stt_conn_type type;
	const struct stt_result *result;
	const struct failure *failure;
};
typedef void (stt_conn_h)(void *arg, const struct stt_conn_event *e);

struct stt_ops {
	const char *name;
	int (*check)(const struct provider_choice *c, const char **ret_why);
	int (*open)(void **ret_conn, struct providers *p,
		    const struct provider_choice *c, int endpointing_ms,
		    stt_conn_h *fn, void *arg);
	int (*push)(void *conn, const int16_t *pcm, size_t n);
	int (*flush)(void *conn);
	void (*close)(void *conn);
};

struct llm_request { /* borrowed until the conn is cancelled */
	const struct provider_choice *choice;
	const cJSON *messages, *tools, *schema;
	const char *cache_key, *user_hash;
	int max_tokens;
	double temperature;
	bool fresh;         /* not on the connection of the try before */
};

enum llm_conn_type { LLM_CONN_TEXT, LLM_CONN_ALIVE, LLM_CONN_TOOL,
		     LLM_CONN_DONE, LLM_CONN_FAILED };

struct llm_conn_event {
	enum llm_conn_type type;
	const char *text, *id, *name, *finish;
	int tokens_in, tokens_cached, tokens_out;
	const struct failure *failure;
};
typedef void (llm_conn_h)(void *arg, const struct llm_conn_event *e);

struct llm_ops {
	const char *name;
	int (*check)(const struct provider_choice *c, const char **ret_why);
	int (*start)(void **ret_conn, struct providers *p,
		     const struct llm_request *q, llm_conn_h *fn, void *arg);
	void (*cancel)(void *conn);
};

enum tts_conn_type { TTS_CONN_AUDIO, TTS_CONN_PART, TTS_CONN_FAILED };

struct tts_conn_event {
	enum tts_conn_type type;
	int part;
	const int16_t *pcm;
	size_t n;
	const struct failure *failure;
};
typedef void (tts_conn_h)(void *arg, const struct tts_conn_event *e);

struct tts_ops {
	const char *name;
	/* Row that serves the same choice when this one is full; or NULL. */
	const char *overflow;
	int (*check)(const struct provider_choice *c, const char **ret_why);
	/* fresh: the last connection was bad, do not take one kept warm. */
	int (*open)(void **ret_conn, struct providers *p,
		    const struct provider_choice *c, bool fresh,
		    tts_conn_h *fn, void *arg);
	/* Several parts may be under way; part names it in events. */
	int (*speak)(void *conn, int part, const char *text);
	void (*close)(void *conn); /* cancels what is under way */
};

struct provider_tables {
	const struct net *net;
	const struct stt_ops *const *stt; /* all NULL-ended */
	const struct llm_ops *const *llm;
	const struct tts_ops *const *tts;
};
extern const struct provider_tables provider_tables;

/* ---- the process object ----------------------------------------------------------- */

#define HEALTH_SLOTS 16

struct health {
	uint64_t key;
	int64_t bad_until_ms;
};

struct providers {
	struct loop *loop;   /* NULL in tests with fake tables */
	struct clock *clock;
	const struct provider_tables *tables;
	char *deepgram_ws, *deepgram_http, *deepgram_auth;
	char *openai_url, *openai_auth;
	char *speech_url, *speech_auth;
	int stt_limit, stt_used;
	int streams;         /* facade streams open: none at close */
	struct tts_pool *pool;
	struct llm_http *lingering; /* answered, HTTP exchange still ending */
	struct health health[HEALTH_SLOTS];
};

/* providers_create() with another clock, loop and tables. */
int providers_create_with(struct providers **ret, struct loop *l,
			  struct clock *c, const struct provider_tables *t,
			  const struct providers_cfg *cfg);

/* What one call learned about a choice helps the next (health.c). A choice
 * that is bad is not taken first for a while. */
void health_bad(struct providers *p, char kind,
		const struct provider_choice *c, int err);
void health_good(struct providers *p, char kind,
		 const struct provider_choice *c);
/* Index of the first choice that is not bad; 0 when all are. */
size_t health_first(const struct providers *p, char kind,
		    const struct provider_choice *c, size_t n);

const struct stt_ops *stt_ops_find(const struct providers *p,
				   const char *name);
/* has_tools decides between the two APIs of OpenAI. */
const struct llm_ops *llm_ops_find(const struct providers *p,
				   const struct provider_choice *c,
				   bool has_tools);
const struct tts_ops *tts_ops_find(const struct providers *p,
				   const char *name);

/* The one thread-local text that provider_check() hands out (check.c). */
int check_fail(const char **ret_why, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Whether the default row was taken for want of a better one. */
bool model_known(const char *model);
/* The effort to send: the choice's, or the table's; NULL: none. */
const char *model_effort(const struct provider_choice *c);
bool model_wants_responses(const struct provider_choice *c, bool has_tools);

/* ---- rows of the tables -------------------------------------------------------------- */

extern const struct stt_ops stt_deepgram;
extern const struct llm_ops llm_openai_chat, llm_openai_responses;
extern const struct tts_ops tts_aura_ws, tts_aura_rest, tts_speech;

#endif
