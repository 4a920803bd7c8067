/* ICE candidates as text (RFC 8839): the form that signalling carries turned
 * into the form that libnice reads, without what we cannot use. Pure. */
#ifndef FD_RTC_CANDIDATE_INT_H
#define FD_RTC_CANDIDATE_INT_H

#include <stddef.h>

enum candidate_use {
	CANDIDATE_OK,
	CANDIDATE_BAD,       /* not a candidate line */
	CANDIDATE_COMPONENT, /* not of component 1 */
	CANDIDATE_NAME,      /* a host name (.local) */
	CANDIDATE_ACTIVE,    /* active TCP: it would connect to us, and so do we */
	CANDIDATE_FAMILY,    /* a transport we do not know */
};

/* Reads "candidate:..." (also with "a=" before it) and writes the same without
 * extension attributes into out[cap] when the result is CANDIDATE_OK. */
enum candidate_use candidate_clean(char *out, size_t cap, const char *text);

#endif
