/* RTP headers, one-byte and two-byte extensions, and what a receiver counts
 * of a source. [any] */
#include "rtc/rtp_int.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "rtc/rtc.h"

static void read_extension(struct rtp_packet *pkt, const struct rtp_ext *ext,
			   uint8_t id, const uint8_t *p, size_t n)
{
	if (id == ext->mid && n && n < sizeof pkt->mid) {
		memcpy(pkt->mid, p, n);
		pkt->mid[n] = 0;
	} else if (id == ext->level && n) {
		pkt->has_level = true;
		pkt->voice = p[0] & 0x80;
		pkt->level = p[0] & 0x7f;
	}
}

/* RFC 8285, 4.2: id and length - 1 in one byte; 0 is padding, 15 ends. */
static void read_one_byte(struct rtp_packet *pkt, const struct rtp_ext *ext,
			  const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		uint8_t id = p[i] >> 4;
		size_t len = (p[i] & 15u) + 1u;

		if (!p[i]) {
			i++;
			continue;
		}
		if (id == 15 || i + 1 + len > n)
			return;
		read_extension(pkt, ext, id, p + i + 1, len);
		i += 1 + len;
	}
}

/* RFC 8285, 4.3: id and length in a byte each; id 0 is padding. */
static void read_two_byte(struct rtp_packet *pkt, const struct rtp_ext *ext,
			  const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		if (!p[i]) {
			i++;
			continue;
		}
		if (i + 2 > n || i + 2 + p[i + 1] > n)
			return;
		read_extension(pkt, ext, p[i], p + i + 2, p[i + 1]);
		i += 2u + p[i + 1];
	}
}

int rtp_parse(struct rtp_packet *ret, const uint8_t *p, size_t n,
	      const struct rtp_ext *ext)
{
	struct rtp_packet pkt = { 0 };
	size_t at = 12;

	if (n < 12 || p[0] >> 6 != 2)
		return ERR_PROTOCOL;
	pkt.marker = p[1] & 0x80;
	pkt.payload_type = p[1] & 0x7f;
	pkt.seq = get_be16(p + 2);
	pkt.timestamp = get_be32(p + 4);
	pkt.ssrc = get_be32(p + 8);
	at += 4u * (p[0] & 15u);
	if (p[0] & 0x10) {
		if (at + 4 > n)
			return ERR_PROTOCOL;
		uint16_t profile = get_be16(p + at);
		size_t len = 4u * get_be16(p + at + 2);
		at += 4;
		if (at + len > n)
			return ERR_PROTOCOL;
		if (profile == 0xbede)
			read_one_byte(&pkt, ext, p + at, len);
		else if ((profile & 0xfff0) == 0x1000)
			read_two_byte(&pkt, ext, p + at, len);
		at += len;
	}
	if (at > n)
		return ERR_PROTOCOL;
	pkt.payload = p + at;
	pkt.len = n - at;
	if (p[0] & 0x20) {
		if (!pkt.len || !p[n - 1] || p[n - 1] > pkt.len)
			return ERR_PROTOCOL;
		pkt.len -= p[n - 1];
	}
	*ret = pkt;
	return 0;
}

size_t rtp_write_head(uint8_t *out, const struct rtp_packet *pkt,
		      const struct rtp_ext *ext)
{
	size_t mid_len = ext->mid ? strlen(pkt->mid) : 0;
	bool level = ext->level && pkt->has_level;
	size_t at = 12;

	assert(pkt->payload_type < 128 && pkt->level < 128);
	out[0] = 0x80;
	out[1] = (uint8_t)(pkt->payload_type | (pkt->marker ? 0x80 : 0));
	put_be16(out + 2, pkt->seq);
	put_be32(out + 4, pkt->timestamp);
	put_be32(out + 8, pkt->ssrc);
	if (!mid_len && !level)
		return at;
	out[0] |= 0x10;
	put_be16(out + at, 0xbede);
	at += 4;
	if (mid_len) {
		out[at++] = (uint8_t)(ext->mid << 4 | (mid_len - 1));
		memcpy(out + at, pkt->mid, mid_len);
		at += mid_len;
	}
	if (level) {
		out[at++] = (uint8_t)(ext->level << 4);
		out[at++] = (uint8_t)(pkt->level | (pkt->voice ? 0x80 : 0));
	}
	while (at % 4)
		out[at++] = 0;
	put_be16(out + 14, (uint16_t)((at - 16) / 4));
	assert(at <= RTP_HEAD_MAX);
	return at;
}

/* Interarrival jitter, RFC 3550 A.8. */
static void count_jitter(struct rtp_source *s, const struct rtp_packet *p,
			 int64_t arrival_us, uint32_t clock_hz)
{
	uint32_t arrival = (uint32_t)(arrival_us * (int64_t)clock_hz / 1000000);
	uint32_t transit = arrival - p->timestamp;

	if (s->received > 1) {
		int32_t d = (int32_t)(transit - s->transit);
		double off = d < 0 ? -(double)d : (double)d;

		s->jitter += (off - s->jitter) / 16.0;
	}
	s->transit = transit;
}

void rtp_source_count(struct rtp_source *s, const struct rtp_packet *p,
		      int64_t arrival_us, uint32_t clock_hz)
{
	if (!s->begun) {
		s->begun = true;
		s->ssrc = p->ssrc;
		s->max_seq = p->seq;
		s->base_seq = p->seq;
	} else {
		uint16_t ahead = (uint16_t)(p->seq - s->max_seq);

		if (ahead && ahead < 0x8000) {
			if (p->seq < s->max_seq)
				s->cycles += 0x10000;
			s->max_seq = p->seq;
		}
	}
	s->received++;
	count_jitter(s, p, arrival_us, clock_hz);
}

int rtc_packet_check(const uint8_t *p, size_t n)
{
	struct rtp_ext ext = { .mid = 1, .level = 2 };
	struct rtcp_ops none = { 0 };
	struct rtp_packet pkt;

	if (n >= 2 && p[1] >= 192 && p[1] <= 223)
		return rtcp_parse(p, n, &none, NULL);
	return rtp_parse(&pkt, p, n, &ext);
}
