/* Answers from anywhere, and the candidate lines in them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rtc/candidate_int.h"
#include "rtc/rtc.h"
#include "rtc/turn_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct turn_url u;
	char clean[256];
	char *text = malloc(n + 1);

	rtc_sdp_check((const char *)p, n);
	if (n)
		memcpy(text, p, n);
	text[n] = 0;
	/* what a candidate is cleaned to must be one that stays as it is */
	if (candidate_clean(clean, sizeof clean, text) == CANDIDATE_OK) {
		char again[256];
		if (candidate_clean(again, sizeof again, clean) != CANDIDATE_OK ||
		    strcmp(clean, again))
			abort();
	}
	turn_url_parse(&u, text);
	free(text);
	return 0;
}
