/*
 * The agent worker: takes jobs on the sockets of worker_conn.c, tells load
 * and status, and knows which jobs are ours. On the loop. An availability
 * request is answered inside the callback that brought it: the server gives
 * a job up after three seconds, and asks nobody else.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "livekit/worker_int.h"

#define TICK_MS 2500
#define ASSIGN_LIMIT_MS 7500
#define REJOIN_GRACE_MS 10000

static struct worker_job *find_job(const struct worker *w, const char *id)
{
	for (struct worker_job *j = w->jobs; j; j = j->next) {
		if (str_eq(j->id, id))
			return j;
	}
	return NULL;
}

static void forget_job(struct worker_job *job)
{
	struct worker_job **at = &job->w->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	timer_stop(&job->lapse);
	free(job->id);
	free(job->error);
	free(job);
}

static void destroy(struct worker *w)
{
	timer_stop(&w->tick);
	while (w->jobs)
		forget_job(w->jobs);
	for (size_t i = 0; i < w->n_conns; i++)
		worker_conn_finish(&w->conns[i]);
	free(w->conns);
	free(w->url);
	free(w->key);
	free(w->secret);
	free(w->version);
	free(w);
}

void worker_hold(struct worker *w)
{
	w->depth++;
}

bool worker_release(struct worker *w)
{
	assert(w->depth > 0);
	if (--w->depth || !w->closing)
		return true;
	destroy(w);
	return false;
}

/* ---- load and status ----------------------------------------------------- */

static uint32_t running_jobs(const struct worker *w)
{
	uint32_t n = 0;

	for (struct worker_job *j = w->jobs; j; j = j->next)
		n += !j->ended;
	return n;
}

static void tell_load(struct worker *w)
{
	bool full = false;
	float load = w->ops.load ? w->ops.load(w->arg, &full) : 0;
	Livekit__UpdateWorkerStatus u = LIVEKIT__UPDATE_WORKER_STATUS__INIT;
	Livekit__WorkerMessage m = LIVEKIT__WORKER_MESSAGE__INIT;

	u.said_case = LIVEKIT__UPDATE_WORKER_STATUS__SAID_STATUS;
	u.status = full || w->draining ? LIVEKIT__WORKER_STATUS__WS_FULL :
					 LIVEKIT__WORKER_STATUS__WS_AVAILABLE;
	u.load = load < 0 ? 0 : load > 1 ? 1 : load;
	u.job_count = running_jobs(w);
	u.draining = w->draining;
	m.message_case = LIVEKIT__WORKER_MESSAGE__MESSAGE_UPDATE_WORKER;
	m.update_worker = &u;
	for (size_t i = 0; i < w->n_conns; i++) {
		if (w->conns[i].state != CONN_REGISTERED)
			continue;
		u.seq = ++w->conns[i].seq;
		worker_conn_send(&w->conns[i], &m);
	}
}

static void on_tick(void *arg)
{
	struct worker *w = arg;

	timer_start(&w->tick, TICK_MS);
	worker_hold(w);
	tell_load(w);
	worker_release(w);
}

void worker_poke(struct worker *w)
{
	ON_LOOP();
	worker_hold(w);
	tell_load(w);
	worker_release(w);
}

void worker_drain(struct worker *w)
{
	ON_LOOP();
	w->draining = true;
	worker_poke(w);
}

/* ---- state ------------------------------------------------------------------ */

static enum worker_state sum_up(const struct worker *w)
{
	bool lost = false, connecting = false;

	for (size_t i = 0; i < w->n_conns; i++) {
		switch (w->conns[i].state) {
		case CONN_REFUSED:
			return WORKER_REFUSED;
		case CONN_LOST:
			lost = true;
			break;
		case CONN_CONNECTING:
			connecting = true;
			break;
		case CONN_REGISTERED:
			break;
		}
	}
	/* Trying again is still lost (or refused) until it succeeds. */
	if (connecting && w->state != WORKER_REGISTERED && !lost)
		return w->state;
	return lost || connecting ? WORKER_LOST : WORKER_REGISTERED;
}

void worker_conn_changed(struct worker *w, int err, const char *why)
{
	enum worker_state now = sum_up(w);

	assert(w->depth > 0);
	if (now == w->state || w->closing)
		return;
	w->state = now;
	if (w->ops.on_state)
		w->ops.on_state(w->arg, now, err, why);
}

static void tell_end(struct worker_job *job)
{
	Livekit__UpdateJobStatus u = LIVEKIT__UPDATE_JOB_STATUS__INIT;
	Livekit__WorkerMessage m = LIVEKIT__WORKER_MESSAGE__INIT;

	u.job_id = job->id;
	u.status = job->end == JOB_SUCCESS ? LIVEKIT__JOB_STATUS__JS_SUCCESS :
					     LIVEKIT__JOB_STATUS__JS_FAILED;
	u.error = job->error;
	m.message_case = LIVEKIT__WORKER_MESSAGE__MESSAGE_UPDATE_JOB;
	m.update_job = &u;
	if (worker_conn_send(job->conn, &m))
		forget_job(job);
}

/* The server's side of a new registration knows nothing of older jobs: tell
 * it which we still have (hosted servers use it, others ignore it). */
static void migrate(struct worker *w, struct worker_conn *c)
{
	Livekit__MigrateJobRequest req = LIVEKIT__MIGRATE_JOB_REQUEST__INIT;
	Livekit__WorkerMessage m = LIVEKIT__WORKER_MESSAGE__INIT;
	size_t n = 0;

	for (struct worker_job *j = w->jobs; j; j = j->next)
		n += j->conn == c && j->assigned;
	if (!n)
		return;
	req.job_ids = calloc(n, sizeof *req.job_ids);
	if (!req.job_ids)
		abort();
	for (struct worker_job *j = w->jobs; j; j = j->next) {
		if (j->conn == c && j->assigned)
			req.job_ids[req.n_job_ids++] = j->id;
	}
	m.message_case = LIVEKIT__WORKER_MESSAGE__MESSAGE_MIGRATE_JOB;
	m.migrate_job = &req;
	worker_conn_send(c, &m);
	free(req.job_ids);
}

void worker_conn_registered(struct worker *w, struct worker_conn *c)
{
	migrate(w, c);
	for (struct worker_job *j = w->jobs, *next; j; j = next) {
		next = j->next;
		if (j->conn == c && j->ended)
			tell_end(j);
	}
	tell_load(w);
}

/* ---- jobs ------------------------------------------------------------------- */

/* attrs is freed by the caller; everything is borrowed from job. */
static struct lk_job job_view(const Livekit__Job *job,
			      const struct worker_conn *c,
			      const struct lk_pair *attrs)
{
	const char *name = job->agent_name && *job->agent_name ?
			   job->agent_name : c->name;

	return (struct lk_job){
		.id = job->id,
		.room = job->room ? job->room->name : "",
		.room_sid = job->room ? job->room->sid : "",
		.agent_name = name,
		.metadata = job->metadata,
		.dispatch_id = job->dispatch_id,
		.participant = job->participant ? job->participant->identity :
						  NULL,
		.attributes = attrs,
	};
}

static void lapsed(void *arg)
{
	struct worker_job *job = arg;
	struct worker *w = job->w;
	char *id = str_dup(job->id);

	forget_job(job);
	worker_hold(w);
	if (w->ops.on_lapsed)
		w->ops.on_lapsed(w->arg, id);
	worker_release(w);
	free(id);
}

static void reserve_job(struct worker *w, struct worker_conn *c, const char *id)
{
	struct worker_job *job = calloc(1, sizeof *job);

	if (!job)
		abort();
	job->w = w;
	job->conn = c;
	job->id = str_dup(id);
	job->rejoined_ms = INT64_MIN;
	job->next = w->jobs;
	w->jobs = job;
	timer_init(&job->lapse, loop_clock(w->loop), lapsed, job);
	timer_start(&job->lapse, ASSIGN_LIMIT_MS);
}

static void answer(struct worker_conn *c, const char *id, bool available)
{
	Livekit__AvailabilityResponse res = LIVEKIT__AVAILABILITY_RESPONSE__INIT;
	Livekit__WorkerMessage m = LIVEKIT__WORKER_MESSAGE__INIT;
	const struct lk_pair attrs[] = { { "lk.agent.name", c->name }, { 0 } };
	struct proto_map map;
	char *identity = str_printf("agent-%s", id);

	proto_map_init(&map,
		&livekit__availability_response__participant_attributes_entry__descriptor,
		attrs);
	res.job_id = (char *)id;
	res.available = available;
	res.participant_identity = identity;
	res.participant_name = c->name;
	res.n_participant_attributes = map.n;
	res.participant_attributes = (void *)map.ptrs;
	m.message_case = LIVEKIT__WORKER_MESSAGE__MESSAGE_AVAILABILITY;
	m.availability = &res;
	worker_conn_send(c, &m);
	proto_map_free(&map);
	free(identity);
}

static void on_availability(struct worker *w, struct worker_conn *c,
			    const Livekit__AvailabilityRequest *req)
{
	const Livekit__Job *pb = req->job;

	if (!pb || str_blank(pb->id))
		return;
	struct lk_pair *attrs = proto_pairs((void **)pb->attributes,
					    pb->n_attributes);
	struct lk_job job = job_view(pb, c, attrs);
	bool take = !w->draining && !find_job(w, pb->id) &&
		    w->ops.on_request(w->arg, &job);
	free(attrs);
	if (w->closing)
		return;
	answer(c, pb->id, take);
	if (take)
		reserve_job(w, c, pb->id);
}

/* Too late: nobody here will join, and the server should know. */
static void refuse_assignment(struct worker_conn *c, const char *id)
{
	Livekit__UpdateJobStatus u = LIVEKIT__UPDATE_JOB_STATUS__INIT;
	Livekit__WorkerMessage m = LIVEKIT__WORKER_MESSAGE__INIT;

	u.job_id = (char *)id;
	u.status = LIVEKIT__JOB_STATUS__JS_FAILED;
	u.error = "assigned too late";
	m.message_case = LIVEKIT__WORKER_MESSAGE__MESSAGE_UPDATE_JOB;
	m.update_job = &u;
	worker_conn_send(c, &m);
}

static void on_assignment(struct worker *w, struct worker_conn *c,
			  const Livekit__JobAssignment *a)
{
	const Livekit__Job *pb = a->job;

	if (!pb)
		return;
	struct worker_job *mine = find_job(w, pb->id);
	if (!mine) {
		refuse_assignment(c, pb->id);
		return;
	}
	if (mine->assigned)
		return;
	mine->assigned = true;
	timer_stop(&mine->lapse);
	struct lk_pair *attrs = proto_pairs((void **)pb->attributes,
					    pb->n_attributes);
	struct lk_job job = job_view(pb, c, attrs);
	const char *url = str_blank(a->url) ? w->url : a->url;
	w->ops.on_job(w->arg, &job, url, a->token);
	free(attrs);
}

static void on_termination(struct worker *w, const char *id)
{
	struct worker_job *job = find_job(w, id);
	int64_t now_ms = clock_now_ms(loop_clock(w->loop));

	if (!job || job->ended)
		return; /* the echo of our own end */
	if (job->rejoined_ms != INT64_MIN &&
	    now_ms - job->rejoined_ms < REJOIN_GRACE_MS)
		return;
	if (w->ops.on_terminate)
		w->ops.on_terminate(w->arg, id);
}

void worker_on_message(struct worker *w, struct worker_conn *c,
		       const Livekit__ServerMessage *m)
{
	assert(w->depth > 0);
	switch (m->message_case) {
	case LIVEKIT__SERVER_MESSAGE__MESSAGE_AVAILABILITY:
		on_availability(w, c, m->availability);
		break;
	case LIVEKIT__SERVER_MESSAGE__MESSAGE_ASSIGNMENT:
		on_assignment(w, c, m->assignment);
		break;
	case LIVEKIT__SERVER_MESSAGE__MESSAGE_TERMINATION:
		on_termination(w, m->termination->job_id);
		break;
	default:
		break; /* servers add new ones in every release */
	}
}

void worker_job_end(struct worker *w, const char *job_id, enum job_end end,
		    const char *error)
{
	ON_LOOP();
	struct worker_job *job = find_job(w, job_id);

	if (!job || job->ended)
		return;
	timer_stop(&job->lapse);
	job->ended = true;
	job->end = end;
	job->error = utf8_clean(error ? error : "");
	tell_end(job);
}

void worker_job_rejoined(struct worker *w, const char *job_id)
{
	ON_LOOP();
	struct worker_job *job = find_job(w, job_id);

	if (job)
		job->rejoined_ms = clock_now_ms(loop_clock(w->loop));
}

/* ---- life ------------------------------------------------------------------- */

static size_t count_names(const char *const *names)
{
	size_t n = 0;

	while (names && names[n])
		n++;
	return n;
}

int worker_create(struct worker **ret_worker, struct loop *l,
		  const struct worker_cfg *cfg, const struct worker_ops *ops,
		  void *arg)
{
	ON_LOOP();
	size_t n = count_names(cfg->agent_names);

	assert(ops->on_request && ops->on_job);
	if (!n || str_blank(cfg->account.url))
		return ERR_CONFIG;
	struct worker *w = calloc(1, sizeof *w);
	if (!w)
		return -ENOMEM;
	w->loop = l;
	w->ops = *ops;
	w->arg = arg;
	w->state = WORKER_CONNECTING;
	w->url = str_dup(cfg->account.url);
	w->key = str_dup(cfg->account.api_key);
	w->secret = str_dup(cfg->account.api_secret);
	w->version = str_dup(cfg->version);
	timer_init(&w->tick, loop_clock(l), on_tick, w);
	w->conns = calloc(n, sizeof *w->conns);
	if (!w->conns) {
		destroy(w);
		return -ENOMEM;
	}
	for (; w->n_conns < n; w->n_conns++)
		worker_conn_init(&w->conns[w->n_conns], w,
				 cfg->agent_names[w->n_conns]);
	for (size_t i = 0; i < n; i++)
		worker_conn_start(&w->conns[i]);
	timer_start(&w->tick, TICK_MS);
	*ret_worker = w;
	return 0;
}

void worker_close(struct worker *w)
{
	ON_LOOP();
	if (!w)
		return;
	w->closing = true;
	if (!w->depth)
		destroy(w);
}
