/*
 * Names to addresses on the loop: uv_getaddrinfo() (libuv's thread pool) with
 * a cache of 60 s, so that a burst of calls asks once. When a look-up fails or
 * hangs, an expired entry is better than none: services rarely move.
 */
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "io/loop_int.h"

enum {
	MAX_ADDRS = 8,
	MAX_NAMES = 64,
	FRESH_MS = 60000,
	PATIENCE_MS = 1000, /* before an expired entry is taken */
};

struct found {
	struct sockaddr_storage addrs[MAX_ADDRS];
	size_t n;
};

struct name {
	char *host;
	struct found found;
	int64_t until_ms;
};

struct names {
	struct name list[MAX_NAMES];
	size_t n;
	struct resolve *live;
};

struct resolve {
	uv_getaddrinfo_t req;
	/* delivers what needs no look-up, or an expired entry in place of a
	 * look-up that takes too long */
	struct timer known;
	bool asking;        /* uv has req */
	struct loop *loop;
	struct resolve *next, **at;
	char *host;
	resolve_h *fn; /* NULL: cancelled */
	void *arg;
	int status;
	struct found found;
};

int names_create(struct names **ret_names)
{
	struct names *n = calloc(1, sizeof *n);

	if (!n)
		return -ENOMEM;
	*ret_names = n;
	return 0;
}

void names_close(struct names *n)
{
	struct resolve *next;

	for (struct resolve *r = n ? n->live : NULL; r; r = next) {
		next = r->next;
		resolve_cancel(r);
	}
}

void names_destroy(struct names *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->n; i++)
		free(n->list[i].host);
	free(n);
}

static struct name *find(struct names *n, const char *host)
{
	for (size_t i = 0; i < n->n; i++) {
		if (strcasecmp(n->list[i].host, host) == 0)
			return &n->list[i];
	}
	return NULL;
}

/* Its old place, a free one, or that of the entry that expires first. */
static struct name *place_for(struct names *n, const char *host)
{
	struct name *x = find(n, host);

	if (x)
		return x;
	if (n->n < MAX_NAMES)
		return &n->list[n->n++];
	x = &n->list[0];
	for (size_t i = 1; i < n->n; i++) {
		if (n->list[i].until_ms < x->until_ms)
			x = &n->list[i];
	}
	return x;
}

static void keep(struct names *n, const char *host, const struct found *found,
		 int64_t until_ms)
{
	struct name *x = place_for(n, host);

	str_set(&x->host, host);
	x->found = *found;
	x->until_ms = until_ms;
}

static void release(struct resolve *r)
{
	timer_stop(&r->known);
	*r->at = r->next;
	if (r->next)
		r->next->at = r->at;
	free(r->host);
	free(r);
}

static void deliver(void *arg)
{
	struct resolve *r = arg;
	resolve_h *fn = r->fn;

	r->fn = NULL;
	if (fn)
		fn(r->arg, r->status, r->found.addrs, r->found.n);
	if (!r->asking)
		release(r);
}

static void take_addrs(struct found *f, const struct addrinfo *list)
{
	for (; list && f->n < MAX_ADDRS; list = list->ai_next) {
		if (list->ai_family != AF_INET && list->ai_family != AF_INET6)
			continue;
		assert(list->ai_addrlen <= sizeof f->addrs[0]);
		memcpy(&f->addrs[f->n++], list->ai_addr, list->ai_addrlen);
	}
}

static void looked_up(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct resolve *r = req->data;
	struct names *names = r->loop->names;
	struct found fresh = { .n = 0 };

	r->asking = false;
	take_addrs(&fresh, list);
	uv_freeaddrinfo(list);
	if (status == 0 && !fresh.n)
		status = UV_EAI_NODATA;
	if (status == 0) {
		r->found = fresh;
		keep(names, r->host, &fresh,
		     clock_now_ms(r->loop->clock) + FRESH_MS);
	} else if (status != UV_ECANCELED) {
		const struct name *old = find(names, r->host);
		if (old) {
			r->found = old->found;
			status = 0;
		}
	}
	r->status = status;
	deliver(r);
}

/* "192.0.2.1" and "2001:db8::1" need nobody's answer. */
static bool is_literal(const char *host, struct found *f)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (uv_ip4_addr(host, 0, &v4) == 0)
		memcpy(&f->addrs[0], &v4, sizeof v4);
	else if (uv_ip6_addr(host, 0, &v6) == 0)
		memcpy(&f->addrs[0], &v6, sizeof v6);
	else
		return false;
	f->n = 1;
	return true;
}

int resolve_start(struct resolve **ret_req, struct loop *l, const char *host,
		  resolve_h *fn, void *arg)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
				  .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_ADDRCONFIG };

	ON_LOOP();
	struct resolve *r = calloc(1, sizeof *r);
	if (!r)
		return -ENOMEM;
	r->loop = l;
	r->fn = fn;
	r->arg = arg;
	r->host = str_dup(host);
	r->req.data = r;
	timer_init(&r->known, l->clock, deliver, r);
	r->at = &l->names->live;
	r->next = l->names->live;
	if (r->next)
		r->next->at = &r->next;
	l->names->live = r;
	const struct name *known = find(l->names, host);
	if (is_literal(host, &r->found)) {
		timer_start(&r->known, 0);
	} else if (known && known->until_ms > clock_now_ms(l->clock)) {
		r->found = known->found;
		timer_start(&r->known, 0);
	} else {
		int e = uv_getaddrinfo(&l->uv, &r->req, looked_up, host, NULL,
				       &hints);
		if (e < 0) {
			release(r);
			return e;
		}
		r->asking = true;
		if (known) {
			r->found = known->found;
			timer_start(&r->known, PATIENCE_MS);
		}
	}
	*ret_req = r;
	return 0;
}

void resolve_cancel(struct resolve *r)
{
	ON_LOOP();
	if (!r)
		return;
	r->fn = NULL;
	timer_stop(&r->known);
	if (!r->asking) {
		release(r);
		return;
	}
	/* still queued: saves a thread; the callback comes in any case */
	uv_cancel((uv_req_t *)&r->req);
}
