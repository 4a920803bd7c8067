/* The caller robot: one call. On the loop; two hand-overs on media. */
#include "cli/robot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/audio.h"
#include "base/err.h"
#include "base/str.h"
#include "cli/wav.h"

enum { AGENT_QUIET_MS = 700, LAST_WORDS_MS = 6000, STEP_MS = 50,
       SOUND_RMS = 150, SOUND_OFF_MS = 400,
       SAID_BY_US_MAX = 2 * 1800 * AUDIO_IN_HZ };

struct robot {
	struct loop *loop;
	struct media *media;
	struct robot_cfg cfg;
	robot_h *fn;
	void *arg;
	struct room *room;
	struct audio *audio;
	bool media_live;        /* [media] */
	char *agent;            /* identity */
	struct timer step, limit, gone;
	int64_t start_ms;
	int64_t agent_quiet_ms; /* since when the agent is silent */
	int64_t ours_end_ms;    /* our last speech ended; -1 while or before */
	int64_t ours_start_ms;
	int64_t agent_start_ms;
	int64_t agent_sound_ms; /* when its last sounding frame was heard */
	int frames_sounding;
	bool agent_speaks, we_speak, waits_reply, over_agent;
	size_t next;
	bool over;
	int16_t *left, *right;  /* recording, 16 kHz */
	size_t n_right, cap;
	struct robot_result res;
};

static int64_t now_ms(const struct robot *r)
{
	return clock_now_ms(loop_clock(r->loop)) - r->start_ms;
}

static double secs(const struct robot *r)
{
	int64_t ms = now_ms(r);

	return (double)ms / 1000;
}

static void say(const struct robot *r, const char *who, const char *text)
{
	if (!r->cfg.show)
		return;
	printf("%6.1f s  %-8s %s\n", secs(r), who, text);
	fflush(stdout);
}

/* ---- recording ------------------------------------------------------------- */

static bool room_for(struct robot *r, size_t n)
{
	if (n <= r->cap)
		return true;
	if (n > SAID_BY_US_MAX)
		return false;
	size_t cap = r->cap ? r->cap * 2 : 60 * AUDIO_IN_HZ;
	while (cap < n)
		cap *= 2;
	r->left = realloc(r->left, cap * sizeof *r->left);
	r->right = realloc(r->right, cap * sizeof *r->right);
	if (!r->left || !r->right)
		abort();
	memset(r->left + r->cap, 0, (cap - r->cap) * sizeof *r->left);
	memset(r->right + r->cap, 0, (cap - r->cap) * sizeof *r->right);
	r->cap = cap;
	return true;
}

static void record_ours(struct robot *r, const struct robot_speech *s)
{
	struct audio_resampler *rs;
	size_t n = s->n * AUDIO_IN_HZ / AUDIO_OUT_HZ + 64;

	if (!r->cfg.record || !room_for(r, r->n_right + n) ||
	    audio_resampler_create(&rs, AUDIO_OUT_HZ, AUDIO_IN_HZ) < 0)
		return;
	audio_resample(rs, s->pcm, s->n, r->left + r->n_right, n);
	audio_resampler_destroy(rs);
}

/* ---- the end ------------------------------------------------------------------ */

static void media_on(void *arg)
{
	((struct robot *)arg)->media_live = true;
}

static void media_off(void *arg)
{
	((struct robot *)arg)->media_live = false;
}

static void robot_free(struct robot *r)
{
	timer_stop(&r->step);
	timer_stop(&r->limit);
	timer_stop(&r->gone);
	if (r->audio)
		media_sync(r->media, media_off, r);
	room_close(r->room);
	audio_close(r->audio);
	free(r->agent);
	free(r->left);
	free(r->right);
	free(r);
}

static void on_gone(void *arg)
{
	struct robot *r = arg;

	if (r->cfg.record && r->n_right &&
	    wav_write_stereo(r->cfg.record, AUDIO_IN_HZ, r->left, r->right,
			     r->n_right) < 0)
		fprintf(stderr, "cannot write %s\n", r->cfg.record);
	r->fn(r->arg, r, &r->res);
	robot_free(r);
}

static void end(struct robot *r, const char *why)
{
	if (r->over)
		return;
	struct audio_stats st;

	r->over = true;
	r->res.why = why;
	audio_stats(r->audio, &st);
	r->res.lost = st.lost;
	r->res.concealed = st.concealed;
	if (r->room)
		room_stats(r->room, &r->res.link);
	timer_stop(&r->step);
	timer_stop(&r->limit);
	if (r->room)
		room_leave(r->room, 1);
	timer_start(&r->gone, 350);
}

void robot_stop(struct robot *r)
{
	end(r, NULL);
}

/* ---- speaking in turn ------------------------------------------------------------ */

static void speak(struct robot *r)
{
	const struct robot_speech *s = &r->cfg.speech[r->next];

	record_ours(r, s);
	r->we_speak = true;
	r->over_agent = r->agent_speaks;
	r->ours_start_ms = now_ms(r);
	r->res.turns[r->next] = (struct robot_turn){ .reply_ms = -1,
						     .cut_ms = -1 };
	r->res.n_turns = r->next + 1;
	r->next++;
	audio_say(r->audio, (uint32_t)r->next, s->pcm, s->n);
	audio_say_end(r->audio, (uint32_t)r->next);
}

static bool our_turn(const struct robot *r)
{
	if (!r->res.greeted || r->we_speak || r->waits_reply)
		return false;
	if (r->cfg.over_ms && r->next > 0)
		return r->agent_speaks &&
		       now_ms(r) - r->agent_start_ms >= r->cfg.over_ms;
	return !r->agent_speaks &&
	       now_ms(r) - r->agent_quiet_ms >= AGENT_QUIET_MS;
}

static void on_step(void *arg)
{
	struct robot *r = arg;
	int64_t now = now_ms(r);

	timer_start(&r->step, STEP_MS);
	if (r->waits_reply && now - r->ours_end_ms > r->res.longest_gap_ms)
		r->res.longest_gap_ms = (int)(now - r->ours_end_ms);
	if (r->next < r->cfg.n_speech) {
		if (our_turn(r))
			speak(r);
		return;
	}
	bool quiet = !r->we_speak && !r->agent_speaks;
	if (quiet && !r->waits_reply &&
	    now - r->agent_quiet_ms > (r->cfg.n_speech ? 2500 : LAST_WORDS_MS))
		end(r, NULL);
}

static void agent_began(struct robot *r, int64_t now)
{
	r->agent_speaks = true;
	r->agent_start_ms = now;
	if (!r->res.greeted) {
		r->res.greeted = true;
		r->res.greeting_ms = (int)now;
	}
	if (r->waits_reply) {
		struct robot_turn *t = &r->res.turns[r->next - 1];
		r->waits_reply = false;
		t->reply_ms = (int)(now - r->ours_end_ms);
		t->heard_us = (now + r->start_ms) * 1000;
	}
}

static void agent_stopped(struct robot *r)
{
	r->agent_speaks = false;
	r->agent_quiet_ms = r->agent_sound_ms;
	if (r->over_agent && r->next) {
		r->over_agent = false;
		r->res.turns[r->next - 1].cut_ms =
			(int)(r->agent_sound_ms - r->ours_start_ms);
	}
}

/* The agent may speak with any voice, a stand-in's tone among them: what
 * counts is sound, not whether it is human. */
static void hear_frame(struct robot *r, const int16_t *pcm, size_t n,
		       int64_t at_ms)
{
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (int64_t)pcm[i] * pcm[i];
	bool sounds = n && sum / (int64_t)n > SOUND_RMS * SOUND_RMS;
	r->frames_sounding = sounds ? r->frames_sounding + 1 : 0;
	if (sounds)
		r->agent_sound_ms = at_ms;
	if (!r->agent_speaks && r->frames_sounding >= 2)
		agent_began(r, at_ms - AUDIO_FRAME_MS);
	else if (r->agent_speaks && at_ms - r->agent_sound_ms >= SOUND_OFF_MS)
		agent_stopped(r);
}

static void on_pcm(void *arg, const int16_t *pcm, size_t n, int64_t at_us,
		   float voice)
{
	struct robot *r = arg;
	int64_t end_ms = at_us / 1000 - r->start_ms;

	(void)voice;
	if (r->over)
		return;
	for (size_t i = 0; i + AUDIO_IN_FRAME <= n; i += AUDIO_IN_FRAME) {
		size_t left = n - i - AUDIO_IN_FRAME;
		hear_frame(r, pcm + i, AUDIO_IN_FRAME,
			   end_ms - (int64_t)(left * 1000 / AUDIO_IN_HZ));
	}
	if (!r->cfg.record || !room_for(r, r->n_right + n))
		return;
	memcpy(r->right + r->n_right, pcm, n * sizeof *pcm);
	r->n_right += n;
}

static void on_event(void *arg, const struct audio_event *e)
{
	struct robot *r = arg;

	if (r->over)
		return;
	switch (e->type) {
	case AUDIO_TRACK:
		if (!r->res.first_rtp_ms)
			r->res.first_rtp_ms = (int)now_ms(r);
		break;
	case AUDIO_STARTED:
		if (r->next)
			r->res.turns[r->next - 1].said_us = e->at_us;
		break;
	case AUDIO_ENDED:
		r->we_speak = false;
		r->ours_end_ms = e->at_us / 1000 - r->start_ms;
		r->waits_reply = !r->agent_speaks;
		break;
	default:
		break;
	}
}

/* [media] */
static void send_packet(void *arg, const struct audio_packet *p)
{
	struct robot *r = arg;

	if (r->media_live)
		room_send_audio(r->room, p->opus, p->len, p->ticks, p->marker,
				p->level, p->voice);
}

/* [media] */
static void on_rtp(void *arg, const struct rtc_rtp *p)
{
	struct robot *r = arg;
	struct audio_rtp rtp = {
		.ssrc = p->ssrc, .timestamp = p->timestamp, .seq = p->seq,
		.payload = p->payload, .len = p->len,
		.arrival_us = p->arrival_us };

	if (r->media_live)
		audio_rx(r->audio, &rtp);
}

static const struct audio_ops audio_ops = {
	.send = send_packet, .on_event = on_event, .on_pcm = on_pcm,
};

/* ---- the room -------------------------------------------------------------------- */

static void on_participant(void *arg, const struct room_participant *p,
			   enum room_change change)
{
	struct robot *r = arg;

	if (r->over)
		return;
	if (change == ROOM_P_LEFT) {
		if (str_eq(p->identity, r->agent)) {
			r->res.ended_by_agent = true;
			end(r, NULL);
		}
		return;
	}
	if (!r->agent && p->kind == LK_AGENT) {
		r->agent = str_dup(p->identity);
		room_listen(r->room, p->identity);
	}
}

static void on_link(void *arg, enum room_link link)
{
	struct robot *r = arg;

	if (link == ROOM_UP && !r->res.joined) {
		r->res.joined = true;
		r->res.join_ms = (int)now_ms(r);
		say(r, "room", "joined, the agent is called");
	}
}

static const char *attribute(const struct lk_pair *attrs, const char *key)
{
	for (; attrs && attrs->key; attrs++) {
		if (str_eq(attrs->key, key))
			return attrs->value;
	}
	return NULL;
}

static void on_text(void *arg, const char *identity, const char *topic,
		    const char *text, const struct lk_pair *attrs)
{
	struct robot *r = arg;
	char line[64];

	if (!str_eq(topic, "lk.transcription") ||
	    !str_eq(attribute(attrs, "lk.transcription_final"), "true"))
		return;
	bool agents = str_eq(identity, r->agent);
	say(r, agents ? "agent:" : "caller:", text);
	if (agents && r->next && r->res.turns[r->next - 1].reply_ms >= 0) {
		snprintf(line, sizeof line, "(answered after %d ms)",
			 r->res.turns[r->next - 1].reply_ms);
		say(r, "", line);
	}
}

static void on_end(void *arg, enum room_end how, const char *why)
{
	struct robot *r = arg;

	if (how == ROOM_CLOSED || how == ROOM_REMOVED)
		r->res.ended_by_agent = true;
	end(r, how == ROOM_REFUSED || how == ROOM_UNREACHABLE ? why : NULL);
}

static void on_subscribed(void *arg)
{
	(void)arg; /* the agent hears us; it speaks first */
}

static const struct room_ops room_ops = {
	.on_link = on_link, .on_participant = on_participant,
	.on_subscribed = on_subscribed, .on_text = on_text,
	.on_end = on_end, .on_rtp = on_rtp,
};

static void on_limit(void *arg)
{
	struct robot *r = arg;

	end(r, !r->res.joined ? "the room could not be joined" :
	       !r->res.greeted ? "no agent spoke" : "the call took too long");
}

/* ---- the beginning ------------------------------------------------------------------ */

static int join(struct robot *r)
{
	char *name = random_id("call-", 10);
	char *identity = random_id("caller-", 6);
	struct lk_grant grant = {
		.identity = identity, .name = "Caller", .room = name,
		.room_join = true, .dispatch_agent = r->cfg.agent,
		.dispatch_metadata = r->cfg.metadata, .ttl_s = 3600 };
	char *token = lk_token(&r->cfg.account, &grant, clock_wall_ms() / 1000);
	struct room_cfg cfg = {
		.url = r->cfg.account.url, .token = token,
		.track_name = "microphone", .no_udp = r->cfg.no_udp,
		.loopback = true, .ca_file = r->cfg.ca_file };

	snprintf(r->res.room, sizeof r->res.room, "%s", name);
	int err = room_join(&r->room, r->loop, r->media, &cfg, &room_ops, r);
	free(token);
	free(identity);
	free(name);
	return err;
}

int robot_start(struct robot **ret_robot, struct loop *l, struct media *m,
		const struct robot_cfg *cfg, robot_h *fn, void *arg)
{
	/* many robots share a machine with whom they measure */
	struct audio_cfg acfg = { .post_ms = AUDIO_FRAME_MS,
				  .opus_complexity = 1 };
	struct robot *r = calloc(1, sizeof *r);
	struct clock *clock = loop_clock(l);

	if (!r)
		return -ENOMEM;
	r->loop = l;
	r->media = m;
	r->cfg = *cfg;
	r->fn = fn;
	r->arg = arg;
	r->start_ms = clock_now_ms(clock);
	timer_init(&r->step, clock, on_step, r);
	timer_init(&r->limit, clock, on_limit, r);
	timer_init(&r->gone, clock, on_gone, r);
	int err = audio_create(&r->audio, &acfg, &audio_ops, r);
	if (err >= 0)
		err = join(r);
	if (err >= 0) {
		media_sync(m, media_on, r);
		err = audio_attach(r->audio, l, m);
	}
	if (err < 0) {
		robot_free(r);
		return err;
	}
	timer_start(&r->step, STEP_MS);
	timer_start(&r->limit, cfg->limit_ms);
	*ret_robot = r;
	return 0;
}
