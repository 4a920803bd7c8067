/*
 * livekit: tokens, the agent worker, signalling and the room, data packets,
 * and the server API. Everything here runs on the loop, except the two audio
 * functions tagged [media]. Knows WebRTC only through rtc.h, and nothing of
 * providers or turns. Facts: LiveKit protocol 17, single peer connection,
 * /rtc/v1 with the one-shot join.
 */
#ifndef FD_LIVEKIT_LIVEKIT_H
#define FD_LIVEKIT_LIVEKIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/io.h"
#include "rtc/rtc.h"

/* An account: url is ws(s):// or http(s)://; strings are borrowed and must
 * outlive what is made from them. */
struct lk_account {
	const char *url;
	const char *api_key;
	const char *api_secret;
};

struct lk_pair { /* attributes; lists end with key NULL */
	const char *key;
	const char *value;
};

/* ---- access tokens (JWT, HS256) ------------------------------------------ */

struct lk_grant {
	const char *identity, *name, *kind, *metadata; /* NULL: left out */
	const struct lk_pair *attributes;
	const char *room;
	bool room_join, room_create, room_list, room_admin, agent;
	bool sip_admin, sip_call, update_metadata;
	const char *dispatch_agent;    /* roomConfig.agents[0] */
	const char *dispatch_metadata;
	int ttl_s;                     /* 0: 600 */
};
/* [any] A signed token in fresh memory (free()). now_s: wall clock. */
char *lk_token(const struct lk_account *acc, const struct lk_grant *g,
	       int64_t now_s);

/* ---- worker ------------------------------------------------------------------ */

struct worker;

struct lk_job { /* borrowed during the callback */
	const char *id, *room, *room_sid, *agent_name, *metadata, *dispatch_id;
	const char *participant;       /* identity, NULL for a room job */
	const struct lk_pair *attributes;
};

enum worker_state {
	WORKER_CONNECTING,
	WORKER_REGISTERED, /* all names registered */
	WORKER_LOST,       /* reconnecting; calls go on */
	WORKER_REFUSED,    /* 401/403: the keys are wrong; keeps trying slowly */
};

struct worker_ops {
	/* Answer at once: take this call? false lets the server ask the next
	 * worker. Called for each AvailabilityRequest. */
	bool (*on_request)(void *arg, const struct lk_job *job);
	/* The call is ours. url and token are for room_join(). */
	void (*on_job)(void *arg, const struct lk_job *job, const char *url,
		       const char *token);
	/* An accepted request was not assigned in time: free the slot. */
	void (*on_lapsed)(void *arg, const char *job_id);
	/* The server ended the job (not sent for our own rejoin). */
	void (*on_terminate)(void *arg, const char *job_id);
	/* err and why for LOST and REFUSED. */
	void (*on_state)(void *arg, enum worker_state s, int err, const char *why);
	/* Load 0..1 now and whether to take no more; asked every 2.5 s and at
	 * worker_poke(). */
	float (*load)(void *arg, bool *ret_full);
};

struct worker_cfg {
	struct lk_account account;
	const char *const *agent_names; /* NULL-ended, distinct; "" allowed */
	const char *version;
};

/* Registers each name on a socket of its own; reconnects with backoff for
 * ever. cfg is copied. */
int worker_create(struct worker **ret_worker, struct loop *l,
		  const struct worker_cfg *cfg, const struct worker_ops *ops,
		  void *arg);
/* No new calls: says WS_FULL and draining, keeps the sockets. */
void worker_drain(struct worker *w);
/* Sends load and status now (a call began or ended). */
void worker_poke(struct worker *w);
enum job_end { JOB_SUCCESS, JOB_FAILED };
/* Reports the end of a job; before leaving the room. error may be NULL. */
void worker_job_end(struct worker *w, const char *job_id, enum job_end end,
		    const char *error);
/* Tells that this job's room is being rejoined in full: the JobTermination
 * that the server sends for it within 10 s is not passed on. */
void worker_job_rejoined(struct worker *w, const char *job_id);
/* Closes sockets after what is queued has left; frees. May be called from
 * inside the worker's callbacks. NULL is fine. */
void worker_close(struct worker *w);

/* ---- room --------------------------------------------------------------------- */

struct room;

enum lk_kind { LK_STANDARD = 0, LK_INGRESS = 1, LK_EGRESS = 2, LK_SIP = 3,
	       LK_AGENT = 4, LK_CONNECTOR = 7, LK_BRIDGE = 8 };

struct room_participant { /* owned by the room; borrowed */
	const char *sid, *identity, *name, *metadata;
	enum lk_kind kind;
	bool active;            /* media connected */
	const char *audio_sid;  /* its microphone track, NULL if none */
	bool audio_muted;
	bool audio_subscribed;
	int client_protocol;
	int leave_reason;       /* DisconnectReason, when it has left */
};
/* Attribute of a participant ("sip.callID"), NULL if it has none. */
const char *room_attribute(const struct room_participant *p, const char *key);

enum room_change { ROOM_P_JOINED, ROOM_P_UPDATED, ROOM_P_LEFT };

enum room_link {
	ROOM_UP,        /* joined and media connected: audio flows */
	ROOM_RESUMING,  /* signalling or media lost; media may still flow */
	ROOM_RESUMED,
	ROOM_REJOINING, /* full rejoin under way */
	ROOM_REJOINED,  /* new tracks: re-send what was said about ourselves */
};

enum room_end {
	ROOM_LEFT,        /* we left */
	ROOM_CLOSED,      /* closed or deleted by the server, all gone */
	ROOM_REMOVED,     /* we were removed */
	ROOM_REPLACED,    /* somebody joined with our identity */
	ROOM_UNREACHABLE, /* gave up reconnecting */
	ROOM_REFUSED,     /* token or room refused */
};

struct room_ops {
	void (*on_link)(void *arg, enum room_link link);
	/* Everybody present at join comes as JOINED, before ROOM_UP. Who is
	 * known and comes back with a new sid is UPDATED, not LEFT. */
	void (*on_participant)(void *arg, const struct room_participant *p,
			       enum room_change change);
	/* Somebody has subscribed to our track: they can hear us. */
	void (*on_subscribed)(void *arg);
	/* A text stream or chat message is complete ("lk.chat"). attrs ends
	 * with key NULL. */
	void (*on_text)(void *arg, const char *identity, const char *topic,
			const char *text, const struct lk_pair *attrs);
	/* A piece of a text stream still open, as it arrives. May be NULL. */
	void (*on_text_part)(void *arg, const char *identity, const char *topic,
			     const char *text_so_far, const struct lk_pair *attrs);
	/* A user packet (topic may be ""). May be NULL. */
	void (*on_data)(void *arg, const char *identity, const char *topic,
			const uint8_t *p, size_t n);
	/* One DTMF key: '0'-'9', '*', '#', 'A'-'D'. */
	void (*on_dtmf)(void *arg, const char *identity, char key);
	/* The end, exactly once unless room_close() came first. */
	void (*on_end)(void *arg, enum room_end end, const char *why);
	/* [media] RTP of a subscribed audio track. */
	rtc_rtp_h *on_rtp;
};

struct room_cfg {
	const char *url;        /* server, ws(s) or http(s) */
	const char *token;
	const char *track_name; /* of our audio; NULL: publish nothing */
	bool no_udp, relay_only, loopback;
	const char *ca_file;
	int give_up_ms;         /* reconnecting in all; 0: 60,000 */
};

/* Joins, publishes the track, connects media. cfg is copied. */
int room_join(struct room **ret_room, struct loop *l, struct media *m,
	      const struct room_cfg *cfg, const struct room_ops *ops, void *arg);
/* Leaves: sends leave with reason (a DisconnectReason number, 1: by us), then
 * on_end(ROOM_LEFT) within 300 ms. */
void room_leave(struct room *r, int reason);
/* Frees, leaving first if nobody did; no callback of any thread runs after
 * it. May be called from inside the room's callbacks. NULL is fine. */
void room_close(struct room *r);

/* [media] One packet on our track; survives a rejoin in between. */
void room_send_audio(struct room *r, const uint8_t *opus, size_t n,
		     uint32_t ticks, bool marker, uint8_t level, bool voice);

const char *room_name(const struct room *r);
const char *room_identity(const struct room *r);   /* ours */
const char *room_track_sid(const struct room *r);  /* our track, "" before */
/* The newest token (refreshed by the server). */
const char *room_token(const struct room *r);
const struct room_participant *room_find(const struct room *r,
					 const char *identity);

/* Hear this participant's audio track (and stop hearing others). Takes
 * effect now or when the track appears. NULL: nobody. */
void room_listen(struct room *r, const char *identity);
/* Sets our attributes (value "" deletes); coalesced within 50 ms, and said
 * again by itself after a resume or a rejoin. */
void room_set_attributes(struct room *r, const struct lk_pair *attrs);
/* DTMF towards identity (NULL: all), one key each 300 ms. keys: digits,
 * '*', '#', 'A'-'D', 'w' pauses 0.5 s; ERR_REQUEST for others. */
int room_send_dtmf(struct room *r, const char *identity, const char *keys);
/* A user packet. */
int room_send_data(struct room *r, const char *topic, const void *p, size_t n,
		   bool reliable);

/* Text streams out. as_identity: on whose behalf (NULL: ours). A stream that
 * is open during a full rejoin begins anew by itself, with all its text; it
 * may be closed after its room. Between two sessions room_text_write() keeps
 * the text and returns -ENOTCONN; after the end ERR_GONE. */
struct room_text;
int room_text_open(struct room_text **ret_text, struct room *r,
		   const char *topic, const char *as_identity,
		   const struct lk_pair *attrs);
int room_text_write(struct room_text *t, const char *text);
/* Closes with extra attributes (NULL: none) and frees t. */
void room_text_close(struct room_text *t, const struct lk_pair *attrs);
/* All in one. */
int room_text_send(struct room *r, const char *topic, const char *as_identity,
		   const struct lk_pair *attrs, const char *text);
/* The old Transcription packet, for front ends that know no streams. */
int room_send_transcription(struct room *r, const char *as_identity,
			    const char *track_sid, const char *segment_id,
			    const char *text, bool final);

void room_stats(struct room *r, struct rtc_stats *out);
/* Test hooks: cut the signalling socket; ask for a full rejoin. */
void room_test_cut(struct room *r, bool full_rejoin);

/* ---- server API (Twirp) ------------------------------------------------------- */

struct lk_api;
struct lk_call; /* one request under way */

struct lk_result {
	int err;             /* 0, ERR_AUTH, ERR_REQUEST, -ENOENT, ... */
	const char *code;    /* Twirp code, "" when none */
	const char *message;
	int sip_status;      /* 486; 0 when none */
	const char *sip_text;
	const struct cJSON *body; /* answer, NULL on failure */
};
typedef void (lk_result_h)(void *arg, const struct lk_result *res);

/* Keeps account by reference. */
int lk_api_create(struct lk_api **ret_api, struct loop *l,
		  const struct lk_account *acc);
void lk_api_close(struct lk_api *api); /* drops what is under way */
/* Each starts one request; fn is called once, later. fn may be NULL. The
 * returned handle may be given to lk_api_cancel() until fn ran. */
struct lk_call *lk_create_dispatch(struct lk_api *api, const char *room,
		const char *agent, const char *metadata, lk_result_h *fn, void *arg);
struct lk_call *lk_remove_participant(struct lk_api *api, const char *room,
		const char *identity, lk_result_h *fn, void *arg);
struct lk_call *lk_delete_room(struct lk_api *api, const char *room,
		lk_result_h *fn, void *arg);
struct lk_call *lk_list_participants(struct lk_api *api, const char *room,
		lk_result_h *fn, void *arg);
/* to: "tel:+1..." or "sip:..."; ring_s: how long it may ring (0: 40). */
struct lk_call *lk_transfer_sip(struct lk_api *api, const char *room,
		const char *identity, const char *to, int ring_s, bool dialtone,
		lk_result_h *fn, void *arg);
struct lk_dial {
	const char *trunk_id, *to, *from, *room, *identity, *name, *dtmf;
	const struct lk_pair *attributes;
	int ring_s; /* 0: 30 */
	bool wait;  /* until answered */
};
struct lk_call *lk_dial_sip(struct lk_api *api, const struct lk_dial *d,
		lk_result_h *fn, void *arg);
void lk_api_cancel(struct lk_call *c); /* fn will not run; NULL is fine */

/* ---- for fuzzers ---------------------------------------------------------------- */

/* [any] Decodes one DataPacket as a receiver would; 0 or ERR_PROTOCOL. */
int livekit_packet_check(const uint8_t *p, size_t n);
/* [any] Decodes one SignalResponse; 0 or ERR_PROTOCOL. */
int livekit_signal_check(const uint8_t *p, size_t n);

#endif
