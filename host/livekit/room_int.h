/*
 * The room from inside. One struct, one file for each part of it:
 *   room.c        life, getters, the end
 *   room_link.c   the state machine: join, resume, rejoin, leave
 *   room_join.c   what is said at a join and after a resume
 *   room_signal.c what the server says
 *   room_media.c  the peer: offers, answers, sections, audio out
 *   listen.c      whom we hear
 *   attributes.c  what we say about ourselves
 *   data.c        packets, sequence numbers, replay
 *   text_out.c dtmf.c  what travels in packets
 * All on the loop, but for what is marked [media].
 */
#ifndef FD_LIVEKIT_ROOM_INT_H
#define FD_LIVEKIT_ROOM_INT_H

#include <stdatomic.h>

#include "base/clock.h"
#include "livekit/participants_int.h"
#include "livekit/signal_int.h"
#include "livekit/text_int.h"

#define ROOM_MAX_URLS 8

enum room_phase {
	PHASE_JOINING,   /* never up so far */
	PHASE_UP,
	PHASE_RESUMING,
	PHASE_REJOINING,
	PHASE_LEAVING,   /* said goodbye, waiting for the echo */
	PHASE_ENDED,
};

/* The peer connection of one session; replaced whole by a rejoin. */
struct room_media {
	struct rtc_peer *peer;
	enum rtc_state state;
	char *cid, *stream_id;    /* fresh for each publication */
	char *first_offer;        /* for the join request; NULL until made */
	bool trickle_first;       /* its candidates had to be left out */
	char *offer, *answer;     /* the last pair, for the sync state */
	uint32_t offer_id, answer_id;
	bool waiting;             /* an offer is outstanding */
	bool again;               /* offer once more after the answer */
	bool again_restart;
	int sections;             /* recvonly audio sections so far */
	int unmet_videos;         /* requirements for video in a row */
	int64_t offered_ms;       /* when the last offer went out */
	struct timer answer_limit;
	struct timer debounce;
	struct buf published;     /* our TrackPublishedResponse, packed */
	char *track_sid;
};

struct room_sent { /* a reliable packet that may have to be sent again */
	uint32_t sequence;
	uint8_t *p;
	size_t n;
};

struct room_heard { /* the last reliable packet of a sender */
	char *sid;
	uint32_t sequence;
	int64_t at_ms;
};

struct room_data {
	uint32_t sequence;        /* of our last reliable packet */
	struct room_sent *sent;   /* oldest first */
	size_t n_sent, cap_sent, sent_bytes;
	struct room_heard *heard;
	size_t n_heard, cap_heard;
	uint32_t session;         /* counts full rejoins */
};

struct room_keys { /* DTMF still to be sent, towards one identity */
	struct room_keys *next;
	char *identity;
	char *keys;
	size_t at;
};

struct room {
	/* immutable after room_join() */
	struct loop *loop;
	struct media *media;
	struct room_ops ops;
	void *arg;
	char *track_name, *ca_file;
	bool no_udp, loopback;
	int give_up_ms;

	/* [media] and loop */
	_Atomic(struct rtc_peer *) tx; /* where our audio goes, or NULL */
	_Atomic uint64_t want_mid;     /* the section we listen to, 0: any */
	_Atomic bool muted;            /* by the server */

	/* loop */
	enum room_phase phase;
	bool relay_only;
	bool was_up;
	char *token, *name, *identity, *sid;
	char *urls[ROOM_MAX_URLS];
	size_t n_urls, url_at;
	struct signalling *sig;
	bool sig_ready;                /* its first answer came */
	bool joined_once;              /* this peer's offer was taken */
	unsigned attempt;
	int64_t settled_ms;            /* when it last came up */
	struct timer retry;            /* next attempt */
	struct timer limit;            /* of the attempt under way */
	struct timer give_up;          /* of all attempts together */
	struct timer leave_limit;
	struct room_media m;
	struct participants who;
	struct room_data data;
	struct text_inbox inbox;
	struct room_text *texts;       /* open streams of ours */
	struct room_keys *keys;
	struct timer key_timer;
	char *listen;                  /* identity wanted, NULL nobody */
	char *listen_sid;              /* track asked for, NULL none */
	struct lk_pair *own;           /* our attributes, all ever set */
	struct lk_pair *unsaid;        /* those not sent yet */
	struct timer say_timer;
	uint32_t request_id;
	int depth;                     /* entries of ours on the stack */
	bool closing;
};

/* ---- room.c ---- */
void room_hold(struct room *r);
/* May free r: the last thing an entry does. */
void room_release(struct room *r);
bool room_alive(const struct room *r); /* neither ended nor leaving */
void room_tell_link(struct room *r, enum room_link link);
void room_finish(struct room *r, enum room_end end, const char *why);

/* ---- room_link.c ---- */
void link_init(struct room *r);
void link_start(struct room *r);
void link_stop(struct room *r);              /* timers and socket */
void link_offer_ready(struct room *r);       /* the first offer was made */
void link_media_changed(struct room *r);
void link_joined(struct room *r, const Livekit__JoinResponse *join);
void link_reconnected(struct room *r, uint32_t last_sequence);
void link_leave(struct room *r, const Livekit__LeaveRequest *leave);
void link_resume(struct room *r);
void link_rejoin(struct room *r);
/* Adds an address if it is new, and tries it next. */
void link_prefer_url(struct room *r, const char *url);
/* Sends a signal when the socket is ready; false when it could not. */
bool link_send(struct room *r, const Livekit__SignalRequest *m);

/* ---- room_join.c ---- */
int join_open(struct room *r, bool reconnect, const struct signal_ops *ops);
void join_sync_state(struct room *r);
/* What a participant token says about room and identity. */
void join_read_token(struct room *r);

/* ---- room_signal.c ---- */
void room_on_signal(struct room *r, const Livekit__SignalResponse *m);

/* ---- room_media.c ---- */
void room_media_init(struct room *r);
int room_media_start(struct room *r);
void room_media_stop(struct room *r);
void room_media_offer(struct room *r, bool restart_ice);
/* The same after a moment, unless one goes out before. */
void room_media_offer_in(struct room *r, int64_t ms);
void room_media_on_answer(struct room *r, const Livekit__SessionDescription *a);
void room_media_on_requirement(struct room *r,
			  const Livekit__MediaSectionsRequirement *need);
void room_media_on_candidate(struct room *r, const Livekit__TrickleRequest *t);
/* We are in: candidates that the join request had no room for. */
void room_media_joined(struct room *r);
void room_media_resumed(struct room *r);
bool room_media_healthy(const struct room *r);
void room_media_add_relays(struct room *r, Livekit__ICEServer *const *s, size_t n);

/* ---- listen.c ---- */
void listen_apply(struct room *r);       /* after any change of who is there */
void listen_forget(struct room *r);      /* a new session: ask again */
void listen_mapped(struct room *r, void *const *mids, size_t n);

/* ---- attributes.c ---- */
void attributes_init(struct room *r);
void attributes_finish(struct room *r);
/* The link is up: say what is unsaid, or (a new session) all again. */
void attributes_repeat(struct room *r, bool all);

/* ---- data.c ---- */
void data_finish(struct room *r);
void data_reset(struct room *r);         /* full rejoin: count from 1 */
void data_replay(struct room *r, uint32_t last_sequence);
int data_send(struct room *r, Livekit__DataPacket *pkt, bool reliable);
void data_on_message(struct room *r, bool reliable, const uint8_t *p, size_t n);
void data_on_text(void *arg, const char *identity, const char *topic,
		  const char *text, const struct lk_pair *attrs, bool whole);

/* ---- text_out.c ---- */
void text_orphan(struct room *r);        /* the room goes before its streams */

/* ---- dtmf.c ---- */
void dtmf_init(struct room *r);
void dtmf_finish(struct room *r);
/* The key of a packet, 0 when it has none. */
char dtmf_key(const Livekit__SipDTMF *d);

#endif
