/*
 * Associations on usrsctp. [sctp owner]
 *
 * 128 streams, not more: an association costs 21 kB with 128 and 4 MB with
 * 65,535, even when fewer are negotiated. Heartbeats every 2 s: their answers
 * are what tells the peer that the path is alive when no media comes.
 *
 * usrsctp calls back with its locks held or half held, so callbacks only note
 * what happened; settle() acts on it afterwards.
 */
#include "rtc/sctp_int.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <glib.h>
#include <usrsctp.h>

#include "base/clock.h"
#include "rtc/sdp_int.h"

enum {
	STREAMS = 128,
	TICK_MS = 10,
	HEARTBEAT_MS = 2000,
	/* usrsctp's packets come out 10 bytes longer, and DTLS adds 37: together
	 * within the 1200 that pass everywhere */
	PATH_MTU = 1150,
	BUFFER = 256 * 1024,
};

struct assoc {
	struct assoc *next;
	const struct assoc_ops *ops;
	void *arg;
	struct socket *sock;
	uintptr_t id; /* stands for the address in AF_CONN */
	bool came_up, up, lost, acked;
	size_t unacked;
};

static struct assoc *all;
static uintptr_t last_id;
static pthread_t owner;
static struct _GMainContext *context;
static GSource *ticker;
static int64_t ticked_us;
static bool started;

static struct assoc *find(uintptr_t id)
{
	for (struct assoc *a = all; a; a = a->next) {
		if (a->id == id)
			return a;
	}
	return NULL;
}

/* What was noted during a call into usrsctp. */
static void settle(struct assoc *a)
{
	if (a->came_up && !a->up) {
		a->up = true;
		a->ops->on_up(a->arg);
	}
	if (a->acked) {
		a->acked = false;
		a->ops->on_room(a->arg);
	}
	if (a->lost) {
		a->lost = false;
		a->ops->on_lost(a->arg);
	}
}

/* ---- usrsctp's side ------------------------------------------------------------ */

static int on_output(void *addr, void *p, size_t n, uint8_t tos, uint8_t set_df)
{
	(void)tos, (void)set_df;
	/* usrsctp keeps one thread of its own for odd jobs; what that might
	 * send is repeated by the timers */
	if (!pthread_equal(pthread_self(), owner))
		return 0;
	struct assoc *a = find((uintptr_t)addr);
	if (a)
		a->ops->send_packet(a->arg, p, n);
	return 0;
}

static void on_event(struct assoc *a, const union sctp_notification *n,
		     size_t len)
{
	if (len < sizeof n->sn_header || n->sn_header.sn_length != len)
		return;
	switch (n->sn_header.sn_type) {
	case SCTP_ASSOC_CHANGE:
		if (n->sn_assoc_change.sac_state == SCTP_COMM_UP)
			a->came_up = true;
		else if (n->sn_assoc_change.sac_state == SCTP_COMM_LOST ||
			 n->sn_assoc_change.sac_state == SCTP_CANT_STR_ASSOC ||
			 n->sn_assoc_change.sac_state == SCTP_SHUTDOWN_COMP)
			a->lost = true;
		break;
	case SCTP_SHUTDOWN_EVENT:
		a->lost = true;
		break;
	case SCTP_SENDER_DRY_EVENT:
		a->unacked = 0;
		a->acked = true;
		break;
	default:
		break;
	}
}

static int on_receive(struct socket *sock, union sctp_sockstore addr, void *p,
		      size_t n, struct sctp_rcvinfo info, int flags, void *arg)
{
	struct assoc *a = find((uintptr_t)arg);

	(void)sock, (void)addr;
	if (!a) {
		free(p);
		return 1;
	}
	if (!p)
		a->lost = true;
	else if (flags & MSG_NOTIFICATION)
		on_event(a, p, n);
	else
		a->ops->on_data(a->arg, info.rcv_sid, ntohl(info.rcv_ppid), p,
				n, flags & MSG_EOR);
	free(p);
	return 1;
}

/* ---- the process ---------------------------------------------------------------------- */

int assoc_start(struct _GMainContext *ctx)
{
	assert(!started);
	usrsctp_init_nothreads(0, on_output, NULL);
	usrsctp_sysctl_set_sctp_ecn_enable(0);
	usrsctp_sysctl_set_sctp_asconf_enable(0);
	usrsctp_sysctl_set_sctp_auth_enable(0);
	usrsctp_sysctl_set_sctp_blackhole(2);
	usrsctp_sysctl_set_sctp_delayed_sack_time_default(20);
	owner = pthread_self();
	context = ctx;
	started = true;
	return 0;
}

void assoc_stop(void)
{
	if (!started)
		return;
	assert(!all && !ticker);
	/* closed sockets leave with the timers */
	for (int i = 0; i < 200 && usrsctp_finish() < 0; i++) {
		usrsctp_handle_timers(TICK_MS);
		g_usleep(1000);
	}
	started = false;
	context = NULL;
}

void assoc_tick(uint32_t elapsed_ms)
{
	usrsctp_handle_timers(elapsed_ms);
	for (struct assoc *a = all, *next; a; a = next) {
		next = a->next;
		settle(a);
	}
}

static gboolean on_ticker(gpointer arg)
{
	int64_t now = clock_mono_us();
	int64_t ms = (now - ticked_us) / 1000;

	(void)arg;
	if (ms > 0) {
		ticked_us += ms * 1000;
		/* after a pause of the machine, not all timeouts at once */
		assoc_tick(ms > 500 ? 500 : (uint32_t)ms);
	}
	return G_SOURCE_CONTINUE;
}

static void run_ticker(bool on)
{
	if (on == !!ticker || !context)
		return;
	if (!on) {
		g_source_destroy(ticker);
		g_source_unref(ticker);
		ticker = NULL;
		return;
	}
	ticked_us = clock_mono_us();
	ticker = g_timeout_source_new(TICK_MS);
	g_source_set_callback(ticker, on_ticker, NULL, NULL);
	g_source_attach(ticker, context);
}

/* ---- one association ---------------------------------------------------------------------- */

static int set_events(struct socket *s)
{
	static const uint16_t types[] = {
		SCTP_ASSOC_CHANGE,
		SCTP_SHUTDOWN_EVENT,
		SCTP_SENDER_DRY_EVENT,
	};
	struct sctp_event e = { .se_assoc_id = SCTP_ALL_ASSOC, .se_on = 1 };

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		e.se_type = types[i];
		if (usrsctp_setsockopt(s, IPPROTO_SCTP, SCTP_EVENT, &e,
				       sizeof e) < 0)
			return -errno;
	}
	return 0;
}

static int set_options(struct socket *s)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };
	struct sctp_initmsg init = {
		.sinit_num_ostreams = STREAMS,
		.sinit_max_instreams = STREAMS,
	};
	struct sctp_paddrparams path = {
		.spp_hbinterval = HEARTBEAT_MS,
		.spp_pathmtu = PATH_MTU,
		.spp_flags = SPP_PMTUD_DISABLE | SPP_HB_ENABLE,
	};
	struct sctp_rtoinfo rto = {
		.srto_initial = 500,
		.srto_min = 200,
		.srto_max = 5000,
	};
	uint32_t on = 1;
	int buffer = BUFFER;

	if (usrsctp_set_non_blocking(s, 1) < 0 ||
	    usrsctp_setsockopt(s, SOL_SOCKET, SO_LINGER, &linger,
			       sizeof linger) < 0 ||
	    usrsctp_setsockopt(s, SOL_SOCKET, SO_SNDBUF, &buffer,
			       sizeof buffer) < 0 ||
	    usrsctp_setsockopt(s, SOL_SOCKET, SO_RCVBUF, &buffer,
			       sizeof buffer) < 0 ||
	    usrsctp_setsockopt(s, IPPROTO_SCTP, SCTP_NODELAY, &on,
			       sizeof on) < 0 ||
	    usrsctp_setsockopt(s, IPPROTO_SCTP, SCTP_INITMSG, &init,
			       sizeof init) < 0 ||
	    usrsctp_setsockopt(s, IPPROTO_SCTP, SCTP_RTOINFO, &rto,
			       sizeof rto) < 0 ||
	    usrsctp_setsockopt(s, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &path,
			       sizeof path) < 0)
		return -errno;
	return set_events(s);
}

static int connect_socket(struct assoc *a)
{
	struct sockaddr_conn addr = {
		.sconn_family = AF_CONN,
		.sconn_port = htons(SDP_SCTP_PORT),
		.sconn_addr = (void *)a->id,
	};

	if (usrsctp_bind(a->sock, (struct sockaddr *)&addr, sizeof addr) < 0)
		return -errno;
	if (usrsctp_connect(a->sock, (struct sockaddr *)&addr, sizeof addr) <
		    0 &&
	    errno != EINPROGRESS)
		return -errno;
	return 0;
}

int assoc_create(struct assoc **ret_assoc, const struct assoc_ops *ops,
		 void *arg)
{
	assert(started && ops->send_packet && ops->on_data);
	struct assoc *a = calloc(1, sizeof *a);
	if (!a)
		return -ENOMEM;
	a->ops = ops;
	a->arg = arg;
	a->id = ++last_id;
	usrsctp_register_address((void *)a->id);
	a->next = all;
	all = a;
	a->sock = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, on_receive,
				 NULL, 0, (void *)a->id);
	int r = a->sock ? set_options(a->sock) : -errno;
	if (r == 0)
		r = connect_socket(a);
	if (r < 0) {
		assoc_close(a);
		return r;
	}
	run_ticker(true);
	*ret_assoc = a;
	return 0;
}

void assoc_close(struct assoc *a)
{
	if (!a)
		return;
	assert(pthread_equal(pthread_self(), owner));
	if (a->sock)
		usrsctp_close(a->sock);
	usrsctp_deregister_address((void *)a->id);
	for (struct assoc **at = &all; *at; at = &(*at)->next) {
		if (*at == a) {
			*at = a->next;
			break;
		}
	}
	free(a);
	if (!all)
		run_ticker(false);
}

void assoc_input(struct assoc *a, const uint8_t *p, size_t n)
{
	assert(pthread_equal(pthread_self(), owner));
	a->acked = true;
	usrsctp_conninput((void *)a->id, p, n, 0);
	settle(a);
}

int assoc_send(struct assoc *a, uint16_t stream, uint32_t ppid, bool lossy,
	       const uint8_t *p, size_t n)
{
	struct sctp_sendv_spa spa = {
		.sendv_flags = SCTP_SEND_SNDINFO_VALID,
		.sendv_sndinfo = {
			.snd_sid = stream,
			.snd_ppid = htonl(ppid),
			.snd_flags = lossy ? SCTP_UNORDERED : 0,
		},
	};

	assert(pthread_equal(pthread_self(), owner));
	if (lossy) {
		spa.sendv_flags |= SCTP_SEND_PRINFO_VALID;
		spa.sendv_prinfo.pr_policy = SCTP_PR_SCTP_RTX;
		spa.sendv_prinfo.pr_value = 0;
	}
	ssize_t r = usrsctp_sendv(a->sock, p, n, NULL, 0, &spa, sizeof spa,
				  SCTP_SENDV_SPA, 0);
	if (r < 0)
		return errno == EWOULDBLOCK || errno == EAGAIN ? -EAGAIN :
								 -errno;
	a->unacked += n;
	return 0;
}

size_t assoc_unacked(const struct assoc *a)
{
	return a->unacked;
}
