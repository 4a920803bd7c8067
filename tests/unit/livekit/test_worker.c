/* The worker against a server played by the test, on virtual time. */
#include "fake_net.h"

#include "livekit/worker_int.h"

static char trail[1024];  /* what was called back, in order */
static struct worker *worker;
static bool take, full, close_in_request;
static float load;

static void note(const char *fmt, ...)
{
	size_t n = strlen(trail);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(trail + n, sizeof trail - n, fmt, ap);
	va_end(ap);
}

static bool on_request(void *arg, const struct lk_job *job)
{
	(void)arg;
	note("request %s %s;", job->id, job->agent_name);
	if (close_in_request)
		worker_close(worker);
	return take;
}

static void on_job(void *arg, const struct lk_job *job, const char *url,
		   const char *token)
{
	(void)arg;
	note("job %s %s %s %s %s=%s;", job->id, job->room, url, token,
	     job->attributes[0].key ? job->attributes[0].key : "",
	     job->attributes[0].key ? job->attributes[0].value : "");
}

static void on_lapsed(void *arg, const char *id)
{
	(void)arg;
	note("lapsed %s;", id);
}

static void on_terminate(void *arg, const char *id)
{
	(void)arg;
	note("terminate %s;", id);
}

static void on_state(void *arg, enum worker_state s, int err, const char *why)
{
	(void)arg;
	(void)why;
	note("state %d %s;", (int)s, err_name(err));
}

static float get_load(void *arg, bool *ret_full)
{
	(void)arg;
	*ret_full = full;
	return load;
}

static void start(const char *const *names)
{
	static const struct worker_ops ops = { on_request, on_job, on_lapsed,
		on_terminate, on_state, get_load };
	struct worker_cfg cfg = {
		.account = { "http://127.0.0.1:7880/", "key", "secret" },
		.agent_names = names, .version = "1.2",
	};

	trail[0] = 0;
	take = true;
	full = close_in_request = false;
	load = 0.25f;
	assert_int_equal(worker_create(&worker, &fake_loop, &cfg, &ops, NULL), 0);
	assert_int_equal(n_sockets, 0);
	pass_ms(0);
}

static void expect_trail(const char *want)
{
	assert_string_equal(trail, want);
	trail[0] = 0;
}

/* The next message that the worker sent on w. Freed by the caller. */
static Livekit__WorkerMessage *next_sent(struct ws *w)
{
	assert_true(w->n_read < w->n_sent);
	struct buf *b = &w->sent[w->n_read++];
	Livekit__WorkerMessage *m =
		livekit__worker_message__unpack(NULL, b->len, b->p);
	assert_non_null(m);
	return m;
}

static void skip_sent(struct ws *w)
{
	w->n_read = w->n_sent;
}

static void open_and_register(struct ws *w)
{
	Livekit__RegisterWorkerResponse res = LIVEKIT__REGISTER_WORKER_RESPONSE__INIT;
	Livekit__ServerMessage m = LIVEKIT__SERVER_MESSAGE__INIT;

	w->ops.on_open(w->arg);
	res.worker_id = "AW_1";
	m.message_case = LIVEKIT__SERVER_MESSAGE__MESSAGE_REGISTER;
	m.register_ = &res;
	socket_says(w, &m);
}

static void ask(struct ws *w, const char *id)
{
	Livekit__Room room = LIVEKIT__ROOM__INIT;
	Livekit__Job job = LIVEKIT__JOB__INIT;
	Livekit__AvailabilityRequest req = LIVEKIT__AVAILABILITY_REQUEST__INIT;
	Livekit__ServerMessage m = LIVEKIT__SERVER_MESSAGE__INIT;

	room.name = "r1";
	job.id = (char *)id;
	job.room = &room;
	req.job = &job;
	m.message_case = LIVEKIT__SERVER_MESSAGE__MESSAGE_AVAILABILITY;
	m.availability = &req;
	socket_says(w, &m);
}

static void assign(struct ws *w, const char *id, const char *url)
{
	const struct lk_pair attrs[] = { { "k", "v" }, { 0 } };
	struct proto_map map;
	Livekit__Room room = LIVEKIT__ROOM__INIT;
	Livekit__Job job = LIVEKIT__JOB__INIT;
	Livekit__JobAssignment a = LIVEKIT__JOB_ASSIGNMENT__INIT;
	Livekit__ServerMessage m = LIVEKIT__SERVER_MESSAGE__INIT;

	proto_map_init(&map, &livekit__job__attributes_entry__descriptor, attrs);
	room.name = "r1";
	job.id = (char *)id;
	job.room = &room;
	job.n_attributes = map.n;
	job.attributes = (void *)map.ptrs;
	a.job = &job;
	a.url = (char *)url;
	a.token = "tok";
	m.message_case = LIVEKIT__SERVER_MESSAGE__MESSAGE_ASSIGNMENT;
	m.assignment = &a;
	socket_says(w, &m);
	proto_map_free(&map);
}

static void terminate(struct ws *w, const char *id)
{
	Livekit__JobTermination t = LIVEKIT__JOB_TERMINATION__INIT;
	Livekit__ServerMessage m = LIVEKIT__SERVER_MESSAGE__INIT;

	t.job_id = (char *)id;
	m.message_case = LIVEKIT__SERVER_MESSAGE__MESSAGE_TERMINATION;
	m.termination = &t;
	socket_says(w, &m);
}

static const char *const one[] = { "clinic", NULL };

static void every_name_registers_on_a_socket_of_its_own(void **state)
{
	(void)state;
	static const char *const names[] = { "clinic", "other", NULL };

	start(names);
	assert_int_equal(n_sockets, 2);
	assert_string_equal(sockets[0]->url, "ws://127.0.0.1:7880/agent?protocol=1");
	assert_true(str_has_prefix(sockets[0]->auth, "Authorization: Bearer ey"));
	open_and_register(sockets[0]);
	expect_trail("");
	open_and_register(sockets[1]);
	expect_trail("state 1 OK;");
	Livekit__WorkerMessage *m = next_sent(sockets[1]);
	assert_int_equal(m->message_case,
			 LIVEKIT__WORKER_MESSAGE__MESSAGE_REGISTER);
	assert_string_equal(m->register_->agent_name, "other");
	assert_string_equal(m->register_->version, "1.2");
	assert_true(m->register_->allowed_permissions->can_publish &&
		    m->register_->allowed_permissions->can_subscribe &&
		    m->register_->allowed_permissions->can_publish_data &&
		    m->register_->allowed_permissions->can_update_metadata);
	assert_false(m->register_->allowed_permissions->hidden);
	livekit__worker_message__free_unpacked(m, NULL);
	worker_close(worker);
	assert_int_equal(sockets[0]->close_code, 1000);
}

static void availability_is_answered_inside_the_callback(void **state)
{
	(void)state;
	start(one);
	open_and_register(socket_now());
	skip_sent(socket_now());
	ask(socket_now(), "AJ_1");
	Livekit__WorkerMessage *m = next_sent(socket_now());
	assert_int_equal(m->message_case,
			 LIVEKIT__WORKER_MESSAGE__MESSAGE_AVAILABILITY);
	assert_true(m->availability->available);
	assert_string_equal(m->availability->participant_identity, "agent-AJ_1");
	assert_string_equal(m->availability->participant_attributes[0]->key,
			    "lk.agent.name");
	livekit__worker_message__free_unpacked(m, NULL);
	assign(socket_now(), "AJ_1", "");
	expect_trail("state 1 OK;request AJ_1 clinic;"
		     "job AJ_1 r1 http://127.0.0.1:7880/ tok k=v;");
	assign(socket_now(), "AJ_1", ""); /* twice is once */
	expect_trail("");
	take = false;
	ask(socket_now(), "AJ_2");
	m = next_sent(socket_now());
	assert_false(m->availability->available || m->availability->terminate);
	livekit__worker_message__free_unpacked(m, NULL);
	worker_close(worker);
}

static void an_assignment_may_name_another_address(void **state)
{
	(void)state;
	start(one);
	open_and_register(socket_now());
	ask(socket_now(), "AJ_1");
	trail[0] = 0;
	assign(socket_now(), "AJ_1", "wss://near.example");
	expect_trail("job AJ_1 r1 wss://near.example tok k=v;");
	worker_close(worker);
}

static void what_is_not_assigned_in_time_lapses(void **state)
{
	(void)state;
	start(one);
	open_and_register(socket_now());
	ask(socket_now(), "AJ_1");
	trail[0] = 0;
	pass_ms(7499);
	expect_trail("");
	pass_ms(1);
	expect_trail("lapsed AJ_1;");
	skip_sent(socket_now());
	assign(socket_now(), "AJ_1", ""); /* too late: refused, not taken */
	expect_trail("");
	Livekit__WorkerMessage *m = next_sent(socket_now());
	assert_int_equal(m->update_job->status, LIVEKIT__JOB_STATUS__JS_FAILED);
	livekit__worker_message__free_unpacked(m, NULL);
	worker_close(worker);
}

static void load_is_told_every_2500_ms_and_on_poke(void **state)
{
	(void)state;
	start(one);
	open_and_register(socket_now());
	skip_sent(socket_now());
	pass_ms(2500);
	Livekit__WorkerMessage *m = next_sent(socket_now());
	assert_int_equal(m->message_case,
			 LIVEKIT__WORKER_MESSAGE__MESSAGE_UPDATE_WORKER);
	assert_true(m->update_worker->load > 0.24f &&
		    m->update_worker->load < 0.26f);
	assert_int_equal(m->update_worker->said_case,
			 LIVEKIT__UPDATE_WORKER_STATUS__SAID_STATUS);
	assert_int_equal(m->update_worker->status,
			 LIVEKIT__WORKER_STATUS__WS_AVAILABLE);
	uint64_t seq = m->update_worker->seq;
	livekit__worker_message__free_unpacked(m, NULL);

	full = true;
	load = 7;
	ask(socket_now(), "AJ_1");
	skip_sent(socket_now());
	worker_poke(worker);
	m = next_sent(socket_now());
	assert_int_equal(m->update_worker->seq, seq + 1);
	assert_int_equal(m->update_worker->status, LIVEKIT__WORKER_STATUS__WS_FULL);
	assert_int_equal(m->update_worker->job_count, 1);
	assert_true(m->update_worker->load == 1);
	assert_false(m->update_worker->draining);
	livekit__worker_message__free_unpacked(m, NULL);
	worker_close(worker);
}

static void draining_takes_nothing_and_keeps_the_socket(void **state)
{
	(void)state;
	start(one);
	open_and_register(socket_now());
	skip_sent(socket_now());
	worker_drain(worker);
	Livekit__WorkerMessage *m = next_sent(socket_now());
	assert_true(m->update_worker->draining);
	assert_int_equal(m->update_worker->status, LIVEKIT__WORKER_STATUS__WS_FULL);
	livekit__worker_message__free_unpacked(m, NULL);
	trail[0] = 0;
	ask(socket_now(), "AJ_1");
	expect_trail(""); /* not even asked */
	m = next_sent(socket_now());
	assert_false(m->availability->available);
	livekit__worker_message__free_unpacked(m, NULL);
	assert_false(socket_now()->closed);
	worker_close(worker);
}

static void a_lost_socket_comes_back_and_tells_its_jobs(void **state)
{
	(void)state;
	start(one);
	open_and_register(socket_now());
	ask(socket_now(), "AJ_1");
	assign(socket_now(), "AJ_1", "");
	trail[0] = 0;
	pass_ms(20000);
	socket_ends(socket_now(), ERR_CLOSED, 1006, "gone");
	expect_trail("state 2 ERR_CLOSED;");
	assert_int_equal(n_sockets, 1);
	pass_ms(2000); /* between one and two seconds, jittered */
	assert_int_equal(n_sockets, 2);
	expect_trail(""); /* trying is still lost */
	open_and_register(socket_now());
	expect_trail("state 1 OK;");
	Livekit__WorkerMessage *m = next_sent(socket_now());
	livekit__worker_message__free_unpacked(m, NULL);
	m = next_sent(socket_now());
	assert_int_equal(m->message_case,
			 LIVEKIT__WORKER_MESSAGE__MESSAGE_MIGRATE_JOB);
	assert_int_equal(m->migrate_job->n_job_ids, 1);
	assert_string_equal(m->migrate_job->job_ids[0], "AJ_1");
	livekit__worker_message__free_unpacked(m, NULL);
	worker_close(worker);
}

static void it_tries_for_ever_with_pauses_up_to_ten_seconds(void **state)
{
	(void)state;
	start(one);
	for (int i = 0; i < 40; i++) {
		size_t before = n_sockets;
		socket_ends(socket_now(), -ECONNREFUSED, 0, "refused");
		pass_ms(i < 5 ? 999 : 4999);
		assert_int_equal(n_sockets, before);
		pass_ms(i < 5 ? 9001 : 5001);
		assert_int_equal(n_sockets, before + 1);
	}
	expect_trail("state 2 ECONNREFUSED;");
	open_and_register(socket_now());
	expect_trail("state 1 OK;");
	worker_close(worker);
}

static void wrong_keys_are_told_apart_and_tried_slowly(void **state)
{
	(void)state;
	start(one);
	socket_ends(socket_now(), ERR_PROTOCOL, 401, "invalid token");
	expect_trail("state 3 ERR_AUTH;");
	pass_ms(14999);
	assert_int_equal(n_sockets, 1);
	pass_ms(15001);
	assert_int_equal(n_sockets, 2);
	open_and_register(socket_now());
	expect_trail("state 1 OK;");
	worker_close(worker);
}

static void an_unanswered_register_is_given_up(void **state)
{
	(void)state;
	start(one);
	socket_now()->ops.on_open(socket_now()->arg);
	pass_ms(10000);
	expect_trail("state 2 ETIMEDOUT;");
	assert_true(sockets[0]->closed);
	pass_ms(2000);
	assert_int_equal(n_sockets, 2);
	worker_close(worker);
}

static void going_away_is_like_a_restart(void **state)
{
	(void)state;
	Livekit__AgentHttp__GoAway bye = LIVEKIT__AGENT_HTTP__GO_AWAY__INIT;
	Livekit__ServerMessage m = LIVEKIT__SERVER_MESSAGE__INIT;

	start(one);
	open_and_register(socket_now());
	m.message_case = LIVEKIT__SERVER_MESSAGE__MESSAGE_GO_AWAY;
	m.go_away = &bye;
	socket_says(socket_now(), &m);
	expect_trail("state 1 OK;state 2 ERR_CLOSED;");
	assert_true(sockets[0]->closed);
	pass_ms(2000);
	assert_int_equal(n_sockets, 2);
	worker_close(worker);
}

static void termination_reaches_us_but_not_for_our_own_rejoin(void **state)
{
	(void)state;
	start(one);
	open_and_register(socket_now());
	ask(socket_now(), "AJ_1");
	assign(socket_now(), "AJ_1", "");
	trail[0] = 0;
	terminate(socket_now(), "AJ_9"); /* nobody's */
	worker_job_rejoined(worker, "AJ_1");
	pass_ms(9999);
	terminate(socket_now(), "AJ_1");
	expect_trail("");
	pass_ms(1);
	terminate(socket_now(), "AJ_1");
	expect_trail("terminate AJ_1;");
	worker_job_end(worker, "AJ_1", JOB_SUCCESS, NULL);
	terminate(socket_now(), "AJ_1"); /* the echo */
	expect_trail("");
	worker_close(worker);
}

static void the_end_of_a_job_is_told_even_after_a_loss(void **state)
{
	(void)state;
	start(one);
	open_and_register(socket_now());
	ask(socket_now(), "AJ_1");
	assign(socket_now(), "AJ_1", "");
	socket_ends(socket_now(), ERR_CLOSED, 1006, "");
	worker_job_end(worker, "AJ_1", JOB_FAILED, "no\xffword");
	pass_ms(2000);
	open_and_register(socket_now());
	bool told = false;
	while (socket_now()->n_read < socket_now()->n_sent) {
		Livekit__WorkerMessage *m = next_sent(socket_now());
		if (m->message_case == LIVEKIT__WORKER_MESSAGE__MESSAGE_UPDATE_JOB) {
			told = true;
			assert_int_equal(m->update_job->status,
					 LIVEKIT__JOB_STATUS__JS_FAILED);
			assert_string_equal(m->update_job->error,
					    "no\xef\xbf\xbdword");
		}
		livekit__worker_message__free_unpacked(m, NULL);
	}
	assert_true(told);
	worker_close(worker);
}

static void strange_messages_do_no_harm(void **state)
{
	(void)state;
	Livekit__ServerMessage empty = LIVEKIT__SERVER_MESSAGE__INIT;
	struct ws *w;

	start(one);
	w = socket_now();
	open_and_register(w);
	w->ops.on_message(w->arg, (const uint8_t *)"\xff\xff\xff", 3, false);
	w->ops.on_message(w->arg, (const uint8_t *)"{}", 2, true);
	w->ops.on_message(w->arg, (const uint8_t *)"\xfa\x7f\x01x", 4, false);
	socket_says(w, &empty);
	ask(w, "");
	expect_trail("state 1 OK;");
	worker_close(worker);
}

static void it_may_be_closed_from_inside_a_callback(void **state)
{
	(void)state;
	start(one);
	open_and_register(socket_now());
	close_in_request = true;
	ask(socket_now(), "AJ_1");
	assert_true(sockets[0]->closed);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		T(every_name_registers_on_a_socket_of_its_own),
		T(availability_is_answered_inside_the_callback),
		T(an_assignment_may_name_another_address),
		T(what_is_not_assigned_in_time_lapses),
		T(load_is_told_every_2500_ms_and_on_poke),
		T(draining_takes_nothing_and_keeps_the_socket),
		T(a_lost_socket_comes_back_and_tells_its_jobs),
		T(it_tries_for_ever_with_pauses_up_to_ten_seconds),
		T(wrong_keys_are_told_apart_and_tried_slowly),
		T(an_unanswered_register_is_given_up),
		T(going_away_is_like_a_restart),
		T(termination_reaches_us_but_not_for_our_own_rejoin),
		T(the_end_of_a_job_is_told_even_after_a_loss),
		T(strange_messages_do_no_harm),
		T(it_may_be_closed_from_inside_a_callback),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
