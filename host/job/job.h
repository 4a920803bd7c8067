/*
 * job: the process that answers calls. Settings from the environment, the
 * worker's life, capacity, drain and the end. On the loop, except settings.
 */
#ifndef FD_JOB_JOB_H
#define FD_JOB_JOB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "call/call.h"

/* Exit codes (sysexits.h where one fits). */
enum {
	EXIT_DONE = 0,
	EXIT_USAGE_WRONG = 64,
	EXIT_UNREACHABLE = 69,
	EXIT_INTERNAL = 70,
	EXIT_REFUSED = 77,
	EXIT_CONFIGURATION = 78,
};

/* ---- settings ------------------------------------------------------------- */

enum { AGENT_NAMES_MAX = 16 };

struct settings { /* strings are owned */
	bool production;
	char *livekit_url, *livekit_key, *livekit_secret;
	char *agent_names[AGENT_NAMES_MAX + 1]; /* NULL-ended */
	char *deepgram_url, *deepgram_key;
	char *openai_url, *openai_key;
	char *speech_url, *speech_key;
	char *supabase_url, *supabase_key;
	char *ca_file;        /* FRONTDESK_CA_FILE, NULL: the system's */
	int max_calls;        /* 0: 25 a core */
	int grace_ms;         /* for SIGTERM */
	bool no_udp;          /* FRONTDESK_NO_UDP=1 */
	bool loopback;        /* the LiveKit server is on this machine */
	bool personal;        /* show words in logs (development only) */
};

/* [any] Puts KEY=value lines of a file into the environment where the name is
 * not set yet. 0, -ENOENT, or ERR_CONFIG with a line added to faults. */
int settings_dotenv(const char *path, struct buf *faults);
/* [any] Reads the environment. Whatever is missing, misspelt or wrong is
 * added to faults, a line each, saying what to set and where; ERR_CONFIG
 * then. needs: union of what the clinics need (NULL: everything). */
int settings_load(struct settings *s, const struct clinic *needs,
		  struct buf *faults);
void settings_free(struct settings *s);

/* ---- the job ----------------------------------------------------------------- */

struct job;

struct job_cfg { /* borrowed while the job lives */
	const struct settings *settings;
	const struct policy_ops *policy;
	/* The clinic that answers this job, NULL: none (refused). */
	struct bundle *(*find)(void *arg, const struct lk_job *job);
	const struct clinic *(*clinic)(const struct bundle *b);
	void *arg;
	/* Every note of every call; may be NULL. */
	void (*on_note)(void *arg, struct call *c, const struct call_note *n);
};

/* [main] Runs until drained or stopped; returns an exit code. Handles SIGTERM
 * and SIGINT: the first drains within the grace, the second ends at once. */
int job_run(const struct job_cfg *cfg);

#endif
