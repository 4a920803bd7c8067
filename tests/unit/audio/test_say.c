/* The loop's side of utterances, looked at from the feed ring. */
#include "unit.h"

#include <errno.h>

#include "audio/line_int.h"
#include "audio/say_int.h"
#include "base/err.h"

static struct ring *ring;
static struct say say;
static int16_t pcm[24000];

static int setup(void **state)
{
	(void)state;
	if (ring_create(&ring, 1 << 13) < 0) /* eight frames */
		return -1;
	say_init(&say, ring);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	say_finish(&say);
	ring_destroy(ring);
	return 0;
}

static const char letters[] = "BPKE"; /* begin, PCM, packet, end */

/* Reads the feed as text: "B1 P1:480 E1"; returns it. */
static const char *feed(void)
{
	static char text[4096];
	struct {
		struct feed head;
		uint8_t body[2000];
	} m;
	size_t at = 0;

	text[0] = '\0';
	while (ring_read(ring, &m, sizeof m) > 0 && at < sizeof text - 40) {
		at += (size_t)sprintf(text + at, "%s%c%u", at ? " " : "",
				      letters[m.head.type], m.head.utterance);
		if (m.head.n)
			at += (size_t)sprintf(text + at, ":%u", m.head.n);
	}
	return text;
}

static void a_stream_is_begun_cut_in_frames_and_ended(void **state)
{
	(void)state;
	assert_int_equal(say_pcm(&say, 3, pcm, 1000, 0), 0);
	assert_string_equal(feed(), "B3 P3:480 P3:480 P3:40");
	assert_int_equal(say_pcm(&say, 3, pcm, 10, 0), 0);
	assert_true(say_end(&say, 3));
	assert_string_equal(feed(), "P3:10 E3");
	assert_false(say.waiting);
	assert_int_equal(say.queued, 1010);
}

static void the_second_waits_for_the_end_of_the_first(void **state)
{
	(void)state;
	say_pcm(&say, 1, pcm, 480, 0);
	say_pcm(&say, 2, pcm, 480, 0);
	say_end(&say, 2);
	assert_string_equal(feed(), "B1 P1:480");
	say_end(&say, 1);
	assert_string_equal(feed(), "E1 B2 P2:480 E2");
}

static void what_does_not_fit_follows_when_there_is_room(void **state)
{
	(void)state;
	char all[4096] = "";
	int samples = 0;

	say_pcm(&say, 1, pcm, 480 * 20, 0);
	say_end(&say, 1);
	assert_true(say.waiting);
	for (int i = 0; i < 10 && say.waiting; i++) {
		strcat(strcat(all, feed()), " ");
		say_pump(&say);
	}
	strcat(all, feed());
	for (const char *p = all; (p = strchr(p, ':')); p++)
		samples += atoi(p + 1);
	assert_int_equal(samples, 480 * 20);
	assert_string_equal(all + strlen(all) - 3, " E1");
}

static void a_cut_frees_the_way_and_forgets_what_waits(void **state)
{
	(void)state;
	uint8_t slot = 99;

	say_pcm(&say, 1, pcm, 480 * 20, 0);
	say_pcm(&say, 2, pcm, 480, 0);
	feed();
	assert_int_equal(say_cut(&say, 1, &slot), SAY_FED);
	assert_int_equal(slot, 0);
	say_pump(&say);
	assert_string_equal(feed(), "B2 P2:480");
	assert_true(say.dropped > 0 && say.dropped < 480 * 20);
	assert_true(say_is_over(&say, 1));
	assert_int_equal(say_pcm(&say, 1, pcm, 480, 0), 0); /* swallowed */
	assert_string_equal(feed(), "");
	assert_int_equal(say_any(&say), 2);
	say_ended(&say, 1);
	assert_true(say_is_over(&say, 1));
	assert_int_equal(say_cut(&say, 2, &slot), SAY_FED);
	assert_int_equal(slot, 1);
	assert_int_equal(say_any(&say), 0);
}

static void what_was_never_fed_is_over_at_once(void **state)
{
	(void)state;
	uint8_t slot = 99;

	say_pcm(&say, 1, pcm, 480, 0);
	say_pcm(&say, 2, pcm, 480, 0);
	assert_int_equal(say_cut(&say, 2, &slot), SAY_WAITING);
	assert_int_equal(say_cut(&say, 7, &slot), SAY_UNKNOWN);
	assert_int_equal(slot, 99);
	assert_false(say_end(&say, 8)); /* it never had any audio */
	assert_true(say_end(&say, 8));
	assert_true(say_is_over(&say, 2) && say_is_over(&say, 7) &&
		    say_is_over(&say, 8));
	assert_int_equal(say.dropped, 480);
}

static void at_most_eight_are_with_media_at_once(void **state)
{
	(void)state;
	for (uint32_t id = 1; id <= 10; id++) {
		say_pcm(&say, id, pcm, 4, 0);
		say_end(&say, id);
	}
	assert_non_null(strstr(feed(), "B8 P8:4 E8"));
	assert_true(say.waiting);
	assert_string_equal(feed(), "");
	say_ended(&say, 5);
	assert_string_equal(feed(), "B9 P9:4 E9");
	say_ended(&say, 1);
	assert_string_equal(feed(), "B10 P10:4 E10");
	assert_false(say.waiting);
}

static void what_ended_long_ago_stays_over(void **state)
{
	(void)state;
	say_pcm(&say, 2, pcm, 4, 0); /* open all the time */
	for (uint32_t id = 3; id < 3 + SAY_REMEMBERED; id++)
		assert_false(say_end(&say, id));
	for (uint32_t id = 3; id < 3 + SAY_REMEMBERED; id++)
		assert_true(say_is_over(&say, id));
	assert_false(say_is_over(&say, 2));
	assert_false(say_is_over(&say, 3 + SAY_REMEMBERED));
	assert_int_equal(say_pcm(&say, 40, pcm, 480, 0), 0);
	assert_int_equal(say.queued, 4);
}

static void lines_become_packets(void **state)
{
	(void)state;
	struct audio_line *l;

	assert_int_equal(audio_line_encode(&l, pcm, 480 * 3), 0);
	assert_int_equal(say_line(&say, 1, l, 0), 0);
	audio_line_destroy(l);
	const char *text = feed();
	int packets = 0;
	for (const char *p = text; (p = strstr(p, "K1:")); p++)
		packets++;
	assert_int_equal(packets, 3);
	assert_int_equal(say.queued, 480 * 3);
}

static void two_minutes_are_the_most(void **state)
{
	(void)state;
	uint64_t most = 120 * 24000;
	struct audio_line *l;

	assert_int_equal(say_pcm(&say, 1, pcm, 480, most - 480), 0);
	assert_int_equal(say_pcm(&say, 1, pcm, 480, most - 479), ERR_FULL);
	assert_int_equal(audio_line_encode(&l, pcm, 480), 0);
	assert_int_equal(say_line(&say, 1, l, most), ERR_FULL);
	audio_line_destroy(l);
	assert_int_equal(say.queued, 480);
}

int main(void)
{
#define WITH_RING(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_RING(a_stream_is_begun_cut_in_frames_and_ended),
		WITH_RING(the_second_waits_for_the_end_of_the_first),
		WITH_RING(what_does_not_fit_follows_when_there_is_room),
		WITH_RING(a_cut_frees_the_way_and_forgets_what_waits),
		WITH_RING(what_was_never_fed_is_over_at_once),
		WITH_RING(at_most_eight_are_with_media_at_once),
		WITH_RING(what_ended_long_ago_stays_over),
		WITH_RING(lines_become_packets),
		WITH_RING(two_minutes_are_the_most),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
