/*
 * ears: PCM and events of the audio path and words of STT become events of
 * the turn machine. STT, audio and the machine are played by this file.
 */
#include "unit.h"

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "call/call_int.h"

static struct call call;
static struct buf told;
static bool machine_takes; /* finals become words of the turn */

/* ---- STT ------------------------------------------------------------------ */

struct stt {
	stt_h *fn;
	void *arg;
};
static struct stt ear;
static int n_open;

int stt_open(struct stt **ret_stt, struct providers *p,
	     const struct stt_cfg *cfg, stt_h *fn, void *arg)
{
	(void)p;
	assert_int_equal(cfg->n_choices, 1);
	/* silence that ends an utterance depends on the language: its own */
	assert_int_equal(cfg->endpointing_ms, 0);
	buf_printf(&told, "open %s; ", cfg->choices[0].language);
	ear = (struct stt){ fn, arg };
	n_open++;
	*ret_stt = &ear;
	return 0;
}

void stt_close(struct stt *s)
{
	n_open -= s != NULL;
}

void stt_push(struct stt *s, const int16_t *pcm, size_t n, bool voiced)
{
	assert_ptr_equal(s, &ear);
	assert_non_null(pcm);
	buf_printf(&told, "%zu%s; ", n, voiced ? " voiced" : "");
}

/* ---- the rest of a call ---------------------------------------------------- */

void call_feed(struct call *c, enum turn_event_type type, const char *text,
	       uint32_t epoch, int n, bool flag)
{
	(void)n;
	(void)flag;
	buf_printf(&told, "%d %s %u; ", type, text ? text : "-", epoch);
	if (type == TE_FINAL && machine_takes)
		buf_puts(&c->turn.finals, text);
}

void call_forget_words(struct call *c)
{
	for (size_t i = 0; i < c->n_words; i++)
		free((char *)c->words[i].text);
	c->n_words = 0;
}

void speech_on_audio(struct speech *s, const struct audio_event *e)
{
	(void)s;
	buf_printf(&told, "audio %d; ", e->type);
}

void transcript_user(struct call *c, const char *text, bool final)
{
	(void)c;
	assert_false(final);
	buf_printf(&told, "show \"%s\"; ", text);
}

void call_note(struct call *c, enum call_note_type type, const char *text,
	       int ms)
{
	(void)c;
	(void)ms;
	assert_int_equal(type, NOTE_TROUBLE);
	buf_printf(&told, "trouble %s; ", text);
}

void room_send_audio(struct room *r, const uint8_t *opus, size_t n,
		     uint32_t ticks, bool marker, uint8_t level, bool voice)
{
	(void)r;
	(void)opus;
	(void)ticks;
	(void)marker;
	(void)level;
	(void)voice;
	buf_printf(&told, "packet %zu; ", n);
}

static const struct provider_choice english_ear = { .language = "en" };
static const struct provider_choice urdu_ear = { .language = "ur" };
static const struct clinic_language english = { .tag = "en",
				.stt = &english_ear, .n_stt = 1 };
static const struct clinic_language urdu = { .tag = "ur", .stt = &urdu_ear,
					     .n_stt = 1 };
static struct call_host host;

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
	call = (struct call){ .host = &host, .id = "c1", .language = &english };
	machine_takes = true;
	n_open = 0;
	assert_int_equal(call_ears_open(&call), 0);
	buf_reset(&told);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	call_forget_words(&call);
	free(call.words);
	turn_finish(&call.turn);
	buf_free(&told);
	log_set_sink(NULL, NULL);
	return 0;
}

static void is(const char *want)
{
	assert_string_equal(buf_str(&told), want);
	buf_reset(&told);
}

static void hears(struct stt_event e)
{
	ear.fn(ear.arg, &e);
}

static void final_words(const char *text)
{
	const struct stt_word w = { .text = text, .confidence = 0.9f };

	hears((struct stt_event){ .type = STT_FINAL, .text = text, .words = &w,
				  .n_words = 1, .confidence = 0.9f });
}

/* ---- tests ------------------------------------------------------------------ */

static void words_come_to_the_machine_and_to_front_ends(void **state)
{
	char want[120];

	(void)state;
	final_words("Monday");
	snprintf(want, sizeof want, "%d Monday 0; show \"Monday\"; ", TE_FINAL);
	is(want);
	buf_puts(&call.turn.interim, "at nine");
	hears((struct stt_event){ .type = STT_INTERIM, .text = "at nine" });
	snprintf(want, sizeof want, "%d at nine 0; show \"Monday at nine\"; ",
		 TE_INTERIM);
	is(want);
	hears((struct stt_event){ .type = STT_END, .text = "Monday" });
	snprintf(want, sizeof want, "%d Monday 0; ", TE_END);
	is(want);
	assert_int_equal(call.n_words, 1);
	assert_string_equal(call.words[0].text, "Monday");
}

/* Our echo, or what was answered already: not among the next turn's words. */
static void words_that_the_machine_refuses_are_forgotten(void **state)
{
	(void)state;
	machine_takes = false;
	final_words("echo");
	assert_int_equal(call.n_words, 0);
	machine_takes = true;
	final_words("Monday");
	final_words("please");
	assert_int_equal(call.n_words, 2);
	assert_string_equal(call.words[0].text, "Monday");
}

static void trouble_is_told_and_the_call_goes_on(void **state)
{
	(void)state;
	hears((struct stt_event){ .type = STT_TROUBLE, .err = ERR_STALLED,
				  .why = "mute" });
	hears((struct stt_event){ .type = STT_DEAD, .err = ERR_AUTH,
				  .why = "refused" });
	hears((struct stt_event){ .type = STT_OPEN });
	is("trouble mute; trouble refused; ");
}

static void another_language_is_another_ear(void **state)
{
	(void)state;
	call.language = &urdu;
	assert_int_equal(call_ears_open(&call), 0);
	assert_int_equal(n_open, 1);
	is("open ur; ");
}

static void audio_comes_to_speech_first_then_to_the_machine(void **state)
{
	const struct audio_event paused = { .type = AUDIO_PAUSED, .epoch = 7 };
	const struct audio_event ended = { .type = AUDIO_ENDED };
	char want[80];

	(void)state;
	call_audio_ops.on_event(&call, &paused);
	snprintf(want, sizeof want, "audio %d; %d - 7; ", AUDIO_PAUSED,
		 TE_PAUSED);
	is(want);
	call_audio_ops.on_event(&call, &ended);
	snprintf(want, sizeof want, "audio %d; ", AUDIO_ENDED);
	is(want);
	call.ended = true;
	call_audio_ops.on_event(&call, &paused);
	hears((struct stt_event){ .type = STT_END, .text = "late" });
	is("");
}

static void sound_is_heard_with_what_vad_thinks_of_it(void **state)
{
	static const int16_t pcm[640];

	(void)state;
	call_audio_ops.on_pcm(&call, pcm, 640, 0, 0.9f);
	call_audio_ops.on_pcm(&call, pcm, 320, 0, 0.2f);
	is("640 voiced; 320; ");
	call.stt = NULL;
	call_audio_ops.on_pcm(&call, pcm, 320, 0, 0.2f);
	is("");
}

static void packets_leave_while_media_is_live(void **state)
{
	const struct audio_packet p = { .len = 9 };

	(void)state;
	call_audio_ops.send(&call, &p);
	is("");
	call.media_live = true;
	call_audio_ops.send(&call, &p);
	is("packet 9; ");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(words_come_to_the_machine_and_to_front_ends),
		TEST(words_that_the_machine_refuses_are_forgotten),
		TEST(trouble_is_told_and_the_call_goes_on),
		TEST(another_language_is_another_ear),
		TEST(audio_comes_to_speech_first_then_to_the_machine),
		TEST(sound_is_heard_with_what_vad_thinks_of_it),
		TEST(packets_leave_while_media_is_live),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
