/*
 * One peer on stdin and stdout, for tests against another WebRTC stack: what
 * the peer says comes out as JSON lines, and commands go in as JSON lines.
 *
 *	out: offer candidate state open message stats rtp
 *	in:  answer candidate offer send add turn stats quit
 *
 * It sends a 500 Hz tone as Opus every 20 ms from a real beat, and tells once
 * a second what it received.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <opus/opus.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "io/io.h"
#include "rtc/rtc.h"

struct heard { /* [media], read after the fact through a post */
	uint64_t packets;
	uint32_t ssrc;
	char mid[16];
	double energy;
	uint32_t crossings; /* of zero, upwards */
	uint32_t samples;
};

struct probe {
	struct loop *loop;
	struct media *media, *owner;
	struct rtc_peer *peer;
	uv_pipe_t in;
	char read_buf[65536];
	struct buf lines;
	struct timer second;

	/* [media] */
	OpusEncoder *enc;
	OpusDecoder *dec;
	uint32_t n_beats;
	int drop_every; /* leave out each nth packet, to provoke NACKs */
	struct heard heard;
};

/* ---- out --------------------------------------------------------------------- */

static void say(cJSON *o)
{
	char *text = cJSON_PrintUnformatted(o);

	puts(text);
	fflush(stdout);
	free(text);
	cJSON_Delete(o);
}

static cJSON *event(const char *type)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "type", type);
	return o;
}

static void on_offer(void *arg, uint32_t id, const char *sdp)
{
	cJSON *o = event("offer");

	(void)arg;
	cJSON_AddNumberToObject(o, "id", id);
	cJSON_AddStringToObject(o, "sdp", sdp);
	say(o);
}

static void on_candidate(void *arg, const char *candidate)
{
	cJSON *o = event("candidate");

	(void)arg;
	cJSON_AddStringToObject(o, "candidate", candidate);
	say(o);
}

static void on_state(void *arg, enum rtc_state s, const char *why)
{
	static const char *const names[] = { "new", "connecting", "connected",
					     "disconnected", "failed", "closed" };
	cJSON *o = event("state");

	(void)arg;
	cJSON_AddStringToObject(o, "state", names[s]);
	cJSON_AddStringToObject(o, "why", why);
	say(o);
}

static void on_channels_open(void *arg)
{
	(void)arg;
	say(event("open"));
}

static void on_message(void *arg, enum rtc_channel ch, const uint8_t *p, size_t n)
{
	cJSON *o = event("message");
	char *text = strndup((const char *)p, n);

	(void)arg;
	cJSON_AddStringToObject(o, "channel", ch == RTC_LOSSY ? "lossy" : "reliable");
	cJSON_AddNumberToObject(o, "bytes", (double)n);
	cJSON_AddStringToObject(o, "text", n < 1000 ? text : "");
	free(text);
	say(o);
}

static const struct rtc_ops ops = {
	.on_offer = on_offer,
	.on_candidate = on_candidate,
	.on_state = on_state,
	.on_channels_open = on_channels_open,
	.on_message = on_message,
};

/* ---- the audio --------------------------------------------------------------------- */

static void on_rtp(void *arg, const struct rtc_rtp *r)
{
	struct probe *p = arg;
	int16_t pcm[5760];
	static int16_t last;
	int n = opus_decode(p->dec, r->payload, (int)r->len, pcm, 5760, 0);

	p->heard.packets++;
	p->heard.ssrc = r->ssrc;
	memcpy(p->heard.mid, r->mid, sizeof r->mid);
	for (int i = 0; i < n; i++) {
		p->heard.energy += (double)pcm[i] * pcm[i];
		p->heard.crossings += last < 0 && pcm[i] >= 0;
		last = pcm[i];
	}
	p->heard.samples += n > 0 ? (uint32_t)n : 0;
}

static void on_beat(void *arg, int64_t now_us)
{
	struct probe *p = arg;
	int16_t pcm[960];
	uint8_t out[400];
	uint32_t at = p->n_beats++ * 960u;

	(void)now_us;
	for (uint32_t i = 0; i < 960; i++)
		pcm[i] = (int16_t)(8000 * sin(2 * M_PI * 500 * (at + i) / 48000.0));
	int n = opus_encode(p->enc, pcm, 960, out, sizeof out);
	if (n > 0)
		rtc_send_audio(p->peer, out, (size_t)n, at, p->n_beats == 1, 20, true);
}

static void attach(void *arg)
{
	struct probe *p = arg;

	media_beat_add(p->media, on_beat, NULL, p);
}

static void detach(void *arg)
{
	struct probe *p = arg;

	media_beat_remove(p->media, p);
}

struct taken {
	struct probe *p;
	struct heard h;
};

static void take_heard(void *arg)
{
	struct taken *x = arg;

	x->h = x->p->heard;
	x->p->heard.energy = 0;
	x->p->heard.crossings = 0;
	x->p->heard.samples = 0;
}

static void tell_stats(struct probe *p)
{
	struct taken x = { .p = p };
	struct rtc_stats s;
	cJSON *o = event("stats");
	size_t queued = rtc_queued(p->peer);

	media_sync(p->media, take_heard, &x);
	rtc_peer_stats(p->peer, &s);
	cJSON_AddNumberToObject(o, "sent", (double)s.packets_sent);
	cJSON_AddNumberToObject(o, "received", (double)s.packets_received);
	cJSON_AddNumberToObject(o, "nacks", (double)s.nacks_received);
	cJSON_AddNumberToObject(o, "resent", (double)s.resent);
	cJSON_AddNumberToObject(o, "srtp_errors", (double)s.srtp_errors);
	cJSON_AddNumberToObject(o, "rtt_ms", s.rtt_ms);
	cJSON_AddNumberToObject(o, "remote_lost", s.remote_lost);
	cJSON_AddStringToObject(o, "pair", s.pair);
	cJSON_AddNumberToObject(o, "queued", (double)queued);
	cJSON_AddNumberToObject(o, "heard", (double)x.h.packets);
	cJSON_AddStringToObject(o, "mid", x.h.mid);
	if (x.h.samples) {
		cJSON_AddNumberToObject(o, "rms", sqrt(x.h.energy / x.h.samples));
		cJSON_AddNumberToObject(o, "hz", 48000.0 * x.h.crossings / x.h.samples);
	}
	say(o);
}

static void on_second(void *arg)
{
	struct probe *p = arg;

	tell_stats(p);
	timer_start(&p->second, 1000);
}

/* ---- in ------------------------------------------------------------------------------ */

static int number(const cJSON *o, const char *key, int fallback)
{
	double v = json_num(o, key, fallback);

	return (int)v;
}

static void send_message(struct probe *p, const cJSON *o)
{
	enum rtc_channel ch = !strcmp(json_str(o, "channel"), "lossy") ? RTC_LOSSY : RTC_RELIABLE;
	const char *text = json_str(o, "text");
	size_t n = (size_t)number(o, "bytes", 0);
	char *fill = NULL;

	if (!text) {
		fill = malloc(n);
		memset(fill, 'x', n);
	}
	int r = rtc_send(p->peer, ch, text ? text : fill, text ? strlen(text) : n);
	free(fill);
	if (r < 0) {
		cJSON *e = event("error");
		cJSON_AddStringToObject(e, "name", err_name(r));
		say(e);
	}
}

static void obey(struct probe *p, const cJSON *o)
{
	const char *type = json_str(o, "type");

	if (!strcmp(type, "answer")) {
		rtc_answer(p->peer, (uint32_t)number(o, "id", 1), json_str(o, "sdp"));
	} else if (!strcmp(type, "candidate")) {
		rtc_remote_candidate(p->peer, json_str(o, "candidate"));
	} else if (!strcmp(type, "offer")) {
		rtc_offer(p->peer, json_bool(o, "restart", false));
	} else if (!strcmp(type, "send")) {
		send_message(p, o);
	} else if (!strcmp(type, "add")) {
		rtc_add_sections(p->peer, number(o, "audio", 0), number(o, "video", 0));
	} else if (!strcmp(type, "turn")) {
		struct rtc_turn t = { json_str(o, "url"), json_str(o, "username"), json_str(o, "credential") };
		rtc_add_turn(p->peer, &t, 1);
	} else if (!strcmp(type, "stats")) {
		tell_stats(p);
	} else if (!strcmp(type, "quit")) {
		loop_stop(p->loop);
	}
}

static void alloc_in(uv_handle_t *h, size_t n, uv_buf_t *b)
{
	struct probe *p = h->data;

	(void)n;
	*b = uv_buf_init(p->read_buf, sizeof p->read_buf);
}

static void on_in(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct probe *p = s->data;
	char *end;

	if (n < 0) {
		loop_stop(p->loop);
		return;
	}
	buf_add(&p->lines, b->base, (size_t)n);
	while (p->lines.len && (end = memchr(p->lines.p, '\n', p->lines.len))) {
		size_t len = (size_t)(end - (char *)p->lines.p);
		cJSON *o = json_parse(p->lines.p, len);
		if (o)
			obey(p, o);
		cJSON_Delete(o);
		buf_shift(&p->lines, len + 1);
	}
}

/* ---- main ------------------------------------------------------------------------------ */

static bool flag(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], name))
			return true;
	}
	return false;
}

static const char *option(int argc, char **argv, const char *name)
{
	for (int i = 1; i + 1 < argc; i++) {
		if (!strcmp(argv[i], name))
			return argv[i + 1];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static struct probe p;
	int err;
	struct rtc_cfg cfg = {
		.stream_id = "stream",
		.track_cid = "track-cid",
		.recv_sections = 1,
		.loopback = true,
		.no_udp = flag(argc, argv, "--no-udp"),
		.relay_only = flag(argc, argv, "--relay-only"),
		.ca_file = option(argc, argv, "--ca"),
	};

	if (loop_create(&p.loop, NULL) < 0 || media_create(&p.media, 0) < 0)
		return 1;
	/* on two threads, SCTP belongs to the other one */
	p.owner = p.media;
	if (flag(argc, argv, "--two-threads") && media_create(&p.owner, 1) < 0)
		return 1;
	if (rtc_start(p.loop, p.owner) < 0 ||
	    rtc_peer_create(&p.peer, p.loop, p.media, &cfg, &ops, &p) < 0)
		return 1;
	p.enc = opus_encoder_create(48000, 1, OPUS_APPLICATION_VOIP, &err);
	p.dec = opus_decoder_create(48000, 1, &err);
	rtc_on_rtp(p.peer, on_rtp, &p);
	media_sync(p.media, attach, &p);
	uv_pipe_init(loop_uv(p.loop), &p.in, 0);
	p.in.data = &p;
	uv_pipe_open(&p.in, 0);
	uv_read_start((uv_stream_t *)&p.in, alloc_in, on_in);
	timer_init(&p.second, loop_clock(p.loop), on_second, &p);
	timer_start(&p.second, 1000);
	rtc_offer(p.peer, false);
	loop_run(p.loop);

	timer_stop(&p.second);
	media_sync(p.media, detach, &p);
	rtc_peer_close(p.peer);
	rtc_stop();
	if (p.owner != p.media)
		media_destroy(p.owner);
	media_destroy(p.media);
	loop_destroy(p.loop);
	opus_encoder_destroy(p.enc);
	opus_decoder_destroy(p.dec);
	buf_free(&p.lines);
	return 0;
}
