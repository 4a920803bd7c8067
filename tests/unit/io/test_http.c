/* The HTTP client against real sockets, faults included. */
#include "unit.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "io/io.h"
#include "server.h"

struct seen {
	struct loop *loop;
	struct http *req;
	int n_headers, n_data, n_done;
	int pending;            /* stop when so many are done */
	bool inside_call, cancel_on_headers, cancel_on_data;
	bool again;             /* start one more inside on_done */
	long status;
	int err;
	char body[256];
	size_t body_len;
	struct buf data;
	char header[64];
	char url[128];
};

static void on_headers(void *arg, long status)
{
	struct seen *s = arg;
	const char *id = http_header(s->req, "x-request-id");

	assert_false(s->inside_call);
	assert_int_equal(s->n_data, 0);
	s->n_headers++;
	s->status = status;
	if (id)
		snprintf(s->header, sizeof s->header, "%s", id);
	if (s->cancel_on_headers) {
		http_cancel(s->req);
		loop_stop(s->loop);
	}
}

static void on_data(void *arg, const uint8_t *p, size_t n)
{
	struct seen *s = arg;

	assert_true(n > 0);
	s->n_data++;
	buf_add(&s->data, p, n);
	if (s->cancel_on_data) {
		http_cancel(s->req);
		loop_stop(s->loop);
	}
}

static void on_done(void *arg, int err, long status, const char *body,
		    size_t n);
static const struct http_ops collect = { on_headers, NULL, on_done };
static const struct http_ops stream = { on_headers, on_data, on_done };
static const struct http_ops only_done = { NULL, NULL, on_done };

static void on_done(void *arg, int err, long status, const char *body,
		    size_t n)
{
	struct seen *s = arg;

	assert_false(s->inside_call);
	assert_int_equal(strlen(body), n);
	s->n_done++;
	s->err = err;
	s->status = status;
	s->body_len = n;
	snprintf(s->body, sizeof s->body, "%s", body);
	if (s->pending == 1)
		http_cancel(s->req); /* inside its own end: harmless */
	if (s->again) {
		s->again = false;
		s->pending++;
		const struct http_cfg cfg = { .url = s->url };
		assert_int_equal(http_start(&s->req, s->loop, &cfg,
					    &only_done, s), 0);
	}
	if (s->n_done >= s->pending)
		loop_stop(s->loop);
}

static void stop(void *arg)
{
	loop_stop(arg);
}

static void run_for(struct loop *l, int64_t ms)
{
	struct timer t;

	timer_init(&t, loop_clock(l), stop, l);
	timer_start(&t, ms);
	loop_run(l);
	timer_stop(&t);
}

static void begin(struct seen *s, struct http_cfg *cfg,
		  const struct http_ops *ops, const char *ca,
		  const char *scheme, int port)
{
	if (!s->loop)
		assert_int_equal(loop_create(&s->loop, ca), 0);
	snprintf(s->url, sizeof s->url, "%s://localhost:%d/v1/x?a=b", scheme,
		 port);
	cfg->url = s->url;
	s->inside_call = true;
	assert_int_equal(http_start(&s->req, s->loop, cfg, ops, s), 0);
	s->inside_call = false;
	s->pending++;
}

static void end(struct seen *s, struct server *server)
{
	loop_destroy(s->loop);
	buf_free(&s->data);
	if (server)
		server_stop(server);
}

/* ---- exchanges ------------------------------------------------------------ */

static size_t content_length(const char *head)
{
	const char *at = strcasestr(head, "content-length: ");

	return at ? strtoul(at + 16, NULL, 10) : 0;
}

/* Sends the request back as the body, as often as asked on a connection. */
static void mirror(struct conn *c)
{
	char body[1024], head[256];

	while (conn_head(c)) {
		size_t n = content_length(c->head);
		CHECK(n < sizeof body && conn_read_all(c, body, n));
		size_t first = strcspn(c->head, "\r");
		snprintf(head, sizeof head, "HTTP/1.1 201 Created\r\n"
			 "X-Request-Id: r-1\r\nContent-Length: %zu\r\n\r\n",
			 first + 1 + n);
		conn_puts(c, head);
		if (strncmp(c->head, "HEAD", 4) == 0)
			continue;
		conn_write(c, c->head, first);
		conn_puts(c, " ");
		conn_write(c, body, n);
	}
}

static void an_exchange_gives_status_headers_and_body(void **state)
{
	(void)state;
	static struct server server;
	struct http_cfg cfg = { .method = "POST", .body = "{\"a\":1}",
				.body_len = 7 };
	struct seen s = { 0 };

	server_start(&server, mirror, NULL, NULL);
	begin(&s, &cfg, &collect, NULL, "http", server.port);
	assert_int_equal(s.n_headers + s.n_done, 0);
	loop_run(s.loop);
	assert_int_equal(s.err, 0);
	assert_int_equal(s.status, 201);
	assert_string_equal(s.header, "r-1");
	assert_string_equal(s.body, "POST /v1/x?a=b HTTP/1.1 {\"a\":1}");
	assert_int_equal(s.n_headers, 1);
	/* the connection is kept for the next */
	cfg = (struct http_cfg){ .method = "DELETE" };
	begin(&s, &cfg, &stream, NULL, "http", server.port);
	loop_run(s.loop);
	assert_string_equal(buf_str(&s.data), "DELETE /v1/x?a=b HTTP/1.1 ");
	assert_int_equal(s.n_done, 2);
	assert_int_equal(s.body_len, 0);
	assert_int_equal(server.n_conns, 1);
	end(&s, &server);
}

static void show_headers(struct conn *c)
{
	char body[2000];

	CHECK(conn_head(c) && conn_read_all(c, body, sizeof body));
	bool good = strstr(c->head, "Authorization: Bearer k\r\n") &&
		    strstr(c->head, "User-Agent: frontdesk/") &&
		    strstr(c->head, "Host: localhost:") &&
		    !strcasestr(c->head, "content-type:") &&
		    !strcasestr(c->head, "expect:");
	conn_puts(c, good ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" :
		  "HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n");
}

static void only_our_headers_are_sent(void **state)
{
	(void)state;
	static struct server server;
	static char body[2000];
	const char *headers[] = { "Authorization: Bearer k", NULL };
	struct http_cfg cfg = { .method = "POST", .body = body,
				.body_len = sizeof body, .headers = headers };
	struct seen s = { 0 };

	server_start(&server, show_headers, NULL, NULL);
	begin(&s, &cfg, &collect, NULL, "http", server.port);
	loop_run(s.loop);
	assert_int_equal(s.status, 200);
	headers[0] = "A: b\r\nC: d";
	s.req = NULL;
	assert_int_equal(http_start(&s.req, s.loop, &cfg, &collect, &s),
			 -EINVAL);
	headers[0] = NULL;
	cfg.url = "ws://localhost/";
	assert_int_equal(http_start(&s.req, s.loop, &cfg, &collect, &s),
			 ERR_CONFIG);
	assert_null(s.req);
	end(&s, &server);
}

static void drip(struct conn *c)
{
	char piece[32];

	CHECK(conn_head(c));
	conn_puts(c, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
	conn_puts(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 5; i++) {
		usleep(30000);
		snprintf(piece, sizeof piece, "5\r\npart%d\r\n", i);
		conn_puts(c, piece);
	}
	conn_puts(c, "0\r\n\r\n");
}

static void pieces_come_as_they_arrive(void **state)
{
	(void)state;
	static struct server server;
	/* longer than the idle limit as a whole, never between pieces */
	struct http_cfg cfg = { .idle_ms = 100 };
	struct seen s = { 0 };

	server_start(&server, drip, NULL, NULL);
	begin(&s, &cfg, &stream, NULL, "http", server.port);
	loop_run(s.loop);
	assert_int_equal(s.err, 0);
	assert_int_equal(s.n_headers, 1);
	assert_int_equal(s.n_data, 5);
	assert_string_equal(buf_str(&s.data), "part0part1part2part3part4");
	end(&s, &server);
}

static void many_at_once_and_more_from_inside(void **state)
{
	(void)state;
	static struct server server;
	struct http_cfg cfg = { 0 };
	struct seen s = { .again = true };

	server_start(&server, mirror, NULL, NULL);
	for (int i = 0; i < 10; i++)
		begin(&s, &cfg, &only_done, NULL, "http", server.port);
	loop_run(s.loop);
	assert_int_equal(s.n_done, 11);
	assert_int_equal(s.err, 0);
	end(&s, &server);
}

/* ---- limits ----------------------------------------------------------------- */

static void stay_mute(struct conn *c)
{
	conn_head(c);
	conn_wait_end(c);
}

static void stall_in_body(struct conn *c)
{
	conn_head(c);
	conn_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	conn_wait_end(c);
}

static void endless(struct conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	conn_head(c);
	conn_puts(c, "HTTP/1.1 200 OK\r\n\r\n");
	while (poll(&p, 1, 10) == 0)
		conn_puts(c, "more and ");
}

static void limit(script_h *script, struct http_cfg cfg,
		  const struct http_ops *ops, int err, long status)
{
	static struct server server;
	struct seen s = { 0 };

	server_start(&server, script, NULL, NULL);
	begin(&s, &cfg, ops, NULL, "http", server.port);
	int64_t start_us = clock_mono_us();
	loop_run(s.loop);
	assert_int_equal(s.n_done, 1);
	assert_int_equal(s.err, err);
	assert_int_equal(s.status, status);
	assert_in_range(clock_mono_us() - start_us, 1000, 1500000);
	run_for(s.loop, 30);
	assert_int_equal(s.n_done, 1);
	end(&s, &server);
}

static void every_limit_ends_the_request(void **state)
{
	(void)state;
	limit(stay_mute, (struct http_cfg){ .first_byte_ms = 80 }, &collect,
	      -ETIMEDOUT, 0);
	limit(stall_in_body, (struct http_cfg){ .idle_ms = 80 }, &stream,
	      -ETIMEDOUT, 200);
	limit(endless, (struct http_cfg){ .total_ms = 120 }, &stream,
	      -ETIMEDOUT, 200);
	limit(endless, (struct http_cfg){ .max_body = 40 }, &collect,
	      -EMSGSIZE, 200);
}

/* ---- faults ------------------------------------------------------------------ */

static void cut_in_body(struct conn *c)
{
	conn_head(c);
	conn_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
}

static void cut_before_answer(struct conn *c)
{
	conn_head(c);
}

static void talk_nonsense(struct conn *c)
{
	conn_head(c);
	conn_puts(c, "SSH-2.0-OpenSSH_9.2\r\n");
}

static void redirect(struct conn *c)
{
	conn_head(c);
	conn_puts(c, "HTTP/1.1 302 Found\r\nLocation: /else\r\n"
		  "Content-Length: 0\r\n\r\n");
}

static void faults_have_their_codes(void **state)
{
	(void)state;
	struct http_cfg cfg = { 0 };
	struct seen s = { 0 };

	limit(cut_in_body, cfg, &stream, ERR_CLOSED, 200);
	limit(cut_before_answer, cfg, &stream, ERR_CLOSED, 0);
	limit(talk_nonsense, cfg, &stream, ERR_PROTOCOL, 0);
	limit(redirect, cfg, &stream, 0, 302);
	begin(&s, &cfg, &collect, NULL, "http", closed_port());
	loop_run(s.loop);
	assert_int_equal(s.err, -ECONNREFUSED);
	cfg.url = "http://no-such-host.invalid/";
	s.pending++;
	assert_int_equal(http_start(&s.req, s.loop, &cfg, &collect, &s), 0);
	loop_run(s.loop);
	assert_int_equal(s.n_done, 2);
	assert_true(s.err < -3000); /* one of libuv's EAI codes */
	end(&s, NULL);
}

static void answer_once_then_go(struct conn *c)
{
	conn_head(c);
	conn_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static void answer_first_then_hang(struct conn *c)
{
	conn_head(c);
	conn_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	if (c->index == 0)
		conn_wait_end(c);
}

static void a_kept_connection_that_died_is_replaced(void **state)
{
	(void)state;
	static struct server server;
	struct http_cfg cfg = { .first_byte_ms = 150 };
	struct seen s = { 0 };

	server_start(&server, answer_once_then_go, NULL, NULL);
	for (int i = 1; i <= 3; i++) {
		begin(&s, &cfg, &collect, NULL, "http", server.port);
		loop_run(s.loop);
		assert_int_equal(s.err, 0);
		assert_string_equal(s.body, "ok");
		assert_int_equal(server.n_conns, i);
	}
	end(&s, &server);
	/* open but mute: one request pays, the next goes elsewhere */
	s = (struct seen){ 0 };
	server_start(&server, answer_first_then_hang, NULL, NULL);
	const int want[] = { 0, -ETIMEDOUT, 0 };
	for (int i = 0; i < 3; i++) {
		begin(&s, &cfg, &collect, NULL, "http", server.port);
		loop_run(s.loop);
		assert_int_equal(s.err, want[i]);
	}
	assert_int_equal(server.n_conns, 2);
	end(&s, &server);
}

/* ---- cancelling ---------------------------------------------------------------- */

static void cancelling_silences_at_every_stage(void **state)
{
	(void)state;
	static struct server server;
	struct http_cfg cfg = { 0 };
	struct seen s = { 0 };

	server_start(&server, drip, NULL, NULL);
	/* before the look-up, while connecting, waiting, and reading */
	for (int64_t wait_ms = 0; wait_ms < 80; wait_ms += 13) {
		begin(&s, &cfg, &collect, NULL, "http", server.port);
		if (wait_ms)
			run_for(s.loop, wait_ms);
		http_cancel(s.req);
	}
	s.cancel_on_headers = true;
	s.n_headers = 0;
	begin(&s, &cfg, &stream, NULL, "http", server.port);
	loop_run(s.loop);
	assert_int_equal(s.n_headers, 1);
	s.cancel_on_headers = false;
	s.cancel_on_data = true;
	s.n_data = 0;
	begin(&s, &cfg, &stream, NULL, "http", server.port);
	loop_run(s.loop);
	run_for(s.loop, 100);
	assert_int_equal(s.n_data, 1);
	assert_int_equal(s.n_done, 0);
	http_cancel(NULL);
	/* and the loop's end cancels what is left */
	s.cancel_on_data = false;
	s.n_data = 0;
	begin(&s, &cfg, &stream, NULL, "http", server.port);
	run_for(s.loop, 10);
	begin(&s, &cfg, &stream, NULL, "http", server.port);
	end(&s, &server);
	assert_int_equal(s.n_done, 0);
}

/* ---- TLS, warming --------------------------------------------------------------- */

static void tls_is_checked_and_a_warm_connection_used(void **state)
{
	(void)state;
	static struct server server;
	struct http_cfg cfg = { 0 };
	struct seen s = { 0 };
	char ca[] = "/tmp/fd-http-XXXXXX", other[] = "/tmp/fd-http-XXXXXX";

	close(mkstemp(ca));
	close(mkstemp(other));
	server_start(&server, mirror, NULL, make_tls("DNS:localhost", ca));
	assert_int_equal(loop_create(&s.loop, ca), 0);
	snprintf(s.url, sizeof s.url, "https://localhost:%d/any", server.port);
	http_warm(s.loop, s.url);
	http_warm(s.loop, "not a url");
	run_for(s.loop, 200);
	assert_int_equal(server.n_conns, 1);
	begin(&s, &cfg, &collect, ca, "https", server.port);
	loop_run(s.loop);
	assert_int_equal(s.err, 0);
	assert_int_equal(s.status, 201);
	assert_int_equal(server.n_conns, 1);
	loop_destroy(s.loop);
	/* nobody vouches for that certificate any more */
	s.loop = NULL;
	SSL_CTX_free(make_tls("DNS:localhost", other));
	begin(&s, &cfg, &collect, other, "https", server.port);
	loop_run(s.loop);
	assert_int_equal(s.err, ERR_PROTOCOL);
	end(&s, &server);
	unlink(ca);
	unlink(other);
}

static void refuse_connect(struct conn *c)
{
	*(bool *)c->server->arg = conn_head(c) &&
		strstr(c->head, "CONNECT localhost:443 HTTP/1.1\r\n") &&
		strstr(c->head, "Proxy-Authorization: Basic dTpw\r\n");
	conn_puts(c, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
}

static void tls_asks_the_proxy_and_plain_does_not(void **state)
{
	(void)state;
	static struct server server, proxy;
	struct http_cfg cfg = { 0 };
	struct seen s = { 0 };
	char text[64];
	bool asked = false;

	server_start(&server, mirror, NULL, NULL);
	server_start(&proxy, refuse_connect, &asked, NULL);
	snprintf(text, sizeof text, "http://u:p@localhost:%d", proxy.port);
	setenv("https_proxy", text, 1);
	setenv("http_proxy", text, 1);
	begin(&s, &cfg, &collect, NULL, "https", 443);
	loop_run(s.loop);
	assert_true(s.err < 0);
	assert_int_equal(s.status, 0);
	begin(&s, &cfg, &collect, NULL, "http", server.port);
	loop_run(s.loop);
	assert_int_equal(s.err, 0);
	assert_int_equal(proxy.n_conns, 1);
	unsetenv("https_proxy");
	unsetenv("http_proxy");
	end(&s, &server);
	server_stop(&proxy);
	assert_true(asked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exchange_gives_status_headers_and_body),
		cmocka_unit_test(only_our_headers_are_sent),
		cmocka_unit_test(pieces_come_as_they_arrive),
		cmocka_unit_test(many_at_once_and_more_from_inside),
		cmocka_unit_test(every_limit_ends_the_request),
		cmocka_unit_test(faults_have_their_codes),
		cmocka_unit_test(a_kept_connection_that_died_is_replaced),
		cmocka_unit_test(cancelling_silences_at_every_stage),
		cmocka_unit_test(tls_is_checked_and_a_warm_connection_used),
		cmocka_unit_test(tls_asks_the_proxy_and_plain_does_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
