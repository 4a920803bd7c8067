/* Answers of providers: the first byte picks the reader. */
#include <stddef.h>
#include <stdint.h>

#include "provider/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char kinds[] = "dacr";

	if (n == 0)
		return 0;
	char kind = (char)p[0];
	for (size_t i = 0; i < 4; i++) {
		if (kinds[i] == kind)
			provider_answer_check(kind, p + 1, n - 1);
	}
	return 0;
}
