/*
 * Telephone keys. Out: one each 300 ms, as the bridge's RFC 4733 events need
 * room to be told apart. In: a packet names its key twice. On the loop.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "livekit/room_int.h"

#define KEY_MS 300
#define PAUSE_MS 500

static const char keys16[] = "0123456789*#ABCD"; /* the index is the code */

char dtmf_key(const Livekit__SipDTMF *d)
{
	if (d->digit && d->digit[0] && !d->digit[1] &&
	    strchr(keys16, d->digit[0]))
		return d->digit[0];
	return d->code < sizeof keys16 - 1 && str_blank(d->digit) ?
	       keys16[d->code] : 0;
}

static void send_key(struct room *r, char *identity, char key)
{
	Livekit__SipDTMF d = LIVEKIT__SIP_DTMF__INIT;
	Livekit__DataPacket pkt = LIVEKIT__DATA_PACKET__INIT;
	char digit[2] = { key, 0 };

	d.code = (uint32_t)(strchr(keys16, key) - keys16);
	d.digit = digit;
	pkt.value_case = LIVEKIT__DATA_PACKET__VALUE_SIP_DTMF;
	pkt.sip_dtmf = &d;
	pkt.n_destination_identities = identity ? 1 : 0;
	pkt.destination_identities = &identity;
	(void)data_send(r, &pkt, true);
}

static void free_keys(struct room_keys *k)
{
	free(k->identity);
	free(k->keys);
	free(k);
}

static void next_key(void *arg)
{
	struct room *r = arg;
	struct room_keys *k = r->keys;

	if (!k)
		return;
	char key = k->keys[k->at++];
	if (key != 'w')
		send_key(r, k->identity, key);
	if (!k->keys[k->at]) {
		r->keys = k->next;
		free_keys(k);
	}
	/* also after the last: keys asked for later keep their distance */
	timer_start(&r->key_timer, key == 'w' ? PAUSE_MS : KEY_MS);
}

void dtmf_init(struct room *r)
{
	timer_init(&r->key_timer, loop_clock(r->loop), next_key, r);
}

void dtmf_finish(struct room *r)
{
	timer_stop(&r->key_timer);
	while (r->keys) {
		struct room_keys *k = r->keys;
		r->keys = k->next;
		free_keys(k);
	}
}

int room_send_dtmf(struct room *r, const char *identity, const char *keys)
{
	ON_LOOP();
	struct room_keys **at = &r->keys;

	if (keys[strspn(keys, "0123456789*#ABCDw")])
		return ERR_REQUEST;
	if (!room_alive(r))
		return ERR_GONE;
	if (!*keys)
		return 0;
	struct room_keys *k = calloc(1, sizeof *k);
	if (!k)
		return -ENOMEM;
	k->identity = str_dup(identity);
	k->keys = str_dup(keys);
	while (*at)
		at = &(*at)->next;
	*at = k;
	if (!timer_active(&r->key_timer))
		timer_start(&r->key_timer, 0);
	return 0;
}
