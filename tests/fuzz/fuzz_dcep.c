/* Data channel control messages, alone and as the pieces of a stream. */
#include <stdint.h>
#include <stdlib.h>

#include "rtc/channel_int.h"
#include "rtc/rtc.h"

static int on_send(void *arg, uint16_t stream, uint32_t ppid, bool lossy,
		   const uint8_t *p, size_t n)
{
	(void)arg, (void)stream, (void)ppid, (void)lossy, (void)p, (void)n;
	return 0;
}

static void on_open(void *arg)
{
	(void)arg;
}

static void on_message(void *arg, enum rtc_channel ch, const uint8_t *p,
		       size_t n)
{
	(void)arg, (void)ch;
	for (size_t i = 0; i < n; i++)
		(void)((const volatile uint8_t *)p)[i];
}

/* The input is a row of pieces: stream, flags, length, bytes. */
static void feed(struct channels *c, const uint8_t *p, size_t n)
{
	static const uint32_t ppids[] = { PPID_DCEP, PPID_BINARY, PPID_STRING,
					  PPID_BINARY_EMPTY };

	while (n >= 3) {
		size_t len = p[2] < n - 3 ? p[2] : n - 3;

		channels_input(c, p[0], ppids[p[1] & 3], p + 3, len, p[1] & 4);
		if (p[1] & 8)
			channels_flush(c);
		p += 3 + len;
		n -= 3 + len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct channels_ops ops = { on_send, on_open, on_message };
	struct channels *c;

	rtc_dcep_check(p, n);
	if (n < 1 || channels_create(&c, &ops, NULL) < 0)
		return 0;
	channels_up(c, p[0] & 1);
	feed(c, p + 1, n - 1);
	channels_destroy(c);
	return 0;
}
