/*
 * RTP and RTCP packets (RFC 3550, 4585, 8285) as bytes, the statistics a
 * receiver keeps of a source, and the store of sent packets that answers
 * NACKs. Pure: no sockets, no keys, no clock of its own.
 */
#ifndef FD_RTC_RTP_INT_H
#define FD_RTC_RTP_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RTP_MTU = 1500,
	RTP_HEAD_MAX = 12 + 4 + 24, /* fixed part, extension head, mid, level */
};

static inline uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static inline void put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
	put_be16(p, (uint16_t)(v >> 16));
	put_be16(p + 2, (uint16_t)v);
}

/* Ids of the header extensions as negotiated, 0 when off. */
struct rtp_ext {
	uint8_t mid, level;
};

struct rtp_packet {
	uint32_t ssrc;
	uint32_t timestamp;
	uint16_t seq;
	bool marker;
	uint8_t payload_type;
	char mid[16];      /* "" when the packet has none */
	bool has_level;
	uint8_t level;     /* -dBov, RFC 6464 */
	bool voice;
	const uint8_t *payload;
	size_t len;
};

/* Reads a packet in the clear; padding is taken off. 0 or ERR_PROTOCOL. The
 * payload points into p. */
int rtp_parse(struct rtp_packet *ret, const uint8_t *p, size_t n,
	      const struct rtp_ext *ext);
/* Writes header and extensions (mid if not "", level if has_level) into
 * out[RTP_HEAD_MAX] and returns their length; the payload follows there. Safe
 * on the beat. */
size_t rtp_write_head(uint8_t *out, const struct rtp_packet *pkt,
		      const struct rtp_ext *ext);

/* ---- what a receiver knows of a source (RFC 3550, A.3 and A.8) ----------- */

struct rtp_source {
	uint32_t ssrc;
	bool begun;
	uint16_t max_seq;
	uint32_t cycles;        /* shifted by 16 */
	uint32_t base_seq;
	uint32_t received;
	uint32_t expected_prior, received_prior;
	uint32_t transit;
	double jitter;          /* in timestamp units */
	uint32_t last_sr;       /* middle 32 bits of its NTP time */
	int64_t last_sr_us;     /* when that came, 0 never */
};

/* Counts one packet. clock_hz: of its timestamps. */
void rtp_source_count(struct rtp_source *s, const struct rtp_packet *p,
		      int64_t arrival_us, uint32_t clock_hz);

/* ---- RTCP ------------------------------------------------------------------ */

struct rtcp_report { /* one report block */
	uint32_t ssrc;      /* whom it is about */
	uint8_t fraction;
	int32_t lost;
	uint32_t max_seq;
	uint32_t jitter;
	uint32_t last_sr, delay; /* 1/65536 s */
};

struct rtcp_sender { /* what an SR says of its sender */
	uint32_t ssrc;
	uint32_t ntp_high, ntp_low;
	uint32_t timestamp;
	uint32_t packets, bytes;
};

/* What a compound packet holds, in its order. Any may be NULL. */
struct rtcp_ops {
	void (*on_sender)(void *arg, const struct rtcp_sender *s);
	void (*on_report)(void *arg, const struct rtcp_report *r);
	void (*on_nack)(void *arg, uint32_t media_ssrc, uint16_t seq);
	void (*on_bye)(void *arg, uint32_t ssrc);
};

/* Walks a compound (or reduced-size) packet. ERR_PROTOCOL when any length in
 * it is wrong; what stood before the fault has been handed over. */
int rtcp_parse(const uint8_t *p, size_t n, const struct rtcp_ops *ops,
	       void *arg);

/* The report block about s at now_us; moves its interval counters on. */
void rtcp_report_on(struct rtcp_report *ret, struct rtp_source *s,
		    int64_t now_us);
enum { RTCP_REPORTS_MAX = 16, RTCP_MAX = 28 + 24 * RTCP_REPORTS_MAX + 80 };
/* SR (packets > 0) or RR, then SDES with cname (32 bytes at most). Writes
 * into out[RTCP_MAX]; returns the length. */
size_t rtcp_write(uint8_t *out, const struct rtcp_sender *self,
		  const struct rtcp_report *reports, size_t n_reports,
		  const char *cname);
/* BYE behind an empty RR; returns the length (under RTCP_MAX). */
size_t rtcp_write_bye(uint8_t *out, uint32_t ssrc);
/* Round trip in microseconds from a report about us, -1 unknown. now_ntp:
 * middle 32 bits of the present NTP time. */
int64_t rtcp_rtt_us(const struct rtcp_report *r, uint32_t now_ntp);
/* NTP time (RFC 3550, 4) of wall clock microseconds since 1970. */
void rtcp_ntp(int64_t wall_us, uint32_t *ret_high, uint32_t *ret_low);

/* ---- sent packets ---------------------------------------------------------- */

/* The last 128 protected packets (2.5 s), to answer NACKs with the same bytes:
 * protecting twice would need a second sequence, repeating does not. */
struct resend;
enum { RESEND_SLOTS = 128, RESEND_BYTES = 480 };
int resend_create(struct resend **ret_resend);
void resend_destroy(struct resend *r); /* NULL is fine */
/* Keeps one packet; longer ones are not kept. Safe on the beat. */
void resend_store(struct resend *r, uint16_t seq, const uint8_t *p, size_t n);
/* The packet, NULL when gone, never sent, or repeated within min_gap_us. */
const uint8_t *resend_find(struct resend *r, uint16_t seq, int64_t now_us,
			   int64_t min_gap_us, size_t *ret_n);

#endif
