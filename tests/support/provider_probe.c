/*
 * The provider clients against any server, for tests: runs the steps of a JSON
 * script (argv[1]) one after the other in one process and prints every event
 * as a JSON line {step, copy, ms, event, ...}.
 *
 *	{"config": {"deepgram_url", "deepgram_key", "openai_base_url",
 *	            "openai_key", "speech_base_url", "speech_key",
 *	            "tts_sockets", "stt_streams", "flushes_a_min"},
 *	 "steps": [{"stt": [choices], "audio": "s16.raw", "tail_ms", "speed",
 *	            "flush", "until_end", "open_ms", "stall_ms"},
 *	           {"llm": [choices], "messages", "tools", "schema", "first_ms",
 *	            "idle_ms"},
 *	           {"tts": [choices], "clauses": [...], "out": "s16.raw"},
 *	           {"warm": true}, {"wait_ms": 100}]}
 *
 * Any step: "copies": run so many at once; "cancel_ms": close after so long.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "io/io.h"
#include "provider/provider.h"

#define MAX_COPIES 200
#define FRAME 320 /* 20 ms at 16 kHz */

struct run { /* one copy of a step */
	int copy;
	bool live;
	struct stt *stt;
	struct llm *llm;
	struct tts *tts;
	struct timer frame, cancel, wait;
	size_t pos;          /* in the audio */
	int tail_frames;
	bool flushed, ended;
	size_t samples;
};

static struct loop *loop;
static struct providers *providers;
static cJSON *script;
static int step_no = -1, n_live;
static const cJSON *step;
static int64_t step_ms;
static struct run runs[MAX_COPIES];
static struct provider_choice choices[16];
static size_t n_choices;
static const char *terms[16][32];
static struct buf audio;
static FILE *out;
static struct timer next_step;

/* ---- out -------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	return clock_now_ms(loop_clock(loop));
}

static cJSON *line(const struct run *r, const char *event)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddNumberToObject(o, "step", step_no);
	cJSON_AddNumberToObject(o, "copy", r->copy);
	cJSON_AddNumberToObject(o, "ms", (double)(now_ms() - step_ms));
	cJSON_AddStringToObject(o, "event", event);
	return o;
}

static void add_text(cJSON *o, const char *key, const char *text)
{
	if (text)
		cJSON_AddStringToObject(o, key, text);
}

static void say(cJSON *o)
{
	char *text = json_text(o);

	puts(text);
	free(text);
	cJSON_Delete(o);
}

/* ---- ends ------------------------------------------------------------------- */

static void over(struct run *r)
{
	if (!r->live)
		return;
	r->live = false;
	timer_stop(&r->frame);
	timer_stop(&r->cancel);
	timer_stop(&r->wait);
	stt_close(r->stt);
	llm_cancel(r->llm);
	tts_close(r->tts);
	r->stt = NULL;
	r->llm = NULL;
	r->tts = NULL;
	say(line(r, "over"));
	if (--n_live == 0)
		timer_start(&next_step, 0);
}

static void on_over(void *arg)
{
	over(arg);
}

/* ---- speech to text ---------------------------------------------------------- */

static void on_stt(void *arg, const struct stt_event *e)
{
	static const char *const names[] = { "open", "speech", "interim",
					     "final", "end", "trouble",
					     "dead" };
	struct run *r = arg;
	cJSON *o = line(r, names[e->type]);

	r->ended = r->ended || (e->type == STT_END && r->pos == audio.len);
	add_text(o, "text", e->text);
	add_text(o, "why", e->why);
	add_text(o, "language", e->language);
	if (e->err)
		add_text(o, "err", err_name(e->err));
	if (e->n_words) {
		cJSON *words = cJSON_AddArrayToObject(o, "words");
		for (size_t i = 0; i < e->n_words; i++) {
			cJSON *w = cJSON_CreateObject();
			add_text(w, "word", e->words[i].text);
			cJSON_AddNumberToObject(w, "start", e->words[i].start_s);
			cJSON_AddNumberToObject(w, "end", e->words[i].end_s);
			cJSON_AddItemToArray(words, w);
		}
	}
	say(o);
}

static bool is_voice(const int16_t *pcm)
{
	double sum = 0;

	for (size_t i = 0; i < FRAME; i++)
		sum += (double)pcm[i] * pcm[i];
	return sum / FRAME > 200.0 * 200.0;
}

static void on_frame(void *arg)
{
	struct run *r = arg;
	int16_t pcm[FRAME] = { 0 };
	size_t left = audio.len - r->pos;
	double speed = json_num(step, "speed", 1);

	timer_start(&r->frame, (int64_t)(20 / speed));
	if (left) {
		size_t n = left < sizeof pcm ? left : sizeof pcm;
		memcpy(pcm, audio.p + r->pos, n);
		r->pos += n;
		stt_push(r->stt, pcm, FRAME, is_voice(pcm));
		return;
	}
	if (json_bool(step, "flush", false) && !r->flushed) {
		r->flushed = true;
		say(line(r, "flush"));
		stt_flush(r->stt);
	}
	stt_push(r->stt, pcm, FRAME, false);
	bool enough = r->ended && json_bool(step, "until_end", false);
	if (enough || ++r->tail_frames * 20 > json_num(step, "tail_ms", 2000))
		over(r);
}

static int start_stt(struct run *r)
{
	const struct stt_cfg cfg = {
		.choices = choices, .n_choices = n_choices,
	};
	struct stt_cfg c = cfg;
	double open_ms = json_num(step, "open_ms", 0);
	double stall_ms = json_num(step, "stall_ms", 0);

	c.open_ms = (int)open_ms;
	c.stall_ms = (int)stall_ms;
	timer_start(&r->frame, 0);
	return stt_open(&r->stt, providers, &c, on_stt, r);
}

/* ---- language models ------------------------------------------------------------ */

static void on_llm(void *arg, const struct llm_event *e)
{
	static const char *const names[] = { "text", "tool", "done", "failed" };
	struct run *r = arg;
	cJSON *o = line(r, names[e->type]);

	add_text(o, "text", e->text);
	add_text(o, "name", e->name);
	add_text(o, "id", e->id);
	add_text(o, "finish", e->finish);
	add_text(o, "why", e->why);
	if (e->err)
		add_text(o, "err", err_name(e->err));
	if (e->type == LLM_DONE)
		cJSON_AddNumberToObject(o, "tokens_in", e->tokens_in);
	say(o);
	if (e->type == LLM_DONE || e->type == LLM_FAILED)
		over(r);
}

static int start_llm(struct run *r)
{
	double first_ms = json_num(step, "first_ms", 0);
	double idle_ms = json_num(step, "idle_ms", 0);
	const struct llm_cfg cfg = {
		.choices = choices, .n_choices = n_choices,
		.messages = json_get(step, "messages"),
		.tools = json_get(step, "tools"),
		.schema = json_get(step, "schema"),
		.cache_key = "probe", .user_hash = "hash",
		.temperature = json_num(step, "temperature", -1),
		.first_ms = (int)first_ms, .idle_ms = (int)idle_ms,
	};

	return llm_start(&r->llm, providers, &cfg, on_llm, r);
}

/* ---- text to speech ---------------------------------------------------------------- */

static void on_tts(void *arg, const struct tts_event *e)
{
	static const char *const names[] = { "audio", "clause", "done",
					     "failed" };
	struct run *r = arg;
	cJSON *o = line(r, names[e->type]);

	cJSON_AddNumberToObject(o, "clause", e->clause);
	add_text(o, "why", e->why);
	if (e->err)
		add_text(o, "err", err_name(e->err));
	if (e->type == TTS_AUDIO) {
		cJSON_AddNumberToObject(o, "n", (double)e->n);
		r->samples += e->n;
		if (out && r->copy == 0)
			fwrite(e->pcm, sizeof *e->pcm, e->n, out);
	}
	say(o);
	if (e->type == TTS_DONE || e->type == TTS_FAILED)
		over(r);
}

static int start_tts(struct run *r)
{
	const struct tts_cfg cfg = {
		.choices = choices, .n_choices = n_choices,
	};
	const cJSON *clause;
	int result = tts_open(&r->tts, providers, &cfg, on_tts, r);

	if (result < 0)
		return result;
	cJSON_ArrayForEach(clause, json_get(step, "clauses"))
		tts_push(r->tts, clause->valuestring);
	tts_finish(r->tts);
	return 0;
}

/* ---- steps ------------------------------------------------------------------------- */

static void read_choices(const cJSON *list)
{
	const cJSON *c, *term;

	n_choices = 0;
	cJSON_ArrayForEach(c, list) {
		size_t n = 0, i = n_choices++;
		choices[i] = (struct provider_choice){
			.provider = json_str(c, "provider"),
			.model = json_str(c, "model"),
			.voice = json_str(c, "voice"),
			.language = json_str(c, "language"),
			.effort = json_str(c, "effort"),
		};
		cJSON_ArrayForEach(term, json_get(c, "keyterms"))
			terms[i][n++] = term->valuestring;
		terms[i][n] = NULL;
		if (n)
			choices[i].keyterms = terms[i];
	}
}

static void read_audio(const char *path)
{
	FILE *f = path ? fopen(path, "rb") : NULL;
	uint8_t piece[4096];
	size_t n;

	buf_reset(&audio);
	while (f && (n = fread(piece, 1, sizeof piece, f)) > 0)
		buf_add(&audio, piece, n);
	if (f)
		fclose(f);
}

static int start_run(struct run *r)
{
	double cancel_ms = json_num(step, "cancel_ms", -1);
	double wait_ms = json_num(step, "wait_ms", 0);

	if (cancel_ms >= 0)
		timer_start(&r->cancel, (int64_t)cancel_ms);
	if (json_get(step, "stt"))
		return start_stt(r);
	if (json_get(step, "llm"))
		return start_llm(r);
	if (json_get(step, "tts"))
		return start_tts(r);
	if (json_get(step, "warm"))
		providers_warm(providers);
	timer_start(&r->wait, (int64_t)wait_ms);
	return 0;
}

static void begin_step(void)
{
	double copies = json_num(step, "copies", 1);
	const char *path = json_str(step, "out");

	read_choices(json_get(step, "stt") ? json_get(step, "stt") :
		     json_get(step, "llm") ? json_get(step, "llm") :
		     json_get(step, "tts"));
	read_audio(json_str(step, "audio"));
	if (out)
		fclose(out);
	out = path ? fopen(path, "wb") : NULL;
	step_ms = now_ms();
	n_live = (int)copies;
	for (int i = 0; i < (int)copies && i < MAX_COPIES; i++) {
		struct run *r = &runs[i];
		*r = (struct run){ .copy = i, .live = true };
		timer_init(&r->frame, loop_clock(loop), on_frame, r);
		timer_init(&r->cancel, loop_clock(loop), on_over, r);
		timer_init(&r->wait, loop_clock(loop), on_over, r);
		int result = start_run(r);
		if (result < 0) {
			cJSON *o = line(r, "refused");
			add_text(o, "err", err_name(result));
			say(o);
			over(r);
		}
	}
}

static void on_next_step(void *arg)
{
	(void)arg;
	step = json_at(script, "steps", ++step_no);
	if (step) {
		begin_step();
		return;
	}
	providers_close(providers);
	loop_stop(loop);
}

static int number(const cJSON *o, const char *key)
{
	double v = json_num(o, key, 0);

	return (int)v;
}

int main(int argc, char **argv)
{
	script = argc == 2 ? json_parse(argv[1], strlen(argv[1])) : NULL;
	const cJSON *c = json_get(script, "config");
	if (!c) {
		fprintf(stderr, "usage: provider_probe SCRIPT\n");
		return 64;
	}
	const struct providers_cfg cfg = {
		.deepgram_url = json_str(c, "deepgram_url"),
		.deepgram_key = json_str(c, "deepgram_key"),
		.openai_base_url = json_str(c, "openai_base_url"),
		.openai_key = json_str(c, "openai_key"),
		.speech_base_url = json_str(c, "speech_base_url"),
		.speech_key = json_str(c, "speech_key"),
		.tts_sockets = number(c, "tts_sockets"),
		.stt_streams = number(c, "stt_streams"),
		.flushes_a_min = number(c, "flushes_a_min"),
	};
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (loop_create(&loop, NULL) < 0 ||
	    providers_create(&providers, loop, &cfg) < 0)
		return 70;
	timer_init(&next_step, loop_clock(loop), on_next_step, NULL);
	timer_start(&next_step, 0);
	loop_run(loop);
	loop_destroy(loop);
	if (out)
		fclose(out);
	buf_free(&audio);
	cJSON_Delete(script);
	return 0;
}
