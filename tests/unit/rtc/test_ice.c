/* Our end of a path against another, both on loopback and one GLib context. */
#include "unit.h"

#include <glib.h>

#include "base/err.h"
#include "rtc/ice_int.h"

struct end {
	struct ice *ice;
	enum ice_state state;
	int states;
	char pair[96];
	char heard[64];
	size_t n_heard;
	char told[256];
};

static GMainContext *ctx;
static int released;

static void on_packet(void *arg, uint8_t *p, size_t n)
{
	struct end *e = arg;

	memcpy(e->heard, p, n < 64 ? n : 64);
	e->n_heard = n;
	p[0] = 0; /* it may be changed */
}

static void on_candidate(void *arg, const char *candidate)
{
	struct end *e = arg;

	snprintf(e->told, sizeof e->told, "%s", candidate);
}

static void on_state(void *arg, enum ice_state s)
{
	struct end *e = arg;

	e->state = s;
	e->states++;
}

static void on_pair(void *arg, const char *pair)
{
	struct end *e = arg;

	snprintf(e->pair, sizeof e->pair, "%s", pair);
}

static void on_released(void *arg)
{
	(void)arg;
	released++;
}

static const struct ice_ops ops = { on_packet, on_candidate, on_state, on_pair };
static const struct ice_cfg loopback = { .loopback = true };

static gboolean give_up(gpointer arg)
{
	*(bool *)arg = true;
	return G_SOURCE_REMOVE;
}

/* Runs the context until the flag or 5 s. */
static void run_until(bool (*done)(struct end *a, struct end *b), struct end *a,
		      struct end *b)
{
	bool late = false;
	GSource *limit = g_timeout_source_new(5000);

	g_source_set_callback(limit, give_up, &late, NULL);
	g_source_attach(limit, ctx);
	while (!late && !done(a, b))
		g_main_context_iteration(ctx, TRUE);
	g_source_destroy(limit);
	g_source_unref(limit);
	assert_false(late);
}

static void open_end(struct end *e, const struct ice_cfg *cfg)
{
	memset(e, 0, sizeof *e);
	assert_int_equal(ice_create(&e->ice, ctx, cfg, &ops, e), 0);
	assert_int_equal(e->states, 0);
}

static const char *loopback_candidate(struct end *e)
{
	size_t n;
	const char *const *c = ice_candidates(e->ice, &n);

	for (size_t i = 0; i < n; i++) {
		if (strstr(c[i], " 127.0.0.1 "))
			return c[i];
	}
	fail();
	return NULL;
}

static void introduce(struct end *a, struct end *b)
{
	/* a candidate may come before the credentials */
	assert_int_equal(ice_add_remote(a->ice, loopback_candidate(b)), 0);
	assert_int_equal(ice_set_remote(a->ice, ice_ufrag(b->ice), ice_pwd(b->ice)), 0);
	assert_int_equal(ice_set_remote(b->ice, ice_ufrag(a->ice), ice_pwd(a->ice)), 0);
	assert_int_equal(ice_add_remote(b->ice, loopback_candidate(a)), 0);
}

static bool both_ready(struct end *a, struct end *b)
{
	return a->state == ICE_READY && b->state == ICE_READY;
}

static bool b_heard(struct end *a, struct end *b)
{
	(void)a;
	return b->n_heard > 0;
}

static void a_path_is_found_and_packets_pass(void **state)
{
	(void)state;
	struct end a, b;

	open_end(&a, &loopback);
	open_end(&b, &loopback);
	assert_int_equal(ice_send(a.ice, (const uint8_t *)"early", 5), -EAGAIN);
	introduce(&a, &b);
	run_until(both_ready, &a, &b);
	assert_memory_equal(a.pair, "udp host 127.0.0.1:", 19);
	assert_int_equal(ice_send(a.ice, (const uint8_t *)"hello", 5), 0);
	run_until(b_heard, &a, &b);
	assert_int_equal(b.n_heard, 5);
	assert_memory_equal(b.heard, "hello", 5);
	released = 0;
	ice_close(a.ice, on_released, NULL);
	ice_close(b.ice, on_released, NULL);
	assert_int_equal(released, 2);
}

static void a_restart_has_new_names_and_finds_the_path_again(void **state)
{
	(void)state;
	struct end a, b;
	char ufrag[64];

	open_end(&a, &loopback);
	open_end(&b, &loopback);
	introduce(&a, &b);
	run_until(both_ready, &a, &b);
	snprintf(ufrag, sizeof ufrag, "%s", ice_ufrag(a.ice));
	assert_int_equal(ice_restart(a.ice), 0);
	assert_string_not_equal(ufrag, ice_ufrag(a.ice));
	assert_int_equal(ice_restart(b.ice), 0);
	a.state = b.state = ICE_WORKING;
	introduce(&a, &b);
	run_until(both_ready, &a, &b);
	assert_int_equal(ice_send(a.ice, (const uint8_t *)"again", 5), 0);
	run_until(b_heard, &a, &b);
	ice_close(a.ice, NULL, NULL);
	ice_close(b.ice, NULL, NULL);
}

static void only_what_the_other_side_can_use_is_told(void **state)
{
	(void)state;
	static const struct ice_cfg no_udp = { .no_udp = true, .loopback = true };
	static const struct ice_cfg relay = { .relay_only = true, .loopback = true };
	struct end e;
	size_t n;

	open_end(&e, &loopback);
	const char *const *c = ice_candidates(e.ice, &n);
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++) {
		assert_memory_equal(c[i], "candidate:", 10);
		assert_non_null(strstr(c[i], " UDP "));
		assert_null(strstr(c[i], "fe80"));
	}
	ice_close(e.ice, NULL, NULL);
	open_end(&e, &no_udp);
	ice_candidates(e.ice, &n);
	assert_int_equal(n, 0);
	ice_close(e.ice, NULL, NULL);
	open_end(&e, &relay);
	ice_candidates(e.ice, &n);
	assert_int_equal(n, 0);
	ice_close(e.ice, NULL, NULL);
}

static void remote_candidates_are_checked_and_bounded(void **state)
{
	(void)state;
	struct end e;
	char line[100];
	int r = 0;

	open_end(&e, &loopback);
	assert_int_equal(ice_add_remote(e.ice, "nonsense"), ERR_PROTOCOL);
	assert_int_equal(ice_add_remote(e.ice,
			 "candidate:1 2 udp 1 127.0.0.1 9 typ host"), 0);
	for (int i = 1; i <= 64; i++) {
		snprintf(line, sizeof line,
			 "candidate:%d 1 udp 1 127.0.0.1 %d typ host", i, i);
		assert_int_equal(ice_add_remote(e.ice, line), 0);
	}
	r = ice_add_remote(e.ice, "candidate:99 1 udp 1 127.0.0.1 99 typ host");
	assert_int_equal(r, -ENOSPC);
	ice_close(e.ice, NULL, NULL); /* with candidates that were never used */
	ice_close(NULL, NULL, NULL);
}

static int start(void **state)
{
	(void)state;
	ctx = g_main_context_new();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	while (g_main_context_iteration(ctx, FALSE))
		;
	assert_int_equal(ice_closing(), 0);
	g_main_context_unref(ctx);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_found_and_packets_pass),
		cmocka_unit_test(a_restart_has_new_names_and_finds_the_path_again),
		cmocka_unit_test(only_what_the_other_side_can_use_is_told),
		cmocka_unit_test(remote_candidates_are_checked_and_bounded),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
