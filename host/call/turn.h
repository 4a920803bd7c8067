/*
 * turn: who speaks now, and what follows. A pure machine: turn_step() takes
 * one event and fills a list of actions; no I/O, no clock, no allocation but
 * its own texts. Time comes with the events (milliseconds since the call's
 * start) and goes back as turn_due(). Private to host/call and its tests.
 *
 *	          speech on / words                     end of turn
 *	LISTENING ------------------> (text grows) ------------------> THINKING
 *	    ^  ^                                                        |   ^
 *	    |  '------------- words over us: CUT -------------.   sound |   | queue
 *	    |                                                 |         v   | dry
 *	    '----------- all said, nothing under way --------- SPEAKING ----'
 *
 * The dead-air clock runs whenever the caller has spoken (or waits for the
 * greeting) and nothing sounds: the first filler, then another each while,
 * then the apology. No fault of any provider lets it stop.
 */
#ifndef FD_CALL_TURN_H
#define FD_CALL_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "call/call.h"

enum turn_phase { TURN_WAITING, TURN_LISTENING, TURN_THINKING, TURN_SPEAKING,
		  TURN_ENDING, TURN_OVER };

enum turn_event_type {
	TE_START,       /* the caller can hear us; the script has begun */
	TE_SPEECH_ON,   /* VAD, on media */
	TE_SPEECH_OFF,
	TE_PAUSED,      /* the reflex silenced us (epoch) */
	TE_RESUMED,     /* media resumed by itself (epoch) */
	TE_INTERIM,     /* text: of the present part */
	TE_FINAL,       /* text: a finished part */
	TE_END,         /* the provider heard the end of speech */
	TE_TYPED,       /* text: a chat line, a turn by itself */
	TE_DTMF,
	TE_SOUND,       /* an utterance began to sound; flag: a stored filler */
	TE_SOUND_END,   /* ... ended; flag: more is queued behind it */
	TE_QUIET,       /* nothing is under way for this turn any more */
	TE_WORK,        /* something is (script, model, tool, speech) */
	TE_FAILED,      /* the reply could not be made or spoken */
	TE_HANGUP,      /* script: hang up when all is said; n: call_end */
	TE_TICK,        /* time has come (turn_due) */
};

struct turn_event {
	enum turn_event_type type;
	int64_t at_ms;
	const char *text;
	uint32_t epoch;
	int n;
	bool flag;
};

enum turn_action_type {
	TA_ARM,         /* arm the reflex: epoch, flag interruptible */
	TA_RESUME,      /* epoch */
	TA_CUT,         /* silence all that plays or waits, drop the reply */
	TA_FLUSH,       /* ask STT for what it has */
	TA_SPECULATE,   /* start the model on text */
	TA_UNSPECULATE, /* throw it away */
	TA_CANCEL,      /* the caller goes on before we sounded: drop the reply */
	TA_TURN,        /* text is the caller's turn; flag interrupted; n typed */
	TA_LINE,        /* play the stored line named text now */
	TA_STATE,       /* text: listening, thinking, speaking */
	TA_SILENCE,     /* nobody speaks, for the nth time */
	TA_END,         /* n: call_end; all has been said */
	TA_FAREWELL,    /* n: call_end; say goodbye, then end */
};

struct turn_action {
	enum turn_action_type type;
	char *text; /* owned by the list */
	uint32_t epoch;
	int n;
	bool flag;
};

enum { TURN_ACTIONS_MAX = 16 };
struct turn_out {
	struct turn_action v[TURN_ACTIONS_MAX];
	int n;
};
void turn_out_clear(struct turn_out *out);

struct turn_cfg { /* milliseconds; 0 takes the default in brackets */
	int speech_off_ms;    /* VAD's own delay [200] */
	int endpointing_ms;   /* silence that ends a turn [400] */
	int digits_ms;        /* ... while digits are awaited [1500] */
	int long_ms;          /* ... while a long answer is awaited [900] */
	int short_ms;         /* ... while yes or no is awaited [300] */
	int final_ms;         /* words that may still change are waited for [800] */
	int stale_ms;         /* words without news end a turn in noise [2000] */
	int voice_ms;         /* least voice that is speech without words [300] */
	int noise_ms;         /* voice without words for so long is noise [3000] */
	int late_ms;          /* words may come so long after the voice [2500] */
	int filler_ms;        /* dead air before the first line [1700] */
	int again_ms;         /* ... before the next ones [2200] */
	int give_up_ms;       /* thinking before the apology [9000] */
	int verdict_ms;       /* words may follow a cough this late [450] */
	int over_ms;          /* voice over us that interrupts without words [1200] */
	int idle_ms;          /* [8000] */
	int idle_times;       /* [3] */
	int longest_ms;       /* [1800000] */
	bool patient;         /* the provider's end of speech ends no turn before
				 the silence named above */
	bool uninterruptible;
};

enum turn_timer { TT_ENDPOINT, TT_VERDICT, TT_OVER, TT_DEAD_AIR, TT_GIVE_UP,
		  TT_IDLE, TT_LONGEST, TT_FAREWELL, TT_N };

struct turn {
	struct turn_cfg cfg;
	enum turn_phase phase;
	enum call_await await, taken_await;
	int await_digits, taken_digits; /* a number's length; 0 unknown */
	const char *state;     /* last TA_STATE */
	int64_t due_ms[TT_N];  /* -1: off */
	int end;               /* call_end of a hang-up under way */
	int idle_n;

	/* the caller's voice; times are -1 before the first */
	bool caller_speaking;  /* VAD is on ... */
	bool noisy;            /* ... for something that is no speech */
	bool unanswered;       /* speech ended that nothing has answered */
	int64_t speech_on_ms;
	int64_t speech_end_ms; /* when the voice really ended */

	/* the caller's words */
	struct buf finals, interim;
	struct buf guess;      /* what the model is already at work on */
	struct buf taken;      /* finals of the turn that has not sounded yet */
	struct buf tail;       /* ... and its interim, whose final may come */
	int64_t words_ms;
	int64_t taken_ms;
	bool deaf;             /* words belong to a turn already taken */
	bool interrupted;      /* the words now coming cut us off */
	bool taken_interrupted;
	bool typed;            /* the words were typed */
	bool waited_final;     /* the endpoint was put off for a final once */

	/* our voice */
	bool working;          /* something is under way for this turn */
	bool sounding;
	bool filler_sounds;
	bool greeted;          /* our first words have begun */
	bool goodbye;          /* the stored goodbye stands in for ours */
	bool paused;
	bool locked;           /* present speech of ours may not be cut */
	int fillers;           /* lines since the turn was taken */
	uint32_t epoch, paused_epoch;
};

/* Zero cfg fields take the defaults. End with turn_finish(). */
void turn_init(struct turn *t, const struct turn_cfg *cfg);
void turn_finish(struct turn *t);
/* One event; actions are appended to out. */
void turn_step(struct turn *t, const struct turn_event *e,
	       struct turn_out *out);
/* When TE_TICK is wanted next; -1: never. */
int64_t turn_due(const struct turn *t);
/* Whether what plays now may be interrupted by the caller. */
void turn_lock(struct turn *t, bool locked, struct turn_out *out);

#endif
