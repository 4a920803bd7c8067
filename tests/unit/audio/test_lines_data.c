/*
 * lines_data: the shipped lines are whole, decode to sound of a proper level,
 * and say what scripts/lines/words.txt says.
 */
#include "unit.h"

#include <math.h>

#include "audio/line_int.h"

enum { HZ = AUDIO_OUT_HZ, LONGEST_MS = 4000 };

static const char *const names[] = { "apology", "goodbye",   "filler", "hold",
				     "pardon",  "emergency", "closed", "busy" };

struct heard {
	double square_sum; /* of voiced frames */
	long voiced, frames;
	int peak;
};

static void listen(struct heard *h, const int16_t *pcm, int n)
{
	double sum = 0;

	for (int i = 0; i < n; i++) {
		sum += (double)pcm[i] * pcm[i];
		h->peak = abs(pcm[i]) > h->peak ? abs(pcm[i]) : h->peak;
	}
	h->frames++;
	if (sum / n > 500.0 * 500.0) {
		h->square_sum += sum;
		h->voiced++;
	}
}

/* Decodes a line whole. */
static struct heard hear(const struct audio_line *l)
{
	struct audio_ear *ear;
	struct heard h = { 0 };
	int16_t pcm[HZ / 10];

	assert_int_equal(audio_ear_create(&ear, HZ), 0);
	for (size_t i = 0; i < line_packets(l); i++) {
		size_t len;
		const uint8_t *p = line_packet(l, i, &len);
		int n = audio_ear_decode(ear, p, len, pcm, HZ / 10);

		assert_int_equal(n, AUDIO_OUT_FRAME);
		listen(&h, pcm, n);
	}
	audio_ear_destroy(ear);
	return h;
}

static void every_language_has_every_name(void **state)
{
	(void)state;
	const char *languages[] = { "en", "ur" };

	for (size_t l = 0; l < 2; l++) {
		for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
			const char *text = NULL, *english = NULL;

			assert_non_null(audio_line_shipped(languages[l],
							   names[i], &text));
			assert_non_null(
				audio_line_shipped("en", names[i], &english));
			assert_true(text[0] != '\0');
			/* Its own words, not those it would fall back to. */
			if (l > 0)
				assert_string_not_equal(text, english);
		}
	}
}

static void lines_sound_and_are_short(void **state)
{
	(void)state;

	for (const struct audio_shipped *s = audio_shipped_lines; s->language;
	     s++) {
		const struct audio_line *l =
			audio_line_shipped(s->language, s->name, NULL);
		assert_non_null(l);
		assert_in_range(audio_line_ms(l), 900, LONGEST_MS);

		struct heard h = hear(l);
		double rms = sqrt(h.square_sum /
				  ((double)h.voiced * AUDIO_OUT_FRAME));
		double level_db = 20 * log10(rms / 32768);
		assert_true(level_db > -24 && level_db < -15);
		assert_true(h.peak < 32000);           /* nothing clipped */
		assert_true(h.voiced * 2 > h.frames);  /* mostly voice */
	}
}

static void words_are_those_of_the_word_list(void **state)
{
	(void)state;
	FILE *f = fopen("scripts/lines/words.txt", "r");
	const struct audio_shipped *s = audio_shipped_lines;
	char row[512], language[8], name[32];
	int words_at;

	assert_non_null(f);
	while (fgets(row, sizeof row, f)) {
		row[strcspn(row, "\n")] = '\0';
		if (row[0] == '#' || row[0] == '\0')
			continue;
		assert_int_equal(sscanf(row, "%7s %31s %n", language, name,
					&words_at), 2);
		assert_non_null(s->language);
		assert_string_equal(s->language, language);
		assert_string_equal(s->name, name);
		assert_string_equal(s->text, row + words_at);
		s++;
	}
	fclose(f);
	assert_null(s->language); /* and no others */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_language_has_every_name),
		cmocka_unit_test(lines_sound_and_are_short),
		cmocka_unit_test(words_are_those_of_the_word_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
