/*
 * reply: the model's answer, spoken while it is made, with tools between. The
 * model, the voice, the script and the rest of the call are played by this
 * file; the history is the real one.
 */
#include "unit.h"

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "call/call_int.h"

/* ---- what lies around ------------------------------------------------------- */

struct llm {
	llm_h *fn;
	void *arg;
	int n_messages;
	bool tools;
	char *last; /* content of the last message */
};

static struct call call;
static struct llm *model;       /* the stream that is open, NULL none */
static int n_started, llm_err;
static struct utterance utterances[8];
static int n_utterances;
static struct buf told;         /* what the parts around were told */
static bool wants_turns;
static const char *answer_at_once; /* result for each tool; NULL: later */

int llm_start(struct llm **ret_llm, struct providers *p,
	      const struct llm_cfg *cfg, llm_h *fn, void *arg)
{
	(void)p;
	assert_null(model);
	if (llm_err)
		return llm_err;
	int n = cJSON_GetArraySize(cfg->messages);
	const char *last = json_str(cJSON_GetArrayItem(cfg->messages, n - 1),
				    "content");
	model = calloc(1, sizeof *model);
	*model = (struct llm){ .fn = fn, .arg = arg, .n_messages = n,
			       .tools = cfg->tools, .last = str_dup(last) };
	n_started++;
	*ret_llm = model;
	return 0;
}

void llm_cancel(struct llm *l)
{
	if (!l)
		return;
	assert_ptr_equal(l, model);
	free(model->last);
	free(model);
	model = NULL;
}

struct utterance *speech_find(struct speech *s, uint32_t id)
{
	(void)s;
	assert_in_range(id, 1, n_utterances);
	return utterances[id - 1].ended ? NULL : &utterances[id - 1];
}

struct utterance *speech_open(struct speech *s,
			      const struct clinic_language *language)
{
	(void)s;
	(void)language;
	struct utterance *u = &utterances[n_utterances++];

	*u = (struct utterance){ .id = (uint32_t)n_utterances, .open = true };
	buf_printf(&told, "open %u; ", u->id);
	return u;
}

void speech_add(struct utterance *u, const char *text)
{
	assert_true(u->open);
	buf_printf(&told, "say %u \"%s\"; ", u->id, text);
}

void speech_close(struct utterance *u)
{
	if (!u->open)
		return;
	u->open = false;
	buf_printf(&told, "close %u; ", u->id);
}

void call_feed(struct call *c, enum turn_event_type type, const char *text,
	       uint32_t epoch, int n, bool flag)
{
	(void)c;
	(void)text;
	(void)epoch;
	(void)n;
	(void)flag;
	assert_int_equal(type, TE_FAILED);
	buf_puts(&told, "failed; ");
}

void call_busy_check(struct call *c)
{
	(void)c;
}

void call_note(struct call *c, enum call_note_type type, const char *text,
	       int ms)
{
	(void)c;
	(void)ms;
	if (type == NOTE_TROUBLE)
		buf_printf(&told, "trouble \"%s\"; ", text);
}

static bool p_wants_turns(struct policy *p)
{
	(void)p;
	return wants_turns;
}

static void p_on_tool(struct policy *p, const char *id, const char *name,
		      const char *arguments)
{
	(void)p;
	buf_printf(&told, "tool %s %s %s; ", id, name, arguments);
	if (answer_at_once) {
		char *copy = str_dup(id); /* as a script would have it */
		call_tool_done(&call, copy, answer_at_once);
		free(copy);
	}
}

static void p_prompt(struct policy *p, struct policy_prompt *out)
{
	(void)p;
	out->instructions = str_dup("You answer the phone.");
	out->tools = cJSON_CreateArray();
}

static const struct policy_ops policy = { .wants_turns = p_wants_turns,
					  .on_tool = p_on_tool,
					  .prompt = p_prompt };
static struct call_host host = { .policy = &policy };
static const struct clinic clinic = { .name = "bright-smile" };

static void no_log(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static int setup(void **state)
{
	(void)state;
	log_set_sink(no_log, NULL);
	call = (struct call){ .host = &host, .clinic = &clinic, .id = "c1" };
	call.turn.phase = TURN_THINKING;
	history_init(&call.history);
	n_started = llm_err = n_utterances = 0;
	wants_turns = false;
	answer_at_once = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	reply_cancel(&call);
	assert_null(model); /* no stream is left open */
	for (int i = 0; i < call.reply.n_tools; i++) {
		free(call.reply.tools[i].id);
		free(call.reply.tools[i].name);
		free(call.reply.tools[i].arguments);
	}
	history_finish(&call.history);
	buf_free(&call.reply.text);
	buf_free(&call.reply.held);
	buf_free(&told);
	log_set_sink(NULL, NULL);
	return 0;
}

static void is(const char *want)
{
	assert_string_equal(buf_str(&told), want);
	buf_reset(&told);
}

static void caller_says(const char *text)
{
	history_user(&call.history, text);
	reply_start(&call, NULL);
}

static void emit(struct llm_event e)
{
	assert_non_null(model);
	model->fn(model->arg, &e);
}

static void text(const char *s)
{
	emit((struct llm_event){ .type = LLM_TEXT, .text = s });
}

static void tool(const char *id, const char *name)
{
	emit((struct llm_event){ .type = LLM_TOOL, .id = id, .name = name,
				 .text = "{}" });
}

static void done(void)
{
	emit((struct llm_event){ .type = LLM_DONE, .finish = "stop" });
}

/* role:content of each message; tool calls as role(n). */
static void history_is(const char *want)
{
	struct buf b = { 0 };
	const cJSON *m;

	cJSON_ArrayForEach(m, call.history.messages) {
		const char *content = json_str(m, "content");
		int n = cJSON_GetArraySize(json_get(m, "tool_calls"));
		buf_printf(&b, "%s%c", b.len ? " " : "", *json_str(m, "role"));
		if (n)
			buf_printf(&b, "(%d)", n);
		buf_printf(&b, ":%s", content ? content : "-");
	}
	assert_string_equal(buf_str(&b), want);
	buf_free(&b);
}

/* ---- an answer ------------------------------------------------------------------- */

static void words_are_spoken_while_the_model_writes(void **state)
{
	(void)state;
	caller_says("Hello.");
	assert_true(reply_busy(&call));
	assert_int_equal(model->n_messages, 2); /* instructions, the caller */
	assert_true(model->tools);
	text("Good ");
	is("open 1; say 1 \"Good \"; ");
	text("morning.");
	done();
	is("say 1 \"morning.\"; close 1; ");
	assert_false(reply_busy(&call));
	history_is("u:Hello. a:Good morning.");
}

static void what_was_cut_stays_in_the_history_as_heard(void **state)
{
	(void)state;
	caller_says("Hello.");
	text("Good morning.");
	done();
	struct utterance *u = &utterances[0];
	assert_non_null(u->entry);
	reply_said(&call, u, "Good", true);
	assert_null(u->entry);
	history_is("u:Hello. a:Good");
}

static void an_extra_line_is_for_this_answer_only(void **state)
{
	(void)state;
	history_user(&call.history, "Hello.");
	call_reply(&call, "Say goodbye now.");
	assert_string_equal(model->last, "Say goodbye now.");
	text("Goodbye.");
	done();
	caller_says("Wait.");
	assert_string_equal(model->last, "Wait.");
}

static void a_running_answer_is_not_started_again(void **state)
{
	(void)state;
	caller_says("Hello.");
	reply_start(&call, NULL);
	assert_int_equal(n_started, 1);
}

static void cancel_keeps_the_words_that_may_have_been_heard(void **state)
{
	(void)state;
	caller_says("Hello.");
	text("Good morning, this is");
	reply_cancel(&call);
	assert_null(model);
	assert_false(reply_busy(&call));
	assert_false(utterances[0].open);
	history_is("u:Hello. a:Good morning, this is");
	reply_said(&call, &utterances[0], "", true);
	history_is("u:Hello.");
}

static void cancel_before_a_word_leaves_nothing(void **state)
{
	(void)state;
	caller_says("Hello.");
	reply_cancel(&call);
	reply_cancel(&call);
	history_is("u:Hello.");
	is("");
}

/* ---- guesses ------------------------------------------------------------------------ */

static void a_guess_is_held_until_the_turn_is_sure(void **state)
{
	(void)state;
	reply_guess(&call, "Hello.");
	assert_string_equal(model->last, "Hello.");
	assert_false(reply_busy(&call));
	text("Good ");
	is(""); /* not a word before the turn */
	history_is("");
	caller_says("Hello.");
	assert_int_equal(n_started, 1);
	is("open 1; say 1 \"Good \"; ");
	text("morning.");
	done();
	is("say 1 \"morning.\"; close 1; ");
	history_is("u:Hello. a:Good morning.");
}

static void a_guess_that_is_done_is_spoken_at_once(void **state)
{
	(void)state;
	reply_guess(&call, "Hello.");
	text("Good morning.");
	done();
	is("");
	caller_says("Hello.");
	is("open 1; say 1 \"Good morning.\"; close 1; ");
	assert_null(model);
	assert_false(reply_busy(&call));
	history_is("u:Hello. a:Good morning.");
}

static void a_wrong_guess_leaves_no_trace(void **state)
{
	(void)state;
	reply_guess(&call, "Hello.");
	text("Good morning.");
	tool("1", "book");
	reply_unguess(&call);
	assert_null(model);
	is("");
	caller_says("Hello, is Monday free?");
	assert_int_equal(n_started, 2);
	text("It is.");
	done();
	is("open 1; say 1 \"It is.\"; close 1; ");
	history_is("u:Hello, is Monday free? a:It is.");
}

static void a_guess_runs_no_tool_before_the_turn_is_sure(void **state)
{
	(void)state;
	reply_guess(&call, "Book it.");
	tool("1", "book");
	done();
	is("");
	caller_says("Book it.");
	is("tool 1 book {}; ");
	assert_true(reply_busy(&call));
}

static void a_failed_guess_fails_when_the_turn_is_sure(void **state)
{
	(void)state;
	reply_guess(&call, "Hello.");
	emit((struct llm_event){ .type = LLM_FAILED, .err = ERR_LIMIT });
	is("");
	caller_says("Hello.");
	is("trouble \"rate or quota exceeded\"; failed; ");
	assert_false(reply_busy(&call));
}

static void a_script_that_takes_turns_itself_is_not_guessed_for(void **state)
{
	(void)state;
	wants_turns = true;
	reply_guess(&call, "Hello.");
	assert_int_equal(n_started, 0);
	wants_turns = false;
	call.policy_turn = true;
	reply_guess(&call, "Hello.");
	assert_int_equal(n_started, 0);
}

static void a_guess_with_an_extra_line_is_started_anew(void **state)
{
	(void)state;
	reply_guess(&call, "Hello.");
	reply_start(&call, "Say goodbye now.");
	assert_int_equal(n_started, 2);
	assert_string_equal(model->last, "Say goodbye now.");
}

/* ---- tools ----------------------------------------------------------------------------- */

static void results_start_the_next_round(void **state)
{
	(void)state;
	caller_says("Is Monday free?");
	text("Let me look.");
	tool("1", "find_slots");
	tool("2", "find_people");
	is("open 1; say 1 \"Let me look.\"; ");
	done();
	is("close 1; tool 1 find_slots {}; tool 2 find_people {}; ");
	call_tool_done(&call, "2", "{\"two\":2}");
	assert_null(model);
	assert_true(reply_busy(&call));
	call_tool_done(&call, "1", "{\"one\":1}");
	assert_string_equal(model->last, "{\"one\":1}");
	text("It is.");
	done();
	is("open 2; say 2 \"It is.\"; close 2; ");
	assert_false(reply_busy(&call));
	history_is("u:Is Monday free? a(2):Let me look. t:{\"two\":2} "
		   "t:{\"one\":1} a:It is.");
}

static void results_may_come_inside_the_call(void **state)
{
	(void)state;
	caller_says("Is Monday free?");
	tool("1", "find_slots");
	tool("2", "find_people");
	answer_at_once = "{}";
	done();
	is("tool 1 find_slots {}; tool 2 find_people {}; ");
	assert_int_equal(n_started, 2);
	history_is("u:Is Monday free? a(2):- t:{} t:{}");
}

/* Servers that count from 0 in each answer, or give none at all. */
static void calls_of_one_name_are_told_apart(void **state)
{
	(void)state;
	caller_says("Is Monday free?");
	tool("call_0", "find_slots");
	tool("call_0", "find_people");
	tool("", "find_rooms");
	answer_at_once = "{}";
	done();
	assert_int_equal(n_started, 2);
	const cJSON *calls = json_get(
		cJSON_GetArrayItem(call.history.messages, 1), "tool_calls");
	const char *id[3];
	for (int i = 0; i < 3; i++)
		id[i] = json_str(cJSON_GetArrayItem(calls, i), "id");
	assert_string_equal(id[0], "call_0");
	assert_true(str_has_prefix(id[1], "call_") && strlen(id[1]) > 10);
	assert_true(str_has_prefix(id[2], "call_") && strlen(id[2]) > 10);
	assert_string_not_equal(id[1], id[2]);
	answer_at_once = NULL;
	tool("call_0", "find_slots"); /* the next answer begins at 0 again */
	done();
	buf_reset(&told);
	call_tool_done(&call, "call_0", "{\"late\":1}");
	assert_int_equal(n_started, 2);
	history_is("u:Is Monday free? a(3):- t:{} t:{} t:{} a(1):-");
}

static void rounds_have_an_end(void **state)
{
	(void)state;
	caller_says("Is Monday free?");
	answer_at_once = "{}";
	for (int i = 0; i < TOOL_ROUNDS_MAX; i++) {
		assert_true(model->tools);
		tool(i % 2 ? "a" : "b", "find_slots");
		done();
	}
	assert_false(model->tools); /* it must say something now */
	text("It is.");
	done();
	assert_false(reply_busy(&call));
}

static void a_result_after_cancel_lands_in_the_history(void **state)
{
	(void)state;
	caller_says("Book it.");
	tool("1", "book");
	done();
	reply_cancel(&call);
	assert_false(reply_busy(&call));
	history_user(&call.history, "Wait.");
	call_tool_done(&call, "1", "{\"booked\":true}");
	assert_null(model); /* it starts no answer of its own */
	history_is("u:Book it. a(1):- t:{\"booked\":true} u:Wait.");
	reply_start(&call, NULL);
	assert_int_equal(model->n_messages, 5);
}

static void a_late_result_does_not_disturb_the_next_answer(void **state)
{
	(void)state;
	caller_says("Book it.");
	tool("1", "book");
	done();
	reply_cancel(&call);
	caller_says("Wait.");
	tool("2", "find_slots");
	done();
	call_tool_done(&call, "1", "{}");
	assert_null(model); /* the second tool is still awaited */
	call_tool_done(&call, "2", "{}");
	assert_non_null(model);
	history_is("u:Book it. a(1):- t:{} u:Wait. a(1):- t:{}");
}

static void unknown_and_second_results_change_nothing(void **state)
{
	(void)state;
	caller_says("Book it.");
	tool("1", "book");
	done();
	call_tool_done(&call, "9", "{}");
	assert_null(model);
	call_tool_done(&call, "1", "{}");
	assert_int_equal(n_started, 2);
	call_tool_done(&call, "1", "{\"again\":1}");
	assert_int_equal(n_started, 2);
	history_is("u:Book it. a(1):- t:{}");
}

static void a_tool_that_hangs_up_needs_no_more_words(void **state)
{
	(void)state;
	caller_says("Bye.");
	tool("1", "hang_up");
	done();
	call.turn.phase = TURN_ENDING;
	call_tool_done(&call, "1", "{}");
	assert_null(model);
	assert_false(reply_busy(&call));
}

static void too_many_tools_are_left_out(void **state)
{
	(void)state;
	char id[8];

	caller_says("Book it.");
	for (int i = 0; i < TOOLS_MAX + 3; i++) {
		snprintf(id, sizeof id, "%d", i);
		tool(id, "book");
	}
	answer_at_once = "{}";
	done();
	const cJSON *entry = cJSON_GetArrayItem(call.history.messages, 1);
	assert_int_equal(cJSON_GetArraySize(json_get(entry, "tool_calls")),
			 TOOLS_MAX);
	assert_int_equal(n_started, 2); /* none is waited for in vain */
}

/* ---- trouble ---------------------------------------------------------------------------- */

static void a_model_that_fails_is_told(void **state)
{
	(void)state;
	caller_says("Hello.");
	emit((struct llm_event){ .type = LLM_FAILED, .err = ERR_STALLED,
				 .why = "no answer" });
	is("trouble \"no answer\"; failed; ");
	assert_null(model);
	assert_false(reply_busy(&call));
	history_is("u:Hello.");
}

static void a_model_that_breaks_off_leaves_no_open_utterance(void **state)
{
	(void)state;
	caller_says("Hello.");
	text("Good morn");
	emit((struct llm_event){ .type = LLM_FAILED, .err = ERR_CLOSED,
				 .why = "broke off" });
	is("open 1; say 1 \"Good morn\"; close 1; trouble \"broke off\"; "
	   "failed; ");
	history_is("u:Hello. a:Good morn");
	reply_said(&call, &utterances[0], "Good", true);
	history_is("u:Hello. a:Good");
}

static void a_model_that_cannot_be_started_is_told(void **state)
{
	(void)state;
	llm_err = ERR_AUTH;
	caller_says("Hello.");
	is("trouble \"credentials refused\"; failed; ");
	assert_false(reply_busy(&call));
	llm_err = 0;
	caller_says("Hello?");
	assert_non_null(model); /* the next turn tries again */
}

static void the_round_after_a_tool_may_fail_to_start(void **state)
{
	(void)state;
	caller_says("Book it.");
	tool("1", "book");
	done();
	buf_reset(&told);
	llm_err = ERR_LIMIT;
	call_tool_done(&call, "1", "{}");
	is("trouble \"rate or quota exceeded\"; failed; ");
	assert_false(reply_busy(&call));
	history_is("u:Book it. a(1):- t:{}");
}

static void an_empty_answer_is_a_failure(void **state)
{
	(void)state;
	caller_says("Hello.");
	done();
	is("trouble \"the model said nothing\"; failed; ");
	history_is("u:Hello.");
	caller_says("Hello?");
	text(" \n");
	done();
	is("open 1; say 1 \" \n\"; close 1; trouble \"the model said "
	   "nothing\"; failed; ");
	history_is("u:Hello. u:Hello?");
}

static void nothing_happens_after_the_end(void **state)
{
	(void)state;
	call.ended = true;
	reply_start(&call, NULL);
	call_tool_done(&call, "1", "{}");
	assert_int_equal(n_started, 0);
	assert_int_equal(cJSON_GetArraySize(call.history.messages), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(words_are_spoken_while_the_model_writes),
		TEST(what_was_cut_stays_in_the_history_as_heard),
		TEST(an_extra_line_is_for_this_answer_only),
		TEST(a_running_answer_is_not_started_again),
		TEST(cancel_keeps_the_words_that_may_have_been_heard),
		TEST(cancel_before_a_word_leaves_nothing),
		TEST(a_guess_is_held_until_the_turn_is_sure),
		TEST(a_guess_that_is_done_is_spoken_at_once),
		TEST(a_wrong_guess_leaves_no_trace),
		TEST(a_guess_runs_no_tool_before_the_turn_is_sure),
		TEST(a_failed_guess_fails_when_the_turn_is_sure),
		TEST(a_script_that_takes_turns_itself_is_not_guessed_for),
		TEST(a_guess_with_an_extra_line_is_started_anew),
		TEST(results_start_the_next_round),
		TEST(results_may_come_inside_the_call),
		TEST(calls_of_one_name_are_told_apart),
		TEST(rounds_have_an_end),
		TEST(a_result_after_cancel_lands_in_the_history),
		TEST(a_late_result_does_not_disturb_the_next_answer),
		TEST(unknown_and_second_results_change_nothing),
		TEST(a_tool_that_hangs_up_needs_no_more_words),
		TEST(too_many_tools_are_left_out),
		TEST(a_model_that_fails_is_told),
		TEST(a_model_that_breaks_off_leaves_no_open_utterance),
		TEST(a_model_that_cannot_be_started_is_told),
		TEST(the_round_after_a_tool_may_fail_to_start),
		TEST(an_empty_answer_is_a_failure),
		TEST(nothing_happens_after_the_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
