/* provider_answer_check(): the readers of answers, for the fuzzers. Any
 * thread; nothing is kept. */
#include <string.h>

#include "provider/llm_int.h"
#include "provider/stt_int.h"
#include "provider/tts_int.h"

static void ignore(void *arg, const struct llm_conn_event *e)
{
	(void)arg;
	(void)e;
}

struct reading {
	const struct llm_dialect *dialect;
	struct llm_answer answer;
	int result;
};

static void on_event(void *arg, const char *event, const char *data, size_t n)
{
	struct reading *r = arg;

	(void)event;
	if (r->result >= 0 && !r->answer.ended)
		r->result = r->dialect->event(&r->answer, data, n);
}

/* As a stream cut in two, and as one whole JSON answer. */
static int check_stream(const struct llm_dialect *d, const uint8_t *p,
			size_t n)
{
	struct reading r = { .dialect = d };
	struct sse *sse;
	size_t half = n / 2;

	if (sse_create(&sse, on_event, &r) < 0)
		return ERR_PROTOCOL;
	llm_answer_init(&r.answer, ignore, NULL);
	int fed = sse_feed(sse, p, half);
	if (fed >= 0)
		fed = sse_feed(sse, p + half, n - half);
	if (fed < 0 || (r.result >= 0 && d->end(&r.answer) < 0))
		r.result = ERR_PROTOCOL;
	sse_destroy(sse);
	llm_answer_free(&r.answer);
	if (r.result >= 0)
		return 0;
	llm_answer_init(&r.answer, ignore, NULL);
	r.result = d->whole(&r.answer, (const char *)p, n);
	llm_answer_free(&r.answer);
	return r.result >= 0 ? 0 : ERR_PROTOCOL;
}

static int check_deepgram(const uint8_t *p, size_t n)
{
	struct dg_message m;
	int r = dg_message_read(&m, p, n);

	if (r < 0)
		return r;
	dg_message_free(&m);
	return 0;
}

int provider_answer_check(char kind, const uint8_t *p, size_t n)
{
	char code[48];

	switch (kind) {
	case 'd':
		return check_deepgram(p, n);
	case 'a':
		return aura_message_read(p, n, code) < 0 ? ERR_PROTOCOL : 0;
	case 'c':
		return check_stream(&llm_chat_dialect, p, n);
	case 'r':
		return check_stream(&llm_responses_dialect, p, n);
	}
	return ERR_PROTOCOL;
}
