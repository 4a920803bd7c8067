/* Two channels over a fake association. */
#include "unit.h"

#include "base/err.h"
#include "rtc/channel_int.h"

static struct {
	bool full;
	struct {
		uint16_t stream;
		uint32_t ppid;
		bool lossy;
		size_t n;
		uint8_t bytes[64];
	} sent[64];
	size_t n_sent;
	int opened;
	enum rtc_channel ch;
	size_t message_len;
	char message[64];
	int messages;
} x;

static int on_send(void *arg, uint16_t stream, uint32_t ppid, bool lossy,
		   const uint8_t *p, size_t n)
{
	(void)arg;
	if (x.full)
		return -EAGAIN;
	assert_true(x.n_sent < 64);
	x.sent[x.n_sent].stream = stream;
	x.sent[x.n_sent].ppid = ppid;
	x.sent[x.n_sent].lossy = lossy;
	x.sent[x.n_sent].n = n;
	memcpy(x.sent[x.n_sent].bytes, p, n < 64 ? n : 64);
	x.n_sent++;
	return 0;
}

static void on_open(void *arg)
{
	(void)arg;
	x.opened++;
}

static void on_message(void *arg, enum rtc_channel ch, const uint8_t *p, size_t n)
{
	(void)arg;
	x.messages++;
	x.ch = ch;
	x.message_len = n;
	memcpy(x.message, p, n < 64 ? n : 64);
}

static const struct channels_ops ops = { on_send, on_open, on_message };
static const uint8_t ack[] = { DCEP_ACK };

static struct channels *fresh(void)
{
	struct channels *c;

	memset(&x, 0, sizeof x);
	assert_int_equal(channels_create(&c, &ops, NULL), 0);
	return c;
}

static struct channels *open_pair(bool dtls_server)
{
	struct channels *c = fresh();

	channels_up(c, dtls_server);
	channels_input(c, x.sent[0].stream, PPID_DCEP, ack, 1, true);
	channels_input(c, x.sent[1].stream, PPID_DCEP, ack, 1, true);
	assert_int_equal(x.opened, 1);
	x.n_sent = 0;
	return c;
}

static void the_dtls_role_decides_the_ids(void **state)
{
	(void)state;
	struct channels *c = fresh();

	channels_up(c, true);
	assert_int_equal(x.n_sent, 2);
	assert_int_equal(x.sent[0].stream, 1);
	assert_int_equal(x.sent[1].stream, 3);
	assert_int_equal(x.sent[0].ppid, PPID_DCEP);
	assert_memory_equal(x.sent[0].bytes + 12, "_reliable", 9);
	assert_int_equal(x.sent[1].bytes[1], 0x81);
	channels_destroy(c);
	c = fresh();
	channels_up(c, false);
	assert_int_equal(x.sent[0].stream, 0);
	assert_int_equal(x.sent[1].stream, 2);
	channels_destroy(c);
}

static void they_are_open_when_both_are_acknowledged(void **state)
{
	(void)state;
	struct channels *c = fresh();

	channels_up(c, true);
	channels_input(c, 3, PPID_DCEP, ack, 1, true);
	channels_input(c, 3, PPID_DCEP, ack, 1, true);
	assert_int_equal(x.opened, 0);
	channels_input(c, 1, PPID_DCEP, ack, 1, true);
	channels_input(c, 1, PPID_DCEP, ack, 1, true);
	assert_int_equal(x.opened, 1);
	channels_destroy(c);
}

static void messages_wait_for_the_channels_and_keep_their_order(void **state)
{
	(void)state;
	struct channels *c = fresh();

	assert_int_equal(channels_send(c, RTC_RELIABLE, (const uint8_t *)"a", 1), 0);
	assert_int_equal(channels_send(c, RTC_LOSSY, (const uint8_t *)"b", 1), 0);
	channels_up(c, true);
	x.n_sent = 0;
	channels_input(c, 1, PPID_DCEP, ack, 1, true);
	channels_input(c, 3, PPID_DCEP, ack, 1, true);
	assert_int_equal(channels_queued(c), 2);
	channels_flush(c);
	assert_int_equal(x.n_sent, 2);
	assert_int_equal(x.sent[0].bytes[0], 'a');
	assert_false(x.sent[0].lossy);
	assert_true(x.sent[1].lossy);
	assert_int_equal(x.sent[1].stream, 3);
	assert_int_equal(channels_queued(c), 0);
	channels_destroy(c);
}

static void a_full_association_makes_messages_wait(void **state)
{
	(void)state;
	struct channels *c = open_pair(true);

	x.full = true;
	assert_int_equal(channels_send(c, RTC_RELIABLE, (const uint8_t *)"1", 1), 0);
	x.full = false; /* nothing may overtake */
	assert_int_equal(channels_send(c, RTC_RELIABLE, (const uint8_t *)"2", 1), 0);
	assert_int_equal(x.n_sent, 0);
	channels_flush(c);
	assert_int_equal(x.n_sent, 2);
	assert_int_equal(x.sent[0].bytes[0], '1');
	channels_destroy(c);
}

static void an_open_that_found_no_room_is_tried_again(void **state)
{
	(void)state;
	struct channels *c = fresh();

	x.full = true;
	channels_up(c, true);
	x.full = false;
	channels_flush(c);
	channels_flush(c);
	assert_int_equal(x.n_sent, 2);
	channels_destroy(c);
}

static void the_queue_has_an_end(void **state)
{
	(void)state;
	static const uint8_t big[CHANNELS_MESSAGE_MAX];
	struct channels *c = fresh();

	for (int i = 0; i < CHANNELS_QUEUE_MAX / CHANNELS_MESSAGE_MAX; i++)
		assert_int_equal(channels_send(c, RTC_RELIABLE, big, sizeof big), 0);
	assert_int_equal(channels_send(c, RTC_RELIABLE, big, 1), ERR_FULL);
	assert_int_equal(channels_queued(c), CHANNELS_QUEUE_MAX);
	assert_int_equal(channels_send(c, RTC_RELIABLE, big, sizeof big + 1), -EMSGSIZE);
	channels_destroy(c);
}

static void an_empty_message_stays_empty(void **state)
{
	(void)state;
	struct channels *c = open_pair(true);

	assert_int_equal(channels_send(c, RTC_RELIABLE, NULL, 0), 0);
	assert_int_equal(x.sent[0].ppid, PPID_BINARY_EMPTY);
	assert_int_equal(x.sent[0].n, 1);
	channels_input(c, 1, PPID_BINARY_EMPTY, (const uint8_t *)"", 1, true);
	assert_int_equal(x.messages, 1);
	assert_int_equal(x.message_len, 0);
	channels_destroy(c);
}

static void pieces_are_put_together_for_each_stream(void **state)
{
	(void)state;
	struct channels *c = open_pair(false);

	channels_input(c, 0, PPID_BINARY, (const uint8_t *)"ab", 2, false);
	channels_input(c, 2, PPID_BINARY, (const uint8_t *)"xy", 2, true);
	assert_int_equal(x.ch, RTC_LOSSY);
	assert_memory_equal(x.message, "xy", 2);
	channels_input(c, 0, PPID_BINARY, (const uint8_t *)"cd", 2, false);
	channels_input(c, 0, PPID_BINARY, (const uint8_t *)"e", 1, true);
	assert_int_equal(x.messages, 2);
	assert_int_equal(x.ch, RTC_RELIABLE);
	assert_int_equal(x.message_len, 5);
	assert_memory_equal(x.message, "abcde", 5);
	channels_destroy(c);
}

static void a_message_that_is_too_long_is_dropped_whole(void **state)
{
	(void)state;
	static const uint8_t piece[CHANNELS_MESSAGE_MAX / 2 + 1];
	struct channels *c = open_pair(true);

	channels_input(c, 1, PPID_BINARY, piece, sizeof piece, false);
	channels_input(c, 1, PPID_BINARY, piece, sizeof piece, false);
	channels_input(c, 1, PPID_BINARY, piece, 10, true);
	assert_int_equal(x.messages, 0);
	channels_input(c, 1, PPID_BINARY, piece, 10, true);
	assert_int_equal(x.messages, 1);
	channels_destroy(c);
}

static void channels_of_the_other_side_are_acknowledged(void **state)
{
	(void)state;
	struct channels *c = open_pair(true);
	uint8_t p[DCEP_MAX];
	size_t n = dcep_write_open(p, DCEP_RELIABLE, "_reliable");

	channels_input(c, 4, PPID_DCEP, p, n, true);
	n = dcep_write_open(p, DCEP_RELIABLE, "_data_track");
	channels_input(c, 6, PPID_DCEP, p, n, true);
	channels_flush(c);
	assert_int_equal(x.n_sent, 2);
	assert_int_equal(x.sent[0].n, 1);
	assert_int_equal(x.sent[0].bytes[0], DCEP_ACK);
	channels_input(c, 4, PPID_BINARY, (const uint8_t *)"z", 1, true);
	assert_int_equal(x.messages, 1);
	assert_int_equal(x.ch, RTC_RELIABLE);
	channels_input(c, 6, PPID_BINARY, (const uint8_t *)"z", 1, true);
	assert_int_equal(x.messages, 1); /* nobody listens to that one */
	channels_destroy(c);
}

static void control_messages_that_are_none_are_ignored(void **state)
{
	(void)state;
	struct channels *c = open_pair(true);

	channels_input(c, 1, PPID_DCEP, (const uint8_t *)"\3\0", 2, true);
	channels_input(c, 1, PPID_DCEP, NULL, 0, true);
	channels_input(c, 1, 99, (const uint8_t *)"x", 1, true);
	channels_flush(c);
	assert_int_equal(x.n_sent, 0);
	assert_int_equal(x.messages, 0);
	channels_destroy(c);
	channels_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_dtls_role_decides_the_ids),
		cmocka_unit_test(they_are_open_when_both_are_acknowledged),
		cmocka_unit_test(messages_wait_for_the_channels_and_keep_their_order),
		cmocka_unit_test(a_full_association_makes_messages_wait),
		cmocka_unit_test(an_open_that_found_no_room_is_tried_again),
		cmocka_unit_test(the_queue_has_an_end),
		cmocka_unit_test(an_empty_message_stays_empty),
		cmocka_unit_test(pieces_are_put_together_for_each_stream),
		cmocka_unit_test(a_message_that_is_too_long_is_dropped_whole),
		cmocka_unit_test(channels_of_the_other_side_are_acknowledged),
		cmocka_unit_test(control_messages_that_are_none_are_ignored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
