/* Two ends of DTLS that pass each other datagrams by hand, some of them lost. */
#include "unit.h"

#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "rtc/dtls_int.h"
#include "rtc/seal_int.h"

struct mail {
	uint8_t bytes[64][1600];
	size_t len[64];
	size_t n;
};

struct end {
	struct dtls *dtls;
	struct mail out;
	int drop; /* so many of the next datagrams are lost */
	size_t longest;
	char heard[256];
	size_t n_heard;
};

static void on_send(void *arg, const uint8_t *p, size_t n)
{
	struct end *e = arg;

	if (n > e->longest)
		e->longest = n;
	if (e->drop > 0) {
		e->drop--;
		return;
	}
	assert_true(e->out.n < 64 && n <= 1600);
	memcpy(e->out.bytes[e->out.n], p, n);
	e->out.len[e->out.n++] = n;
}

static void on_data(void *arg, const uint8_t *p, size_t n)
{
	struct end *e = arg;

	assert_true(e->n_heard + n < sizeof e->heard);
	memcpy(e->heard + e->n_heard, p, n);
	e->n_heard += n;
}

static const struct dtls_ops ops = { on_send, on_data };

static struct dtls_expect own_print(void)
{
	struct dtls_expect e = { .hash = "sha-256", .digest_len = 32 };
	const char *at = dtls_fingerprint() + 8;

	for (size_t i = 0; i < 32; i++, at += 3)
		e.digest[i] = (uint8_t)strtoul(at, NULL, 16);
	return e;
}

static void deliver(struct end *from, struct end *to)
{
	struct mail m = from->out;

	from->out.n = 0;
	for (size_t i = 0; i < m.n; i++)
		dtls_input(to->dtls, m.bytes[i], m.len[i]);
}

/* Until both are up or one is refused; lost datagrams need the timers. */
static void run(struct end *a, struct end *b)
{
	for (int i = 0; i < 40; i++) {
		enum dtls_state sa = dtls_step(a->dtls), sb = dtls_step(b->dtls);
		if (sa != DTLS_SHAKING && sb != DTLS_SHAKING && !a->out.n && !b->out.n)
			return;
		deliver(a, b);
		deliver(b, a);
		if (!a->out.n && !b->out.n)
			usleep(20000);
	}
}

static void open_ends(struct end *client, struct end *server,
		      const struct dtls_expect *of_server,
		      const struct dtls_expect *of_client)
{
	memset(client, 0, sizeof *client);
	memset(server, 0, sizeof *server);
	assert_int_equal(dtls_create(&client->dtls, false, of_server, &ops, client), 0);
	assert_int_equal(dtls_create(&server->dtls, true, of_client, &ops, server), 0);
}

static void close_ends(struct end *client, struct end *server)
{
	dtls_destroy(client->dtls);
	dtls_destroy(server->dtls);
}

static void both_roles_come_up_with_the_same_keys(void **state)
{
	(void)state;
	static struct end c, s;
	struct dtls_expect e = own_print();
	struct seal_keys kc = { 0 }, ks = { 0 };

	open_ends(&c, &s, &e, &e);
	run(&c, &s);
	assert_int_equal(dtls_step(c.dtls), DTLS_UP);
	assert_int_equal(dtls_step(s.dtls), DTLS_UP);
	assert_false(dtls_is_server(c.dtls));
	assert_true(dtls_is_server(s.dtls));
	assert_int_equal(dtls_export(c.dtls, &kc), 0);
	assert_int_equal(dtls_export(s.dtls, &ks), 0);
	assert_int_equal(kc.profile, SEAL_GCM_128);
	assert_int_equal(kc.profile, ks.profile);
	assert_memory_equal(kc.local, ks.remote, 28);
	assert_memory_equal(kc.remote, ks.local, 28);
	assert_memory_not_equal(kc.local, kc.remote, 28);
	assert_true(c.longest <= DTLS_MTU && s.longest <= DTLS_MTU);
	close_ends(&c, &s);
}

static void data_passes_both_ways_packet_by_packet(void **state)
{
	(void)state;
	static struct end c, s;
	struct dtls_expect e = own_print();

	open_ends(&c, &s, &e, &e);
	assert_int_equal(dtls_write(c.dtls, (const uint8_t *)"early", 5), ERR_CLOSED);
	run(&c, &s);
	assert_int_equal(dtls_write(c.dtls, (const uint8_t *)"ping", 4), 0);
	assert_int_equal(dtls_write(s.dtls, (const uint8_t *)"pong!", 5), 0);
	assert_int_equal(c.out.n, 1);
	deliver(&c, &s);
	deliver(&s, &c);
	assert_memory_equal(s.heard, "ping", 4);
	assert_memory_equal(c.heard, "pong!", 5);
	close_ends(&c, &s);
}

static void lost_flights_are_repeated_within_a_tenth_of_a_second(void **state)
{
	(void)state;
	static struct end c, s;
	struct dtls_expect e = own_print();

	open_ends(&c, &s, &e, &e);
	c.drop = 1; /* the first hello */
	s.drop = 1; /* and half of the first answer */
	dtls_step(c.dtls);
	assert_in_range(dtls_timeout_ms(c.dtls), 1, 100);
	run(&c, &s);
	assert_int_equal(dtls_step(c.dtls), DTLS_UP);
	assert_int_equal(dtls_step(s.dtls), DTLS_UP);
	assert_int_equal(dtls_timeout_ms(c.dtls), -1);
	close_ends(&c, &s);
}

static void another_certificate_is_refused_by_both_roles(void **state)
{
	(void)state;
	static struct end c, s;
	struct dtls_expect good = own_print(), bad = good;

	bad.digest[31] ^= 1;
	open_ends(&c, &s, &bad, &good);
	run(&c, &s);
	assert_int_equal(dtls_step(c.dtls), DTLS_REFUSED);
	assert_string_equal(dtls_why(c.dtls), "certificate does not match the fingerprint");
	close_ends(&c, &s);
	open_ends(&c, &s, &good, &bad);
	run(&c, &s);
	assert_int_equal(dtls_step(s.dtls), DTLS_REFUSED);
	assert_int_equal(dtls_write(s.dtls, (const uint8_t *)"x", 1), ERR_CLOSED);
	close_ends(&c, &s);
}

static void hashes_that_nobody_should_use_are_not_accepted(void **state)
{
	(void)state;
	struct dtls_expect e = { .hash = "sha-1", .digest_len = 20 };
	struct dtls *d = NULL;

	assert_int_equal(dtls_create(&d, true, &e, &ops, NULL), ERR_PROTOCOL);
	assert_null(d);
	strcpy(e.hash, "sha-256"); /* right name, wrong length */
	assert_int_equal(dtls_create(&d, true, &e, &ops, NULL), ERR_PROTOCOL);
}

static void a_farewell_is_heard(void **state)
{
	(void)state;
	static struct end c, s;
	struct dtls_expect e = own_print();

	open_ends(&c, &s, &e, &e);
	run(&c, &s);
	dtls_destroy(c.dtls);
	c.dtls = NULL;
	deliver(&c, &s);
	assert_int_equal(dtls_step(s.dtls), DTLS_ENDED);
	dtls_destroy(s.dtls);
}

static void noise_changes_nothing(void **state)
{
	(void)state;
	static struct end c, s;
	struct dtls_expect e = own_print();
	uint8_t noise[200];

	open_ends(&c, &s, &e, &e);
	for (int i = 0; i < 50; i++) {
		random_bytes(noise, sizeof noise);
		noise[0] = (uint8_t)(20 + i % 44);
		dtls_input(s.dtls, noise, sizeof noise);
	}
	run(&c, &s);
	assert_int_equal(dtls_step(s.dtls), DTLS_UP);
	for (int i = 0; i < 50; i++) {
		random_bytes(noise, sizeof noise);
		noise[0] = (uint8_t)(20 + i % 44);
		assert_int_equal(dtls_input(s.dtls, noise, sizeof noise), DTLS_UP);
	}
	close_ends(&c, &s);
}

static int start(void **state)
{
	(void)state;
	return dtls_start();
}

static int stop(void **state)
{
	(void)state;
	dtls_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_roles_come_up_with_the_same_keys),
		cmocka_unit_test(data_passes_both_ways_packet_by_packet),
		cmocka_unit_test(lost_flights_are_repeated_within_a_tenth_of_a_second),
		cmocka_unit_test(another_certificate_is_refused_by_both_roles),
		cmocka_unit_test(hashes_that_nobody_should_use_are_not_accepted),
		cmocka_unit_test(a_farewell_is_heard),
		cmocka_unit_test(noise_changes_nothing),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
