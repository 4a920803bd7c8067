/* One utterance put together from its parts. Pure. */
#include "provider/stt_int.h"

#include <string.h>

#include "base/str.h"

/* Parts come without blanks between them. */
static void add_part(struct buf *b, const char *text)
{
	if (str_blank(text))
		return;
	if (b->len)
		buf_puts(b, " ");
	buf_puts(b, text);
}

void stt_text_interim(struct stt_text *t, const char *text)
{
	buf_reset(&t->interim);
	add_part(&t->interim, text);
}

void stt_text_final(struct stt_text *t, const char *text, float confidence,
		    const char *language)
{
	buf_reset(&t->interim);
	if (str_blank(text))
		return;
	if (!t->finals.len || confidence < t->confidence)
		t->confidence = confidence;
	add_part(&t->finals, text);
	if (language)
		str_copy(t->language, sizeof t->language, language);
}

const char *stt_text_all(struct stt_text *t)
{
	buf_reset(&t->shown);
	add_part(&t->shown, buf_str(&t->finals));
	add_part(&t->shown, buf_str(&t->interim));
	return buf_str(&t->shown);
}

bool stt_text_has_finals(const struct stt_text *t)
{
	return t->finals.len > 0;
}

bool stt_text_has_interim(const struct stt_text *t)
{
	return t->interim.len > 0;
}

void stt_text_reset(struct stt_text *t)
{
	buf_reset(&t->finals);
	buf_reset(&t->interim);
	t->confidence = 0;
	t->language[0] = 0;
}

void stt_text_free(struct stt_text *t)
{
	buf_free(&t->finals);
	buf_free(&t->interim);
	buf_free(&t->shown);
}
