/*
 * rtc: one WebRTC peer connection, written for a client that always offers:
 * ICE by libnice (controlling, one component, BUNDLE), DTLS by OpenSSL (both
 * roles), SRTP by libsrtp2, data channels over usrsctp, our own SDP and
 * RTP/RTCP. Knows Opus payload types and header extensions, not LiveKit.
 *
 * A peer lives on one media thread. Functions tagged [loop] post to it and
 * return at once; callbacks tagged [loop] are posted back. RTP goes straight:
 * rtc_rtp_h runs on the media thread, and rtc_send_audio() is called there.
 */
#ifndef FD_RTC_RTC_H
#define FD_RTC_RTC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/io.h"

struct rtc_peer;

/* Process-wide start and end: OpenSSL context and certificate, libsrtp,
 * usrsctp (driven by sctp_owner). After the media threads, before any peer.
 * [loop] */
int rtc_start(struct loop *l, struct media *sctp_owner);
void rtc_stop(void);

enum rtc_state {
	RTC_NEW,
	RTC_CONNECTING,
	RTC_CONNECTED,    /* SRTP keys are in: audio may be sent */
	RTC_DISCONNECTED, /* nothing authentic was heard for 5 s; may come back */
	RTC_FAILED,       /* no path, nothing heard for 30 s, or refused; an
			   * offer with restart_ice may bring it back unless
			   * DTLS or an answer was refused */
	RTC_CLOSED,       /* the other side ended DTLS */
};

enum rtc_channel { RTC_RELIABLE, RTC_LOSSY };

struct rtc_rtp {
	uint32_t ssrc;
	uint32_t timestamp;
	uint16_t seq;
	bool marker;
	uint8_t payload_type;
	char mid[16];          /* of the section it belongs to, "" unknown */
	const uint8_t *payload;
	size_t len;
	int64_t arrival_us;
};
typedef void (rtc_rtp_h)(void *arg, const struct rtc_rtp *p);

struct rtc_ops {
	/* [loop] The offer that rtc_offer() asked for. id counts up from 1. */
	void (*on_offer)(void *arg, uint32_t id, const char *sdp);
	/* [loop] A local candidate found after the first offer (relay), as
	 * "candidate:..." text for trickling. */
	void (*on_candidate)(void *arg, const char *candidate);
	void (*on_state)(void *arg, enum rtc_state state, const char *why); /* [loop] */
	/* [loop] Both data channels are open. */
	void (*on_channels_open)(void *arg);
	/* [loop] One whole message. */
	void (*on_message)(void *arg, enum rtc_channel ch, const uint8_t *p, size_t n);
};

struct rtc_turn {
	const char *url; /* turn:host:port?transport=udp|tcp, turns:..., stun:... */
	const char *username;
	const char *credential;
};

struct rtc_cfg {
	const char *stream_id;  /* msid of our track */
	const char *track_cid;  /* its id, as announced in signalling */
	int recv_sections;      /* recvonly audio sections in the first offer */
	bool no_udp;            /* only ICE/TCP and relays over TCP or TLS */
	bool relay_only;
	bool loopback;          /* gather 127.0.0.1 too (tests, local server) */
	const char *ca_file;    /* for TURN over TLS; NULL: system's bundle */
};

/* [loop] Creates the peer on a media thread. ops callbacks run on l. */
int rtc_peer_create(struct rtc_peer **ret_peer, struct loop *l,
		    struct media *m, const struct rtc_cfg *cfg,
		    const struct rtc_ops *ops, void *arg);
/* [loop] No callback of any thread runs after this returns. NULL is fine. */
void rtc_peer_close(struct rtc_peer *p);

/* [loop] Who hears the RTP of all receive sections (rtc_rtp.mid tells which):
 * fn runs on the media thread. Replaces the one before; NULL fn stops. Waits
 * for the media thread. A packet whose section no answer names yet is held up
 * to 500 ms, then comes with mid "". */
void rtc_on_rtp(struct rtc_peer *p, rtc_rtp_h *fn, void *arg);

/* [loop] Makes an offer with all sections so far: the first one carries host
 * candidates. restart_ice: new ufrag and password on the same transport.
 * One outstanding offer at a time is the caller's duty. -> on_offer */
void rtc_offer(struct rtc_peer *p, bool restart_ice);
/* [loop] Appends n recvonly sections to the next offers. */
void rtc_add_sections(struct rtc_peer *p, int audio, int video);
/* [loop] The answer to offer id. Wrong SDP: RTC_FAILED with why. */
void rtc_answer(struct rtc_peer *p, uint32_t id, const char *sdp);
/* [loop] A remote candidate, as "candidate:..." text; ones we cannot use
 * (component 2, .local, active TCP) are dropped; early ones are kept. */
void rtc_remote_candidate(struct rtc_peer *p, const char *candidate);
/* [loop] Relay servers, known only after joining: names are resolved and
 * gathering goes on while host candidates are already tried. */
void rtc_add_turn(struct rtc_peer *p, const struct rtc_turn *servers, size_t n);

/* [media] Sends one Opus packet on our section, from the beat. ticks is RTP
 * time since the call's first packet. Before RTC_CONNECTED it is dropped. */
void rtc_send_audio(struct rtc_peer *p, const uint8_t *opus, size_t n,
		    uint32_t ticks, bool marker, uint8_t level, bool voice);
/* [loop] Sends one message; queued while the channel opens or is congested.
 * ERR_FULL beyond 1 MiB waiting. */
int rtc_send(struct rtc_peer *p, enum rtc_channel ch, const void *bytes, size_t n);
/* [loop] Bytes that have not left yet on the reliable channel. */
size_t rtc_queued(const struct rtc_peer *p);

struct rtc_stats {
	uint64_t packets_sent, bytes_sent, packets_received, bytes_received;
	uint64_t nacks_received, resent, srtp_errors;
	int64_t first_sent_us;  /* clock_mono_us() of our first packet, 0: none */
	uint32_t rtt_ms;        /* from RTCP, 0 unknown */
	uint32_t remote_lost;   /* of our packets, from the last RR */
	char pair[96];          /* "udp host 127.0.0.1:7882": how we send (udp,
				 * tcp, tls), as what, to whom */
};
/* [any] A snapshot. */
void rtc_peer_stats(struct rtc_peer *p, struct rtc_stats *out);

/* ---- the pure parts, for tests and fuzzers ------------------------------- */

/* [any] Parses an answer; 0 or ERR_PROTOCOL. Only for fuzzing the parser. */
int rtc_sdp_check(const char *sdp, size_t n);
/* [any] Parses one RTP or RTCP packet after decryption; 0 or ERR_PROTOCOL. */
int rtc_packet_check(const uint8_t *p, size_t n);
/* [any] One data channel control message (RFC 8832); 0 or ERR_PROTOCOL. */
int rtc_dcep_check(const uint8_t *p, size_t n);

#endif
