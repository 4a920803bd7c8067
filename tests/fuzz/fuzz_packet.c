/* Data packets, as any participant may send them. */
#include "livekit/livekit.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	(void)livekit_packet_check(p, n);
	return 0;
}
