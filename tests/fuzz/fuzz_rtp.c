/* RTP and RTCP after decryption; what was read can be written again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rtc/rtc.h"
#include "rtc/rtp_int.h"

static void on_report(void *arg, const struct rtcp_report *r)
{
	(void)arg;
	rtcp_rtt_us(r, 12345);
}

static void on_nack(void *arg, uint32_t ssrc, uint16_t seq)
{
	(void)ssrc;
	*(unsigned int *)arg += seq;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct rtp_ext ext = { .mid = 1, .level = 2 };
	static const struct rtcp_ops ops = { .on_report = on_report,
					     .on_nack = on_nack };
	struct rtp_packet pkt, again;
	unsigned int sum = 0;

	rtc_packet_check(p, n);
	rtcp_parse(p, n, &ops, &sum);
	if (rtp_parse(&pkt, p, n, &ext) < 0)
		return 0;
	if (pkt.len && (pkt.payload < p || pkt.payload + pkt.len > p + n))
		abort();
	uint8_t head[RTP_HEAD_MAX];
	size_t len = rtp_write_head(head, &pkt, &ext);
	if (rtp_parse(&again, head, len, &ext) < 0 || again.seq != pkt.seq ||
	    again.ssrc != pkt.ssrc || strcmp(again.mid, pkt.mid))
		abort();
	return 0;
}
