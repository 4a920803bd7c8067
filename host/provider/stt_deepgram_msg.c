/* Deepgram's /v1/listen as text: the address we open and the messages that
 * come back. Unknown types and missing members are no error. Pure. */
#include "provider/stt_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

static const struct {
	const char *name;
	enum dg_type type;
} types[] = {
	{ "Results", DG_RESULTS },
	{ "SpeechStarted", DG_SPEECH },
	{ "UtteranceEnd", DG_UTTERANCE_END },
	{ "Metadata", DG_METADATA },
	{ "Error", DG_ERROR },
};

/* Seconds that are safe to count samples with. */
static double seconds(const cJSON *obj, const char *key)
{
	double v = json_num(obj, key, 0);

	return isfinite(v) && v > 0 && v < 1e6 ? v : 0;
}

static size_t read_words(struct dg_message *m, const cJSON *list)
{
	size_t n = (size_t)cJSON_GetArraySize(list), used = 0;
	const cJSON *w;

	if (!n)
		return 0;
	m->words = calloc(n, sizeof *m->words);
	if (!m->words)
		abort();
	cJSON_ArrayForEach(w, list) {
		const char *text = json_str(w, "punctuated_word");
		if (!text)
			text = json_str(w, "word");
		if (!text)
			continue;
		m->words[used++] = (struct stt_word){
			.text = text,
			.start_s = seconds(w, "start"),
			.end_s = seconds(w, "end"),
			.confidence = (float)json_num(w, "confidence", 0),
		};
	}
	return used;
}

static void read_results(struct dg_message *m)
{
	const cJSON *best = json_at(json_get(m->tree, "channel"),
				    "alternatives", 0);
	const cJSON *words = json_get(best, "words");
	const cJSON *language = json_at(best, "languages", 0);
	const char *text = json_str(best, "transcript");
	struct stt_result *r = &m->result;

	r->final = json_bool(m->tree, "is_final", false);
	r->ends = json_bool(m->tree, "speech_final", false);
	r->flushed = json_bool(m->tree, "from_finalize", false);
	r->start_s = seconds(m->tree, "start");
	r->end_s = r->start_s + seconds(m->tree, "duration");
	r->text = text ? text : "";
	r->confidence = (float)json_num(best, "confidence", 0);
	r->language = cJSON_IsString(language) ? language->valuestring : NULL;
	if (cJSON_IsArray(words))
		r->n_words = read_words(m, words);
	r->words = m->words;
	/* speech_final implies is_final; hold a sloppy server to it */
	r->final = r->final || r->ends;
}

int dg_message_read(struct dg_message *m, const void *p, size_t n)
{
	cJSON *tree = json_parse(p, n);
	const char *type = json_str(tree, "type");

	if (!type) {
		cJSON_Delete(tree);
		return ERR_PROTOCOL;
	}
	*m = (struct dg_message){ .type = DG_OTHER, .tree = tree };
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (strcmp(type, types[i].name) == 0)
			m->type = types[i].type;
	}
	if (m->type == DG_RESULTS)
		read_results(m);
	return 0;
}

void dg_message_free(struct dg_message *m)
{
	cJSON_Delete(m->tree);
	free(m->words);
	*m = (struct dg_message){ 0 };
}

void dg_listen_path(struct buf *out, const struct provider_choice *c,
		    int endpointing_ms)
{
	buf_puts(out, "/v1/listen?model=");
	str_url_quote(out, c->model);
	if (c->language) {
		buf_puts(out, "&language=");
		str_url_quote(out, c->language);
	}
	/* smart_format brings punctuation, but not in every language */
	buf_printf(out, "&encoding=linear16&sample_rate=%d&channels=1"
		   "&interim_results=true&vad_events=true"
		   "&smart_format=true&punctuate=true&no_delay=true"
		   "&endpointing=%d&utterance_end_ms=1000&mip_opt_out=true",
		   STT_RATE_HZ, endpointing_ms);
	for (const char *const *k = c->keyterms; k && *k; k++) {
		buf_puts(out, "&keyterm=");
		str_url_quote(out, *k);
	}
}
