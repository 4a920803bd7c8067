/* Two associations of one process, their packets carried by hand. */
#include "unit.h"

#include <errno.h>
#include <unistd.h>

#include "rtc/sctp_int.h"

struct end {
	struct assoc *assoc;
	uint8_t *packet[512];
	size_t len[512];
	size_t n;
	size_t longest, bytes;
	int up, lost, rooms, messages;
	bool drop;
	uint16_t stream;
	uint32_t ppid;
};

static void on_packet(void *arg, const uint8_t *p, size_t n)
{
	struct end *e = arg;

	if (n > e->longest)
		e->longest = n;
	if (e->drop || e->n == 512)
		return;
	e->packet[e->n] = malloc(n);
	memcpy(e->packet[e->n], p, n);
	e->len[e->n++] = n;
}

static void on_data(void *arg, uint16_t stream, uint32_t ppid, const uint8_t *p,
		    size_t n, bool end)
{
	struct end *e = arg;

	(void)p;
	e->stream = stream;
	e->ppid = ppid;
	e->bytes += n;
	e->messages += end;
}

static void on_up(void *arg)
{
	((struct end *)arg)->up++;
}

static void on_lost(void *arg)
{
	((struct end *)arg)->lost++;
}

static void on_room(void *arg)
{
	((struct end *)arg)->rooms++;
}

static const struct assoc_ops ops = { on_packet, on_data, on_up, on_lost, on_room };

static void forget(struct end *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->packet[i]);
	e->n = 0;
}

static void carry(struct end *from, struct end *to)
{
	uint8_t *packet[512];
	size_t len[512], n = from->n;

	memcpy(packet, from->packet, n * sizeof *packet);
	memcpy(len, from->len, n * sizeof *len);
	from->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (to->assoc)
			assoc_input(to->assoc, packet[i], len[i]);
		free(packet[i]);
	}
}

/* ms of the timers, with the mail carried each 10 ms. What repeats lost
 * packets also looks at the wall clock: then real says to wait. */
static void pass(struct end *a, struct end *b, int ms, bool real)
{
	for (int at = 0; at < ms; at += 10) {
		carry(a, b);
		carry(b, a);
		if (real)
			usleep(10000);
		assoc_tick(10);
	}
}

static void run(struct end *a, struct end *b, int ms)
{
	pass(a, b, ms, false);
}

static void open_pair(struct end *a, struct end *b)
{
	memset(a, 0, sizeof *a);
	memset(b, 0, sizeof *b);
	assert_int_equal(assoc_create(&a->assoc, &ops, a), 0);
	assert_int_equal(assoc_create(&b->assoc, &ops, b), 0);
	run(a, b, 500);
	assert_int_equal(a->up, 1);
	assert_int_equal(b->up, 1);
}

static void close_pair(struct end *a, struct end *b)
{
	assoc_close(a->assoc);
	assoc_close(b->assoc);
	forget(a);
	forget(b);
}

static void both_sides_come_up_and_messages_pass(void **state)
{
	(void)state;
	static struct end a, b;

	open_pair(&a, &b);
	assert_int_equal(assoc_send(a.assoc, 3, 53, true, (const uint8_t *)"hello", 5), 0);
	run(&a, &b, 100);
	assert_int_equal(b.messages, 1);
	assert_int_equal(b.bytes, 5);
	assert_int_equal(b.stream, 3);
	assert_int_equal(b.ppid, 53);
	assert_int_equal(assoc_send(a.assoc, 127, 53, false, (const uint8_t *)"x", 1), 0);
	assert_true(assoc_send(a.assoc, 128, 53, false, (const uint8_t *)"x", 1) < 0);
	close_pair(&a, &b);
}

static void no_packet_is_longer_than_the_path_takes(void **state)
{
	(void)state;
	static struct end a, b;
	static uint8_t big[60000];

	open_pair(&a, &b);
	assert_int_equal(assoc_send(a.assoc, 1, 53, false, big, sizeof big), 0);
	assert_true(assoc_unacked(a.assoc) >= sizeof big);
	run(&a, &b, 1000);
	assert_int_equal(b.bytes, sizeof big);
	assert_int_equal(b.messages, 1);
	assert_in_range(a.longest, 1000, 1163); /* with DTLS 1200 */
	assert_int_equal(assoc_unacked(a.assoc), 0);
	close_pair(&a, &b);
}

static void a_full_buffer_says_so_and_empties_when_acknowledged(void **state)
{
	(void)state;
	static struct end a, b;
	static uint8_t big[60000];
	int r, sent = 0;

	open_pair(&a, &b);
	while ((r = assoc_send(a.assoc, 1, 53, false, big, sizeof big)) == 0)
		sent++;
	assert_int_equal(r, -EAGAIN);
	assert_in_range(sent, 2, 20);
	int rooms = a.rooms;
	run(&a, &b, 3000);
	assert_int_equal(b.messages, sent);
	assert_true(a.rooms > rooms);
	assert_int_equal(assoc_send(a.assoc, 1, 53, false, big, sizeof big), 0);
	close_pair(&a, &b);
}

static void reliable_messages_survive_loss_and_lossy_ones_do_not(void **state)
{
	(void)state;
	static struct end a, b;

	open_pair(&a, &b);
	a.drop = true;
	assert_int_equal(assoc_send(a.assoc, 1, 53, false, (const uint8_t *)"keep", 4), 0);
	assert_int_equal(assoc_send(a.assoc, 3, 53, true, (const uint8_t *)"go", 2), 0);
	run(&a, &b, 100);
	a.drop = false;
	for (int i = 0; i < 20 && !b.messages; i++)
		pass(&a, &b, 100, true);
	run(&a, &b, 100);
	assert_int_equal(b.messages, 1);
	assert_int_equal(b.bytes, 4);
	close_pair(&a, &b);
}

static void the_other_sides_end_is_noticed(void **state)
{
	(void)state;
	static struct end a, b;

	open_pair(&a, &b);
	assoc_close(b.assoc);
	b.assoc = NULL;
	run(&a, &b, 100);
	assert_int_equal(a.lost, 1);
	close_pair(&a, &b);
}

static void heartbeats_make_traffic_while_nothing_is_said(void **state)
{
	(void)state;
	static struct end a, b;

	open_pair(&a, &b);
	a.rooms = 0;
	for (int i = 0; i < 50 && !a.rooms; i++)
		pass(&a, &b, 100, true);
	assert_true(a.rooms > 0);
	close_pair(&a, &b);
}

static void noise_does_no_harm(void **state)
{
	(void)state;
	static struct end a, b;
	uint8_t noise[300];

	open_pair(&a, &b);
	for (unsigned int i = 0; i < 300; i++) {
		for (size_t k = 0; k < sizeof noise; k++)
			noise[k] = (uint8_t)(i * 31 + k * 7);
		assoc_input(a.assoc, noise, i);
	}
	assert_int_equal(assoc_send(b.assoc, 1, 53, false, (const uint8_t *)"still", 5), 0);
	run(&a, &b, 300);
	assert_int_equal(a.messages, 1);
	close_pair(&a, &b);
}

static int start(void **state)
{
	(void)state;
	return assoc_start(NULL);
}

static int stop(void **state)
{
	(void)state;
	assoc_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_come_up_and_messages_pass),
		cmocka_unit_test(no_packet_is_longer_than_the_path_takes),
		cmocka_unit_test(a_full_buffer_says_so_and_empties_when_acknowledged),
		cmocka_unit_test(reliable_messages_survive_loss_and_lossy_ones_do_not),
		cmocka_unit_test(the_other_sides_end_is_noticed),
		cmocka_unit_test(heartbeats_make_traffic_while_nothing_is_said),
		cmocka_unit_test(noise_does_no_harm),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
