/*
 * A worker or a participant on stdin and stdout, for tests against the real
 * server and the official clients: every event comes out as a JSON line,
 * commands go in as JSON lines.
 *
 *	room_probe worker --url U --key K --secret S --agent A [--agent B]
 *	room_probe join --url U --token T [--no-track] [--no-udp]
 *
 * It sends a 440 Hz tone from a real beat, listens to the first participant
 * that is no agent (or as told), and measures what it hears.
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
#include "base/str.h"
#include "livekit/livekit.h"

#define MAX_AGENTS 4

struct probe {
	struct loop *loop;
	struct media *media;
	struct worker *worker;
	struct room *room;
	struct lk_api *api;
	struct lk_account acc;
	char *job_id;
	struct room_text *text;
	uv_pipe_t in;
	char read_buf[65536];
	struct buf lines;
	bool refuse, any_agent, no_track, no_udp, quitting;
	struct timer last_words;
	int give_up_ms;
	float load;
	bool full;

	/* [media] */
	struct room *beat_room;
	OpusEncoder *enc;
	OpusDecoder *dec;
	uint32_t n_beats;
	uint64_t packets;
	int64_t longest_gap_us, last_us;
	double energy;
	uint32_t crossings, samples;
	int16_t last_sample;
};

static struct probe probe;

/* ---- out ---------------------------------------------------------------------- */

static void say(cJSON *o)
{
	char *text = json_text(o);

	puts(text);
	fflush(stdout);
	free(text);
	cJSON_Delete(o);
}

static cJSON *event(const char *type)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "type", type);
	cJSON_AddNumberToObject(o, "ms", (double)(clock_mono_us() / 1000));
	return o;
}

static void put(cJSON *o, const char *key, const char *value)
{
	if (value)
		cJSON_AddStringToObject(o, key, value);
}

static void put_pairs(cJSON *o, const struct lk_pair *attrs)
{
	cJSON *a = cJSON_AddObjectToObject(o, "attributes");

	for (; attrs && attrs->key; attrs++)
		put(a, attrs->key, attrs->value);
}

static void complain(const char *what, int err)
{
	cJSON *o = event("error");

	put(o, "what", what);
	put(o, "err", err_name(err));
	say(o);
}

/* ---- audio ---------------------------------------------------------------------- */

static void on_beat(void *arg, int64_t now_us)
{
	struct probe *p = arg;
	int16_t pcm[960];
	uint8_t out[400];
	uint32_t at = p->n_beats++ * 960u;

	(void)now_us;
	if (!p->beat_room)
		return;
	for (uint32_t i = 0; i < 960; i++)
		pcm[i] = (int16_t)(8000 * sin(2 * M_PI * 440 * (at + i) / 48000.0));
	int n = opus_encode(p->enc, pcm, 960, out, sizeof out);
	if (n > 0)
		room_send_audio(p->beat_room, out, (size_t)n, at,
				p->n_beats == 1, 20, true);
}

static void on_rtp(void *arg, const struct rtc_rtp *r)
{
	struct probe *p = arg;
	int16_t pcm[5760];
	int n = opus_decode(p->dec, r->payload, (int)r->len, pcm, 5760, 0);

	if (p->packets++ && r->arrival_us - p->last_us > p->longest_gap_us)
		p->longest_gap_us = r->arrival_us - p->last_us;
	p->last_us = r->arrival_us;
	for (int i = 0; i < n; i++) {
		p->energy += (double)pcm[i] * pcm[i];
		p->crossings += p->last_sample < 0 && pcm[i] >= 0;
		p->last_sample = pcm[i];
	}
	p->samples += n > 0 ? (uint32_t)n : 0;
}

static void attach(void *arg)
{
	media_beat_add(probe.media, on_beat, NULL, arg);
}

static void detach(void *arg)
{
	media_beat_remove(probe.media, arg);
}

static void set_room(void *arg)
{
	probe.beat_room = arg;
}

struct taken {
	uint64_t packets;
	double rms, hz, gap_ms;
};

static void take(void *arg)
{
	struct taken *t = arg;
	struct probe *p = &probe;

	t->packets = p->packets;
	t->rms = p->samples ? sqrt(p->energy / p->samples) : 0;
	t->hz = p->samples ? 48000.0 * p->crossings / p->samples : 0;
	t->gap_ms = (double)p->longest_gap_us / 1000;
	p->energy = 0;
	p->crossings = p->samples = 0;
	p->longest_gap_us = 0;
}

static void tell_stats(struct probe *p)
{
	struct taken t;
	struct rtc_stats s = { 0 };
	cJSON *o = event("stats");

	media_sync(p->media, take, &t);
	if (p->room)
		room_stats(p->room, &s);
	cJSON_AddNumberToObject(o, "heard", (double)t.packets);
	cJSON_AddNumberToObject(o, "rms", t.rms);
	cJSON_AddNumberToObject(o, "hz", t.hz);
	cJSON_AddNumberToObject(o, "gap_ms", t.gap_ms);
	cJSON_AddNumberToObject(o, "sent", (double)s.packets_sent);
	cJSON_AddNumberToObject(o, "received", (double)s.packets_received);
	put(o, "pair", s.pair);
	say(o);
}

/* ---- the room -------------------------------------------------------------------- */

static void on_link(void *arg, enum room_link link)
{
	static const char *const names[] = { "up", "resuming", "resumed",
					     "rejoining", "rejoined" };
	struct probe *p = arg;
	cJSON *o = event("link");

	if (link == ROOM_REJOINING && p->worker && p->job_id)
		worker_job_rejoined(p->worker, p->job_id);
	put(o, "link", names[link]);
	put(o, "room", room_name(p->room));
	put(o, "identity", room_identity(p->room));
	put(o, "track", room_track_sid(p->room));
	put(o, "token", room_token(p->room));
	say(o);
}

static void on_participant(void *arg, const struct room_participant *q,
			   enum room_change change)
{
	static const char *const names[] = { "joined", "updated", "left" };
	struct probe *p = arg;
	cJSON *o = event("participant");

	put(o, "change", names[change]);
	put(o, "identity", q->identity);
	put(o, "sid", q->sid);
	put(o, "name", q->name);
	put(o, "metadata", q->metadata);
	cJSON_AddNumberToObject(o, "kind", q->kind);
	cJSON_AddBoolToObject(o, "active", q->active);
	cJSON_AddBoolToObject(o, "muted", q->audio_muted);
	cJSON_AddBoolToObject(o, "subscribed", q->audio_subscribed);
	put(o, "audio", q->audio_sid);
	put(o, "sip.callID", room_attribute(q, "sip.callID"));
	put(o, "colour", room_attribute(q, "colour"));
	cJSON_AddNumberToObject(o, "reason", q->leave_reason);
	say(o);
	if (change == ROOM_P_JOINED && (q->kind != LK_AGENT || p->any_agent))
		room_listen(p->room, q->identity);
}

static void on_subscribed(void *arg)
{
	(void)arg;
	say(event("subscribed"));
}

static void tell_text(const char *type, const char *identity, const char *topic,
		      const char *text, const struct lk_pair *attrs)
{
	cJSON *o = event(type);
	size_t length = strlen(text);

	put(o, "identity", identity);
	put(o, "topic", topic);
	cJSON_AddNumberToObject(o, "length", (double)length);
	put(o, "text", length < 500 ? text : "(long)");
	put_pairs(o, attrs);
	say(o);
}

static void on_text(void *arg, const char *identity, const char *topic,
		    const char *text, const struct lk_pair *attrs)
{
	(void)arg;
	tell_text("text", identity, topic, text, attrs);
}

static void on_text_part(void *arg, const char *identity, const char *topic,
			 const char *text, const struct lk_pair *attrs)
{
	(void)arg;
	tell_text("part", identity, topic, text, attrs);
}

static void on_data(void *arg, const char *identity, const char *topic,
		    const uint8_t *bytes, size_t n)
{
	cJSON *o = event("data");
	char *text = str_printf("%.*s", (int)n, (const char *)bytes);

	(void)arg;
	put(o, "identity", identity);
	put(o, "topic", topic);
	put(o, "text", text);
	free(text);
	say(o);
}

static void on_dtmf(void *arg, const char *identity, char key)
{
	char text[2] = { key, 0 };
	cJSON *o = event("dtmf");

	(void)arg;
	put(o, "identity", identity);
	put(o, "key", text);
	say(o);
}

/* What is queued leaves while the loop still turns. */
static void goodbye(struct probe *p)
{
	worker_close(p->worker);
	p->worker = NULL;
	timer_start(&p->last_words, 50);
}

static void on_end(void *arg, enum room_end end, const char *why)
{
	static const char *const names[] = { "left", "closed", "removed",
					     "replaced", "unreachable",
					     "refused" };
	struct probe *p = arg;
	cJSON *o = event("end");

	put(o, "end", names[end]);
	put(o, "why", why);
	say(o);
	media_sync(p->media, set_room, NULL);
	room_text_close(p->text, NULL);
	p->text = NULL;
	room_close(p->room);
	p->room = NULL;
	if (p->job_id && p->worker)
		worker_job_end(p->worker, p->job_id, JOB_SUCCESS, NULL);
	if (p->quitting)
		goodbye(p);
}

static void join(struct probe *p, const char *url, const char *token)
{
	static const struct room_ops ops = { on_link, on_participant,
		on_subscribed, on_text, on_text_part, on_data, on_dtmf, on_end,
		on_rtp };
	struct room_cfg cfg = {
		.url = url, .token = token, .loopback = true,
		.track_name = p->no_track ? NULL : "roomio_audio",
		.give_up_ms = p->give_up_ms, .no_udp = p->no_udp,
	};

	int err = room_join(&p->room, p->loop, p->media, &cfg, &ops, p);
	if (err < 0)
		complain("join", err);
	else
		media_sync(p->media, set_room, p->room);
}

/* ---- the worker --------------------------------------------------------------------- */

static void tell_job(const char *type, const struct lk_job *job)
{
	cJSON *o = event(type);

	put(o, "id", job->id);
	put(o, "room", job->room);
	put(o, "agent", job->agent_name);
	put(o, "metadata", job->metadata);
	put(o, "dispatch", job->dispatch_id);
	put_pairs(o, job->attributes);
	say(o);
}

static bool on_request(void *arg, const struct lk_job *job)
{
	struct probe *p = arg;

	tell_job("request", job);
	return !p->refuse;
}

static void on_job(void *arg, const struct lk_job *job, const char *url,
		   const char *token)
{
	struct probe *p = arg;

	tell_job("job", job);
	if (p->room)
		return;
	str_set(&p->job_id, job->id);
	join(p, url, token);
}

static void on_lapsed(void *arg, const char *id)
{
	cJSON *o = event("lapsed");

	(void)arg;
	put(o, "id", id);
	say(o);
}

static void on_terminate(void *arg, const char *id)
{
	cJSON *o = event("terminate");

	(void)arg;
	put(o, "id", id);
	say(o);
}

static void on_worker_state(void *arg, enum worker_state s, int err,
			    const char *why)
{
	static const char *const names[] = { "connecting", "registered", "lost",
					     "refused" };
	cJSON *o = event("worker");

	(void)arg;
	put(o, "state", names[s]);
	put(o, "err", err_name(err));
	put(o, "why", why);
	say(o);
}

static float get_load(void *arg, bool *ret_full)
{
	struct probe *p = arg;

	*ret_full = p->full;
	return p->load;
}

static int start_worker(struct probe *p, const char *const *agents)
{
	static const struct worker_ops ops = { on_request, on_job, on_lapsed,
		on_terminate, on_worker_state, get_load };
	struct worker_cfg cfg = { p->acc, agents, "0.1" };

	return worker_create(&p->worker, p->loop, &cfg, &ops, p);
}

/* ---- the server API ------------------------------------------------------------------ */

static void on_result(void *arg, const struct lk_result *res)
{
	cJSON *o = event("result");

	put(o, "call", arg);
	put(o, "err", err_name(res->err));
	put(o, "code", res->code);
	put(o, "message", res->message);
	cJSON_AddNumberToObject(o, "sip_status", res->sip_status);
	if (res->body)
		cJSON_AddItemToObject(o, "body", cJSON_Duplicate(res->body, 1));
	say(o);
	free(arg);
}

static void call_api(struct probe *p, const cJSON *o)
{
	const char *what = json_str(o, "call"), *room = json_str(o, "room");
	const char *identity = json_str(o, "identity");
	char *tag = str_dup(what);

	if (!p->api)
		lk_api_create(&p->api, p->loop, &p->acc);
	if (str_eq(what, "dispatch"))
		lk_create_dispatch(p->api, room, json_str(o, "agent"),
				   json_str(o, "metadata"), on_result, tag);
	else if (str_eq(what, "remove"))
		lk_remove_participant(p->api, room, identity, on_result, tag);
	else if (str_eq(what, "delete"))
		lk_delete_room(p->api, room, on_result, tag);
	else if (str_eq(what, "list"))
		lk_list_participants(p->api, room, on_result, tag);
	else if (str_eq(what, "transfer"))
		lk_transfer_sip(p->api, room, identity, json_str(o, "to"), 5,
				true, on_result, tag);
	else
		free(tag);
}

/* ---- in -------------------------------------------------------------------------------- */

/* {"k":"v",...} as pairs; strings borrowed from the tree. */
static struct lk_pair *pairs_of(const cJSON *obj)
{
	struct lk_pair *list = calloc(33, sizeof *list);
	const cJSON *it;
	size_t n = 0;

	cJSON_ArrayForEach(it, obj) {
		if (n < 32 && cJSON_IsString(it))
			list[n++] = (struct lk_pair){ it->string, it->valuestring };
	}
	return list;
}

static char *long_text(const cJSON *o)
{
	const char *unit = json_str(o, "text");
	double n = json_num(o, "repeat", 1);
	struct buf b = { 0 };

	for (int i = 0; i < n; i++)
		buf_puts(&b, unit ? unit : "");
	return buf_take(&b);
}

static int do_text(struct probe *p, const char *type, const cJSON *o)
{
	const char *topic = json_str(o, "topic"), *as = json_str(o, "as");
	struct lk_pair *attrs = pairs_of(json_get(o, "attributes"));
	char *text = long_text(o);
	int r = 0;

	if (str_eq(type, "text")) {
		r = room_text_send(p->room, topic, as, attrs, text);
	} else if (str_eq(type, "open")) {
		r = room_text_open(&p->text, p->room, topic, as, attrs);
	} else if (str_eq(type, "write") && p->text) {
		r = room_text_write(p->text, text);
	} else if (str_eq(type, "close")) {
		room_text_close(p->text, attrs);
		p->text = NULL;
	}
	free(text);
	free(attrs);
	return r;
}

static void set_attributes(struct probe *p, const cJSON *o)
{
	struct lk_pair *attrs = pairs_of(json_get(o, "attributes"));

	room_set_attributes(p->room, attrs);
	free(attrs);
}

static void obey_room(struct probe *p, const char *type, const cJSON *o)
{
	const char *text = json_str(o, "text");
	int r = 0;

	if (!p->room)
		r = ERR_GONE;
	else if (str_eq(type, "attributes"))
		set_attributes(p, o);
	else if (str_eq(type, "listen"))
		room_listen(p->room, json_str(o, "identity"));
	else if (str_eq(type, "dtmf"))
		r = room_send_dtmf(p->room, json_str(o, "identity"), text);
	else if (str_eq(type, "data"))
		r = room_send_data(p->room, json_str(o, "topic"), text,
				   strlen(text), json_bool(o, "reliable", true));
	else if (str_eq(type, "transcription"))
		r = room_send_transcription(p->room, json_str(o, "as"),
					    room_track_sid(p->room), "SG_1",
					    text, json_bool(o, "final", true));
	else if (str_eq(type, "cut"))
		room_test_cut(p->room, false);
	else if (str_eq(type, "rejoin"))
		room_test_cut(p->room, true);
	else if (str_eq(type, "leave"))
		room_leave(p->room, 1);
	else
		r = do_text(p, type, o);
	if (r < 0)
		complain(type, r);
}

/* In good order: out of the room first, so that nobody waits for us. */
static void quit(struct probe *p)
{
	p->quitting = true;
	if (p->room)
		room_leave(p->room, 1);
	else
		goodbye(p);
}

static void stop_now(void *arg)
{
	struct probe *p = arg;

	loop_stop(p->loop);
}

static void obey(struct probe *p, const cJSON *o)
{
	const char *type = json_str(o, "type");

	if (str_eq(type, "quit")) {
		quit(p);
	} else if (str_eq(type, "stats")) {
		tell_stats(p);
	} else if (str_eq(type, "api")) {
		call_api(p, o);
	} else if (str_eq(type, "refuse")) {
		p->refuse = json_bool(o, "on", true);
	} else if (str_eq(type, "drain")) {
		worker_drain(p->worker);
	} else if (str_eq(type, "load")) {
		double load = json_num(o, "load", 0);
		p->load = (float)load;
		p->full = json_bool(o, "full", false);
		worker_poke(p->worker);
	} else if (str_eq(type, "end")) {
		worker_job_end(p->worker, p->job_id, JOB_SUCCESS, NULL);
	} else if (type) {
		obey_room(p, type, o);
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

/* ---- main -------------------------------------------------------------------------------- */

static const char *option(int argc, char **argv, const char *name, int nth)
{
	for (int i = 1; i + 1 < argc; i++) {
		if (!strcmp(argv[i], name) && nth-- == 0)
			return argv[i + 1];
	}
	return NULL;
}

static bool flag(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], name))
			return true;
	}
	return false;
}

static int begin(struct probe *p, int argc, char **argv)
{
	const char *agents[MAX_AGENTS + 1] = { 0 };

	p->acc.url = option(argc, argv, "--url", 0);
	p->acc.api_key = option(argc, argv, "--key", 0);
	p->acc.api_secret = option(argc, argv, "--secret", 0);
	p->no_track = flag(argc, argv, "--no-track");
	p->no_udp = flag(argc, argv, "--no-udp");
	p->any_agent = flag(argc, argv, "--hear-agents");
	const char *give_up = option(argc, argv, "--give-up-ms", 0);
	p->give_up_ms = give_up ? atoi(give_up) : 0;
	for (int i = 0; i < MAX_AGENTS; i++)
		agents[i] = option(argc, argv, "--agent", i);
	if (argc > 1 && str_eq(argv[1], "worker"))
		return start_worker(p, agents);
	join(p, p->acc.url, option(argc, argv, "--token", 0));
	return p->room ? 0 : ERR_CONFIG;
}

static void end(struct probe *p)
{
	timer_stop(&p->last_words);
	media_sync(p->media, set_room, NULL);
	room_text_close(p->text, NULL);
	room_close(p->room);
	worker_close(p->worker);
	lk_api_close(p->api);
	media_sync(p->media, detach, p);
	rtc_stop();
	media_destroy(p->media);
	loop_destroy(p->loop);
	opus_encoder_destroy(p->enc);
	opus_decoder_destroy(p->dec);
	buf_free(&p->lines);
	free(p->job_id);
}

int main(int argc, char **argv)
{
	struct probe *p = &probe;
	int err;

	if (loop_create(&p->loop, NULL) < 0 || media_create(&p->media, 0) < 0 ||
	    rtc_start(p->loop, p->media) < 0)
		return 1;
	p->enc = opus_encoder_create(48000, 1, OPUS_APPLICATION_VOIP, &err);
	p->dec = opus_decoder_create(48000, 1, &err);
	media_sync(p->media, attach, p);
	timer_init(&p->last_words, loop_clock(p->loop), stop_now, p);
	uv_pipe_init(loop_uv(p->loop), &p->in, 0);
	p->in.data = p;
	uv_pipe_open(&p->in, 0);
	uv_read_start((uv_stream_t *)&p->in, alloc_in, on_in);
	err = begin(p, argc, argv);
	if (err < 0)
		complain("begin", err);
	else
		loop_run(p->loop);
	end(p);
	return err < 0;
}
