/* Candidate lines from signalling, sorted out and cleaned. [any] */
#include "rtc/candidate_int.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

enum { WORDS_MAX = 32 };

struct words {
	char text[512];
	char *word[WORDS_MAX];
	size_t n;
};

static bool split(struct words *w, const char *text)
{
	char *save = NULL;

	w->n = 0;
	if (!str_copy(w->text, sizeof w->text, text))
		return false;
	for (char *s = strtok_r(w->text, " \t\r\n", &save); s;
	     s = strtok_r(NULL, " \t\r\n", &save)) {
		if (w->n == WORDS_MAX)
			return false;
		w->word[w->n++] = s;
	}
	return true;
}

/* The value of an attribute pair after the eight fixed words, NULL if absent. */
static const char *pair(const struct words *w, const char *name)
{
	for (size_t i = 8; i + 1 < w->n; i += 2) {
		if (!strcasecmp(w->word[i], name))
			return w->word[i + 1];
	}
	return NULL;
}

static bool is_address(const char *s)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, s, bytes) == 1 ||
	       inet_pton(AF_INET6, s, bytes) == 1;
}

static bool is_number(const char *s, unsigned long most)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	return *s >= '0' && *s <= '9' && !*end && n <= most;
}

static enum candidate_use judge(const struct words *w)
{
	const char *tcptype = pair(w, "tcptype");

	if (w->n < 8 || strcmp(w->word[6], "typ") ||
	    !is_number(w->word[1], 256) || !is_number(w->word[3], UINT32_MAX) ||
	    !is_number(w->word[5], 65535) || strlen(w->word[0]) > 32)
		return CANDIDATE_BAD;
	if (strcmp(w->word[1], "1"))
		return CANDIDATE_COMPONENT;
	if (!is_address(w->word[4]))
		return CANDIDATE_NAME;
	if (!strcasecmp(w->word[2], "udp"))
		return CANDIDATE_OK;
	if (strcasecmp(w->word[2], "tcp"))
		return CANDIDATE_FAMILY;
	return !tcptype || strcasecmp(tcptype, "passive") ? CANDIDATE_ACTIVE :
							    CANDIDATE_OK;
}

enum candidate_use candidate_clean(char *out, size_t cap, const char *text)
{
	static const char prefix[] = "candidate:";
	struct words w;

	if (str_has_prefix(text, "a="))
		text += 2;
	if (!str_has_prefix(text, prefix) ||
	    !split(&w, text + sizeof prefix - 1))
		return CANDIDATE_BAD;
	enum candidate_use use = judge(&w);
	if (use != CANDIDATE_OK)
		return use;

	const char *raddr = pair(&w, "raddr"), *rport = pair(&w, "rport");
	const char *tcptype = pair(&w, "tcptype");
	bool related = raddr && rport && is_address(raddr) &&
		       is_number(rport, 65535);
	int n = snprintf(out, cap, "candidate:%s 1 %s %s %s %s typ %s%s%s%s%s%s",
			 w.word[0], w.word[2], w.word[3], w.word[4], w.word[5],
			 w.word[7], related ? " raddr " : "",
			 related ? raddr : "", related ? " rport " : "",
			 related ? rport : "",
			 tcptype ? " tcptype passive" : "");
	return n > 0 && (size_t)n < cap ? CANDIDATE_OK : CANDIDATE_BAD;
}
