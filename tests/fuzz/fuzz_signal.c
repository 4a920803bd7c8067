/* Data signals, as any participant may send them. */
#include "livekit/livekit.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	(void)livekit_signal_check(p, n);
	return 0;
}
