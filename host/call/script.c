/* What scripts may ask of a call; the manual is in call.h. On the loop. */
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "call/call_int.h"

const char *call_id(const struct call *c)
{
	return c->id;
}

const char *call_room(const struct call *c)
{
	return c->room_name;
}

const char *call_metadata(const struct call *c)
{
	return c->metadata ? c->metadata : "";
}

const char *call_caller_attribute(const struct call *c, const char *key)
{
	const struct room_participant *p =
		c->caller && c->room ? room_find(c->room, c->caller) : NULL;

	return p ? room_attribute(p, key) : NULL;
}

const char *call_caller_number(const struct call *c)
{
	const char *number = call_caller_attribute(c, "sip.phoneNumber");

	return number ? number : "";
}

const char *call_number_called(const struct call *c)
{
	const char *number = call_caller_attribute(c, "sip.trunkPhoneNumber");

	return number ? number : "";
}

const char *call_language(const struct call *c)
{
	return c->language->tag;
}

int call_set_language(struct call *c, const char *tag)
{
	const struct clinic_language *lang = call_find_language(c, tag);

	if (c->ended)
		return ERR_GONE;
	if (!lang)
		return ERR_REQUEST;
	if (lang == c->language)
		return 0;
	c->language = lang;
	providers_warm_voice(c->host->providers, &lang->tts[0]);
	return c->stt ? call_ears_open(c) : 0;
}

struct loop *call_loop(const struct call *c)
{
	return c->host->loop;
}

int64_t call_ms(const struct call *c)
{
	return call_now_ms(c);
}

int call_say(struct call *c, const struct call_say *s, uint32_t *ret_utterance)
{
	const struct clinic_language *lang = c->language;

	ON_LOOP();
	if (c->ended)
		return ERR_GONE;
	if (str_blank(s->text))
		return ERR_REQUEST;
	if (s->language && !(lang = call_find_language(c, s->language)))
		return ERR_REQUEST;
	struct utterance *u = speech_open(c->speech, lang);
	u->uninterruptible = s->uninterruptible;
	u->forget = s->forget;
	if (!s->forget)
		u->entry = history_assistant(&c->history, s->text);
	speech_add(u, s->text);
	speech_close(u);
	if (ret_utterance)
		*ret_utterance = u->id;
	call_busy_check(c);
	return 0;
}

int call_say_line(struct call *c, const char *name, uint32_t *ret_utterance)
{
	const char *text = "";

	ON_LOOP();
	if (c->ended)
		return ERR_GONE;
	const struct audio_line *line =
		audio_line_shipped(c->language->tag, name, &text);
	if (!line)
		return -ENOENT;
	struct utterance *u = speech_line(c->speech, line, text, false);
	if (ret_utterance)
		*ret_utterance = u->id;
	call_busy_check(c);
	return 0;
}

void call_on_said(struct call *c, uint32_t utterance, call_said_h *fn, void *arg)
{
	speech_watch(c->speech, utterance, fn, arg);
}

void call_said_forget(struct call *c, void *arg)
{
	if (c->speech)
		speech_unwatch(c->speech, arg);
}

void call_hangup(struct call *c, const char *reason)
{
	ON_LOOP();
	if (c->ended)
		return;
	call_note(c, NOTE_TOOL, reason ? reason : "hangup", 0);
	call_feed(c, TE_HANGUP, NULL, 0, CALL_END_AGENT, false);
}

int call_send_dtmf(struct call *c, const char *keys)
{
	if (c->ended)
		return ERR_GONE;
	return room_send_dtmf(c->room, c->caller, keys);
}

void call_set_attribute(struct call *c, const char *key, const char *value)
{
	const struct lk_pair attrs[] = { { key, value }, { 0 } };

	if (!c->ended)
		room_set_attributes(c->room, attrs);
}

void call_await(struct call *c, enum call_await what, int digits)
{
	assert(digits >= 0);
	c->turn.await = what;
	c->turn.await_digits = what == CALL_AWAIT_DIGITS ? digits : 0;
}

const cJSON *call_history(const struct call *c)
{
	return c->history.messages;
}
