/*
 * Relay servers: their names resolved on the loop, then given to the path on
 * the media thread. stun: servers are left out: who we talk to has a public
 * address and learns ours from the checks.
 */
#include "rtc/peer_int.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <openssl/ssl.h>

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "rtc/turn_int.h"
#include "rtc/turn_tls_int.h"

/* ---- on the media thread ---------------------------------------------------------------- */

struct relay {
	struct turn_url url;
	struct sockaddr_storage addr;
	char username[512], credential[512];
	SSL_CTX *ctx;
};

static void note_failure(void *arg, const char *why)
{
	struct rtc_peer *p = arg;

	str_copy(p->relay_why, sizeof p->relay_why, why);
	/* nothing else shows it while another path may still be found */
	log_event(LOG_WARN, "rtc.relay_failed", LOG_STR("why", why));
}

static void use_relay(struct rtc_peer *p, const struct task *t)
{
	struct relay r;
	char ip[INET6_ADDRSTRLEN];
	int port, result;

	assert(t->n == sizeof r);
	memcpy(&r, t->bytes, sizeof r);
	if (!p->ice)
		return;
	port = r.url.port;
	const void *bytes =
		r.addr.ss_family == AF_INET6 ?
			(void *)&((struct sockaddr_in6 *)&r.addr)->sin6_addr :
			(void *)&((struct sockaddr_in *)&r.addr)->sin_addr;
	inet_ntop(r.addr.ss_family, bytes, ip, sizeof ip);
	if (r.url.kind == TURN_TLS) {
		result = tunnel_create(&p->tunnels, media_context(p->media),
				       r.ctx, r.url.host, &r.addr, note_failure,
				       p, &port);
		if (result < 0) {
			note_failure(p, err_text(result));
			return;
		}
		str_copy(ip, sizeof ip, "127.0.0.1");
	}
	result = ice_add_relay(p->ice,
			       r.url.kind == TURN_UDP ? ICE_RELAY_UDP :
			       r.url.kind == TURN_TCP ? ICE_RELAY_TCP :
							ICE_RELAY_TLS,
			       ip, port, r.username, r.credential);
	if (result < 0)
		note_failure(p, "server was not accepted");
}

static void use_failure(struct rtc_peer *p, const struct task *t)
{
	note_failure(p, (const char *)t->bytes);
}

/* ---- on the loop ---------------------------------------------------------------------------- */

struct turn_lookup {
	struct turn_lookup *next;
	struct rtc_peer *peer;
	struct resolve *request;
	struct relay relay;
};

static void lookup_free(struct turn_lookup *l)
{
	for (struct turn_lookup **at = &l->peer->lookups; *at;
	     at = &(*at)->next) {
		if (*at == l) {
			*at = l->next;
			break;
		}
	}
	free(l);
}

static void fail(struct rtc_peer *p, const char *why)
{
	peer_to_media(p, use_failure, 0, 0, why, strlen(why));
}

static void send_relay(struct turn_lookup *l, const struct sockaddr_storage *to)
{
	struct relay *r = &l->relay;

	r->addr = *to;
	if (to->ss_family == AF_INET6)
		((struct sockaddr_in6 *)&r->addr)->sin6_port =
			htons((uint16_t)r->url.port);
	else
		((struct sockaddr_in *)&r->addr)->sin_port =
			htons((uint16_t)r->url.port);
	peer_to_media(l->peer, use_relay, 0, 0, r, sizeof *r);
}

/* The first address of each family: the path tries both. */
static void on_resolved(void *arg, int status,
			const struct sockaddr_storage *addrs, size_t n)
{
	struct turn_lookup *l = arg;
	bool sent4 = false, sent6 = false;

	for (size_t i = 0; status == 0 && i < n; i++) {
		bool *sent = addrs[i].ss_family == AF_INET6 ? &sent6 : &sent4;
		if (*sent)
			continue;
		*sent = true;
		send_relay(l, &addrs[i]);
	}
	if (!sent4 && !sent6)
		fail(l->peer, "name of the relay server was not found");
	lookup_free(l);
}

void peer_turn_add(struct rtc_peer *p, const struct rtc_turn *t)
{
	ON_LOOP();
	struct turn_url url;
	struct turn_lookup *l;
	int r = turn_url_parse(&url, t->url);

	if (r < 0) {
		fail(p, "address of the relay server is not readable");
		return;
	}
	if (url.kind == TURN_STUN || (url.kind == TURN_UDP && p->ice_cfg.no_udp))
		return;
	l = calloc(1, sizeof *l);
	if (!l)
		return;
	l->peer = p;
	l->relay.url = url;
	l->next = p->lookups;
	p->lookups = l;
	if (!t->username || !t->credential ||
	    !str_copy(l->relay.username, sizeof l->relay.username, t->username) ||
	    !str_copy(l->relay.credential, sizeof l->relay.credential,
		      t->credential))
		r = ERR_CONFIG;
	if (r == 0 && url.kind == TURN_TLS)
		r = tunnel_ctx(&l->relay.ctx, p->ca_file);
	if (r == 0)
		r = resolve_start(&l->request, p->loop, url.host, on_resolved, l);
	if (r == 0)
		return;
	fail(p, err_text(r));
	lookup_free(l);
}

void peer_turn_cancel(struct rtc_peer *p)
{
	ON_LOOP();
	while (p->lookups) {
		resolve_cancel(p->lookups->request);
		lookup_free(p->lookups);
	}
}

void peer_turn_stop(void)
{
	tunnel_ctx_stop();
}
