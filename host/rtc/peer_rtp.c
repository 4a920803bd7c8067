/*
 * RTP and RTCP of a peer. Sending runs on the beat: header on the stack, seal,
 * a copy for NACKs, one system call. [media]
 */
#include "rtc/peer_int.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/thread.h"
#include "rtc/demux_int.h"
#include "rtc/seal_int.h"

enum {
	OPUS_MAX = 1200,
	CLOCK_HZ = 48000,
	RESEND_GAP_US = 10000, /* one packet, one NACK, at least */
};

static void deliver(void *arg, const struct rtc_rtp *r)
{
	struct rtc_peer *p = arg;

	if (p->on_rtp)
		p->on_rtp(p->on_rtp_arg, r);
}

int peer_rtp_create(struct rtc_peer *p)
{
	int r = demux_create(&p->demux, deliver, p);

	return r < 0 ? r : resend_create(&p->resend);
}

void peer_rtp_destroy(struct rtc_peer *p)
{
	demux_destroy(p->demux);
	resend_destroy(p->resend);
	seal_destroy(p->seal);
	p->demux = NULL;
	p->resend = NULL;
	p->seal = NULL;
}

/* ---- sending ------------------------------------------------------------------ */

void rtc_send_audio(struct rtc_peer *p, const uint8_t *opus, size_t n,
		    uint32_t ticks, bool marker, uint8_t level, bool voice)
{
	ON_MEDIA();
	uint8_t out[RTP_HEAD_MAX + OPUS_MAX + SEAL_ROOM];
	struct rtp_packet pkt = {
		.ssrc = p->ssrc,
		.timestamp = p->first_timestamp + ticks,
		.seq = p->seq,
		.marker = marker,
		.payload_type = p->opus_pt,
		.mid = "0",
		.has_level = true,
		.level = level & 127,
		.voice = voice,
	};

	if (!p->seal || p->state == RTC_FAILED || p->state == RTC_CLOSED ||
	    n > OPUS_MAX)
		return;
	size_t head = rtp_write_head(out, &pkt, &p->ext);
	memcpy(out + head, opus, n);
	int len = seal_rtp(p->seal, out, head + n);
	if (len < 0)
		return;
	p->seq++;
	p->last_timestamp = pkt.timestamp;
	if (!p->last_sent_us)
		atomic_store_explicit(&p->first_sent_us, clock_mono_us(),
				      memory_order_relaxed);
	p->last_sent_us = clock_mono_us();
	resend_store(p->resend, pkt.seq, out, (size_t)len);
	ice_send(p->ice, out, (size_t)len);
	atomic_fetch_add_explicit(&p->packets_sent, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->bytes_sent, n, memory_order_relaxed);
}

static int64_t wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Seals and sends RTCP; p must have SEAL_ROOM behind it. */
static void send_rtcp(struct rtc_peer *p, uint8_t *bytes, size_t n)
{
	int len = seal_rtcp(p->seal, bytes, n);

	if (len > 0)
		ice_send(p->ice, bytes, (size_t)len);
}

void peer_send_reports(struct rtc_peer *p)
{
	struct rtcp_report reports[RTCP_REPORTS_MAX];
	uint8_t out[RTCP_MAX + SEAL_ROOM];
	int64_t now = clock_mono_us();
	struct rtcp_sender self = {
		.ssrc = p->ssrc,
		.packets = (uint32_t)atomic_load(&p->packets_sent),
		.bytes = (uint32_t)atomic_load(&p->bytes_sent),
		/* what the timestamp would be at this very moment */
		.timestamp = p->last_timestamp +
			     (uint32_t)((now - p->last_sent_us) * CLOCK_HZ /
					1000000),
	};

	if (!p->seal)
		return;
	rtcp_ntp(wall_us(), &self.ntp_high, &self.ntp_low);
	size_t n = demux_reports(p->demux, reports, RTCP_REPORTS_MAX, now);
	send_rtcp(p, out, rtcp_write(out, &self, reports, n, p->cname));
}

void peer_send_bye(struct rtc_peer *p)
{
	uint8_t out[RTCP_MAX + SEAL_ROOM];

	if (p->seal && p->ice)
		send_rtcp(p, out, rtcp_write_bye(out, p->ssrc));
}

/* ---- receiving ---------------------------------------------------------------------- */

static void on_sender(void *arg, const struct rtcp_sender *s)
{
	struct rtc_peer *p = arg;

	demux_sender(p->demux, s, clock_mono_us());
}

static void on_report(void *arg, const struct rtcp_report *r)
{
	struct rtc_peer *p = arg;
	uint32_t high, low;

	if (r->ssrc != p->ssrc)
		return;
	atomic_store(&p->remote_lost, r->lost > 0 ? (uint32_t)r->lost : 0);
	rtcp_ntp(wall_us(), &high, &low);
	int64_t rtt = rtcp_rtt_us(r, high << 16 | low >> 16);
	if (rtt >= 0)
		atomic_store(&p->rtt_ms, (uint32_t)((rtt + 999) / 1000));
}

static void on_nack(void *arg, uint32_t media_ssrc, uint16_t seq)
{
	struct rtc_peer *p = arg;
	size_t n;

	if (media_ssrc != p->ssrc)
		return;
	atomic_fetch_add(&p->nacks_received, 1);
	const uint8_t *again = resend_find(p->resend, seq, clock_mono_us(),
					   RESEND_GAP_US, &n);
	if (again && ice_send(p->ice, again, n) == 0)
		atomic_fetch_add(&p->resent, 1);
}

static const struct rtcp_ops rtcp_ops = {
	.on_sender = on_sender,
	.on_report = on_report,
	.on_nack = on_nack,
};

static void take_rtcp(struct rtc_peer *p, uint8_t *bytes, size_t n)
{
	int len = seal_open_rtcp(p->seal, bytes, n);

	if (len < 0) {
		if (len != -EALREADY)
			atomic_fetch_add(&p->srtp_errors, 1);
		return;
	}
	p->heard = true;
	rtcp_parse(bytes, (size_t)len, &rtcp_ops, p);
}

static void take_rtp(struct rtc_peer *p, uint8_t *bytes, size_t n)
{
	static const struct rtp_ext offered = { SDP_EXT_MID, SDP_EXT_LEVEL };
	struct rtp_packet pkt;
	int len = seal_open_rtp(p->seal, bytes, n);

	if (len < 0) {
		if (len != -EALREADY)
			atomic_fetch_add(&p->srtp_errors, 1);
		return;
	}
	if (rtp_parse(&pkt, bytes, (size_t)len, &offered) < 0)
		return;
	p->heard = true;
	atomic_fetch_add_explicit(&p->packets_received, 1,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&p->bytes_received, pkt.len,
				  memory_order_relaxed);
	demux_packet(p->demux, &pkt, clock_mono_us());
}

void peer_rtp_input(struct rtc_peer *p, uint8_t *bytes, size_t n)
{
	if (!p->seal || n < 12)
		return;
	/* RFC 5761, 4 */
	if (bytes[1] >= 192 && bytes[1] <= 223)
		take_rtcp(p, bytes, n);
	else
		take_rtp(p, bytes, n);
}

void peer_rtp_answer(struct rtc_peer *p, const struct sdp_answer *a)
{
	const struct sdp_section *own = &a->sections[0];

	p->ext = (struct rtp_ext){ .mid = own->ext_mid, .level = own->ext_level };
	if (own->opus_pt)
		p->opus_pt = own->opus_pt;
	demux_map(p->demux, a->sections, a->n_sections, clock_mono_us());
}
