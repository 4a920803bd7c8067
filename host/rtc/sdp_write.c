/*
 * The offer. ICE and DTLS attributes sit in every section (the placement all
 * servers read); candidates and the session's numbers are the same for all of
 * them because everything is bundled on one transport. [any]
 */
#include "rtc/sdp_int.h"

#include <assert.h>

#include "base/buf.h"

static void write_session(struct buf *out, const struct sdp_offer *o)
{
	buf_printf(out,
		   "v=0\r\n"
		   "o=- %llu %u IN IP4 0.0.0.0\r\n"
		   "s=-\r\n"
		   "t=0 0\r\n"
		   "a=group:BUNDLE",
		   (unsigned long long)o->session_id, o->version);
	for (size_t i = 0; i < o->n_sections; i++)
		buf_printf(out, " %zu", i);
	buf_puts(out, "\r\n"
		      "a=extmap-allow-mixed\r\n"
		      "a=msid-semantic: WMS *\r\n");
}

static void write_transport(struct buf *out, const struct sdp_offer *o,
			    size_t mid)
{
	buf_printf(out,
		   "c=IN IP4 0.0.0.0\r\n"
		   "a=mid:%zu\r\n"
		   "a=ice-ufrag:%s\r\n"
		   "a=ice-pwd:%s\r\n"
		   "a=ice-options:trickle\r\n"
		   "a=fingerprint:%s\r\n"
		   "a=setup:actpass\r\n",
		   mid, o->ufrag, o->pwd, o->fingerprint);
	if (mid)
		return;
	for (size_t i = 0; i < o->n_candidates; i++)
		buf_printf(out, "a=%s\r\n", o->candidates[i]);
}

static void write_rtp(struct buf *out)
{
	buf_puts(out, "a=rtcp:9 IN IP4 0.0.0.0\r\n"
		      "a=rtcp-mux\r\n"
		      "a=rtcp-rsize\r\n");
}

static void write_extensions(struct buf *out)
{
	buf_printf(out,
		   "a=extmap:%d urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
		   "a=extmap:%d urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n",
		   SDP_EXT_MID, SDP_EXT_LEVEL);
}

static void write_opus(struct buf *out)
{
	buf_printf(out,
		   "a=rtpmap:%d opus/48000/2\r\n"
		   "a=fmtp:%d minptime=10;useinbandfec=1\r\n"
		   "a=rtcp-fb:%d nack\r\n",
		   SDP_PT_OPUS, SDP_PT_OPUS, SDP_PT_OPUS);
	write_extensions(out);
}

static void write_audio(struct buf *out, const struct sdp_offer *o, size_t mid,
			bool send)
{
	buf_printf(out, "m=audio 9 UDP/TLS/RTP/SAVPF %d\r\n", SDP_PT_OPUS);
	write_transport(out, o, mid);
	write_rtp(out);
	if (send)
		buf_printf(out,
			   "a=sendonly\r\n"
			   "a=msid:%s %s\r\n"
			   "a=ssrc:%u cname:%s\r\n"
			   "a=ssrc:%u msid:%s %s\r\n",
			   o->stream_id, o->track_cid, o->ssrc, o->cname,
			   o->ssrc, o->stream_id, o->track_cid);
	else
		buf_puts(out, "a=recvonly\r\n");
	write_opus(out);
}

/* Never decoded: it only gives the server a place for a track that somebody
 * subscribed us to, so that it stops asking. */
static void write_video(struct buf *out, const struct sdp_offer *o, size_t mid)
{
	buf_printf(out, "m=video 9 UDP/TLS/RTP/SAVPF %d\r\n", SDP_PT_VP8);
	write_transport(out, o, mid);
	write_rtp(out);
	buf_printf(out,
		   "a=recvonly\r\n"
		   "a=rtpmap:%d VP8/90000\r\n"
		   "a=extmap:%d urn:ietf:params:rtp-hdrext:sdes:mid\r\n",
		   SDP_PT_VP8, SDP_EXT_MID);
}

static void write_data(struct buf *out, const struct sdp_offer *o, size_t mid)
{
	buf_puts(out, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n");
	write_transport(out, o, mid);
	buf_printf(out,
		   "a=sctp-port:%d\r\n"
		   "a=max-message-size:65535\r\n",
		   SDP_SCTP_PORT);
}

void sdp_write_offer(struct buf *out, const struct sdp_offer *o)
{
	assert(o->n_sections > 0 && o->n_sections <= SDP_SECTIONS_MAX);
	write_session(out, o);
	for (size_t i = 0; i < o->n_sections; i++) {
		switch (o->sections[i]) {
		case SDP_SEND_AUDIO:
			write_audio(out, o, i, true);
			break;
		case SDP_RECV_AUDIO:
			write_audio(out, o, i, false);
			break;
		case SDP_RECV_VIDEO:
			write_video(out, o, i);
			break;
		case SDP_DATA:
			write_data(out, o, i);
			break;
		}
	}
}
