/*
 * Access tokens: JWT signed with HMAC-SHA256 (RFC 7519, RFC 7515), the only
 * algorithm LiveKit accepts. Any thread; no state.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/buf.h"
#include "base/str.h"
#include "livekit/livekit.h"

#define DEFAULT_TTL_S 600

/* The name of the next member; the comma where one is due. */
static void member(struct buf *b, const char *key)
{
	assert(b->len > 0);
	if (b->p[b->len - 1] != '{')
		buf_puts(b, ",");
	str_json_quote(b, key);
	buf_puts(b, ":");
}

static void text(struct buf *b, const char *key, const char *value)
{
	if (!value)
		return;
	member(b, key);
	str_json_quote(b, value);
}

static void flag(struct buf *b, const char *key, bool on)
{
	if (!on)
		return;
	member(b, key);
	buf_puts(b, "true");
}

static void video_grant(struct buf *b, const struct lk_grant *g)
{
	member(b, "video");
	buf_puts(b, "{");
	text(b, "room", g->room);
	flag(b, "roomJoin", g->room_join);
	flag(b, "roomCreate", g->room_create);
	flag(b, "roomList", g->room_list);
	flag(b, "roomAdmin", g->room_admin);
	flag(b, "agent", g->agent);
	flag(b, "canUpdateOwnMetadata", g->update_metadata);
	buf_puts(b, "}");
}

static void sip_grant(struct buf *b, const struct lk_grant *g)
{
	if (!g->sip_admin && !g->sip_call)
		return;
	member(b, "sip");
	buf_puts(b, "{");
	flag(b, "admin", g->sip_admin);
	flag(b, "call", g->sip_call);
	buf_puts(b, "}");
}

static void room_config(struct buf *b, const struct lk_grant *g)
{
	if (!g->dispatch_agent)
		return;
	member(b, "roomConfig");
	buf_puts(b, "{\"agents\":[{");
	text(b, "agentName", g->dispatch_agent);
	text(b, "metadata", g->dispatch_metadata);
	buf_puts(b, "}]}");
}

static void claims(struct buf *b, const struct lk_account *acc,
		   const struct lk_grant *g, int64_t now_s)
{
	int ttl_s = g->ttl_s > 0 ? g->ttl_s : DEFAULT_TTL_S;

	buf_puts(b, "{");
	text(b, "iss", acc->api_key);
	text(b, "sub", g->identity);
	member(b, "nbf");
	buf_printf(b, "%lld", (long long)now_s);
	member(b, "exp");
	buf_printf(b, "%lld", (long long)(now_s + ttl_s));
	text(b, "name", g->name);
	text(b, "kind", g->kind);
	text(b, "metadata", g->metadata);
	if (g->attributes && g->attributes[0].key) {
		member(b, "attributes");
		buf_puts(b, "{");
		for (const struct lk_pair *a = g->attributes; a->key; a++)
			text(b, a->key, a->value ? a->value : "");
		buf_puts(b, "}");
	}
	video_grant(b, g);
	sip_grant(b, g);
	room_config(b, g);
	buf_puts(b, "}");
}

char *lk_token(const struct lk_account *acc, const struct lk_grant *g,
	       int64_t now_s)
{
	static const char head[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
	struct buf body = { 0 }, jwt = { 0 };
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned int mac_len = 0;

	assert(acc->api_key && acc->api_secret);
	claims(&body, acc, g, now_s);
	base64url_add(&jwt, head, sizeof head - 1, false);
	buf_puts(&jwt, ".");
	base64url_add(&jwt, body.p, body.len, false);
	if (!HMAC(EVP_sha256(), acc->api_secret, (int)strlen(acc->api_secret),
		  jwt.p, jwt.len, mac, &mac_len))
		abort();
	buf_puts(&jwt, ".");
	base64url_add(&jwt, mac, mac_len, false);
	buf_free(&body);
	return buf_take(&jwt);
}
