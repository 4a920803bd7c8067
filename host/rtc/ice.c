/*
 * ICE by libnice. Notes on the choices made in make_agent():
 *
 * A check each 5 ms, the least that RFC 8445 (14.2) allows, instead of 20:
 * with TCP among the candidates libnice needs four of these steps to nominate
 * a pair, and the caller hears them as silence (90 ms became 30).
 *
 * Binding requests as keepalives, yet not libnice's consent freshness: that
 * one gives up after two unanswered requests (10 s, sent each 5 s, never
 * repeated), which on a path with 1 % loss ends one call in twenty within ten
 * minutes. The peer itself watches what arrives and passes authentication
 * (peer_media.c), with the 30 s of RFC 7675 as its limit.
 *
 * Candidates of ours over TCP are never told to the other side: active ones
 * have no address worth telling and nobody connects to us.
 */
#include "rtc/ice_int.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nice/agent.h>
#include <nice/interfaces.h>

#include "base/err.h"
#include "base/str.h"
#include "rtc/candidate_int.h"

enum { REMOTE_MAX = 64, LOCAL_MAX = 32, RELAYS_MAX = 8, COMPONENT = 1 };

struct ice {
	/* immutable after create */
	GMainContext *ctx;
	struct ice_cfg cfg;
	const struct ice_ops *ops;
	void *arg;

	/* [media] */
	NiceAgent *agent;
	guint stream;
	bool gathered;       /* later candidates are told one by one */
	bool closed;
	struct {
		NiceAddress server;
		enum ice_relay kind;
	} relays[RELAYS_MAX];
	size_t n_relays;
	char *ufrag, *pwd;
	char *remote_ufrag, *remote_pwd;
	char *local[LOCAL_MAX];
	size_t n_local;
	char *early[REMOTE_MAX]; /* remote ones before the credentials */
	size_t n_early, n_remote;
	ice_released_h *released;
	void *released_arg;
};

static _Atomic int closing;

int ice_closing(void)
{
	return closing;
}

/* ---- signals ------------------------------------------------------------------ */

static bool may_tell(const struct ice *i, const NiceCandidate *c)
{
	if (c->type == NICE_CANDIDATE_TYPE_RELAYED)
		return true;
	return c->transport == NICE_CANDIDATE_TRANSPORT_UDP &&
	       !i->cfg.relay_only && !i->cfg.no_udp;
}

static void on_new_candidate(NiceAgent *agent, NiceCandidate *c, gpointer arg)
{
	struct ice *i = arg;

	if (i->closed || !may_tell(i, c) || i->n_local == LOCAL_MAX)
		return;
	gchar *line = nice_agent_generate_local_candidate_sdp(agent, c);
	if (!line)
		return;
	/* "a=candidate:..." */
	char *text = str_dup(str_has_prefix(line, "a=") ? line + 2 : line);
	g_free(line);
	i->local[i->n_local++] = text;
	if (i->gathered)
		i->ops->on_candidate(i->arg, text);
}

static void on_component_state(NiceAgent *agent, guint stream, guint component,
			       guint state, gpointer arg)
{
	struct ice *i = arg;

	(void)agent, (void)stream, (void)component;
	if (i->closed)
		return;
	switch (state) {
	case NICE_COMPONENT_STATE_CONNECTED:
	case NICE_COMPONENT_STATE_READY:
		i->ops->on_state(i->arg, ICE_READY);
		break;
	case NICE_COMPONENT_STATE_FAILED:
		i->ops->on_state(i->arg, ICE_FAILED);
		break;
	default:
		i->ops->on_state(i->arg, ICE_WORKING);
		break;
	}
}

static const char *type_name(NiceCandidateType t)
{
	static const char *const names[] = { "host", "srflx", "prflx", "relay" };

	return (unsigned int)t < 4 ? names[t] : "?";
}

/* How our packets leave: the relay's own candidate is UDP in any case. */
static const char *way_out(const struct ice *i, const NiceCandidate *local)
{
	static const char *const names[] = { "udp", "tcp", "tls" };
	NiceAddress server;

	if (local->type == NICE_CANDIDATE_TYPE_RELAYED) {
		nice_candidate_relay_address(local, &server);
		for (size_t k = 0; k < i->n_relays; k++) {
			if (nice_address_equal(&i->relays[k].server, &server))
				return names[i->relays[k].kind];
		}
	}
	return names[local->transport != NICE_CANDIDATE_TRANSPORT_UDP];
}

static void on_selected_pair(NiceAgent *agent, guint stream, guint component,
			     NiceCandidate *local, NiceCandidate *remote,
			     gpointer arg)
{
	struct ice *i = arg;
	char ip[NICE_ADDRESS_STRING_LEN], text[96];

	(void)component;
	/* what the signal brings are copies that do not know their relay */
	if (i->closed || !nice_agent_get_selected_pair(agent, stream, COMPONENT,
						       &local, &remote))
		return;
	nice_address_to_string(&remote->addr, ip);
	snprintf(text, sizeof text, "%s %s %s:%u", way_out(i, local),
		 type_name(local->type), ip,
		 nice_address_get_port(&remote->addr));
	i->ops->on_pair(i->arg, text);
}

static void on_recv(NiceAgent *agent, guint stream, guint component, guint n,
		    gchar *p, gpointer arg)
{
	struct ice *i = arg;

	(void)agent, (void)stream, (void)component;
	if (!i->closed)
		i->ops->on_packet(i->arg, (uint8_t *)p, n);
}

/* ---- create ------------------------------------------------------------------------ */

static void add_address(struct ice *i, const char *ip)
{
	NiceAddress a;

	nice_address_init(&a);
	if (nice_address_set_from_string(&a, ip))
		nice_agent_add_local_address(i->agent, &a);
}

/* All addresses but IPv6 link-local ones, which reach no server. libnice
 * leaves loopback out by itself. */
static void add_addresses(struct ice *i)
{
	GList *all = nice_interfaces_get_local_ips(FALSE);

	for (GList *at = all; at; at = at->next) {
		if (strncasecmp(at->data, "fe80", 4))
			add_address(i, at->data);
	}
	g_list_free_full(all, g_free);
	if (i->cfg.loopback)
		add_address(i, "127.0.0.1");
}

static NiceAgent *make_agent(struct ice *i)
{
	NiceAgent *agent = nice_agent_new_full(i->ctx, NICE_COMPATIBILITY_RFC5245,
					       NICE_AGENT_OPTION_ICE_TRICKLE);

	g_object_set(agent, "controlling-mode", TRUE, "upnp", FALSE,
		     "keepalive-conncheck", TRUE, "ice-tcp", TRUE,
		     "ice-udp", !i->cfg.no_udp,
		     "force-relay", i->cfg.relay_only,
		     "stun-initial-timeout", 200,
		     "stun-pacing-timer", 5, NULL);
	g_signal_connect(agent, "new-candidate-full",
			 G_CALLBACK(on_new_candidate), i);
	g_signal_connect(agent, "new-selected-pair-full",
			 G_CALLBACK(on_selected_pair), i);
	return agent;
}

static int read_credentials(struct ice *i)
{
	gchar *ufrag, *pwd;

	if (!nice_agent_get_local_credentials(i->agent, i->stream, &ufrag, &pwd))
		return -EINVAL;
	str_set(&i->ufrag, ufrag);
	str_set(&i->pwd, pwd);
	g_free(ufrag);
	g_free(pwd);
	return 0;
}

static int gather(struct ice *i)
{
	i->stream = nice_agent_add_stream(i->agent, 1);
	if (!i->stream)
		return -ENOMEM;
	int r = read_credentials(i);
	if (r < 0)
		return r;
	nice_agent_attach_recv(i->agent, i->stream, COMPONENT, i->ctx, on_recv,
			       i);
	if (!nice_agent_gather_candidates(i->agent, i->stream))
		return -EADDRNOTAVAIL;
	/* no UDP sockets of ours exist now; relays, however, reach the other
	 * side's UDP candidates, which libnice would drop otherwise */
	g_object_set(i->agent, "ice-udp", TRUE, NULL);
	return 0;
}

static void ice_free(struct ice *i)
{
	for (size_t k = 0; k < i->n_local; k++)
		free(i->local[k]);
	for (size_t k = 0; k < i->n_early; k++)
		free(i->early[k]);
	free(i->ufrag);
	free(i->pwd);
	free(i->remote_ufrag);
	free(i->remote_pwd);
	g_main_context_unref(i->ctx);
	free(i);
}

int ice_create(struct ice **ret_ice, struct _GMainContext *ctx,
	       const struct ice_cfg *cfg, const struct ice_ops *ops, void *arg)
{
	assert(ops->on_packet && ops->on_candidate && ops->on_state &&
	       ops->on_pair);
	struct ice *i = calloc(1, sizeof *i);
	if (!i)
		return -ENOMEM;
	i->ctx = g_main_context_ref(ctx);
	i->cfg = *cfg;
	i->ops = ops;
	i->arg = arg;
	i->agent = make_agent(i);
	add_addresses(i);
	int r = gather(i);
	if (r < 0) {
		g_signal_handlers_disconnect_by_data(i->agent, i);
		g_object_unref(i->agent);
		ice_free(i);
		return r;
	}
	/* not before: the states of gathering are nobody's business */
	g_signal_connect(i->agent, "component-state-changed",
			 G_CALLBACK(on_component_state), i);
	i->gathered = true;
	*ret_ice = i;
	return 0;
}

/* ---- end ------------------------------------------------------------------------------ */

static void drop_agent(struct ice *i)
{
	ice_released_h *released = i->released;
	void *arg = i->released_arg;

	g_object_unref(i->agent);
	ice_free(i);
	if (released)
		released(arg);
}

static void on_released(GObject *agent, GAsyncResult *res, gpointer arg)
{
	(void)agent, (void)res;
	drop_agent(arg);
	closing--;
}

void ice_close(struct ice *i, ice_released_h *released, void *arg)
{
	if (!i) {
		if (released)
			released(arg);
		return;
	}
	assert(!i->closed);
	i->closed = true;
	i->released = released;
	i->released_arg = arg;
	g_signal_handlers_disconnect_by_data(i->agent, i);
	nice_agent_attach_recv(i->agent, i->stream, COMPONENT, i->ctx, NULL,
			       NULL);
	if (!i->n_relays) {
		drop_agent(i);
		return;
	}
	/* tells the relays that their allocations are free */
	closing++;
	g_main_context_push_thread_default(i->ctx);
	nice_agent_close_async(i->agent, on_released, i);
	g_main_context_pop_thread_default(i->ctx);
}

/* ---- first use ---------------------------------------------------------------------- */

static void ignore_packet(void *arg, uint8_t *p, size_t n)
{
	(void)arg, (void)p, (void)n;
}

static void ignore_text(void *arg, const char *text)
{
	(void)arg, (void)text;
}

static void ignore_state(void *arg, enum ice_state s)
{
	(void)arg, (void)s;
}

void ice_warm(void)
{
	static const struct ice_ops ops = { ignore_packet, ignore_text,
					    ignore_state, ignore_text };
	static const struct ice_cfg cfg = { .loopback = true };
	GMainContext *ctx = g_main_context_new();
	struct ice *i;

	if (ice_create(&i, ctx, &cfg, &ops, NULL) == 0)
		ice_close(i, NULL, NULL);
	g_main_context_unref(ctx);
}

/* ---- local side ------------------------------------------------------------------------ */

const char *ice_ufrag(const struct ice *i)
{
	return i->ufrag;
}

const char *ice_pwd(const struct ice *i)
{
	return i->pwd;
}

const char *const *ice_candidates(const struct ice *i, size_t *ret_n)
{
	*ret_n = i->n_local;
	return (const char *const *)i->local;
}

int ice_add_relay(struct ice *i, enum ice_relay kind, const char *ip, int port,
		  const char *username, const char *credential)
{
	if (kind == ICE_RELAY_UDP && i->cfg.no_udp)
		return 0;
	if (i->n_relays == RELAYS_MAX)
		return -ENOSPC;
	NiceAddress *server = &i->relays[i->n_relays].server;
	nice_address_init(server);
	if (!nice_address_set_from_string(server, ip))
		return -EINVAL;
	nice_address_set_port(server, (guint)port);
	i->relays[i->n_relays++].kind = kind;
	if (!nice_agent_set_relay_info(i->agent, i->stream, COMPONENT, ip,
				       (guint)port, username, credential,
				       kind == ICE_RELAY_UDP ?
					       NICE_RELAY_TYPE_TURN_UDP :
					       NICE_RELAY_TYPE_TURN_TCP))
		return -EINVAL;
	return 0;
}

int ice_restart(struct ice *i)
{
	if (!nice_agent_restart(i->agent))
		return -EINVAL;
	str_set(&i->remote_ufrag, NULL);
	str_set(&i->remote_pwd, NULL);
	i->n_remote = 0;
	return read_credentials(i);
}

int ice_send(struct ice *i, const uint8_t *p, size_t n)
{
	gint r = nice_agent_send(i->agent, i->stream, COMPONENT, (guint)n,
				 (const gchar *)p);

	return r < 0 ? -EAGAIN : 0;
}

/* ---- remote side ------------------------------------------------------------------------- */

static int apply_candidate(struct ice *i, const char *clean)
{
	char line[300];

	snprintf(line, sizeof line, "a=%s", clean);
	NiceCandidate *c = nice_agent_parse_remote_candidate_sdp(
		i->agent, i->stream, line);
	if (!c)
		return ERR_PROTOCOL;
	GSList list = { .data = c };
	int r = nice_agent_set_remote_candidates(i->agent, i->stream, COMPONENT,
						 &list);
	nice_candidate_free(c);
	return r < 0 ? ERR_PROTOCOL : 0;
}

int ice_set_remote(struct ice *i, const char *ufrag, const char *pwd)
{
	if (str_eq(ufrag, i->remote_ufrag) && str_eq(pwd, i->remote_pwd))
		return 0;
	if (!nice_agent_set_remote_credentials(i->agent, i->stream, ufrag, pwd))
		return ERR_PROTOCOL;
	str_set(&i->remote_ufrag, ufrag);
	str_set(&i->remote_pwd, pwd);
	for (size_t k = 0; k < i->n_early; k++) {
		apply_candidate(i, i->early[k]);
		free(i->early[k]);
	}
	i->n_early = 0;
	return 0;
}

int ice_add_remote(struct ice *i, const char *candidate)
{
	char clean[256];

	switch (candidate_clean(clean, sizeof clean, candidate)) {
	case CANDIDATE_OK:
		break;
	case CANDIDATE_BAD:
		return ERR_PROTOCOL;
	default:
		return 0;
	}
	if (i->n_remote == REMOTE_MAX)
		return -ENOSPC;
	i->n_remote++;
	if (i->remote_ufrag)
		return apply_candidate(i, clean);
	assert(i->n_early < REMOTE_MAX);
	i->early[i->n_early++] = str_dup(clean);
	return 0;
}
