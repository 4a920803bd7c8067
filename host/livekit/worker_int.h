/* What worker.c (jobs, load, aggregate state) and worker_conn.c (one socket a
 * name) share. All on the loop. */
#ifndef FD_LIVEKIT_WORKER_INT_H
#define FD_LIVEKIT_WORKER_INT_H

#include "base/clock.h"
#include "livekit/proto_int.h"

enum conn_state { CONN_CONNECTING, CONN_REGISTERED, CONN_LOST, CONN_REFUSED };

struct worker_conn {
	struct worker *w;
	char *name;           /* agent name */
	struct ws *ws;        /* NULL while waiting to try again */
	enum conn_state state;
	struct timer retry;
	struct timer answer;  /* limit of the server's answer to register */
	unsigned attempt;
	uint64_t seq;         /* of status updates, per registration */
	int64_t since_ms;     /* registered since */
};

struct worker_job {
	struct worker_job *next;
	struct worker *w;
	struct worker_conn *conn;
	char *id;
	struct timer lapse;       /* accepted, not yet assigned */
	int64_t rejoined_ms;      /* of our last full rejoin; INT64_MIN none */
	bool assigned, ended;
	enum job_end end;
	char *error;
};

struct worker {
	struct loop *loop;
	struct worker_ops ops;
	void *arg;
	char *url, *key, *secret, *version;
	struct worker_conn *conns;
	size_t n_conns;
	struct worker_job *jobs;
	struct timer tick;        /* load and status */
	enum worker_state state;
	bool draining;
	int depth;                /* callbacks of ours on the stack */
	bool closing;             /* free when the last of them returns */
};

/* Between these two a callback may call worker_close(). release() frees then
 * and returns false. */
void worker_hold(struct worker *w);
bool worker_release(struct worker *w);

void worker_conn_init(struct worker_conn *c, struct worker *w, const char *name);
void worker_conn_finish(struct worker_conn *c);
void worker_conn_start(struct worker_conn *c);
/* Sends if registered; false when it could not. */
bool worker_conn_send(struct worker_conn *c, const Livekit__WorkerMessage *m);

/* From worker_conn.c to worker.c; the worker is held by the caller. */
void worker_conn_changed(struct worker *w, int err, const char *why);
void worker_conn_registered(struct worker *w, struct worker_conn *c);
void worker_on_message(struct worker *w, struct worker_conn *c,
		       const Livekit__ServerMessage *m);

#endif
