/*
 * One peer, inside the folder: who owns which field, and the calls between
 * its files. peer.c is the door [loop]; peer_media.c path and keys, and
 * peer_rtp.c packets [media]; peer_data.c channels [sctp owner]; turn.c
 * relays [loop].
 */
#ifndef FD_RTC_PEER_INT_H
#define FD_RTC_PEER_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include <glib.h>

#include "rtc/dtls_int.h"
#include "rtc/ice_int.h"
#include "rtc/rtc.h"
#include "rtc/rtp_int.h"
#include "rtc/sdp_int.h"

struct assoc;
struct channels;
struct demux;
struct seal;
struct tunnel;
struct turn_lookup;

struct rtc_peer {
	/* immutable after create */
	struct loop *loop;
	struct media *media;
	struct media *owner; /* of SCTP */
	char *stream_id, *track_cid, *ca_file;
	struct ice_cfg ice_cfg;
	struct rtc_ops ops;
	void *arg;
	char cname[20];
	uint32_t ssrc;
	uint64_t session_id;

	/* [loop] */
	bool closed;
	uint32_t n_offers;
	struct turn_lookup *lookups;

	/* [media] the path */
	bool ended;
	enum rtc_state state;
	bool refused;           /* failed for good: a restart will not help */
	struct ice *ice;
	struct dtls *dtls;
	GSource *dtls_timer, *tick;
	int n_handshake;        /* datagrams of ours in handshake.c */
	int connecting_s, silent_s, ticks;
	bool heard;             /* something authentic came since the tick */
	bool ice_ready;
	uint8_t early[1500];    /* their ClientHello, come before that */
	size_t n_early;
	enum sdp_section_kind sections[SDP_SECTIONS_MAX];
	size_t n_sections;
	uint32_t version;       /* = id of the last offer */
	struct tunnel *tunnels;
	char relay_why[160];    /* the last relay's failure, for the reason */

	/* [media] packets */
	struct seal *seal;
	struct demux *demux;
	struct resend *resend;
	rtc_rtp_h *on_rtp;
	void *on_rtp_arg;
	struct rtp_ext ext;     /* as the answer accepted them */
	uint8_t opus_pt;
	uint16_t seq;
	uint32_t first_timestamp, last_timestamp;
	int64_t last_sent_us;   /* 0: nothing sent */

	/* [sctp owner] */
	bool data_closed;
	bool dtls_server;       /* decides the ids of channels */
	size_t accounted;       /* what queued counts of the two below */
	struct assoc *assoc;
	struct channels *channels;

	/* [any] */
	atomic_int refs;
	atomic_size_t queued;   /* on the way to, or in, the channels */
	atomic_ullong packets_sent, bytes_sent, packets_received;
	atomic_ullong bytes_received, nacks_received, resent, srtp_errors;
	_Atomic int64_t first_sent_us;
	atomic_uint rtt_ms, remote_lost;

	pthread_mutex_t lock;
	char pair[96];          /* protected by lock */
};

/* ---- posts (peer.c) ------------------------------------------------------- */

/* One call for another thread, with a copy of its bytes (NUL behind them). */
struct task;
typedef void (task_h)(struct rtc_peer *p, const struct task *t);
struct task {
	struct rtc_peer *peer;
	task_h *fn;
	uint32_t num;
	int kind;
	size_t n;
	uint8_t bytes[];
};

/* They keep the peer alive until fn has run or was skipped because that side
 * of the peer has ended. [any but the beat] */
void peer_to_loop(struct rtc_peer *p, task_h *fn, uint32_t num, int kind,
		  const void *bytes, size_t n);
void peer_to_media(struct rtc_peer *p, task_h *fn, uint32_t num, int kind,
		   const void *bytes, size_t n);
void peer_to_owner(struct rtc_peer *p, task_h *fn, uint32_t num, int kind,
		   const void *bytes, size_t n);

/* ---- peer_media.c [media] -------------------------------------------------- */

void peer_begin(struct rtc_peer *p, const struct task *t);
void peer_make_offer(struct rtc_peer *p, const struct task *t);
void peer_add_sections(struct rtc_peer *p, const struct task *t);
void peer_take_answer(struct rtc_peer *p, const struct task *t);
void peer_take_candidate(struct rtc_peer *p, const struct task *t);
void peer_end(struct rtc_peer *p);
/* Tells the loop; the same state twice is told once. why may be "". */
void peer_set_state(struct rtc_peer *p, enum rtc_state s, const char *why);
/* One SCTP packet out, from the owner's thread. */
void peer_send_sctp(struct rtc_peer *p, const uint8_t *bytes, size_t n);
void peer_association_lost(struct rtc_peer *p, const struct task *t);
/* One DTLS datagram, now. */
void peer_dtls_input(struct rtc_peer *p, const uint8_t *bytes, size_t n);

/* ---- handshake.c [media] ----------------------------------------------------- */

/* Calls peer_dtls_input() with a copy when it is this peer's turn. */
void handshake_queue(struct rtc_peer *p, const uint8_t *bytes, size_t n);
/* Drops what waits. */
void handshake_forget(struct rtc_peer *p);

/* ---- peer_rtp.c [media] ----------------------------------------------------- */

int peer_rtp_create(struct rtc_peer *p);
void peer_rtp_destroy(struct rtc_peer *p);
/* One datagram that begins like RTP or RTCP; decrypted in place. */
void peer_rtp_input(struct rtc_peer *p, uint8_t *bytes, size_t n);
void peer_rtp_answer(struct rtc_peer *p, const struct sdp_answer *a);
void peer_send_reports(struct rtc_peer *p);
void peer_send_bye(struct rtc_peer *p);

/* ---- peer_data.c [sctp owner] ------------------------------------------------ */

int peer_data_create(struct rtc_peer *p); /* [loop], before any post */
/* num: 1 when we are the DTLS server. */
void peer_data_open(struct rtc_peer *p, const struct task *t);
void peer_data_input(struct rtc_peer *p, const uint8_t *bytes, size_t n);
void peer_data_send(struct rtc_peer *p, const struct task *t);
void peer_data_close(struct rtc_peer *p);

/* ---- turn.c -------------------------------------------------------------------- */

void peer_turn_add(struct rtc_peer *p, const struct rtc_turn *t);   /* [loop] */
void peer_turn_cancel(struct rtc_peer *p);                          /* [loop] */
void peer_turn_stop(void);                                          /* [loop] */

#endif
