/*
 * SDP as far as a client needs it that always offers: writing our offer and
 * reading the answer (RFC 8866, 8829). Pure; the answer comes from outside,
 * so all of it is bounded and nothing in it is trusted.
 */
#ifndef FD_RTC_SDP_INT_H
#define FD_RTC_SDP_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

enum {
	SDP_TEXT_MAX = 256 * 1024,
	SDP_SECTIONS_MAX = 64,
	SDP_CANDIDATES_MAX = 64,
	SDP_SSRCS_MAX = 4,    /* a section */
	SDP_CANDIDATE_MAX = 256,

	/* what our offers use */
	SDP_PT_OPUS = 111,
	SDP_PT_VP8 = 96,
	SDP_EXT_MID = 1,
	SDP_EXT_LEVEL = 2,
	SDP_SCTP_PORT = 5000,
};

/* The sections of our offer; a section's mid is its place as a number. */
enum sdp_section_kind {
	SDP_SEND_AUDIO,
	SDP_RECV_AUDIO,
	SDP_RECV_VIDEO,
	SDP_DATA,
};

struct sdp_offer {
	uint64_t session_id;
	uint32_t version;
	const char *stream_id, *track_cid, *cname;
	uint32_t ssrc;
	const char *ufrag, *pwd;
	const char *fingerprint;      /* "sha-256 AB:CD:..." */
	const enum sdp_section_kind *sections;
	size_t n_sections;
	const char *const *candidates; /* "candidate:..." each */
	size_t n_candidates;
};

/* Appends the offer's text. */
void sdp_write_offer(struct buf *out, const struct sdp_offer *o);

enum sdp_media { SDP_AUDIO, SDP_VIDEO, SDP_APPLICATION, SDP_OTHER };
enum sdp_setup { SDP_SETUP_NONE, SDP_ACTIVE, SDP_PASSIVE, SDP_ACTPASS };

struct sdp_section {
	enum sdp_media media;
	char mid[16];
	bool rejected;        /* port 0 */
	bool sends, receives; /* the answerer's directions */
	bool nack;
	uint8_t opus_pt;      /* 0 when there is none */
	uint8_t ext_mid, ext_level; /* extension ids, 0 when refused */
	uint32_t ssrcs[SDP_SSRCS_MAX];
	size_t n_ssrcs;
};

struct sdp_answer {
	char ufrag[257], pwd[257];
	char hash[16];        /* "sha-256" */
	uint8_t digest[64];
	size_t digest_len;
	enum sdp_setup setup; /* SDP_SETUP_NONE when missing */
	bool ice_lite;
	uint32_t max_message; /* 0: not said */
	uint16_t sctp_port;   /* 0: not said */
	struct sdp_section sections[SDP_SECTIONS_MAX];
	size_t n_sections;
	/* "candidate:...", as they came; component 2 included */
	char candidates[SDP_CANDIDATES_MAX][SDP_CANDIDATE_MAX];
	size_t n_candidates;
};

/* Reads an answer (n bytes, no NUL needed). 0, or ERR_PROTOCOL with a phrase
 * in *ret_why. Unknown lines are skipped; too many candidates or SSRCs are
 * dropped; too many sections refuse. */
int sdp_parse_answer(struct sdp_answer *ret_answer, const char *text, size_t n,
		     const char **ret_why);

#endif
