/* Data channel control messages as bytes (RFC 8832, 5). [any] */
#include "rtc/channel_int.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "rtc/rtp_int.h"

int dcep_parse(struct dcep *ret, const uint8_t *p, size_t n)
{
	if (n < 1)
		return ERR_PROTOCOL;
	if (p[0] == DCEP_ACK) {
		*ret = (struct dcep){ .type = DCEP_ACK };
		return 0;
	}
	if (p[0] != DCEP_OPEN || n < 12)
		return ERR_PROTOCOL;
	struct dcep d = {
		.type = DCEP_OPEN,
		.channel = p[1],
		.priority = get_be16(p + 2),
		.reliability = get_be32(p + 4),
		.label_len = get_be16(p + 8),
		.protocol_len = get_be16(p + 10),
		.label = (const char *)p + 12,
	};
	if (12 + d.label_len + d.protocol_len > n)
		return ERR_PROTOCOL;
	d.protocol = d.label + d.label_len;
	*ret = d;
	return 0;
}

size_t dcep_write_open(uint8_t *out, uint8_t channel, const char *label)
{
	size_t n = strlen(label);

	assert(n <= 32);
	memset(out, 0, 12);
	out[0] = DCEP_OPEN;
	out[1] = channel;
	put_be16(out + 8, (uint16_t)n);
	memcpy(out + 12, label, n);
	return 12 + n;
}

int rtc_dcep_check(const uint8_t *p, size_t n)
{
	struct dcep d;

	return dcep_parse(&d, p, n);
}
