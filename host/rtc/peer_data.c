/* A peer's association and channels, on the thread that owns SCTP. */
#include "rtc/peer_int.h"

#include <assert.h>

#include "base/err.h"
#include "base/thread.h"
#include "rtc/channel_int.h"
#include "rtc/sctp_int.h"

/* ---- to the loop -------------------------------------------------------------- */

static void tell_open(struct rtc_peer *p, const struct task *t)
{
	(void)t;
	if (p->ops.on_channels_open)
		p->ops.on_channels_open(p->arg);
}

static void tell_message(struct rtc_peer *p, const struct task *t)
{
	if (p->ops.on_message)
		p->ops.on_message(p->arg, (enum rtc_channel)t->kind, t->bytes,
				  t->n);
}

/* ---- channels' calls ------------------------------------------------------------ */

static int give(void *arg, uint16_t stream, uint32_t ppid, bool lossy,
		const uint8_t *bytes, size_t n)
{
	struct rtc_peer *p = arg;

	return assoc_send(p->assoc, stream, ppid, lossy, bytes, n);
}

static void on_open(void *arg)
{
	peer_to_loop(arg, tell_open, 0, 0, NULL, 0);
}

static void on_message(void *arg, enum rtc_channel ch, const uint8_t *bytes,
		       size_t n)
{
	peer_to_loop(arg, tell_message, 0, (int)ch, bytes, n);
}

static const struct channels_ops channels_ops = {
	.send = give,
	.on_open = on_open,
	.on_message = on_message,
};

/* ---- the association's calls --------------------------------------------------------- */

/* Brings p->queued up to date; taken: bytes that it already counts for a
 * message that arrived here just now. */
static void account(struct rtc_peer *p, size_t taken)
{
	size_t held = channels_queued(p->channels) +
		      (p->assoc ? assoc_unacked(p->assoc) : 0);

	atomic_fetch_add(&p->queued, held - p->accounted - taken);
	p->accounted = held;
}

static void on_packet(void *arg, const uint8_t *bytes, size_t n)
{
	peer_send_sctp(arg, bytes, n);
}

static void on_data(void *arg, uint16_t stream, uint32_t ppid,
		    const uint8_t *bytes, size_t n, bool end)
{
	struct rtc_peer *p = arg;

	channels_input(p->channels, stream, ppid, bytes, n, end);
}

static void on_up(void *arg)
{
	struct rtc_peer *p = arg;

	channels_up(p->channels, p->dtls_server);
	account(p, 0);
}

static void on_lost(void *arg)
{
	peer_to_media(arg, peer_association_lost, 0, 0, NULL, 0);
}

static void on_room(void *arg)
{
	struct rtc_peer *p = arg;

	channels_flush(p->channels);
	account(p, 0);
}

static const struct assoc_ops assoc_ops = {
	.send_packet = on_packet,
	.on_data = on_data,
	.on_up = on_up,
	.on_lost = on_lost,
	.on_room = on_room,
};

/* ---- the peer's calls ----------------------------------------------------------------- */

int peer_data_create(struct rtc_peer *p)
{
	return channels_create(&p->channels, &channels_ops, p);
}

void peer_data_open(struct rtc_peer *p, const struct task *t)
{
	ON_MEDIA();
	assert(!p->assoc);
	p->dtls_server = t->num;
	if (assoc_create(&p->assoc, &assoc_ops, p) < 0)
		on_lost(p);
}

void peer_data_input(struct rtc_peer *p, const uint8_t *bytes, size_t n)
{
	ON_MEDIA();
	if (p->assoc)
		assoc_input(p->assoc, bytes, n);
}

void peer_data_send(struct rtc_peer *p, const struct task *t)
{
	ON_MEDIA();
	channels_send(p->channels, (enum rtc_channel)t->kind, t->bytes, t->n);
	account(p, t->n);
}

void peer_data_close(struct rtc_peer *p)
{
	ON_MEDIA();
	p->data_closed = true;
	assoc_close(p->assoc);
	channels_destroy(p->channels);
	p->assoc = NULL;
	p->channels = NULL;
}
