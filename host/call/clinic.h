/*
 * A clinic as the host needs it: plain data, read from clinic.lua by
 * bindings/ and owned by its bundle; immutable while any call uses it.
 */
#ifndef FD_CALL_CLINIC_H
#define FD_CALL_CLINIC_H

#include <stdbool.h>
#include <stddef.h>

#include "provider/provider.h"

struct clinic_language {
	const char *tag;                    /* "en", "ur" */
	const struct provider_choice *stt;  /* in order of preference */
	size_t n_stt;
	const struct provider_choice *tts;
	size_t n_tts;
};

struct clinic {
	const char *name;      /* of the folder: "bright-smile" */
	const char *title;     /* spoken: "Bright Smile Dental" */
	const char *zone;      /* "Asia/Karachi" */
	const struct clinic_language *languages; /* [0] is the default */
	size_t n_languages;
	const struct provider_choice *llm;
	size_t n_llm;
	int longest_call_s;    /* default 1,800 */
	int idle_ms;           /* silence before on_silence; default 8,000 */
	int idle_times;        /* then we hang up; default 3 */
	int endpointing_ms;    /* silence that ends a turn; 0: as soon as the ear
				  says so, 400 without it */
	int tool_ms;           /* limit of one tool; default 8,000 */
	bool interruptible;    /* default true */
	bool needs_supabase, needs_openai, needs_deepgram; /* default true */
	const char *hash;      /* of the bundle's content, 12 hex digits */
};

#endif
