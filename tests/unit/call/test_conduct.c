/*
 * The parts of a call together on virtual time: conduct, turn machine, reply,
 * speech, history and what scripts may ask are the real ones. The model, the
 * voice, playout, the script and the room are played by this file. One clock
 * measures what matters most: how long the caller waits in silence.
 */
#include "unit.h"

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "call/call_int.h"

enum { MS = AUDIO_OUT_HZ / 1000, WORD_MS = 300, LINE_MS = 1200,
       MODEL_MS = 400, VOICE_MS = 150, SILENCE_MAX_MS = 3000 };

static struct clock *vclock;
static struct call call;
static struct buf told; /* notes: "caller \"...\"; agent \"...\"; " */
static bool gone;
static enum call_end gone_how;

static int64_t now_ms(void)
{
	return clock_now_ms(vclock);
}

/* ---- playout ------------------------------------------------------------------ */

struct out {
	uint32_t id;
	int ms, sent_ms;
	bool ended, sounded, cut;
};

static struct out outs[64];
static int n_outs;
static bool paused;
static struct timer beat;
static int64_t silent_since_ms; /* -1: nobody waits */
static int longest_silence_ms;

static struct out *out_of(uint32_t id)
{
	for (int i = 0; i < n_outs; i++) {
		if (outs[i].id == id)
			return &outs[i];
	}
	assert_true(n_outs < 64);
	outs[n_outs] = (struct out){ .id = id };
	return &outs[n_outs++];
}

static void audio_tells(enum audio_event_type type, const struct out *o,
			bool cut)
{
	struct audio_event e = { .type = type, .utterance = o->id, .cut = cut,
				 .heard_ms = (uint32_t)o->sent_ms };

	if (!call.ended)
		speech_on_audio(call.speech, &e);
}

static void drop_out(int i, bool cut)
{
	struct out o = outs[i];

	memmove(&outs[i], &outs[i + 1], sizeof o * (size_t)(n_outs - i - 1));
	n_outs--;
	audio_tells(AUDIO_ENDED, &o, cut);
}

static void ends_silence(void)
{
	if (silent_since_ms < 0)
		return;
	int waited = (int)(now_ms() - silent_since_ms);
	if (waited > longest_silence_ms)
		longest_silence_ms = waited;
	silent_since_ms = -1;
}

/* One at a time, in the order of first audio. */
static void on_beat(void *arg)
{
	(void)arg;
	timer_start(&beat, AUDIO_FRAME_MS);
	while (!paused && n_outs) {
		struct out *o = &outs[0];
		if (o->cut)
			return;
		if (o->sent_ms < o->ms) {
			o->sent_ms += AUDIO_FRAME_MS;
			ends_silence();
			if (!o->sounded) {
				o->sounded = true;
				audio_tells(AUDIO_STARTED, o, false);
			}
			return;
		}
		if (!o->ended)
			return;
		drop_out(0, false);
	}
}

int audio_say(struct audio *a, uint32_t utterance, const int16_t *pcm,
	      size_t n)
{
	(void)a;
	(void)pcm;
	out_of(utterance)->ms += (int)n / MS;
	return 0;
}

int audio_say_line(struct audio *a, uint32_t utterance,
		   const struct audio_line *line)
{
	(void)a;
	out_of(utterance)->ms += audio_line_ms(line);
	return 0;
}

void audio_say_end(struct audio *a, uint32_t utterance)
{
	(void)a;
	out_of(utterance)->ended = true;
}

static struct timer cut_timer;

static void cut_all(void *arg)
{
	(void)arg;
	for (int i = 0; i < n_outs;) {
		if (outs[i].cut)
			drop_out(i, true);
		else
			i++;
	}
}

/* The events come later, as from another thread. */
void audio_cut(struct audio *a, uint32_t utterance)
{
	(void)a;
	assert_int_equal(utterance, 0);
	for (int i = 0; i < n_outs; i++)
		outs[i].cut = true;
	paused = false;
	timer_start(&cut_timer, 30);
}

void audio_arm(struct audio *a, const struct audio_reflex *r)
{
	(void)a;
	assert_true(r->epoch > 0);
}

void audio_resume(struct audio *a, uint32_t epoch)
{
	(void)a;
	(void)epoch;
	paused = false;
}

void audio_arm_filler(struct audio *a, uint32_t utterance,
		      const struct audio_line *line, int after_ms)
{
	(void)a;
	(void)utterance;
	assert_non_null(line);
	assert_true(after_ms > call.turn.cfg.filler_ms);
}

int audio_line_ms(const struct audio_line *l)
{
	assert_non_null(l);
	return LINE_MS;
}

const struct audio_line *audio_line_shipped(const char *language,
					    const char *name,
					    const char **ret_text)
{
	(void)language;
	*ret_text = name; /* a line's words are its name here */
	return (const struct audio_line *)name;
}

/* ---- the model --------------------------------------------------------------------- */

struct llm {
	llm_h *fn;
	void *arg;
	struct timer t;
};

static const char *answers[8]; /* "tool NAME", "" empty, NULL mute */
static int n_answers;
static int model_err;

static void model_answers(void *arg)
{
	struct llm *l = arg;
	const char *text = n_answers < 8 ? answers[n_answers++] : NULL;

	if (model_err) {
		l->fn(l->arg, &(struct llm_event){ .type = LLM_FAILED,
						   .err = model_err });
		return;
	}
	if (!text)
		return;
	if (str_has_prefix(text, "tool "))
		l->fn(l->arg, &(struct llm_event){ .type = LLM_TOOL, .id = "1",
			.name = text + 5, .text = "{}" });
	else if (*text)
		l->fn(l->arg, &(struct llm_event){ .type = LLM_TEXT,
						   .text = text });
	l->fn(l->arg, &(struct llm_event){ .type = LLM_DONE });
}

int llm_start(struct llm **ret_llm, struct providers *p,
	      const struct llm_cfg *cfg, llm_h *fn, void *arg)
{
	(void)p;
	assert_true(cJSON_GetArraySize(cfg->messages) > 0);
	struct llm *l = calloc(1, sizeof *l);
	l->fn = fn;
	l->arg = arg;
	timer_init(&l->t, vclock, model_answers, l);
	timer_start(&l->t, MODEL_MS);
	*ret_llm = l;
	return 0;
}

void llm_cancel(struct llm *l)
{
	if (!l)
		return;
	timer_stop(&l->t);
	free(l);
}

/* ---- the voice ------------------------------------------------------------------------ */

struct tts {
	tts_h *fn;
	void *arg;
	int words[16];
	int n_clauses;
	struct timer t;
};

static int voice_err; /* after VOICE_FAILS_MS */
enum { VOICE_FAILS_MS = 1500 };

static void voice_speaks(void *arg)
{
	static int16_t pcm[30 * WORD_MS * MS];
	struct tts *t = arg;

	if (voice_err) {
		t->fn(t->arg, &(struct tts_event){ .type = TTS_FAILED,
						   .err = voice_err });
		return;
	}
	for (int i = 0; i < t->n_clauses; i++)
		t->fn(t->arg, &(struct tts_event){ .type = TTS_AUDIO,
			.clause = i, .pcm = pcm,
			.n = (size_t)(t->words[i] * WORD_MS * MS) });
	t->fn(t->arg, &(struct tts_event){ .type = TTS_DONE });
}

int tts_open(struct tts **ret_tts, struct providers *p,
	     const struct tts_cfg *cfg, tts_h *fn, void *arg)
{
	(void)p;
	(void)cfg;
	struct tts *t = calloc(1, sizeof *t);
	t->fn = fn;
	t->arg = arg;
	timer_init(&t->t, vclock, voice_speaks, t);
	*ret_tts = t;
	return 0;
}

void tts_push(struct tts *t, const char *text)
{
	int n = 1;

	for (; *text; text++)
		n += *text == ' ';
	assert_in_range(n, 1, 30);
	assert_true(t->n_clauses < 16);
	t->words[t->n_clauses++] = n;
}

void tts_finish(struct tts *t)
{
	timer_start(&t->t, voice_err ? VOICE_FAILS_MS : VOICE_MS);
}

void tts_close(struct tts *t)
{
	if (!t)
		return;
	timer_stop(&t->t);
	free(t);
}

/* ---- the rest of a call -------------------------------------------------------------------- */

struct clock *loop_clock(struct loop *l)
{
	(void)l;
	return vclock;
}

int64_t call_now_ms(const struct call *c)
{
	(void)c;
	return now_ms();
}

void call_note(struct call *c, enum call_note_type type, const char *text,
	       int ms)
{
	static const char *const names[] = {
		[NOTE_CALLER_TEXT] = "caller", [NOTE_AGENT_TEXT] = "agent",
		[NOTE_TOOL] = "tool", [NOTE_INTERRUPTED] = "cut at",
		[NOTE_ENDED] = NULL };

	(void)c;
	(void)ms;
	if (names[type])
		buf_printf(&told, "%s \"%s\"; ", names[type], text);
}

void call_finish(struct call *c, enum call_end end)
{
	if (c->ended)
		return;
	c->ended = gone = true;
	gone_how = end;
	silent_since_ms = -1;
}

const struct clinic_language *call_find_language(const struct call *c,
						 const char *tag)
{
	(void)tag;
	return c->language;
}

int call_ears_open(struct call *c)
{
	(void)c;
	return 0;
}

void transcript_state(struct call *c, const char *state)
{
	(void)c;
	assert_non_null(state);
}

void transcript_user(struct call *c, const char *text, bool final)
{
	(void)c;
	assert_true(final && !str_blank(text));
}

static int n_again;

void transcript_user_again(struct call *c)
{
	(void)c;
	n_again++;
}

void transcript_agent_begin(struct call *c, struct utterance *u)
{
	assert_ptr_equal(speech_sounding(c->speech), u);
}

void transcript_agent_end(struct call *c, const char *heard)
{
	(void)c;
	assert_false(str_blank(heard));
}

void leg_transfer_start(struct call *c)
{
	(void)c;
	fail();
}

void stt_flush(struct stt *s)
{
	(void)s;
}

const struct room_participant *room_find(const struct room *r,
					 const char *identity)
{
	(void)r;
	(void)identity;
	return NULL;
}

const char *room_attribute(const struct room_participant *p, const char *key)
{
	(void)p;
	(void)key;
	return NULL;
}

int room_send_dtmf(struct room *r, const char *to, const char *keys)
{
	(void)r;
	(void)to;
	(void)keys;
	return 0;
}

void room_set_attributes(struct room *r, const struct lk_pair *attrs)
{
	(void)r;
	(void)attrs;
}

/* ---- the script --------------------------------------------------------------------------------- */

enum { SCRIPT_REPLIES, SCRIPT_IS_SILENT, SCRIPT_HANGS_UP, SCRIPT_FAILS,
       SCRIPT_WAITS };
static int script;
static int tool_ms;
static struct timer tool_timer;

static void tool_ends(void *arg)
{
	(void)arg;
	call_tool_done(&call, "1", "{\"free\":true}");
}

static void p_start(struct policy *p)
{
	(void)p;
	call_say(&call, &(struct call_say){ .text = "Good morning, how can I "
						    "help?" }, NULL);
}

static bool p_wants_turns(struct policy *p)
{
	(void)p;
	return script != SCRIPT_REPLIES;
}

static void p_turn(struct policy *p, const struct policy_turn *t)
{
	(void)p;
	if (script == SCRIPT_WAITS)
		return; /* for a server of its own, say */
	if (script == SCRIPT_HANGS_UP) {
		call_say(&call, &(struct call_say){
			.text = "Thank you, goodbye." }, NULL);
		call_hangup(&call, "done");
	}
	call_turn_done(&call, t->id,
		       script == SCRIPT_REPLIES ? CALL_TURN_REPLY :
		       script == SCRIPT_FAILS ? CALL_TURN_FAILED :
						CALL_TURN_HANDLED);
}

static void p_tool(struct policy *p, const char *id, const char *name,
		   const char *arguments)
{
	(void)p;
	(void)id;
	(void)name;
	(void)arguments;
	timer_start(&tool_timer, tool_ms);
}

static bool p_silence(struct policy *p, int nth)
{
	(void)p;
	(void)nth;
	return false;
}

static void p_prompt(struct policy *p, struct policy_prompt *out)
{
	(void)p;
	out->instructions = str_dup("You answer the phone.");
}

static const struct policy_ops policy = {
	.on_start = p_start, .wants_turns = p_wants_turns, .on_turn = p_turn,
	.on_tool = p_tool, .on_silence = p_silence, .prompt = p_prompt };
static struct call_host host = { .policy = &policy };
static const struct provider_choice choice = { .provider = "any" };
static const struct clinic_language english = { .tag = "en", .tts = &choice,
						.n_tts = 1 };
static const struct clinic clinic = { .name = "bright-smile",
				      .languages = &english,
				      .n_languages = 1 };

/* ---- a call ------------------------------------------------------------------------------------------ */

static void no_log(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static void on_tick(void *arg)
{
	call_feed(arg, TE_TICK, NULL, 0, 0, false);
}

static int setup(void **state)
{
	struct turn_cfg cfg = { .idle_ms = 5000, .idle_times = 1,
				.longest_ms = 60000 };
	(void)state;
	log_set_sink(no_log, NULL);
	assert_int_equal(clock_create_virtual(&vclock, 0), 0);
	call = (struct call){ .host = &host, .clinic = &clinic, .id = "c1",
			      .language = &english, .answered = true,
			      .speech_end_ms = -1 };
	turn_init(&call.turn, &cfg);
	history_init(&call.history);
	timer_init(&call.tick, vclock, on_tick, &call);
	timer_init(&beat, vclock, on_beat, NULL);
	timer_init(&cut_timer, vclock, cut_all, NULL);
	timer_init(&tool_timer, vclock, tool_ends, NULL);
	assert_int_equal(speech_create(&call.speech, NULL, NULL, NULL,
				       &call_speech_ops, &call), 0);
	memset(answers, 0, sizeof answers);
	n_answers = n_outs = model_err = voice_err = tool_ms = 0;
	script = SCRIPT_REPLIES;
	gone = paused = false;
	longest_silence_ms = 0;
	timer_start(&beat, AUDIO_FRAME_MS);
	silent_since_ms = 0;
	/* as call_answered() does it */
	call_feed(&call, TE_START, NULL, 0, 0, false);
	policy.on_start(NULL);
	call.busy = true;
	call_busy_check(&call);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	call.ended = true;
	timer_stop(&call.tick);
	timer_stop(&beat);
	timer_stop(&cut_timer);
	timer_stop(&tool_timer);
	reply_cancel(&call);
	speech_destroy(call.speech);
	for (int i = 0; i < call.reply.n_tools; i++) {
		free(call.reply.tools[i].id);
		free(call.reply.tools[i].name);
		free(call.reply.tools[i].arguments);
	}
	turn_finish(&call.turn);
	history_finish(&call.history);
	buf_free(&call.reply.text);
	buf_free(&call.reply.held);
	free(call.last_heard);
	free(call.last_text);
	assert_int_equal(clock_timers(vclock), 0);
	clock_destroy(vclock);
	buf_free(&told);
	log_set_sink(NULL, NULL);
	return 0;
}

static void run(int ms)
{
	clock_advance(vclock, (int64_t)ms * 1000);
}

static void is(const char *want)
{
	assert_string_equal(buf_str(&told), want);
	buf_reset(&told);
}

static void voice(bool on)
{
	if (on)
		silent_since_ms = -1;
	else if (!n_outs)
		silent_since_ms = now_ms() - 200;
	call_feed(&call, on ? TE_SPEECH_ON : TE_SPEECH_OFF, NULL, 0, 0, false);
}

/* One sentence, as VAD and a good provider tell it. */
static void caller_says(const char *text)
{
	voice(true);
	run(700);
	call_feed(&call, TE_INTERIM, text, 0, 0, false);
	run(400);
	call_feed(&call, TE_FINAL, text, 0, 0, false);
	voice(false);
	run(50);
	call_feed(&call, TE_END, NULL, 0, 0, false);
}

static void greeted(void)
{
	run(6000);
	is("agent \"Good morning, how can I help?\"; ");
	assert_int_equal(call.turn.phase, TURN_LISTENING);
}

static void history_is(const char *want)
{
	struct buf b = { 0 };
	const cJSON *m;

	cJSON_ArrayForEach(m, call.history.messages) {
		const char *content = json_str(m, "content");
		buf_printf(&b, "%s%c:%s", b.len ? " " : "",
			   *json_str(m, "role"), content ? content : "-");
	}
	assert_string_equal(buf_str(&b), want);
	buf_free(&b);
}

static void nobody_waited_long(void)
{
	if (silent_since_ms >= 0)
		ends_silence();
	assert_in_range(longest_silence_ms, 0, SILENCE_MAX_MS);
}

/* ---- tests ----------------------------------------------------------------------------- */

static void question_and_answer(void **state)
{
	(void)state;
	greeted();
	answers[0] = "Monday is free.";
	longest_silence_ms = 0;
	caller_says("Is Monday free?");
	run(4000);
	is("caller \"Is Monday free?\"; agent \"Monday is free.\"; ");
	history_is("a:Good morning, how can I help? u:Is Monday free? "
		   "a:Monday is free.");
	assert_int_equal(call.turn.phase, TURN_LISTENING);
	/* the guess began with the speech's end: 200 VAD, 400 model, 150
	 * voice, a beat or two */
	assert_in_range(longest_silence_ms, 700, 800);
}

static void interrupted_words_are_kept_as_heard(void **state)
{
	(void)state;
	greeted();
	answers[0] = "Monday is free at nine and at ten and at eleven.";
	answers[1] = "Tuesday then.";
	caller_says("Is Monday free?");
	run(600 + 4 * WORD_MS);
	caller_says("No, Tuesday."); /* its interim cuts us 700 ms later */
	run(3000);
	is("caller \"Is Monday free?\"; "
	   "agent \"Monday is free at nine and at\"; "
	   "caller \"No, Tuesday.\"; cut at \"Monday is free at nine and at\"; "
	   "agent \"Tuesday then.\"; ");
	history_is("a:Good morning, how can I help? u:Is Monday free? "
		   "a:Monday is free at nine and at u:No, Tuesday. "
		   "a:Tuesday then.");
}

static void a_turn_taken_back_is_one_turn_in_the_history(void **state)
{
	(void)state;
	greeted();
	answers[1] = "It is."; /* the first one is too slow to sound */
	caller_says("Is Monday");
	run(100);
	caller_says("free by chance?");
	run(3000);
	history_is("a:Good morning, how can I help? "
		   "u:Is Monday free by chance? a:It is.");
}

static void a_script_without_a_word_is_listening_again(void **state)
{
	(void)state;
	greeted();
	script = SCRIPT_IS_SILENT;
	caller_says("Hm.");
	run(10);
	assert_int_equal(call.turn.phase, TURN_LISTENING);
	run(3000);
	is("caller \"Hm.\"; "); /* and no filler */
}

static void a_script_that_fails_is_apologised_for(void **state)
{
	(void)state;
	greeted();
	script = SCRIPT_FAILS;
	caller_says("Is Monday free?");
	run(3000);
	is("caller \"Is Monday free?\"; agent \"apology\"; ");
	assert_int_equal(call.turn.phase, TURN_LISTENING);
	nobody_waited_long();
}

static void a_hangup_waits_for_the_goodbye(void **state)
{
	(void)state;
	greeted();
	script = SCRIPT_HANGS_UP;
	caller_says("Bye.");
	run(900);
	assert_false(gone);
	run(1000);
	assert_true(gone);
	assert_int_equal(gone_how, CALL_END_AGENT);
	is("caller \"Bye.\"; tool \"done\"; agent \"Thank you, goodbye.\"; ");
}

static void a_silent_caller_is_asked_then_told_goodbye(void **state)
{
	(void)state;
	greeted();
	run(30000);
	is("agent \"pardon\"; agent \"goodbye\"; ");
	assert_true(gone);
	assert_int_equal(gone_how, CALL_END_SILENT);
}

static void the_longest_call_ends_with_a_goodbye(void **state)
{
	(void)state;
	int n = 0;

	greeted();
	for (; n < 8; n++)
		answers[n] = "Monday is free.";
	for (n = 0; n < 30 && !gone; n++) {
		caller_says("Is Monday free?");
		run(3000);
	}
	assert_true(gone);
	assert_int_equal(gone_how, CALL_END_LONGEST);
	assert_non_null(strstr(buf_str(&told), "agent \"goodbye\"; "));
	assert_in_range(now_ms(), 60000, 66000);
}

static void a_mute_model_makes_no_silence(void **state)
{
	(void)state;
	greeted();
	caller_says("Is Monday free?");
	run(15000);
	is("caller \"Is Monday free?\"; agent \"filler\"; agent \"hold\"; "
	   "agent \"hold\"; agent \"apology\"; ");
	assert_int_equal(call.turn.phase, TURN_LISTENING);
	nobody_waited_long();
	answers[1] = "It is.";
	n_answers = 1;
	caller_says("Are you there?");
	run(3000);
	is("caller \"Are you there?\"; agent \"It is.\"; ");
}

static void a_failing_model_is_apologised_for(void **state)
{
	(void)state;
	greeted();
	model_err = ERR_SERVER;
	caller_says("Is Monday free?");
	run(3000);
	is("caller \"Is Monday free?\"; agent \"apology\"; ");
	nobody_waited_long();
}

static void an_empty_answer_is_apologised_for(void **state)
{
	(void)state;
	greeted();
	answers[0] = "";
	caller_says("Is Monday free?");
	run(3000);
	is("caller \"Is Monday free?\"; agent \"apology\"; ");
	nobody_waited_long();
}

static void a_failing_voice_is_apologised_for(void **state)
{
	(void)state;
	greeted();
	voice_err = ERR_STALLED;
	answers[0] = "Monday is free.";
	caller_says("Is Monday free?");
	run(6000);
	is("caller \"Is Monday free?\"; agent \"filler\"; agent \"apology\"; ");
	history_is("a:Good morning, how can I help? u:Is Monday free?");
	assert_int_equal(call.turn.phase, TURN_LISTENING);
	nobody_waited_long();
}

static void a_mute_transcript_is_asked_again(void **state)
{
	(void)state;
	greeted();
	voice(true);
	run(1200);
	voice(false);
	run(4000);
	is("agent \"pardon\"; ");
	assert_int_equal(call.turn.phase, TURN_LISTENING);
	nobody_waited_long();
}

static void a_slow_tool_is_kept_company(void **state)
{
	(void)state;
	greeted();
	answers[0] = "tool find_slots";
	answers[1] = "It is.";
	tool_ms = 3000;
	caller_says("Is Monday free?");
	run(9000);
	is("caller \"Is Monday free?\"; tool \"find_slots\"; "
	   "agent \"filler\"; agent \"It is.\"; ");
	history_is("a:Good morning, how can I help? u:Is Monday free? a:- "
		   "t:{\"free\":true} a:It is.");
	nobody_waited_long();
}

static void an_interrupted_tool_keeps_its_result(void **state)
{
	(void)state;
	greeted();
	answers[0] = "tool find_slots";
	answers[1] = "Of course.";
	tool_ms = 3000;
	caller_says("Is Monday free?");
	run(2500); /* the filler has come */
	caller_says("Wait, I need another day.");
	run(6000);
	history_is("a:Good morning, how can I help? a:- t:{\"free\":true} "
		   "u:Is Monday free? Wait, I need another day. a:Of course.");
}

static void a_typed_line_is_a_turn(void **state)
{
	(void)state;
	answers[0] = "It is.";
	run(1000);
	call_feed(&call, TE_TYPED, "Is Monday free?", 0, 0, false);
	run(4000);
	is("caller \"Is Monday free?\"; cut at \"Good morning,\"; "
	   "agent \"Good morning,\"; agent \"It is.\"; ");
}

/* The script was still at work on what the caller has talked over. */
static void a_script_is_too_late_for_a_turn_taken_back(void **state)
{
	(void)state;
	greeted();
	script = SCRIPT_WAITS;
	caller_says("Is Monday free?");
	run(300);
	is("caller \"Is Monday free?\"; ");
	uint32_t first = call.turn_id;
	n_again = 0;
	voice(true);
	run(400);
	call_feed(&call, TE_INTERIM, "or", 0, 0, false);
	assert_int_equal(n_again, 1); /* front ends see its words replaced */
	call_turn_done(&call, first, CALL_TURN_REPLY);
	assert_false(reply_busy(&call));
	call_turn_done(&call, first, CALL_TURN_FAILED);
	assert_false(speech_busy(call.speech));
	script = SCRIPT_REPLIES;
	answers[0] = "Both are.";
	call_feed(&call, TE_FINAL, "or Tuesday?", 0, 0, false);
	voice(false);
	run(4000);
	is("caller \"Is Monday free? or Tuesday?\"; agent \"Both are.\"; ");
}

static void a_cough_pauses_and_resumes(void **state)
{
	(void)state;
	run(800);
	paused = true; /* the reflex */
	call_feed(&call, TE_PAUSED, NULL, call.turn.epoch, 0, false);
	voice(true);
	run(250);
	voice(false);
	run(400);
	assert_true(paused);
	run(100);
	assert_false(paused);
	run(4000);
	is("agent \"Good morning, how can I help?\"; ");
}

static void shutdown_while_the_goodbye_of_the_script_sounds(void **state)
{
	(void)state;
	greeted();
	script = SCRIPT_HANGS_UP;
	caller_says("Bye.");
	run(500);
	call_feed(&call, TE_HANGUP, NULL, 0, CALL_END_SHUTDOWN, false);
	run(3000);
	assert_true(gone); /* once, and as the first one said */
	assert_int_equal(gone_how, CALL_END_AGENT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(question_and_answer),
		TEST(interrupted_words_are_kept_as_heard),
		TEST(a_turn_taken_back_is_one_turn_in_the_history),
		TEST(a_script_without_a_word_is_listening_again),
		TEST(a_script_that_fails_is_apologised_for),
		TEST(a_hangup_waits_for_the_goodbye),
		TEST(a_silent_caller_is_asked_then_told_goodbye),
		TEST(the_longest_call_ends_with_a_goodbye),
		TEST(a_mute_model_makes_no_silence),
		TEST(a_failing_model_is_apologised_for),
		TEST(an_empty_answer_is_apologised_for),
		TEST(a_failing_voice_is_apologised_for),
		TEST(a_mute_transcript_is_asked_again),
		TEST(a_slow_tool_is_kept_company),
		TEST(an_interrupted_tool_keeps_its_result),
		TEST(a_typed_line_is_a_turn),
		TEST(a_script_is_too_late_for_a_turn_taken_back),
		TEST(a_cough_pauses_and_resumes),
		TEST(shutdown_while_the_goodbye_of_the_script_sounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
