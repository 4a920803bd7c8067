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
	static uint8_t p[3 << 20];
	size_t n;
	int first;

	if (!ws_accept_with(c, "dg-request-id: 42-abc\r\n", "", 0))
		return;
	while ((first = ws_get(c, p, sizeof p, &n)) >= 0) {
		ws_put(c, first, p, n);
		if ((first & 15) == 8)
			break;
	}
}

static void messages_go_there_and_back_with_headers(void **state)
{
	(void)state;
	struct server server;
	const char *headers[] = { "Authorization: Token x", "X-A: 1", NULL };
	struct ws_cfg cfg = { .headers = headers };
	struct seen s = { .say = "hello", .stop_at_message = 1 };

	server_start(&server, echo, NULL, NULL);
	begin(&s, &cfg, NULL, "ws", "127.0.0.1", server.port);
	assert_int_equal(ws_send(s.ws, "x", 1, true), ERR_CLOSED);
	loop_run(s.loop);
	assert_int_equal(s.n_open, 1);
	assert_string_equal(s.last, "hello");
	assert_true(s.last_text);
	assert_string_equal(s.header, "42-abc");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_go_there_and_back_with_headers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
