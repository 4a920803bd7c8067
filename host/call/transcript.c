/*
 * What front ends show: the attribute lk.agent.state and lk.transcription
 * text streams of both sides, in pace with what is heard. On the loop.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "call/call_int.h"

enum { AGENT_STEP_MS = 200, USER_STEP_MS = 200 };

static const char topic[] = "lk.transcription";

void transcript_state(struct call *c, const char *state)
{
	const struct lk_pair attrs[] = { { "lk.agent.state", state }, { 0 } };

	if (c->room && !c->ended)
		room_set_attributes(c->room, attrs);
}

/* ---- the agent's words ----------------------------------------------------- */

/* Writes what has been heard beyond what was told already. */
static void tell(struct call *c, const char *heard)
{
	struct transcript *t = &c->transcript;
	size_t told = t->agent_told ? strlen(t->agent_told) : 0;

	if (!t->agent || strlen(heard) <= told ||
	    (told && strncmp(heard, t->agent_told, told) != 0))
		return;
	room_text_write(t->agent, heard + told);
	str_set(&t->agent_told, heard);
}

static void on_tick(void *arg)
{
	struct call *c = arg;
	struct utterance *u = speech_sounding(c->speech);

	if (u && c->transcript.agent) {
		int64_t now = clock_now_ms(loop_clock(c->host->loop));
		char *heard = speech_heard(u, speech_heard_ms(u, now));
		tell(c, heard);
		free(heard);
	}
	timer_start(&c->transcript.tick, AGENT_STEP_MS);
}

void transcript_init(struct call *c)
{
	timer_init(&c->transcript.tick, loop_clock(c->host->loop), on_tick, c);
}

void transcript_agent_begin(struct call *c, struct utterance *u)
{
	struct transcript *t = &c->transcript;

	(void)u;
	transcript_agent_end(c, "");
	free(t->agent_segment);
	t->agent_segment = random_id("SG_", 12);
	const struct lk_pair attrs[] = {
		{ "lk.segment_id", t->agent_segment },
		{ "lk.transcribed_track_id", room_track_sid(c->room) },
		{ "lk.transcription_final", "false" }, { 0 } };
	if (room_text_open(&t->agent, c->room, topic, NULL, attrs) < 0)
		t->agent = NULL;
	timer_start(&t->tick, 60);
}

void transcript_agent_end(struct call *c, const char *heard)
{
	static const struct lk_pair final[] = {
		{ "lk.transcription_final", "true" }, { 0 } };
	struct transcript *t = &c->transcript;

	timer_stop(&t->tick);
	if (!t->agent)
		return;
	tell(c, heard);
	room_text_close(t->agent, final);
	t->agent = NULL;
	if (t->agent_told)
		room_send_transcription(c->room, NULL, room_track_sid(c->room),
					t->agent_segment, t->agent_told, true);
	str_set(&t->agent_told, NULL);
}

/* ---- the caller's words ------------------------------------------------------ */

void transcript_user(struct call *c, const char *text, bool final)
{
	struct transcript *t = &c->transcript;
	int64_t now = call_now_ms(c);

	if (!c->caller || !c->room)
		return;
	if (!final && now - t->user_sent_ms < USER_STEP_MS)
		return;
	t->user_sent_ms = now;
	if (!t->user_segment)
		t->user_segment = random_id("SG_", 12);
	const char *track = c->caller_sid ? c->caller_sid : "";
	const struct lk_pair attrs[] = {
		{ "lk.segment_id", t->user_segment },
		{ "lk.transcribed_track_id", track },
		{ "lk.transcription_final", final ? "true" : "false" }, { 0 } };
	room_text_send(c->room, topic, c->caller, attrs, text);
	room_send_transcription(c->room, c->caller, track, t->user_segment,
				text, final);
	if (final) {
		free(t->user_last);
		t->user_last = t->user_segment;
		t->user_segment = NULL;
	}
}

void transcript_user_again(struct call *c)
{
	struct transcript *t = &c->transcript;

	if (!t->user_last)
		return;
	free(t->user_segment);
	t->user_segment = t->user_last;
	t->user_last = NULL;
}

void transcript_finish(struct call *c)
{
	struct transcript *t = &c->transcript;

	transcript_agent_end(c, "");
	str_set(&t->agent_segment, NULL);
	str_set(&t->user_segment, NULL);
	str_set(&t->user_last, NULL);
}
