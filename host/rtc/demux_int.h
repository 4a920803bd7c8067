/*
 * Which section an incoming RTP packet belongs to: by the SSRCs of the answer,
 * by the mid extension, and, when a packet comes before the answer that names
 * it, by waiting for that answer up to 500 ms. Keeps what RTCP reports about
 * each source. [media]
 */
#ifndef FD_RTC_DEMUX_INT_H
#define FD_RTC_DEMUX_INT_H

#include <stddef.h>
#include <stdint.h>

#include "rtc/rtc.h"
#include "rtc/rtp_int.h"
#include "rtc/sdp_int.h"

struct demux;

/* fn gets each packet once it is known whose it is (or will not be known). */
int demux_create(struct demux **ret_demux, rtc_rtp_h *fn, void *arg);
void demux_destroy(struct demux *d); /* NULL is fine */
/* The sections of a new answer; hands over what waited for it. */
void demux_map(struct demux *d, const struct sdp_section *s, size_t n,
	       int64_t now_us);
void demux_packet(struct demux *d, const struct rtp_packet *p, int64_t now_us);
/* Hands over, without mid, what has waited too long. */
void demux_expire(struct demux *d, int64_t now_us);
/* An SR of one of the sources. */
void demux_sender(struct demux *d, const struct rtcp_sender *s, int64_t now_us);
/* Report blocks about sources heard since the last call; how many. */
size_t demux_reports(struct demux *d, struct rtcp_report *out, size_t cap,
		     int64_t now_us);

#endif
