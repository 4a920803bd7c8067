/* The two data channels of a peer: opening, putting together, queueing. */
#include "rtc/channel_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"

enum { THEIRS_MAX = 8, PARTS_MAX = 8 };

static const char *const labels[] = { "_reliable", "_lossy" };

struct message {
	struct message *next;
	enum rtc_channel ch;
	size_t n;
	uint8_t bytes[];
};

/* A message of which the end has not come yet. */
struct part {
	bool used;
	bool too_long;
	uint16_t stream;
	uint32_t ppid;
	struct buf bytes;
};

struct channels {
	/* immutable after create */
	const struct channels_ops *ops;
	void *arg;

	bool up;
	uint16_t stream[2]; /* ours, by enum rtc_channel; once up */
	bool asked[2];      /* OPEN was given to SCTP */
	bool open[2];       /* ... and acknowledged */
	bool told;
	struct {            /* channels that the other side opened */
		uint16_t stream;
		enum rtc_channel ch;
	} theirs[THEIRS_MAX];
	size_t n_theirs;
	uint16_t acks[THEIRS_MAX]; /* streams to be acknowledged */
	size_t n_acks;
	struct part parts[PARTS_MAX];
	struct message *first, **last;
	size_t queued;
};

int channels_create(struct channels **ret_channels,
		    const struct channels_ops *ops, void *arg)
{
	struct channels *c = calloc(1, sizeof *c);

	if (!c)
		return -ENOMEM;
	c->ops = ops;
	c->arg = arg;
	c->last = &c->first;
	*ret_channels = c;
	return 0;
}

void channels_destroy(struct channels *c)
{
	if (!c)
		return;
	for (struct message *m = c->first, *next; m; m = next) {
		next = m->next;
		free(m);
	}
	for (size_t i = 0; i < PARTS_MAX; i++)
		buf_free(&c->parts[i].bytes);
	free(c);
}

/* ---- opening --------------------------------------------------------------- */

static void ask(struct channels *c, enum rtc_channel ch)
{
	uint8_t open[DCEP_MAX];
	size_t n = dcep_write_open(open,
				   ch == RTC_LOSSY ? DCEP_REXMIT_UNORDERED :
						     DCEP_RELIABLE,
				   labels[ch]);

	if (!c->asked[ch])
		c->asked[ch] = c->ops->send(c->arg, c->stream[ch], PPID_DCEP,
					    false, open, n) == 0;
}

static void send_acks(struct channels *c)
{
	static const uint8_t ack = DCEP_ACK;

	while (c->n_acks) {
		if (c->ops->send(c->arg, c->acks[c->n_acks - 1], PPID_DCEP,
				 false, &ack, 1) == -EAGAIN)
			return;
		c->n_acks--;
	}
}

static bool is_label(const struct dcep *d, enum rtc_channel ch)
{
	return d->label_len == strlen(labels[ch]) &&
	       !memcmp(d->label, labels[ch], d->label_len);
}

/* Channels with other names are acknowledged too, and never listened to. */
static void on_their_open(struct channels *c, uint16_t stream,
			  const struct dcep *d)
{
	if (c->n_acks < THEIRS_MAX)
		c->acks[c->n_acks++] = stream;
	for (enum rtc_channel ch = RTC_RELIABLE; ch <= RTC_LOSSY; ch++) {
		if (!is_label(d, ch) || c->n_theirs == THEIRS_MAX)
			continue;
		c->theirs[c->n_theirs].stream = stream;
		c->theirs[c->n_theirs].ch = ch;
		c->n_theirs++;
	}
}

static void on_ack(struct channels *c, uint16_t stream)
{
	for (int ch = 0; ch < 2; ch++) {
		if (c->stream[ch] == stream && c->asked[ch])
			c->open[ch] = true;
	}
	if (!c->open[0] || !c->open[1] || c->told)
		return;
	c->told = true;
	c->ops->on_open(c->arg);
}

static void on_control(struct channels *c, uint16_t stream, const uint8_t *p,
		       size_t n)
{
	struct dcep d;

	if (dcep_parse(&d, p, n) < 0)
		return;
	if (d.type == DCEP_OPEN)
		on_their_open(c, stream, &d);
	else
		on_ack(c, stream);
}

void channels_up(struct channels *c, bool dtls_server)
{
	c->up = true;
	c->stream[RTC_RELIABLE] = dtls_server ? 1 : 0;
	c->stream[RTC_LOSSY] = dtls_server ? 3 : 2;
	channels_flush(c);
}

/* ---- receiving ------------------------------------------------------------------ */

static bool channel_of(const struct channels *c, uint16_t stream,
		       enum rtc_channel *ret_ch)
{
	for (size_t i = 0; i < c->n_theirs; i++) {
		if (c->theirs[i].stream == stream) {
			*ret_ch = c->theirs[i].ch;
			return true;
		}
	}
	for (enum rtc_channel ch = RTC_RELIABLE; c->up && ch <= RTC_LOSSY; ch++) {
		if (c->stream[ch] == stream) {
			*ret_ch = ch;
			return true;
		}
	}
	return false;
}

static void deliver(struct channels *c, uint16_t stream, uint32_t ppid,
		    const uint8_t *p, size_t n)
{
	enum rtc_channel ch;

	if (ppid == PPID_DCEP) {
		on_control(c, stream, p, n);
		return;
	}
	if (!channel_of(c, stream, &ch))
		return;
	if (ppid == PPID_STRING_EMPTY || ppid == PPID_BINARY_EMPTY)
		n = 0;
	else if (ppid != PPID_STRING && ppid != PPID_BINARY)
		return;
	c->ops->on_message(c->arg, ch, p, n);
}

/* The open part of a stream; a free one when there is none yet. */
static struct part *part_of(struct channels *c, uint16_t stream, bool begin)
{
	struct part *spare = NULL;

	for (size_t i = 0; i < PARTS_MAX; i++) {
		if (c->parts[i].used && c->parts[i].stream == stream)
			return &c->parts[i];
		if (!c->parts[i].used)
			spare = &c->parts[i];
	}
	return begin ? spare : NULL;
}

void channels_input(struct channels *c, uint16_t stream, uint32_t ppid,
		    const uint8_t *p, size_t n, bool end)
{
	struct part *part = part_of(c, stream, !end);

	if (!part) {
		/* whole in one piece; or no room for another long message:
		 * its last piece alone would be read as one, and fails there */
		if (end)
			deliver(c, stream, ppid, p, n);
		return;
	}
	if (!part->used) {
		part->used = true;
		part->too_long = false;
		part->stream = stream;
		part->ppid = ppid;
	}
	part->too_long |= part->bytes.len + n > CHANNELS_MESSAGE_MAX;
	if (!part->too_long)
		buf_add(&part->bytes, p, n);
	if (!end)
		return;
	if (!part->too_long)
		deliver(c, stream, part->ppid, part->bytes.p, part->bytes.len);
	buf_free(&part->bytes);
	part->used = false;
}

/* ---- sending ------------------------------------------------------------------------ */

static int give(struct channels *c, enum rtc_channel ch, const uint8_t *p,
		size_t n)
{
	static const uint8_t zero;

	/* SCTP has no empty messages: one byte under a number of its own */
	return c->ops->send(c->arg, c->stream[ch],
			    n ? PPID_BINARY : PPID_BINARY_EMPTY,
			    ch == RTC_LOSSY, n ? p : &zero, n ? n : 1);
}

int channels_send(struct channels *c, enum rtc_channel ch, const uint8_t *p,
		  size_t n)
{
	if (n > CHANNELS_MESSAGE_MAX)
		return -EMSGSIZE;
	if (c->told && !c->first) {
		int r = give(c, ch, p, n);
		if (r != -EAGAIN)
			return r;
	}
	if (c->queued + n > CHANNELS_QUEUE_MAX)
		return ERR_FULL;
	struct message *m = malloc(sizeof *m + n);
	if (!m)
		return -ENOMEM;
	m->next = NULL;
	m->ch = ch;
	m->n = n;
	if (n)
		memcpy(m->bytes, p, n);
	*c->last = m;
	c->last = &m->next;
	c->queued += n;
	return 0;
}

void channels_flush(struct channels *c)
{
	if (!c->up)
		return;
	ask(c, RTC_RELIABLE);
	ask(c, RTC_LOSSY);
	send_acks(c);
	while (c->told && c->first) {
		struct message *m = c->first;

		if (give(c, m->ch, m->bytes, m->n) == -EAGAIN)
			return;
		c->first = m->next;
		if (!c->first)
			c->last = &c->first;
		c->queued -= m->n;
		free(m);
	}
	assert(c->first || !c->queued);
}

size_t channels_queued(const struct channels *c)
{
	return c->queued;
}
