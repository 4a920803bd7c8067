/* clause: a growing text, cut into pieces that can be spoken. */
#include "unit.h"

#include "base/str.h"
#include "call/clause.h"

/* Adds whole texts or bytes, and compares the clauses that come out. */
static void next_is(struct clauser *c, bool last, const char *want)
{
	char *got = clauser_next(c, last);

	if (!want) {
		if (got)
			fail_msg("unexpected clause \"%s\"", got);
		return;
	}
	assert_non_null(got);
	assert_string_equal(got, want);
	free(got);
}

/* want: clauses, NULL-ended, of a text that is complete. */
static void cuts_to(const char *text, const char *const *want)
{
	struct clauser whole = { 0 }, bytes = { 0 };

	clauser_add(&whole, text);
	for (size_t i = 0; want[i]; i++)
		next_is(&whole, true, want[i]);
	next_is(&whole, true, NULL);
	clauser_finish(&whole);

	/* byte by byte the same comes out */
	size_t n = 0;
	for (const char *s = text; *s; s++) {
		clauser_add(&bytes, (char[]){ *s, 0 });
		char *clause = clauser_next(&bytes, false);
		if (!clause)
			continue;
		assert_non_null(want[n]);
		assert_string_equal(clause, want[n]);
		n++;
		free(clause);
	}
	for (; want[n]; n++)
		next_is(&bytes, true, want[n]);
	next_is(&bytes, true, NULL);
	clauser_finish(&bytes);
}

#define CUTS(text, ...) cuts_to(text, (const char *const[]){ __VA_ARGS__, NULL })

static void a_text_ends_in_sentences(void **state)
{
	(void)state;
	CUTS("Of course I can help. We are open on Monday and on Tuesday until "
	     "six. Which day would suit you best, please?",
	     "Of course I can help.",
	     "We are open on Monday and on Tuesday until six.",
	     "Which day would suit you best, please?");
}

static void the_first_clause_comes_while_the_text_grows(void **state)
{
	(void)state;
	struct clauser c = { 0 };

	clauser_add(&c, "Sure, one mom");
	next_is(&c, false, NULL);
	clauser_add(&c, "ent!");
	next_is(&c, false, "Sure, one moment!");
	clauser_add(&c, " Let me");
	next_is(&c, false, NULL);
	next_is(&c, true, "Let me");
	clauser_finish(&c);
}

static void a_long_first_sentence_begins_at_its_comma(void **state)
{
	(void)state;
	struct clauser c = { 0 };

	clauser_add(&c, "For a cleaning with Dr. Khan on Monday, I can");
	next_is(&c, false, "For a cleaning with Dr. Khan on Monday,");
	/* the second one waits for more than that */
	clauser_add(&c, " offer you nine in the morning to begin with, or");
	next_is(&c, false, NULL);
	clauser_add(&c, " half past eleven before the noon prayer, or four");
	next_is(&c, false, "I can offer you nine in the morning to begin with, "
		"or half past eleven before the noon prayer,");
	clauser_finish(&c);
}

static void short_sentences_are_spoken_together(void **state)
{
	(void)state;
	CUTS("Yes. We do so. Come in.", "Yes. We do so.", "Come in.");
}

static void titles_do_not_end_a_sentence(void **state)
{
	(void)state;
	CUTS("You will be seeing Dr. Khan. He is here with Mrs. Malik and "
	     "Prof. Ali today.",
	     "You will be seeing Dr. Khan.",
	     "He is here with Mrs. Malik and Prof. Ali today.");
}

static void words_that_end_like_a_title_do_end_it(void **state)
{
	(void)state;
	CUTS("We looked it up first. It was a long list, and this is a test. "
	     "Nothing more comes.",
	     "We looked it up first.",
	     "It was a long list, and this is a test.", "Nothing more comes.");
}

static void no_is_an_answer_but_no_5_is_a_number(void **state)
{
	(void)state;
	CUTS("Are they free? No. They are not. Please go to room No. 5 on the "
	     "second floor.",
	     "Are they free?",
	     "No. They are not. Please go to room No. 5 on the second floor.");
	CUTS("I am afraid no. Sorry.", "I am afraid no.", "Sorry.");
}

static void times_and_amounts_stay_whole(void **state)
{
	(void)state;
	CUTS("Is 9.30 fine? It costs 4,500.50 rupees at 10:15 in the morning. "
	     "Shall I?",
	     "Is 9.30 fine?",
	     "It costs 4,500.50 rupees at 10:15 in the morning.", "Shall I?");
}

static void the_numbers_of_a_list_stay_with_their_lines(void **state)
{
	(void)state;
	CUTS("We have these times:\n1. Monday at nine in the morning, early\n"
	     "2. Tuesday at ten",
	     "We have these times:",
	     "1. Monday at nine in the morning, early", "2. Tuesday at ten");
}

static void urdu_marks_end_and_pause(void **state)
{
	(void)state;
	CUTS("جی ہاں، پیر کو نو بجے وقت خالی ہے۔ کیا یہ وقت آپ کے لیے ٹھیک رہے گا؟ شکریہ",
	     "جی ہاں، پیر کو نو بجے وقت خالی ہے۔",
	     "کیا یہ وقت آپ کے لیے ٹھیک رہے گا؟", "شکریہ");
}

static void markup_and_emoji_are_not_spoken(void **state)
{
	(void)state;
	CUTS("## **Great**, see `you` _soon_! \xF0\x9F\x98\x8A",
	     "Great, see you soon!");
}

static void what_has_no_word_is_skipped(void **state)
{
	(void)state;
	struct clauser c = { 0 };

	clauser_add(&c, " ... -- \n\n *** … ۔ ");
	next_is(&c, false, NULL);
	next_is(&c, true, NULL);
	clauser_finish(&c);
}

static void blanks_and_lines_are_folded(void **state)
{
	(void)state;
	CUTS("  Good   morning,\tthis is\xC2\xA0us.  \n\n  ",
	     "Good morning, this is\xC2\xA0us.");
}

static void a_run_on_is_cut_at_a_blank(void **state)
{
	(void)state;
	struct clauser c = { 0 };
	size_t total = 0;

	for (int i = 0; i < 100; i++)
		clauser_add(&c, "word and ");
	for (;;) {
		char *clause = clauser_next(&c, true);
		if (!clause)
			break;
		size_t n = strlen(clause);
		assert_in_range(n, 1, 245);
		assert_true(str_has_prefix(clause, "word") ||
			    str_has_prefix(clause, "and"));
		assert_true(clause[n - 1] == 'd');
		total += n + 1;
		free(clause);
	}
	assert_int_equal(total, 900);
	clauser_finish(&c);
}

static void a_character_cut_off_at_the_end_is_dropped(void **state)
{
	(void)state;
	struct clauser c = { 0 };

	clauser_add(&c, "Price: 5 \xE2\x82"); /* two bytes of a euro sign */
	next_is(&c, true, "Price: 5");
	clauser_finish(&c);
}

static void question_and_exclamation_together_are_one_end(void **state)
{
	(void)state;
	struct clauser c = { 0 };

	clauser_add(&c, "Are you quite sure?! Then");
	next_is(&c, false, "Are you quite sure?!");
	next_is(&c, true, "Then");
	clauser_finish(&c);
	c = (struct clauser){ 0 };
	/* they come apart: the second is nobody's beginning */
	clauser_add(&c, "Are you quite sure?");
	next_is(&c, false, "Are you quite sure?");
	clauser_add(&c, "! Then it is done.");
	next_is(&c, true, "Then it is done.");
	next_is(&c, true, NULL);
	clauser_finish(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_ends_in_sentences),
		cmocka_unit_test(the_first_clause_comes_while_the_text_grows),
		cmocka_unit_test(a_long_first_sentence_begins_at_its_comma),
		cmocka_unit_test(short_sentences_are_spoken_together),
		cmocka_unit_test(titles_do_not_end_a_sentence),
		cmocka_unit_test(words_that_end_like_a_title_do_end_it),
		cmocka_unit_test(no_is_an_answer_but_no_5_is_a_number),
		cmocka_unit_test(times_and_amounts_stay_whole),
		cmocka_unit_test(the_numbers_of_a_list_stay_with_their_lines),
		cmocka_unit_test(urdu_marks_end_and_pause),
		cmocka_unit_test(markup_and_emoji_are_not_spoken),
		cmocka_unit_test(what_has_no_word_is_skipped),
		cmocka_unit_test(blanks_and_lines_are_folded),
		cmocka_unit_test(a_run_on_is_cut_at_a_blank),
		cmocka_unit_test(a_character_cut_off_at_the_end_is_dropped),
		cmocka_unit_test(question_and_exclamation_together_are_one_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
