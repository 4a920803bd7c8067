/*
 * The job: registers, takes calls while there is room, drains when told. On
 * the loop; the watchdog's handler runs on its own thread.
 */
#include "job/job.h"

#include <assert.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <uv.h>

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "job/load.h"

enum { MEDIA_MAX = 4, CALLS_A_CORE = 25, SAMPLE_MS = 500, STALL_MS = 2000,
       START_LIMIT_MS = 30000, FILES_WANTED = 16384 };

struct open_call {
	struct open_call *next;
	struct call *call;      /* NULL: reserved, not assigned yet */
	char *id;
};

struct job {
	const struct job_cfg *cfg;
	const struct settings *s;
	struct loop *loop;
	struct media *media[MEDIA_MAX];
	int n_media;
	struct providers *providers;
	struct lk_account account;
	struct lk_api *api;
	struct worker *worker;
	struct call_host host;
	struct open_call *calls;
	int n_calls, max_calls;
	struct load load;
	struct timer sample, start, grace;
	uv_signal_t sigterm, sigint;
	bool registered, draining;
	_Atomic int64_t stalled_us; /* when the watchdog last saw a stall */
	int exit_code;
};

/* ---- the calls we have ------------------------------------------------------ */

static struct open_call *find_call(struct job *j, const char *id)
{
	struct open_call *o = j->calls;

	while (o && !str_eq(o->id, id))
		o = o->next;
	return o;
}

static void drop_call(struct job *j, struct open_call *o)
{
	struct open_call **at = &j->calls;

	assert(j->n_calls > 0);
	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	j->n_calls--;
	free(o->id);
	free(o);
	worker_poke(j->worker);
}

static bool stalled_lately(struct job *j)
{
	int64_t at = atomic_load(&j->stalled_us);

	return at && clock_mono_us() - at < 10 * 1000000;
}

/* Why no further call is taken now; NULL: there is room. */
static const char *no_room(struct job *j)
{
	if (j->draining)
		return "draining";
	if (j->n_calls >= j->max_calls)
		return "calls";
	if (j->load.cpu > 0.9f)
		return "cpu";
	if (!providers_have_room(j->providers))
		return "provider slots";
	if (stalled_lately(j))
		return "loop stalled";
	return NULL;
}

/* ---- worker -------------------------------------------------------------------- */

static bool on_request(void *arg, const struct lk_job *job)
{
	struct job *j = arg;
	const char *why = no_room(j);
	struct bundle *b = j->cfg->find(j->cfg->arg, job);

	ON_LOOP();
	assert(!find_call(j, job->id)); /* the worker asks once for each */
	log_event(LOG_DEBUG, "job.request", LOG_STR("job", job->id),
		  LOG_INT("us", clock_mono_us()));
	if (!why && !b)
		why = "no such clinic";
	if (why) {
		log_event(LOG_WARN, "job.call_refused", LOG_STR("job", job->id),
			  LOG_STR("why", why));
		return false;
	}
	struct open_call *o = calloc(1, sizeof *o);
	if (!o)
		return false;
	o->id = str_dup(job->id);
	o->next = j->calls;
	j->calls = o;
	j->n_calls++;
	providers_warm(j->providers);
	providers_warm_voice(j->providers,
			     &j->cfg->clinic(b)->languages[0].tts[0]);
	return true;
}

static void on_lapsed(void *arg, const char *job_id)
{
	struct job *j = arg;
	struct open_call *o = find_call(j, job_id);

	if (o && !o->call)
		drop_call(j, o);
}

static void on_call_end(void *arg, struct call *c, enum call_end end)
{
	struct job *j = arg;
	struct open_call *o = find_call(j, call_id(c));
	bool failed = end == CALL_END_ERROR || end == CALL_END_LOST;

	ON_LOOP();
	assert(o && o->call == c); /* kept from its start to this very end */
	worker_job_end(j->worker, call_id(c), failed ? JOB_FAILED : JOB_SUCCESS,
		       failed ? call_end_name(end) : NULL);
	drop_call(j, o);
}

static void on_job(void *arg, const struct lk_job *job, const char *url,
		   const char *token)
{
	struct job *j = arg;
	struct open_call *o = find_call(j, job->id);
	struct bundle *b = j->cfg->find(j->cfg->arg, job);

	ON_LOOP();
	assert(!o || !o->call);
	if (!o || !b) { /* given up since: the caller must not wait for us */
		worker_job_end(j->worker, job->id, JOB_FAILED,
			       "no longer taken");
		if (o)
			drop_call(j, o);
		return;
	}
	struct call_cfg cfg = {
		.id = job->id, .room_url = url, .token = token,
		.room_name = job->room, .metadata = job->metadata,
		.caller = job->participant, .bundle = b,
		.clinic = j->cfg->clinic(b) };
	int r = call_start(&o->call, &j->host, &cfg, on_call_end, j);
	if (r < 0) {
		log_event(LOG_ERROR, "job.call_not_started",
			  LOG_STR("job", job->id), LOG_ERR("why", r));
		worker_job_end(j->worker, job->id, JOB_FAILED, err_text(r));
		drop_call(j, o);
		return;
	}
	log_event(LOG_INFO, "job.call", LOG_STR("job", job->id),
		  LOG_STR("room", job->room),
		  LOG_STR("clinic", cfg.clinic->name),
		  LOG_INT("calls", j->n_calls));
	worker_poke(j->worker);
}

static void on_terminate(void *arg, const char *job_id)
{
	struct job *j = arg;
	struct open_call *o = find_call(j, job_id);

	if (o && o->call)
		call_shut(o->call, CALL_END_LOST, 0);
}

static void give_up(struct job *j, int code)
{
	j->exit_code = code;
	loop_stop(j->loop);
}

/* A server's refusal may quote the token it refuses: never into a log. */
static char *without_tokens(const char *text)
{
	struct buf out = { 0 };

	for (const char *at = text ? text : ""; *at;) {
		if (str_has_prefix(at, "eyJ")) {
			buf_puts(&out, "[token]");
			at += strcspn(at, " ,\"'");
		} else {
			buf_add(&out, at++, 1);
		}
	}
	return buf_take(&out);
}

static void on_worker_state(void *arg, enum worker_state s, int err,
			    const char *why)
{
	struct job *j = arg;
	char *detail = without_tokens(why);

	switch (s) {
	case WORKER_REGISTERED:
		timer_stop(&j->start);
		j->registered = true;
		log_event(LOG_INFO, "job.registered",
			  LOG_STR("url", j->s->livekit_url),
			  LOG_INT("max_calls", j->max_calls));
		break;
	case WORKER_LOST:
		log_event(LOG_WARN, "job.livekit_lost", LOG_ERR("why", err),
			  LOG_STR("detail", detail),
			  LOG_STR("url", j->s->livekit_url));
		break;
	case WORKER_REFUSED:
		log_event(LOG_ERROR, "job.livekit_refused",
			  LOG_STR("detail", detail),
			  LOG_STR("mend", "check LIVEKIT_API_KEY and "
				  "LIVEKIT_API_SECRET for LIVEKIT_URL"));
		if (!j->registered)
			give_up(j, EXIT_REFUSED);
		break;
	case WORKER_CONNECTING:
		break;
	}
	free(detail);
}

static float on_load(void *arg, bool *ret_full)
{
	struct job *j = arg;
	float calls = (float)j->n_calls / (float)j->max_calls;

	*ret_full = no_room(j) != NULL;
	return j->load.cpu > calls ? j->load.cpu : calls;
}

static const struct worker_ops worker_ops = {
	.on_request = on_request,
	.on_job = on_job,
	.on_lapsed = on_lapsed,
	.on_terminate = on_terminate,
	.on_state = on_worker_state,
	.load = on_load,
};

/* ---- the end -------------------------------------------------------------------- */

static void check_drained(struct job *j)
{
	assert(j->n_calls >= 0 && j->host.n_open >= 0);
	if (j->draining && !j->n_calls && !j->host.n_open)
		loop_stop(j->loop);
}

static void on_gone(void *arg)
{
	check_drained(arg);
}

static void on_rejoin(void *arg, struct call *c)
{
	struct job *j = arg;

	worker_job_rejoined(j->worker, call_id(c));
}

/* The goodbye takes up to this long; the records and the leave a bit more. */
enum { GOODBYE_MS = 5000, SETTLE_MS = 1000 };

static void shut_all(struct job *j, int grace_ms)
{
	struct open_call *next;

	for (struct open_call *o = j->calls; o; o = next) {
		next = o->next;
		if (o->call)
			call_shut(o->call, CALL_END_SHUTDOWN, grace_ms);
		else
			drop_call(j, o);
	}
	check_drained(j);
}

/* A server that does not answer is not waited for. */
static void on_settled(void *arg)
{
	struct job *j = arg;

	log_event(LOG_WARN, "job.unsettled", LOG_INT("open", j->host.n_open));
	loop_stop(j->loop);
}

/* Whatever a call still waits for: nobody outlives the grace. */
static void on_goodbye_over(void *arg)
{
	struct job *j = arg;

	timer_init(&j->grace, loop_clock(j->loop), on_settled, j);
	timer_start(&j->grace, SETTLE_MS);

	if (j->n_calls)
		log_event(LOG_WARN, "job.goodbye_cut",
			  LOG_INT("calls", j->n_calls));
	shut_all(j, 0);
}

static void on_grace(void *arg)
{
	struct job *j = arg;
	int most_ms = j->s->grace_ms - SETTLE_MS;
	int ms = most_ms < 0 ? 0 : most_ms < GOODBYE_MS ? most_ms : GOODBYE_MS;

	if (j->n_calls)
		log_event(LOG_WARN, "job.grace_over",
			  LOG_INT("calls", j->n_calls));
	shut_all(j, ms);
	timer_init(&j->grace, loop_clock(j->loop), on_goodbye_over, j);
	timer_start(&j->grace, ms);
}

static void on_signal(uv_signal_t *h, int signum)
{
	struct job *j = h->data;
	int left = j->s->grace_ms - GOODBYE_MS - SETTLE_MS;

	if (j->draining) {
		/* asked twice: at once, whatever is still open */
		log_event(LOG_WARN, "job.killed", LOG_INT("signal", signum),
			  LOG_INT("calls", j->n_calls));
		_exit(EXIT_DONE);
	}
	log_event(LOG_INFO, "job.draining", LOG_INT("signal", signum),
		  LOG_INT("calls", j->n_calls), LOG_INT("grace_ms", j->s->grace_ms));
	j->draining = true;
	worker_drain(j->worker);
	timer_start(&j->grace, left > 0 ? left : 0);
	check_drained(j);
}

static void on_start_limit(void *arg)
{
	struct job *j = arg;

	log_event(LOG_ERROR, "job.livekit_unreachable",
		  LOG_STR("url", j->s->livekit_url),
		  LOG_STR("mend", "check LIVEKIT_URL, the name's resolution "
			  "and the network"));
	give_up(j, EXIT_UNREACHABLE);
}

static void on_sample(void *arg)
{
	struct job *j = arg;

	load_sample(&j->load);
	timer_start(&j->sample, SAMPLE_MS);
}

/* On the watchdog's thread. */
static void on_stall(void *arg, int64_t stalled_ms)
{
	struct job *j = arg;

	atomic_store(&j->stalled_us, clock_mono_us());
	log_event(LOG_ERROR, "job.loop_stalled", LOG_INT("ms", stalled_ms));
}

/* ---- the beginning ------------------------------------------------------------------ */

static void raise_file_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_cur >= FILES_WANTED)
		return;
	lim.rlim_cur = lim.rlim_max == RLIM_INFINITY ||
		       lim.rlim_max > FILES_WANTED ? FILES_WANTED : lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
}

static int start_threads(struct job *j)
{
	int cores = load_cores();

	int r = loop_create(&j->loop, j->s->ca_file);
	if (r < 0)
		return r;
	j->n_media = cores < MEDIA_MAX ? cores : MEDIA_MAX;
	for (int i = 0; i < j->n_media; i++) {
		r = media_create(&j->media[i], i);
		if (r < 0)
			return r;
	}
	r = rtc_start(j->loop, j->media[0]);
	if (r < 0)
		return r;
	return loop_watch(j->loop, STALL_MS, on_stall, j);
}

static int start_services(struct job *j)
{
	const struct settings *s = j->s;
	struct providers_cfg p = {
		.deepgram_url = s->deepgram_url, .deepgram_key = s->deepgram_key,
		.openai_base_url = s->openai_url, .openai_key = s->openai_key,
		.speech_base_url = s->speech_url, .speech_key = s->speech_key };
	struct worker_cfg w = {
		.agent_names = (const char *const *)s->agent_names,
		.version = FD_VERSION };

	j->account = (struct lk_account){ s->livekit_url, s->livekit_key,
					  s->livekit_secret };
	w.account = j->account;
	int r = providers_create(&j->providers, j->loop, &p);
	if (r < 0)
		return r;
	r = lk_api_create(&j->api, j->loop, &j->account);
	if (r < 0)
		return r;
	j->host = (struct call_host){
		.loop = j->loop, .media = j->media, .n_media = j->n_media,
		.providers = j->providers, .api = j->api,
		.policy = j->cfg->policy, .ca_file = s->ca_file,
		.no_udp = s->no_udp, .loopback = s->loopback,
		.on_note = j->cfg->on_note, .on_rejoin = on_rejoin,
		.on_gone = on_gone, .arg = j };
	return worker_create(&j->worker, j->loop, &w, &worker_ops, j);
}

static void start_timers(struct job *j)
{
	struct clock *clock = loop_clock(j->loop);

	timer_init(&j->sample, clock, on_sample, j);
	timer_init(&j->start, clock, on_start_limit, j);
	timer_init(&j->grace, clock, on_grace, j);
	timer_start(&j->sample, SAMPLE_MS);
	timer_start(&j->start, START_LIMIT_MS);
	uv_signal_init(loop_uv(j->loop), &j->sigterm);
	uv_signal_init(loop_uv(j->loop), &j->sigint);
	j->sigterm.data = j->sigint.data = j;
	uv_signal_start(&j->sigterm, on_signal, SIGTERM);
	uv_signal_start(&j->sigint, on_signal, SIGINT);
}

static void finish(struct job *j)
{
	if (j->loop) {
		timer_stop(&j->sample);
		timer_stop(&j->start);
		timer_stop(&j->grace);
		/* open handles would make the loop wait for them */
		uv_close((uv_handle_t *)&j->sigterm, NULL);
		uv_close((uv_handle_t *)&j->sigint, NULL);
	}
	worker_close(j->worker);
	lk_api_close(j->api);
	providers_close(j->providers);
	rtc_stop();
	for (int i = 0; i < j->n_media; i++)
		media_destroy(j->media[i]);
	loop_destroy(j->loop);
}

/* Beats that came more than 10 ms late, of all. A machine that steals time
 * makes some of any program's. */
static void log_beats(struct job *j)
{
	uint64_t late = 0, all = 0;

	for (int i = 0; i < j->n_media; i++) {
		uint64_t media_late, media_all;
		media_beats(j->media[i], &media_late, &media_all);
		late += media_late;
		all += media_all;
	}
	log_event(LOG_INFO, "job.beats", LOG_INT("late", late),
		  LOG_INT("all", all));
}

int job_run(const struct job_cfg *cfg)
{
	struct job j = { .cfg = cfg, .s = cfg->settings };

	assert(cfg->policy && cfg->find && cfg->clinic);
	raise_file_limit();
	signal(SIGPIPE, SIG_IGN);
	j.max_calls = j.s->max_calls ? j.s->max_calls :
		      CALLS_A_CORE * load_cores();
	int r = start_threads(&j);
	if (r >= 0)
		r = start_services(&j);
	if (r < 0) {
		log_event(LOG_ERROR, "job.start_failed", LOG_ERR("why", r));
		return r == ERR_CONFIG ? EXIT_CONFIGURATION : EXIT_INTERNAL;
	}
	start_timers(&j);
	loop_run(j.loop);
	log_beats(&j);
	log_event(LOG_INFO, "job.ended", LOG_INT("exit", j.exit_code));
	finish(&j);
	return j.exit_code;
}
