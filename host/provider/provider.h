/*
 * provider: speech to text, language models, text to speech. Three facades
 * (stt, llm, tts) over tables of operations, one file a provider and a row in
 * its table. The facades own deadlines, the stall detector, the one retry and
 * the failover along the clinic's list; a provider only speaks its protocol.
 *
 * All on the loop. Events never come from inside the call that started the
 * stream, and never after close or cancel. Strings in events are borrowed
 * during the callback. Deadlines are timers of the loop's clock.
 */
#ifndef FD_PROVIDER_PROVIDER_H
#define FD_PROVIDER_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "io/io.h"

struct providers; /* accounts, pools, tables: one for the process */

struct providers_cfg { /* strings are copied; NULL takes the default */
	const char *deepgram_url;    /* wss://api.deepgram.com (ws://host:port) */
	const char *deepgram_key;
	const char *openai_base_url; /* https://api.openai.com/v1 */
	const char *openai_key;
	const char *speech_base_url; /* of /audio/speech; NULL: openai's */
	const char *speech_key;
	int tts_sockets;   /* most Aura sockets at once; 0: 45 */
	int stt_streams;   /* most STT streams at once; 0: 150 */
	int flushes_a_min; /* a socket; 0: 20 */
};
int providers_create(struct providers **ret, struct loop *l,
		     const struct providers_cfg *cfg);
void providers_close(struct providers *p); /* NULL is fine; no streams open */
/* Whether another call finds a free STT stream and TTS socket. */
bool providers_have_room(const struct providers *p);
/* Resolves names and opens connections that a call will need (it rings). */
void providers_warm(struct providers *p);

/* One entry of a clinic's list. Borrowed while streams are open. */
struct provider_choice {
	const char *provider; /* "deepgram", "openai", "aura", "aura-rest", "speech" */
	const char *model;
	const char *voice;    /* tts: speech's voice; NULL otherwise */
	const char *language; /* BCP-47; "multi" allowed for stt */
	const char *effort;   /* llm: reasoning effort; NULL: by the model table */
	const char *const *keyterms; /* stt, NULL-ended; may be NULL */
};
/* Opens the socket that a first utterance with this voice will need (Aura;
 * other voices share the connections of providers_warm()). */
void providers_warm_voice(struct providers *p, const struct provider_choice *c);
/* Checks a choice at load time: 0, or ERR_CONFIG with *ret_why saying what is
 * allowed (static or thread-local text). kind: 's' stt, 'l' llm, 't' tts. */
int provider_check(char kind, const struct provider_choice *c,
		   const char **ret_why);

/* ---- the model table ------------------------------------------------------ */

struct model_row {
	const char *prefix;     /* longest match wins */
	bool responses;         /* needs /v1/responses for tools */
	const char *effort;     /* to send by default; NULL: send none */
	bool temperature;       /* accepts temperature */
	const char *ends;       /* "2027-01-14", NULL unknown */
};
/* Never NULL: unknown models get the cautious default row. [any] */
const struct model_row *model_find(const char *model);
/* Days from today ("2026-11-23") until the model ends; INT_MAX unknown. */
int model_days_left(const char *model, const char *today);

/* ---- speech to text --------------------------------------------------------- */

struct stt;

struct stt_word {
	const char *text;
	double start_s, end_s; /* on the stream's own clock, since stt_open */
	float confidence;
};

enum stt_event_type {
	STT_OPEN,       /* connected (again) */
	STT_SPEECH,     /* provider heard speech begin */
	STT_INTERIM,    /* text of the utterance so far, may change */
	STT_FINAL,      /* text of a finished part; parts add up */
	STT_END,        /* provider's end of speech; text: the whole utterance */
	STT_TROUBLE,    /* err: reconnecting or failing over; goes on */
	STT_DEAD,       /* err: every choice failed; keeps trying each 5 s */
};

struct stt_event {
	enum stt_event_type type;
	const char *text;
	float confidence;
	const char *language;
	const struct stt_word *words; /* FINAL */
	size_t n_words;
	int err;
	const char *why;
};
typedef void (stt_h)(void *arg, const struct stt_event *e);

struct stt_cfg {
	const struct provider_choice *choices; /* in order of preference */
	size_t n_choices;
	int endpointing_ms;    /* 0: 300 */
	int open_ms;           /* 0: 2,000 */
	int stall_ms;          /* voice sent, no word for this long; 0: 2,500 */
};
int stt_open(struct stt **ret_stt, struct providers *p,
	     const struct stt_cfg *cfg, stt_h *fn, void *arg);
/* PCM 16 kHz mono in real time, silence included; voiced: our VAD hears
 * speech in it (for the stall detector). Kept (up to 5 s) until finalised, so
 * that the next provider hears it too. */
void stt_push(struct stt *s, const int16_t *pcm, size_t n, bool voiced);
/* Asks for what was heard so far, now (our VAD says the turn is over). STT_END
 * follows within a second whenever there were words, even from a provider
 * that fell mute (its last guess counts then). */
void stt_flush(struct stt *s);
void stt_close(struct stt *s); /* NULL is fine */

/* ---- language models ----------------------------------------------------------- */

struct llm;

enum llm_event_type {
	LLM_TEXT,   /* a delta */
	LLM_TOOL,   /* one whole tool call: id, name, text = arguments (JSON) */
	LLM_DONE,   /* finish: "stop", "length", "tool_calls", ... */
	LLM_FAILED, /* err, why; nothing more comes */
};

struct llm_event {
	enum llm_event_type type;
	const char *text;
	const char *id, *name;
	const char *finish;
	int tokens_in, tokens_cached, tokens_out; /* DONE; -1 unknown */
	int err;
	const char *why;
};
typedef void (llm_h)(void *arg, const struct llm_event *e);

struct llm_cfg {
	const struct provider_choice *choices;
	size_t n_choices;
	/* Chat Completions messages: [{role, content, tool_calls, ...}], and
	 * tools: [{name, description, parameters}]. Borrowed during the call
	 * to llm_start. tools may be NULL. */
	const cJSON *messages;
	const cJSON *tools;
	const char *cache_key;  /* prompt_cache_key, NULL none */
	const char *user_hash;  /* safety_identifier, NULL none */
	int max_tokens;         /* 0: 400 */
	double temperature;     /* below 0: not sent */
	const cJSON *schema;    /* structured answer {name, schema}, NULL none */
	int first_ms;           /* limit to the first delta of one try; all
				   tries together get a tenth more; 0: 2,000,
				   of a model that reasons first 4,000 */
	int idle_ms;            /* between deltas; 0: 2,000 */
};
/* One retry before the first delta, then the next choice; a slow first try
 * (0.6 first_ms) gets a second beside it, the first delta wins; never after
 * text or a tool call was passed on. Arguments of a LLM_TOOL are what the model
 * wrote: parse them and refuse what does not fit. */
int llm_start(struct llm **ret_llm, struct providers *p,
	      const struct llm_cfg *cfg, llm_h *fn, void *arg);
void llm_cancel(struct llm *l); /* NULL is fine; frees. After DONE or FAILED too. */

/* ---- text to speech -------------------------------------------------------------- */

struct tts;

enum tts_event_type {
	TTS_AUDIO,  /* pcm[n] at 24 kHz mono, of clause */
	TTS_CLAUSE, /* all audio of clause has been passed on */
	TTS_DONE,   /* all clauses */
	TTS_FAILED, /* err, why: clauses from clause on were not spoken whole */
};

struct tts_event {
	enum tts_event_type type;
	int clause;        /* counts tts_push calls from 0 */
	const int16_t *pcm;
	size_t n;
	int err;
	const char *why;
};
typedef void (tts_h)(void *arg, const struct tts_event *e);

struct tts_cfg {
	const struct provider_choice *choices;
	size_t n_choices;
	int first_ms; /* limit to the first audio of a clause in one try; all
			 its tries together get 1.6 times as long; 0: 1,500 */
	int idle_ms;  /* 0: 2,000 */
};
/* A stream for one utterance; leases a socket when text comes. */
int tts_open(struct tts **ret_tts, struct providers *p,
	     const struct tts_cfg *cfg, tts_h *fn, void *arg);
/* One clause to speak (copied); plain text, no markup. */
void tts_push(struct tts *t, const char *text);
/* No more clauses: TTS_DONE follows the last audio. */
void tts_finish(struct tts *t);
void tts_close(struct tts *t); /* cancels what runs, frees; NULL is fine */

/* ---- for fuzzers --------------------------------------------------------------------- */

/* [any] Reads bytes as an answer of the provider: kind 'd' Deepgram STT JSON,
 * 'a' Aura JSON, 'c' chat completions stream, 'r' responses stream. Never
 * crashes; 0 or ERR_PROTOCOL. */
int provider_answer_check(char kind, const uint8_t *p, size_t n);

#endif
