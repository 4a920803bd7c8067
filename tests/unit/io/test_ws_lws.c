/*
 * Connecting by libwebsockets: several addresses for one name, requests too
 * big for it. The C library's getaddrinfo() is replaced to give the addresses.
 */
#include "unit.h"

#include <netdb.h>

#include "base/clock.h"
#include "base/err.h"
#include "io/io.h"
#include "server.h"

#define OURS __attribute__((visibility("default")))

static const char *const *addresses;

OURS int getaddrinfo(const char *host, const char *service,
		     const struct addrinfo *hints, struct addrinfo **ret)
{
	struct addrinfo **at = ret;

	/* lws asks for the text of an address, which stands for itself */
	const char *const literal[] = { host, NULL };
	const char *const *list = strchr(host, 'm') ? addresses : literal;

	(void)service;
	(void)hints;
	for (int i = 0; list[i]; i++) {
		struct addrinfo *a = calloc(1, sizeof *a +
					    sizeof(struct sockaddr_in));
		struct sockaddr_in *in = (struct sockaddr_in *)(void *)(a + 1);
		in->sin_family = AF_INET;
		inet_pton(AF_INET, list[i], &in->sin_addr);
		a->ai_family = AF_INET;
		a->ai_addr = (struct sockaddr *)in;
		a->ai_addrlen = sizeof *in;
		*at = a;
		at = &a->ai_next;
	}
	return 0;
}

OURS void freeaddrinfo(struct addrinfo *a)
{
	while (a) {
		struct addrinfo *next = a->ai_next;
		free(a);
		a = next;
	}
}

struct seen {
	struct loop *loop;
	struct ws *ws;
	int n_open, n_close, err, status;
};

static void on_open(void *arg)
{
	struct seen *s = arg;

	s->n_open++;
	loop_stop(s->loop);
}

static void on_message(void *arg, const uint8_t *p, size_t n, bool text)
{
	(void)arg;
	(void)p;
	(void)n;
	(void)text;
}

static void on_close(void *arg, int err, int status, const char *reason)
{
	struct seen *s = arg;

	assert_non_null(reason);
	s->n_close++;
	s->err = err;
	s->status = status;
	loop_stop(s->loop);
}

static const struct ws_ops ops = { on_open, on_message, on_close };

static void accept_it(struct conn *c)
{
	ws_accept(c);
	conn_wait_end(c);
}

static void refuse_it(struct conn *c)
{
	conn_head(c);
	conn_puts(c, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
	conn_wait_end(c);
}

static void try(struct seen *s, script_h *script,
		const char *const *list, const char *const *headers,
		int *ret_conns)
{
	static struct server server;
	struct ws_cfg cfg = { .headers = headers };
	char url[128];

	addresses = list;
	server_start(&server, script, NULL, NULL);
	assert_int_equal(loop_create(&s->loop, NULL), 0);
	snprintf(url, sizeof url, "ws://many.example:%d/", server.port);
	cfg.url = url;
	assert_int_equal(ws_open(&s->ws, s->loop, &cfg, &ops, s), 0);
	loop_run(s->loop);
	loop_destroy(s->loop);
	server_stop(&server);
	*ret_conns = server.n_conns;
}

static void the_next_address_is_tried(void **state)
{
	(void)state;
	/* refused, refused at once without a packet, and the right one */
	static const char *const list[] = { "127.0.0.2", "255.255.255.255",
					    "127.0.0.3", "127.0.0.1", NULL };
	struct seen s = { 0 };
	int conns;

	try(&s, accept_it, list, NULL, &conns);
	assert_int_equal(s.n_open, 1);
	assert_int_equal(s.n_close, 0);
	assert_int_equal(conns, 1);
}

static void the_last_failure_is_told_once(void **state)
{
	(void)state;
	static const char *const list[] = { "127.0.0.2", "255.255.255.255",
					    NULL };
	static const char *const other[] = { "255.255.255.255", "127.0.0.2",
					     NULL };
	struct seen s = { 0 };
	int conns;

	try(&s, accept_it, list, NULL, &conns);
	assert_int_equal(s.n_close, 1);
	/* of the last: no network, or nobody may send there */
	assert_in_set(-s.err, ((const uintmax_t[]){ ENETUNREACH, EACCES }), 2);
	s = (struct seen){ 0 };
	try(&s, accept_it, other, NULL, &conns);
	assert_int_equal(s.n_close, 1);
	assert_int_equal(s.err, -ECONNREFUSED);
}

static void a_server_that_refuses_is_not_asked_elsewhere(void **state)
{
	(void)state;
	static const char *const list[] = { "127.0.0.1", "127.0.0.1", NULL };
	struct seen s = { 0 };
	int conns;

	try(&s, refuse_it, list, NULL, &conns);
	assert_int_equal(s.n_close, 1);
	assert_int_equal(s.err, ERR_AUTH);
	assert_int_equal(s.status, 403);
	assert_int_equal(conns, 1);
}

static void a_request_too_big_fails_and_a_big_one_does_not(void **state)
{
	(void)state;
	static const char *const list[] = { "127.0.0.1", NULL };
	static char big[20000];
	const char *headers[] = { big, NULL };
	struct seen s = { 0 };
	int conns;

	memset(big, 'x', sizeof big - 1);
	memcpy(big, "X-Big: ", 7);
	try(&s, accept_it, list, headers, &conns);
	assert_int_equal(s.n_open, 0);
	assert_int_equal(s.n_close, 1);
	assert_true(s.err < 0);
	s = (struct seen){ 0 };
	big[8000] = 0;
	try(&s, accept_it, list, headers, &conns);
	assert_int_equal(s.n_open, 1);
}

static void check_long_path(struct conn *c)
{
	const size_t *n = c->server->arg;

	ws_accept(c);
	const char *end = strstr(c->head, " HTTP/1.1\r\nPragma");
	CHECK(end && (size_t)(end - c->head) == *n + 4);
	CHECK(memcmp(c->head, "GET /rtc?x", 10) == 0 && end[-1] == 'z');
	CHECK(strstr(c->head, "\r\nAuthorization: Bearer t\r\n\r\n") ||
	      strcasestr(c->head, "\r\nauthorization: Bearer t\r\n"));
	conn_wait_end(c);
}

static void a_long_path_arrives_whole(void **state)
{
	(void)state;
	static const char *const list[] = { "127.0.0.1", NULL };
	static const size_t sizes[] = { 11, 1023, 2040, 2050, 8191 };
	const char *headers[] = { "Authorization: Bearer t", NULL };
	static char url[9000];
	static struct server server;

	addresses = list;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct seen s = { 0 };
		struct ws_cfg cfg = { .url = url, .headers = headers };
		size_t n = sizes[i];
		server_start(&server, check_long_path, &n, NULL);
		int at = sprintf(url, "ws://many.example:%d", server.port);
		memset(url + at, 'x', n);
		memcpy(url + at, "/rtc?", 5);
		url[at + (int)n - 1] = 'z';
		url[at + (int)n] = 0;
		assert_int_equal(loop_create(&s.loop, NULL), 0);
		assert_int_equal(ws_open(&s.ws, s.loop, &cfg, &ops, &s), 0);
		loop_run(s.loop);
		assert_int_equal(s.n_open, 1);
		loop_destroy(s.loop);
		server_stop(&server);
	}
}

static void a_host_name_too_long_for_lws_is_refused(void **state)
{
	(void)state;
	struct loop *l;
	struct ws *w = NULL;
	char url[256] = "ws://";
	struct ws_cfg cfg = { .url = url };

	assert_int_equal(loop_create(&l, NULL), 0);
	memset(url + 5, 'h', 130);
	assert_int_equal(ws_open(&w, l, &cfg, &ops, NULL), ERR_CONFIG);
	assert_null(w);
	loop_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_address_is_tried),
		cmocka_unit_test(the_last_failure_is_told_once),
		cmocka_unit_test(a_server_that_refuses_is_not_asked_elsewhere),
		cmocka_unit_test(
			a_request_too_big_fails_and_a_big_one_does_not),
		cmocka_unit_test(a_long_path_arrives_whole),
		cmocka_unit_test(a_host_name_too_long_for_lws_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
