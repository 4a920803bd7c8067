/* RTCP: compound packets written and walked, report blocks, round trip. [any] */
#include "rtc/rtp_int.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

enum { PT_SR = 200, PT_RR = 201, PT_SDES = 202, PT_BYE = 203, PT_RTPFB = 205 };

/* ---- reading -------------------------------------------------------------- */

static void read_report(const uint8_t *p, const struct rtcp_ops *ops, void *arg)
{
	struct rtcp_report r = {
		.ssrc = get_be32(p),
		.fraction = p[4],
		.lost = (int32_t)(get_be32(p + 4) << 8) / 256,
		.max_seq = get_be32(p + 8),
		.jitter = get_be32(p + 12),
		.last_sr = get_be32(p + 16),
		.delay = get_be32(p + 20),
	};

	if (ops->on_report)
		ops->on_report(arg, &r);
}

static int read_reports(const uint8_t *p, size_t n, size_t at, size_t count,
			const struct rtcp_ops *ops, void *arg)
{
	if (at + 24 * count > n)
		return ERR_PROTOCOL;
	for (size_t i = 0; i < count; i++)
		read_report(p + at + 24 * i, ops, arg);
	return 0;
}

static int read_sr(const uint8_t *p, size_t n, const struct rtcp_ops *ops,
		   void *arg)
{
	if (n < 28)
		return ERR_PROTOCOL;
	struct rtcp_sender s = {
		.ssrc = get_be32(p + 4),
		.ntp_high = get_be32(p + 8),
		.ntp_low = get_be32(p + 12),
		.timestamp = get_be32(p + 16),
		.packets = get_be32(p + 20),
		.bytes = get_be32(p + 24),
	};
	if (ops->on_sender)
		ops->on_sender(arg, &s);
	return read_reports(p, n, 28, p[0] & 31, ops, arg);
}

static int read_bye(const uint8_t *p, size_t n, const struct rtcp_ops *ops,
		    void *arg)
{
	size_t count = p[0] & 31;

	if (4 + 4 * count > n)
		return ERR_PROTOCOL;
	for (size_t i = 0; ops->on_bye && i < count; i++)
		ops->on_bye(arg, get_be32(p + 4 + 4 * i));
	return 0;
}

/* Generic NACK, RFC 4585 6.2.1: a sequence number and a mask of the 16 after
 * it, as often as fits. */
static int read_nack(const uint8_t *p, size_t n, const struct rtcp_ops *ops,
		     void *arg)
{
	if (n < 12)
		return ERR_PROTOCOL;
	uint32_t media = get_be32(p + 8);
	for (size_t at = 12; ops->on_nack && at + 4 <= n; at += 4) {
		uint16_t seq = get_be16(p + at);
		uint16_t mask = get_be16(p + at + 2);

		ops->on_nack(arg, media, seq);
		for (uint16_t i = 0; i < 16; i++) {
			if (mask >> i & 1)
				ops->on_nack(arg, media,
					     (uint16_t)(seq + 1 + i));
		}
	}
	return 0;
}

static int read_one(const uint8_t *p, size_t n, const struct rtcp_ops *ops,
		    void *arg)
{
	switch (p[1]) {
	case PT_SR:
		return read_sr(p, n, ops, arg);
	case PT_RR:
		return n < 8 ? ERR_PROTOCOL :
			       read_reports(p, n, 8, p[0] & 31, ops, arg);
	case PT_BYE:
		return read_bye(p, n, ops, arg);
	case PT_RTPFB:
		return (p[0] & 31) == 1 ? read_nack(p, n, ops, arg) : 0;
	default:
		return 0;
	}
}

int rtcp_parse(const uint8_t *p, size_t n, const struct rtcp_ops *ops,
	       void *arg)
{
	if (n < 4)
		return ERR_PROTOCOL;
	while (n) {
		if (n < 4 || p[0] >> 6 != 2)
			return ERR_PROTOCOL;
		size_t len = 4u * (get_be16(p + 2) + 1u);
		size_t body = len;

		if (len > n)
			return ERR_PROTOCOL;
		if (p[0] & 0x20) { /* padding, in the last one only */
			if (!p[len - 1] || p[len - 1] > len - 4)
				return ERR_PROTOCOL;
			body -= p[len - 1];
		}
		int r = read_one(p, body, ops, arg);
		if (r < 0)
			return r;
		p += len;
		n -= len;
	}
	return 0;
}

/* ---- writing --------------------------------------------------------------- */

void rtcp_report_on(struct rtcp_report *ret, struct rtp_source *s,
		    int64_t now_us)
{
	uint32_t max = s->cycles + s->max_seq;
	uint32_t expected = max - s->base_seq + 1;
	int64_t lost = (int64_t)expected - s->received;
	int64_t over = (int64_t)expected - s->expected_prior;
	int64_t missed = over - ((int64_t)s->received - s->received_prior);

	assert(s->begun);
	s->expected_prior = expected;
	s->received_prior = s->received;
	if (lost > 0x7fffff)
		lost = 0x7fffff;
	if (lost < -0x800000)
		lost = -0x800000;
	*ret = (struct rtcp_report){
		.ssrc = s->ssrc,
		.fraction = over > 0 && missed > 0 ?
				    (uint8_t)(missed >= over ?
						      255 :
						      missed * 256 / over) :
				    0,
		.lost = (int32_t)lost,
		.max_seq = max,
		.jitter = (uint32_t)s->jitter,
	};
	if (!s->last_sr_us)
		return;
	ret->last_sr = s->last_sr;
	ret->delay = (uint32_t)((now_us - s->last_sr_us) * 65536 / 1000000);
}

static void write_report(uint8_t *p, const struct rtcp_report *r)
{
	put_be32(p, r->ssrc);
	put_be32(p + 4, ((uint32_t)r->lost & 0xffffff) |
				(uint32_t)r->fraction << 24);
	put_be32(p + 8, r->max_seq);
	put_be32(p + 12, r->jitter);
	put_be32(p + 16, r->last_sr);
	put_be32(p + 20, r->delay);
}

static void write_head(uint8_t *p, size_t count, uint8_t type, size_t len)
{
	assert(count < 32 && len % 4 == 0 && len >= 4);
	p[0] = (uint8_t)(0x80 | count);
	p[1] = type;
	put_be16(p + 2, (uint16_t)(len / 4 - 1));
}

/* One chunk with a CNAME, ended by one to four zeros (RFC 3550, 6.5). */
static size_t write_sdes(uint8_t *p, uint32_t ssrc, const char *cname)
{
	size_t n = strlen(cname);
	size_t len = (8 + 2 + n + 4) & ~(size_t)3;

	assert(n <= 32);
	memset(p, 0, len);
	put_be32(p + 4, ssrc);
	p[8] = 1;
	p[9] = (uint8_t)n;
	memcpy(p + 10, cname, n);
	write_head(p, 1, PT_SDES, len);
	return len;
}

size_t rtcp_write(uint8_t *out, const struct rtcp_sender *self,
		  const struct rtcp_report *reports, size_t n_reports,
		  const char *cname)
{
	bool sender = self->packets > 0;
	size_t at = sender ? 28 : 8;

	assert(n_reports <= RTCP_REPORTS_MAX);
	put_be32(out + 4, self->ssrc);
	if (sender) {
		put_be32(out + 8, self->ntp_high);
		put_be32(out + 12, self->ntp_low);
		put_be32(out + 16, self->timestamp);
		put_be32(out + 20, self->packets);
		put_be32(out + 24, self->bytes);
	}
	for (size_t i = 0; i < n_reports; i++, at += 24)
		write_report(out + at, &reports[i]);
	write_head(out, n_reports, sender ? PT_SR : PT_RR, at);
	return at + write_sdes(out + at, self->ssrc, cname);
}

size_t rtcp_write_bye(uint8_t *out, uint32_t ssrc)
{
	put_be32(out + 4, ssrc);
	write_head(out, 0, PT_RR, 8);
	put_be32(out + 12, ssrc);
	write_head(out + 8, 1, PT_BYE, 8);
	return 16;
}

int64_t rtcp_rtt_us(const struct rtcp_report *r, uint32_t now_ntp)
{
	if (!r->last_sr)
		return -1;
	uint32_t rtt = now_ntp - r->last_sr - r->delay;
	/* a clock set back, or a lie: more than a minute is no round trip */
	if (rtt > 60u * 65536u)
		return -1;
	return (int64_t)rtt * 1000000 / 65536;
}

void rtcp_ntp(int64_t wall_us, uint32_t *ret_high, uint32_t *ret_low)
{
	*ret_high = (uint32_t)(wall_us / 1000000 + 2208988800LL);
	*ret_low = (uint32_t)(((uint64_t)(wall_us % 1000000) << 32) / 1000000);
}
