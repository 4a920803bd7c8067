/* The websocket client against real sockets, faults included. */
#include "unit.h"

#include "base/clock.h"
#include "base/err.h"
#include "io/io.h"
#include "server.h"

/* What a test's websocket lived through, and when to stop the loop. */
struct seen {
	struct loop *loop;
	struct ws *ws;
	int n_open, n_close, n_message;
	int stop_at_message;
	bool inside_call;       /* a starting call is on the stack */
	int err, status;
	char reason[600];
	char last[64];
	char all[256];          /* the messages so far, "|" after each */
	size_t last_len, total;
	bool last_text;
	char header[64];
	bool close_on_open, close_on_message;
	const char *say;        /* sent on opening */
};

static void on_open(void *arg)
{
	struct seen *s = arg;
	const char *id;

	assert_false(s->inside_call);
	s->n_open++;
	id = ws_header(s->ws, "dg-request-id");
	if (id)
		snprintf(s->header, sizeof s->header, "%s", id);
	if (s->say)
		assert_int_equal(ws_send(s->ws, s->say, strlen(s->say), true),
				 0);
	if (s->close_on_open) {
		ws_close(s->ws, 1000);
		loop_stop(s->loop);
	}
}

static void on_message(void *arg, const uint8_t *p, size_t n, bool text)
{
	struct seen *s = arg;

	s->n_message++;
	s->total += n;
	s->last_len = n;
	s->last_text = text;
	size_t keep = n < sizeof s->last - 1 ? n : sizeof s->last - 1;
	memcpy(s->last, p, keep);
	s->last[keep] = 0;
	size_t used = strlen(s->all);
	snprintf(s->all + used, sizeof s->all - used, "%s|", s->last);
	if (s->close_on_message)
		ws_close(s->ws, 1000);
	if (s->n_message == s->stop_at_message)
		loop_stop(s->loop);
}

static void on_close(void *arg, int err, int status, const char *reason)
{
	struct seen *s = arg;

	assert_false(s->inside_call);
	s->n_close++;
	s->err = err;
	s->status = status;
	snprintf(s->reason, sizeof s->reason, "%s", reason);
	loop_stop(s->loop);
}

static const struct ws_ops ops = { on_open, on_message, on_close };

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

static void begin(struct seen *s, struct ws_cfg *cfg, const char *ca,
		  const char *scheme, const char *host, int port)
{
	char url[128];

	if (!s->loop)
		assert_int_equal(loop_create(&s->loop, ca), 0);
	snprintf(url, sizeof url, "%s://%s:%d/v1?a=b", scheme, host, port);
	cfg->url = url;
	s->inside_call = true;
	assert_int_equal(ws_open(&s->ws, s->loop, cfg, &ops, s), 0);
	s->inside_call = false;
}

static void finish(struct seen *s, struct server *server)
{
	loop_destroy(s->loop);
	if (server)
		server_stop(server);
}

/* ---- talking ------------------------------------------------------------- */

static void echo(struct conn *c)
{
	uint8_t *p = malloc(3 << 20);
	size_t n;
	int first;

	if (c->server->arg)
		CHECK(ws_accept(c));
	else
		ws_accept_with(c, "dg-request-id: 42-abc\r\n"
			       "X-Plain: yes\r\n", "", 0);
	CHECK(strstr(c->head, "GET /v1?a=b HTTP/1.1\r\n"));
	while ((first = ws_get(c, p, 3 << 20, &n)) >= 0) {
		ws_put(c, first, p, n);
		if ((first & 15) == 8)
			break;
	}
	free(p);
}

static void expect_headers(struct conn *c)
{
	ws_accept(c);
	bool good = strcasestr(c->head, "authorization: Token x\r\n") &&
		    strcasestr(c->head, "x-a: 1\r\n") &&
		    strstr(c->head, "Sec-WebSocket-Protocol: graphql\r\n") &&
		    !strcasestr(c->head, "sec-websocket-extensions");
	char host[64];
	snprintf(host, sizeof host, "Host: 127.0.0.1:%d\r\n", c->server->port);
	ws_put(c, 0x81, good && strstr(c->head, host) ? "good" : c->head,
	       good ? 4 : 200);
	conn_wait_end(c);
}

static void messages_go_there_and_back(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { 0 };
	struct seen s = { .say = "hello", .stop_at_message = 1 };

	server_start(&server, echo, NULL, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	assert_int_equal(ws_send(s.ws, "x", 1, true), ERR_CLOSED);
	loop_run(s.loop);
	assert_int_equal(s.n_open, 1);
	assert_string_equal(s.last, "hello");
	assert_true(s.last_text);
	assert_int_equal(ws_queued(s.ws), 0);
	s.stop_at_message = 2;
	assert_int_equal(ws_send(s.ws, "\0\1", 2, false), 0);
	loop_run(s.loop);
	assert_false(s.last_text);
	assert_int_equal(s.last_len, 2);
	ws_close(s.ws, 1000);
	run_for(s.loop, 50);
	assert_int_equal(s.n_close, 0);
	finish(&s, &server);
}

static void headers_of_the_answer_can_be_read(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { 0 };
	struct seen s = { .say = "hello", .stop_at_message = 1 };

	server_start(&server, echo, NULL, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	assert_null(ws_header(s.ws, "dg-request-id"));
	loop_run(s.loop);
	assert_string_equal(s.header, "42-abc");
	/* asked for on opening, so it is still known */
	assert_string_equal(ws_header(s.ws, "DG-Request-Id"), "42-abc");
	assert_null(ws_header(s.ws, "absent"));
	ws_close(s.ws, 0);
	finish(&s, &server);
}

static void our_headers_reach_the_server(void **state)
{
	(void)state;
	static struct server server;
	const char *headers[] = { "Authorization: Token x", "X-A: 1", NULL };
	struct ws_cfg cfg = { .headers = headers, .protocol = "graphql" };
	struct seen s = { .stop_at_message = 1 };

	server_start(&server, expect_headers, NULL, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	loop_run(s.loop);
	assert_string_equal(s.last, "good");
	ws_close(s.ws, 1000);
	finish(&s, &server);
}

static void a_header_with_a_line_break_is_refused(void **state)
{
	(void)state;
	const char *headers[] = { "X: a\r\nY: b", NULL };
	struct ws_cfg cfg = { .url = "ws://127.0.0.1:1/", .headers = headers };
	struct seen s = { 0 };

	assert_int_equal(loop_create(&s.loop, NULL), 0);
	assert_int_equal(ws_open(&s.ws, s.loop, &cfg, &ops, &s), -EINVAL);
	cfg.headers = NULL;
	cfg.url = "http://127.0.0.1/";
	assert_int_equal(ws_open(&s.ws, s.loop, &cfg, &ops, &s), ERR_CONFIG);
	assert_null(s.ws);
	loop_destroy(s.loop);
}

static void big_messages_survive_in_both_directions(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { 0 };
	struct seen s = { .say = "x", .stop_at_message = 1 };
	size_t n = 2 << 20;
	uint8_t *big = malloc(n);

	memset(big, 'b', n);
	server_start(&server, echo, NULL, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	loop_run(s.loop);
	assert_int_equal(ws_send(s.ws, big, n, false), 0);
	assert_int_equal(ws_send(s.ws, big, 70000, false), 0);
	assert_int_equal(ws_queued(s.ws), n + 70000);
	s.stop_at_message = 3;
	loop_run(s.loop);
	assert_int_equal(s.n_message, 3);
	assert_int_equal(s.total, 1 + n + 70000);
	assert_int_equal(s.last_len, 70000);
	/* a queue that nobody empties has an end */
	assert_int_equal(ws_send(s.ws, big, n, false), 0);
	assert_int_equal(ws_send(s.ws, big, n, false), 0);
	assert_int_equal(ws_send(s.ws, big, 1, false), ERR_FULL);
	ws_close(s.ws, 0);
	free(big);
	finish(&s, &server);
}

/* ---- frames --------------------------------------------------------------- */

static void send_pieces(struct conn *c)
{
	uint8_t burst[256], p[256];
	size_t n = 0, len;

	/* three whole messages in one packet with the 101 */
	n += ws_frame(burst + n, 0x81, "one", 3);
	n += ws_frame(burst + n, 0x81, "two", 3);
	n += ws_frame(burst + n, 0x82, "", 0);
	ws_accept_with(c, "", burst, n);
	ws_put(c, 0x01, "fr", 2);
	usleep(20000);
	ws_put(c, 0x89, "ping?", 5);
	ws_put(c, 0x00, "agm", 3);
	/* header and payload in single bytes */
	n = ws_frame(burst, 0x80, "ents", 4);
	for (size_t i = 0; i < n; i++)
		conn_write(c, burst + i, 1);
	CHECK(ws_get(c, p, sizeof p, &len) == 0x8a);
	CHECK(len == 5 && memcmp(p, "ping?", 5) == 0);
	ws_put(c, 0x81, "pong came", 9);
	conn_wait_end(c);
}

static void fragments_are_joined_and_pings_answered(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { 0 };
	struct seen s = { .stop_at_message = 5 };

	server_start(&server, send_pieces, NULL, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	loop_run(s.loop);
	assert_string_equal(s.all, "one|two||fragments|pong came|");
	assert_true(s.last_text);
	ws_close(s.ws, 1000);
	finish(&s, &server);
}

static void send_too_much(struct conn *c)
{
	uint8_t p[256];
	size_t n;

	ws_accept(c);
	for (int i = 0; i < 3; i++)
		ws_put(c, i ? 0x00 : 0x01, "0123456789", 10);
	CHECK(ws_get(c, p, sizeof p, &n) == 0x88);
	CHECK(n >= 2);
	*(int *)c->server->arg = p[0] << 8 | p[1];
}

static void a_message_over_the_limit_closes_with_1009(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { .max_message = 25 };
	struct seen s = { 0 };
	int code = 0;

	server_start(&server, send_too_much, &code, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	loop_run(s.loop);
	assert_int_equal(s.n_message, 0);
	assert_int_equal(s.err, ERR_PROTOCOL);
	assert_int_equal(s.status, 1009);
	run_for(s.loop, 100);
	assert_int_equal(s.n_close, 1);
	finish(&s, &server);
	assert_int_equal(code, 1009);
}

/* ---- ends ------------------------------------------------------------------- */

static void say_goodbye(struct conn *c)
{
	ws_accept(c);
	ws_put(c, 0x81, "last", 4);
	ws_put(c, 0x88, "\x03\xf3" "NET-0001", 10);
	conn_wait_end(c);
}

static void the_servers_close_code_and_reason_are_told(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { 0 };
	struct seen s = { 0 };

	server_start(&server, say_goodbye, NULL, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	loop_run(s.loop);
	assert_int_equal(s.n_message, 1);
	assert_int_equal(s.err, ERR_CLOSED);
	assert_int_equal(s.status, 1011);
	assert_string_equal(s.reason, "NET-0001");
	finish(&s, &server);
}

static void say_normal_goodbye(struct conn *c)
{
	ws_accept(c);
	ws_put(c, 0x88, "\x03\xe8", 2);
	conn_wait_end(c);
}

static void a_normal_close_is_no_error(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { 0 };
	struct seen s = { .err = 1 };

	server_start(&server, say_normal_goodbye, NULL, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	loop_run(s.loop);
	assert_int_equal(s.err, 0);
	assert_int_equal(s.status, 1000);
	finish(&s, &server);
}

static void cut_in_a_message(struct conn *c)
{
	ws_accept(c);
	ws_put(c, 0x81, "whole", 5);
	conn_write(c, "\x81\x20half", 6);
}

static void a_cut_in_mid_stream_is_1006(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { 0 };
	struct seen s = { 0 };

	server_start(&server, cut_in_a_message, NULL, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	loop_run(s.loop);
	assert_int_equal(s.n_open, 1);
	assert_int_equal(s.n_message, 1);
	assert_string_equal(s.last, "whole");
	assert_int_equal(s.err, ERR_CLOSED);
	assert_int_equal(s.status, 1006);
	run_for(s.loop, 50);
	assert_int_equal(s.n_close, 1);
	finish(&s, &server);
}

static void stay_mute(struct conn *c)
{
	conn_wait_end(c);
}

static void a_mute_server_runs_into_the_limit(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { .connect_ms = 100 };
	struct seen s = { 0 };

	server_start(&server, stay_mute, NULL, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	int64_t start_us = clock_mono_us();
	loop_run(s.loop);
	assert_in_range(clock_mono_us() - start_us, 90000, 1000000);
	assert_int_equal(s.n_open, 0);
	assert_int_equal(s.n_close, 1);
	assert_int_equal(s.err, -ETIMEDOUT);
	assert_int_equal(s.status, 0);
	finish(&s, &server);
}

static void nobody_there_is_told_once_and_later(void **state)
{
	(void)state;
	struct ws_cfg cfg = { 0 };
	struct seen s = { 0 };

	begin(&s, &cfg, NULL, "ws", "127.0.0.1", closed_port());
	loop_run(s.loop);
	assert_int_equal(s.err, -ECONNREFUSED);
	assert_int_equal(s.n_close, 1);
	begin(&s, &cfg, NULL, "ws", "no-such-host.invalid", 80);
	loop_run(s.loop);
	assert_true(s.err < 0);
	assert_string_equal(s.reason, "name not found");
	assert_int_equal(s.n_close, 2);
	finish(&s, NULL);
}

static void accept_and_ignore(struct conn *c)
{
	uint8_t p[256];
	size_t n;
	int first, pings = 0;

	ws_accept(c);
	while ((first = ws_get(c, p, sizeof p, &n)) >= 0) {
		pings += first == 0x89;
		if (c->server->arg && pings <= 3)
			ws_put(c, 0x8a, p, n);
	}
	if (!c->server->arg)
		CHECK(pings >= 1);
}

static void unanswered_pings_end_the_socket(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { .ping_ms = 30 };
	struct seen s = { 0 };

	server_start(&server, accept_and_ignore, NULL, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	loop_run(s.loop);
	assert_int_equal(s.n_open, 1);
	assert_int_equal(s.err, ERR_STALLED);
	assert_int_equal(s.status, 1006);
	finish(&s, &server);
}

static void answered_pings_keep_it_alive(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { .ping_ms = 30 };
	struct seen s = { 0 };

	server_start(&server, accept_and_ignore, "answer three", NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	int64_t start_us = clock_mono_us();
	loop_run(s.loop);
	/* three answered intervals, then three without an answer */
	assert_true(clock_mono_us() - start_us > 150000);
	assert_int_equal(s.err, ERR_STALLED);
	finish(&s, &server);
}

/* ---- refused handshakes ------------------------------------------------------- */

static void refuse_at_once(struct conn *c)
{
	conn_head(c);
	conn_puts(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 15\r\n"
		  "Content-Type: text/plain\r\n\r\nbad credentials");
	conn_wait_end(c);
}

static void refuse_slowly(struct conn *c)
{
	conn_head(c);
	conn_puts(c, "HTTP/1.1 429 Too Many Requests\r\n"
		  "Content-Length: 15\r\n\r\n");
	usleep(60000);
	conn_puts(c, "too many ");
	usleep(20000);
	conn_puts(c, "sockets");
	conn_wait_end(c);
}

static void refuse_in_chunks(struct conn *c)
{
	conn_head(c);
	conn_puts(c, "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n"
		  "\r\n");
	usleep(40000);
	conn_puts(c, "9\r\ntry later\r\n0\r\n\r\n");
	conn_wait_end(c);
}

static void refuse_without_words(struct conn *c)
{
	conn_head(c);
	conn_puts(c, "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n"
		  "Content-Length: 0\r\n\r\n");
	conn_wait_end(c);
}

static void refuse_and_stall(struct conn *c)
{
	conn_head(c);
	conn_puts(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 5000\r\n"
		  "\r\nbroken");
	conn_wait_end(c);
}

static void refused(script_h *script, SSL_CTX *tls, const char *ca, int err,
		    int status, const char *reason)
{
	static struct server server;
	struct ws_cfg cfg = { 0 };
	struct seen s = { 0 };

	server_start(&server, script, NULL, tls);
	begin(&s, &cfg, ca, tls ? "wss" : "ws", "localhost", server.port);
	loop_run(s.loop);
	assert_int_equal(s.n_open, 0);
	assert_int_equal(s.n_close, 1);
	assert_int_equal(s.status, status);
	assert_int_equal(s.err, err);
	assert_string_equal(s.reason, reason);
	run_for(s.loop, 30);
	assert_int_equal(s.n_close, 1);
	finish(&s, &server);
}

static void a_refusal_tells_status_and_body(void **state)
{
	(void)state;
	refused(refuse_at_once, NULL, NULL, ERR_AUTH, 401, "bad credentials");
	refused(refuse_slowly, NULL, NULL, ERR_LIMIT, 429, "too many socket");
	refused(refuse_in_chunks, NULL, NULL, ERR_SERVER, 503, "try later");
	refused(refuse_without_words, NULL, NULL, ERR_PROTOCOL, 302, "");
	refused(refuse_and_stall, NULL, NULL, ERR_REQUEST, 400, "broken");
}

static void a_refusal_over_tls_tells_its_late_body_too(void **state)
{
	(void)state;
	char ca[] = "/tmp/fd-ws-XXXXXX";

	close(mkstemp(ca));
	refused(refuse_slowly, make_tls("DNS:localhost", ca), ca, ERR_LIMIT,
		429, "too many socket");
	refused(refuse_at_once, make_tls("DNS:localhost", ca), ca, ERR_AUTH,
		401, "bad credentials");
	unlink(ca);
}

static void accept_wrongly(struct conn *c)
{
	conn_head(c);
	conn_puts(c, "HTTP/1.1 101 Switching Protocols\r\n"
		  "Upgrade: websocket\r\nConnection: Upgrade\r\n"
		  "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n");
	conn_wait_end(c);
}

static void hang_up_at_once(struct conn *c)
{
	conn_head(c);
}

static void a_handshake_that_is_wrong_fails(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { 0 };
	struct seen s = { 0 };

	server_start(&server, accept_wrongly, NULL, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	loop_run(s.loop);
	assert_int_equal(s.n_open, 0);
	assert_int_equal(s.err, ERR_PROTOCOL);
	finish(&s, &server);
	s = (struct seen){ 0 };
	server_start(&server, hang_up_at_once, NULL, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	loop_run(s.loop);
	assert_int_equal(s.n_open, 0);
	assert_int_equal(s.err, ERR_CLOSED);
	assert_int_equal(s.n_close, 1);
	finish(&s, &server);
}

/* ---- closing by us -------------------------------------------------------------- */

struct tally {
	_Atomic int messages, code;
	_Atomic bool dropped;
};

static void count_messages(struct conn *c)
{
	uint8_t *p = malloc(1 << 20);
	struct tally *t = c->server->arg;
	size_t n;
	int first;

	ws_accept(c);
	ws_put(c, 0x81, "go", 2);
	ws_put(c, 0x81, "on", 2);
	while ((first = ws_get(c, p, 1 << 20, &n)) >= 0) {
		if (first == 0x88 && n >= 2) {
			t->code = p[0] << 8 | p[1];
			ws_put(c, 0x88, p, n);
			conn_wait_end(c);
			break;
		}
		t->messages++;
	}
	t->dropped = first < 0;
	free(p);
}

static void closing_sends_what_is_queued_first(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { 0 };
	struct tally t = { 0 };
	struct seen s = { .stop_at_message = 1 };
	static char block[40000];

	server_start(&server, count_messages, &t, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	loop_run(s.loop);
	for (int i = 0; i < 100; i++)
		assert_int_equal(ws_send(s.ws, block, sizeof block, false), 0);
	ws_close(s.ws, 4001);
	/* the loop is told to stop at once: it still says goodbye */
	loop_stop(s.loop);
	loop_run(s.loop);
	finish(&s, &server);
	assert_int_equal(t.messages, 100);
	assert_int_equal(t.code, 4001);
	assert_int_equal(s.n_close, 0);
}

static void closing_with_0_just_drops(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { 0 };
	struct tally t = { 0 };
	struct seen s = { .stop_at_message = 1 };

	server_start(&server, count_messages, &t, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	loop_run(s.loop);
	ws_close(s.ws, 0);
	run_for(s.loop, 50);
	finish(&s, &server);
	assert_int_equal(t.code, 0);
	assert_true(t.dropped);
	assert_int_equal(s.n_close, 0);
}

static void closing_inside_a_callback_silences_it(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { 0 };
	struct tally t = { 0 };
	struct seen s = { .close_on_message = true };

	server_start(&server, count_messages, &t, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	run_for(s.loop, 100);
	assert_int_equal(s.n_message, 1);
	assert_int_equal(s.n_close, 0);
	finish(&s, &server);
	assert_int_equal(t.code, 1000);

	s = (struct seen){ .close_on_open = true };
	server_start(&server, count_messages, &t, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	loop_run(s.loop);
	run_for(s.loop, 50);
	assert_int_equal(s.n_open, 1);
	assert_int_equal(s.n_message, 0);
	finish(&s, &server);
}

static void closing_while_it_opens_calls_nobody(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { 0 };
	struct seen s = { 0 };

	server_start(&server, stay_mute, NULL, NULL);
	for (int64_t wait_ms = 0; wait_ms < 12; wait_ms += 3) {
		begin(&s, &cfg, NULL, "ws", "localhost", server.port);
		if (wait_ms)
			run_for(s.loop, wait_ms);
		ws_close(s.ws, 1000);
	}
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", closed_port());
	ws_close(s.ws, 1000);
	ws_close(NULL, 1000);
	run_for(s.loop, 50);
	assert_int_equal(s.n_open + s.n_close, 0);
	finish(&s, &server);
}

static void a_loop_may_end_with_open_sockets(void **state)
{
	(void)state;
	static struct server server, mute;
	struct ws_cfg cfg = { 0 };
	struct tally t = { 0 };
	struct seen s = { .stop_at_message = 1 };

	server_start(&server, count_messages, &t, NULL);
	server_start(&mute, stay_mute, NULL, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	loop_run(s.loop);
	assert_int_equal(ws_send(s.ws, "x", 1, true), 0);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", mute.port);
	run_for(s.loop, 20);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", mute.port);
	finish(&s, &server);
	server_stop(&mute);
	assert_int_equal(s.n_close, 0);
}

/* ---- TLS ---------------------------------------------------------------------- */

static void tls_works_and_the_name_is_checked(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { 0 };
	struct seen s = { .say = "secret", .stop_at_message = 1 };
	char ca[] = "/tmp/fd-ws-XXXXXX";

	close(mkstemp(ca));
	server_start(&server, echo, NULL, make_tls("DNS:localhost", ca));
	begin(&s, &cfg, ca, "wss", "localhost", server.port);
	loop_run(s.loop);
	assert_string_equal(s.last, "secret");
	/* more than one TLS record at once */
	static char block[100000];
	assert_int_equal(ws_send(s.ws, block, sizeof block, false), 0);
	s.stop_at_message = 2;
	loop_run(s.loop);
	assert_int_equal(s.last_len, sizeof block);
	ws_close(s.ws, 1000);
	/* the same server by a name that its certificate does not have */
	begin(&s, &cfg, ca, "wss", "127.0.0.1", server.port);
	loop_run(s.loop);
	assert_int_equal(s.n_open, 1);
	assert_int_equal(s.n_close, 1);
	assert_int_equal(s.err, ERR_PROTOCOL);
	finish(&s, &server);
	unlink(ca);
}

static void an_address_in_the_certificate_counts(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { 0 };
	struct seen s = { .say = "x", .stop_at_message = 1 };
	char ca[] = "/tmp/fd-ws-XXXXXX";

	close(mkstemp(ca));
	server_start(&server, echo, NULL, make_tls("IP:127.0.0.1", ca));
	begin(&s, &cfg, ca, "wss", "127.0.0.1", server.port);
	loop_run(s.loop);
	assert_string_equal(s.last, "x");
	ws_close(s.ws, 1000);
	finish(&s, &server);
	unlink(ca);
}

static void an_unknown_issuer_is_refused(void **state)
{
	(void)state;
	static struct server server;
	struct ws_cfg cfg = { 0 };
	struct seen s = { 0 };
	char ca[] = "/tmp/fd-ws-XXXXXX", other[] = "/tmp/fd-ws-XXXXXX";

	close(mkstemp(ca));
	close(mkstemp(other));
	SSL_CTX_free(make_tls("DNS:localhost", other));
	server_start(&server, echo, NULL, make_tls("DNS:localhost", ca));
	begin(&s, &cfg, other, "wss", "localhost", server.port);
	loop_run(s.loop);
	assert_int_equal(s.n_open, 0);
	assert_int_equal(s.n_close, 1);
	assert_int_equal(s.err, ERR_PROTOCOL);
	finish(&s, &server);
	unlink(ca);
	unlink(other);
}

/* ---- proxy --------------------------------------------------------------------- */

static void relay(int a, int b)
{
	struct pollfd p[2] = { { .fd = a, .events = POLLIN },
			       { .fd = b, .events = POLLIN } };
	char bytes[4096];

	while (poll(p, 2, 3000) > 0) {
		for (int i = 0; i < 2; i++) {
			if (!p[i].revents)
				continue;
			ssize_t n = recv(p[i].fd, bytes, sizeof bytes, 0);
			if (n <= 0)
				return;
			send(p[1 - i].fd, bytes, (size_t)n, MSG_NOSIGNAL);
		}
	}
}

/* A CONNECT proxy that wants a password and sends all to one port. */
static void tunnel(struct conn *c)
{
	const int *port = c->server->arg;
	struct sockaddr_in a = { .sin_family = AF_INET };
	char want[64];

	snprintf(want, sizeof want, "CONNECT localhost:%d HTTP/1.1\r\n", *port);
	if (!conn_head(c) || !strstr(c->head, want) ||
	    !strcasestr(c->head, "proxy-authorization: basic dTpw\r\n")) {
		conn_puts(c, "HTTP/1.1 407 Who are you\r\n\r\n");
		return;
	}
	conn_puts(c, "HTTP/1.1 200 OK\r\n\r\n");
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)*port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
	relay(c->fd, fd);
	close(fd);
}

static void tls_goes_through_the_proxy(void **state)
{
	(void)state;
	static struct server server, proxy;
	struct ws_cfg cfg = { 0 };
	struct seen s = { .say = "via", .stop_at_message = 1 };
	char ca[] = "/tmp/fd-ws-XXXXXX", text[64];

	close(mkstemp(ca));
	server_start(&server, echo, NULL, make_tls("DNS:localhost", ca));
	server_start(&proxy, tunnel, &server.port, NULL);
	snprintf(text, sizeof text, "http://u:p@localhost:%d", proxy.port);
	setenv("https_proxy", text, 1);
	begin(&s, &cfg, ca, "wss", "localhost", server.port);
	loop_run(s.loop);
	assert_string_equal(s.last, "via");
	assert_int_equal(proxy.n_conns, 1);
	ws_close(s.ws, 1000);
	setenv("no_proxy", "example.com,localhost", 1);
	s.stop_at_message = 2;
	begin(&s, &cfg, ca, "wss", "localhost", server.port);
	loop_run(s.loop);
	assert_int_equal(s.n_message, 2);
	assert_int_equal(proxy.n_conns, 1);
	ws_close(s.ws, 1000);
	unsetenv("no_proxy");
	/* a proxy that refuses */
	snprintf(text, sizeof text, "http://localhost:%d", proxy.port);
	setenv("https_proxy", text, 1);
	begin(&s, &cfg, ca, "wss", "localhost", server.port);
	loop_run(s.loop);
	assert_int_equal(s.n_close, 1);
	assert_true(s.err < 0);
	unsetenv("https_proxy");
	finish(&s, &server);
	server_stop(&proxy);
	unlink(ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_go_there_and_back),
		cmocka_unit_test(headers_of_the_answer_can_be_read),
		cmocka_unit_test(our_headers_reach_the_server),
		cmocka_unit_test(a_header_with_a_line_break_is_refused),
		cmocka_unit_test(big_messages_survive_in_both_directions),
		cmocka_unit_test(fragments_are_joined_and_pings_answered),
		cmocka_unit_test(a_message_over_the_limit_closes_with_1009),
		cmocka_unit_test(the_servers_close_code_and_reason_are_told),
		cmocka_unit_test(a_normal_close_is_no_error),
		cmocka_unit_test(a_cut_in_mid_stream_is_1006),
		cmocka_unit_test(a_mute_server_runs_into_the_limit),
		cmocka_unit_test(nobody_there_is_told_once_and_later),
		cmocka_unit_test(unanswered_pings_end_the_socket),
		cmocka_unit_test(answered_pings_keep_it_alive),
		cmocka_unit_test(a_refusal_tells_status_and_body),
		cmocka_unit_test(a_refusal_over_tls_tells_its_late_body_too),
		cmocka_unit_test(a_handshake_that_is_wrong_fails),
		cmocka_unit_test(closing_sends_what_is_queued_first),
		cmocka_unit_test(closing_with_0_just_drops),
		cmocka_unit_test(closing_inside_a_callback_silences_it),
		cmocka_unit_test(closing_while_it_opens_calls_nobody),
		cmocka_unit_test(a_loop_may_end_with_open_sockets),
		cmocka_unit_test(tls_works_and_the_name_is_checked),
		cmocka_unit_test(an_address_in_the_certificate_counts),
		cmocka_unit_test(an_unknown_issuer_is_refused),
		cmocka_unit_test(tls_goes_through_the_proxy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
